//! A member of a room.

use std::time::Instant;

use tickwire_shared::control::Member as MemberInfo;
use tickwire_shared::{PlayerId, Viewer};

use super::bandwidth::Bandwidth;
use super::chat;
use super::findings::{Fault, Findings};
use super::inputs::InputBuffer;
use super::profile::SeatAccount;
use super::replication::{Replication, SnapshotContext};
use super::text::NameKey;
use super::tick_events::TickEvents;
use super::view_area::MemberView;
use crate::config::RoomConfig;
use crate::token_bucket::TokenBucket;

/// A player or a spectator.
#[derive(Debug)]
pub(super) struct RoomMember<I> {
    pub(super) player: PlayerId,
    pub(super) name: String,
    pub(super) name_key: NameKey,
    pub(super) seat: u8,
    /// `None` for a spectator.
    pub(super) inputs: Option<InputBuffer<I>>,
    pub(super) replication: Replication,
    pub(super) bandwidth: Bandwidth,
    /// Messages that it may still send.
    pub(super) chat: TokenBucket,
    /// Its account; `None` for a guest and a spectator.
    pub(super) account: Option<SeatAccount>,
    /// Its connection was lost; nothing is sent to it.
    pub(super) is_away: bool,
    /// The server was started again since it was here, and it is not back yet.
    pub(super) is_restored: bool,
}

impl<I: Copy + Default + PartialEq> RoomMember<I> {
    pub(super) fn new(
        config: &RoomConfig,
        now: Instant,
        (player, name, name_key): (PlayerId, String, NameKey),
        seat: u8,
        spectator: bool,
    ) -> Self {
        RoomMember {
            player,
            name,
            name_key,
            seat,
            inputs: (!spectator).then(|| InputBuffer::new(config.input_window_ticks)),
            replication: Replication::new(config, player, seat),
            bandwidth: Bandwidth::new(config),
            chat: chat::bucket(config, now),
            account: None,
            is_away: false,
            is_restored: false,
        }
    }

    /// Empties its copy of the world and gives it another seat.
    pub(super) fn begin_anew(&mut self, config: &RoomConfig, seat: u8) {
        self.seat = seat;
        self.replication.begin_anew(config, seat);
        self.bandwidth.begin_anew();
    }

    /// The viewer whose view the game is asked for.
    pub(super) fn viewer(&self) -> Viewer {
        match self.is_spectator() {
            true => Viewer::Spectator(self.player),
            false => Viewer::Player(self.player),
        }
    }

    pub(super) fn is_spectator(&self) -> bool {
        self.inputs.is_none()
    }

    /// Queues a tick's events that are for this member. Returns how many waiting ones were dropped
    /// for it.
    pub(super) fn hear(
        &mut self,
        events: &TickEvents,
        view: &MemberView<'_>,
        findings: &mut Findings,
    ) -> u64 {
        let mut dropped = 0;
        let queue = self.replication.events();
        for (event, is_reliable) in events.for_member(view) {
            if !is_reliable {
                queue.tell_once(event);
            } else if let Some(old) = queue.tell(event) {
                dropped += 1;
                findings.note(Fault::EventDropped { kind: old.kind }, self.player.0);
            }
        }
        dropped
    }

    /// Appends its snapshot to `out`.
    pub(super) fn write_snapshot(
        &mut self,
        context: &mut SnapshotContext<'_>,
        view: &MemberView<'_>,
        (config, tick_hz): (&RoomConfig, u32),
        out: &mut Vec<u8>,
    ) {
        let tick = context.world.tick();
        let report = self.inputs.as_mut().and_then(|inputs| inputs.report(tick));
        let lacks_bytes = self.replication.lacks_bytes();
        let limit = self.bandwidth.next_snapshot(config, tick_hz, lacks_bytes);
        let before = out.len();
        self.replication.write(context, view, report, limit, out);
        self.bandwidth.snapshot_made(out.len() - before, limit, tick_hz);
    }

    /// A part of its keyframe in at most `bytes_max` bytes; `None` without any to send.
    pub(super) fn write_keyframe(
        &mut self,
        context: &mut SnapshotContext<'_>,
        (config, tick_hz): (&RoomConfig, u32),
        bytes_max: usize,
    ) -> Option<Vec<u8>> {
        let bytes_max = self.bandwidth.next_keyframe(config, tick_hz).min(bytes_max);
        let part = self.replication.write_keyframe(context, bytes_max)?;
        self.bandwidth.keyframe_made(part.len(), tick_hz);
        Some(part)
    }

    pub(super) fn info(&self) -> MemberInfo {
        MemberInfo {
            player: self.player,
            name: self.name.clone(),
            spectator: self.is_spectator(),
            bot: false,
        }
    }
}
