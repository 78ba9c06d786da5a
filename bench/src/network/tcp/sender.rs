//! Sends data, and sends it again after losses.

use std::collections::VecDeque;
use std::time::Duration;

use super::Acknowledgement;
use super::cubic::Cubic;
use super::round_trip::RoundTrip;

/// Ethernet's 1500 bytes minus 20 of IPv4, 20 of TCP and 12 of its timestamps.
const SEGMENT_BYTES_MAX: usize = 1448;
/// RFC 8985, section 7.2: the wait without a measured round trip, and the longest delay of one
/// segment's acknowledgement.
const PROBE_FIRST: Duration = Duration::from_secs(1);
const ACKNOWLEDGEMENT_DELAY_MAX: Duration = Duration::from_millis(200);
/// RFC 5681, section 3.2.
const DUPLICATES: usize = 3;

/// The sending half of an end.
#[derive(Debug, Default)]
pub(super) struct Sender {
    /// Bytes written and never sent.
    unsent: VecDeque<u8>,
    /// Segments sent and not yet acknowledged together with everything before, in order.
    sent: VecDeque<Sent>,
    /// Their bytes.
    sent_bytes: usize,
    /// Number of the first byte that was never sent.
    next: u64,
    round_trip: RoundTrip,
    window: Cubic,
    newest: Newest,
    /// Until everything before this is acknowledged, further losses do not count.
    recovery: Option<Recovery>,
    /// The time at which the silence is too long.
    silent_at: Option<Duration>,
    silences: u32,
    /// The time at which an overtaken segment counts as lost.
    overtaken_at: Option<Duration>,
    /// The first segment of a recovery may exceed the window.
    may_exceed: bool,
    probe: Probe,
}

/// A segment sent to learn the fate of the ones before it (RFC 8985, section 7).
#[derive(Debug, Default)]
struct Probe {
    at: Option<Duration>,
    /// It is sent now, even beyond the window.
    is_due: bool,
    /// The last probe is unacknowledged: everything before this must be.
    until: Option<u64>,
}

#[derive(Debug)]
struct Sent {
    begin: u64,
    bytes: Vec<u8>,
    at: Duration,
    was_resent: bool,
    has_come: bool,
    is_lost: bool,
}

/// The most recently sent of the arrived segments (RFC 8985, section 5.3).
#[derive(Debug, Default)]
struct Newest {
    sent: Duration,
    end: u64,
    rtt: Duration,
    /// The highest byte that has arrived.
    highest: u64,
    reordering_seen: bool,
}

#[derive(Clone, Copy, Debug)]
struct Recovery {
    until: u64,
    by_silence: bool,
}

impl Sender {
    pub(super) fn write(&mut self, bytes: &[u8]) {
        self.unsent.extend(bytes);
    }

    /// The number of bytes that the peer is not known to have.
    pub(super) fn held(&self) -> usize {
        self.unsent.len() + self.sent_bytes
    }

    pub(super) fn unsent(&self) -> usize {
        self.unsent.len()
    }

    pub(super) fn next(&self) -> u64 {
        self.next
    }

    pub(super) fn timeout(&self) -> Option<Duration> {
        [self.silent_at, self.overtaken_at, self.probe.at].into_iter().flatten().min()
    }

    pub(super) fn handle_timeout(&mut self, now: Duration) {
        if self.overtaken_at.is_some_and(|at| at <= now) {
            self.find_lost(now);
        }
        if self.probe.at.is_some_and(|at| at <= now) {
            self.probe = Probe { at: None, is_due: true, until: Some(self.next) };
            self.silent_at = Some(now + self.round_trip.timeout(self.silences));
        }
        if self.silent_at.is_some_and(|at| at <= now) {
            for sent in self.sent.iter_mut().filter(|sent| !sent.has_come) {
                sent.is_lost = true;
            }
            self.silences += 1;
            self.silent_at = Some(now + self.round_trip.timeout(self.silences));
            (self.overtaken_at, self.probe.at) = (None, None);
            if self.recovery.is_none() {
                self.window.lost();
            }
            self.window.timed_out();
            self.recovery = Some(Recovery { until: self.next, by_silence: true });
        }
    }

    /// The next segment to send: lost segments first, then new bytes, as the window permits.
    pub(super) fn poll_transmit(&mut self, now: Duration) -> Option<(u64, Vec<u8>)> {
        let may_send = self.on_the_way() < self.window.window();
        if std::mem::take(&mut self.probe.is_due) {
            if !self.unsent.is_empty() {
                return Some(self.send_new(now));
            }
            let last = self.sent.iter().rposition(|sent| !sent.has_come)?;
            return Some(self.send_again(now, last));
        }
        if (may_send || self.may_exceed)
            && let Some(at) = self.sent.iter().position(|sent| sent.is_lost)
        {
            self.may_exceed = false;
            if at == 0 {
                self.silent_at = Some(now + self.round_trip.timeout(self.silences));
            }
            return Some(self.send_again(now, at));
        }
        if !may_send || self.unsent.is_empty() {
            return None;
        }
        let sent = self.send_new(now);
        self.schedule_probe(now);
        Some(sent)
    }

    fn send_again(&mut self, now: Duration, at: usize) -> (u64, Vec<u8>) {
        let lost = &mut self.sent[at];
        (lost.at, lost.was_resent, lost.is_lost) = (now, true, false);
        (lost.begin, lost.bytes.clone())
    }

