//! One client's snapshots of entities that stand still.

use std::sync::Arc;

use proptest::prelude::*;
use tickwire_shared::quantize::Kinds;
use tickwire_shared::schema::{KindSchema, Schema};
use tickwire_shared::{Capture, EntityId, Replicate, View, Viewer};

use super::delta_cache::CachedDelta;
use super::priority::{FRESH_PRIORITY_TICKS, Priority, WaitingFor};
use super::records::{Record, RecordBaseline, gapped_bits};
use super::*;
use crate::room::bandwidth::ByteAllowance;
use crate::room::findings::Findings;
use crate::room::view_area::ViewArea;

#[derive(Clone, Copy, Replicate)]
struct Wide {
    a: u32,
    b: u32,
    c: u32,
    d: u32,
}

#[derive(Clone, Copy, Replicate)]
struct Small {
    a: u8,
}

#[derive(Clone, Copy, Replicate)]
enum Thing {
    Wide(Wide),
    Small(Small),
}

const WIDE: Thing = Thing::Wide(Wide { a: u32::MAX, b: u32::MAX, c: u32::MAX, d: u32::MAX });
const SMALL: Thing = Thing::Small(Small { a: u8::MAX });
const SIGHT: View = View::everything();

fn member_view(area: &ViewArea) -> MemberView<'_> {
    let viewer = Viewer::Player(PlayerId(1));
    MemberView { viewer, area, groups: SIGHT.groups(), can_see: &|_| false }
}

/// A room of entities that stand still, and a client that sees them all.
struct Table {
    world: World,
    delta_cache: DeltaCache,
    scratch: SnapshotScratch,
    client: Replication,
    things: Vec<Thing>,
    /// True if the client owns the first one.
    is_first_mine: bool,
}

impl Table {
    fn new(things: Vec<Thing>) -> Self {
        let (game, entities) = ("things".into(), Thing::schemas());
        let input = KindSchema { name: "Nothing".into(), fields: vec![] };
        let schema = Schema {
            game,
            tick_hz: 60,
            input,
            entities,
            events: vec![],
            commands: vec![],
            model: vec![],
        };
        Table {
            world: World::new(&schema, 100),
            delta_cache: DeltaCache::new(),
            scratch: SnapshotScratch::default(),
            client: Replication::new(&RoomConfig::default(), PlayerId(1), 1),
            things,
            is_first_mine: false,
        }
    }

    fn step(&mut self) {
        self.step_by(1);
    }

    /// Steps several ticks at once; only entities that stood still for as long as states are kept
    /// may be captured so.
    fn step_by(&mut self, ticks: i32) {
        let mut capture = Capture::default();
        for (id, thing) in (0..).zip(&self.things) {
            let shown = capture.show(EntityId(id), *thing);
            if self.is_first_mine && id == 0 {
                shown.owned_by(PlayerId(1));
            }
        }
        let tick = self.world.tick().offset(ticks);
        self.world.capture(tick, &mut capture, &mut Findings::default(), None);
        self.delta_cache.begin(&self.world);
    }

    /// Writes the client's snapshot. Returns its bytes and the number of its entities.
    fn write(&mut self, bytes_max: usize, bytes_most: usize) -> (usize, usize) {
        let Table { world, delta_cache, scratch, client, .. } = self;
        let mut context = SnapshotContext { world, delta_cache, scratch };
        let mut out = Vec::new();
        let (allowed_bytes, path_bytes_max) = (bytes_max, bytes_most);
        let limit = SendLimit { bytes_max, allowed_bytes, path_bytes_max };
        let area = ViewArea::new(SIGHT, 50);
        let view = member_view(&area);
        client.write(&mut context, &view, None, limit, &mut out);
        (out.len(), scratch.records.coded.len() + scratch.records.others.len())
    }

    /// Acknowledges the last snapshot.
    fn acknowledge(&mut self) {
        let tick = self.world.tick();
        let ack = SnapshotAck { newest_low16: tick.low16(), before: 0 };
        self.client.acknowledge(tick, ack);
    }

    fn priority(&self, slot: u16) -> Priority {
        let Replication { interest, sent_snapshots, .. } = &self.client;
        let waiting = WaitingFor { world: &self.world, interest, sent_snapshots };
        waiting.priority(slot, sent_snapshots.sent(slot), false)
    }
}

