//! The replay for a page.

use std::time::Duration;

use wasm_bindgen::prelude::*;

use crate::{Replay, Stream};

/// A stream to replay in a page.
#[wasm_bindgen(js_name = Replay)]
pub struct WebReplay(Replay);

/// The result of some passes.
#[wasm_bindgen]
pub struct Sample {
    /// Milliseconds by `performance.now()`.
    pub ms: f64,
    hash: u64,
}

#[wasm_bindgen(js_class = Replay)]
impl WebReplay {
    /// From a stream's bytes.
    #[wasm_bindgen(constructor)]
    pub fn new(bytes: &[u8]) -> Result<Self, JsError> {
        Ok(WebReplay(Replay::new(Stream::from_bytes(bytes)?)?))
    }

    /// See [`Replay::run`].
    pub fn run(&self, passes: u32) -> Sample {
        let (spent, hash) = self.0.run(passes, || Duration::from_secs_f64(now() / 1000.0));
        Sample { ms: spent.as_secs_f64() * 1000.0, hash }
    }
}

#[wasm_bindgen]
impl Sample {
    /// The hash of the final world, in hexadecimal.
    #[wasm_bindgen(getter)]
    pub fn hash(&self) -> String {
        format!("{:016x}", self.hash)
    }
}

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = performance)]
    fn now() -> f64;
}
