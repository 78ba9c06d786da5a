//! Reads messages, posts them one after another, and records how far that has come.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::time::Duration;

use tickwire_shared::Simulation;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::event::WebhookEvent;
use super::receiver::{PostFailure, PostOutcome, WebhookReceiver};
use super::schedule::{RetryRules, RetrySchedule};
use crate::config::{List, WebhooksConfig};
use crate::connection::ServerState;
use crate::handle::{ReaderEnd, ServerHandle, TopicItem, TopicReader};
use crate::store::{DeadLetter, ServerStore, WebhookRecord, wall_ms};
use crate::topics::MergedCursor;

/// Pause before a store that failed is asked again, and before topics are read again that could not be read.
const AGAIN_PAUSE: Duration = Duration::from_secs(1);
/// The silence after which the place of a reader is recorded that has read all: it has moved past messages of other topics.
const IDLE_TIME: Duration = Duration::from_secs(10);
/// Part of the time for a stop that a request under way has.
const STOP_PARTS: u32 = 4;

/// Posts the messages of a webhook.
pub(super) struct Courier<S: Simulation> {
    host: Arc<ServerState<S>>,
    config: WebhooksConfig,
}

/// Why something is posted no more.
enum Posted {
    /// The receiver has it.
    Taken,
    Dead(DeadLetter),
    /// The server stops.
    Stopped,
}

/// The places after what is done, to be recorded.
type DonePlaces = watch::Sender<Option<MergedCursor>>;

impl<S: Simulation> Courier<S> {
    pub(super) fn new(host: &Arc<ServerState<S>>, config: WebhooksConfig) -> Self {
        Courier { host: Arc::clone(host), config }
    }

    /// Posts all messages, until the server stops and what was posted is recorded.
    pub(super) async fn run(&self, receiver: WebhookReceiver) {
        let (done, places) = watch::channel(None);
        // Messages are posted while places are written: after a kill those are posted again that were not recorded.
        let (reader, ()) = tokio::join!(self.post_all(receiver, done), self.record_all(places));
        // A stop waits for the readers, and so for what was recorded.
        drop(reader);
    }

    async fn post_all(
        &self,
        mut receiver: WebhookReceiver,
        done: DonePlaces,
    ) -> Option<TopicReader> {
        let store = self.host.rooms.store.as_ref();
        let place = store.and_then(ServerStore::webhook_place).unwrap_or_default();
        let mut place = place.parse().ok();
        if place.is_none() {
            tracing::error!("the place of webhooks is damaged: all messages are posted again");
        }
        loop {
            let mut reader = self.read(place).await?;
            match self.post_from(&mut reader, &mut receiver, &done).await {
                ReaderEnd::Stopped => return Some(reader),
                end => tracing::error!("webhooks begin to read again: {end}"),
            }
            place = reader.cursor();
            sleep(AGAIN_PAUSE).await;
        }
    }

    /// Begins to read after a place; `None` once the server stops.
    async fn read(&self, place: Option<MergedCursor>) -> Option<TopicReader> {
        let List(patterns) = &self.config.patterns;
        loop {
            match ServerHandle::new(&self.host).topics().read_all(patterns, place) {
                Ok(reader) => return Some(reader),
                Err(error) => tracing::error!("webhooks cannot read their topics: {error}"),
            }
            if !self.pause(AGAIN_PAUSE).await {
                return None;
            }
        }
    }

    /// Posts what a reader reads. Returns why it reads nothing more.
    async fn post_from(
        &self,
        reader: &mut TopicReader,
        receiver: &mut WebhookReceiver,
        done: &DonePlaces,
    ) -> ReaderEnd {
        let mut last = reader.cursor();
        // Several patterns match a topic, and each tells what is missed there.
        let mut missed = HashSet::new();
        loop {
            let next = tokio::select! {
                biased;
                () = self.host.webhooks.stopping() => Ok(Err(ReaderEnd::Stopped)),
                next = timeout(IDLE_TIME, reader.next()) => next,
            };
            let item = match next {
                Ok(Ok(item)) => item,
                Ok(Err(end)) => {
                    note(done, reader.cursor());
                    return end;
                }
                // It has read all, and its place is of this run now.
                Err(_) => {
                    note(done, reader.cursor());
                    continue;
                }
            };
            match &item {
                TopicItem::Missed { topic, from, to } => {
                    if !missed.insert((topic.clone(), *from, *to)) {
                        continue;
                    }
                }
                TopicItem::Message { .. } => missed.clear(),
            }
            let place = reader.cursor();
            let before = std::mem::replace(&mut last, place);
            let Some((event, time_ms)) = self.event_of(&item, (before, place)) else {
                note(done, place);
                continue;
            };
            self.host.webhooks.waits_since(time_ms);
            let posted = self.post(&event, receiver).await;
            self.host.webhooks.waits_since(0);
            let is_done = match posted {
                Posted::Taken => true,
                Posted::Dead(letter) => self.bury(letter, place).await,
                Posted::Stopped => false,
            };
            if !is_done {
                return ReaderEnd::Stopped;
            }
            note(done, place);
        }
    }

