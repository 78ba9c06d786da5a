//! Snapshot datagrams one after the other, as a client applies them.
//!
//! Each begins with its length and how many ticks after the last it is; 0 leaves its bytes as they
//! are, anything else puts a right beginning before them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tickwire_fuzz::{SCHEMA, SEAT, SNAPSHOT_MULTIPLE, begun, bounded, snapshot_memory};
use tickwire_shared::replica::Replica;
use tickwire_shared::{EntityId, Tick};

fuzz_target!(|data: &[u8]| {
    let mut replica = Replica::new(&SCHEMA, SEAT);
    let mut tick = Tick(1000);
    let mut rest = data;
    while let [length, step, after @ ..] = rest {
        let (body, next) = after.split_at(after.len().min(usize::from(*length)));
        rest = next;
        tick = tick.offset(i32::from(*step));
        let bytes = if *step == 0 { body.to_vec() } else { begun(tick, body) };
        apply(&mut replica, &bytes, tick);
    }
});

fn apply(replica: &mut Replica, bytes: &[u8], near: Tick) {
    let before = fingerprint(replica);
    let memory = snapshot_memory(bytes.len());
    match bounded(memory, SNAPSHOT_MULTIPLE, || replica.apply(bytes, near)) {
        Ok(applied) => {
            assert_eq!(replica.newest(), Some(applied.tick));
            assert!(replica.ack().is_some());
            check(replica);
        }
        Err(_) => assert_eq!(fingerprint(replica), before, "a refused snapshot changes nothing"),
    }
}

fn check(replica: &Replica) {
    for entity in replica.entities() {
        let kind = &SCHEMA.entities[usize::from(entity.kind)];
        let newest = entity.states.len().checked_sub(1).expect("an entity has a state");
        let lanes: Vec<i32> = entity.states.state(newest).collect();
        assert_eq!(lanes.len(), kind.lanes());
    }
}

type Seen = (EntityId, u8, bool, usize, Vec<i32>);

fn fingerprint(replica: &Replica) -> (Option<Tick>, Vec<Seen>) {
    let seen = replica.entities().iter().map(|entity| {
        let states = &entity.states;
        let lanes = states.state(states.len() - 1).collect();
        (entity.id, entity.kind, entity.mine, states.len(), lanes)
    });
    (replica.newest(), seen.collect())
}
