//! The inputs that the server may not have yet.

use std::collections::VecDeque;
use std::time::Duration;

use tickwire_shared::Tick;
use tickwire_shared::input::{INPUTS_MAX, InputCodec, SnapshotAck};
use tickwire_shared::schema::Schema;

/// A datagram repeats at least so many inputs: one lost datagram is then made good by the next.
const REPEAT_MIN: usize = 3;
/// Inputs kept to know when each was sent.
const SENT_MAX: usize = 128;

/// Sent inputs, newest last.
#[derive(Debug)]
pub(super) struct InputQueue {
    codec: InputCodec,
    sent: VecDeque<Sent>,
    /// The newest the server has reported.
    reported: Option<Tick>,
}

#[derive(Debug)]
struct Sent {
    tick: Tick,
    at: Duration,
    lanes: Vec<i32>,
}

impl InputQueue {
    pub(super) fn new(schema: &Schema) -> Self {
        InputQueue { codec: InputCodec::new(schema), sent: VecDeque::new(), reported: None }
    }

    /// The newest tick an input was sampled for.
    pub(super) fn newest(&self) -> Option<Tick> {
        self.sent.back().map(|sent| sent.tick)
    }

    /// Samples the input of `tick`. Ticks must be consecutive; after a gap the queue begins anew.
    pub(super) fn push(&mut self, tick: Tick, now: Duration, held: &[i32]) {
        if self.newest().is_some_and(|newest| tick != newest.next()) {
            self.sent.clear();
        }
        let reuse = if self.sent.len() >= SENT_MAX { self.sent.pop_front() } else { None };
        let mut lanes = reuse.map(|sent| sent.lanes).unwrap_or_default();
        lanes.clear();
        lanes.extend_from_slice(held);
        self.sent.push_back(Sent { tick, at: now, lanes });
    }

    /// The server has the input of `tick`. Returns when it was sent, the first time it is reported.
    pub(super) fn report(&mut self, tick: Tick) -> Option<Duration> {
        if self.reported.is_some_and(|reported| tick.since(reported) <= 0) {
            return None;
        }
        self.reported = Some(tick);
        self.sent.iter().rev().find(|sent| sent.tick == tick).map(|sent| sent.at)
    }

    /// A datagram with acknowledgements only.
    pub(super) fn acknowledgement(&self, seat: u8, ack: Option<SnapshotAck>) -> Vec<u8> {
        self.codec.encode(seat, ack, 0, &[])
    }

    /// A datagram with what the server has not reported, at most [`INPUTS_MAX`].
    pub(super) fn datagram(&self, seat: u8, ack: Option<SnapshotAck>) -> Vec<u8> {
        let Some(newest) = self.newest() else {
            return self.acknowledgement(seat, ack);
        };
        let unreported = match self.reported {
            Some(reported) => newest.since(reported).max(0) as usize,
            None => INPUTS_MAX,
        };
        let count = unreported.clamp(REPEAT_MIN, INPUTS_MAX).min(self.sent.len());
        let lanes: Vec<i32> = self
            .sent
            .iter()
            .rev()
            .take(count)
            .flat_map(|sent| sent.lanes.iter().copied())
            .collect();
        self.codec.encode(seat, ack, newest.low16(), &lanes)
    }
}
