//! What a client says on the topics stream, as the server reads it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tickwire_fuzz::read_frames;
use tickwire_shared::control::ClientTopics;

fuzz_target!(|data: &[u8]| read_frames::<ClientTopics>(data));
