//! A publish datagram, as the server reads it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tickwire_fuzz::bounded;
use tickwire_shared::lossy::{LossyMessage, PUBLISH_DATAGRAM_BYTES_MAX};

/// What is read are parts of the datagram.
const MESSAGE_MULTIPLE: usize = 1;

fuzz_target!(|data: &[u8]| {
    let decode = || LossyMessage::decode(data);
    let Ok(message) = bounded(data.len(), MESSAGE_MULTIPLE, decode) else { return };
    // What was read can be written, and is the same: each message has one form.
    match message.encode() {
        Ok(written) => assert_eq!(written, data),
        // A writer leaves space for the largest number.
        Err(error) => assert!(data.len() > PUBLISH_DATAGRAM_BYTES_MAX - 4, "{error}"),
    }
});
