//! What a client says on the control stream, as the server reads it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tickwire_fuzz::read_frames;
use tickwire_shared::control::ClientFrame;

fuzz_target!(|data: &[u8]| read_frames::<ClientFrame>(data));
