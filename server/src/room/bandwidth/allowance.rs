//! An allowance of bytes per second, saved for a while.

/// Bytes of snapshots or keyframes that a member may still be sent within a limit per second.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::room) struct ByteAllowance {
    /// In bytes times ticks a second, so that nothing is rounded away.
    saved: u64,
}

impl ByteAllowance {
    /// The bytes that may be sent next, of at most `bytes_per_s` and in a datagram of `bytes_max`.
    /// The rest is saved, up to one such datagram.
    pub(in crate::room) fn next(
        &mut self,
        bytes_per_s: u32,
        tick_hz: u32,
        bytes_max: usize,
    ) -> usize {
        if bytes_per_s == 0 {
            return bytes_max;
        }
        let (tick_hz, bytes_max) = (u64::from(tick_hz), bytes_max as u64);
        self.saved = (self.saved + u64::from(bytes_per_s)).min(bytes_max * tick_hz);
        (self.saved / tick_hz).min(bytes_max) as usize
    }

    /// Counts sent bytes. A snapshot always has a header, even with nothing left.
    pub(in crate::room) fn spend(&mut self, bytes: usize, tick_hz: u32) {
        self.saved = self.saved.saturating_sub(bytes as u64 * u64::from(tick_hz));
    }
}

#[cfg(test)]
mod tests {
    use super::ByteAllowance;

    #[test]
    fn a_second_spends_its_allowance() {
        let mut allowance = ByteAllowance::default();
        let spent = (0..600).map(|tick| {
            let most = allowance.next(32_000, 60, 1200);
            // Some snapshots are small.
            let bytes = if tick % 7 == 0 { most / 2 } else { most };
            allowance.spend(bytes, 60);
            bytes
        });
        let spent = spent.sum::<usize>();
        assert!((313_600..=320_000).contains(&spent), "{spent} bytes in ten seconds");
        assert_eq!(ByteAllowance::default().next(0, 60, 1200), 1200, "no limit");
    }
}
