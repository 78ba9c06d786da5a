//! The session core over real sockets, with a game's own types.

mod corrections;
mod error;
mod event;
mod link;
mod mapping;
mod moving;
mod reconnect;
mod static_cache;
mod target;
mod topics;
mod trust;
mod waiting;

pub use error::ConnectError;
pub use event::{ClientEvent, Seen};
pub use static_cache::{DirCache, StaticCache};
pub use target::Transport;
pub use trust::Trust;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tickwire_shared::control::{
    CloseCode, Member, Redacted, RequestId, RoomChoice, RoomInfo, RoomQuery, ServerFrame,
};
use tickwire_shared::predict::Predict;
use tickwire_shared::quantize::{Kinds, Lanes};
use tickwire_shared::schema::LANES_MAX;
use tickwire_shared::simulation::schema_of;
use tickwire_shared::{Options, PlayerId, Simulation};

use crate::session::{Mode, NetStats, Session, SessionError, SessionEvent, WireStats};
use link::{Incoming, Link};
use mapping::Mapping;
use moving::NextLink;
use reconnect::Reconnect;
use target::Target;

/// Settings of a connection.
#[derive(Clone, Debug)]
pub struct ConnectOptions {
    /// Certificates to accept.
    pub trust: Trust,
    /// The client's name and version, for the server's log.
    pub client: String,
    /// Identifies the player; empty for a guest. A token is valid for one session: each needs a new one. A session that resumes
    /// needs none.
    pub token: Redacted,
    /// Time until the server's welcome, after which connecting fails.
    pub timeout: Duration,
    /// Another address of the same server, such as `ws://host:port/ws` for networks that block UDP. It carries the session
    /// where the target does not answer: from the beginning, after a loss, or when the connection goes silent.
    pub fallback: Option<String>,
    /// Where static data of rooms is kept between sessions, if anywhere.
    pub static_cache: Option<Arc<dyn StaticCache>>,
}

impl Default for ConnectOptions {
    fn default() -> Self {
        ConnectOptions {
            trust: Trust::default(),
            client: concat!("tickwire-client ", env!("CARGO_PKG_VERSION")).to_owned(),
            token: Redacted::default(),
            timeout: Duration::from_secs(5),
            fallback: None,
            static_cache: None,
        }
    }
}

/// A session with a server that runs the game `S`.
///
/// Nothing happens between two calls of [`Client::update`]; call it once for each frame shown, or
/// each tick.
#[derive(Debug)]
pub struct Client<S: Simulation> {
    session: Session,
    link: Link,
    reconnect: Reconnect,
    next_link: Option<NextLink>,
    epoch: Instant,
    mapping: Mapping,
    /// The difference between this build and the server that prevents prediction, if any.
    not_predicted: Option<String>,
    static_cache: Option<Arc<dyn StaticCache>>,
    /// The next poll reports `not_predicted`.
    tells_not_predicted: bool,
    _game: std::marker::PhantomData<fn() -> S>,
}

impl<S: Simulation> Client<S> {
    /// Connects and waits for the server's welcome.
    ///
    /// `target` is `quic://host:port` for plain QUIC (also plain `host:port`), `https://host:port`
    /// for WebTransport, or, where the network blocks UDP, `ws://host:port/ws` for a WebSocket,
    /// `wss://` with TLS. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`ConnectError`], worded for a person.
    pub async fn connect(target: &str, options: ConnectOptions) -> Result<Self, ConnectError> {
        let parsed = Target::parse(target)?;
        schema_of::<S>().validate().map_err(SessionError::from)?;
        let within = options.timeout;
        let connecting = async {
            let reconnect = Reconnect::new(parsed, &options)?;
            let link = reconnect.open_first().await?;
            let mut session = Session::resumable(&options.client, Some(schema_of::<S>()));
            session.set_token(options.token.clone());
            session.set_lossless(link.transport() == Transport::WebSocket);
            if options.static_cache.is_some() {
                session.use_static_cache();
            }
            let (epoch, mapping) = (Instant::now(), Mapping::default());
            let mut client = Client {
                session,
                link,
                reconnect,
                next_link: None,
                epoch,
                mapping,
                not_predicted: None,
                static_cache: options.static_cache,
                tells_not_predicted: false,
                _game: std::marker::PhantomData,
            };
            client.wait_for_welcome().await?;
            Ok(client)
        };
        tokio::time::timeout(within, connecting).await.unwrap_or_else(|_| {
            let reason = format!("no answer within {} s", within.as_secs_f32());
            Err(ConnectError::Unreachable { target: target.to_owned(), reason })
        })
    }

