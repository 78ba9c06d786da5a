//! Limits of the bytes sent to a member.
//!
//! A snapshot has four limits: the largest datagram of the path, the settings' bytes per second,
//! the rate that the path was found to take, and the size of the next record: even a slow path has
//! to take one record.

mod allowance;
mod send_rate;

use crate::config::RoomConfig;
pub(super) use allowance::ByteAllowance;
use send_rate::SendRate;

/// Fewest bytes of a part of a keyframe; a smaller rest is left to the snapshots.
pub(super) const PART_BYTES_MIN: usize = 1200;

/// The limits of one member.
#[derive(Debug)]
pub(super) struct Bandwidth {
    /// Most bytes of a datagram on its path now.
    datagram_bytes_max: usize,
    snapshots: ByteAllowance,
    keyframes: ByteAllowance,
    rate: SendRate,
}

/// The bytes that a snapshot may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SendLimit {
    /// For this snapshot.
    pub(super) bytes_max: usize,
    /// For this snapshot, on a path that takes all that the settings allow.
    pub(super) allowed_bytes: usize,
    /// For any snapshot on this path.
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

    /// Forgets the measured rate of the path.
    pub(super) fn begin_anew(&mut self) {
        self.rate = SendRate::default();
    }

    /// Sets the most bytes of a datagram on the path.
    pub(super) fn set_datagram_bytes_max(&mut self, bytes: usize) {
        self.datagram_bytes_max = bytes;
    }

    /// Takes the age, in ticks, of the newest acknowledged snapshot.
    pub(super) fn acknowledged(&mut self, flight_ticks: u32) {
        self.rate.acknowledged(flight_ticks);
    }

    /// True after a long time without an acknowledgement.
    pub(super) fn was_silent(&self, tick_hz: u32) -> bool {
        self.rate.was_silent(tick_hz)
    }

    /// The limit of the next snapshot, which can hold a record only from `lacks_bytes` on.
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

    /// Counts a snapshot of `bytes` that was made within `limit`.
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
        // A share too small for a part is saved.
        let most = ((per_s / tick_hz) as usize).max(PART_BYTES_MIN);
        self.keyframes.next(per_s, tick_hz, most)
    }

    /// Counts a part of a keyframe.
    pub(super) fn keyframe_made(&mut self, bytes: usize, tick_hz: u32) {
        self.keyframes.spend(bytes, tick_hz);
    }
}
