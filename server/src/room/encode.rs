//! The second half of a tick: each member's snapshot.

use tickwire_shared::Simulation;
use tickwire_shared::control::ServerFrame;

use super::Room;
use super::findings::Fault;
use super::message::FromRoom;
use super::replication::SnapshotContext;
use super::tick_events::TickEvents;
use super::view_area::{MemberView, ViewArea};

impl<S: Simulation> Room<S> {
    /// The second half of [`Room::step`]: each member's snapshot, and parts of keyframes.
    pub fn encode(&mut self) {
        self.sent_snapshots.clear();
        self.spans.clear();
        self.delta_cache.begin(&self.world);
        let tables = &self.event_tables;
        let events = TickEvents::take(self.tick, &mut self.outbox, tables, &mut self.findings);
        let settings = (&self.config, S::TICK_HZ);
        let mut keyframe_bytes = self.config.keyframe_bytes_per_tick_max as usize;
        let mut context = SnapshotContext {
            world: &self.world,
            delta_cache: &mut self.delta_cache,
            scratch: &mut self.scratch,
        };
        for member in self.members.values_mut() {
            let viewer = member.viewer();
            let view = self.simulation.view(viewer);
            if view.is_faulty() {
                self.findings.note(Fault::View, member.player.0);
            }
            let view = MemberView {
                viewer,
                area: &ViewArea::new(view, self.config.far_from_percent),
                groups: view.groups(),
                can_see: &|entity| self.simulation.can_see(viewer, entity),
            };
            self.events_dropped += member.hear(&events, &view, &mut self.findings);
            let start = self.sent_snapshots.len();
            member.write_snapshot(&mut context, &view, settings, &mut self.sent_snapshots);
            if member.is_away {
                // Nobody receives it: the records are those of a path that loses everything.
                self.sent_snapshots.truncate(start);
                continue;
            }
            self.spans.push((member.player, start..self.sent_snapshots.len()));
            if let Some(part) = member.write_keyframe(&mut context, settings, keyframe_bytes) {
                keyframe_bytes = keyframe_bytes.saturating_sub(part.len());
                let frame = ServerFrame::Keyframe(part);
                self.outgoing.push_back(FromRoom::Control { player: member.player, frame });
            }
        }
    }
}
