//! The messages of a run: how many there are, when each is published, and what every subscriber does with them.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::time::sleep_until;

use super::tally::{DeliveryTally, HEAD_BYTES};

/// The one topic, channel or subject to which all subscribers subscribe.
pub(super) const TOPIC: &str = "bench/prices";

/// The messages of a run, numbered from 0, and the subscribers that count them.
#[derive(Debug)]
pub(super) struct Load {
    pub(super) subscribers: usize,
    pub(super) rate_hz: u32,
    pub(super) payload_bytes: usize,
    /// Messages in all, with those that are not measured.
    pub(super) messages: u64,
    begin: Instant,
    /// Subscribers that have subscribed.
    ready: AtomicUsize,
    /// Those that have the last message of the part that is under way.
    done: AtomicUsize,
    /// The number of that message.
    last: AtomicU64,
    over: watch::Sender<bool>,
}

impl Load {
    pub(super) fn new(
        subscribers: usize,
        (rate_hz, payload_bytes): (u32, usize),
        messages: u64,
    ) -> Self {
        Load {
            subscribers,
            rate_hz,
            payload_bytes,
            messages,
            begin: Instant::now(),
            ready: AtomicUsize::new(0),
            done: AtomicUsize::new(0),
            last: AtomicU64::new(u64::MAX),
            over: watch::Sender::new(false),
        }
    }

    /// Microseconds since the run began.
    pub(super) fn now_us(&self) -> u64 {
        self.begin.elapsed().as_micros() as u64
    }

    /// A message with its time.
    pub(super) fn message(&self, number: u64) -> Vec<u8> {
        let mut payload = vec![0; self.payload_bytes];
        payload[..8].copy_from_slice(&number.to_le_bytes());
        payload[8..HEAD_BYTES].copy_from_slice(&self.now_us().to_le_bytes());
        payload
    }

    /// What a subscriber counts with.
    pub(super) fn tally(&self) -> DeliveryTally {
        DeliveryTally::new(self.messages)
    }

    /// Counts a message that came to a subscriber.
    pub(super) fn take(&self, payload: &[u8], tally: &mut DeliveryTally) {
        let number = tally.take(payload, self.now_us());
        if number == Some(self.last.load(Ordering::Relaxed)) {
            self.done.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A subscriber has subscribed.
    pub(super) fn note_ready(&self) {
        self.ready.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn ready(&self) -> usize {
        self.ready.load(Ordering::Relaxed)
    }

    /// True once every subscriber has the last message of the part that is under way.
    pub(super) fn is_done(&self) -> bool {
        self.done.load(Ordering::Relaxed) >= self.subscribers
    }

    /// Publishes the messages of these numbers at the rate of the run. One that is late does not delay those after it.
    pub(super) async fn pace(
        &self,
        numbers: Range<u64>,
        mut publish: impl AsyncFnMut(u64) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        self.done.store(0, Ordering::Relaxed);
        self.last.store(numbers.end - 1, Ordering::Relaxed);
        let (begin, first) = (tokio::time::Instant::now(), numbers.start);
        for number in numbers {
            let after_s = (number - first) as f64 / f64::from(self.rate_hz);
            sleep_until(begin + Duration::from_secs_f64(after_s)).await;
            publish(number).await?;
        }
        Ok(())
    }

    /// Tells the subscribers to stop.
    pub(super) fn end(&self) {
        self.over.send_replace(true);
    }

    /// Completes once they are to stop.
    pub(super) async fn over(&self) {
        let mut over = self.over.subscribe();
        // It fails only without a sender, which is this.
        let _ = over.wait_for(|is_over| *is_over).await;
    }
}