    /// The transport that carries the session.
    pub fn transport(&self) -> Transport {
        self.link.transport()
    }

    /// This client's number on the server.
    pub fn player(&self) -> PlayerId {
        self.session.welcome().map_or(PlayerId(0), |welcome| welcome.player)
    }

    /// Asks for a seat. [`ServerFrame::Joined`] or [`ServerFrame::Refused`] follows as an event and
    /// names the returned number ([`ServerFrame::answers`]). Requests take effect in order: you can
    /// chat or leave without waiting for the answer to a join.
    pub fn join(&mut self, room: RoomChoice, name: &str) -> RequestId {
        let request = self.session.join(room, name);
        self.flush();
        request
    }

    /// Joins with the game's join options and the room's password; empty for none.
    ///
    /// # Panics
    /// If the options cannot be written as JSON, such as a map whose keys are not strings.
    pub fn join_with(
        &mut self,
        room: RoomChoice,
        name: &str,
        options: &S::JoinOptions,
        password: &str,
    ) -> RequestId {
        let request = self.session.join_with(room, name, &json(options), password);
        self.flush();
        request
    }

    /// Asks for a seat in a new room with these options; answered as [`Client::join`]. Refused by
    /// [`RefuseCode::RoomTaken`](tickwire_shared::control::RefuseCode::RoomTaken) if a room of this
    /// name exists, and by [`RefuseCode::ByGame`](tickwire_shared::control::RefuseCode::ByGame) if
    /// the game accepts no such options. The room's maker needs no password.
    ///
    /// # Panics
    /// As [`Client::join_with`].
    pub fn create(
        &mut self,
        room: &str,
        room_options: &S::RoomOptions,
        name: &str,
        options: &S::JoinOptions,
    ) -> RequestId {
        let room = RoomChoice::Create { name: room.to_owned(), options: json(room_options).into() };
        self.join_with(room, name, options, "")
    }

    /// Asks to watch a room; answered as [`Client::join`].
    pub fn spectate(&mut self, room: &str, name: &str) -> RequestId {
        self.spectate_with(room, name, "")
    }

    /// Asks to watch a room with its password; answered as [`Client::join`].
    pub fn spectate_with(&mut self, room: &str, name: &str, password: &str) -> RequestId {
        let request = self.session.spectate_with(room, name, password);
        self.flush();
        request
    }

    /// Gives the seat back; [`ServerFrame::Left`] or [`ServerFrame::Refused`] follows.
    pub fn leave(&mut self) -> RequestId {
        let request = self.session.leave();
        self.flush();
        request
    }

    /// Asks for [`ServerFrame::Rooms`], the rooms that match `query`. `RoomQuery::default()` lists
    /// all, the fullest first.
    pub fn list_rooms(&mut self, query: RoomQuery) -> RequestId {
        let request = self.session.list_rooms(query);
        self.flush();
        request
    }

    /// Asks for [`ServerFrame::Rooms`], then for [`ServerFrame::RoomsChanged`] on each change of
    /// that list, which [`Client::rooms`] then holds. [`ServerFrame::Refused`] follows if the
    /// server's limit of different lists is reached.
    pub fn subscribe_rooms(&mut self, query: RoomQuery) -> RequestId {
        let request = self.session.subscribe_rooms(query);
        self.flush();
        request
    }

    /// Stops following the list of rooms; [`ServerFrame::Done`] follows.
    pub fn unsubscribe_rooms(&mut self) -> RequestId {
        let request = self.session.unsubscribe_rooms();
        self.flush();
        request
    }

    /// The current list of rooms of [`Client::subscribe_rooms`], in its order.
    pub fn rooms(&self) -> &[RoomInfo] {
        self.session.rooms()
    }

    /// Removes a member; only the room's host may. [`ServerFrame::Done`] or
    /// [`ServerFrame::Refused`] follows.
    pub fn kick(&mut self, player: PlayerId, reason: &str) -> RequestId {
        let request = self.session.kick(player, reason);
        self.flush();
        request
    }

    /// Sends a command to the game, as a player in a room. [`ServerFrame::Done`] follows once a
    /// step had it: exactly once, and after earlier commands. [`ServerFrame::Refused`] says that no
    /// step will have it. If the session ends before either answer, it is unknown whether a step
    /// had it. A field out of its range is sent as the nearest value.
    pub fn command(&mut self, command: &S::Command) -> RequestId {
        let mut own = [0; LANES_MAX];
        Kinds::to_lanes(command, &mut own);
        let mut lanes = [0; LANES_MAX];
        let kind = self.mapping.command(command.kind(), &own, &mut lanes);
        let request = self.session.command(kind, &lanes);
        self.flush();
        request
    }

