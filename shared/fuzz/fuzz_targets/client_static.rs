//! What a client says on the static stream, as the server reads it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tickwire_fuzz::read_frames;
use tickwire_shared::control::ClientStatic;

fuzz_target!(|data: &[u8]| read_frames::<ClientStatic>(data));
