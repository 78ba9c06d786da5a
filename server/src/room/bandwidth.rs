//! How many bytes a member may be sent.
//!
//! Four things limit a snapshot: the largest datagram of the path, the bytes a second that the settings allow, the rate
//! that the path turned out to take, and what the next record needs: a slow path has to take one record at least.

mod allowance;
mod send_rate;

use crate::config::RoomConfig;
pub(super) use allowance::ByteAllowance;
use send_rate::SendRate;

/// Fewest bytes of a part of a keyframe; a smaller rest is left to the snapshots.
pub(super) const PART_BYTES_MIN: usize = 1200;

/// What one member may be sent.
#[derive(Debug)]
pub(super) struct Bandwidth {
    /// Of its path now.
    datagram_bytes_max: usize,
    snapshots: ByteAllowance,
    keyframes: ByteAllowance,
    rate: SendRate,
}

/// How many bytes a snapshot may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SendLimit {
    /// This one.
    pub(super) bytes_max: usize,
    /// This one, if the path took all that the settings allow.
    pub(super) allowed_bytes: usize,
    /// Any on this path.
    pub(super) path_bytes_max: usize,
}

impl Bandwidth {
    pub(super) fn new(config: &RoomConfig) -> Self {
        Bandwidth {
            datagram_bytes_max: config.snapshot_bytes_max,
            snapshots: ByteAllowance::default(),
            keyframes: ByteAllowance::default(),
            rate: SendRate::default(),
        }
    }

    /// What is known of the path's rate is of no use any more.
    pub(super) fn begin_anew(&mut self) {
        self.rate = SendRate::default();
    }

    /// Sets the most bytes of a datagram on the path.
    pub(super) fn set_datagram_bytes_max(&mut self, bytes: usize) {
        self.datagram_bytes_max = bytes;
    }

    /// Takes the age, in ticks, at which the newest snapshot so far was acknowledged.
    pub(super) fn acknowledged(&mut self, flight_ticks: u32) {
        self.rate.acknowledged(flight_ticks);
    }

    /// Whether nothing was acknowledged for long.
    pub(super) fn was_silent(&self, tick_hz: u32) -> bool {
        self.rate.was_silent(tick_hz)
    }

    /// What the next snapshot may take, which holds no record in fewer than `lacks_bytes`.
    pub(super) fn next_snapshot(
        &mut self,
        config: &RoomConfig,
        tick_hz: u32,
        lacks_bytes: usize,
    ) -> SendLimit {
        let path_bytes_max = self.datagram_bytes_max.min(config.snapshot_bytes_max);
        let per_s = config.snapshot_bytes_per_s_max;
        let allowed_bytes = self.snapshots.next(per_s, tick_hz, path_bytes_max);
        let bytes_max = self.rate.limit_with(allowed_bytes, lacks_bytes);
        SendLimit { bytes_max, allowed_bytes, path_bytes_max }
    }

    /// A snapshot of `bytes` was made within `limit`.
    pub(super) fn snapshot_made(&mut self, bytes: usize, limit: SendLimit, tick_hz: u32) {
        self.snapshots.spend(bytes, tick_hz);
        self.rate.sent(bytes, limit.allowed_bytes, tick_hz);
    }

    /// Bytes that a part of a keyframe may have in this tick.
    pub(super) fn next_keyframe(&mut self, config: &RoomConfig, tick_hz: u32) -> usize {
        let per_s = config.keyframe_bytes_per_s_max;
        if per_s == 0 || !self.rate.is_clear(tick_hz) {
            return 0;
        }
        // What is too little for a part is saved.
        let most = ((per_s / tick_hz) as usize).max(PART_BYTES_MIN);
        self.keyframes.next(per_s, tick_hz, most)
    }

    /// A part of a keyframe was made.
    pub(super) fn keyframe_made(&mut self, bytes: usize, tick_hz: u32) {
        self.keyframes.spend(bytes, tick_hz);
    }
}
