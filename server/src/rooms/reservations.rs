//! Seats that wait for an account, as the game's backend asked.
//!
//! [`Reservations`] has no clock and no lock: the seats that are taken and the time come in.

use std::collections::HashMap;
use std::time::Instant;

use tickwire_shared::Simulation;
use tickwire_shared::control::{Redacted, RefuseCode};

use super::{RoomRefusal, Rooms, check_name, now};
use crate::room::options;

/// A seat that waits for an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SeatReservation {
    /// Its own id, which its token names.
    pub(crate) id: String,
    pub(crate) account: String,
    /// The game's own number for the place in the room.
    pub(crate) seat: Option<u32>,
    /// From then on the seat is anybody's.
    pub(crate) ends: Instant,
}

/// A wish for a seat.
pub(crate) struct SeatWish<'a> {
    pub(crate) room: &'a str,
    /// The options of a room that is made for it; `None` makes none.
    pub(crate) options: Option<&'a Redacted>,
    pub(crate) reservation: SeatReservation,
}

/// The reason for no reservation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotReserved {
    /// Every seat of the room is taken or reserved.
    RoomFull,
    /// As many seats as one room may have are reserved there.
    RoomMax,
    /// As many seats as the server may have are reserved.
    ServerMax,
}

/// All reserved seats, by room. Those whose time is over do not count, and are forgotten once a second.
#[derive(Debug)]
pub(super) struct Reservations {
    by_room: HashMap<String, Vec<SeatReservation>>,
    count: usize,
    count_max: usize,
    room_max: usize,
}

impl Reservations {
    pub(super) fn new(count_max: usize, room_max: usize) -> Self {
        Reservations { by_room: HashMap::new(), count: 0, count_max, room_max }
    }

    /// Seats of this room that wait for an account.
    pub(super) fn open(&self, room: &str, now: Instant) -> usize {
        self.of(room, now).count()
    }

    /// True if a seat of this room waits for this account.
    pub(super) fn has(&self, room: &str, account: &str, now: Instant) -> bool {
        self.of(room, now).any(|one| one.account == account)
    }

    /// True if the reservation of this id is in force.
    pub(super) fn is_current(&self, room: &str, id: &str, now: Instant) -> bool {
        self.of(room, now).any(|one| one.id == id)
    }

    /// True if a player without a reservation may ask a room for a seat of which `taken` of `most` are taken. A room in which
    /// no seat is reserved decides for itself.
    pub(super) fn leave_a_seat(
        &self,
        room: &str,
        (taken, most): (usize, usize),
        now: Instant,
    ) -> bool {
        let open = self.open(room, now);
        open == 0 || taken + open < most
    }

    /// Reserves a seat of a room of whose seats `taken` of `most` are taken. An earlier reservation of the same account there
    /// is replaced: its token is of no use any more.
    pub(super) fn reserve(
        &mut self,
        room: &str,
        new: SeatReservation,
        (taken, most): (usize, usize),
        now: Instant,
    ) -> Result<(), NotReserved> {
        if self.count >= self.count_max {
            self.sweep(now);
        }
        let renewed = self.by_room.get_mut(room).and_then(|there| {
            there.iter_mut().find(|one| one.account == new.account && one.ends > now)
        });
        if let Some(one) = renewed {
            *one = new;
            return Ok(());
        }
        let open = self.open(room, now);
        if self.count >= self.count_max {
            return Err(NotReserved::ServerMax);
        }
        if open >= self.room_max {
            return Err(NotReserved::RoomMax);
        }
        if taken + open >= most {
            return Err(NotReserved::RoomFull);
        }
        self.count += 1;
        self.by_room.entry(room.to_owned()).or_default().push(new);
        Ok(())
    }

    /// Ends the reservation of an account that has taken its seat.
    pub(super) fn end(&mut self, room: &str, account: &str) {
        self.retain(|at, one| at != room || one.account != account);
    }

    /// Ends the reservation of this id. False if there is none.
    pub(super) fn cancel(&mut self, id: &str, now: Instant) -> bool {
        let is_there = self.all(now).any(|(_, one)| one.id == id);
        self.retain(|_, one| one.id != id);
        is_there
    }

    /// Ends all of a room that is gone.
    pub(super) fn forget(&mut self, room: &str) {
        self.count -= self.by_room.remove(room).map_or(0, |there| there.len());
    }

    /// Forgets those whose time is over.
    pub(super) fn sweep(&mut self, now: Instant) {
        if self.count > 0 {
            self.retain(|_, one| one.ends > now);
        }
    }

    /// Every reservation with its room.
    pub(super) fn all(&self, now: Instant) -> impl Iterator<Item = (&str, &SeatReservation)> {
        let all = self.by_room.iter();
        all.flat_map(|(room, there)| there.iter().map(|one| (room.as_str(), one)))
            .filter(move |(_, one)| one.ends > now)
    }