    /// Sends a chat message to the room; [`ServerChat::Message`](tickwire_shared::control::ServerChat::Message) or [`ServerChat::Refused`](tickwire_shared::control::ServerChat::Refused)
    /// follows, and after the first [`ServerChat::Sent`](tickwire_shared::control::ServerChat::Sent), which tells whether it is saved.
    pub fn say(&mut self, text: &str) -> RequestId {
        let request = self.session.say(text);
        self.flush();
        request
    }

    /// Sends a chat message to one member of the room; answered as [`Client::say`].
    pub fn tell(&mut self, player: PlayerId, text: &str) -> RequestId {
        let request = self.session.tell_player(player, text);
        self.flush();
        request
    }

    /// Asks for earlier messages to the room: at most `count` (the server sends 200 at most) with numbers below `before`, or
    /// the newest. [`ServerChat::History`](tickwire_shared::control::ServerChat::History) answers, empty where the server keeps none; or
    /// [`ServerChat::Refused`](tickwire_shared::control::ServerChat::Refused) outside of a room, or while the server's disk fails.
    pub fn chat_history(&mut self, before: Option<u64>, count: u16) -> RequestId {
        let request = self.session.chat_history(before, count);
        self.flush();
        request
    }

    /// Predicts what the player steers, from the next room joined on; see [`Predict`]. If this
    /// build's inputs or entities differ from the server's, [`ClientEvent::NotPredicted`] follows
    /// instead.
    pub fn predict(&mut self)
    where
        S: Predict,
    {
        self.session.predict::<S>();
        let server = self.session.welcome().map(|welcome| &welcome.schema);
        let difference = server.and_then(|server| schema_of::<S>().difference(server));
        self.not_predicted = difference.map(|what| {
            format!("nothing is predicted, as the server's are other rules: {what}; build both from the same rules")
        });
    }

    /// Sets the [`Mode`] of entities of the kind of this name; kinds are interpolated by default.
    pub fn show_by(&mut self, kind: &str, mode: Mode) {
        self.session.show_by(kind, mode);
    }

    /// Sets the player's input. It is sent with every tick until it is changed.
    pub fn set_input(&mut self, input: S::Input) {
        let mut own = [0; LANES_MAX];
        Lanes::to_lanes(&input, &mut own);
        let mut lanes = [0; LANES_MAX];
        let width = self.mapping.input(&own, &mut lanes);
        self.session.hold(&lanes[..width]);
    }

    /// Handles what arrived, samples the input for every due tick, and sends.
    pub fn update(&mut self) {
        while self.reconnect.hears()
            && let Some((at, incoming)) = self.link.poll()
        {
            let at = at.saturating_duration_since(self.epoch);
            let taken = self.take(at, &incoming);
            self.end_if_failed(taken);
        }
        let moved = self.advance_move();
        self.end_if_failed(moved);
        self.session.update(self.now());
        self.advance_reconnect();
        self.flush();
    }

    /// The next event; `None` if there is none now.
    pub fn poll_event(&mut self) -> Option<ClientEvent<S::Event>> {
        if std::mem::take(&mut self.tells_not_predicted)
            && let Some(text) = self.not_predicted.clone()
        {
            return Some(ClientEvent::NotPredicted { text });
        }
        if let Some(moved) = self.reconnect.poll_moved() {
            return Some(ClientEvent::Connection(moved));
        }
        loop {
            return Some(match self.session.poll_event()? {
                SessionEvent::Control(frame) => {
                    let seated = matches!(&frame, ServerFrame::Joined { spectator: false, .. });
                    self.tells_not_predicted = seated;
                    ClientEvent::Control(frame)
                }
                SessionEvent::Chat(chat) => ClientEvent::Chat(chat),
                SessionEvent::StaticData { key, received, total } => {
                    ClientEvent::StaticData { key, received, total }
                }
                SessionEvent::StaticChanged { key, offset, length } => {
                    ClientEvent::StaticChanged { key, offset, length }
                }
                SessionEvent::Over { code, text } => ClientEvent::Over { code, text },
                SessionEvent::Topic(event) => ClientEvent::Topic(event),
                SessionEvent::Connection(state) => {
                    self.reconnect.note(state, self.link.transport());
                    ClientEvent::Connection(state)
                }
                SessionEvent::Game(event) => {
                    // The kind exists only in the server's newer build: skip it.
                    let Some(known) = self.mapping.event::<S::Event>(&event) else { continue };
                    ClientEvent::Game { tick: event.tick, event: known }
                }
                SessionEvent::Predicted(event) => {
                    let Some(known) = self.mapping.event::<S::Event>(&event) else { continue };
                    ClientEvent::Predicted { tick: event.tick, event: known }
                }
                SessionEvent::Cancelled(event) => {
                    let Some(known) = self.mapping.event::<S::Event>(&event) else { continue };
                    ClientEvent::Cancelled { tick: event.tick, event: known }
                }
            });
        }
    }

