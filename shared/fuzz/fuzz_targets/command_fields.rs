//! The fields of a command, as the server reads them. The first byte is the kind.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use tickwire_fuzz::{Ask, SCHEMA, bounded};
use tickwire_shared::command::{COMMAND_BYTES_MAX, CommandCodec};
use tickwire_shared::quantize::Kinds;
use tickwire_shared::schema::LANES_MAX;

/// Nothing is kept of the bytes but the lanes, and the text of an error.
const COMMAND_MULTIPLE: usize = 1;

static CODEC: LazyLock<CommandCodec> = LazyLock::new(|| CommandCodec::new(&SCHEMA));

fuzz_target!(|data: &[u8]| {
    let Some((&kind, fields)) = data.split_first() else { return };
    let decode = || CODEC.decode::<Ask>(kind, fields);
    let Ok(command) = bounded(fields.len(), COMMAND_MULTIPLE, decode) else { return };
    assert!(fields.len() <= COMMAND_BYTES_MAX, "the server passes no more on");
    assert_eq!(command.kind(), kind);

    // Only what is written so is read: a command has one form.
    let mut lanes = [0; LANES_MAX];
    let misfits = command.to_lanes(&mut lanes);
    assert!(misfits.is_empty(), "each field is within its range");
    assert_eq!(CODEC.encode(kind, &lanes).as_deref(), Some(fields));
});
