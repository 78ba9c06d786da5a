//! Parts of keyframes and snapshots one after the other, as a client applies them.
//!
//! Each begins with its length, how many ticks after the last it is, and which of the two it is.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tickwire_fuzz::{SCHEMA, SEAT, SNAPSHOT_MULTIPLE, begun, bounded, snapshot_memory};
use tickwire_shared::Tick;
use tickwire_shared::replica::Replica;

fuzz_target!(|data: &[u8]| {
    let mut replica = Replica::new(&SCHEMA, SEAT);
    let mut tick = Tick(1000);
    let mut rest = data;
    while let [length, step, is_part, after @ ..] = rest {
        let (body, next) = after.split_at(after.len().min(usize::from(*length)));
        rest = next;
        tick = tick.offset(i32::from(*step as i8));
        let bytes = begun(tick, body);
        let memory = snapshot_memory(bytes.len());
        if is_part % 2 == 0 {
            let _ = bounded(memory, SNAPSHOT_MULTIPLE, || replica.apply(&bytes, tick));
            continue;
        }
        let before = replica.entities().len();
        let applied = bounded(memory, SNAPSHOT_MULTIPLE, || replica.apply_keyframe(&bytes, tick));
        if applied.is_err() {
            assert_eq!(replica.entities().len(), before, "a refused part changes nothing");
        }
        for entity in replica.entities() {
            assert!(!entity.states.is_empty(), "an entity has a state");
        }
    }
});
