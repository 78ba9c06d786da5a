//! One client's session from its first stream to its last frame.
//!
//! Only here do the transport, the session's control and the rooms meet:
//!
//! - `streams` identifies the two streams, `hello` begins the session, `control` and `chat` serve them;
//! - `datagrams` puts inputs into the room's mailbox;
//! - `order` keeps the client's requests on both streams in the order of writing;
//! - `reliable` holds the frames that wait for the client, `deliver` fills it from the rooms;
//! - `reservations` has seats wait for accounts, `request_identity` says who sent an HTTP request;
//! - `topics` serves the topics stream: messages of channels beside rooms, at the client's pace;
//! - `history` keeps messages in the store and brings them back, `profiles` what games save of accounts;
//! - `resume` lets a session whose connection was lost go on over another one, `restored` one whose server was started
//!   again; `stop` is the end of all of them;
//! - `link` is the client as the others see it.

mod chat;
mod control;
mod datagrams;
mod deliver;
mod frames;
mod hello;
mod history;
mod link;
mod links;
mod order;
mod profiles;
mod reliable;
mod request_identity;
mod reservations;
mod restored;
mod resume;
mod sanctions;
mod scores;
mod secrets;
mod served;
mod static_data;
mod static_offers;
mod stop;
mod streams;
mod topics;

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tickwire_shared::Simulation;
use tickwire_shared::control::{CloseCode, ServerFrame, ServerRun};
use tickwire_shared::input::InputCodec;
use tickwire_shared::schema::Schema;
use tickwire_shared::simulation::schema_of;
use tokio::time::Instant;

use crate::config::ServerConfig;
use crate::counters::Counters;
use crate::identity::{AccountPermit, Accounts, AnyAuthenticator, Guests, ReservationTokens};
use crate::journal::WarmRooms;
use crate::room::ToRoom;
use crate::rooms::Rooms;
use crate::scheduler::Mailbox;
use crate::shares::{NoPlace, Share, Shares};
use crate::store::{ServerStore, wall_ms};
use crate::topics::TopicHub;
use crate::transport::TransportSession;
use crate::webhooks::WebhookState;
use control::FrameRates;
use resume::{
    Return, ReturnSlot, Returns, next_return, refuse_return, take_return, tell_room,
    wait_for_return,
};
use secrets::SecretSource;
use served::{ResumeRequest, Served};
use streams::Streams;

pub(crate) use link::{ClientLink, SessionEnd};
pub(crate) use links::ClientLinks;
pub(crate) use restored::RestoredSeats;
pub(crate) use sanctions::SanctionRefusal;
pub(crate) use scores::ScoreRefusal;

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
/// Said on a connection whose session goes on over another one.
const ELSEWHERE: &str = "the session goes on over another connection";

/// State shared by all sessions.
pub(crate) struct ServerState<S: Simulation> {
    pub(crate) config: Arc<ServerConfig>,
    pub(crate) schema: Schema,
    pub(crate) inputs: InputCodec,
    pub(crate) rooms: Rooms<S>,
    pub(crate) links: ClientLinks<S::Input>,
    pub(crate) topics: Arc<TopicHub>,
    /// The state of webhooks.
    pub(crate) webhooks: WebhookState,
    pub(crate) counters: Counters,
    /// Connections of the driver, including those that are not yet or no longer sessions.
    pub(crate) quic_connections: AtomicUsize,
    /// Sessions that have said hello and have not ended.
    sessions: Arc<Shares>,
    /// Where sessions wait for their clients to come back.
    returns: Returns,
    /// Seats from before the server was started again.
    pub(crate) restored: RestoredSeats<S::Input>,
    /// Identifies players; without one all are guests.
    authenticator: OnceLock<Box<dyn AnyAuthenticator>>,
    /// Signs and checks the tokens of reserved seats, if it reserves any.
    reservation_tokens: OnceLock<ReservationTokens>,
    /// Accounts that have a session.
    accounts: Arc<Accounts>,
    stopping: AtomicBool,
    /// Sessions end without a wait for their clients, who resume at once at another process.
    at_once: AtomicBool,
    secrets: SecretSource,
    /// This run of the server, of all that were and will be.
    run: ServerRun,
}

