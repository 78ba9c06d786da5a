//! A server: bound, run, stopped.

mod error;
mod handing_over;
mod prepared;
mod service;
mod tasks;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use axum::http::HeaderValue;
use tickwire_certs::Secret;
use tickwire_shared::Simulation;
use tickwire_shared::control::CloseCode;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::admin::AdminSide;
use crate::admission::Admission;
use crate::certificates::Certificates;
use crate::config::ServerConfig;
use crate::connection::ServerState;
use crate::handle::ServerHandle;
use crate::handover::{GivenSockets, HandoverSignal, Predecessor, ServerSockets};
use crate::http::{self, HttpTls, LiveInfo, Page, WebSocketEntry};
use crate::identity::{self, AnyAuthenticator, Authenticator, TokenAuthenticator};
use crate::journal::{Journals, WarmRooms};
use crate::notices::Notices;
use crate::playback::{OpenedReplay, PlaybackControl};
use crate::rooms::{Membership, Rooms};
use crate::scheduler::Scheduler;
use crate::store::{ServerStore, StoreEvent};
use crate::transport::{
    self, BindError, Bound, Endpoint, Origins, TransportSession, UnsentDatagram, WakeSignal,
    tls_config,
};
use crate::webhooks::Webhook;

pub use error::ServerError;
use handing_over::{hand_over, next_successor};
use prepared::Prepared;
use service::ServerService;
use tasks::{deliver_stored, end_values, look_after, push_rooms, sweep, watch_certificates};

/// How often a free port is looked for that both protocols can have.
const FREE_PORT_TRIES: usize = 16;
/// Time for the last packets of a stop.
const CLOSE_TIME: Duration = Duration::from_secs(1);
/// Time for the step after the last players have left.
const LAST_STEP_TIME: Duration = Duration::from_millis(500);
/// How often the threads are looked at that should end.
const STOP_LOOK: Duration = Duration::from_millis(5);

/// A server of one game, listening.
pub struct Server<S: Simulation> {
    host: Arc<ServerState<S>>,
    endpoint: Endpoint,
    http: Option<TcpListener>,
    http_tls: HttpTls,
    certificates: Certificates,
    shown: Arc<LiveInfo>,
    page: Option<Page>,
    page_policy: HeaderValue,
    tokens: Option<Arc<TokenAuthenticator>>,
    authenticator: Option<Box<dyn AnyAuthenticator>>,
    webhook: Option<Webhook>,
    admin: Option<AdminSide>,
    /// The controls of the replay that it shows, and the place that keeps its room.
    playback: Option<(Arc<PlaybackControl>, Membership<S::Input>)>,
    /// Results of the store, if there is one.
    stored: Option<mpsc::Receiver<StoreEvent>>,
    local_addr: SocketAddr,
    /// The same sockets, for a process that takes over.
    sockets: ServerSockets,
}

impl<S: Simulation> Server<S> {
    /// Binds both sockets, loads the certificate and starts the simulation threads. Nobody is
    /// answered until [`Server::run`].
    ///
    /// # Errors
    /// [`ServerError`], saying what to change.
    pub async fn bind(config: ServerConfig) -> Result<Self, ServerError> {
        let mut prepared = Prepared::new::<S>(&config)?;
        let (bound, http) = bind_both(&config, &prepared.certificates, &prepared.secret)?;
        let admin = AdminSide::bind(&config, prepared.admin_token.take(), false)?;
        Self::start(config, prepared, (bound, http, admin), WarmRooms::default())
    }

    /// Takes over from the process that started this one, once its rooms have been run again here. Nobody is answered until
    /// [`Server::run`].
    ///
    /// # Errors
    /// [`ServerError`]; the other process goes on.
    pub(crate) fn take_over(
        config: ServerConfig,
        predecessor: &Predecessor,
    ) -> Result<Self, ServerError> {
        let mut prepared = Prepared::new::<S>(&config)?;
        let warm = WarmRooms::open(&config, predecessor)?;
        let GivenSockets { udp, http } = predecessor.take(warm.needs_checkpoints())?;
        let failed = |error| listen_error(&config, error);
        let certificate = prepared.certificates.current();
        let bound = transport::on_socket(&config, udp, certificate, &prepared.secret)?;
        let http = http.filter(|_| config.http).map(TcpListener::from_std);
        let http = http.transpose().map_err(failed)?;
        let admin = AdminSide::bind(&config, prepared.admin_token.take(), true)?;
        Self::start(config, prepared, (bound, http, admin), warm)
    }

