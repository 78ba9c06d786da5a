//! A whole server process: flags, log, runtime, signals.

use std::ffi::OsString;
use std::future::Future;
use std::io::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::pin::Pin;
use std::process::ExitCode;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tickwire_shared::Simulation;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

use crate::admin::admin_command;
use crate::config::{ConfigError, ServerConfig};
use crate::handle::ServerHandle;
use crate::handover::{HandoverSignal, Launch, Predecessor, tell_ready};
use crate::http::Page;
use crate::identity::{self, TokenAnswer, TokenCommandError};
use crate::journal::{ReplayCommand, WatchRequest};
use crate::playback::{self, OpenedReplay};
use crate::server::{Server, ServerError};
use crate::{log, store};

/// Files beside connections: the standard ones, sockets, the page's, the system's own.
const OTHER_FILES: u64 = 128;
/// The server did not start.
const EXIT_FAILED: u8 = 1;
/// An essential thread died.
const EXIT_DIED: u8 = 3;
/// A tick of the game did not end within the time for a stop.
const EXIT_STUCK: u8 = 4;
/// Invalid command line or configuration.
const EXIT_USAGE: u8 = 2;
/// Stopped by a second signal.
const EXIT_IMPATIENT: i32 = 130;

/// The `main` of a game's server: reads the configuration, serves the game, and stops on Ctrl-C and
/// SIGTERM.
///
/// The page is served from the folder of the setting `page_dir`; [`run_with_page`] serves one built
/// into the program.
///
/// With `token` as its first argument it makes and reads join tokens instead: see `token --help`.
/// With `replay FILE` it runs a room's [journal](crate::journal) again and prints the outcome; with `store` it checks or copies a [store];
/// with `admin` it asks the admin side of a server that runs.
///
/// Once it listens, it prints one line on standard output:
/// `listening udp=[::]:4433 http=http://localhost:4433/`.
///
/// ```no_run
/// # use tickwire_shared::Simulation;
/// fn serve<Game: Simulation>() -> std::process::ExitCode {
///     tickwire_server::run::<Game>()
/// }
/// ```
pub fn run<G: Simulation>() -> ExitCode {
    run_process::<G>(Beside::default())
}

/// [`run`], with a page built into the program.
pub fn run_with_page<G: Simulation>(page: Page) -> ExitCode {
    run_process::<G>(Beside { page: Some(page), task: None })
}

/// [`run`], with a task of the program's own: it begins when the server listens, and ends with the server at the latest.
///
/// ```no_run
/// # use std::time::Duration;
/// # use tickwire_server::{ServerHandle, run_with_task};
/// # use tickwire_shared::NoGame;
/// /// Says the time once a second.
/// async fn tell_time(server: ServerHandle<NoGame>) {
///     for second in 0.. {
///         if let Err(error) = server.topics().publish("time", "", format!("{second}")) {
///             eprintln!("{error}");
///         }
///         tokio::time::sleep(Duration::from_secs(1)).await;
///     }
/// }
///
/// // The whole `main`.
/// fn serve() -> std::process::ExitCode {
///     run_with_task(tell_time)
/// }
/// ```
pub fn run_with_task<G: Simulation, F>(
    task: impl FnOnce(ServerHandle<G>) -> F + Send + 'static,
) -> ExitCode
where
    F: Future<Output = ()> + Send + 'static,
{
    run_process::<G>(Beside { page: None, task: Some(Box::new(|server| Box::pin(task(server)))) })
}

/// What a program gives its server beside the game.
struct Beside<S: Simulation> {
    /// A page built into the program.
    page: Option<Page>,
    task: Option<Task<S>>,
}

type Task<S> = Box<dyn FnOnce(ServerHandle<S>) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send>;

impl<S: Simulation> Default for Beside<S> {
    fn default() -> Self {
        Beside { page: None, task: None }
    }
}

fn run_process<S: Simulation>(beside: Beside<S>) -> ExitCode {
    let args: Vec<_> = std::env::args_os().collect();
    match args.get(1).and_then(|word| word.to_str()) {
        Some("token") => return token_command(S::NAME, args),
        Some("admin") => return admin_command(args),
        Some("store") => return store::store_command((S::NAME, S::SCORE_BOARDS), args),
        Some("replay") => {
            let command = ReplayCommand::parse(args);
            return match command.watch() {
                Some(request) => watch::<S>(request, beside.page),
                None => command.run::<S>(),
            };
        }
        _ => {}
    }
    let predecessor = match Predecessor::of_this_process() {
        Ok(predecessor) => predecessor,
        Err(error) => {
            eprintln!("error: not taken over: {error}");
            return ExitCode::from(EXIT_FAILED);
        }
    };
    let config = match ServerConfig::load() {
        Ok(config) => config,
        Err(error) => {
            predecessor.iter().for_each(|old| old.refuse(&error.to_string()));
            return usage_error(error);
        }
    };
    if let Err(error) = start_log(&config) {
        eprintln!("error: log is wrong: {error}; give filters such as info,quinn=warn");
        return ExitCode::from(EXIT_USAGE);
    }
    raise_file_limit(&config);
    run_server::<S>(config, beside, (predecessor, None))
}

