//! The events of one tick, coded once for all receivers.

use std::sync::Arc;

use tickwire_shared::bits::{BitWriter, INFALLIBLE};
use tickwire_shared::delta::LaneTable;
use tickwire_shared::quantize::Kinds;
use tickwire_shared::schema::LANES_MAX;
use tickwire_shared::simulation::Audience;
use tickwire_shared::{EntityId, Groups, Outbox, OutboxEvent, Simulation, Tick};

use super::findings::{Fault, Findings};
use super::replication::EventBits;
use super::view_area::{MemberView, known_place};

/// The events of one tick.
#[derive(Debug, Default)]
pub(super) struct TickEvents {
    list: Vec<TickEvent>,
    /// The first events, this many, are reliable.
    reliable: usize,
}

/// An event and its audience.
#[derive(Debug)]
struct TickEvent {
    audience: Audience,
    groups: Option<Groups>,
    event: Arc<EventBits>,
}

impl TickEvents {
    /// Takes the events of `tick` out of the game's `outbox`; `tables` are the field tables of the
    /// event kinds.
    pub(super) fn take<S: Simulation>(
        tick: Tick,
        outbox: &mut Outbox<S>,
        tables: &[LaneTable],
        findings: &mut Findings,
    ) -> Self {
        let mut coded = |told: OutboxEvent<S::Event>| {
            let OutboxEvent { audience, groups, event, after } = told;
            let event = Arc::new(code(tick, &event, after, tables, findings));
            TickEvent { audience, groups, event }
        };
        let mut list: Vec<_> = outbox.drain().map(&mut coded).collect();
        let reliable = list.len();
        list.extend(outbox.drain_unreliable().map(coded));
        TickEvents { list, reliable }
    }

    /// The events for a member with this view; true for the reliable ones.
    pub(super) fn for_member(
        &self,
        view: &MemberView<'_>,
    ) -> impl Iterator<Item = (Arc<EventBits>, bool)> {
        let events = self.list.iter().enumerate();
        let heard = events.filter(move |(_, event)| event.is_for(view));
        heard.map(|(at, event)| (Arc::clone(&event.event), at < self.reliable))
    }
}

impl TickEvent {
    fn is_for(&self, view: &MemberView<'_>) -> bool {
        self.groups.is_none_or(|groups| groups.intersects(view.groups))
            && match self.audience {
                Audience::Room => true,
                Audience::Player(only) => only == view.viewer.id(),
                Audience::Place(place) => view.area.reach(known_place(place), false).is_seen(),
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
