//! A session that goes on over another transport than the one it had.

use wasm_bindgen::prelude::*;

use super::js::{Array, Uint8Array};
use super::{Core, at};
use crate::session::MoveOutcome;

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

    /// Asks the server to go on over a new transport that is open, while the old one works. Returns the first bytes of the
    /// control and of the chat stream; nothing else may be sent over it before `onMoveControl` returns "moved". Undefined if
    /// the session cannot move now.
    #[wasm_bindgen(js_name = beginMove)]
    pub fn begin_move(&mut self, now_ms: f64) -> Option<Array> {
        let start = self.session.begin_move(at(now_ms))?;
        let streams = [start.control, start.chat];
        Some(
            streams.iter().map(|bytes| JsValue::from(Uint8Array::from(bytes.as_slice()))).collect(),
        )
    }

    /// Takes bytes of the new transport's control stream during a move. Returns "pending", "moved" when that transport carries
    /// the session, or "failed" when the old one goes on; throws as `onControl`.
    #[wasm_bindgen(js_name = onMoveControl)]
    pub fn on_move_control(&mut self, bytes: &[u8], now_ms: f64) -> Result<String, JsValue> {
        let outcome = self.session.handle_move_control(at(now_ms), bytes);
        outcome.map(name_of).map_err(|error| self.fail(&error))
    }

    /// Takes bytes of the new transport's chat stream during a move. Returns "pending" or "failed".
    #[wasm_bindgen(js_name = onMoveChat)]
    pub fn on_move_chat(&mut self, bytes: &[u8]) -> String {
        name_of(self.session.handle_move_chat(bytes))
    }

    /// Reports that the new transport failed before the session moved to it.
    #[wasm_bindgen(js_name = cancelMove)]
    pub fn cancel_move(&mut self) {
        self.session.cancel_move();
    }

    /// Whether a move is under way.
    #[wasm_bindgen(js_name = isMoving)]
    pub fn is_moving(&self) -> bool {
        self.session.is_moving()
    }
}

fn name_of(outcome: MoveOutcome) -> String {
    match outcome {
        MoveOutcome::Pending => "pending",
        MoveOutcome::Moved => "moved",
        MoveOutcome::Failed => "failed",
    }
    .to_owned()
}