    fn send_new(&mut self, now: Duration) -> (u64, Vec<u8>) {
        let length = self.unsent.len().min(SEGMENT_BYTES_MAX);
        let (begin, bytes): (u64, Vec<u8>) = (self.next, self.unsent.drain(..length).collect());
        self.next += length as u64;
        self.sent_bytes += length;
        self.sent.push_back(Sent {
            begin,
            bytes: bytes.clone(),
            at: now,
            was_resent: false,
            has_come: false,
            is_lost: false,
        });
        let timeout = self.round_trip.timeout(self.silences);
        self.silent_at.get_or_insert(now + timeout);
        (begin, bytes)
    }

    fn schedule_probe(&mut self, now: Duration) {
        let is_quiet = self.recovery.is_none() && self.sent.iter().all(|sent| !sent.has_come);
        let wait = match (self.round_trip.smoothed(), self.sent.len()) {
            (Duration::ZERO, _) => PROBE_FIRST,
            (smoothed, 1) => smoothed * 2 + ACKNOWLEDGEMENT_DELAY_MAX,
            (smoothed, _) => smoothed * 2,
        };
        let at = self.silent_at.map(|silent| silent.min(now + wait));
        self.probe.at = at.filter(|_| is_quiet && self.probe.until.is_none());
    }

    pub(super) fn handle_acknowledgement(&mut self, now: Duration, says: &Acknowledgement) {
        let on_the_way = self.on_the_way();
        let acked = self.note_arrivals(now, says);
        let mut advanced = false;
        while let Some(first) = self.sent.pop_front_if(|sent| sent.end() <= says.next) {
            self.sent_bytes -= first.bytes.len();
            advanced = true;
        }
        if advanced {
            self.silences = 0;
            self.silent_at = (!self.sent.is_empty()).then(|| now + self.round_trip.timeout(0));
        }
        self.recovery = self.recovery.filter(|recovery| says.next < recovery.until);
        self.probe.until = self.probe.until.filter(|until| says.next < *until);
        if acked > 0 && self.recovery.is_none_or(|recovery| recovery.by_silence) {
            self.window.acked(now, acked, on_the_way, self.round_trip.smoothed());
        }
        self.find_lost(now);
        if advanced || self.recovery.is_some() {
            self.schedule_probe(now);
        }
    }

    /// Marks newly arrived segments and returns their number.
    fn note_arrivals(&mut self, now: Duration, says: &Acknowledgement) -> usize {
        let has_come = |sent: &Sent| {
            sent.end() <= says.next
                || says
                    .early
                    .iter()
                    .any(|range| range.start <= sent.begin && sent.end() <= range.end)
        };
        let mut acked = 0;
        let mut measured = None;
        for sent in self.sent.iter_mut().filter(|sent| !sent.has_come && has_come(sent)) {
            (sent.has_come, sent.is_lost) = (true, false);
            acked += 1;
            let rtt = now.saturating_sub(sent.at);
            if sent.was_resent && rtt < self.round_trip.least() {
                // The first copy arrived, not the second (RFC 8985, section 6.2, step 2).
                continue;
            }
            if !sent.was_resent {
                measured = Some(rtt);
                self.newest.reordering_seen |= sent.end() < self.newest.highest;
            }
            self.newest.highest = self.newest.highest.max(sent.end());
            if (sent.at, sent.end()) > (self.newest.sent, self.newest.end) {
                (self.newest.sent, self.newest.end) = (sent.at, sent.end());
                self.newest.rtt = rtt;
            }
        }
        // One measurement for each acknowledgement, and none of a repeated segment (RFC 6298,
        // section 3).
        if let Some(rtt) = measured {
            self.round_trip.measured(rtt);
        }
        acked
    }

    /// Marks segments that were overtaken long enough ago as lost (RFC 8985, section 6.2, steps 4
    /// and 5).
    fn find_lost(&mut self, now: Duration) {
        let early = self.sent.iter().filter(|sent| sent.has_come).count();
        let is_sure = self.recovery.is_some() || early >= DUPLICATES;
        let patience = if !self.newest.reordering_seen && is_sure {
            Duration::ZERO
        } else {
            (self.round_trip.least() / 4).min(self.round_trip.smoothed())
        };
        let newest = (self.newest.sent, self.newest.end);
        let mut some = false;
        self.overtaken_at = None;
        for sent in self.sent.iter_mut().filter(|sent| !sent.has_come && !sent.is_lost) {
            if (sent.at, sent.end()) >= newest {
                continue;
            }
            let due = sent.at + self.newest.rtt + patience;
            if due <= now {
                (sent.is_lost, some) = (true, true);
            } else {
                self.overtaken_at = Some(self.overtaken_at.map_or(due, |at| at.min(due)));
            }
        }
        if some && self.recovery.is_none() {
            self.recovery = Some(Recovery { until: self.next, by_silence: false });
            self.window.lost();
            self.may_exceed = true;
        }
    }

    /// The number of segments believed to be on their way (`pipe` in RFC 6675).
    fn on_the_way(&self) -> usize {
        self.sent.iter().filter(|sent| !sent.has_come && !sent.is_lost).count()
    }
}

impl Sent {
    fn end(&self) -> u64 {
        self.begin + self.bytes.len() as u64
    }
}