impl<S: Simulation> ServerState<S> {
    /// The state of a server whose rooms go on from their journals, and from `warm` where they are in there.
    pub(crate) fn new(config: Arc<ServerConfig>, rooms: Rooms<S>, warm: WarmRooms<S>) -> Self {
        let schema = schema_of::<S>();
        let grace = Duration::from_millis(u64::from(config.resume_grace_ms));
        let restored = RestoredSeats::new(rooms.restore(warm), grace);
        let of_store = rooms.store.as_ref().and_then(ServerStore::take_topics);
        // Whoever published messages that are kept is nobody of this run.
        let kept = of_store.iter().flat_map(|stored| &stored.topics);
        let senders = kept.flat_map(|topic| &topic.messages).map(|it| it.message.from);
        senders.max().inspect(|last| rooms.numbers().pass(*last));
        let topics = TopicHub::new(&config.topics, SecretSource::System.run().0, of_store);
        ServerState {
            inputs: InputCodec::new(&schema),
            schema,
            links: ClientLinks::new(rooms.numbers()),
            rooms,
            topics: Arc::new(topics),
            webhooks: WebhookState::default(),
            counters: Counters::default(),
            quic_connections: AtomicUsize::new(0),
            sessions: Arc::new(
                Shares::new(config.connections_max, config.prefix_share_percent)
                    .free_for_loopback(),
            ),
            returns: Returns::default(),
            restored,
            authenticator: OnceLock::new(),
            reservation_tokens: OnceLock::new(),
            accounts: Arc::default(),
            stopping: AtomicBool::new(false),
            at_once: AtomicBool::new(false),
            secrets: SecretSource::System,
            run: SecretSource::System.run(),
            config,
        }
    }

    /// The same with secrets that follow from `seed`, as does the number of its run, for a server whose runs repeat. Its topics
    /// are not kept.
    pub(crate) fn with_seed(self, seed: u64) -> Self {
        let secrets = SecretSource::Seed(seed);
        let topics = Arc::new(TopicHub::new(&self.config.topics, secrets.run().0, None));
        ServerState { topics, secrets, run: secrets.run(), ..self }
    }

    /// The number of sessions that have said hello and have not ended.
    pub(crate) fn sessions(&self) -> usize {
        self.sessions.taken()
    }

    /// True while an account has a session, or may go on with one: its connection is lost, or the server was started again.
    pub(crate) fn is_present(&self, account: &str) -> bool {
        self.accounts.has(account) || self.restored.has_account(account)
    }

    /// Sets the authenticator, before the first session.
    pub(crate) fn authenticate_by(&self, authenticator: Box<dyn AnyAuthenticator>) {
        let _ = self.authenticator.set(authenticator);
    }

