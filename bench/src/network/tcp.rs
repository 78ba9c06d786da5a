//! A TCP connection over two links, with no socket and no clock: what a WebSocket does on a bad network.
//!
//! A lost segment is sent again and everything behind it waits, which is what a player feels. It is
//! the TCP that Linux has by default, in the parts that matter to a thin stream:
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
//! Left out: undoing what proved needless, pacing, and the receiver's window.
//! A selective acknowledgement names all that has come, not three ranges. An MTU hole
//! holds nothing up: a connection finds what fits. Segments that are lost,
//! acknowledgements and what is sent again all go through the same links.

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

/// IPv4, TCP and its timestamps.
const HEADER_BYTES: usize = 20 + 20 + 12;
/// Until a SYN that is not answered is sent again, the first time.
const SYN_TIMEOUT: Duration = Duration::from_secs(1);
const SYN_RETRIES: u32 = 6;

/// One side of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Client = 0,
    Server = 1,
}

/// A connection, with what is on its way.
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
    /// Bytes that may wait here until the peer has them.
    send_bytes: usize,
}

#[derive(Clone, Debug, PartialEq)]
struct Segment {
    /// Of the first byte; the stream begins at 0.
    sequence: u64,
    bytes: Vec<u8>,
    acknowledgement: Acknowledgement,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Acknowledgement {
    /// All bytes before this have come.
    next: u64,
    /// And these, beyond a gap; in order.
    early: Vec<Range<u64>>,
}

/// When a client that asks for a connection at `now` has it: the SYN went up and its answer came down. `None` if neither
/// of all that it sends came through.
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
    /// Connected, and idle. Each end holds at most its `send_bytes` of what the other does not have.
    pub(crate) fn new(links: [Link; 2], send_bytes: [usize; 2]) -> Self {
        let ends = send_bytes.map(|send_bytes| Endpoint {
            sender: Sender::default(),
            receiver: Receiver::default(),
            send_bytes,
        });
        let links = links.map(|link| link.with_passing_bursts().with_any_size());
        Connection { ends, links, on_the_way: BTreeMap::new(), numbers: 0 }
    }

    /// Bytes that `end` may write now.
    pub(crate) fn writable(&self, end: End) -> usize {
        let end = &self.ends[end as usize];
        end.send_bytes.saturating_sub(end.sender.held())
    }

    /// Bytes written at `end` that were never sent.
    pub(crate) fn unsent(&self, end: End) -> usize {
        self.ends[end as usize].sender.unsent()
    }

    /// Puts bytes into the stream from `end`. Who writes more than is writable should have waited.
    pub(crate) fn write(&mut self, now: Duration, end: End, bytes: &[u8]) {
        self.ends[end as usize].sender.write(bytes);
        self.transmit(now);
    }

    /// Takes what has come at `end`, in order.
    pub(crate) fn read(&mut self, end: End) -> Vec<u8> {
        self.ends[end as usize].receiver.take()
    }

    /// Bytes that came at `end` and were not read.
    #[cfg(test)]
    fn readable(&self, end: End) -> usize {
        self.ends[end as usize].receiver.ready()
    }

    /// When [`Connection::advance`] has something to do.
    pub(crate) fn next(&self) -> Option<Duration> {
        let arrival = self.on_the_way.first_key_value().map(|((at, _), _)| *at);
        self.timeout().into_iter().chain(arrival).min()
    }

    /// Does all that is due by `now`, each at its time.
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
