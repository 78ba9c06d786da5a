//! A subscriber that stops: its whole thread sleeps, as a program that the system has suspended, so that it neither reads nor
//! acknowledges anything. Beside the topic of all it follows one of large messages, of which the server keeps fewer than come
//! while it stands still.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, anyhow};
use serde::Serialize;
use tickwire_client::{ClientEvent, TopicEvent};
use tickwire_shared::control::TopicDelivery;

use super::load::TOPIC;
use super::ours::{check, subscribe, subscribed};

/// The topic of large messages.
pub(super) const BULK_TOPIC: &str = "bench/bulk";
/// Their bytes, near the largest that the server accepts.
pub(super) const BULK_BYTES: usize = 16_000;
/// Messages of it a second: a megabyte, as much as the server keeps of the topic.
pub(super) const BULK_HZ: u32 = 64;
/// Interval at which the reader looks whether it is to stop.
const LOOK: Duration = Duration::from_millis(20);
/// Time to come to the end after it has stopped.
const CATCH_UP_TIME: Duration = Duration::from_secs(20);

/// What stopped readers meant to the others, and to themselves.
#[derive(Clone, Debug, Serialize)]
pub(super) struct SlowFigures {
    pub(super) subscribers: usize,
    pub(super) stopped_s: u64,
    /// Of the other subscribers, while the slow ones read as they do.
    pub(super) latency_us_p99_without: u32,
    /// The same while the slow ones have stopped and when they catch up.
    pub(super) latency_us_p99_with_slow: u32,
    pub(super) ratio: f64,
    /// Messages of which the server told the slow ones that they are no longer kept.
    pub(super) missed: u64,
    /// Messages that neither came to the slow ones nor were told of as missed.
    pub(super) lost: u64,
    /// From when they read again until the last of them has a message that was published after that.
    pub(super) caught_up_ms: u64,
}

/// Readers that stop when they are told to, each on a thread of its own.
#[derive(Debug)]
pub(super) struct SlowReaders {
    stop: Arc<AtomicBool>,
    threads: Vec<(mpsc::Sender<Ends>, JoinHandle<anyhow::Result<SlowRead>>)>,
}

/// The sequence numbers of the last messages: of the topic of all, and of that of the large ones.
type Ends = [u64; 2];

/// What one of them read.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SlowRead {
    missed: u64,
    lost: u64,
    caught_up_ms: u64,
}

impl SlowReaders {
    /// Starts them, and waits until all have subscribed.
    ///
    /// # Errors
    /// If one cannot.
    pub(super) async fn start(count: usize, target: &str) -> anyhow::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let mut readers = SlowReaders { stop, threads: Vec::new() };
        for _ in 0..count {
            let (stop, target) = (Arc::clone(&readers.stop), target.to_owned());
            let (ready, is_ready) = tokio::sync::oneshot::channel();
            let (end, ends) = mpsc::channel();
            let thread = std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
                runtime.block_on(read(&target, &stop, ready, &ends))
            });
            if is_ready.await.is_err() {
                let ended = thread.join().map_err(|_| anyhow!("a slow subscriber panicked"))?;
                return Err(ended.err().unwrap_or_else(|| anyhow!("a slow subscriber ended")));
            }
            readers.threads.push((end, thread));
        }
        Ok(readers)
    }

    /// Stops all, or lets them go on.
    pub(super) fn stop(&self, is_stopped: bool) {
        self.stop.store(is_stopped, Ordering::Relaxed);
    }

    /// Lets them read to the end.
    ///
    /// # Errors
    /// If one does not come to it.
    pub(super) async fn finish(self, ends: Ends) -> anyhow::Result<Vec<SlowRead>> {
        let finish = move || {
            let mut all = Vec::new();
            for (end, thread) in self.threads {
                let _ = end.send(ends);
                all.push(thread.join().map_err(|_| anyhow!("a slow subscriber panicked"))??);
            }
            Ok(all)
        };
        tokio::task::spawn_blocking(finish).await.context("a slow subscriber panicked")?
    }
}

impl SlowFigures {
    /// The figures of readers that stopped for `stopped_s` seconds, beside those of the others without and with it.
    pub(super) fn new(read: &[SlowRead], stopped_s: u64, (without, with): (u32, u32)) -> Self {
        SlowFigures {
            subscribers: read.len(),
            stopped_s,
            latency_us_p99_without: without,
            latency_us_p99_with_slow: with,
            ratio: f64::from(with) / f64::from(without.max(1)),
            missed: read.iter().map(|it| it.missed).sum(),
            lost: read.iter().map(|it| it.lost).sum(),
            caught_up_ms: read.iter().map(|it| it.caught_up_ms).max().unwrap_or(0),
        }
    }
}

/// Reads both topics up to their ends, with the stops between.
async fn read(
    target: &str,
    stop: &AtomicBool,
    ready: tokio::sync::oneshot::Sender<()>,
    ends: &mpsc::Receiver<Ends>,
) -> anyhow::Result<SlowRead> {
    let (mut client, all) = subscribed(target, TOPIC, TopicDelivery::Ordered).await?;
    let bulk = subscribe(&mut client, BULK_TOPIC, TopicDelivery::Ordered).await?;
    let _ = ready.send(());
    let (mut slow, mut last, mut end) = (SlowRead::default(), [0; 2], None);
    let (mut awake, mut awake_ms) = (Instant::now(), u64::MAX);
    loop {
        if stop.load(Ordering::Relaxed) {
            while stop.load(Ordering::Relaxed) {
                std::thread::sleep(LOOK);
            }
            (awake, awake_ms) = (Instant::now(), wall_ms());
        }
        client.wait(LOOK).await;
        client.update();
        while let Some(event) = client.poll_event() {
            let ClientEvent::Topic(event) = event else {
                check(&event)?;
                continue;
            };
            let last = &mut last[usize::from(event.subscription() == bulk)];
            debug_assert!(event.subscription() == bulk || event.subscription() == all);
            match event {
                TopicEvent::Message { message, .. } => {
                    // The first that comes is where it began.
                    slow.lost += if *last == 0 { 0 } else { message.sequence - *last - 1 };
                    *last = message.sequence;
                    if message.time_ms > awake_ms {
                        slow.caught_up_ms = awake.elapsed().as_millis() as u64;
                        awake_ms = u64::MAX;
                    }
                }
                TopicEvent::Missed { from, to, .. } => {
                    slow.missed += to + 1 - from;
                    *last = to;
                }
                TopicEvent::Following { .. } => {}
            }
        }
        end = end.or_else(|| ends.try_recv().ok());
        let is_late = awake.elapsed() > CATCH_UP_TIME;
        if let Some(ends) = end
            && (is_late || (0..2).all(|at| last[at] >= ends[at]))
        {
            slow.lost += (0..2).map(|at| ends[at].saturating_sub(last[at])).sum::<u64>();
            client.close().await;
            return Ok(slow);
        }
    }
}

fn wall_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64
}