    fn start(
        config: ServerConfig,
        prepared: Prepared,
        (bound, http, admin): (Bound, Option<TcpListener>, Option<AdminSide>),
        warm: WarmRooms<S>,
    ) -> Result<Self, ServerError> {
        let failed = |error| listen_error(&config, error);
        let local_addr = bound.socket.local_addr().map_err(failed)?;
        let udp = bound.socket.as_fd().try_clone_to_owned().map_err(failed)?;
        let of_http = http.as_ref().map(|http| http.as_fd().try_clone_to_owned());
        let sockets = ServerSockets { udp, http: of_http.transpose().map_err(failed)? };
        let bell = Arc::new(WakeSignal::new().map_err(failed)?);
        let endpoint = Endpoint::start(bound, Arc::clone(&bell)).map_err(failed)?;
        let config = Arc::new(config);
        let scheduler = Scheduler::start(&config, &bell).map_err(ServerError::Threads)?;
        let journals = Journals::start::<S>(&config).map_err(|error| ServerError::Journals {
            dir: config.journal.clone().unwrap_or_default(),
            error,
        })?;
        let (store, stored) = ServerStore::start(&config)?.unzip();
        let rooms = Rooms::new(scheduler, Arc::clone(&config), (journals, store));
        let Prepared { certificates, tokens, reservation_tokens, webhook, page_policy, .. } =
            prepared;
        let server = Server {
            host: Arc::new(ServerState::new(config, rooms, warm)),
            endpoint,
            http,
            http_tls: Arc::new(ArcSwapOption::empty()),
            certificates,
            shown: Arc::new(LiveInfo::default()),
            page: None,
            page_policy,
            tokens,
            authenticator: None,
            webhook,
            admin,
            playback: None,
            stored,
            local_addr,
            sockets,
        };
        server.host.sign_reservations_by(reservation_tokens);
        show_certificate(&server.certificates, &server.http_tls, &server.shown)?;
        Ok(server)
    }

    /// Serves `page` over HTTP, unless the configuration names a directory.
    #[must_use]
    pub fn with_page(mut self, page: Page) -> Self {
        self.page = Some(page);
        self
    }

    /// Identifies players by `authenticator`, in place of the settings.
    #[must_use]
    pub fn with_authenticator(mut self, authenticator: impl Authenticator) -> Self {
        self.authenticator = Some(Box::new(authenticator));
        self
    }

    /// Shows the room of a journal for all to watch, and its controls at `/replay`.
    ///
    /// # Errors
    /// [`ServerError::Threads`] if no thread takes the room.
    pub(crate) fn with_replay(mut self, opened: OpenedReplay<S>) -> Result<Self, ServerError> {
        let control = Arc::clone(&opened.control);
        let place = self.host.rooms.show(opened);
        let place =
            place.ok_or_else(|| ServerError::Threads(io::ErrorKind::QuotaExceeded.into()))?;
        self.playback = Some((control, place));
        Ok(self)
    }

    /// The UDP address it listens on.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// The TCP address of the HTTP side, if there is one.
    pub fn http_addr(&self) -> Option<SocketAddr> {
        self.http.as_ref().and_then(|listener| listener.local_addr().ok())
    }

    /// The TCP address of the admin side, if there is one.
    pub fn admin_addr(&self) -> Option<SocketAddr> {
        self.admin.as_ref().and_then(AdminSide::local_addr)
    }

    /// Says something to those who play, while the server runs.
    pub fn notices(&self) -> Notices<S> {
        Notices::new(&self.host)
    }

    /// The server as tasks of its program see it, while it runs.
    pub fn handle(&self) -> ServerHandle<S> {
        ServerHandle::new(&self.host)
    }

    /// SHA-256 of the current and the next development certificate; empty with one from files.
    pub fn certificate_hashes(&self) -> Vec<[u8; 32]> {
        self.certificates.hashes()
    }

    /// Whether the HTTP side speaks TLS: it does with a certificate from files.
    pub fn is_https(&self) -> bool {
        !self.certificates.are_for_development()
    }

