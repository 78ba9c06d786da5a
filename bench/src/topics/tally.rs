//! What one subscriber got, and what all of them together did.

use std::ops::Range;

use serde::Serialize;

/// Bytes at the beginning of each message: its number, and its time in microseconds since the run began.
pub(super) const HEAD_BYTES: usize = 16;
/// Latency of a message that has not come.
const ABSENT: u32 = u32::MAX;

/// The messages that one subscriber got.
#[derive(Clone, Debug)]
pub(super) struct DeliveryTally {
    /// Microseconds from the publisher to this subscriber, by the number of the message; [`ABSENT`] for none.
    latency_us: Vec<u32>,
    last: Option<u64>,
    doubled: u64,
    out_of_order: u64,
    /// Messages that are not of this run.
    foreign: u64,
}

/// What all subscribers got of a range of messages.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct FanOutFigures {
    pub(super) messages: u64,
    pub(super) deliveries: u64,
    /// Deliveries that did not come. By `latest` only a last message that did not come is lost.
    pub(super) lost: u64,
    /// By `latest`: older messages that newer ones replaced on their way.
    pub(super) skipped: u64,
    pub(super) doubled: u64,
    pub(super) out_of_order: u64,
    /// Sessions that ended, requests that were refused, messages of someone else.
    pub(super) errors: u64,
    /// The server process' CPU time, in user and in system mode, over the deliveries.
    pub(super) cpu_us_per_delivery: f64,
    pub(super) latency_us_p50: u32,
    pub(super) latency_us_p99: u32,
}

impl DeliveryTally {
    pub(super) fn new(messages: u64) -> Self {
        DeliveryTally {
            latency_us: vec![ABSENT; messages as usize],
            last: None,
            doubled: 0,
            out_of_order: 0,
            foreign: 0,
        }
    }

    /// Counts a message that came at `now_us`, and returns its number.
    pub(super) fn take(&mut self, payload: &[u8], now_us: u64) -> Option<u64> {
        let head = payload.first_chunk::<HEAD_BYTES>().map(|head| {
            let number =
                |at: usize| u64::from_le_bytes(std::array::from_fn(|byte| head[at + byte]));
            (number(0), number(8))
        });
        let of_run = head.filter(|(number, _)| *number < self.latency_us.len() as u64);
        let Some((number, sent_us)) = of_run else {
            self.foreign += 1;
            return None;
        };
        let latency_us = now_us.saturating_sub(sent_us).min(u64::from(ABSENT - 1)) as u32;
        let kept = &mut self.latency_us[number as usize];
        if std::mem::replace(kept, latency_us) != ABSENT {
            self.doubled += 1;
        } else if self.last.is_some_and(|last| number < last) {
            self.out_of_order += 1;
        }
        self.last = self.last.max(Some(number));
        Some(number)
    }
}

/// The figures of a range of messages, without the time of the processor. Doubles and errors are those of the whole run.
pub(super) fn figures_of(
    tallies: &[DeliveryTally],
    numbers: Range<u64>,
    is_latest: bool,
) -> FanOutFigures {
    let range = numbers.start as usize..numbers.end as usize;
    let part = |tally: &DeliveryTally| tally.latency_us[range.clone()].to_vec();
    let mut came: Vec<u32> =
        tallies.iter().flat_map(part).filter(|latency_us| *latency_us != ABSENT).collect();
    came.sort_unstable();
    let wanted = (range.len() * tallies.len()) as u64;
    let absent = wanted - came.len() as u64;
    let without_last = tallies.iter().filter(|it| it.latency_us[range.end - 1] == ABSENT).count();
    let (lost, skipped) = match is_latest {
        true => (without_last as u64, absent - without_last as u64),
        false => (absent, 0),
    };
    let sum = |count: fn(&DeliveryTally) -> u64| tallies.iter().map(count).sum::<u64>();
    FanOutFigures {
        messages: range.len() as u64,
        deliveries: came.len() as u64,
        lost,
        skipped,
        doubled: sum(|it| it.doubled),
        out_of_order: sum(|it| it.out_of_order),
        errors: sum(|it| it.foreign),
        cpu_us_per_delivery: 0.0,
        latency_us_p50: percentile(&came, 50),
        latency_us_p99: percentile(&came, 99),
    }
}

/// The smallest of sorted values that so many of a hundred do not exceed; 0 for no values.
pub(super) fn percentile(sorted: &[u32], percent: usize) -> u32 {
    let at = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(at).copied().unwrap_or(0)
}

impl FanOutFigures {
    /// True if every message came as it should.
    pub(super) fn is_whole(&self) -> bool {
        self.deliveries > 0 && self.lost + self.doubled + self.out_of_order + self.errors == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(number: u64, sent_us: u64) -> Vec<u8> {
        [number.to_le_bytes(), sent_us.to_le_bytes()].concat()
    }

    #[test]
    fn what_is_lost_doubled_late_or_foreign_is_counted() {
        let mut tally = DeliveryTally::new(6);
        for (number, now_us) in [(0, 5), (2, 30), (1, 35), (2, 40), (4, 100)] {
            assert_eq!(tally.take(&message(number, number * 10), now_us), Some(number));
        }
        assert_eq!(tally.take(&message(6, 0), 0), None);
        assert_eq!(tally.take(b"short", 0), None);
        let figures = figures_of(&[tally.clone()], 0..6, false);
        let FanOutFigures { messages, deliveries, lost, doubled, out_of_order, errors, .. } =
            figures;
        assert_eq!((messages, deliveries, lost), (6, 4, 2));
        assert_eq!((doubled, out_of_order, errors), (1, 1, 2));
        assert!(!figures.is_whole());
        // By latest the fourth message is skipped, and the last one is lost.
        let latest = figures_of(&[tally.clone()], 0..6, true);
        assert_eq!((latest.lost, latest.skipped), (1, 1));
        assert_eq!(figures_of(&[tally], 0..3, true).lost, 0);
    }

    #[test]
    fn percentiles_are_of_all_subscribers_and_of_their_range() {
        let mut tallies = [DeliveryTally::new(300), DeliveryTally::new(300)];
        for number in 0..300 {
            let late = if number < 100 { 1_000_000 } else { 0 };
            tallies[0].take(&message(number, 0), number + late);
            tallies[1].take(&message(number, 0), number + 1000 + late);
        }
        let figures = figures_of(&tallies, 100..300, false);
        assert_eq!((figures.latency_us_p50, figures.latency_us_p99), (299, 1295));
        assert_eq!((percentile(&[], 99), percentile(&[7], 50)), (0, 7));
    }
}
