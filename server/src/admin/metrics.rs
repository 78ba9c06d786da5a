//! What is counted, in OpenMetrics text, which Prometheus reads. Names and units follow its conventions; a label's values
//! are fixed words or names of threads, never what a peer chose.

mod families;

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use hdrhistogram::Histogram;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, text::encode};
use prometheus_client::registry::Registry;

use super::process::ProcessSample;
use super::views::{ServerPhase, ServerView};
use crate::counters::Counts;
use crate::journal::FollowerStats;
use crate::scheduler::Timing;
use crate::store::{StoreHealth, StoreStats};
use families::Families;

/// The form of [`text`].
pub(super) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// The upper bounds of the buckets of times, in microseconds: from a tenth of a millisecond to a second.
const BUCKETS_US: [u64; 13] =
    [100, 250, 500, 1000, 2500, 5000, 10_000, 16_667, 25_000, 50_000, 100_000, 250_000, 1_000_000];

/// All that is counted, at one moment.
#[derive(Debug)]
pub(super) struct MetricsSample {
    pub(super) server: ServerView,
    pub(super) began: SystemTime,
    pub(super) counts: Counts,
    pub(super) timing: Timing,
    pub(super) connections: usize,
    pub(super) quic_connections: usize,
    pub(super) topic_readers: usize,
    pub(super) webhooks_lag_ms: u64,
    pub(super) store: Option<StoreStats>,
    pub(super) follower: Option<FollowerStats>,
}

/// The answer to `/metrics`.
pub(super) fn text(sample: MetricsSample) -> String {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(sample));
    let mut text = String::with_capacity(16 * 1024);
    // Writing to a string does not fail.
    let _ = encode(&mut text, &registry);
    text
}

impl Collector for MetricsSample {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut families = Families::new(encoder);
        self.encode_load(&mut families)?;
        self.encode_ticks(&mut families)?;
        encode_sessions(&self.counts, &mut families)?;
        encode_traffic(&self.counts, &self.timing, &mut families)?;
        encode_topics(&self.counts, &mut families)?;
        if let Some(store) = &self.store {
            encode_store(store, &mut families)?;
        }
        if let Some(follower) = &self.follower {
            encode_follower(follower, &mut families)?;
        }
        encode_process(&ProcessSample::take(), self.began, &mut families)
    }
}

impl MetricsSample {
    fn encode_load(&self, to: &mut Families<'_>) -> fmt::Result {
        let server = &self.server;
        to.info(
            "tickwire_build",
            "The server's version and game",
            [("version", &server.version), ("game", &server.game)],
        )?;
        let is_ready = server.phase == ServerPhase::Ready;
        to.gauge("tickwire_ready", "1 while sessions are taken", u64::from(is_ready))?;
        to.gauge(
            "tickwire_sessions",
            "Sessions that have said hello and have not ended",
            server.sessions,
        )?;
        to.gauge(
            "tickwire_connections",
            "Connections, those before the hello included",
            self.connections,
        )?;
        to.gauge(
            "tickwire_quic_connections",
            "QUIC connections, those in their handshake and those just closed included",
            self.quic_connections,
        )?;
        to.gauge("tickwire_rooms", "Rooms", server.rooms)?;
        to.gauge(
            "tickwire_rooms_stalled",
            "Rooms whose tick does not end",
            server.stalled_rooms.len(),
        )?;
        to.gauges(
            "tickwire_members",
            "Members of rooms",
            "kind",
            [("player", server.players), ("bot", server.bots), ("spectator", server.spectators)],
        )?;
        to.gauge(
            "tickwire_topic_readers",
            "Event streams of topics over HTTP",
            self.topic_readers,
        )?;
        to.gauge(
            "tickwire_webhook_lag_seconds",
            "For how long the message has waited that a webhook posts",
            self.webhooks_lag_ms as f64 / 1000.0,
        )
    }