    /// Serves until `stop` is done; then tells every client, waits until they have heard it, and
    /// returns, within `stop_ms`.
    ///
    /// # Errors
    /// [`ServerError::Died`] when a part of the server died, which ends it as `stop` does;
    /// [`ServerError::Stuck`] when a tick of the game did not end in time. Its thread is left alone:
    /// only the end of the process ends it.
    pub async fn run(self, stop: impl Future<Output = ()>) -> Result<(), ServerError> {
        self.run_until(stop, HandoverSignal::none()).await
    }

    /// [`Server::run`], which also ends once a new process took over that `handover` asked for.
    pub(crate) async fn run_until(
        self,
        stop: impl Future<Output = ()>,
        handover: HandoverSignal,
    ) -> Result<(), ServerError> {
        let Server { host, mut endpoint, http, http_tls, certificates, shown, playback, .. } = self;
        // The room that it shows is kept until the end.
        let (control, _place) = playback.unzip();
        let watched_tokens = self.tokens.clone().filter(|_| self.authenticator.is_none());
        host.authenticate_by(identity::choose(self.authenticator, self.tokens));
        let admission = Arc::new(Admission::new(&host.config));
        let origins = Arc::new(Origins::new(&host.config.allowed_origins.0));
        endpoint.open(ServerService::new(&host, Arc::clone(&admission), Arc::clone(&origins)));
        let endpoint = Arc::new(endpoint);
        let mut tasks = JoinSet::new();
        tasks.spawn(sweep(Arc::clone(&host), Arc::clone(&admission)));
        tasks.spawn(push_rooms(Arc::clone(&host)));
        tasks.spawn(end_values(Arc::clone(&host)));
        if let Some(webhook) = self.webhook {
            tasks.spawn(webhook.post_all(Arc::clone(&host)));
        }
        if let Some(stored) = self.stored {
            tasks.spawn(deliver_stored(Arc::clone(&host), stored, Arc::clone(&shown)));
        }
        let watched = (Arc::clone(&endpoint), Arc::clone(&http_tls), Arc::clone(&shown));
        tasks.spawn(watch_certificates(Arc::clone(&host), certificates, watched));
        tasks.spawn(identity::watch_keys(watched_tokens, host.config.token_keys_check_s));
        // Before the HTTP side serves: whoever knew the address would be told that it starts.
        shown.ready.store(true, Ordering::Release);
        if let Some(admin) = self.admin {
            tasks.spawn(admin.serve(Arc::clone(&host), Arc::clone(&shown)));
        }
        let mut http_task = None;
        if let Some(listener) = http {
            let door = WebSocketEntry::new(&host, &shown, admission, origins);
            let router = http::router(&host, &shown, door, (self.page, self.page_policy), control);
            let serving = http::serve(listener, http_tls, router, Arc::clone(&host.config));
            http_task = Some(tasks.spawn(serving));
        }
        let mut successor = None;
        let died = tokio::select! {
            () = endpoint.over() => Some("the network thread".to_owned()),
            thread = look_after(&host, &shown) => Some(thread),
            _ = tasks.join_next() => Some("a task of the server".to_owned()),
            () = stop => None,
            ready = next_successor(&host, handover) => {
                successor = Some(ready);
                None
            }
        };
        if let Some(what) = &died {
            tracing::error!("{what} died: the server ends");
        }
        shown.ready.store(false, Ordering::Release);
        if let Some(successor) = successor {
            return hand_over(&host, &endpoint, successor, (self.sockets, http_task)).await;
        }
        tracing::info!("stopping");
        let stuck = shut_down(&host, &endpoint).await;
        if let Some(what) = &stuck {
            tracing::error!("{what}, and is left alone");
        }
        tracing::info!("stopped");
        match (died, stuck) {
            (Some(what), _) => Err(ServerError::Died { what }),
            (None, Some(what)) => Err(ServerError::Stuck { what }),
            (None, None) => Ok(()),
        }
    }
}