/// Serves a journal as a room to watch.
fn watch<S: Simulation>(request: WatchRequest, page: Option<Page>) -> ExitCode {
    let WatchRequest { folder, listen, page_dir } = request;
    // A server that plays may run in the same folder.
    let certs_dir = PathBuf::from(".tickwire/replay");
    let config = ServerConfig { listen, page_dir, certs_dir, ..ServerConfig::default() };
    if let Err(error) = start_log(&config) {
        eprintln!("error: {error}");
        return ExitCode::FAILURE;
    }
    match playback::open::<S>(&folder) {
        Ok(opened) => run_server(config, Beside { page, task: None }, (None, Some(opened))),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run_server<S: Simulation>(
    config: ServerConfig,
    beside: Beside<S>,
    (predecessor, replay): (Option<Predecessor>, Option<OpenedReplay<S>>),
) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(config.network_threads_resolved())
        .thread_name("streams")
        .enable_all()
        .build();
    let served = match runtime {
        Ok(runtime) => {
            let served = runtime.block_on(serve::<S>(config, beside, (predecessor, replay)));
            // The process ends without waiting for anything that still runs.
            runtime.shutdown_background();
            served
        }
        Err(error) => {
            eprintln!("error: the network threads cannot start: {error}; lower network_threads");
            return ExitCode::FAILURE;
        }
    };
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(exit_code(&error))
        }
    }
}

/// Says what is wrong with the settings.
fn usage_error(error: ConfigError) -> ExitCode {
    if let ConfigError::Usage(usage) = error {
        usage.exit();
    }
    eprintln!("error: {error}");
    ExitCode::from(EXIT_USAGE)
}

/// Logs to standard error as [`run`] does: text from peers is escaped, and floods from one place in
/// the code are limited. Call it once in a process.
///
/// # Errors
/// If `config.log` is not a valid list of filters.
pub fn start_log(config: &ServerConfig) -> Result<(), ParseError> {
    log::start(EnvFilter::try_new(&config.log)?, config.log_lines_hz);
    Ok(())
}

/// Makes or reads a join token, instead of serving.
fn token_command(game: &str, args: Vec<OsString>) -> ExitCode {
    match identity::token_command(game, args, &mut io::stdin().lock()) {
        Ok(TokenAnswer { text, is_good }) => {
            println!("{text}");
            if is_good { ExitCode::SUCCESS } else { ExitCode::from(EXIT_FAILED) }
        }
        Err(TokenCommandError::Usage(usage)) => usage.exit(),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(EXIT_FAILED)
        }
    }
}

/// Raises this process's limit of open files to what its settings may need, as far as the system
/// permits.
fn raise_file_limit(config: &ServerConfig) {
    let needed = files_needed(config);
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= needed) {
        return;
    }
    let raised = limit.maximum.map_or(needed, |maximum| maximum.min(needed));
    let wanted = Rlimit { current: Some(raised), maximum: limit.maximum };
    let error = setrlimit(Resource::Nofile, wanted).err();
    if raised < needed || error.is_some() {
        let (permitted, error) = (limit.maximum, error.map(tracing::field::display));
        tracing::warn!(
            needed,
            permitted,
            error,
            "too few files may be open for every connection that the settings allow: permit more (ulimit -n, \
             LimitNOFILE=), or lower connections_max and http_connections_max"
        );
    }
}

/// The most files that are open at once: each WebSocket is one, and so is each HTTP connection,
/// with or without a permit, and each room's journal twice: it is written and followed.
fn files_needed(config: &ServerConfig) -> u64 {
    let sessions = if config.http && config.websocket { config.connections_max } else { 0 };
    let requests = if config.http { 3 * config.http_connections_max } else { 0 };
    let journals = if config.journal.is_some() { 2 * config.rooms_max } else { 0 };
    (sessions + requests + journals) as u64 + OTHER_FILES
}

