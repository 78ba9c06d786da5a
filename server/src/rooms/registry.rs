//! The rooms by name, and places in them.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::Instant;

use tickwire_shared::control::{Redacted, RefuseCode};

use super::RoomRefusal;
use super::creators::{CreatedRoom, RoomCreators};
use super::reservations::Reservations;
use crate::room::{SecretDigest, options};
use crate::scheduler::Mailbox;

/// The rooms, their creators, and the seats that wait for their players.
pub(super) struct Registry<I> {
    pub(super) entries: HashMap<String, Arc<Entry<I>>>,
    pub(super) creators: RoomCreators,
    pub(super) reservations: Reservations,
}

/// One room, its members and those about to join.
#[derive(Debug)]
pub(super) struct Entry<I> {
    pub(super) mailbox: Arc<Mailbox<I>>,
    /// Quick matches may join it.
    pub(super) quick_join: bool,
    /// It is missing from all lists.
    pub(super) unlisted: bool,
    /// Required to join.
    pub(super) password: Option<SecretDigest>,
    /// `None` for a restored room, and for one that was made for a reservation.
    pub(super) made: Option<CreatedRoom>,
    pub(super) seats: AtomicUsize,
    pub(super) watchers: AtomicUsize,
    /// Seconds since its last member left.
    pub(super) empty_s: AtomicU32,
}

/// A session's place in a room, held from the request until it has left.
#[derive(Debug)]
pub(crate) struct Membership<I> {
    entry: Arc<Entry<I>>,
    spectator: bool,
}

impl<I> Registry<I> {
    /// A spectator's place in the room of this name; `None` if there is none. Refused without its password.
    pub(super) fn find_place(
        &self,
        name: &str,
        password: &Redacted,
    ) -> Result<Option<Membership<I>>, RoomRefusal> {
        let Some(entry) = self.entries.get(name) else { return Ok(None) };
        entry.check_password(password)?;
        Ok(Some(Membership::new(Arc::clone(entry), true)))
    }

    /// A seat in the room of this name; `None` if there is no room. Refused without its password, and where all seats that are
    /// free are reserved, unless one is for this account.
    pub(super) fn find_seat(
        &self,
        name: &str,
        password: &Redacted,
        (account, now): (Option<&str>, Instant),
    ) -> Result<Option<Membership<I>>, RoomRefusal> {
        let Some(entry) = self.entries.get(name) else { return Ok(None) };
        if !account.is_some_and(|account| self.reservations.has(name, account, now)) {
            entry.check_password(password)?;
            let (taken, most) = entry.places_taken();
            if !self.reservations.leave_a_seat(name, (taken, most), now) {
                return Err(options::no_seat(most, most).into());
            }
        }
        Ok(Some(Membership::new(Arc::clone(entry), false)))
    }

    /// A place in the fullest room for quick matches with a free seat.
    pub(super) fn find_quick(&self) -> Option<Membership<I>> {
        let open = self.entries.values().filter(|entry| entry.quick_join && entry.has_seat());
        let fullest = open.max_by_key(|entry| entry.seats.load(Ordering::Relaxed))?;
        Some(Membership::new(Arc::clone(fullest), false))
    }

    /// Frees this name for a new room. Refused if the name's room ever had a member: a room whose
    /// creator was not let in blocks nobody.
    pub(super) fn make_way(&mut self, name: &str) -> Result<(), RoomRefusal> {
        let Some(entry) = self.entries.get(name) else { return Ok(()) };
        if entry.is_occupied() || entry.mailbox.was_entered() {
            let text = format!("there is a room {name:?} already; choose another name, or join it");
            return Err(RoomRefusal::new(RefuseCode::RoomTaken, text));
        }
        entry.mailbox.close();
        entry.made.into_iter().for_each(|made| self.creators.give_back(made));
        self.entries.remove(name);
        self.reservations.forget(name);
        Ok(())
    }
}

impl<I> Entry<I> {
    /// Refuses who does not know the room's password.
    fn check_password(&self, password: &Redacted) -> Result<(), RoomRefusal> {
        if self.password.as_ref().is_none_or(|wanted| wanted.is_of(password.as_str().as_bytes())) {
            return Ok(());
        }
        let text = match password.is_empty() {
            true => "this room has a password; ask whoever made it",
            false => "this is not the room's password; ask whoever made it",
        };
        Err(RoomRefusal::new(RefuseCode::WrongPassword, text))
    }

    /// Its seats that are taken, or asked for just now, and all of them.
    pub(super) fn places_taken(&self) -> (usize, usize) {
        (self.seats.load(Ordering::Relaxed), self.mailbox.players_max() as usize)
    }

    fn has_seat(&self) -> bool {
        let (taken, most) = self.places_taken();
        let reserved = self.mailbox.reserved() as usize;
        taken + reserved < most
    }

    /// True if somebody is in it, or a seat waits for somebody.
    pub(super) fn is_occupied(&self) -> bool {
        self.seats.load(Ordering::Relaxed) + self.watchers.load(Ordering::Relaxed) > 0
            || self.mailbox.reserved() > 0
    }
}

impl<I> Membership<I> {
    pub(super) fn new(entry: Arc<Entry<I>>, spectator: bool) -> Self {
        let membership = Membership { entry, spectator };
        membership.places().fetch_add(1, Ordering::Relaxed);
        membership
    }

    pub(crate) fn room(&self) -> &Arc<Mailbox<I>> {
        &self.entry.mailbox
    }

    pub(crate) fn spectator(&self) -> bool {
        self.spectator
    }

    fn places(&self) -> &AtomicUsize {
        if self.spectator { &self.entry.watchers } else { &self.entry.seats }
    }
}

impl<I> Drop for Membership<I> {
    fn drop(&mut self) {
        self.places().fetch_sub(1, Ordering::Relaxed);
    }
}
