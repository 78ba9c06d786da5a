//! A server: bound, run, stopped.

mod service;

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use axum::http::HeaderValue;
use tickwire_certs::{CertsError, Secret};
use tickwire_shared::Simulation;
use tickwire_shared::control::CloseCode;
use time::OffsetDateTime;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::admission::Admission;
use crate::certificates::{Certificates, NextLook, reset_secret};
use crate::config::ServerConfig;
use crate::connection::ServerState;
use crate::http::{self, HttpTls, LiveInfo, Page, PageError, WebSocketEntry};
use crate::identity::{self, AnyAuthenticator, Authenticator, TokenAuthenticator, TokenKeysError};
use crate::journal::Journals;
use crate::notices::Notices;
use crate::rooms::Rooms;
use crate::scheduler::{Scheduler, Watchdog};
use crate::store::{ServerStore, StoreError, StoreEvent};
use crate::transport::{
    self, BindError, Bound, Endpoint, Origins, TransportSession, UnsentDatagram, WakeSignal,
    tls_config,
};

use service::ServerService;

/// How often a free port is looked for that both protocols can have.
const FREE_PORT_TRIES: usize = 16;
/// Time for the last packets of a stop.
const CLOSE_TIME: Duration = Duration::from_secs(1);
/// Time for the step after the last players have left.
const LAST_STEP_TIME: Duration = Duration::from_millis(500);
/// How often the threads are looked at that should end.
const STOP_LOOK: Duration = Duration::from_millis(5);
/// How often the threads are looked at that should go on, at least.
const WATCH_PAUSE_MAX: Duration = Duration::from_secs(1);
/// How often the wall clock is looked at: it may have gone on while the machine slept.
const CLOCK_LOOK: Duration = Duration::from_secs(1);

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
    /// Results of the store, if there is one.
    stored: Option<mpsc::Receiver<StoreEvent>>,
    local_addr: SocketAddr,
}

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// No socket, or a certificate that cannot be served.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// No certificate.
    #[error(transparent)]
    Certificates(#[from] CertsError),
    /// No simulation threads.
    #[error("the simulation threads cannot start: {0}; lower sim_threads")]
    Threads(io::Error),
    /// No folder or no thread for journals.
    #[error("journals cannot be kept in {}: {error}; give another directory with journal", dir.display())]
    Journals {
        /// The setting.
        dir: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The store cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Ctrl-C and SIGTERM cannot be caught.
    #[error("signals cannot be caught: {0}")]
    Signals(io::Error),
    /// Unusable keys for join tokens.
    #[error(transparent)]
    TokenKeys(#[from] TokenKeysError),
    /// No page.
    #[error(transparent)]
    Page(#[from] PageError),
    /// The game's own tables are wrong.
    #[error("the game cannot be served: {0}")]
    Schema(#[from] tickwire_shared::compatibility::SchemaError),
    /// A part died that the server cannot do without.
    #[error("{what} died, and the server with it; the log says of what")]
    Died {
        /// Which part.
        what: String,
    },
    /// A tick of the game did not end.
    #[error("{what}, and did not end within stop_ms: it was left alone")]
    Stuck {
        /// Which tick, of which room.
        what: String,
    },
}

impl<S: Simulation> Server<S> {
    /// Binds both sockets, loads the certificate and starts the simulation threads. Nobody is
    /// answered until [`Server::run`].
    ///
    /// # Errors
    /// [`ServerError`], saying what to change.
    pub async fn bind(config: ServerConfig) -> Result<Self, ServerError> {
        tickwire_shared::simulation::schema_of::<S>().validate()?;
        config.page_dir.as_deref().map_or(Ok(()), http::check_dir)?;
        let page_policy: HeaderValue = config.page_policy.parse().map_err(|_| PageError::Policy)?;
        let certificates = Certificates::open(&config, OffsetDateTime::now_utc())?;
        let tokens = TokenAuthenticator::open(&config, S::NAME)?;
        let secret = reset_secret(&config);
        let (bound, http) = bind_both(&config, &certificates, &secret)?;
        let failed = |error| listen_error(&config, error);
        let local_addr = bound.socket.local_addr().map_err(failed)?;
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
        let server = Server {
            host: Arc::new(ServerState::new(config, rooms)),
            endpoint,
            http,
            http_tls: Arc::new(ArcSwapOption::empty()),
            certificates,
            shown: Arc::new(LiveInfo::default()),
            page: None,
            page_policy,
            tokens,
            authenticator: None,
            stored,
            local_addr,
        };
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

    /// The UDP address it listens on.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// The TCP address of the HTTP side, if there is one.
    pub fn http_addr(&self) -> Option<SocketAddr> {
        self.http.as_ref().and_then(|listener| listener.local_addr().ok())
    }

    /// Says something to those who play, while the server runs.
    pub fn notices(&self) -> Notices<S> {
        Notices::new(&self.host)
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
        let Server { host, mut endpoint, http, http_tls, certificates, shown, .. } = self;
        let watched_tokens = self.tokens.clone().filter(|_| self.authenticator.is_none());
        host.authenticate_by(identity::choose(self.authenticator, self.tokens));
        let admission = Arc::new(Admission::new(&host.config));
        let origins = Arc::new(Origins::new(&host.config.allowed_origins.0));
        endpoint.open(ServerService::new(&host, Arc::clone(&admission), Arc::clone(&origins)));
        let endpoint = Arc::new(endpoint);
        let mut tasks = JoinSet::new();
        tasks.spawn(sweep(Arc::clone(&host), Arc::clone(&admission)));
        tasks.spawn(push_rooms(Arc::clone(&host)));
        if let Some(stored) = self.stored {
            tasks.spawn(deliver_stored(Arc::clone(&host), stored, Arc::clone(&shown)));
        }
        let watched = (Arc::clone(&endpoint), Arc::clone(&http_tls), Arc::clone(&shown));
        tasks.spawn(watch_certificates(Arc::clone(&host), certificates, watched));
        tasks.spawn(identity::watch_keys(watched_tokens, host.config.token_keys_check_s));
        // Before the HTTP side serves: whoever knew the address would be told that it starts.
        shown.ready.store(true, Ordering::Release);
        if let Some(listener) = http {
            let door = WebSocketEntry::new(&host, &shown, admission, origins);
            let router = http::router(&host, &shown, door, (self.page, self.page_policy));
            tasks.spawn(http::serve(listener, http_tls, router, Arc::clone(&host.config)));
        }
        let died = tokio::select! {
            () = endpoint.over() => Some("the network thread".to_owned()),
            thread = look_after(&host, &shown) => Some(thread),
            _ = tasks.join_next() => Some("a task of the server".to_owned()),
            () = stop => None,
        };
        if let Some(what) = &died {
            tracing::error!("{what} died: the server ends");
        }
        tracing::info!("stopping");
        shown.ready.store(false, Ordering::Release);
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

/// Once a second: what nobody uses any more.
async fn sweep<S: Simulation>(host: Arc<ServerState<S>>, admission: Arc<Admission>) {
    let mut every_second = tokio::time::interval(Duration::from_secs(1));
    every_second.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    loop {
        every_second.tick().await;
        if host.is_stopping() {
            // Rooms whose members have left by the stop are not let go.
            continue;
        }
        host.rooms.sweep();
        host.sweep_restored().await;
        admission.sweep();
    }
}

/// Tells of rooms, as often as the settings say.
async fn push_rooms<S: Simulation>(host: Arc<ServerState<S>>) {
    let pause = Duration::from_millis(u64::from(host.config.rooms_push_ms));
    loop {
        tokio::time::sleep(pause).await;
        host.push_rooms();
    }
}

/// Delivers the results of the store.
async fn deliver_stored<S: Simulation>(
    host: Arc<ServerState<S>>,
    mut stored: mpsc::Receiver<StoreEvent>,
    shown: Arc<LiveInfo>,
) {
    while let Some(event) = stored.recv().await {
        match event {
            StoreEvent::Failing => shown.is_chat_unsaved.store(true, Ordering::Relaxed),
            StoreEvent::Recovered => shown.is_chat_unsaved.store(false, Ordering::Relaxed),
            _ => {}
        }
        host.deliver_stored(event);
    }
    // The thread has ended, at the stop.
    std::future::pending::<()>().await;
}

/// Looks after the simulation threads, and tells of ticks that do not end, until a thread died: which.
async fn look_after<S: Simulation>(host: &ServerState<S>, shown: &LiveInfo) -> String {
    let scheduler = host.rooms.scheduler();
    let long = Duration::from_millis(u64::from(host.config.watchdog_ms));
    let mut watchdog = Watchdog::default();
    // For how long each was when it was last told: again when it is twice that.
    let mut told_ms = HashMap::new();
    loop {
        tokio::time::sleep((long / 2).min(WATCH_PAUSE_MAX)).await;
        if let Some(thread) = scheduler.dead() {
            return thread;
        }
        let stalls = watchdog.look(scheduler);
        for stall in &stalls {
            let told_ms = told_ms.entry(stall.thread).or_insert(0);
            if stall.for_ms >= 2 * *told_ms {
                *told_ms = stall.for_ms;
                tracing::error!("{stall}: no room on this thread goes on");
            }
        }
        told_ms.retain(|thread, _| {
            let lasts = stalls.iter().any(|stall| stall.thread == *thread);
            if !lasts {
                tracing::warn!(thread, "the simulation thread goes on");
            }
            lasts
        });
        shown.stalls.store(Arc::new(stalls));
    }
}

/// Changes the certificate when it is time; connections that are there do not notice.
async fn watch_certificates<S: Simulation>(
    host: Arc<ServerState<S>>,
    mut certificates: Certificates,
    (endpoint, http_tls, shown): (Arc<Endpoint>, HttpTls, Arc<LiveInfo>),
) {
    let pause = Duration::from_secs(u64::from(host.config.certs_check_s));
    let mut next = NextLook::new(pause, OffsetDateTime::now_utc());
    loop {
        tokio::time::sleep(CLOCK_LOOK).await;
        let now = OffsetDateTime::now_utc();
        if !next.is_due(CLOCK_LOOK, now) {
            continue;
        }
        match certificates.refresh(now) {
            Ok(false) => continue,
            Ok(true) => {}
            Err(error) => {
                tracing::error!(%error, "the certificate stays as it is");
                continue;
            }
        }
        match transport::server_config(&host.config, certificates.current()) {
            Ok(config) => endpoint.set_server_config(Some(config)),
            Err(error) => tracing::error!(%error, "the new certificate cannot be served"),
        }
        if let Err(error) = show_certificate(&certificates, &http_tls, &shown) {
            tracing::error!(%error, "the new certificate cannot be served over HTTP");
        }
        tracing::info!("the certificate changed");
    }
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
    if tokio::time::timeout(time * 4 / 5, host.links.all_left()).await.is_err() {
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
