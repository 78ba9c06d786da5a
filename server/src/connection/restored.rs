//! Sessions of a server that was started again: their seats are restored, their connections and frames are not.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tickwire_shared::control::{CloseCode, ResumeSecret};
use tickwire_shared::{PlayerId, Simulation};

use super::order::SentAgain;
use super::streams::Streams;
use super::{ClientLink, ServerState, SessionEnd, SessionPermit, SessionScope, now, send_message};
use crate::room::ToRoom;
use crate::rooms::RestoredSeat;

/// The seats of restored rooms whose players are not back yet.
#[derive(Debug)]
pub(crate) struct RestoredSeats<I> {
    seats: Mutex<BTreeMap<PlayerId, RestoredSeat<I>>>,
    /// Seats of players who have another one that counts.
    doubled: Mutex<Vec<RestoredSeat<I>>>,
    /// Since when they wait.
    began: Instant,
    grace: Duration,
}

impl<I> RestoredSeats<I> {
    /// Seats that wait from now on for `grace`. Of a player who has several the first counts: the kill may have come between
    /// the records of a leave and of the join that followed, and a room's journal may have ended before the player left.
    pub(crate) fn new(seats: Vec<RestoredSeat<I>>, grace: Duration) -> Self {
        let (mut kept, mut doubled) = (BTreeMap::new(), Vec::new());
        for seat in seats {
            match kept.entry(seat.player) {
                Entry::Vacant(place) => _ = place.insert(seat),
                Entry::Occupied(_) => doubled.push(seat),
            }
        }
        let (seats, doubled) = (Mutex::new(kept), Mutex::new(doubled));
        RestoredSeats { seats, doubled, began: now(), grace }
    }

    /// Whether `secret` is that of the seat of this number.
    pub(super) fn is_secret_of(&self, player: PlayerId, secret: ResumeSecret) -> bool {
        let right = self.seats().get(&player).and_then(|seat| seat.resume);
        right.is_some_and(|right| right.secret.is_of(&secret.0))
    }

    fn take(&self, player: PlayerId) -> Option<RestoredSeat<I>> {
        self.seats().remove(&player)
    }

    /// Takes the seat of an account that begins another session.
    pub(super) fn take_of(&self, account: &str) -> Option<RestoredSeat<I>> {
        let mut seats = self.seats();
        let has_account =
            |seat: &&RestoredSeat<I>| seat.account.as_ref().is_some_and(|own| own.id == account);
        let player = seats.values().find(has_account)?.player;
        seats.remove(&player)
    }

    /// Takes the doubled seats, and all others once the time is over for which they wait.
    fn take_overdue(&self, now: Instant) -> Vec<RestoredSeat<I>> {
        let mut doubled = self.doubled.lock().unwrap_or_else(PoisonError::into_inner);
        let mut overdue = std::mem::take(&mut *doubled);
        if now.saturating_duration_since(self.began) >= self.grace {
            overdue.extend(std::mem::take(&mut *self.seats()).into_values());
        }
        overdue
    }

    fn seats(&self) -> MutexGuard<'_, BTreeMap<PlayerId, RestoredSeat<I>>> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Simulation> ServerState<S> {
    /// Gives up the seats whose players did not come back in time. Called once a second.
    pub(crate) async fn sweep_restored(&self) {
        for seat in self.restored.take_overdue(now()) {
            leave_seat(seat, CloseCode::ConnectionLost).await;
        }
    }
}

/// Gives up a seat.
pub(super) async fn leave_seat<I>(seat: RestoredSeat<I>, code: CloseCode) {
    let leave = ToRoom::Leave { request: None, player: seat.player, code };
    send_message(seat.membership.room(), leave).await;
}

/// The session of a restored seat, over the connection of `streams`: it has the seat's number, and counts frames from 0.
///
/// # Errors
/// The end of the connection, if the seat is taken or the server is full.
pub(super) async fn take_seat<S: Simulation>(
    host: &Arc<ServerState<S>>,
    session: &mut SessionScope<S>,
    streams: &Streams,
    (player, secret, sent_again): (PlayerId, ResumeSecret, SentAgain),
) -> Result<Arc<ClientLink<S::Input>>, SessionEnd> {
    let permit = SessionPermit::take(host, streams.transport.remote_address().ip())?;
    let seat = host.restored.take(player).ok_or_else(|| host.resume_refusal())?;
    if let Some(account) = &seat.account {
        let Ok(permit) = host.accounts.take(&account.id, player) else {
            leave_seat(seat, CloseCode::AccountTaken).await;
            return Err(CloseCode::AccountTaken.into());
        };
        session.account = Some(permit);
    }
    session.permit = Some(permit);
    host.counters.sessions_resumed.increment();
    let transport = &streams.transport;
    let (transport_name, address) = (transport.transport_name(), transport.remote_address());
    tracing::info!(player = player.0, transport = transport_name, %address, "session resumed after a restart");
    let link = host.links.restore(seat, (secret, sent_again), Arc::clone(transport), &host.config);
    if let Some(membership) = link.membership().as_ref().map(Arc::clone) {
        let datagram_bytes_max = link.tell_datagram_bytes_max();
        let back = ToRoom::Back { player, datagram_bytes_max };
        send_message(membership.room(), back).await;
    }
    Ok(link)
}
