//! What the server says on the topics stream, as a client reads it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tickwire_fuzz::read_frames;
use tickwire_shared::control::ServerTopics;

fuzz_target!(|data: &[u8]| read_frames::<ServerTopics>(data));