#[test]
fn the_longer_something_waits_the_more_it_matters() {
    for matters in [1, 4, 255] {
        let waited = [0, 1, 64, 128, 129, 16_384, 32_768, 40_000, 8_000_000];
        let priorities = waited.map(|ticks| Priority::of(ticks, matters, true));
        assert!(priorities.is_sorted_by(|a, b| a < b), "{priorities:?}");
    }
    assert!(Priority::of(u32::MAX, 255, true) < Priority::FIRST_OF_ALL);
}

#[test]
fn an_old_entity_waits_only_since_it_came_into_view() {
    let mut table = Table::new(vec![SMALL; 2]);
    table.step();
    table.write(1200, 1200);
    table.acknowledge();
    (0..1000).for_each(|_| table.step());
    table.things.push(SMALL);
    (0..1000).for_each(|_| table.step());
    // Without snapshots in between, the client sees the third entity only now, at its look around.
    (0..2).for_each(|_| table.step());
    let Table { world, scratch, client, .. } = &mut table;
    let area = ViewArea::new(SIGHT, 50);
    let view = member_view(&area);
    client.interest.update(world, &view, &mut scratch.interest);
    assert_eq!(table.priority(2), Priority(FRESH_PRIORITY_TICKS));
    assert_eq!(table.priority(0), Priority(2002));
}

#[test]
fn a_record_beyond_any_datagram_holds_no_other_back() {
    let mut things = vec![WIDE; 3];
    things.extend([SMALL; 3]);
    let mut table = Table::new(things);
    table.step();
    assert_eq!(table.write(20, 20).1, 3, "the small ones");
    table.step();
    assert_eq!(table.client.lacks_bytes(), 0);
}

#[test]
fn a_record_that_needs_a_larger_datagram_reports_its_size() {
    let mut table = Table::new(vec![WIDE; 3]);
    table.step();
    assert_eq!(table.write(20, 1200).1, 0);
    let lacks = table.client.lacks_bytes();
    assert!((21..60).contains(&lacks), "{lacks} bytes");
    table.step();
    let (bytes, things) = table.write(lacks, 1200);
    assert!(bytes <= lacks);
    assert_eq!(things, 1);
}

#[test]
fn an_entity_still_for_half_an_age_is_sent_whole() {
    let against = |ticks: i32| {
        let mut table = Table::new(vec![SMALL; 2]);
        for _ in 0..100 {
            table.step();
            table.write(1200, 1200);
            table.acknowledge();
        }
        table.step_by(ticks);
        table.things[0] = Thing::Small(Small { a: 0 });
        table.step();
        let Table { world, delta_cache, scratch, client, .. } = &mut table;
        let mut context = SnapshotContext { world, delta_cache, scratch };
        let known = client.sent_snapshots.known_state(context.world, 0);
        context.record((0, false), known, Priority::NONE).against
    };
    // The client has the state of the first tick.
    assert_eq!(against(64), RecordBaseline::Age(164));
    assert_eq!(against(1 << 30), RecordBaseline::Nothing { is_mine: false });
}

/// An event of `bits` bits.
fn event(tick: Tick, bits: usize) -> Arc<EventBits> {
    let words = vec![0; bits.div_ceil(64)];
    Arc::new(EventBits { tick, kind: 0, after: None, words, bits })
}

#[test]
fn events_leave_a_record_its_turn_in_small_snapshots() {
    let mut table = Table::new(vec![WIDE]);
    let (mut held, mut told) = (Vec::new(), 0);
    for _ in 0..12 {
        table.step();
        table.client.events().tell(event(table.world.tick(), 150));
        table.things[0] = Thing::Wide(Wide { a: table.world.tick().0, b: 1, c: 2, d: 3 });
        let first = table.client.events.first();
        // One of them fits in it, not both.
        held.push(table.write(40, 1200).1);
        table.acknowledge();
        told += table.client.events.first() - first;
    }
    assert!(held[..4].contains(&1), "it is not known: {held:?}");
    assert!(held[4..].contains(&1), "its change is not known: {held:?}");
    assert!(told >= 4, "{told} events of 12");
}

#[test]
fn many_events_leave_records_their_part_of_each_snapshot() {
    let mut table = Table::new(vec![WIDE]);
    let mut held = Vec::new();
    for _ in 0..12 {
        table.step();
        let tick = table.world.tick();
        // More than the whole snapshot holds.
        for _ in 0..40 {
            table.client.events().tell(event(tick, 20));
        }
        table.things[0] = Thing::Wide(Wide { a: tick.0, b: 1, c: 2, d: 3 });
        held.push(table.write(100, 1200).1);
        table.acknowledge();
    }
    assert_eq!(held, [1; 12], "records in each snapshot");
}

