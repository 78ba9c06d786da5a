//! Every limit and setting of the server, with its unit in its name.
//!
//! A value comes from, the later the stronger: the defaults below, a TOML file (`--config`), the
//! environment (`TICKWIRE_` and the name in capitals) and the command line. A wrong one is refused
//! with its name, where it came from, and what is allowed.

mod load;
mod settings;

use std::net::{Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use load::ConfigError;
use settings::settings;

settings! {
    /// Limits and settings of one room.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    pub struct RoomConfig {
        /// Seats in a room.
        players_max: usize = 1000, in 1..=100_000;
        /// Watchers in a room.
        spectators_max: usize = 100, in 0..=100_000;
        /// Entities in a room; what a game shows beyond it is not sent.
        entities_max: usize = 65_535, in 1..=65_535;
        /// Most bytes of a snapshot datagram, also bounded by each connection's path.
        snapshot_bytes_max: usize = 1200, in 200..=1400;
        /// Most bytes of snapshots to one client in a second; 0 for no limit but that of each datagram.
        snapshot_bytes_per_s_max: u32 = 0, in 0..=100_000_000;
        /// Bytes a second that a client which has just joined, or was not heard for long, gets of the world on its
        /// control stream, beside its snapshots, in parts of at least 1200; with 0 all is sent in snapshots.
        keyframe_bytes_per_s_max: u32 = 1_000_000, in 0..=100_000_000;
        /// Bytes of such keyframes in one tick of a room, for all its clients.
        keyframe_bytes_per_tick_max: u32 = 65_536, in 2048..=16_777_216;
        /// Percent of a view's radius beyond which entities are far.
        far_from_percent: u32 = 50, in 0..=100;
        /// A far entity is sent once in this many ticks.
        far_interval_ticks: u32 = 2, in 1..=30;
        /// Inputs are accepted for this many ticks before and after the current one.
        input_window_ticks: u32 = 32, in 1..=1024;
        /// Most ticks that lag compensation goes back.
        rewind_ticks_max: u32 = 15, in 0..=63;
        /// Commands of one player that a tick hands to the game; the others wait for the next ticks.
        commands_per_tick_max: usize = 8, in 1..=1024;
        /// Commands of one player that wait; beyond it they are refused.
        commands_queued_max: usize = 64, in 1..=65_536;
        /// Events kept for a client that does not acknowledge them; beyond it the oldest that was not sent is dropped.
        events_queued_max: usize = 1024, in 1..=65_536;
        /// Characters of a chat message.
        chat_characters_max: usize = 500, in 1..=4000;
        /// Chat messages at once.
        chat_burst_messages: u32 = 5, in 1..=1000;
        /// Seconds until the whole burst is available again.
        chat_refill_s: u32 = 5, in 1..=3600;
        /// Characters of a display name.
        name_characters_max: usize = 32, in 1..=64;
        /// Display names that nobody may have, nor one that looks like them, separated by commas.
        names_reserved: List = List::of(&["admin", "administrator", "moderator", "server", "system"]);
        /// Bytes of the options, as JSON, that a room is made or joined with.
        options_bytes_max: usize = 4096, in 0..=16_384;
        /// Bytes of what a game shows of a room in lists, as JSON.
        metadata_bytes_max: usize = 512, in 0..=4096;
        /// Seconds between two members that a room's host removes.
        kick_pause_s: u32 = 10, in 1..=3600;
        /// Seconds for which who was removed cannot come back into the room.
        kick_return_s: u32 = 300, in 0..=86_400;
    }
}

