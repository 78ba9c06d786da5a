//! An input datagram, as the server reads it.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use tickwire_fuzz::{Game, Stick, bounded};
use tickwire_shared::input::InputCodec;
use tickwire_shared::quantize::Lanes;
use tickwire_shared::simulation::schema_of;

/// One bit may repeat an input of 12 bytes: 32 at most.
const INPUT_MULTIPLE: usize = 96;

static CODEC: LazyLock<InputCodec> = LazyLock::new(|| InputCodec::new(&schema_of::<Game>()));

fuzz_target!(|data: &[u8]| {
    let codec = &*CODEC;
    let decode = || codec.decode::<Stick>(data);
    let Ok(datagram) = bounded(data.len(), INPUT_MULTIPLE, decode) else { return };

    // What was read can be written, and reads the same.
    let mut lanes = vec![0; datagram.inputs.len() * Stick::LANES];
    for (input, lanes) in datagram.inputs.iter().zip(lanes.chunks_exact_mut(Stick::LANES)) {
        input.to_lanes(lanes);
    }
    let written = codec.encode(datagram.head, &lanes);
    assert_eq!(codec.decode::<Stick>(&written).as_ref(), Ok(&datagram));
});
