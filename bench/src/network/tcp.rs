//! A TCP connection over two links, without sockets and clocks: it models a WebSocket on a bad
//! network.
//!
//! A lost segment is sent again and everything behind it waits, which players feel. It models
//! Linux's default TCP, in the parts that matter to a thin stream:
//!
//! | part | as |
//! | --- | --- |
//! | loss found by later deliveries | RACK, RFC 8985, section 6.2, without the duplicate-SACK scaling |
//! | a probe when the last ones are not acknowledged | RFC 8985, section 7 |
//! | loss found by silence | RFC 6298; the variance counts for 200 ms at least (Linux `TCP_RTO_MIN`) |
//! | congestion window | CUBIC, RFC 9438, from 10 segments (RFC 6928), only grown while it binds |
//! | acknowledgements | every second segment, within 40 ms (Linux `TCP_DELACK_MIN`), at once when out of order (RFC 5681, section 4.2), and with all data |
//! | segments | 1448 bytes: Ethernet's 1500 less IP, TCP and its timestamps |
//! | what waits to be sent | is joined to full segments (`TCP_NODELAY` without cork) |
//! | connecting ([`connected`]) | a SYN that is not answered is sent again after 1 s, 2 s, 4 s, …, six times (RFC 6298; Linux `tcp_syn_retries`) |
//!
//! Left out: undoing unnecessary recoveries, pacing, and the receiver's window. A selective
//! acknowledgement names everything that has arrived, not three ranges. A small MTU delays nothing:
//! a connection finds the size that fits. Lost segments, acknowledgements and repeated segments all
//! pass through the same links.

mod cubic;
mod receiver;
mod round_trip;
mod sender;

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use super::link::Link;
use receiver::Receiver;
use sender::Sender;

/// Bytes of IPv4, TCP and its timestamps.
const HEADER_BYTES: usize = 20 + 20 + 12;
/// Time until the first repetition of an unanswered SYN.
const SYN_TIMEOUT: Duration = Duration::from_secs(1);
const SYN_RETRIES: u32 = 6;

/// One side of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Client = 0,
    Server = 1,
}

/// A connection with the segments on their way.
#[derive(Debug)]
pub(crate) struct Connection {
    ends: [Endpoint; 2],
    /// From the client, and from the server.
    links: [Link; 2],
    on_the_way: BTreeMap<(Duration, u64), (End, Segment)>,
    numbers: u64,
}

#[derive(Debug)]
struct Endpoint {
    sender: Sender,
    receiver: Receiver,
    /// Bytes that may be held here until the peer has them.
    send_bytes: usize,
}

#[derive(Clone, Debug, PartialEq)]
struct Segment {
    /// Number of the first byte; the stream begins at 0.
    sequence: u64,
    bytes: Vec<u8>,
    acknowledgement: Acknowledgement,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Acknowledgement {
    /// All bytes before this have arrived.
    next: u64,
    /// Ranges that have arrived beyond a gap, in order.
    early: Vec<Range<u64>>,
}

/// The time at which a client that connects at `now` is connected: its SYN and the answer have
/// passed. `None` if no attempt succeeds.
pub(crate) fn connected([up, down]: &mut [Link; 2], now: Duration) -> Option<Duration> {
    let mut sent = now;
    for retry in 0..=SYN_RETRIES {
        let arrived = up.send(sent, 0, HEADER_BYTES).min();
        let answered = arrived.and_then(|at| down.send(at, 0, HEADER_BYTES).min());
        if answered.is_some() {
            return answered;
        }
        sent += SYN_TIMEOUT * 2_u32.pow(retry);
    }
    None
}

impl Connection {
    /// A connected, idle connection. Each end holds at most its `send_bytes` that the other does
    /// not have.
    pub(crate) fn new(links: [Link; 2], send_bytes: [usize; 2]) -> Self {
        let ends = send_bytes.map(|send_bytes| Endpoint {
            sender: Sender::default(),
            receiver: Receiver::default(),
            send_bytes,
        });
        let links = links.map(|link| link.with_passing_bursts().with_any_size());
        Connection { ends, links, on_the_way: BTreeMap::new(), numbers: 0 }
    }

    /// The number of bytes that `end` may write now.
    pub(crate) fn writable(&self, end: End) -> usize {
        let end = &self.ends[end as usize];
        end.send_bytes.saturating_sub(end.sender.held())
    }

    /// The number of written bytes at `end` that were never sent.
    pub(crate) fn unsent(&self, end: End) -> usize {
        self.ends[end as usize].sender.unsent()
    }

    /// Writes bytes into the stream from `end`. A caller that exceeds the writable bytes should
    /// have waited.
    pub(crate) fn write(&mut self, now: Duration, end: End, bytes: &[u8]) {
        self.ends[end as usize].sender.write(bytes);
        self.transmit(now);
    }

    /// Takes the bytes that have arrived at `end`, in order.
    pub(crate) fn read(&mut self, end: End) -> Vec<u8> {
        self.ends[end as usize].receiver.take()
    }

    /// The number of unread bytes at `end`.
    #[cfg(test)]
    fn readable(&self, end: End) -> usize {
        self.ends[end as usize].receiver.ready()
    }

    /// The time at which [`Connection::advance`] has something to do.
    pub(crate) fn next(&self) -> Option<Duration> {
        let arrival = self.on_the_way.first_key_value().map(|((at, _), _)| *at);
        self.timeout().into_iter().chain(arrival).min()
    }

    /// Handles everything due by `now`, each at its time.
    pub(crate) fn advance(&mut self, now: Duration) {
        while let Some(at) = self.next().filter(|at| *at <= now) {
            while let Some(arrival) = self.on_the_way.first_entry().filter(|it| it.key().0 <= at) {
                let (end, segment) = arrival.remove();
                self.ends[end as usize].handle(at, segment);
            }
            for end in &mut self.ends {
                end.sender.handle_timeout(at);
                end.receiver.handle_timeout(at);
            }
            self.transmit(at);
        }
    }

    fn timeout(&self) -> Option<Duration> {
        let of = |end: &Endpoint| [end.sender.timeout(), end.receiver.timeout()];
        self.ends.iter().flat_map(of).flatten().min()
    }

    fn transmit(&mut self, now: Duration) {
        for (from, to) in [(End::Client, End::Server), (End::Server, End::Client)] {
            while let Some(segment) = self.ends[from as usize].poll_transmit(now) {
                let bytes = segment.bytes.len();
                for at in self.links[from as usize].send(now, bytes, HEADER_BYTES) {
                    self.numbers += 1;
                    self.on_the_way.insert((at, self.numbers), (to, segment.clone()));
                }
            }
        }
    }
}

impl Endpoint {
    fn handle(&mut self, now: Duration, segment: Segment) {
        self.sender.handle_acknowledgement(now, &segment.acknowledgement);
        self.receiver.handle(now, segment.sequence, segment.bytes);
    }

    fn poll_transmit(&mut self, now: Duration) -> Option<Segment> {
        let (sequence, bytes) = match self.sender.poll_transmit(now) {
            Some(data) => data,
            None if self.receiver.must_acknowledge() => (self.sender.next(), Vec::new()),
            None => return None,
        };
        Some(Segment { sequence, bytes, acknowledgement: self.receiver.acknowledge() })
    }
}

#[cfg(test)]
mod tests;
