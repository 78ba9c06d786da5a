//! Puts received segments in order.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use super::Acknowledgement;

/// RFC 5681, section 4.2: at least every second segment is acknowledged.
const SEGMENTS_MAX: u32 = 2;
/// Linux `TCP_DELACK_MIN`.
const DELAY_MAX: Duration = Duration::from_millis(40);

/// The receiving half of an end.
#[derive(Debug, Default)]
pub(super) struct Receiver {
    next: u64,
    /// Bytes in order that are unread.
    ready: Vec<u8>,
    /// Segments that arrived early, by their first byte.
    early: BTreeMap<u64, Vec<u8>>,
    /// Segments since the last acknowledgement.
    unacknowledged: u32,
    must_acknowledge: bool,
    acknowledge_at: Option<Duration>,
}

impl Receiver {
    /// Takes a segment's bytes; an empty segment is ignored.
    pub(super) fn handle(&mut self, now: Duration, sequence: u64, bytes: Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        let had_gap = !self.early.is_empty();
        let is_next = sequence == self.next;
        // Segments are resent unchanged, so the first byte identifies one that has arrived.
        if sequence >= self.next {
            self.early.entry(sequence).or_insert(bytes);
        }
        while let Some(bytes) = self.early.remove(&self.next) {
            self.next += bytes.len() as u64;
            self.ready.extend_from_slice(&bytes);
        }
        self.unacknowledged += 1;
        self.must_acknowledge |= !is_next || had_gap || self.unacknowledged >= SEGMENTS_MAX;
        self.acknowledge_at.get_or_insert(now + DELAY_MAX);
    }

    pub(super) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.ready)
    }

    #[cfg(test)]
    pub(super) fn ready(&self) -> usize {
        self.ready.len()
    }

    pub(super) fn timeout(&self) -> Option<Duration> {
        self.acknowledge_at
    }

    pub(super) fn handle_timeout(&mut self, now: Duration) {
        if self.acknowledge_at.is_some_and(|at| at <= now) {
            self.must_acknowledge = true;
        }
    }

    pub(super) fn must_acknowledge(&self) -> bool {
        self.must_acknowledge
    }

    /// The acknowledgement for a segment sent now.
    pub(super) fn acknowledge(&mut self) -> Acknowledgement {
        self.unacknowledged = 0;
        self.must_acknowledge = false;
        self.acknowledge_at = None;
        let mut early: Vec<Range<u64>> = Vec::new();
        for (&begin, bytes) in &self.early {
            let end = begin + bytes.len() as u64;
            match early.last_mut() {
                Some(last) if last.end == begin => last.end = end,
                _ => early.push(begin..end),
            }
        }
        Acknowledgement { next: self.next, early }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_read_in_order_once_whatever_order_they_come_in() {
        let mut receiver = Receiver::default();
        for (sequence, bytes) in [(4, "ef"), (2, "cd"), (4, "ef"), (8, "ij"), (0, "ab"), (2, "cd")]
        {
            receiver.handle(Duration::ZERO, sequence, bytes.as_bytes().to_vec());
        }
        assert_eq!(receiver.ready(), 6);
        assert_eq!(receiver.take(), b"abcdef");
        assert_eq!(receiver.take(), b"");
        let early = std::iter::once(8..10).collect();
        assert_eq!(receiver.acknowledge(), Acknowledgement { next: 6, early });
    }

    #[test]
    fn one_segment_may_wait_to_be_acknowledged_and_a_gap_may_not() {
        let mut receiver = Receiver::default();
        receiver.handle(Duration::ZERO, 0, b"ab".to_vec());
        assert!(!receiver.must_acknowledge());
        receiver.handle_timeout(DELAY_MAX);
        assert!(receiver.must_acknowledge());
        receiver.acknowledge();
        receiver.handle(DELAY_MAX, 2, b"cd".to_vec());
        receiver.handle(DELAY_MAX, 4, b"ef".to_vec());
        assert!(receiver.must_acknowledge());
        receiver.acknowledge();
        receiver.handle(DELAY_MAX, 8, b"ij".to_vec());
        assert!(receiver.must_acknowledge());
        receiver.acknowledge();
        receiver.handle(DELAY_MAX, 6, b"gh".to_vec());
        assert!(receiver.must_acknowledge());
    }
}