    /// What is to be posted of an item, and its time; `None` for one that is not. `before` is the place before it.
    fn event_of(
        &self,
        item: &TopicItem,
        (before, place): (Option<MergedCursor>, Option<MergedCursor>),
    ) -> Option<(WebhookEvent, u64)> {
        let counters = &self.host.counters;
        match item {
            TopicItem::Message { topic, message } => {
                // Two patterns match it.
                let place = place.filter(|place| before != Some(*place))?;
                let account = topic.rsplit('/').next().unwrap_or_default();
                if self.config.absent_only && self.host.is_present(account) {
                    counters.webhooks_skipped.increment();
                    return None;
                }
                let form = self.config.payload;
                let event = WebhookEvent::of_message((topic, message), place, form);
                Some((event, message.time_ms))
            }
            TopicItem::Missed { topic, from, to } => {
                let known = to.zip(*from).map_or(1, |(to, from)| (to + 1).saturating_sub(from));
                counters.webhooks_missed.add(known);
                let topic_name = topic.as_deref().unwrap_or("unknown topics");
                tracing::error!(
                    topic = topic_name,
                    from,
                    to,
                    "messages were gone before webhooks posted them; raise topics.history_messages, history_bytes_max or \
                     history_s"
                );
                let event = WebhookEvent::of_missed(topic.as_deref(), (*from, *to), before);
                Some((event, wall_ms()))
            }
        }
    }

    /// Posts an event until it is taken or given up.
    async fn post(&self, event: &WebhookEvent, receiver: &mut WebhookReceiver) -> Posted {
        let mut schedule = RetrySchedule::new(RetryRules::of(&self.config));
        let counters = &self.host.counters;
        let id = event.id.as_str();
        loop {
            let posted = tokio::select! {
                biased;
                posted = receiver.post(event, wall_ms() / 1000) => posted,
                () = self.end_of_requests() => return Posted::Stopped,
            };
            let attempts = schedule.attempts() + 1;
            let PostFailure { reason, has_reached, retry_after_s } = match posted {
                PostOutcome::Taken => {
                    counters.webhooks_delivered.increment();
                    if attempts > 1 {
                        tracing::info!(id, attempts, "a webhook was taken after all");
                    }
                    return Posted::Taken;
                }
                PostOutcome::Declined(reason) => return self.give_up(event, attempts, reason),
                PostOutcome::Failed(failure) => failure,
            };
            counters.webhooks_failed.increment();
            let asked_ms = retry_after_s.map(|seconds| seconds.saturating_mul(1000));
            let random = RandomState::new().hash_one(attempts);
            let Some(again_ms) = schedule.fail(has_reached, asked_ms, random) else {
                return self.give_up(event, attempts, reason);
            };
            if attempts == 1 {
                tracing::warn!(
                    id,
                    again_ms,
                    "a webhook was not taken, and is posted again: {reason}"
                );
            }
            if !self.pause(Duration::from_millis(again_ms)).await {
                return Posted::Stopped;
            }
        }
    }

    fn give_up(&self, event: &WebhookEvent, attempts: u32, reason: String) -> Posted {
        let WebhookEvent { id, body } = event;
        self.host.counters.webhooks_dead.increment();
        tracing::error!(id, attempts, "a webhook is given up, and is a dead letter: {reason}");
        // Its body is JSON.
        let (id, body) = (id.clone(), String::from_utf8_lossy(body).into_owned());
        Posted::Dead(DeadLetter { id, dead_ms: wall_ms(), attempts, reason, body })
    }

    /// Records a dead letter. Returns false if the server stops before it is on disk.
    async fn bury(&self, letter: DeadLetter, place: Option<MergedCursor>) -> bool {
        while !self.record(place, Some(letter.clone())).await {
            if !self.pause(AGAIN_PAUSE).await {
                return false;
            }
        }
        true
    }

    /// Records places, the newest one each time, until no more come.
    async fn record_all(&self, mut places: watch::Receiver<Option<MergedCursor>>) {
        while places.changed().await.is_ok() {
            loop {
                let place = *places.borrow_and_update();
                if self.record(place, None).await || !self.pause(AGAIN_PAUSE).await {
                    break;
                }
            }
        }
    }

    /// Returns true once the place is on disk.
    async fn record(&self, place: Option<MergedCursor>, dead: Option<DeadLetter>) -> bool {
        let Some(store) = &self.host.rooms.store else { return false };
        let place = place.map_or_else(String::new, |place| place.to_string());
        store.record_webhook(WebhookRecord { place, dead }).await
    }

    /// Waits. Returns false if the server stops meanwhile.
    async fn pause(&self, time: Duration) -> bool {
        tokio::select! {
            biased;
            () = self.host.webhooks.stopping() => false,
            () = sleep(time) => true,
        }
    }

    /// Waits until a request under way has had its time after the stop.
    async fn end_of_requests(&self) {
        self.host.webhooks.stopping().await;
        sleep(Duration::from_millis(u64::from(self.host.config.stop_ms)) / STOP_PARTS).await;
    }
}

/// Has a place recorded, if it is another one.
fn note(done: &DonePlaces, place: Option<MergedCursor>) {
    done.send_if_modified(|before| std::mem::replace(before, place) != place);
}
