//! One client's session from its first stream to its last frame.
//!
//! Only here do the transport, the session's control and the rooms meet:
//!
//! - `streams` identifies the two streams, `control` and `chat` serve them;
//! - `datagrams` puts inputs into the room's mailbox;
//! - `order` keeps the client's requests on both streams in the order of writing;
//! - `reliable` holds the frames that wait for the client, `deliver` fills it from the rooms;
//! - `link` is the client as the others see it.

mod chat;
mod control;
mod datagrams;
mod deliver;
mod frames;
mod link;
mod order;
mod reliable;
mod streams;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tickwire_shared::Simulation;
use tickwire_shared::control::{CloseCode, ServerFrame};
use tickwire_shared::input::InputCodec;
use tickwire_shared::schema::Schema;
use tickwire_shared::simulation::schema_of;
use tokio::time::Instant;

use crate::config::ServerConfig;
use crate::counters::Counters;
use crate::room::ToRoom;
use crate::rooms::Rooms;
use crate::scheduler::Mailbox;
use crate::shares::{NoPlace, Share, Shares};
use crate::transport::TransportSession;

pub(crate) use link::{ClientLink, ClientLinks, SessionEnd};

/// State shared by all sessions.
pub(crate) struct ServerState<S: Simulation> {
    pub(crate) config: Arc<ServerConfig>,
    pub(crate) schema: Schema,
    pub(crate) inputs: InputCodec,
    pub(crate) rooms: Rooms<S>,
    pub(crate) links: ClientLinks<S::Input>,
    pub(crate) counters: Counters,
    /// Connections of the driver, including those that are not yet or no longer sessions.
    pub(crate) quic_connections: AtomicUsize,
    /// Sessions that have said hello and have not ended.
    sessions: Arc<Shares>,
    stopping: AtomicBool,
}

impl<S: Simulation> ServerState<S> {
    pub(crate) fn new(config: Arc<ServerConfig>, rooms: Rooms<S>) -> Self {
        let schema = schema_of::<S>();
        ServerState {
            inputs: InputCodec::new(&schema),
            schema,
            rooms,
            links: ClientLinks::default(),
            counters: Counters::default(),
            quic_connections: AtomicUsize::new(0),
            sessions: Arc::new(
                Shares::new(config.connections_max, config.prefix_share_percent)
                    .free_for_loopback(),
            ),
            stopping: AtomicBool::new(false),
            config,
        }
    }

    /// The number of sessions that have said hello and have not ended.
    pub(crate) fn sessions(&self) -> usize {
        self.sessions.taken()
    }

    /// Ends every session, including those about to begin.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        self.links.end_all(CloseCode::ServerStopping);
    }
}

/// A session that has not said hello yet: its deadline and its place among the handshakes.
#[derive(Debug)]
pub(crate) struct Handshake {
    pub(crate) deadline: Instant,
    pub(crate) _permit: Share,
}

/// One of the server's places, given back when dropped.
struct SessionPermit<S: Simulation> {
    host: Arc<ServerState<S>>,
    _share: Share,
}

impl<S: Simulation> SessionPermit<S> {
    fn take(host: &Arc<ServerState<S>>, address: IpAddr) -> Result<Self, SessionEnd> {
        let share = host.sessions.take(address).map_err(|why| match why {
            NoPlace::Full => SessionEnd::from(CloseCode::ServerFull),
            NoPlace::ShareTaken => {
                host.counters.sessions_over_share.increment();
                SessionEnd::new(CloseCode::ServerFull, SHARE_TAKEN)
            }
        })?;
        host.counters.sessions_started.increment();
        Ok(SessionPermit { host: Arc::clone(host), _share: share })
    }
}

impl<S: Simulation> Drop for SessionPermit<S> {
    fn drop(&mut self) {
        self.host.counters.sessions_ended.increment();
    }
}