    fn encode_ticks(&self, to: &mut Families<'_>) -> fmt::Result {
        let timing = &self.timing;
        to.gauge(
            "tickwire_tick_rate_hertz",
            "Ticks a second of every room",
            u64::from(self.server.tick_hz),
        )?;
        to.histogram(
            "tickwire_tick_duration_seconds",
            "From a tick's start to its end",
            &buckets(&timing.duration_us),
        )?;
        to.histogram(
            "tickwire_tick_lateness_seconds",
            "From a tick's deadline to its start",
            &buckets(&timing.lateness_us),
        )?;
        to.counter(
            "tickwire_tick_overruns",
            "Ticks that began a whole tick late or more",
            timing.overruns,
        )?;
        to.counter(
            "tickwire_ticks_skipped",
            "Ticks left out because too many were due",
            timing.skipped,
        )
    }
}

fn encode_sessions(counts: &Counts, to: &mut Families<'_>) -> fmt::Result {
    to.counters(
        "tickwire_session_events",
        "Sessions that began, lost their connection, went on over another one, and ended",
        "event",
        [
            ("started", counts.sessions_started),
            ("lost", counts.sessions_lost),
            ("resumed", counts.sessions_resumed),
            ("ended", counts.sessions_ended),
        ],
    )?;
    to.counters(
        "tickwire_sessions_refused",
        "Sessions that were not let in, or not let back",
        "reason",
        [
            ("unauthenticated", counts.sessions_unauthenticated),
            ("banned", counts.sessions_banned),
            ("over_share", counts.sessions_over_share),
            ("origin", counts.origins_refused),
            ("resume", counts.resumes_refused),
        ],
    )?;
    to.counters(
        "tickwire_sessions_closed",
        "Sessions that the server ended",
        "reason",
        [
            ("replaced", counts.sessions_replaced),
            ("without_room", counts.sessions_without_room),
            ("too_slow", counts.sessions_too_slow),
        ],
    )?;
    to.counters(
        "tickwire_handshakes",
        "Connection attempts that did not go on at once",
        "outcome",
        [
            ("ignored", counts.handshakes_ignored),
            ("retried", counts.handshakes_retried),
            ("failed", counts.handshakes_failed),
        ],
    )?;
    to.counter(
        "tickwire_handshake_packets_dropped",
        "Handshake packets dropped because too many waited",
        counts.handshake_packets_dropped,
    )?;
    to.counter("tickwire_rooms_failed", "Rooms stopped by a fault in the game", counts.rooms_failed)
}

fn encode_traffic(counts: &Counts, timing: &Timing, to: &mut Families<'_>) -> fmt::Result {
    to.counters(
        "tickwire_datagrams",
        "Datagrams",
        "direction",
        [("in", counts.datagrams_in), ("out", counts.datagrams_out)],
    )?;
    to.counters(
        "tickwire_datagram_bytes",
        "Bytes of datagrams",
        "direction",
        [("in", counts.datagram_bytes_in), ("out", counts.datagram_bytes_out)],
    )?;
    to.counter(
        "tickwire_udp_receive_failures",
        "Times that the system could not deliver packets",
        counts.udp_receive_failures,
    )?;
    to.counters(
        "tickwire_inputs_dropped",
        "Inputs that no room had",
        "reason",
        [
            ("too_fast", counts.inputs_too_fast),
            ("without_room", counts.inputs_without_room),
            ("room_behind", counts.inputs_room_behind),
        ],
    )?;
    to.counters(
        "tickwire_snapshots_dropped",
        "Snapshots that their clients did not get",
        "reason",
        [
            ("network_behind", timing.snapshots_dropped),
            ("too_large", counts.snapshots_too_large),
            ("replaced", counts.snapshots_replaced),
            ("undeliverable", counts.snapshots_undeliverable),
        ],
    )?;
    to.counter(
        "tickwire_events_dropped",
        "Events lost to a client because too many waited for it",
        timing.events_dropped,
    )?;
    to.counter("tickwire_commands_refused", "Commands that no step had", counts.commands_refused)?;
    to.counter(
        "tickwire_static_bytes",
        "Bytes of static data that clients loaded",
        counts.static_bytes_out,
    )
}