settings! {
    /// Limits and settings of the server.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    pub struct ServerConfig {
        /// UDP address for browsers and native clients; port 0 takes a free one.
        listen: SocketAddr = SocketAddr::from((Ipv6Addr::UNSPECIFIED, 4433));
        /// Serve the page, the certificate hashes and the health checks over HTTP.
        http: bool = true;
        /// TCP address of the HTTP side; the same as `listen` unless given.
        http_listen: Option<SocketAddr> = None;
        /// HTTP connections at once.
        http_connections_max: usize = 1024, in 1..=65_536;
        /// HTTP connections at once of one address (a /64 of IPv6; a /56 may have twice as many, a /48 four
        /// times); as many as of all behind a proxy. Beyond it they wait, but for health checks.
        http_connections_prefix_max: usize = 128, in 1..=65_536;
        /// Milliseconds for a request's head, between two requests, and until the peer takes more of an answer.
        http_stall_ms: u32 = 10_000, in 100..=600_000;
        /// Seconds of an HTTP connection in all, and then of the answer under way for as long as above.
        http_connection_s: u32 = 300, in 1..=86_400;
        /// Tell programs on this machine at `/stats.json` how the server is doing. Behind a proxy on this machine
        /// that adds no `X-Forwarded-For` or `Via`, it would tell everyone: set it to false there.
        stats: bool = true;
        /// Take players over WebSocket at `/ws` of the HTTP side, for networks that let no UDP through.
        websocket: bool = true;
        /// Bytes of a WebSocket message; the largest frame must fit.
        websocket_message_bytes_max: usize = 65_541, in 65_541..=16_777_216;
        /// Bytes of a WebSocket that the system keeps until the client has them.
        websocket_send_bytes: usize = 16_384, in 4096..=16_777_216;
        /// Milliseconds of snapshots on their way to a WebSocket client; until it confirms some, newer
        /// ones take each other's place.
        websocket_unconfirmed_ms: u32 = 500, in 50..=60_000;
        /// Directory of the page, in place of what the game brings.
        page_dir: Option<PathBuf> = None;
        /// Content-Security-Policy of the page: what it may load and connect to, and who may frame it.
        page_policy: String = String::from(PAGE_POLICY);
        /// PEM file of the certificate chain; needs `key_file`. Read again when it changes.
        cert_file: Option<PathBuf> = None;
        /// PEM file of the private key.
        key_file: Option<PathBuf> = None;
        /// Directory of the development certificates, used without `cert_file`, and of the secret by which
        /// clients learn of a restart after a crash; one for each server.
        certs_dir: PathBuf = PathBuf::from(".tickwire/certs");
        /// More names and addresses for the development certificates, separated by commas.
        certs_names: List = List::default();
        /// Seconds between two looks at whether the certificate must change.
        certs_check_s: u32 = 3600, in 1..=86_400;
        /// Web origins that may connect, separated by commas; `*` for any. Without one: pages on
        /// this machine, and pages of the host the browser reached the server under.
        allowed_origins: List = List::default();
        /// Sessions at once.
        connections_max: usize = 10_000, in 1..=1_000_000;
        /// Percent of the sessions, and of the handshakes at once, that one address may have (a /64 of IPv6; a
        /// /56 twice, a /48 three times as many). Sessions of loopback are not counted.
        prefix_share_percent: u32 = 25, in 1..=100;
        /// Milliseconds a session may be in no room until it is ended.
        roomless_ms: u32 = 300_000, in 1000..=86_400_000;
        /// Rooms at once.
        rooms_max: usize = 10_000, in 1..=1_000_000;
        /// Rooms that one session made and that are there.
        rooms_session_max: usize = 8, in 1..=1_000_000;
        /// Rooms that sessions of one address (a /64 of IPv6) made and that are there; of a /56 twice as many, of a
        /// /48 four times. More where all players come through one proxy.
        rooms_prefix_max: usize = 100, in 1..=1_000_000;
        /// Rooms made a second by sessions of one address.
        rooms_prefix_hz: u32 = 1, in 1..=10_000;
        /// Rooms made at once by sessions of one address.
        rooms_prefix_burst: u32 = 50, in 1..=100_000;
        /// Rooms in one list; fewer where their tags and metadata do not fit a frame.
        rooms_listed_max: usize = 500, in 1..=1000;
        /// Milliseconds between two looks at what changed in the lists of rooms that clients follow.
        rooms_push_ms: u32 = 1000, in 100..=60_000;
        /// Different lists of rooms that are followed at once; beyond it clients have to ask for theirs.
        rooms_queries_max: usize = 256, in 1..=65_536;
        /// Seconds until a room that nobody is in is removed.
        room_empty_s: u32 = 30, in 1..=86_400;
        /// Threads for simulation; 0 for half the processors.
        sim_threads: usize = 0, in 0..=1024;
        /// Run simulation threads in the real-time class (SCHED_FIFO) where the system permits it: on a
        /// busy machine ticks are then late by a tenth of a millisecond in place of tens.
        realtime: bool = false;
        /// Real-time priority, lowest first.
        realtime_priority: u8 = 10, in 1..=98;
        /// Ticks run in a row when a thread is late; later than that, the missed ticks are skipped.
        catch_up_ticks_max: u32 = 5, in 1..=120;
        /// Threads for streams and HTTP; 0 for one a processor. The socket has one of its own.
        network_threads: usize = 0, in 0..=1024;
        /// Milliseconds from the first packet, or a WebSocket's request, to a whole hello.
        handshake_ms: u32 = 5000, in 100..=60_000;
        /// Handshakes at once of addresses that are proven; what comes beyond it is not answered.
        handshakes_max: usize = 1024, in 1..=65_536;
        /// Handshakes at once of addresses that are not; beyond it an address must prove itself first.
        handshakes_retry_above: usize = 256, in 0..=65_536;
        /// Handshakes a second of addresses that are not proven; beyond it an address must prove itself first.
        handshakes_unproven_hz: u32 = 128, in 1..=100_000;
        /// Percent of the network thread's time that handshakes may take; the rest of them waits.
        handshakes_percent: u32 = 25, in 1..=100;
        /// Packets of handshakes that wait for their turn, a quarter of them from one address (a /48 of IPv6);
        /// beyond it they are dropped.
        handshake_packets_max: usize = 1024, in 16..=1_048_576;
        /// Handshakes a second from one proven address (a /64 of IPv6; a /56 twice, a /48 three times as many);
        /// loopback is not counted.
        handshakes_prefix_hz: u32 = 64, in 1..=100_000;
        /// Handshakes at once from one address.
        handshakes_prefix_burst: u32 = 256, in 1..=100_000;
        /// Addresses remembered for the two settings above.
        handshakes_prefixes_max: usize = 65_536, in 16..=10_000_000;
        /// Bidirectional streams of a connection.
        bidi_streams_max: u32 = 4, in 4..=64;
        /// Unidirectional streams of a connection; a browser needs at least 3 for itself.
        uni_streams_max: u32 = 8, in 3..=64;
        /// Unread bytes of a stream.
        stream_window_bytes: u32 = 65_536, in 16_384..=16_777_216;
        /// Unread bytes of a connection.
        connection_window_bytes: u32 = 262_144, in 65_536..=67_108_864;
        /// Unacknowledged stream bytes of a connection.
        send_window_bytes: u32 = 262_144, in 65_536..=67_108_864;
        /// Connections that are over and kept until their peers know; beyond it the oldest are forgotten.
        draining_max: usize = 2048, in 1..=1_000_000;
        /// Datagram bytes of a connection that came and wait to be read.
        datagram_receive_bytes: usize = 65_536, in 4096..=16_777_216;
        /// Milliseconds of silence until a connection is lost, and from the first byte of a frame or a
        /// WebSocket message to its last.
        idle_ms: u32 = 15_000, in 1000..=600_000;
        /// Milliseconds between two signs of life.
        keep_alive_ms: u32 = 4000, in 100..=300_000;
        /// Microseconds in which packets gather before they are taken in: with more, fewer wake-ups
        /// and later inputs. A packet that comes after silence is taken in at once.
        udp_gather_us: u32 = 500, in 0..=5000;
        /// Bytes the system should keep of incoming packets; less is taken where it permits less.
        udp_receive_bytes: usize = 8_388_608, in 65_536..=1_073_741_824;
        /// Bytes the system should keep of outgoing packets.
        udp_send_bytes: usize = 8_388_608, in 65_536..=1_073_741_824;
        /// Bytes of frames that wait for a slow client before it is closed.
        reliable_bytes_max: usize = 262_144, in 65_536..=67_108_864;
        /// Milliseconds frames may wait for a slow client before it is closed.
        reliable_ms: u32 = 5000, in 100..=600_000;
        /// Frames a second on each stream of one client; it waits beyond that.
        control_frames_hz: u32 = 20, in 1..=10_000;
        /// Frames at once on each stream of one client.
        control_frames_burst: u32 = 40, in 2..=10_000;
        /// Rooms a second that one client asks to join or watch; it waits beyond that.
        joins_hz: u32 = 2, in 1..=10_000;
        /// Rooms at once that one client asks to join or watch.
        joins_burst: u32 = 10, in 1..=10_000;
        /// Commands a second that one client asks of its game; beyond it they are refused, and count as other frames.
        commands_hz: u32 = 20, in 1..=10_000;
        /// Commands at once that one client asks of its game.
        commands_burst: u32 = 40, in 1..=10_000;
        /// Milliseconds that what a client asks waits for what it wrote before, while none of that comes: its
        /// two streams may overtake each other.
        request_wait_ms: u32 = 5000, in 100..=60_000;
        /// Input datagrams a tick of one client; the rest is dropped unread.
        inputs_per_tick_max: u32 = 2, in 1..=64;
        /// Inputs that wait for a room's next tick; beyond it they are dropped.
        mailbox_inputs_max: usize = 8192, in 16..=1_048_576;
        /// Other messages that wait for a room's next tick; beyond it their senders wait.
        mailbox_messages_max: usize = 1024, in 16..=1_048_576;
        /// Ticks of a simulation thread that wait for the network; beyond it snapshots are dropped.
        outbox_ticks_max: usize = 1024, in 4..=1_048_576;
        /// Frames of a room that wait for the network; beyond it the room is stopped.
        outbox_frames_max: usize = 65_536, in 1024..=16_777_216;
        /// Milliseconds a goodbye may take to reach its client.
        goodbye_ms: u32 = 1000, in 10..=60_000;
        /// Milliseconds one tick may take until the log, `/readyz` and `/stats.json` name its room.
        watchdog_ms: u32 = 2000, in 10..=600_000;
        /// Milliseconds a stop may take in all.
        stop_ms: u32 = 5000, in 100..=600_000;
        /// What is logged, as `tracing` filters: `info`, `tickwire_server=debug`, ...
        log: String = String::from("info,quinn_proto=warn,quinn_udp=warn");
        /// Lines a second that one place in the code may log, ten times as many at once; the others are
        /// counted, and the next line says how many they were. 0 for no bound.
        log_lines_hz: u32 = 10, in 0..=1_000_000;
        /// Every room.
        room: RoomConfig = RoomConfig::default();
    }
}

