//! What a server says on the control stream, as the client reads it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tickwire_fuzz::read_frames;
use tickwire_shared::control::ServerFrame;

fuzz_target!(|data: &[u8]| read_frames::<ServerFrame>(data));
