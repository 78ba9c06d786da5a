//! Parts of keyframes and snapshots one after the other, as a client applies them.
//!
//! Each begins with its length, how many ticks after the last it is, and which of the two it is.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use tickwire_fuzz::{Game, bounded};
use tickwire_shared::Tick;
use tickwire_shared::bits::BitWriter;
use tickwire_shared::replica::Replica;
use tickwire_shared::schema::Schema;
use tickwire_shared::simulation::schema_of;
use tickwire_shared::snapshot::DATAGRAM_SNAPSHOT;

/// A record of a few bits makes an entity whose lanes and history take some hundred bytes.
const PART_MULTIPLE: usize = 1024;
/// The places by slot, and their copy while they grow: 65,536 of four bytes each.
const PLACES_BYTES: usize = 3 * 65_536 * 4;
const SEAT: u8 = 7;

static SCHEMA: LazyLock<Schema> = LazyLock::new(schema_of::<Game>);

fuzz_target!(|data: &[u8]| {
    let mut replica = Replica::new(&SCHEMA, SEAT);
    let mut tick = Tick(1000);
    let mut rest = data;
    while let [length, step, is_part, after @ ..] = rest {
        let (body, next) = after.split_at(after.len().min(usize::from(*length)));
        rest = next;
        tick = tick.offset(i32::from(*step as i8));
        let bytes = begun(tick, body);
        let memory = PLACES_BYTES / PART_MULTIPLE + bytes.len();
        if is_part % 2 == 0 {
            let _ = bounded(memory, PART_MULTIPLE, || replica.apply(&bytes, tick));
            continue;
        }
        let before = replica.entities().len();
        let applied = bounded(memory, PART_MULTIPLE, || replica.apply_keyframe(&bytes, tick));
        if applied.is_err() {
            assert_eq!(replica.entities().len(), before, "a refused part changes nothing");
        }
        for entity in replica.entities() {
            assert!(!entity.states.is_empty(), "an entity has a state");
        }
    }
});

/// The beginning of a snapshot of `tick`, then `body`.
fn begun(tick: Tick, body: &[u8]) -> Vec<u8> {
    let mut writer = BitWriter::default();
    writer.push(u64::from(DATAGRAM_SNAPSHOT), 8);
    writer.push(u64::from(tick.low16()), 16);
    writer.push(u64::from(SEAT), 8);
    let mut bytes = writer.into_bytes();
    bytes.extend_from_slice(body);
    bytes
}
