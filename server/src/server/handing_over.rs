//! The end of a server whose rooms and sockets go to a new process.

use std::sync::Arc;
use std::time::Duration;

use tickwire_shared::Simulation;
use tickwire_shared::control::CloseCode;
use tokio::task::{AbortHandle, spawn_blocking};
use tokio::time::{Instant, timeout, timeout_at};

use super::{CLOSE_TIME, STOP_LOOK, ServerError};
use crate::config::ServerConfig;
use crate::connection::ServerState;
use crate::handover::{Begin, HandoverError, HandoverSignal, Launch, ServerSockets, Successor};
use crate::transport::Endpoint;

/// Time for the closes of sessions to be on their way. Those that are not get a reset by the new process.
const CLOSES_TIME: Duration = Duration::from_millis(50);

/// Time for webhooks to end. What they have posted then and not recorded, the new process posts again.
const WEBHOOKS_TIME: Duration = Duration::from_millis(200);

/// The new process that can take over, once one is asked for and ready. Those that refuse or fail are logged, and this one
/// goes on. Safe to drop while waiting.
pub(super) async fn next_successor<S: Simulation>(
    host: &Arc<ServerState<S>>,
    mut signal: HandoverSignal,
) -> Successor {
    loop {
        let launch = signal.asked().await;
        tracing::info!("asked to hand over: starting {launch}");
        let host = Arc::clone(host);
        let prepared = spawn_blocking(move || prepare(&host, &launch)).await;
        match prepared {
            Ok(Ok(successor)) => return successor,
            Ok(Err(error)) => tracing::error!("not handed over, and play goes on: {error}"),
            Err(error) => tracing::error!(%error, "not handed over, and play goes on"),
        }
    }
}

/// Starts the new process and waits until it is ready.
fn prepare<S: Simulation>(
    host: &ServerState<S>,
    launch: &Launch,
) -> Result<Successor, HandoverError> {
    let journals = host.rooms.journals.as_ref().ok_or(HandoverError::NoJournals)?;
    let until = std::time::Instant::now() + handover_time(&host.config);
    let mut successor = Successor::start(launch)?;
    let begin = Begin { rooms: journals.live_folders(), schema: host.schema.clone() };
    successor.prepare(begin, |until| journals.write_checkpoints(until), until)?;
    Ok(successor)
}

/// Ends the rooms, hands them and the sockets over, and has the clients resume at the new process.
///
/// # Errors
/// [`ServerError::Handover`] if the new process fails once the rooms have ended: they are in their journals.
pub(super) async fn hand_over<S: Simulation>(
    host: &Arc<ServerState<S>>,
    endpoint: &Endpoint,
    mut successor: Successor,
    (sockets, http): (ServerSockets, Option<AbortHandle>),
) -> Result<(), ServerError> {
    let began = Instant::now();
    let end = began + Duration::from_millis(u64::from(host.config.stop_ms));
    host.webhooks.stop();
    let _ = timeout(WEBHOOKS_TIME, host.webhooks.over()).await;
    end_rooms(host, endpoint, &successor, end).await?;
    let files_ms = began.elapsed().as_millis();
    let until = std::time::Instant::now() + handover_time(&host.config);
    let given = spawn_blocking(move || successor.give(&sockets, until).map(|()| successor)).await;
    let given = given.map_err(|error| HandoverError::Channel(error.into())).flatten();
    let rooms_ms = began.elapsed().as_millis();
    // From here on what comes waits for the new process.
    endpoint.stop_receiving();
    http.iter().for_each(AbortHandle::abort);
    host.stop_at_once();
    let all_left = async { tokio::join!(host.links.all_left(), host.topics.readers_left()) };
    let _ = timeout(CLOSES_TIME, all_left).await;
    if let Ok(successor) = &given {
        successor.let_go();
    }
    let sessions_ms = began.elapsed().as_millis();
    let code = CloseCode::ConnectionLost;
    endpoint.close(code, code.text());
    let _ = timeout_at(end.min(Instant::now() + CLOSE_TIME), endpoint.over()).await;
    match given {
        Ok(_) => {
            tracing::info!(files_ms, rooms_ms, sessions_ms, "handed over");
            Ok(())
        }
        Err(error) => Err(ServerError::Handover(error.to_string())),
    }
}

/// Ends all rooms after a tick, and closes their files.
async fn end_rooms<S: Simulation>(
    host: &ServerState<S>,
    endpoint: &Endpoint,
    successor: &Successor,
    end: Instant,
) -> Result<(), ServerError> {
    let (scheduler, journals) = (host.rooms.scheduler(), host.rooms.journals.as_ref());
    if let Some(journals) = journals.filter(|_| successor.needs_checkpoints()) {
        journals.end_with_checkpoints();
    }
    scheduler.stop();
    until(end, || scheduler.unfinished().is_none()).await;
    if let Some(what) = scheduler.unfinished() {
        return Err(ServerError::Stuck { what });
    }
    // The last frames of the rooms are with their sessions, and the last chat with the store.
    endpoint.turn().await;
    endpoint.turn().await;
    journals.inspect(|journals| journals.stop_writing());
    host.rooms.store.as_ref().inspect(|store| store.stop());
    if let Some(journals) = journals {
        if !until(end, || journals.is_written()).await {
            tracing::error!(
                "the end of the rooms' journals is not written: the disk does not follow"
            );
        }
        if successor.needs_checkpoints() {
            let until = std::time::Instant::now() + handover_time(&host.config);
            while !journals.are_followed() && std::time::Instant::now() < until {
                tokio::time::sleep(STOP_LOOK).await;
            }
        }
        journals.stop();
    }
    if let Some(store) = &host.rooms.store
        && !until(end, || store.is_written()).await
    {
        tracing::error!("the last chat is not saved: the disk does not follow");
    }
    Ok(())
}

/// Waits until `is_done`, at most until `end`.
async fn until(end: Instant, is_done: impl Fn() -> bool) -> bool {
    while !is_done() {
        if Instant::now() >= end {
            return false;
        }
        tokio::time::sleep(END_LOOK).await;
    }
    true
}

/// How often the ends of threads are looked for: the players wait.
const END_LOOK: Duration = Duration::from_millis(1);

fn handover_time(config: &ServerConfig) -> Duration {
    Duration::from_millis(u64::from(config.handover_ms))
}
