//! The queue of handshake packets, so that newcomers take no time from players.
//!
//! ```text
//!  packet -- long header, or its connection is in its handshake --> queue --(budget)--> endpoint
//!         -- any other -----------------------------------------------------------------> endpoint
//! ```
//!
//! A handshake costs this thread a hundred times as much as a datagram, and the peer little. So all
//! handshake packets together get a share of the thread's time, and only a moment in each turn of
//! its loop, after the snapshots. The sites that they come from take turns, so that one that floods
//! delays only itself.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

use quinn_proto::{ConnectionEvent, ConnectionHandle};

use super::proof::ProofReceived;
use super::socket::Packet;

/// The turn in which a packet is handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IntakeTurn {
    OfAll,
    OfHandshakes,
}

/// The bit of a packet's first byte that marks a long header.
const LONG_HEADER: u8 = 0x80;
/// One site may have one in this many places.
const SITE_PART: usize = 4;
/// Time saved up while no handshakes come: enough for some hundreds of them at once, as after a handover, a restart, or a
/// break in a network that all players share. Even then others wait for no more than a moment in each turn of the loop.
const SAVED_NS_MAX: i64 = 250_000_000;
/// Largest debt of time. However long one packet held up the thread, others wait no longer than it
/// takes to earn this.
const OWED_NS_MAX: i64 = 10_000_000;

/// The waiting packets and their time budget.
#[derive(Debug)]
pub(super) struct Handshakes {
    /// By site; no queue is empty.
    queues: HashMap<IpAddr, VecDeque<QueuedPacket>>,
    /// The order of the sites' turns, each site once.
    turns: VecDeque<IpAddr>,
    /// The number of packets in all queues.
    packets: usize,
    packets_max: usize,
    budget: TimeBudget,
    /// Packets dropped since [`Handshakes::take_dropped`].
    dropped: u64,
}

/// A packet of a handshake.
#[derive(Debug)]
pub(super) enum QueuedPacket {
    /// A packet that the endpoint has not seen.
    Packet(Packet),
    /// A packet of a connection in its handshake.
    Event(ConnectionHandle, (ConnectionEvent, ProofReceived)),
}

impl Handshakes {
    /// A queue for `packets_max` packets, with `percent` of the thread's time.
    pub(super) fn new(packets_max: usize, percent: u32, now: Instant) -> Self {
        Handshakes {
            queues: HashMap::new(),
            turns: VecDeque::new(),
            packets: 0,
            packets_max,
            budget: TimeBudget::new(percent, now),
            dropped: 0,
        }
    }

    /// True if a packet's first byte marks a handshake: it has the long header (RFC 9000, section
    /// 17.2).
    pub(super) fn is_one(packet: &Packet) -> bool {
        packet.bytes.first().is_some_and(|first| first & LONG_HEADER != 0)
    }

    /// Queues a packet from an address. Without a free place the packet is dropped; its peer will
    /// send it again.
    pub(super) fn push(&mut self, from: IpAddr, waiting: QueuedPacket) {
        let site = site_of(from);
        let of_site = self.queues.get(&site).map_or(0, VecDeque::len);
        if self.packets >= self.packets_max || of_site >= self.packets_max / SITE_PART {
            self.dropped += 1;
            return;
        }
        if of_site == 0 {
            self.turns.push_back(site);
        }
        self.queues.entry(site).or_default().push_back(waiting);
        self.packets += 1;
    }

    /// The next packet, if there is one and time for it.
    pub(super) fn pop(&mut self, now: Instant) -> Option<QueuedPacket> {
        if self.packets == 0 || !self.budget.has_time(now) {
            return None;
        }
        let site = self.turns.pop_front()?;
        let queue = self.queues.get_mut(&site)?;
        let waiting = queue.pop_front()?;
        self.packets -= 1;
        if queue.is_empty() {
            self.queues.remove(&site);
        } else {
            self.turns.push_back(site);
        }
        Some(waiting)
    }

    /// Charges the time that packets took.
    pub(super) fn spend(&mut self, time: Duration) {
        self.budget.spend(time);
    }

    /// The time at which the next packet may be taken; `None` without packets.
    pub(super) fn next(&self) -> Option<Instant> {
        (self.packets > 0).then(|| self.budget.time_at())
    }

    /// Returns the number of packets dropped since the last call.
    pub(super) fn take_dropped(&mut self) -> u64 {
        std::mem::take(&mut self.dropped)
    }
}

/// A time budget that refills at a share of the passing time.
#[derive(Debug)]
struct TimeBudget {
    percent: u32,
    /// Time left; negative if the last packet took longer.
    left_ns: i64,
    counted_at: Instant,
}

