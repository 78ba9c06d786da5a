//! All limits and settings of the server, with units in their names.
//!
//! A value comes from, in rising precedence: the defaults below, a TOML file (`--config`), the
//! environment (`TICKWIRE_` and the name in capitals) and the command line. A wrong one is refused
//! with its name, its source, and the allowed values.

mod admin;
mod http_address;
mod in_force;
mod keys_url;
mod list;
mod load;
mod payload_form;
mod sections;
mod settings;
mod webhook_url;
mod webhooks;

use std::net::{Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use admin::AdminConfig;
pub use http_address::HttpAddress;
pub(crate) use in_force::settings_in_force;
pub use keys_url::KeysUrl;
pub use list::List;
pub use load::ConfigError;
pub use payload_form::PayloadForm;
use settings::settings;
pub use webhook_url::WebhookUrl;
pub use webhooks::WebhooksConfig;

settings! {
    /// Limits and settings of one room.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    pub struct RoomConfig {
        /// Seats in a room.
        players_max: usize = 1000, in 1..=100_000;
        /// Spectators in a room.
        spectators_max: usize = 100, in 0..=100_000;
        /// Bots in a room, where the game has any; 0 for none.
        bots_max: usize = 64, in 0..=1000;
        /// Entities in a room; the game's further entities are not sent.
        entities_max: usize = 65_535, in 1..=65_535;
        /// Most bytes of a snapshot datagram, also bounded by each connection's path.
        snapshot_bytes_max: usize = 1200, in 200..=1400;
        /// Bytes a second of snapshots to one client; 0 for no limit but that of each datagram.
        snapshot_bytes_per_s_max: u32 = 0, in 0..=100_000_000;
        /// Bytes a second of the world that a client gets as keyframes on its control stream,
        /// beside its snapshots, after it has joined or was silent for long; sent in parts of at
        /// least 1200. With 0 everything is sent in snapshots.
        keyframe_bytes_per_s_max: u32 = 1_000_000, in 0..=100_000_000;
        /// Bytes of keyframes in one tick of a room, for all its clients.
        keyframe_bytes_per_tick_max: u32 = 65_536, in 2048..=16_777_216;
        /// Percent of a view's radius beyond which entities are far.
        far_from_percent: u32 = 50, in 0..=100;
        /// A far entity is sent once in this many ticks.
        far_interval_ticks: u32 = 2, in 1..=30;
        /// Inputs are accepted for this many ticks before and after the current one.
        input_window_ticks: u32 = 32, in 1..=1024;
        /// Most ticks that lag compensation goes back.
        rewind_ticks_max: u32 = 15, in 0..=63;
        /// Commands of one player that a tick hands to the game; more wait for the next ticks.
        commands_per_tick_max: usize = 8, in 1..=1024;
        /// Commands of one player that wait; more are refused.
        commands_queued_max: usize = 64, in 1..=65_536;
        /// Events kept for a client that does not acknowledge them; beyond that the oldest unsent
        /// one is dropped.
        events_queued_max: usize = 1024, in 1..=65_536;
        /// Characters of a chat message.
        chat_characters_max: usize = 500, in 1..=4000;
        /// Chat messages at once.
        chat_burst_messages: u32 = 5, in 1..=1000;
        /// Seconds until the whole burst is available again.
        chat_refill_s: u32 = 5, in 1..=3600;
        /// Characters of a display name.
        name_characters_max: usize = 32, in 1..=64;
        /// Reserved display names, separated by commas. Names that look like them are refused too.
        names_reserved: List = List::of(&["admin", "administrator", "moderator", "server", "system"]);
        /// Bytes of a room's static data, all keys together.
        static_bytes_max: usize = 4_194_304, in 0..=67_108_864;
        /// Bytes of the room options or join options, as JSON.
        options_bytes_max: usize = 4096, in 0..=16_384;
        /// Bytes of an account's profile, as JSON.
        profile_bytes_max: usize = 16_384, in 64..=1_048_576;
        /// Bytes of a room's metadata in lists, as JSON.
        metadata_bytes_max: usize = 512, in 0..=4096;
        /// Seconds between two kicks by a room's host.
        kick_pause_s: u32 = 10, in 1..=3600;
        /// Seconds for which a kicked member cannot return to the room.
        kick_return_s: u32 = 300, in 0..=86_400;
    }
}

