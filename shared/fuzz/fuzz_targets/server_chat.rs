//! What a server says on the chat stream, as the client reads it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tickwire_fuzz::read_frames;
use tickwire_shared::control::ServerChat;

fuzz_target!(|data: &[u8]| read_frames::<ServerChat>(data));
