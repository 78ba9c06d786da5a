//! A session that goes on over another transport than the one it had.

use wasm_bindgen::prelude::*;

use super::{Core, at};

#[wasm_bindgen]
impl Core {
    /// Reports that the transport was lost, or that a new one was before the session went on over it. False if the session
    /// is over by that; otherwise `pollReconnect` says when to open another one.
    #[wasm_bindgen(js_name = onLost)]
    pub fn on_lost(&mut self, text: &str, now_ms: f64) -> bool {
        self.session.handle_lost(at(now_ms), text)
    }

    /// True once, when a new transport is to be opened: `resume` or `onConnectFailed` follows.
    #[wasm_bindgen(js_name = pollReconnect)]
    pub fn poll_reconnect(&mut self, now_ms: f64) -> bool {
        self.session.poll_reconnect(at(now_ms))
    }

    /// Ends the wait for the next attempt.
    #[wasm_bindgen(js_name = reconnectNow)]
    pub fn reconnect_now(&mut self, now_ms: f64) {
        self.session.reconnect_now(at(now_ms));
    }

    /// Reports that no new transport came about.
    #[wasm_bindgen(js_name = onConnectFailed)]
    pub fn on_connect_failed(&mut self, now_ms: f64) {
        self.session.handle_connect_failed(at(now_ms));
    }

    /// Goes on over a new transport that is open.
    pub fn resume(&mut self) {
        self.session.resume();
    }

    /// Whether the session may go on over another transport.
    #[wasm_bindgen(js_name = canResume)]
    pub fn can_resume(&self) -> bool {
        self.session.can_resume()
    }

    /// Whether the transport was lost, and the session may still go on over another one.
    #[wasm_bindgen(js_name = isReconnecting)]
    pub fn is_reconnecting(&self) -> bool {
        self.session.is_reconnecting()
    }
}
