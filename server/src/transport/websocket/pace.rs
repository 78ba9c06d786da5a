//! When a snapshot may follow the others: pings tell how far the peer is.
//!
//! What was written is in the hands of two systems and all between them, which may hold seconds of
//! it. An answered ping says that everything before it has arrived and was taken.

use std::time::{Duration, Instant};

/// Pings in the time that may be unconfirmed, at most.
const PINGS_IN_TIME: u32 = 4;

/// When a snapshot may follow the others over a WebSocket. It knows no socket and no clock: what is written
/// to the peer is told to it, and what it asks for is to be written.
///
/// These are the pings of one connection; only one at a time is on its way.
#[derive(Debug)]
pub struct Pace {
    /// The number of the last ping.
    number: u64,
    /// When it was sent.
    sent_at: Instant,
    /// It was not answered.
    waiting: bool,
    unconfirmed_time: Duration,
}

impl Pace {
    /// A peer that has confirmed everything. More than `unconfirmed_time` of datagrams do not go out
    /// before it has confirmed some.
    pub fn new(unconfirmed_time: Duration, now: Instant) -> Self {
        Pace { number: 0, sent_at: now, waiting: false, unconfirmed_time }
    }

    /// Takes the answer to a ping; one to none, or to an older one, says nothing.
    pub fn pong(&mut self, payload: &[u8]) {
        self.waiting &= payload != self.number.to_be_bytes();
    }

    /// Whether a datagram may go out.
    pub fn allows(&self, now: Instant) -> bool {
        !self.waiting || now.saturating_duration_since(self.sent_at) < self.unconfirmed_time
    }

    /// The payload of the ping that is to follow a datagram, if one is due.
    pub fn ping_behind_datagram(&mut self, now: Instant) -> Option<[u8; 8]> {
        self.ping_after(self.unconfirmed_time / PINGS_IN_TIME, now)
    }

    /// The payload of a ping after `idle`, if one is due.
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