/// The exit code for an error at the start or the stop.
fn exit_code(error: &ServerError) -> u8 {
    match error {
        ServerError::Died { .. } => EXIT_DIED,
        ServerError::Stuck { .. } => EXIT_STUCK,
        _ => EXIT_FAILED,
    }
}

async fn serve<S: Simulation>(
    config: ServerConfig,
    beside: Beside<S>,
    (predecessor, replay): (Option<Predecessor>, Option<OpenedReplay<S>>),
) -> Result<(), ServerError> {
    let launch = Launch::of_this_process(config.handover_program.as_deref());
    let handover = launch.and_then(HandoverSignal::user2).map_err(ServerError::Signals)?;
    let mut server = match &predecessor {
        None => Server::<S>::bind(config).await?,
        Some(old) => {
            Server::take_over(config, old).inspect_err(|error| old.refuse(&error.reason()))?
        }
    };
    let is_replay = replay.is_some();
    if let Some(replay) = replay {
        server = server.with_replay(replay)?;
    }
    if let Some(page) = beside.page {
        server = server.with_page(page);
    }
    let stop = stop_signal().map_err(ServerError::Signals)?;
    if let Some(old) = predecessor {
        old.go_on();
    }
    tell_ready();
    let task = beside.task.map(|task| tokio::spawn(task(server.handle())));
    let udp = server.local_addr();
    match server.http_addr() {
        Some(http) => {
            let scheme = if server.is_https() { "https" } else { "http" };
            let place = page_place(udp, http);
            let path = if is_replay { "replay" } else { "" };
            tell(&format!("listening udp={udp} http={scheme}://{place}/{path}"));
        }
        None => tell(&format!("listening udp={udp}")),
    }
    if let Some(admin) = server.admin_addr() {
        tracing::info!(address = %admin, "the admin side listens; every request needs its token");
    }
    if udp.ip().is_loopback() {
        // A browser that tries the other address over QUIC waits in vain, and then takes a
        // WebSocket.
        tracing::info!(
            "only this machine can connect, and only by {0}: open the page by it too, for localhost may \
             mean another address",
            udp.ip()
        );
    }
    let ended = server.run_until(stop, handover).await;
    if let Some(task) = task {
        task.abort();
    }
    ended
}

/// Prints a line, which nobody may read: a process that takes over has the standard output of the first one.
fn tell(line: &str) {
    let _ = writeln!(io::stdout(), "{line}");
}

/// Host and port at which a browser on this machine finds both the page and QUIC. `localhost` may
/// mean an address of either IP version, so it leads to QUIC for sure only where both are listened on.
fn page_place(udp: SocketAddr, http: SocketAddr) -> String {
    let ip = if http.ip().is_unspecified() { udp.ip() } else { http.ip() };
    match ip {
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => format!("localhost:{}", http.port()),
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => {
            SocketAddr::from((Ipv4Addr::LOCALHOST, http.port())).to_string()
        }
        ip => SocketAddr::new(ip, http.port()).to_string(),
    }
}

/// Completes when the process is asked to stop. A second request ends it at once.
fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        tokio::spawn(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            tracing::warn!("asked to stop again: stopping at once");
            std::process::exit(EXIT_IMPATIENT);
        });
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_fail_has_its_exit_code() {
        let died = ServerError::Died { what: "the network thread".to_owned() };
        let room = "a tick of room \"a\"".to_owned();
        let codes = [
            exit_code(&died),
            exit_code(&ServerError::Stuck { what: room }),
            exit_code(&ServerError::Threads(io::Error::other("none left"))),
        ];
        assert_eq!(codes, [3, 4, 1]);
    }

    #[test]
    fn the_page_is_where_quic_is_too() {
        for (udp, http, place) in [
            ("[::]:4433", "[::]:4433", "localhost:4433"),
            ("0.0.0.0:4433", "0.0.0.0:4433", "127.0.0.1:4433"),
            ("127.0.0.1:4433", "127.0.0.1:4433", "127.0.0.1:4433"),
            ("[::1]:4433", "[::1]:4433", "[::1]:4433"),
            ("192.0.2.1:4433", "[::]:8080", "192.0.2.1:8080"),
            ("127.0.0.1:4433", "[::]:8080", "127.0.0.1:8080"),
            ("0.0.0.0:4433", "[::]:8080", "127.0.0.1:8080"),
            ("[::]:4433", "127.0.0.1:8080", "127.0.0.1:8080"),
        ] {
            let found = page_place(udp.parse().unwrap(), http.parse().unwrap());
            assert_eq!(found, place, "{udp} {http}");
        }
    }
}