    /// All visible entities, as of the last update.
    pub fn entities(&self) -> impl Iterator<Item = Seen<S::Entity>> {
        let mut seen = Vec::new();
        if let Some(room) = self.session.room() {
            room.for_each_shown(|shown| {
                if let Some(entity) = self.mapping.entity::<S::Entity>(shown.kind, shown.lanes) {
                    seen.push(Seen {
                        id: shown.id,
                        mine: shown.mine,
                        presence: shown.presence as f32,
                        entity,
                    });
                }
            });
        }
        seen.into_iter()
    }

    /// The room's static data under a key of the game's; `None` until all of it is here.
    pub fn static_data(&self, key: u8) -> Option<&[u8]> {
        self.session.static_data(key).map(|(bytes, _)| bytes)
    }

    /// Everyone in the room.
    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.session.room().into_iter().flat_map(|room| room.members())
    }

    /// Whether a member's connection was lost: the server keeps its place.
    pub fn is_away(&self, player: PlayerId) -> bool {
        self.session.room().is_some_and(|room| room.is_away(player))
    }

    /// The name of the room the client is in.
    pub fn room(&self) -> Option<&str> {
        self.session.room().map(|room| room.name())
    }

    /// Statistics of the network.
    pub fn stats(&self) -> NetStats {
        self.session.stats(self.now())
    }

    /// Bytes and datagrams of the session on the wire so far.
    pub fn wire(&self) -> WireStats {
        self.link.wire()
    }

    /// The protocol session underneath.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// True once the session has ended.
    pub fn is_over(&self) -> bool {
        self.session.is_over()
    }

    /// Says goodbye and waits at most a second for the connection to close.
    pub async fn close(mut self) {
        self.session.goodbye();
        self.flush();
        self.link.finish().await;
    }

    async fn wait_for_welcome(&mut self) -> Result<(), ConnectError> {
        self.flush();
        loop {
            let (at, incoming) = self.link.next().await;
            self.take(at.saturating_duration_since(self.epoch), &incoming)?;
            if let Some(welcome) = self.session.welcome() {
                self.mapping = Mapping::new(&welcome.schema, &schema_of::<S>());
                return Ok(());
            }
            while let Some(event) = self.session.poll_event() {
                if let SessionEvent::Over { code, text } = event {
                    return Err(ConnectError::Refused { code, text });
                }
            }
        }
    }

    fn take(&mut self, at: Duration, incoming: &Incoming) -> Result<(), SessionError> {
        match incoming {
            Incoming::Datagram(bytes) => self.session.handle_datagram(at, bytes),
            Incoming::Control(bytes) => self.session.handle_control(at, bytes)?,
            Incoming::Chat(bytes) => self.session.handle_chat(bytes)?,
            Incoming::Closed { code: CloseCode::ConnectionLost, text } => {
                self.session.handle_lost(at, text);
            }
            Incoming::Static(bytes) => self.session.handle_static(bytes)?,
            Incoming::Topics(bytes) => self.session.handle_topics(bytes)?,
            Incoming::Closed { code, text } => self.session.handle_closed(*code, text),
        }
        Ok(())
    }

    fn end_if_failed(&mut self, result: Result<(), SessionError>) {
        if let Err(error) = result {
            let (code, text) = (error.close_code(), error.to_string());
            self.link.close(code, &text);
            self.session.handle_closed(code, &text);
        }
    }

    fn flush(&mut self) {
        self.link.send_control(self.session.take_control());
        self.link.send_chat(self.session.take_chat());
        static_cache::serve(&mut self.session, self.static_cache.as_deref());
        self.link.send_static(self.session.take_static());
        self.link.send_topics(self.session.take_topics());
        while let Some(datagram) = self.session.poll_datagram() {
            self.link.send_datagram(datagram);
        }
    }

    fn now(&self) -> Duration {
        self.epoch.elapsed()
    }
}

fn json(options: &impl Options) -> String {
    serde_json::to_string(options.as_json()).expect("options of a game are JSON")
}
