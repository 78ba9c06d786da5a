//! Rooms as clients choose, list and follow them.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

/// Which room a client wants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RoomChoice {
    /// Any room that is open to such a choice and has a free seat, or a new one. One made so has no host, and is open to
    /// it unless the game says otherwise.
    Quick,
    /// The room of this name, made by the default options if there is none. 1 to 32 letters, digits, `-` or `_`. Its
    /// first player is its host.
    Named(String),
    /// A new room of this name. Refused where there is one.
    Create {
        /// Its name, as for [`RoomChoice::Named`].
        name: String,
        /// The game's room options as JSON; empty for the default.
        options: Redacted,
    },
}

/// A text that [`Debug`](std::fmt::Debug) does not show, so that no log has it: a join token, a password, or options that may hold one.
#[derive(Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Redacted(pub String);

impl Redacted {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether there is no text.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<String> for Redacted {
    fn from(text: String) -> Self {
        Redacted(text)
    }
}

impl From<&str> for Redacted {
    fn from(text: &str) -> Self {
        Redacted(text.to_owned())
    }
}

impl std::fmt::Debug for Redacted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Redacted(..)")
    }
}

/// One room of the list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomInfo {
    /// Its name.
    pub name: String,
    /// Seats taken by people.
    pub players: u32,
    /// Seats in all.
    pub players_max: u32,
    /// Bots, which make way for people.
    pub bots: u32,
    /// Watching.
    pub spectators: u32,
    /// Only those who know its password come in.
    pub needs_password: bool,
    /// The game's tags of it, to filter by.
    pub tags: Vec<String>,
    /// What the game shows of it in lists, as JSON; empty for nothing.
    pub metadata: String,
}

impl RoomInfo {
    /// Every seat is taken.
    pub fn is_full(&self) -> bool {
        self.players >= self.players_max
    }
}

/// Which rooms a list has, and in which order. The default has all, the fullest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RoomQuery {
    /// Only rooms that have this tag; empty for any.
    pub tag: String,
    /// Only rooms whose name begins so; empty for any.
    pub name_prefix: String,
    /// Only rooms with a free seat.
    pub has_seat: bool,
    /// Only rooms without a password.
    pub no_password: bool,
    /// Which come first.
    pub order: RoomOrder,
}

/// The order of a list of rooms. Rooms that are equal by it are in the order of their names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum RoomOrder {
    /// Most players first.
    #[default]
    Fullest,
    /// Fewest players first.
    Emptiest,
    /// By name, in the order of its bytes.
    Name,
}

impl RoomQuery {
    /// Whether the list has the room if it has this many players, whatever `room` says of them.
    pub fn matches(&self, room: &RoomInfo, players: u32) -> bool {
        (self.tag.is_empty() || room.tags.contains(&self.tag))
            && room.name.starts_with(&self.name_prefix)
            && !(self.has_seat && players >= room.players_max)
            && !(self.no_password && room.needs_password)
    }
}

impl RoomOrder {
    /// Which of two rooms comes first, by their players and names.
    pub fn compare(self, a: (u32, &str), b: (u32, &str)) -> Ordering {
        match self {
            RoomOrder::Fullest => (b.0, a.1).cmp(&(a.0, b.1)),
            RoomOrder::Emptiest => a.cmp(&b),
            RoomOrder::Name => a.1.cmp(b.1),
        }
    }

    /// Puts `rooms` in this order.
    pub fn sort(self, rooms: &mut [RoomInfo]) {
        rooms.sort_by(|a, b| self.compare((a.players, &a.name), (b.players, &b.name)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::ClientFrame;

    fn room(name: &str, players: u32, tags: &[&str]) -> RoomInfo {
        let tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
        RoomInfo { name: name.to_owned(), players, players_max: 4, tags, ..RoomInfo::default() }
    }

    #[test]
    fn a_query_has_the_rooms_that_fit_all_of_it() {
        let open = room("bay-1", 2, &["ctf", "eu"]);
        let full = room("bay-2", 4, &["ctf"]);
        let locked = RoomInfo { needs_password: true, ..room("cove", 0, &[]) };
        let listed = |query: RoomQuery| {
            let rooms = [&open, &full, &locked];
            rooms.map(|room| query.matches(room, room.players))
        };
        assert_eq!(listed(RoomQuery::default()), [true; 3]);
        let tag = |tag: &str| RoomQuery { tag: tag.to_owned(), ..RoomQuery::default() };
        assert_eq!(listed(tag("ctf")), [true, true, false]);
        assert_eq!(listed(tag("ct")), [false; 3]);
        assert_eq!(listed(RoomQuery { has_seat: true, ..tag("ctf") }), [true, false, false]);
        let query = RoomQuery { no_password: true, ..RoomQuery::default() };
        assert_eq!(listed(query), [true, true, false]);
        let query = RoomQuery { name_prefix: "bay-".to_owned(), ..RoomQuery::default() };
        assert_eq!(listed(query), [true, true, false]);
    }

    #[test]
    fn rooms_are_sorted_by_players_or_name() {
        let mut rooms = [room("b", 1, &[]), room("c", 3, &[]), room("a", 1, &[])];
        let mut sorted = |order: RoomOrder| {
            order.sort(&mut rooms);
            rooms.iter().map(|room| room.name.as_str()).collect::<String>()
        };
        let orders = [RoomOrder::Fullest, RoomOrder::Emptiest, RoomOrder::Name];
        assert_eq!(orders.map(&mut sorted), ["cab", "abc", "abc"]);
    }

    #[test]
    fn what_is_secret_is_not_shown() {
        let choice = RoomChoice::Create { name: "a".to_owned(), options: "hunter2".into() };
        assert!(!format!("{choice:?}").contains("hunter2"));
    }

    #[test]
    fn a_token_is_not_shown() {
        let (client, schema) = (String::new(), None);
        let token = "eyJhbGciOiJFZERTQSJ9".into();
        let hello = ClientFrame::Hello { client, schema, resumable: false, token };
        let shown = format!("{hello:?}");
        assert!(shown.contains("Redacted(..)") && !shown.contains("eyJ"), "{shown}");
    }
}