    fn of(&self, room: &str, now: Instant) -> impl Iterator<Item = &SeatReservation> {
        self.by_room.get(room).into_iter().flatten().filter(move |one| one.ends > now)
    }

    fn retain(&mut self, keeps: impl Fn(&str, &SeatReservation) -> bool) {
        self.by_room.retain(|room, there| {
            there.retain(|one| keeps(room, one));
            !there.is_empty()
        });
        self.count = self.by_room.values().map(Vec::len).sum();
    }
}

impl<S: Simulation> Rooms<S> {
    /// Reserves a seat. Returns true if the room was made for it.
    pub(crate) fn reserve(
        &self,
        SeatWish { room, options: given, reservation }: SeatWish<'_>,
    ) -> Result<bool, RoomRefusal> {
        check_name(room)?;
        let mut is_made = false;
        let mut registry = self.registry();
        if !registry.entries.contains_key(room) {
            let given = given.ok_or_else(|| {
                let text = format!("there is no room {room:?}, and none is to be made");
                RoomRefusal::new(RefuseCode::NoSuchRoom, text)
            })?;
            // The game is asked without the lock: the room may exist by then.
            drop(registry);
            options::check_length(&self.config.room, given)?;
            let plan = self.plan(given)?;
            registry = self.registry();
            if !registry.entries.contains_key(room) {
                drop(self.make(&mut registry, Some(room), plan, None)?);
                is_made = true;
            }
        }
        let Some(entry) = registry.entries.get(room).cloned() else {
            return Err(RoomRefusal::new(RefuseCode::NoSuchRoom, "the room is gone"));
        };
        let (taken, most) = entry.places_taken();
        let reserved = registry.reservations.reserve(room, reservation, (taken, most), now());
        reserved.map_err(|why| self.not_reserved(why, most))?;
        entry.mailbox.set_reserved(registry.reservations.open(room, now()));
        Ok(is_made)
    }

    fn not_reserved(&self, why: NotReserved, most: usize) -> RoomRefusal {
        let full = |name: &str, most: usize| {
            let text = format!("{most} seats are reserved, as many as {name} allows; try again");
            RoomRefusal::new(RefuseCode::Busy, text)
        };
        match why {
            NotReserved::RoomFull => options::no_seat(most, most).into(),
            NotReserved::RoomMax => {
                full("reservations_room_max", self.config.reservations_room_max)
            }
            NotReserved::ServerMax => full("reservations_max", self.config.reservations_max),
        }
    }

    /// True if the reservation of this id is in force.
    pub(crate) fn is_reserved(&self, room: &str, id: &str) -> bool {
        self.registry().reservations.is_current(room, id, now())
    }

    /// An account has taken its seat: from now on it is as any other.
    pub(crate) fn end_reservation(&self, room: &str, account: &str) {
        let mut registry = self.registry();
        registry.reservations.end(room, account);
        if let Some(entry) = registry.entries.get(room) {
            entry.mailbox.set_reserved(registry.reservations.open(room, now()));
        }
    }

    /// Ends the reservation of this id. False if there is none.
    pub(crate) fn cancel_reservation(&self, id: &str) -> bool {
        let mut registry = self.registry();
        let is_ended = registry.reservations.cancel(id, now());
        for (name, entry) in &registry.entries {
            entry.mailbox.set_reserved(registry.reservations.open(name, now()));
        }
        is_ended
    }