#[test]
fn a_record_blocked_by_the_client_s_own_goes_before_them() {
    let mut table = Table::new(vec![SMALL, WIDE]);
    table.is_first_mine = true;
    let mut held = Vec::new();
    for tick in 0..24u8 {
        table.things[0] = Thing::Small(Small { a: tick.wrapping_mul(91) });
        table.step();
        table.write(25, 1200);
        let slots = table
            .scratch
            .records
            .coded
            .iter()
            .chain(&table.scratch.records.others)
            .map(|record| record.slot);
        held.push(slots.collect::<Vec<u16>>());
        table.acknowledge();
    }
    assert!(!held.iter().any(|slots| slots.len() > 1), "both fit: {held:?}");
    assert!(held.contains(&vec![1]), "it never came: {held:?}");
    let own = held.iter().filter(|slots| **slots == [0]).count();
    assert!(own >= 20, "its own came {own} times of 24");
}

#[test]
fn a_large_record_is_saved_for_though_the_client_s_own_take_all_there_is() {
    let mut starved = Vec::new();
    // 8 bytes a tick and more; the header takes five.
    for bytes_per_s in (480..=3000).step_by(120) {
        let mut table = Table::new(vec![WIDE, WIDE]);
        table.is_first_mine = true;
        let (mut allowance, mut came) = (ByteAllowance::default(), 0);
        for tick in 0..600u32 {
            table.things[0] =
                Thing::Wide(Wide { a: tick.wrapping_mul(2_654_435_761), b: tick, c: 0, d: 0 });
            table.things[1] = Thing::Wide(Wide { a: tick, b: tick * tick, c: tick << 7, d: !tick });
            table.step();
            let bytes_max = allowance.next(bytes_per_s, 60, 1200);
            let bytes = table.write(bytes_max, 1200).0;
            allowance.spend(bytes, 60);
            let records = &table.scratch.records;
            let sent = records.coded.iter().chain(&records.others);
            came += sent.filter(|record| record.slot == 1).count();
            table.acknowledge();
        }
        if came == 0 {
            starved.push(bytes_per_s);
        }
    }
    assert_eq!(starved, [0; 0], "bytes a second of which it gets none");
}

#[test]
fn an_entity_from_a_keyframe_is_not_sent_whole_again() {
    let mut table = Table::new(vec![WIDE]);
    table.step();
    // The snapshot and a part of the same tick, and both arrived.
    let nothing = table.write(0, 0);
    assert_eq!(nothing.1, 0);
    table.acknowledge();
    table.client.sent_snapshots.bring(0, table.world.tick());
    table.things[0] = Thing::Wide(Wide { a: 0, b: 0, c: 0, d: 0 });
    table.step();
    table.write(1200, 1200);
    let [record] = &table.scratch.records.others[..] else {
        panic!("{:?}", table.scratch.records.others)
    };
    assert_eq!(record.against, RecordBaseline::Age(1));
}

/// The number of the first `records` that fit, tried one by one.
fn fitting_one_by_one(records: &Records, ranks: &[RecordRank], bits_max: usize) -> usize {
    let fits = |kept: usize| {
        let kept = records.others.iter().filter(|record| record.rank() <= ranks[kept - 1]);
        gapped_bits(kept) <= bits_max
    };
    (1..=ranks.len()).take_while(|&kept| fits(kept)).count()
}

proptest! {
    #[test]
    fn the_records_that_fit_are_found_for_any_sizes(
        records in prop::collection::vec((1u16..50, 2u8.., 0u32..9), 1..60), bits_max in 0usize..3000,
    ) {
        let mut all = Records::default();
        let mut slot = 0;
        for (gap, head_bits, waited) in records {
            slot += gap;
            let (coded, against) = (CachedDelta::EMPTY, RecordBaseline::Nothing { is_mine: false });
            all.others.push(Record { coded, against, slot, priority: Priority(waited), head_bits });
        }
        let mut ranks: Vec<RecordRank> = all.others.iter().map(Record::rank).collect();
        ranks.sort_unstable();
        let found = fit::fitting(&all, &ranks, bits_max);
        prop_assert_eq!(found, fitting_one_by_one(&all, &ranks, bits_max));
    }
}