impl TimeBudget {
    fn new(percent: u32, now: Instant) -> Self {
        TimeBudget { percent, left_ns: SAVED_NS_MAX, counted_at: now }
    }

    fn has_time(&mut self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.counted_at);
        self.counted_at = self.counted_at.max(now);
        let earned_ns = as_ns(passed).saturating_mul(i64::from(self.percent)) / 100;
        self.left_ns = self.left_ns.saturating_add(earned_ns).min(SAVED_NS_MAX);
        self.left_ns > 0
    }

    fn spend(&mut self, time: Duration) {
        self.left_ns = self.left_ns.saturating_sub(as_ns(time)).max(-OWED_NS_MAX);
    }

    /// The time at which the budget is positive again.
    fn time_at(&self) -> Instant {
        let owed_ns = u64::try_from(1 - self.left_ns).unwrap_or(0);
        self.counted_at + Duration::from_nanos(owed_ns * 100 / u64::from(self.percent.max(1)) + 1)
    }
}

/// An IPv4 address as it is, the /48 of an IPv6 address. Anyone can write any address on a packet,
/// so this decides only about turns, not about who is answered.
fn site_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [first, second, third, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(first, second, third, 0, 0, 0, 0, 0))
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

fn as_ns(time: Duration) -> i64 {
    i64::try_from(time.as_nanos()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// The time that packets of 1 ms each get in one second after an hour without any, asked every 100 us.
    fn spent_in_a_second(percent: u32) -> Duration {
        let made = Instant::now();
        let mut budget = TimeBudget::new(percent, made);
        let start = made + Duration::from_secs(3600);
        let mut now = start;
        let mut spent = Duration::ZERO;
        while now < start + Duration::from_secs(1) {
            if budget.has_time(now) {
                budget.spend(MS);
                spent += MS;
                now += MS;
            } else {
                now += MS / 10;
            }
        }
        spent
    }

    #[test]
    fn handshakes_take_no_more_than_their_part_of_the_time() {
        // Saved time comes on top.
        for percent in [5, 25, 50] {
            let part = Duration::from_secs(1) * percent / 100;
            let spent = spent_in_a_second(percent);
            assert!(spent >= part, "{percent}: {spent:?}");
            assert!(spent <= part + 252 * MS, "{percent}: {spent:?}");
        }
    }

    #[test]
    fn the_next_one_has_time_when_it_was_said_to() {
        let start = Instant::now();
        let mut budget = TimeBudget::new(25, start);
        budget.spend(253 * MS);
        assert!(!budget.has_time(start));
        let at = budget.time_at();
        assert!(at >= start + 12 * MS, "{:?}", at - start);
        assert!(budget.has_time(at));
    }

    #[test]
    fn one_long_hold_up_is_not_paid_for_ever() {
        let start = Instant::now();
        let mut budget = TimeBudget::new(25, start);
        budget.spend(Duration::from_secs(60));
        assert!(budget.has_time(start + 41 * MS));
    }

    fn packet(number: u8) -> QueuedPacket {
        let packet =
            Packet { meta: quinn_udp::RecvMeta::default(), bytes: [0xc0, number][..].into() };
        assert!(Handshakes::is_one(&packet));
        QueuedPacket::Packet(packet)
    }

    fn popped(handshakes: &mut Handshakes, now: Instant) -> Vec<u8> {
        let numbers = std::iter::from_fn(|| handshakes.pop(now)).map(|waiting| match waiting {
            QueuedPacket::Packet(packet) => packet.bytes[1],
            QueuedPacket::Event(..) => unreachable!(),
        });
        numbers.collect()
    }

    fn v4(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    #[test]
    fn packets_that_wait_are_bounded() {
        let now = Instant::now();
        let mut handshakes = Handshakes::new(8, 25, now);
        for last in 0..10 {
            handshakes.push(v4(last), packet(last));
        }
        assert_eq!(handshakes.take_dropped(), 2);
        assert_eq!(handshakes.take_dropped(), 0);
        assert_eq!(popped(&mut handshakes, now), [0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(handshakes.next(), None);
        assert!(handshakes.queues.is_empty() && handshakes.turns.is_empty());
    }

    #[test]
    fn a_site_that_sends_many_holds_up_only_itself() {
        let now = Instant::now();
        let mut handshakes = Handshakes::new(12, 25, now);
        for network in 0..100 {
            let from = format!("2001:db8:0:{network}::1").parse().unwrap();
            handshakes.push(from, packet(network));
        }
        handshakes.push(v4(1), packet(101));
        handshakes.push(v4(1), packet(102));
        assert_eq!(popped(&mut handshakes, now), [0, 101, 1, 102, 2]);
        assert_eq!(handshakes.take_dropped(), 97);
    }
}