/// Both sockets. With port 0 the HTTP side takes the number the UDP socket got, if nobody else has.
fn bind_both(
    config: &ServerConfig,
    certificates: &Certificates,
    secret: &Secret,
) -> Result<(Bound, Option<TcpListener>), ServerError> {
    let mut last_error = None;
    for _ in 0..FREE_PORT_TRIES {
        let bound = transport::bind(config, certificates.current(), secret)?;
        if !config.http {
            return Ok((bound, None));
        }
        let udp = bound.socket.local_addr().map_err(|error| listen_error(config, error))?;
        let address = config.http_listen.unwrap_or(udp);
        let error = match http::listen(address) {
            Ok(listener) => return Ok((bound, Some(listener))),
            Err(error) => error,
        };
        let retry = config.listen.port() == 0 && error.kind() == io::ErrorKind::AddrInUse;
        let flag = "http-listen";
        last_error = Some(BindError::Socket { address, protocol: "TCP", flag, error });
        if !retry {
            break;
        }
    }
    Err(last_error.expect("the loop ran at least once").into())
}

fn listen_error(config: &ServerConfig, error: io::Error) -> ServerError {
    let (address, protocol, flag) = (config.listen, "UDP", "listen");
    BindError::Socket { address, protocol, flag, error }.into()
}

/// Publishes the hashes, and gives the HTTP side the certificate if it is one that browsers know.
fn show_certificate(
    certificates: &Certificates,
    http_tls: &HttpTls,
    shown: &LiveInfo,
) -> Result<(), BindError> {
    shown.hashes.store(Arc::new(certificates.hashes()));
    if !certificates.are_for_development() {
        http_tls.store(Some(Arc::new(tls_config(certificates.current(), &[b"http/1.1"])?)));
    }
    Ok(())
}

/// Waits until the rooms have stepped once more after their last players left, as far as a store keeps what the game saves
/// there, and for a moment at most. The players of rooms with a journal stay.
async fn rooms_save<S: Simulation>(host: &ServerState<S>, end: Instant) {
    if host.rooms.store.is_none() || host.rooms.journals.is_some() {
        return;
    }
    let end = end.min(Instant::now() + LAST_STEP_TIME);
    let is_played = || host.rooms.mailboxes().iter().any(|room| room.players() > 0);
    while is_played() && Instant::now() < end {
        tokio::time::sleep(STOP_LOOK).await;
    }
}

/// Delivers the output of the last ticks after the network thread has ended: what is for the store.
fn deliver_last<S: Simulation>(host: &ServerState<S>, scheduler: &Scheduler<S>) {
    let mut nobody = |_: &TransportSession, _| Err(UnsentDatagram::Undeliverable);
    for outbox in scheduler.outboxes() {
        host.deliver(&outbox, &mut nobody);
    }
}

/// Ends all sessions and threads. Says what did not end in time.
async fn shut_down<S: Simulation>(host: &ServerState<S>, endpoint: &Endpoint) -> Option<String> {
    let time = Duration::from_millis(u64::from(host.config.stop_ms));
    let end = Instant::now() + time;
    endpoint.set_server_config(None);
    host.stop();
    // Some of the time is for what comes after the goodbyes.
    let all_left = async { tokio::join!(host.links.all_left(), host.topics.readers_left()) };
    if tokio::time::timeout(time * 4 / 5, all_left).await.is_err() {
        tracing::warn!(left = host.links.count(), "some clients did not hear of the stop");
    }
    let code = CloseCode::ServerStopping;
    endpoint.close(code, code.text());
    let scheduler = host.rooms.scheduler();
    rooms_save(host, end).await;
    scheduler.stop();
    let _ = tokio::time::timeout_at(end.min(Instant::now() + CLOSE_TIME), endpoint.over()).await;
    while let Some(what) = scheduler.unfinished() {
        if Instant::now() >= end {
            return Some(what);
        }
        tokio::time::sleep(STOP_LOOK).await;
    }
    deliver_last(host, scheduler);
    // The threads have let go of their rooms: no more records come.
    if let Some(journals) = &host.rooms.journals {
        journals.stop();
        while !journals.is_written() {
            if Instant::now() >= end {
                tracing::error!(
                    "the end of the rooms' journals is not written: the disk does not follow"
                );
                break;
            }
            tokio::time::sleep(STOP_LOOK).await;
        }
    }
    if let Some(store) = &host.rooms.store {
        store.stop();
        while !store.is_written() {
            if Instant::now() >= end {
                tracing::error!("the last chat is not saved: the disk does not follow");
                break;
            }
            tokio::time::sleep(STOP_LOOK).await;
        }
    }
    None
}