    /// Every reservation with its room.
    pub(crate) fn reservations(&self) -> Vec<(String, SeatReservation)> {
        let registry = self.registry();
        let all = registry.reservations.all(now());
        all.map(|(room, one)| (room.to_owned(), one.clone())).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    const ROOM: &str = "finals";

    fn reservation(account: &str, ends: Instant) -> SeatReservation {
        SeatReservation {
            id: format!("id of {account}"),
            account: account.to_owned(),
            seat: None,
            ends,
        }
    }

    #[test]
    fn a_seat_waits_for_its_account_until_its_time_is_over() {
        let start = Instant::now();
        let end = start + Duration::from_secs(30);
        let mut reservations = Reservations::new(10, 10);
        reservations.reserve(ROOM, reservation("ann", end), (1, 2), start).unwrap();
        assert!(reservations.has(ROOM, "ann", start) && !reservations.has(ROOM, "bob", start));
        assert!(!reservations.leave_a_seat(ROOM, (1, 2), start), "the last one is hers");
        assert!(reservations.leave_a_seat("other", (1, 2), start));
        let late = reservations.reserve(ROOM, reservation("bob", end), (1, 2), start);
        assert_eq!(late, Err(NotReserved::RoomFull));
        assert!(
            !reservations.has(ROOM, "ann", end) && reservations.leave_a_seat(ROOM, (1, 2), end)
        );
        reservations
            .reserve(ROOM, reservation("bob", end + Duration::from_secs(1)), (1, 2), end)
            .unwrap();
        reservations.sweep(end);
        assert_eq!((reservations.count, reservations.open(ROOM, end)), (1, 1));
        reservations.end(ROOM, "bob");
        assert_eq!((reservations.count, reservations.by_room.len()), (0, 0));
    }

    #[test]
    fn a_second_reservation_of_an_account_replaces_the_first() {
        let start = Instant::now();
        let end = start + Duration::from_secs(30);
        let mut reservations = Reservations::new(1, 1);
        reservations.reserve(ROOM, reservation("ann", end), (0, 1), start).unwrap();
        let again = SeatReservation { id: "new".to_owned(), ..reservation("ann", end) };
        reservations.reserve(ROOM, again, (0, 1), start).unwrap();
        assert_eq!(reservations.open(ROOM, start), 1);
        assert!(!reservations.is_current(ROOM, "id of ann", start));
        assert!(reservations.is_current(ROOM, "new", start));
        assert!(!reservations.cancel("id of ann", start) && reservations.cancel("new", start));
        assert_eq!(reservations.count, 0);
    }

    #[test]
    fn a_room_and_the_server_have_a_bound_each() {
        let start = Instant::now();
        let end = start + Duration::from_secs(1);
        let mut reservations = Reservations::new(3, 2);
        let mut reserve = |room: &str, account: &str, at: Instant| {
            reservations.reserve(
                room,
                reservation(account, at + Duration::from_secs(1)),
                (0, 100),
                at,
            )
        };
        assert_eq!([reserve("a", "1", start), reserve("a", "2", start)], [Ok(()), Ok(())]);
        assert_eq!(reserve("a", "3", start), Err(NotReserved::RoomMax));
        assert_eq!(reserve("b", "1", start), Ok(()));
        assert_eq!(reserve("c", "1", start), Err(NotReserved::ServerMax));
        assert_eq!(reserve("c", "1", end), Ok(()), "those that are over make way");
        reservations.forget("c");
        assert_eq!(reservations.count, 0);
    }

    /// What may happen to a room: an account asks for a seat, the room decides on the first that asked, a player leaves, a
    /// backend reserves or cancels, time passes.
    #[derive(Clone, Copy, Debug)]
    enum Event {
        Ask(u8),
        Decide { refuses: bool },
        Leave(u8),
        Reserve { account: u8, ms: u64 },
        Cancel(u8),
        Later(u64),
    }

    fn events() -> impl Strategy<Value = Vec<Event>> {
        let one = prop_oneof![
            4 => (0u8..12).prop_map(Event::Ask),
            4 => any::<bool>().prop_map(|refuses| Event::Decide { refuses }),
            2 => (0u8..12).prop_map(Event::Leave),
            3 => (0u8..12, 1u64..2000).prop_map(|(account, ms)| Event::Reserve { account, ms }),
            1 => (0u8..12).prop_map(Event::Cancel),
            2 => (1u64..1500).prop_map(Event::Later),
        ];
        prop::collection::vec(one, 1..200)
    }

    proptest! {
        #[test]
        fn no_order_of_events_overbooks_a_room_or_refuses_who_has_a_reservation(
            most in 1usize..6,
            events in events(),
        ) {
            let mut reservations = Reservations::new(100, 100);
            let mut now = Instant::now();
            let (mut seated, mut asked) = (Vec::new(), VecDeque::new());
            for event in events {
                let taken = seated.len() + asked.len();
                match event {
                    Event::Ask(account) => {
                        let is_here = seated.contains(&account) || asked.iter().any(|(other, _)| *other == account);
                        let has = reservations.has(ROOM, &account.to_string(), now);
                        if !is_here && (has || reservations.leave_a_seat(ROOM, (taken, most), now)) {
                            asked.push_back((account, has));
                        }
                    }
                    Event::Decide { refuses } => {
                        let Some((account, had)) = asked.pop_front() else { continue };
                        if refuses {
                            continue;
                        }
                        prop_assert!(!had || seated.len() < most, "{account} had a reservation");
                        if seated.len() < most {
                            seated.push(account);
                            reservations.end(ROOM, &account.to_string());
                        }
                    }
                    Event::Leave(account) => seated.retain(|other| *other != account),
                    Event::Reserve { account, ms } => {
                        let new = reservation(&account.to_string(), now + Duration::from_millis(ms));
                        let _ = reservations.reserve(ROOM, new, (taken, most), now);
                    }
                    Event::Cancel(account) => {
                        reservations.cancel(&format!("id of {account}"), now);
                    }
                    Event::Later(ms) => now += Duration::from_millis(ms),
                }
                // Those that have asked by a reservation stand in both.
                let twice = asked.iter().filter(|(account, _)| reservations.has(ROOM, &account.to_string(), now));
                let open = reservations.open(ROOM, now) - twice.count();
                prop_assert!(seated.len() + open <= most, "{} seated, {open} reserved", seated.len());
            }
        }
    }
}
