//! Prediction steps by JavaScript functions.

use wasm_bindgen::prelude::*;

use super::js::{Array, Float64Array, Function};
use crate::session::prediction::NumberStep;

/// The two functions of `Core.predictBy`.
#[derive(Debug)]
pub(super) struct ScriptStep {
    adopt: Function,
    step: Function,
}

impl ScriptStep {
    pub(super) fn new(adopt: Function, step: Function) -> Self {
        ScriptStep { adopt, step }
    }
}

impl NumberStep for ScriptStep {
    /// The functions' own value. A clone is the same object: the functions never change one.
    type State = JsValue;

    fn state_of(&self, kind: u8, values: &[f64], before: Option<&JsValue>) -> Option<JsValue> {
        let values = Float64Array::from(values).into();
        let before = before.cloned().unwrap_or(JsValue::UNDEFINED);
        call(&self.adopt, [kind.into(), values, before])
    }

    fn step(
        &self,
        kind: u8,
        state: &JsValue,
        input: &[f64],
        values: &mut [f64],
    ) -> Option<JsValue> {
        let filled = Float64Array::new_with_length(values.len() as u32);
        let input = Float64Array::from(input).into();
        let after = call(&self.step, [kind.into(), state.clone(), input, filled.clone().into()])?;
        filled.copy_to(values);
        Some(after)
    }
}

/// The function's result; `None` for undefined, or if it throws although it must not.
fn call<const N: usize>(function: &Function, arguments: [JsValue; N]) -> Option<JsValue> {
    let arguments: Array = arguments.into_iter().collect();
    let given = function.apply(&JsValue::UNDEFINED, &arguments).ok()?;
    (!given.is_undefined()).then_some(given)
}
