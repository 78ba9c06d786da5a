//! The figures of a swarm.

use std::process::ExitCode;

use serde::Serialize;

use super::bot::BotResult;
use super::{ServerSide, SwarmArguments};

/// The output of `--json`.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) clients: usize,
    pub(crate) transport: String,
    pub(crate) seconds: f64,
    pub(crate) connected: usize,
    pub(crate) snapshots_per_client_second: f64,
    pub(crate) missing_fraction: f64,
    pub(crate) rtt_ms_p50: f64,
    pub(crate) rtt_ms_p99: f64,
    /// Received payload, including chat and control.
    pub(crate) down_bytes_per_client_tick: f64,
    /// Sent payload, including chat and control.
    pub(crate) up_bytes_per_client_tick: f64,
    pub(crate) chat_sent: u64,
    pub(crate) chat_received: u64,
    pub(crate) errors: u64,
    /// The first few errors, as text.
    pub(crate) error_texts: Vec<String>,
    #[serde(flatten)]
    pub(crate) server: Option<ServerReport>,
}

/// The server's part, if the swarm started it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ServerReport {
    pub(crate) server_cpu_us_per_client_tick: f64,
    pub(crate) server_rss_mb: f64,
    pub(crate) lateness_us_p50: u64,
    pub(crate) lateness_us_p99: u64,
    pub(crate) lateness_us_p999: u64,
    pub(crate) lateness_us_max: u64,
    pub(crate) tick_us_p50: u64,
    pub(crate) tick_us_p99: u64,
    pub(crate) ticks_skipped: u64,
    /// Snapshot datagrams: the number for each client and second, and their mean size.
    pub(crate) down_datagrams_per_client_second: f64,
    pub(crate) down_datagram_bytes: f64,
    /// Input datagrams.
    pub(crate) up_datagrams_per_client_second: f64,
    pub(crate) up_datagram_bytes: f64,
}

impl Report {
    pub(super) fn new(
        arguments: &SwarmArguments,
        connected: usize,
        seconds: f64,
        results: &[BotResult],
        server: Option<ServerSide>,
    ) -> Self {
        let sum = |value: fn(&BotResult) -> u64| results.iter().map(value).sum::<u64>() as f64;
        let (snapshots, expected) = (sum(|r| r.snapshots), sum(|r| r.expected).max(1.0));
        let mut rtts: Vec<f32> = results.iter().flat_map(|r| r.rtt_ms.iter().copied()).collect();
        rtts.sort_by(f32::total_cmp);
        let rtt = |part: f64| {
            let at = ((rtts.len() as f64 * part) as usize).min(rtts.len().saturating_sub(1));
            f64::from(rtts.get(at).copied().unwrap_or(0.0))
        };
        let texts: Vec<&String> = results.iter().filter_map(|r| r.error.as_ref()).collect();
        let clients = connected.max(1) as f64;
        Report {
            clients: arguments.clients,
            transport: format!("{:?}", arguments.transport).to_lowercase(),
            seconds,
            connected,
            snapshots_per_client_second: snapshots / clients / seconds,
            missing_fraction: (expected - snapshots) / expected,
            rtt_ms_p50: rtt(0.5),
            rtt_ms_p99: rtt(0.99),
            down_bytes_per_client_tick: sum(|r| r.bytes_in) / expected,
            up_bytes_per_client_tick: sum(|r| r.bytes_out) / expected,
            chat_sent: results.iter().map(|r| r.chat_sent).sum(),
            chat_received: results.iter().map(|r| r.chat_received).sum(),
            errors: texts.len() as u64 + results.iter().map(|r| r.unusable).sum::<u64>(),
            error_texts: texts.into_iter().take(5).cloned().collect(),
            server: server.map(|server| ServerReport::new(&server, clients, seconds)),
        }
    }

    /// Success if everyone connected and no error occurred.
    pub(crate) fn exit_code(&self) -> ExitCode {
        let clean = self.connected == self.clients && self.errors == 0;
        if clean { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }

    pub(super) fn print(&self) {
        let row = |name: &str, value: String| println!("{name:<34}{value:>16}");
        row("clients connected", format!("{} / {}", self.connected, self.clients));
        row("snapshots / client / s", format!("{:.2}", self.snapshots_per_client_second));
        row("snapshots missing", format!("{:.4} %", self.missing_fraction * 100.0));
        row("round trip p50", format!("{:.2} ms", self.rtt_ms_p50));
        row("round trip p99", format!("{:.2} ms", self.rtt_ms_p99));
        row("down / client / tick", format!("{:.1} B", self.down_bytes_per_client_tick));
        row("up / client / tick", format!("{:.1} B", self.up_bytes_per_client_tick));
        row("chat sent", self.chat_sent.to_string());
        row("chat received", self.chat_received.to_string());
        row("errors", self.errors.to_string());
        if let Some(server) = &self.server {
            row(
                "server CPU / client / tick",
                format!("{:.2} us", server.server_cpu_us_per_client_tick),
            );
            row("server memory", format!("{:.1} MB", server.server_rss_mb));
            row("tick lateness p50", format!("{} us", server.lateness_us_p50));
            row("tick lateness p99", format!("{} us", server.lateness_us_p99));
            row("tick lateness p99.9", format!("{} us", server.lateness_us_p999));
            row("tick lateness max", format!("{} us", server.lateness_us_max));
            row("tick duration p50", format!("{} us", server.tick_us_p50));
            row("tick duration p99", format!("{} us", server.tick_us_p99));
        }
        for text in &self.error_texts {
            println!("error: {text}");
        }
    }
}

impl ServerReport {
    fn new(server: &ServerSide, clients: f64, seconds: f64) -> Self {
        let stats = &server.stats;
        let mean = |bytes: u64, count: u64| bytes as f64 / count.max(1) as f64;
        ServerReport {
            server_cpu_us_per_client_tick: server.cpu_us as f64
                / clients
                / stats.ticks.max(1) as f64,
            server_rss_mb: server.rss_bytes as f64 / 1e6,
            lateness_us_p50: stats.lateness_us.p50,
            lateness_us_p99: stats.lateness_us.p99,
            lateness_us_p999: stats.lateness_us.p999,
            lateness_us_max: stats.lateness_us.max,
            tick_us_p50: stats.tick_duration_us.p50,
            tick_us_p99: stats.tick_duration_us.p99,
            ticks_skipped: stats.ticks_skipped,
            down_datagrams_per_client_second: stats.datagrams_out as f64 / clients / seconds,
            down_datagram_bytes: mean(stats.datagram_bytes_out, stats.datagrams_out),
            up_datagrams_per_client_second: stats.datagrams_in as f64 / clients / seconds,
            up_datagram_bytes: mean(stats.datagram_bytes_in, stats.datagrams_in),
        }
    }
}
