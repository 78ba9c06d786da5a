//! The pace of snapshots over a WebSocket: pings show how far the peer has got.
//!
//! Written data passes through two systems and the path between them, which may hold seconds of it.
//! An answered ping confirms that everything before it has arrived and was read.

use std::time::{Duration, Instant};

/// Most pings within the time that may be unconfirmed.
const PINGS_IN_TIME: u32 = 4;

/// Decides when the next snapshot may be written to a WebSocket. It has no socket and no clock: the
/// caller reports what it writes, and writes the pings asked for.
///
/// It counts one connection's pings, of which only one at a time is on its way.
#[derive(Debug)]
pub struct Pace {
    /// The number of the last ping.
    number: u64,
    /// The time it was sent.
    sent_at: Instant,
    /// It is not answered yet.
    waiting: bool,
    unconfirmed_time: Duration,
}

impl Pace {
    /// A peer that has confirmed everything. At most `unconfirmed_time` of datagrams go out before
    /// it must confirm some.
    pub fn new(unconfirmed_time: Duration, now: Instant) -> Self {
        Pace { number: 0, sent_at: now, waiting: false, unconfirmed_time }
    }

    /// Takes a pong. An answer to no ping, or to an older one, is ignored.
    pub fn pong(&mut self, payload: &[u8]) {
        self.waiting &= payload != self.number.to_be_bytes();
    }

    /// True if a datagram may be sent.
    pub fn allows(&self, now: Instant) -> bool {
        !self.waiting || now.saturating_duration_since(self.sent_at) < self.unconfirmed_time
    }

    /// The payload of a ping to send after a datagram, if one is due.
    pub fn ping_behind_datagram(&mut self, now: Instant) -> Option<[u8; 8]> {
        self.ping_after(self.unconfirmed_time / PINGS_IN_TIME, now)
    }

    /// The payload of a ping after `idle` without one, if one is due.
    pub fn ping_after(&mut self, idle: Duration, now: Instant) -> Option<[u8; 8]> {
        if self.waiting || now.saturating_duration_since(self.sent_at) < idle {
            return None;
        }
        self.number += 1;
        (self.sent_at, self.waiting) = (now, true);
        Some(self.number.to_be_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: Duration = Duration::from_millis(400);

    #[test]
    fn a_peer_that_answers_is_never_held() {
        let start = Instant::now();
        let mut pace = Pace::new(TIME, start);
        let mut pings = 0;
        for tick in 0..600 {
            let now = start + Duration::from_millis(tick * 10);
            assert!(pace.allows(now));
            if let Some(payload) = pace.ping_behind_datagram(now) {
                pings += 1;
                pace.pong(&payload);
            }
        }
        assert_eq!(pings, 59);
    }

    #[test]
    fn a_peer_that_does_not_answer_is_held_until_it_does() {
        let start = Instant::now();
        let mut pace = Pace::new(TIME, start);
        let asked = start + TIME;
        let payload = pace.ping_behind_datagram(asked).unwrap();
        assert!(pace.allows(asked + TIME / 2));
        let late = asked + TIME;
        assert!(!pace.allows(late));
        assert_eq!(pace.ping_behind_datagram(late), None);
        for other in [&[][..], &[0; 8], &[0xff; 8], &payload[..7]] {
            pace.pong(other);
            assert!(!pace.allows(late), "{other:?}");
        }
        pace.pong(&payload);
        assert!(pace.allows(late));
    }
}
