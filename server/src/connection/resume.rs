//! Resuming a session over another connection.
//!
//! A client whose connection was lost opens another one and names its session. That connection
//! begins as any other, with a link of its own. If the secret is right, its transport and streams
//! go to the session to resume; nothing of that session changes before.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tickwire_shared::control::{CloseCode, ServerFrame};
use tickwire_shared::{PlayerId, Simulation};
use tokio::sync::Notify;

use super::served::CountedFrames;
use super::streams::Streams;
use super::{ClientLink, ELSEWHERE, ServerState, SessionEnd, send_message};
use crate::room::ToRoom;
use crate::store::wall_ms;

/// The connection over which a client resumes its session.
#[derive(Debug)]
pub(super) struct Return {
    pub(super) streams: Streams,
    /// The frames that the client has.
    pub(super) counted: CountedFrames,
}

/// The sessions that can be resumed, by number.
#[derive(Debug, Default)]
pub(crate) struct Returns {
    slots: Mutex<HashMap<PlayerId, Arc<ReturnSlot>>>,
    /// Counts the server's connections.
    connections: AtomicU64,
}

/// The place where one session receives its new connection.
#[derive(Debug, Default)]
pub(super) struct ReturnSlot {
    newest: Mutex<NewestReturn>,
    arrived: Notify,
}

/// The newest connection of a session.
#[derive(Debug, Default)]
struct NewestReturn {
    /// Its number among the server's connections.
    connection: u64,
    /// Until it is taken.
    back: Option<Return>,
}

impl Returns {
    /// The number of a new connection: later ones have higher numbers.
    pub(super) fn number(&self) -> u64 {
        self.connections.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Allows the session of this number, which is on this connection, to receive others.
    pub(super) fn open(&self, player: PlayerId, connection: u64) -> Arc<ReturnSlot> {
        let slot = Arc::clone(self.slots().entry(player).or_default());
        slot.newest().connection = connection;
        slot
    }

    /// Ends that.
    pub(super) fn close(&self, player: PlayerId) {
        self.slots().remove(&player);
    }

    /// Hands a session its new connection. Of two the older one is closed, whichever came first: it is of an earlier attempt,
    /// which its client has given up.
    ///
    /// # Errors
    /// The connection, if the session is over.
    pub(super) fn give(&self, player: PlayerId, back: Return) -> Result<(), Box<Return>> {
        let slots = self.slots();
        let Some(slot) = slots.get(&player) else { return Err(Box::new(back)) };
        let mut newest = slot.newest();
        let older = match back.streams.number < newest.connection {
            true => Some(back),
            false => {
                newest.connection = back.streams.number;
                slot.arrived.notify_one();
                newest.back.replace(back)
            }
        };
        if let Some(older) = older {
            older.streams.transport.close(CloseCode::ConnectionLost, ELSEWHERE);
        }
        Ok(())
    }

    fn slots(&self) -> MutexGuard<'_, HashMap<PlayerId, Arc<ReturnSlot>>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ReturnSlot {
    /// Waits for the client's new connection. Safe to drop while waiting.
    pub(super) async fn arrival(&self) -> Return {
        loop {
            if let Some(back) = self.take() {
                return back;
            }
            self.arrived.notified().await;
        }
    }

    /// The new connection, if there is one.
    pub(super) fn take(&self) -> Option<Return> {
        self.newest().back.take()
    }

    fn newest(&self) -> MutexGuard<'_, NewestReturn> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits for a new connection by which the session can go on. One whose client lacks frames that are not kept any more, as it
/// reported them meanwhile over another one, is closed. Safe to drop while waiting.
pub(super) async fn next_return<S: Simulation>(
    host: &ServerState<S>,
    link: &ClientLink<S::Input>,
    returns: &ReturnSlot,
) -> Return {
    loop {
        let back = returns.arrival().await;
        if back.counted.can_go_on(host, link) {
            return back;
        }
        host.counters.resumes_refused.increment();
        refuse_return(host, &back);
    }
}

/// Closes a connection by which the session does not go on.
pub(super) fn refuse_return<S: Simulation>(host: &ServerState<S>, back: &Return) {
    let SessionEnd { code, text } = host.resume_refusal();
    back.streams.transport.close(code, &text);
}

/// Waits for the new connection of a session whose own was lost. Its room keeps its place
/// meanwhile.
///
/// # Errors
/// The end of the session, if it does not resume.
pub(super) async fn wait_for_return<S: Simulation>(
    host: &ServerState<S>,
    link: &ClientLink<S::Input>,
    returns: &ReturnSlot,
    lost: SessionEnd,
) -> Result<Return, SessionEnd> {
    host.counters.sessions_lost.increment();
    tracing::info!(player = link.player.0, text = lost.text, "connection lost");
    host.topics.away(link.player, wall_ms());
    tell_room(link, ToRoom::Away { player: link.player }).await;
    let grace = Duration::from_millis(u64::from(host.config.resume_grace_ms));
    tokio::select! {
        biased;
        end = link.ended() => Err(end),
        back = next_return(host, link, returns) => Ok(back),
        () = tokio::time::sleep(grace) => Err(lost),
    }
}

/// Resumes the session over the new connection. A client that has not read `Restarted` yet gets that again, and all frames.
pub(super) async fn take_return<S: Simulation>(
    host: &ServerState<S>,
    link: &ClientLink<S::Input>,
    back: Return,
) -> Streams {
    let Return { streams, counted } = back;
    host.counters.sessions_resumed.increment();
    link.set_transport(Arc::clone(&streams.transport));
    let answer = match counted.is_before_restart(host.run) {
        true => ServerFrame::Restarted { run: host.run },
        false => ServerFrame::Resumed { next: link.order.next() },
    };
    link.reliable.resume(counted.of_run(host.run), &answer);
    let transport = link.transport().transport_name();
    let address = link.transport().remote_address();
    tracing::info!(player = link.player.0, transport, %address, "session resumed");
    host.topics.back(link.player, wall_ms());
    let datagram_bytes_max = link.tell_datagram_bytes_max();
    tell_room(link, ToRoom::Back { player: link.player, datagram_bytes_max }).await;
    streams
}

pub(super) async fn tell_room<I>(link: &ClientLink<I>, message: ToRoom<I>) {
    let membership = link.membership().as_ref().map(Arc::clone);
    if let Some(membership) = membership {
        send_message(membership.room(), message).await;
    }
}
