//! Someone in the room.

use std::time::Instant;

use tickwire_shared::control::Member as MemberInfo;
use tickwire_shared::{PlayerId, Viewer};

use super::chat::ChatBucket;
use super::inputs::InputBuffer;
use super::pace::SendRate;
use super::replication::{PART_BYTES_MIN, Replication};
use super::text::NameKey;
use crate::config::RoomConfig;

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
    pub(super) datagram_bytes_max: usize,
    pub(super) allowance: ByteAllowance,
    pub(super) keyframe_allowance: ByteAllowance,
    pub(super) pace: SendRate,
    pub(super) chat: ChatBucket,
}

impl<I: Copy + Default> RoomMember<I> {
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
            datagram_bytes_max: config.snapshot_bytes_max,
            allowance: ByteAllowance::default(),
            keyframe_allowance: ByteAllowance::default(),
            pace: SendRate::default(),
            chat: ChatBucket::new(config, now),
        }
    }

    /// Its copy of the world begins anew in another seat.
    pub(super) fn begin_anew(&mut self, config: &RoomConfig, seat: u8) {
        self.seat = seat;
        self.replication.begin_anew(config, seat);
        self.pace = SendRate::default();
    }

    /// Who sees the game's view.
    pub(super) fn viewer(&self) -> Viewer {
        match self.is_spectator() {
            true => Viewer::Spectator(self.player),
            false => Viewer::Player(self.player),
        }
    }

    pub(super) fn is_spectator(&self) -> bool {
        self.inputs.is_none()
    }

    /// Bytes that a part of its keyframe may have in this tick.
    pub(super) fn keyframe_bytes_max(&mut self, config: &RoomConfig, tick_hz: u32) -> usize {
        let per_s = config.keyframe_bytes_per_s_max;
        if per_s == 0 || !self.pace.is_clear(tick_hz) {
            return 0;
        }
        // What is too little for a part is saved.
        let most = ((per_s / tick_hz) as usize).max(PART_BYTES_MIN);
        self.keyframe_allowance.next(per_s, tick_hz, most)
    }

    pub(super) fn info(&self) -> MemberInfo {
        MemberInfo { player: self.player, name: self.name.clone(), spectator: self.is_spectator() }
    }
}

/// The bytes a member may still be sent of snapshots or keyframes, where a second's are limited.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ByteAllowance {
    /// In bytes times ticks a second, so that nothing is rounded away.
    saved: u64,
}

impl ByteAllowance {
    /// What the next snapshot may take of `bytes_per_s` at most, and of a datagram of `bytes_max`. What is
    /// left of it is saved, up to one such datagram.
    pub(super) fn next(&mut self, bytes_per_s: u32, tick_hz: u32, bytes_max: usize) -> usize {
        if bytes_per_s == 0 {
            return bytes_max;
        }
        let (tick_hz, bytes_max) = (u64::from(tick_hz), bytes_max as u64);
        self.saved = (self.saved + u64::from(bytes_per_s)).min(bytes_max * tick_hz);
        (self.saved / tick_hz).min(bytes_max) as usize
    }

    /// A snapshot of `bytes` was sent. One always has a header, however little was left.
    pub(super) fn spend(&mut self, bytes: usize, tick_hz: u32) {
        self.saved = self.saved.saturating_sub(bytes as u64 * u64::from(tick_hz));
    }
}

#[cfg(test)]
mod tests {
    use super::ByteAllowance;

    #[test]
    fn what_is_spent_in_a_second_is_what_is_allowed() {
        let mut allowance = ByteAllowance::default();
        let spent = (0..600).map(|tick| {
            let most = allowance.next(32_000, 60, 1200);
            // Now and then there is little to send.
            let bytes = if tick % 7 == 0 { most / 2 } else { most };
            allowance.spend(bytes, 60);
            bytes
        });
        let spent = spent.sum::<usize>();
        assert!((313_600..=320_000).contains(&spent), "{spent} bytes in ten seconds");
        assert_eq!(ByteAllowance::default().next(0, 60, 1200), 1200, "no limit");
    }
}
