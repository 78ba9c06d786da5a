//! The JavaScript that the core uses. `js-sys` declares all of it, and takes longer to build than
//! the client itself.

use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    #[derive(Clone, Debug)]
    #[wasm_bindgen(typescript_type = "Array<any>")]
    pub type Array;

    #[wasm_bindgen(constructor)]
    pub(super) fn new() -> Array;

    #[wasm_bindgen(method)]
    fn push(this: &Array, value: &JsValue) -> u32;

    #[derive(Debug)]
    #[wasm_bindgen(typescript_type = "Error")]
    pub type Error;

    #[wasm_bindgen(constructor)]
    pub(super) fn new(text: &str) -> Error;

    #[derive(Clone, Debug)]
    #[wasm_bindgen(typescript_type = "Float64Array")]
    pub type Float64Array;

    #[wasm_bindgen(constructor)]
    fn copy_of_numbers(numbers: &[f64]) -> Float64Array;

    #[wasm_bindgen(constructor)]
    pub(super) fn new_with_length(length: u32) -> Float64Array;

    #[wasm_bindgen(constructor)]
    fn copy_of_array(numbers: &Array) -> Float64Array;

    #[wasm_bindgen(static_method_of = Float64Array, js_name = from)]
    fn numbers_of(array: &Float64Array) -> Vec<f64>;

    #[derive(Clone, Debug)]
    #[wasm_bindgen(typescript_type = "Function")]
    pub type Function;

    #[wasm_bindgen(method, catch)]
    pub(super) fn apply(
        this: &Function,
        context: &JsValue,
        arguments: &Array,
    ) -> Result<JsValue, JsValue>;

    #[derive(Debug)]
    #[wasm_bindgen(typescript_type = "object")]
    pub type Object;

    #[wasm_bindgen(constructor)]
    pub(super) fn new() -> Object;

    /// Fails if the text is not JSON.
    #[wasm_bindgen(js_namespace = JSON, js_name = parse, catch)]
    pub(super) fn parse_json(text: &str) -> Result<JsValue, JsValue>;

    /// Fails if it is not an object.
    #[wasm_bindgen(js_namespace = Reflect, js_name = get, catch)]
    pub(super) fn get_field(object: &JsValue, name: &str) -> Result<JsValue, JsValue>;

    /// Fails if the object does not accept the field.
    #[wasm_bindgen(js_namespace = Reflect, js_name = set, catch)]
    pub(super) fn set_field(object: &JsValue, name: &str, value: &JsValue)
    -> Result<bool, JsValue>;

    #[derive(Debug)]
    #[wasm_bindgen(typescript_type = "Uint8Array")]
    pub type Uint8Array;

    #[wasm_bindgen(constructor)]
    fn copy_of_bytes(bytes: &[u8]) -> Uint8Array;
}

impl FromIterator<JsValue> for Array {
    fn from_iter<I: IntoIterator<Item = JsValue>>(values: I) -> Array {
        let array = Array::new();
        for value in values {
            array.push(&value);
        }
        array
    }
}

impl From<&[f64]> for Float64Array {
    fn from(numbers: &[f64]) -> Float64Array {
        Float64Array::copy_of_numbers(numbers)
    }
}

impl From<&[u8]> for Uint8Array {
    fn from(bytes: &[u8]) -> Uint8Array {
        Uint8Array::copy_of_bytes(bytes)
    }
}

impl Array {
    /// Its elements as numbers; what is no number is NaN.
    pub(super) fn to_numbers(&self) -> Vec<f64> {
        Float64Array::numbers_of(&Float64Array::copy_of_array(self))
    }
}

impl Float64Array {
    /// Copies numbers, as many as fit in both.
    pub(super) fn copy_to(&self, numbers: &mut [f64]) {
        let own = Float64Array::numbers_of(self);
        for (number, own) in numbers.iter_mut().zip(own) {
            *number = own;
        }
    }
}
