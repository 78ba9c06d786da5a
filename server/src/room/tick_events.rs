//! What happened in one tick, coded once for everyone who is told.

use std::sync::Arc;

use tickwire_shared::bits::{BitWriter, INFALLIBLE};
use tickwire_shared::delta::LaneTable;
use tickwire_shared::quantize::Kinds;
use tickwire_shared::schema::LANES_MAX;
use tickwire_shared::simulation::Audience;
use tickwire_shared::{EntityId, Outbox, OutboxEvent, PlayerId, Simulation, Tick};

use super::findings::{Fault, Findings};
use super::replication::EventBits;
use super::view_area::{ViewArea, known_place};

/// The events of one tick.
#[derive(Debug, Default)]
pub(super) struct TickEvents {
    list: Vec<(Audience, Arc<EventBits>)>,
    /// How many of them, the first, are sent until they are acknowledged.
    reliable: usize,
}

impl TickEvents {
    /// Takes the events of `tick` out of the game's `outbox`; `tables` are those of the kinds of event.
    pub(super) fn take<S: Simulation>(
        tick: Tick,
        outbox: &mut Outbox<S>,
        tables: &[LaneTable],
        findings: &mut Findings,
    ) -> Self {
        let mut list: Vec<_> = outbox
            .drain()
            .map(|OutboxEvent { audience, event, after }| {
                (audience, Arc::new(code(tick, &event, after, tables, findings)))
            })
            .collect();
        let reliable = list.len();
        list.extend(outbox.drain_unreliable().map(|(audience, event)| {
            (audience, Arc::new(code(tick, &event, None, tables, findings)))
        }));
        TickEvents { list, reliable }
    }

    /// Those that a member with this view is told, and whether until it acknowledges them.
    pub(super) fn for_member(
        &self,
        player: PlayerId,
        view_area: &ViewArea,
    ) -> impl Iterator<Item = (Arc<EventBits>, bool)> {
        let events = self.list.iter().enumerate();
        let heard = events.filter(move |(_, (audience, _))| hears(*audience, player, view_area));
        heard.map(|(at, (_, event))| (Arc::clone(event), at < self.reliable))
    }
}

fn hears(audience: Audience, player: PlayerId, view_area: &ViewArea) -> bool {
    match audience {
        Audience::Room => true,
        Audience::Player(only) => only == player,
        Audience::Place(place) => {
            view_area.reaches(view_area.distance_squared(known_place(place)), false)
        }
    }
}

fn code<E: Kinds>(
    tick: Tick,
    event: &E,
    after: Option<EntityId>,
    tables: &[LaneTable],
    findings: &mut Findings,
) -> EventBits {
    let mut lanes = [0; LANES_MAX];
    let kind = event.kind();
    let table = &tables[usize::from(kind)];
    for field in event.to_lanes(&mut lanes).fields() {
        findings.note(Fault::EventField { kind, field: field as u8 }, tick.0);
    }
    let mut writer = BitWriter::default();
    table.whole(&mut writer, &mut lanes[..table.len()], true).expect(INFALLIBLE);
    let bits = writer.len_bits();
    writer.align();
    EventBits { tick, kind, after, words: writer.words().to_vec(), bits }
}
