//! Prediction steps by JavaScript functions.

use wasm_bindgen::prelude::*;

use super::js::{Array, Float64Array, Function};
use crate::session::prediction::{NumberStep, NumberTick};

/// The two functions of `Core.predictBy`.
#[derive(Debug)]
pub(super) struct ScriptStep {
    adopt: Function,
    step: Function,
    /// Whether the step looks at other entities, which takes time.
    looks_around: bool,
}

impl ScriptStep {
    pub(super) fn new(adopt: Function, step: Function, looks_around: bool) -> Self {
        ScriptStep { adopt, step, looks_around }
    }

    /// For each other entity: how many numbers its record has, its id, its kind, its components.
    fn nearby(&self, tick: &NumberTick<'_>) -> Float64Array {
        let mut flat = Vec::new();
        if self.looks_around {
            tick.for_each_nearby(&mut |id, kind, values| {
                flat.extend([(values.len() + 3) as f64, f64::from(id.0), f64::from(kind)]);
                flat.extend_from_slice(values);
            });
        }
        Float64Array::from(flat.as_slice())
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
        tick: &mut NumberTick<'_>,
    ) -> Option<JsValue> {
        let filled = Float64Array::new_with_length(values.len() as u32);
        let input = Float64Array::from(input).into();
        let (nearby, made) = (self.nearby(tick).into(), Array::new());
        let output = made.clone().into();
        let arguments = [kind.into(), state.clone(), input, filled.clone().into(), nearby, output];
        let after = call(&self.step, arguments)?;
        filled.copy_to(values);
        take_made(&made.to_numbers(), tick);
        Some(after)
    }
}

/// What a step made, one record after the other: how many numbers it has, 0 for an entity or 1 for an event, its kind,
/// its components.
fn take_made(mut made: &[f64], tick: &mut NumberTick<'_>) {
    while let [length, what, kind, ..] = *made {
        let length = (length as usize).clamp(3, made.len());
        let values = &made[3..length];
        if what == 0.0 {
            tick.spawn(kind as u8, values);
        } else {
            tick.emit(kind as u8, values);
        }
        made = &made[length..];
    }
}

/// The function's result; `None` for undefined, or if it throws although it must not.
fn call<const N: usize>(function: &Function, arguments: [JsValue; N]) -> Option<JsValue> {
    let arguments: Array = arguments.into_iter().collect();
    let given = function.apply(&JsValue::UNDEFINED, &arguments).ok()?;
    (!given.is_undefined()).then_some(given)
}
