//! Rooms whose history could not be read: each is tried again from time to time. Every failed look-up has the database opened
//! again, which reads all of its rooms and writes.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Pause before a room is tried again; it doubles with each failure.
const PAUSE: Duration = Duration::from_secs(1);
/// The longest such pause.
const PAUSE_MAX: Duration = Duration::from_secs(32);
/// Rooms that are known; with as many no other is tried before one of them may be.
const ROOMS_MAX: usize = 16;

/// The rooms, each since it failed and until it is read again.
#[derive(Debug, Default)]
pub(super) struct UnreadableRooms {
    rooms: HashMap<String, NextTry>,
}

#[derive(Clone, Copy, Debug)]
struct NextTry {
    at: Instant,
    pause: Duration,
}

impl UnreadableRooms {
    /// True if this room's history may be looked up.
    pub(super) fn may_try(&self, room: &str, now: Instant) -> bool {
        match self.rooms.get(room) {
            Some(next) => next.at <= now,
            None => self.rooms.len() < ROOMS_MAX || self.rooms.values().any(|next| next.at <= now),
        }
    }

    /// Notes a room that could not be read. Returns true if it could be before.
    pub(super) fn note(&mut self, room: &str, now: Instant) -> bool {
        if let Some(next) = self.rooms.get_mut(room) {
            let pause = (2 * next.pause).min(PAUSE_MAX);
            *next = NextTry { at: now + pause, pause };
            return false;
        }
        if self.rooms.len() >= ROOMS_MAX {
            let first = self.rooms.iter().min_by_key(|(_, next)| next.at);
            let first = first.map(|(room, _)| room.clone());
            first.iter().for_each(|room| _ = self.rooms.remove(room));
        }
        self.rooms.insert(room.to_owned(), NextTry { at: now + PAUSE, pause: PAUSE });
        true
    }

    /// Forgets a room that was read.
    pub(super) fn forget(&mut self, room: &str) {
        self.rooms.remove(room);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_is_tried_ever_less_often_and_told_once_until_it_is_read() {
        let (mut rooms, mut now) = (UnreadableRooms::default(), Instant::now());
        assert!(rooms.may_try("bay", now) && rooms.note("bay", now));
        for pause in [1, 2, 4, 8, 16, 32, 32] {
            now += Duration::from_secs(pause) - Duration::from_millis(1);
            assert!(!rooms.may_try("bay", now), "{pause}");
            assert!(rooms.may_try("cove", now));
            now += Duration::from_millis(1);
            assert!(rooms.may_try("bay", now) && !rooms.note("bay", now), "{pause}");
        }
        rooms.forget("bay");
        assert!(rooms.may_try("bay", now) && rooms.note("bay", now));
    }

    #[test]
    fn of_many_rooms_that_cannot_be_read_few_are_tried() {
        let (mut rooms, start) = (UnreadableRooms::default(), Instant::now());
        let tries = |rooms: &mut UnreadableRooms, now| {
            let names = (0..1000).map(|number| format!("room-{number}"));
            names.filter(|name| rooms.may_try(name, now) && rooms.note(name, now)).count()
        };
        assert_eq!(tries(&mut rooms, start), ROOMS_MAX);
        assert_eq!(tries(&mut rooms, start), 0);
        assert!(tries(&mut rooms, start + PAUSE) <= ROOMS_MAX);
        assert_eq!(rooms.rooms.len(), ROOMS_MAX);
    }
}