/// Serves one session to its end.
pub(crate) async fn serve<S: Simulation>(
    host: Arc<ServerState<S>>,
    session: TransportSession,
    hello: Handshake,
) {
    let link = host.links.open(session, &host.config);
    if host.stopping.load(Ordering::SeqCst) {
        link.end(CloseCode::ServerStopping);
    }
    let mut readers = streams::Readers::default();
    link.session.set_sink(datagrams::InputReceiver::new(&host, &link));
    let end = tokio::select! {
        end = link.ended() => end,
        end = streams::serve(&host, &link, hello, &mut readers) => end,
        end = watch_path(&link) => end,
        end = stay_without_room(&host, &link) => end,
        closed = link.session.closed() => SessionEnd::new(closed.code, closed.text),
    };
    // The end must be visible elsewhere: the session's datagrams are no longer read.
    link.end(end.clone());
    host.rooms.feed.unsubscribe(link.player);
    if end.code == CloseCode::TooSlow {
        host.counters.sessions_too_slow.increment();
    }
    tracing::info!(player = link.player.0, code = ?end.code, text = end.text, "session ended");
    tokio::join!(leave(&link, end.code), say_goodbye(&link, &end, host.config.goodbye_time()));
    host.links.remove(link.player);
}

/// Hands a message to a room, waiting while the room is behind. A closed room gets nothing.
async fn send_message<I>(room: &Mailbox<I>, message: ToRoom<I>) {
    let mut message = message;
    while !room.is_closed() {
        match room.try_message(message) {
            Ok(()) => return,
            Err(returned) => message = returned,
        }
        tokio::time::sleep(MESSAGE_PAUSE).await;
    }
}

/// Tells the room when the path's datagram size changes.
async fn watch_path<I>(link: &ClientLink<I>) -> SessionEnd {
    loop {
        tokio::select! {
            () = tokio::time::sleep(PATH_LOOK) => {}
            () = link.path_shrank.notified() => {}
        }
        let membership = link.membership().as_ref().map(Arc::clone);
        let Some(membership) = membership else { continue };
        let Some(datagram_bytes_max) = link.new_datagram_bytes_max() else { continue };
        let path = ToRoom::Path { player: link.player, datagram_bytes_max };
        if membership.room().try_message(path).is_err() {
            link.forget_told();
        }
    }
}

/// Waits until a greeted session was in no room for too long: places on the server are for players
/// and spectators.
async fn stay_without_room<S: Simulation>(
    host: &ServerState<S>,
    link: &ClientLink<S::Input>,
) -> SessionEnd {
    let time = Duration::from_millis(u64::from(host.config.roomless_ms));
    let mut until = Instant::now() + time;
    loop {
        tokio::time::sleep_until(until.min(Instant::now() + ROOM_LOOK)).await;
        if !link.is_greeted() || link.membership().is_some() {
            until = Instant::now() + time;
        } else if Instant::now() >= until {
            host.counters.sessions_without_room.increment();
            return CloseCode::NoRoom.into();
        }
    }
}

async fn leave<I>(link: &ClientLink<I>, code: CloseCode) {
    if let Some(membership) = link.take_membership() {
        let leave = ToRoom::Leave { request: None, player: link.player, code };
        send_message(membership.room(), leave).await;
    }
}

/// Sends the reason, waits until the client has it, and closes.
async fn say_goodbye<I>(link: &ClientLink<I>, end: &SessionEnd, time: Duration) {
    let SessionEnd { code, text } = end.clone();
    link.reliable.finish(&ServerFrame::Goodbye { code, text });
    // A client that did not take its frames so far will not take this one either.
    if code != CloseCode::TooSlow {
        let _ = tokio::time::timeout(time, link.reliable.flushed()).await;
        // A browser may drop unread data when the session closes under it; after a goodbye it
        // closes by itself.
        let _ = tokio::time::timeout(HANG_UP_TIME.min(time), link.session.closed()).await;
    }
    link.session.close(end.code, &end.text);
    let _ = tokio::time::timeout(2 * time, link.session.gone()).await;
}

/// Time for a client that got a goodbye to close the session itself.
const HANG_UP_TIME: Duration = Duration::from_millis(250);
/// Pause before a room that is behind is tried again.
const MESSAGE_PAUSE: Duration = Duration::from_millis(5);
/// Interval of checks of the path.
const PATH_LOOK: Duration = Duration::from_secs(1);
/// Interval of checks whether a session is in a room.
const ROOM_LOOK: Duration = Duration::from_secs(1);
/// Said to a session whose network already has its share of the places.
const SHARE_TAKEN: &str =
    "there are too many sessions from your network on this server; close some, or try again later";
