//! Snapshot datagrams one after the other, as a client applies them.
//!
//! Each begins with its length and how many ticks after the last it is; 0 leaves its bytes as they
//! are, anything else puts a right beginning before them.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use tickwire_fuzz::{Game, bounded};
use tickwire_shared::bits::BitWriter;
use tickwire_shared::replica::Replica;
use tickwire_shared::schema::Schema;
use tickwire_shared::simulation::schema_of;
use tickwire_shared::snapshot::DATAGRAM_SNAPSHOT;
use tickwire_shared::{EntityId, Tick};

/// A record of a few bits moves an entity whose lanes and history take some hundred bytes.
const SNAPSHOT_MULTIPLE: usize = 1024;
/// The places by slot, and their copy while they grow: 65,536 of four bytes each.
const PLACES_BYTES: usize = 3 * 65_536 * 4;

const SEAT: u8 = 7;

static SCHEMA: LazyLock<Schema> = LazyLock::new(schema_of::<Game>);

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
    let memory = PLACES_BYTES / SNAPSHOT_MULTIPLE + bytes.len();
    match bounded(memory, SNAPSHOT_MULTIPLE, || replica.apply(bytes, near)) {
        Ok(applied) => {
            assert_eq!(replica.newest(), Some(applied.tick));
            assert!(replica.ack().is_some());
            check(replica);
        }
        Err(_) => assert_eq!(fingerprint(replica), before, "a refused snapshot changes nothing"),
    }
}

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