fn encode_topics(counts: &Counts, to: &mut Families<'_>) -> fmt::Result {
    to.counter("tickwire_topic_messages", "Messages published to topics", counts.topics_published)?;
    to.counter(
        "tickwire_topic_requests_refused",
        "Requests of topics that were refused",
        counts.topics_refused,
    )?;
    to.counters(
        "tickwire_topic_datagrams",
        "Messages that may be lost, by whether they came in order, came late, or did not come",
        "outcome",
        [
            ("received", counts.topics_lossy_received),
            ("late", counts.topics_lossy_late),
            ("lost", counts.topics_lossy_lost),
            ("refused", counts.topics_lossy_refused),
        ],
    )?;
    to.counters(
        "tickwire_topic_bytes",
        "Bytes of messages of topics that went out",
        "over",
        [("session", counts.topic_bytes_out), ("http", counts.topic_event_bytes_out)],
    )?;
    to.counters(
        "tickwire_webhook_messages",
        "Messages of topics, by what became of them at webhooks",
        "outcome",
        [
            ("delivered", counts.webhooks_delivered),
            ("skipped", counts.webhooks_skipped),
            ("dead", counts.webhooks_dead),
            ("missed", counts.webhooks_missed),
        ],
    )?;
    to.counter(
        "tickwire_webhook_failures",
        "Attempts of webhooks that failed",
        counts.webhooks_failed,
    )
}

fn encode_store(store: &StoreStats, to: &mut Families<'_>) -> fmt::Result {
    let is_saving = store.state == StoreHealth::Saving;
    to.gauge(
        "tickwire_store_healthy",
        "1 while the store keeps what it is given",
        u64::from(is_saving),
    )?;
    to.counters(
        "tickwire_store_saved",
        "What the disk has",
        "of",
        [
            ("chat", store.messages_kept),
            ("topics", store.topics_kept),
            ("profiles", store.profiles_saved),
            ("scores", store.scores_saved),
        ],
    )?;
    to.counters(
        "tickwire_store_not_saved",
        "What the disk did not take",
        "of",
        [
            ("chat", store.messages_not_kept),
            ("topics", store.topics_not_kept),
            ("profiles", store.profiles_not_saved),
            ("scores", store.scores_not_saved),
        ],
    )?;
    to.counters(
        "tickwire_store_stale",
        "Saves that came after a newer one of the same",
        "of",
        [("profiles", store.profiles_stale), ("scores", store.scores_stale)],
    )?;
    to.counters(
        "tickwire_store_reads",
        "What was read",
        "of",
        [
            ("chat", store.look_ups),
            ("profiles", store.profiles_read),
            ("scores", store.scores_read),
        ],
    )?;
    to.counter(
        "tickwire_store_records_damaged",
        "Damaged records that were come by",
        store.records_damaged,
    )?;
    to.gauge("tickwire_store_queued", "Requests that wait for the store", store.queued)?;
    to.gauge("tickwire_store_queued_bytes", "Bytes of them, about", store.queued_bytes)?;
    to.gauge("tickwire_store_disk_bytes", "Bytes of the store's file", store.disk_bytes)
}

fn encode_follower(follower: &FollowerStats, to: &mut Families<'_>) -> fmt::Result {
    to.gauges(
        "tickwire_journal_rooms",
        "Rooms with a journal, by whether the follower checks them",
        "state",
        [
            ("followed", follower.rooms),
            ("not_deterministic", follower.rooms_not_deterministic),
            ("not_followed", follower.rooms_not_followed),
        ],
    )?;
    to.gauge(
        "tickwire_journal_lag_ticks",
        "Ticks that the follower is behind, of the room with the most",
        follower.lag_ticks_max,
    )?;
    to.counters(
        "tickwire_journal_checkpoints",
        "Checkpoints of rooms",
        "outcome",
        [("written", follower.checkpoints), ("failed", follower.checkpoints_failed)],
    )?;
    to.counter(
        "tickwire_journal_removed_bytes",
        "Bytes of files that are no longer kept",
        follower.bytes_removed,
    )
}

