//! Sessions of a server that was started again: their seats are restored, their connections and frames are not.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tickwire_shared::control::{CloseCode, Received, ResumeSecret, ServerFrame};
use tickwire_shared::{Account, PlayerId, Simulation};

use super::resume::ReturnSlot;
use super::served::ResumeRequest;
use super::streams::Streams;
use super::{ClientLink, ServerState, SessionEnd, SessionPermit, SessionScope, now, send_message};
use crate::identity::AccountPermit;
use crate::room::ToRoom;
use crate::rooms::RestoredSeat;
use crate::sanctions::SanctionSubject;

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

    /// True while a seat of this account waits for its player.
    pub(super) fn has_account(&self, account: &str) -> bool {
        let is_own =
            |seat: &RestoredSeat<I>| seat.account.as_ref().is_some_and(|own| own.id == account);
        self.seats().values().any(is_own)
    }

    /// The account and the display name of the seat of this number.
    fn who(&self, player: PlayerId) -> Option<(Option<Account>, String)> {
        self.seats().get(&player).map(|seat| (seat.account.clone(), seat.name.clone()))
    }

    /// Takes the seat of this number and secret, and begins its session by `begin`: whoever finds the seat gone finds that.
    fn take<T>(
        &self,
        (player, secret): (PlayerId, ResumeSecret),
        begin: impl FnOnce(RestoredSeat<I>) -> T,
    ) -> Option<T> {
        let mut seats = self.seats();
        let right = seats.get(&player).and_then(|seat| seat.resume);
        right.filter(|right| right.secret.is_of(&secret.0))?;
        seats.remove(&player).map(begin)
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
/// `None` if no such seat waits: another connection of its client may have taken it.
///
/// # Errors
/// The end of the connection, if its account has another session or the server is full.
pub(super) async fn take_seat<S: Simulation>(
    host: &Arc<ServerState<S>>,
    session: &mut SessionScope<S>,
    streams: &Streams,
    request: &ResumeRequest,
) -> Result<Option<(Arc<ClientLink<S::Input>>, Arc<ReturnSlot>)>, SessionEnd> {
    let ResumeRequest { player, secret, .. } = *request;
    if !host.restored.is_secret_of(player, secret) {
        return Ok(None);
    }
    let address = streams.transport.remote_address().ip();
    if let Some((account, name)) = host.restored.who(player) {
        let account = account.as_ref().map(|account| account.id.as_str());
        host.check_ban(SanctionSubject { account, name: Some(&name), address })?;
    }
    let permit = SessionPermit::take(host, address)?;
    let begun = host.restored.take((player, secret), |seat| begin(host, streams, request, seat));
    let begun = match begun {
        None => return Ok(None),
        Some(Err(seat)) => {
            leave_seat(*seat, CloseCode::AccountTaken).await;
            return Err(CloseCode::AccountTaken.into());
        }
        Some(Ok(begun)) => begun,
    };
    let Begun { link, returns, account } = begun;
    (session.permit, session.account) = (Some(permit), account);
    host.counters.sessions_resumed.increment();
    let transport = &streams.transport;
    let (transport_name, address) = (transport.transport_name(), transport.remote_address());
    tracing::info!(player = player.0, transport = transport_name, %address, "session resumed after a restart");
    if let Some(membership) = link.membership().as_ref().map(Arc::clone) {
        let datagram_bytes_max = link.tell_datagram_bytes_max();
        let back = ToRoom::Back { player, datagram_bytes_max };
        send_message(membership.room(), back).await;
    }
    Ok(Some((link, returns)))
}

/// A session that began for a restored seat.
struct Begun<I> {
    link: Arc<ClientLink<I>>,
    /// Open from the beginning: its client may lose the connection before it reads a word.
    returns: Arc<ReturnSlot>,
    account: Option<AccountPermit>,
}

/// Begins the session of a restored seat.
///
/// # Errors
/// The seat, if its account has another session.
fn begin<S: Simulation>(
    host: &Arc<ServerState<S>>,
    streams: &Streams,
    request: &ResumeRequest,
    seat: RestoredSeat<S::Input>,
) -> Result<Begun<S::Input>, Box<RestoredSeat<S::Input>>> {
    let account = match &seat.account {
        None => None,
        Some(account) => match host.accounts.take(&account.id, seat.player) {
            Ok(permit) => Some(permit),
            Err(_) => return Err(Box::new(seat)),
        },
    };
    let returns = host.returns.open(seat.player, streams.number);
    let resume = (request.secret, request.sent_again.clone());
    let link = host.links.restore(seat, resume, Arc::clone(&streams.transport), &host.config);
    link.reliable.resume(Received::default(), &ServerFrame::Restarted { run: host.run });
    Ok(Begun { link, returns, account })
}