settings! {
    /// Limits and settings of topics, the named channels beside rooms.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    pub struct TopicsConfig {
        /// Offer topics.
        enabled: bool = false;
        /// Topics to which players may publish whose token has no claim `topics`, guests among them: names or patterns,
        /// separated by commas, `**` for all. By default none.
        publish: List = List::default();
        /// Topics to which they may subscribe, by default none.
        subscribe: List = List::default();
        /// Topics at once. One that nobody follows, and whose messages are older than `topics.history_s`, goes for a new one.
        topics_max: usize = 10_000, in 1..=1_000_000;
        /// Subscriptions of one session.
        subscriptions_max: usize = 64, in 1..=4096;
        /// Topics that one session follows by all of its subscriptions.
        followed_max: usize = 1024, in 1..=4096;
        /// Messages a second that one session publishes; more are refused.
        publish_hz: u32 = 50, in 1..=100_000;
        /// Messages at once that one session publishes.
        publish_burst: u32 = 100, in 1..=100_000;
        /// Bytes of a message.
        payload_bytes_max: usize = 16_384, in 1..=61_440;
        /// Keys of one topic.
        keys_max: usize = 1024, in 1..=1_000_000;
        /// Values that one session holds: those that are removed when it ends, as for presence.
        held_max: usize = 16, in 0..=4096;
        /// Bytes of such a value.
        held_bytes_max: usize = 1024, in 1..=61_440;
        /// Last messages of a topic that are kept for those who are behind, or subscribe later.
        history_messages: usize = 1000, in 1..=1_000_000;
        /// Bytes of those.
        history_bytes_max: usize = 1_048_576, in 65_536..=1_073_741_824;
        /// Seconds for which they are kept. The newest message of each key is kept as long as its topic.
        history_s: u32 = 600, in 1..=2_592_000;
        /// Bytes of what is kept of all topics; beyond that the oldest messages of all go. The newest messages of keys have half of
        /// them: for more, topics go as for a new one, and then messages are refused that need more place.
        bytes_max: usize = 268_435_456, in 1_048_576..=68_719_476_736;
        /// Topics whose messages the store keeps, if there is one: patterns, separated by commas; by default all.
        stored: List = List::of(&["**"]);
        /// Offer topics over HTTP too, at `/topics`.
        http: bool = true;
        /// Event streams at once. Each holds an HTTP connection.
        http_readers_max: usize = 512, in 0..=65_536;
        /// Event streams at once from one address (a /64 of IPv6; a /56 twice, a /48 four times as many). Behind a proxy, set it
        /// to the number for all.
        http_readers_prefix_max: usize = 64, in 1..=65_536;
        /// Seconds without an event after which an event stream has a line, so that nobody on the way takes it for dead.
        http_heartbeat_s: u32 = 15, in 1..=3600;
        /// Requests a second from one address; loopback is not counted. More are refused.
        http_requests_hz: u32 = 100, in 1..=100_000;
        /// Requests at once from one address.
        http_requests_burst: u32 = 200, in 1..=100_000;
        /// Accounts, and networks of guests, whose rates of publishing over HTTP are remembered; while there are as many that
        /// publish, others are refused.
        http_publishers_max: usize = 65_536, in 16..=10_000_000;
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
        /// TCP address of the HTTP side; the same as `listen` by default.
        http_listen: Option<SocketAddr> = None;
        /// HTTP connections at once.
        http_connections_max: usize = 1024, in 1..=65_536;
        /// HTTP connections at once from one address (a /64 of IPv6; a /56 twice, a /48 four times
        /// as many). Behind a proxy, set it to the number for all. More have to wait, except for
        /// health checks.
        http_connections_prefix_max: usize = 128, in 1..=65_536;
        /// Milliseconds for a request's head, between two requests, and for a stalled answer.
        http_stall_ms: u32 = 10_000, in 100..=600_000;
        /// Seconds of an HTTP connection in all; an answer under way then gets as long as
        /// `http_stall_ms`.
        http_connection_s: u32 = 300, in 1..=86_400;
        /// Show statistics at `/stats.json` to programs on this machine. Behind a proxy on this
        /// machine that adds no `X-Forwarded-For` or `Via`, everyone would see them: set it to
        /// false there.
        stats: bool = true;
        /// Accept players over WebSocket at `/ws` of the HTTP side, for networks that block UDP.
        websocket: bool = true;
        /// Bytes of a WebSocket message; the largest frame must fit.
        websocket_message_bytes_max: usize = 65_541, in 65_541..=16_777_216;
        /// Bytes of a WebSocket that the system keeps until the client has them.
        websocket_send_bytes: usize = 16_384, in 4096..=16_777_216;
        /// Milliseconds of unconfirmed snapshots on their way to a WebSocket client; beyond that a
        /// newer snapshot replaces the waiting one.
        websocket_unconfirmed_ms: u32 = 500, in 50..=60_000;
        /// Directory of the page, instead of the game's built-in one.
        page_dir: Option<PathBuf> = None;
        /// Content-Security-Policy of the page: allowed sources and connections, and who may frame
        /// it.
        page_policy: String = String::from(PAGE_POLICY);
        /// PEM file of the certificate chain; needs `key_file`. Reloaded when it changes.
        cert_file: Option<PathBuf> = None;
        /// PEM file of the private key.
        key_file: Option<PathBuf> = None;
        /// Directory of the development certificates, used without `cert_file`, and of the secret
        /// by which clients learn of a restart after a crash. Each server needs its own.
        certs_dir: PathBuf = PathBuf::from(".tickwire/certs");
        /// More names and addresses for the development certificates, separated by commas.
        certs_names: List = List::default();
        /// Seconds between two checks whether the certificate must change.
        certs_check_s: u32 = 3600, in 1..=86_400;
        /// Web origins that may connect, separated by commas; `*` for any. By default: pages on
        /// this machine, and pages of the host under which the browser reached the server.
        allowed_origins: List = List::default();
        /// Sessions at once.
        connections_max: usize = 10_000, in 1..=1_000_000;
        /// Percent of the sessions, and of the handshakes at once, that one address may have (a /64
        /// of IPv6; a /56 twice, a /48 three times as many). Loopback sessions are not counted.
        prefix_share_percent: u32 = 25, in 1..=100;
        /// Milliseconds after which a session that is in no room is ended.
        roomless_ms: u32 = 300_000, in 1000..=86_400_000;
        /// Milliseconds for which a session whose connection was lost keeps its place in its room, for its client to come
        /// back; 0 for none.
        resume_grace_ms: u32 = 30_000, in 0..=600_000;
        /// File of the keys that check join tokens: public keys in PEM, or a JWKS document. With it players need a token; without
        /// it everyone is a guest. Reloaded when it changes.
        token_keys_file: Option<PathBuf> = None;
        /// Seconds between two checks whether that file changed.
        token_keys_check_s: u32 = 10, in 1..=86_400;
        /// URL of the JWKS document of the keys that check join tokens, in place of `token_keys_file`: https, or http on this machine's
        /// loopback. Requested at the start, again and again, and when a token names an unknown key.
        token_keys_url: Option<KeysUrl> = None;
        /// PEM file of the certificate authorities by which that URL's server is trusted, in place of this machine's.
        token_keys_ca_file: Option<PathBuf> = None;
        /// Most seconds from an answer of that URL to the next request; a shorter `max-age` of the answer is honoured.
        token_keys_refresh_s: u32 = 300, in 1..=86_400;
        /// Least seconds between two requests, also where tokens name unknown keys.
        token_keys_pause_s: u32 = 2, in 1..=3600;
        /// Milliseconds for a whole request.
        token_keys_fetch_ms: u32 = 4000, in 100..=60_000;
        /// Seconds for which the last keys hold while requests fail; then no token is taken until one succeeds.
        token_keys_stale_s: u32 = 86_400, in 60..=31_536_000;
        /// The audience that tokens must name, their claim `aud`; empty for the game's name.
        token_audience: String = String::new();
        /// Most seconds from a token's `iat` to its `exp`.
        token_lifetime_max_s: u32 = 300, in 1..=86_400;
        /// Allowed difference in seconds between this machine's clock and the clock of the tokens' maker.
        token_skew_s: u32 = 10, in 0..=300;
        /// Used tokens that are remembered until they have expired, so that none is used twice. While there are as many, no token
        /// is taken.
        token_ids_max: usize = 65_536, in 16..=10_000_000;
        /// Let in players without a token as guests, beside those with one.
        token_guests: bool = false;
        /// A second session of an account ends the first; with false it is refused.
        account_newer_wins: bool = true;
        /// Rooms at once.
        rooms_max: usize = 10_000, in 1..=1_000_000;
        /// Open rooms that one session has made.
        rooms_session_max: usize = 8, in 1..=1_000_000;
        /// Open rooms made by sessions of one address (a /64 of IPv6; a /56 twice, a /48 four times
        /// as many). Raise it where all players come through one proxy.
        rooms_prefix_max: usize = 100, in 1..=1_000_000;
        /// Rooms that sessions of one address may make in a second.
        rooms_prefix_hz: u32 = 1, in 1..=10_000;
        /// Rooms that sessions of one address may make at once.
        rooms_prefix_burst: u32 = 50, in 1..=100_000;
        /// Rooms in one list; fewer where their tags and metadata do not fit a frame.
        rooms_listed_max: usize = 500, in 1..=1000;
        /// Milliseconds between two updates of the lists of rooms that clients follow.
        rooms_push_ms: u32 = 1000, in 100..=60_000;
        /// Different lists of rooms followed at once; beyond that clients must ask for theirs.
        rooms_queries_max: usize = 256, in 1..=65_536;
        /// Seats that wait for an account at once, as backends reserve them; 0 for none.
        reservations_max: usize = 10_000, in 0..=100_000;
        /// Seats of one room that wait for an account.
        reservations_room_max: usize = 1000, in 1..=100_000;
        /// Most seconds for which a seat waits for its account.
        reservation_max_s: u32 = 120, in 1..=3600;
        /// File of the private key that signs the tokens of reserved seats: PEM, or a JWKS document with a secret. Without it a
        /// key of this run does.
        reservation_key_file: Option<PathBuf> = None;
        /// URL by which clients reach this server, which the answer to a reservation has; empty for the one under which the
        /// backend asked.
        public_url: String = String::new();
        /// Seconds until an empty room is removed.
        room_empty_s: u32 = 30, in 1..=86_400;
        /// Directory of the rooms' journals, from which `replay` runs a room again; each room makes a folder in it, with its
        /// checkpoints. Names, options and inputs are in them. Each server needs its own. Without it none are kept.
        journal: Option<PathBuf> = None;
        /// Milliseconds between two writes of journals: about as much is lost when the process is killed, and more where the
        /// machine is busy.
        journal_flush_ms: u32 = 100, in 10..=60_000;
        /// Have the disk keep what is written of journals, without waiting for it: without, as much more is lost when the
        /// machine fails as the system holds back; a room of which that is more than the last segment is not restored.
        journal_sync: bool = true;
        /// Ticks between two records with all lanes of all entities, by which a replay that differs names entity and
        /// field; 0 for none.
        journal_lanes_ticks: u32 = 60, in 0..=1_000_000;
        /// Bytes of a journal's file, after which the next one is begun once the disk has it, at the latest after twice as many.
        journal_segment_bytes: usize = 67_108_864, in 4096..=1_073_741_824;
        /// Records of journals that wait for the disk; a room with more to say is not saved any more, and says so.
        journal_queued_max: usize = 65_536, in 16..=1_048_576;
        /// Bytes of records that wait for the disk.
        journal_queued_bytes: usize = 67_108_864, in 65_536..=4_294_967_296;
        /// Seconds of a room's ticks between two checkpoints, from which a replay may begin: a thread of its own follows the
        /// journals and makes them. 0 for none: then the rules are not run again, and a room's files are kept until it ends.
        journal_checkpoint_s: u32 = 30, in 0..=86_400;
        /// Bytes of the files of a room that goes on. Beyond that the oldest segments before its last two checkpoints are
        /// removed, and a replay begins later.
        journal_room_bytes: usize = 1_073_741_824, in 65_536..=1_125_899_906_842_624;
        /// Bytes of the files of all rooms. Beyond that the oldest rooms that have ended are removed.
        journal_bytes: usize = 17_179_869_184, in 65_536..=1_125_899_906_842_624;
        /// Seconds from the last record of a room that has ended until its files are removed.
        journal_ended_kept_s: u32 = 604_800, in 60..=315_360_000;
        /// Directory of the store, which keeps the rooms' chat and the accounts' profiles and scores on disk. Without it none is kept.
        store: Option<PathBuf> = None;
        /// Milliseconds in which messages, profiles and scores gather that are written to the store at once.
        store_commit_ms: u32 = 50, in 1..=10_000;
        /// Messages, profiles, scores and requests for them that wait for the store; more messages, profiles and scores are not saved.
        store_queued_max: usize = 8192, in 16..=1_048_576;
        /// Bytes of them. Requests for history have a quarter of the queue, profiles to read one, profiles to save one, and scores an
        /// eighth.
        store_queued_bytes: usize = 8_388_608, in 65_536..=4_294_967_296;
        /// Bytes of memory in which the store holds parts of its file.
        store_cache_bytes: usize = 67_108_864, in 1_048_576..=1_099_511_627_776;
        /// Accounts whose profiles the store keeps; beyond that those of other accounts are not saved.
        profiles_max: usize = 1_000_000, in 1..=1_000_000_000;
        /// Milliseconds for which the join of an account waits for its profile.
        profile_load_ms: u32 = 2000, in 50..=60_000;
        /// Accounts on a score board in a period; beyond that the last ones are removed.
        score_accounts_max: usize = 10_000, in 1..=100_000;
        /// Days, weeks and months for which the store keeps each score board, those that go on included.
        score_periods_max: u32 = 2, in 1..=100;
        /// Bans and mutes that the store keeps.
        sanctions_max: usize = 10_000, in 1..=1_000_000;
        /// Newest messages of a room that the store keeps.
        chat_history_messages: usize = 10_000, in 1..=10_000_000;
        /// Rooms whose messages the store keeps; beyond that the one without a message for the longest time is dropped.
        chat_rooms_max: usize = 10_000, in 1..=1_000_000;
        /// Newest messages of the room that a client gets after its join; 0 for none.
        chat_joined_messages: u16 = 50, in 0..=200;
        /// Threads for simulation; 0 for half the processors.
        sim_threads: usize = 0, in 0..=1024;
        /// Run simulation threads in the real-time class (SCHED_FIFO) if the system permits it: on
        /// a busy machine ticks are then late by a tenth of a millisecond instead of tens.
        realtime: bool = false;
        /// Real-time priority, lowest first.
        realtime_priority: u8 = 10, in 1..=98;
        /// Ticks that a late thread runs in a row; beyond that the missed ticks are skipped.
        catch_up_ticks_max: u32 = 5, in 1..=120;
        /// Threads for streams and HTTP; 0 for one per processor. The UDP socket has its own.
        network_threads: usize = 0, in 0..=1024;
        /// Milliseconds from the first packet, or a WebSocket's request, to the complete hello.
        handshake_ms: u32 = 5000, in 100..=60_000;
        /// Handshakes at once of proven addresses; more get no answer.
        handshakes_max: usize = 1024, in 1..=65_536;
        /// Handshakes at once of unproven addresses; beyond that an address must prove itself
        /// first.
        handshakes_retry_above: usize = 256, in 0..=65_536;
        /// Handshakes a second of unproven addresses; beyond that an address must prove itself
        /// first.
        handshakes_unproven_hz: u32 = 128, in 1..=100_000;
        /// Percent of the network thread's time for handshakes; the rest of them waits.
        handshakes_percent: u32 = 25, in 1..=100;
        /// Handshake packets that wait for their turn, at most a quarter of them from one address
        /// (a /48 of IPv6); more are dropped.
        handshake_packets_max: usize = 4096, in 16..=1_048_576;
        /// Handshakes a second from one proven address (a /64 of IPv6; a /56 twice, a /48 three
        /// times as many); loopback is not counted.
        handshakes_prefix_hz: u32 = 64, in 1..=100_000;
        /// Handshakes at once from one address.
        handshakes_prefix_burst: u32 = 256, in 1..=100_000;
        /// Addresses remembered for the two settings above, and for `topics.http_requests_hz`.
        handshakes_prefixes_max: usize = 65_536, in 16..=10_000_000;
        /// Bidirectional streams of a connection.
        bidi_streams_max: u32 = 8, in 5..=64;
        /// Unidirectional streams of a connection; a browser needs at least 3 for itself.
        uni_streams_max: u32 = 8, in 3..=64;
        /// Unread bytes of a stream.
        stream_window_bytes: u32 = 65_536, in 16_384..=16_777_216;
        /// Unread bytes of a connection.
        connection_window_bytes: u32 = 262_144, in 65_536..=67_108_864;
        /// Unacknowledged stream bytes of a connection.
        send_window_bytes: u32 = 262_144, in 65_536..=67_108_864;
        /// Closed connections kept until their peers know; beyond that the oldest are forgotten.
        draining_max: usize = 2048, in 1..=1_000_000;
        /// Received datagram bytes of a connection that wait to be read.
        datagram_receive_bytes: usize = 65_536, in 4096..=16_777_216;
        /// Milliseconds of silence after which a connection is lost, and from the first to the last
        /// byte of a frame or a WebSocket message.
        idle_ms: u32 = 15_000, in 1000..=600_000;
        /// Milliseconds between two keep-alive packets.
        keep_alive_ms: u32 = 4000, in 100..=300_000;
        /// Microseconds in which packets gather before they are handled: more means fewer wake-ups
        /// and later inputs. A packet after a silence is handled at once.
        udp_gather_us: u32 = 500, in 0..=5000;
        /// Bytes of the system's receive buffer; the system may grant less.
        udp_receive_bytes: usize = 8_388_608, in 65_536..=1_073_741_824;
        /// Bytes of the system's send buffer; the system may grant less.
        udp_send_bytes: usize = 8_388_608, in 65_536..=1_073_741_824;
        /// Bytes of frames that wait for a slow client before it is closed.
        reliable_bytes_max: usize = 262_144, in 65_536..=67_108_864;
        /// Milliseconds frames may wait for a slow client before it is closed.
        reliable_ms: u32 = 5000, in 100..=600_000;
        /// Bytes a second of a room's static data to one client.
        static_bytes_per_s_max: u32 = 1_048_576, in 4096..=1_000_000_000;
        /// Frames a second on each stream of one client; more have to wait.
        control_frames_hz: u32 = 20, in 1..=10_000;
        /// Frames at once on each stream of one client.
        control_frames_burst: u32 = 40, in 2..=10_000;
        /// Joins and watch requests a second of one client; more have to wait.
        joins_hz: u32 = 2, in 1..=10_000;
        /// Joins and watch requests at once of one client.
        joins_burst: u32 = 10, in 1..=10_000;
        /// Commands a second of one client; more are refused, and count as other frames.
        commands_hz: u32 = 20, in 1..=10_000;
        /// Commands at once of one client.
        commands_burst: u32 = 40, in 1..=10_000;
        /// Milliseconds for which a request waits for the client's earlier ones to arrive: its two
        /// streams may overtake each other.
        request_wait_ms: u32 = 5000, in 100..=60_000;
        /// Input datagrams of one client in a tick; more are dropped unread.
        inputs_per_tick_max: u32 = 2, in 1..=64;
        /// Inputs that wait for a room's next tick; more are dropped.
        mailbox_inputs_max: usize = 8192, in 16..=1_048_576;
        /// Other messages that wait for a room's next tick; beyond that their senders wait.
        mailbox_messages_max: usize = 1024, in 16..=1_048_576;
        /// Ticks of a simulation thread that wait for the network; beyond that snapshots are
        /// dropped.
        outbox_ticks_max: usize = 1024, in 4..=1_048_576;
        /// Frames of a room that wait for the network; beyond that the room is stopped.
        outbox_frames_max: usize = 65_536, in 1024..=16_777_216;
        /// Milliseconds for a goodbye to reach its client.
        goodbye_ms: u32 = 1000, in 10..=60_000;
        /// Milliseconds of one tick after which the log, `/readyz` and `/stats.json` report its
        /// room.
        watchdog_ms: u32 = 2000, in 10..=600_000;
        /// Milliseconds for a complete stop.
        stop_ms: u32 = 5000, in 100..=600_000;
        /// Milliseconds for a process that is to take over to be ready, and then to go on with the rooms.
        handover_ms: u32 = 30_000, in 100..=3_600_000;
        /// Program that takes over, started with the same arguments; without it this program's own path, as it is on disk then.
        handover_program: Option<PathBuf> = None;
        /// Log filters, as for `tracing`: `info`, `tickwire_server=debug`, ...
        log: String = String::from("info,quinn_proto=warn,quinn_udp=warn");
        /// Lines a second that one place in the code may log, ten times as many at once. More are
        /// counted, and the next line reports their number. 0 for no limit.
        log_lines_hz: u32 = 10, in 0..=1_000_000;
        /// Settings of every room.
        room: RoomConfig = RoomConfig::default();
        /// Settings of topics.
        topics: TopicsConfig = TopicsConfig::default();
        /// Settings of webhooks.
        webhooks: WebhooksConfig = WebhooksConfig::default();
        /// Settings of the admin side.
        admin: AdminConfig = AdminConfig::default();
    }
}

/// Scripts and WebAssembly of the server itself, and connections of the game to any server.
const PAGE_POLICY: &str = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; \
    worker-src 'self' blob:; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; \
    media-src 'self' data: blob:; font-src 'self' data:; \
    connect-src 'self' data: blob: http: https: ws: wss:; object-src 'none'; base-uri 'self'; \
    form-action 'self'; frame-ancestors 'self'";

impl ServerConfig {
    /// The number of simulation threads, with 0 resolved.
    pub fn sim_threads_resolved(&self) -> usize {
        if self.sim_threads == 0 { (processors() / 2).max(1) } else { self.sim_threads }
    }

    /// The number of network threads, with 0 resolved.
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

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

#[cfg(test)]
mod reference;