fn encode_process(
    process: &ProcessSample,
    began: SystemTime,
    to: &mut Families<'_>,
) -> fmt::Result {
    let began = began.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    to.gauge("process_start_time_seconds", "When the server began, in seconds since 1970", began)?;
    if let Some(cpu_s) = process.cpu_s {
        to.counter("process_cpu_seconds", "Processor time of the process", cpu_s)?;
    }
    if let Some(bytes) = process.resident_bytes {
        to.gauge("process_resident_memory_bytes", "Memory of the process", bytes)?;
    }
    if let Some(files) = process.open_files {
        to.gauge("process_open_fds", "Open files of the process", files)?;
    }
    if process.thread_cpu_s.is_empty() {
        return Ok(());
    }
    let threads = process.thread_cpu_s.iter().map(|(name, cpu_s)| (&**name, *cpu_s));
    to.counters(
        "tickwire_thread_cpu_seconds",
        "Processor time of the threads of a name",
        "thread",
        threads,
    )
}

/// A histogram of seconds: its sum, its count, and the counts between the bounds.
#[derive(Debug, PartialEq)]
struct TimeBuckets {
    sum_s: f64,
    count: u64,
    buckets: Vec<(f64, u64)>,
}

fn buckets(times_us: &Histogram<u64>) -> TimeBuckets {
    let mut buckets = Vec::with_capacity(BUCKETS_US.len() + 1);
    let mut counted = 0;
    for bound in BUCKETS_US {
        // To within the histogram's one per cent.
        let up_to = times_us.count_between(0, bound);
        buckets.push((bound as f64 / 1e6, up_to.saturating_sub(counted)));
        counted = counted.max(up_to);
    }
    let count = times_us.len();
    buckets.push((f64::INFINITY, count.saturating_sub(counted)));
    TimeBuckets { sum_s: times_us.mean() * count as f64 / 1e6, count, buckets }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_counter_is_exported() {
        let counts = Counts::numbered();
        let mut registry = Registry::default();
        registry.register_collector(Box::new(CountsAlone(counts)));
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        let serde_json::Value::Object(counts) = serde_json::to_value(counts).unwrap() else {
            panic!("counts are an object")
        };
        for (name, count) in counts {
            let sample = format!(" {count}\n");
            assert_eq!(text.matches(&sample).count(), 1, "{name} is not in one line of {text}");
        }
    }

    #[derive(Debug)]
    struct CountsAlone(Counts);

    impl Collector for CountsAlone {
        fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
            let mut families = Families::new(encoder);
            encode_sessions(&self.0, &mut families)?;
            encode_traffic(&self.0, &Timing::new(0), &mut families)?;
            encode_topics(&self.0, &mut families)
        }
    }

    #[test]
    fn each_time_is_in_one_bucket() {
        let mut timing = Timing::new(0);
        for duration_ns in [0, 90_000, 2_000_000, 2_000_000, 90_000_000, 30_000_000_000] {
            timing.record(0, duration_ns);
        }
        let TimeBuckets { sum_s, count, buckets } = buckets(&timing.duration_us);
        let filled: Vec<_> = buckets.iter().filter(|(_, count)| *count > 0).copied().collect();
        assert_eq!(filled, [(0.0001, 2), (0.0025, 2), (0.1, 1), (f64::INFINITY, 1)]);
        assert_eq!((count, buckets.len()), (6, BUCKETS_US.len() + 1));
        assert!((sum_s - 30.094).abs() < 0.5, "{sum_s}");
    }
}