/// Scripts and WebAssembly of the server itself, and a game on whichever server.
const PAGE_POLICY: &str = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; \
    worker-src 'self' blob:; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; \
    media-src 'self' data: blob:; font-src 'self' data:; \
    connect-src 'self' data: blob: http: https: ws: wss:; object-src 'none'; base-uri 'self'; \
    form-action 'self'; frame-ancestors 'self'";

impl ServerConfig {
    /// Simulation threads with 0 resolved.
    pub fn sim_threads_resolved(&self) -> usize {
        if self.sim_threads == 0 { (processors() / 2).max(1) } else { self.sim_threads }
    }

    /// Network threads with 0 resolved.
    pub fn network_threads_resolved(&self) -> usize {
        if self.network_threads == 0 { processors() } else { self.network_threads }
    }

    pub(crate) fn handshake_time(&self) -> Duration {
        Duration::from_millis(u64::from(self.handshake_ms))
    }

    pub(crate) fn idle_time(&self) -> Duration {
        Duration::from_millis(u64::from(self.idle_ms))
    }

    pub(crate) fn goodbye_time(&self) -> Duration {
        Duration::from_millis(u64::from(self.goodbye_ms))
    }
}

/// Several words: a list in the file, separated by commas elsewhere.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct List(pub Vec<String>);

impl List {
    /// A list of these words.
    pub fn of(words: &[&str]) -> Self {
        List(words.iter().map(|word| (*word).to_owned()).collect())
    }
}

impl<'de> Deserialize<'de> for List {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "a list of words, or words separated by commas")]
        enum Form {
            Words(Vec<String>),
            Line(String),
        }
        let words = match Form::deserialize(deserializer)? {
            Form::Words(words) => words,
            Form::Line(line) => line.split(',').map(str::to_owned).collect(),
        };
        let trimmed = words.iter().map(|word| word.trim().to_owned());
        Ok(List(trimmed.filter(|word| !word.is_empty()).collect()))
    }
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

#[cfg(test)]
mod reference;