    fn authenticator(&self) -> &dyn AnyAuthenticator {
        self.authenticator.get().map_or(&Guests, |authenticator| &**authenticator)
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

/// What a session has beside its link, over all its connections.
struct SessionScope<S: Simulation> {
    /// Since hello.
    permit: Option<SessionPermit<S>>,
    /// Present for a player with an account, which has no other session.
    account: Option<AccountPermit>,
    rates: FrameRates,
}

/// What follows on one connection of a session.
enum AfterConnection {
    /// The session is over.
    Over(SessionEnd),
    /// The session goes on over this one.
    Returned(Box<Return>),
    /// It is given to another session, or resumes that of a restored seat.
    Resume(ResumeRequest),
}

/// Serves one session to its end, over one connection after another.
pub(crate) async fn serve<S: Simulation>(
    host: Arc<ServerState<S>>,
    transport: TransportSession,
    hello: Handshake,
) {
    let mut link = host.links.open(transport, &host.config);
    let number = host.returns.number();
    let mut returns = host.returns.open(link.player, number);
    if host.is_stopping() {
        link.end(host.end_of_stop(&link));
    }
    let rates = FrameRates::new(&host.config, now());
    let mut session = SessionScope { permit: None, account: None, rates };
    let mut streams = Streams::new(number, Arc::clone(&link.transport()), hello);
    let end = loop {
        match carry(&host, &link, &mut session, (&mut streams, &returns)).await {
            AfterConnection::Over(end) => break end,
            AfterConnection::Returned(back) => streams = take_return(&host, &link, *back).await,
            AfterConnection::Resume(request) => {
                streams = streams.release(&link).await;
                match restored::take_seat(&host, &mut session, &streams, &request).await {
                    Ok(Some(restored)) => {
                        host.returns.close(link.player);
                        host.links.remove(link.player);
                        (link, returns) = restored;
                    }
                    Ok(None) => {
                        let back = Return { streams, counted: request.counted };
                        let Err(back) = host.returns.give(request.player, back) else {
                            host.returns.close(link.player);
                            return host.links.remove(link.player);
                        };
                        // That session ended meanwhile.
                        streams = back.streams;
                        streams.write_again(&link);
                        break host.resume_refusal();
                    }
                    Err(end) => {
                        streams.write_again(&link);
                        break end;
                    }
                }
            }
        }
    };
    // The end must be visible elsewhere: the session's datagrams are no longer read.
    link.end(end.clone());
    host.returns.close(link.player);
    if let Some(late) = returns.take() {
        refuse_return(&host, &late);
    }
    host.rooms.feed.unsubscribe(link.player);
    host.topics.leave(link.player, wall_ms());
    if end.code == CloseCode::TooSlow {
        host.counters.sessions_too_slow.increment();
    }
    tracing::info!(player = link.player.0, code = ?end.code, text = end.text, "session ended");
    let left = async {
        give_up_seat(&link, &end).await;
        // Its seat and its name are free now.
        drop(session.account.take());
    };
    tokio::join!(left, say_goodbye(&link, &end, host.goodbye_time()));
    host.links.remove(link.player);
}

/// Serves a session over one connection, and waits for the next one if it is lost.
async fn carry<S: Simulation>(
    host: &Arc<ServerState<S>>,
    link: &Arc<ClientLink<S::Input>>,
    session: &mut SessionScope<S>,
    (streams, returns): (&mut Streams, &ReturnSlot),
) -> AfterConnection {
    let transport = Arc::clone(&streams.transport);
    transport.set_sink(datagrams::InputReceiver::new(host, link));
    let mut next = None;
    {
        let served = streams::serve(host, link, session, streams);
        let (path, offers) = (watch_path(link), look_after(link));
        let idle = stay_without_room(host, link);
        tokio::pin!(served, path, offers, idle);
        loop {
            tokio::select! {
                biased;
                end = link.ended() => return AfterConnection::Over(end),
                served = &mut served => match served {
                    Served::Over(end) => return AfterConnection::Over(end),
                    Served::Resume(request) => return AfterConnection::Resume(request),
                    Served::Lost => break,
                },
                end = &mut path => return AfterConnection::Over(end),
                end = &mut offers => return AfterConnection::Over(end),
                end = &mut idle => return AfterConnection::Over(end),
                back = next_return(host, link, returns), if next.is_none() => {
                    // The client has left this connection, though nobody knew.
                    next = Some(back);
                    transport.close(CloseCode::ConnectionLost, ELSEWHERE);
                }
            }
        }
    }
    if let Some(back) = next {
        streams.end_writers(link).await;
        return AfterConnection::Returned(Box::new(back));
    }
    let closed = transport.closed().await;
    let lost = SessionEnd::new(closed.code, closed.text);
    if closed.code != CloseCode::ConnectionLost || link.secret().is_none() {
        // Some transports still carry a goodbye.
        return AfterConnection::Over(lost);
    }
    // Writers that wait for the peer end with the connection; a client that still hears it resumes at once.
    transport.close(CloseCode::ConnectionLost, &lost.text);
    streams.end_writers(link).await;
    match wait_for_return(host, link, returns, lost).await {
        Ok(back) => AfterConnection::Returned(Box::new(back)),
        Err(end) => AfterConnection::Over(end),
    }
}

/// The time by the runtime's clock, which also runs its timers.
pub(crate) fn now() -> std::time::Instant {
    Instant::now().into_std()
}

/// Hands a message to a room, waiting while the room is behind. A closed room gets nothing.
pub(crate) async fn send_message<I>(room: &Mailbox<I>, message: ToRoom<I>) {
    let mut message = message;
    while !room.is_closed() {
        match room.try_message(message) {
            Ok(()) => return,
            Err(returned) => message = returned,
        }
        tokio::time::sleep(MESSAGE_PAUSE).await;
    }
}

/// Ends the session of a client that does not answer to what it was told of.
async fn look_after<I>(link: &ClientLink<I>) -> SessionEnd {
    loop {
        tokio::time::sleep(PATH_LOOK).await;
        static_data::end_overdue(link);
    }
}

/// Tells the room when the path's datagram size changes.
async fn watch_path<I>(link: &ClientLink<I>) -> SessionEnd {
    loop {
        tokio::select! {
            biased;
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

/// Waits until a greeted session was in no room, and without topics, for too long: places on the server are for players
/// and spectators.
async fn stay_without_room<S: Simulation>(
    host: &ServerState<S>,
    link: &ClientLink<S::Input>,
) -> SessionEnd {
    let time = Duration::from_millis(u64::from(host.config.roomless_ms));
    let mut until = Instant::now() + time;
    loop {
        tokio::time::sleep_until(until.min(Instant::now() + ROOM_LOOK)).await;
        let is_used = link.membership().is_some() || host.topics.is_used_by(link.player);
        if !link.is_greeted() || is_used {
            until = Instant::now() + time;
        } else if Instant::now() >= until {
            host.counters.sessions_without_room.increment();
            return CloseCode::NoRoom.into();
        }
    }
}

/// Leaves the room. A session that goes on in the next process keeps its seat: it is away.
async fn give_up_seat<I>(link: &ClientLink<I>, end: &SessionEnd) {
    if end.is_restart() {
        return tell_room(link, ToRoom::Away { player: link.player }).await;
    }
    if let Some(membership) = link.take_membership() {
        let leave = ToRoom::Leave { request: None, player: link.player, code: end.code };
        send_message(membership.room(), leave).await;
    }
}

/// Sends the reason, waits until the client has it, and closes.
async fn say_goodbye<I>(link: &ClientLink<I>, end: &SessionEnd, time: Duration) {
    let SessionEnd { code, text } = end.clone();
    // A goodbye ends the session on the client's side too.
    let goodbye = (!end.is_restart()).then_some(ServerFrame::Goodbye { code, text });
    link.reliable.finish(goodbye.as_ref());
    // A client that did not take its frames so far will not take this one either.
    if code != CloseCode::TooSlow {
        let _ = tokio::time::timeout(time, link.reliable.flushed()).await;
        // A browser may drop unread data when the session closes under it; after a goodbye it
        // closes by itself.
        if goodbye.is_some() {
            let _ = tokio::time::timeout(HANG_UP_TIME.min(time), link.transport().closed()).await;
        }
    }
    link.transport().close(end.code, &end.text);
    let _ = tokio::time::timeout(2 * time, link.transport().gone()).await;
}

#[cfg(test)]
mod tests {
    use tickwire_shared::NoGame;

    use super::*;
    use crate::scheduler::Scheduler;
    use crate::transport::WakeSignal;

    #[test]
    fn sessions_of_one_address_leave_places_for_others() {
        let config = Arc::new(ServerConfig {
            connections_max: 8,
            prefix_share_percent: 25,
            sim_threads: 1,
            ..ServerConfig::default()
        });
        let bell = Arc::new(WakeSignal::new().unwrap());
        let scheduler = Scheduler::start(&config, &bell).unwrap();
        let rooms = Rooms::<NoGame>::new(scheduler, Arc::clone(&config), (None, None));
        let host = Arc::new(ServerState::new(config, rooms, WarmRooms::default()));
        let take = |address: &str| SessionPermit::take(&host, address.parse().unwrap());
        let held: Vec<_> = (0..8).map(|_| take("192.0.2.1")).collect();
        assert_eq!(held.iter().filter(|taken| taken.is_ok()).count(), 2);
        let Some(Err(end)) = held.last() else { panic!("the share is not bounded") };
        assert_eq!((end.code, &*end.text), (CloseCode::ServerFull, SHARE_TAKEN));
        assert_eq!(host.counters.sessions_over_share.get(), 6);
        let others: Vec<_> = (0..6).map(|_| take("127.0.0.1")).collect();
        assert!(others.iter().all(Result::is_ok), "a proxy on this machine has no share");
        assert!(take("192.0.2.2").is_err_and(|end| end.text != SHARE_TAKEN), "all are taken");
        drop(held);
        assert!(take("192.0.2.2").is_ok());
    }
}
