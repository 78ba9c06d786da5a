//! Lists of rooms that clients follow; each change is coded once for all followers of a list.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tickwire_shared::PlayerId;
use tickwire_shared::control::{RefuseCode, RoomInfo, RoomQuery, ServerFrame};

use super::RoomRefusal;
use crate::room::options::WORD_CHARACTERS_MAX;

/// The followed lists.
#[derive(Debug)]
pub(crate) struct RoomsFeed {
    lists: Mutex<HashMap<RoomQuery, FollowedList>>,
    lists_max: usize,
}

/// One list and its followers.
#[derive(Debug, Default)]
struct FollowedList {
    /// The rooms last sent.
    rooms: BTreeMap<String, RoomInfo>,
    /// The number of matches last sent.
    found: u32,
    /// Each follower, with true if it missed a change because too many frames waited for it.
    followers: HashMap<PlayerId, bool>,
}

impl RoomsFeed {
    pub(super) fn new(lists_max: usize) -> Self {
        RoomsFeed { lists: Mutex::default(), lists_max }
    }

    /// Subscribes `player` to the list of `query` in place of its last one. Passes the rooms and
    /// the number of all matches to `answer`; changes follow from there. `list` makes a list
    /// without followers.
    ///
    /// # Errors
    /// [`RefuseCode::RoomNameInvalid`] for a query that is too long, [`RefuseCode::Busy`] if too
    /// many lists are followed.
    pub(crate) fn subscribe(
        &self,
        player: PlayerId,
        query: RoomQuery,
        list: impl FnOnce(&RoomQuery) -> (Vec<RoomInfo>, u32),
        answer: impl FnOnce(Vec<RoomInfo>, u32),
    ) -> Result<(), RoomRefusal> {
        if query.tag.len().max(query.name_prefix.len()) > WORD_CHARACTERS_MAX {
            let text = format!(
                "a tag, or the beginning of a name, has {WORD_CHARACTERS_MAX} characters at most"
            );
            return Err(RoomRefusal::new(RefuseCode::RoomNameInvalid, text));
        }
        let mut lists = self.lists();
        leave(&mut lists, player);
        if !lists.contains_key(&query) && lists.len() >= self.lists_max {
            let text =
                "too many different lists of rooms are followed; ask for the list now and then";
            return Err(RoomRefusal::new(RefuseCode::Busy, text));
        }
        let order = query.order;
        let followed = lists.entry(query).or_insert_with_key(|query| {
            let (rooms, found) = list(query);
            FollowedList { rooms: by_name(rooms), found, followers: HashMap::new() }
        });
        followed.followers.insert(player, false);
        let mut rooms: Vec<_> = followed.rooms.values().cloned().collect();
        order.sort(&mut rooms);
        answer(rooms, followed.found);
        Ok(())
    }

    /// True if any list is followed.
    pub(super) fn is_followed(&self) -> bool {
        !self.lists().is_empty()
    }

    /// Ends the subscription of `player`.
    pub(crate) fn unsubscribe(&self, player: PlayerId) {
        leave(&mut self.lists(), player);
    }

    /// Passes the changes since the last push to `send`, with their receivers. A follower that
    /// `is_behind` gets nothing until it has caught up, then the whole list.
    pub(super) fn push(
        &self,
        list: impl Fn(&RoomQuery) -> (Vec<RoomInfo>, u32),
        is_behind: impl Fn(PlayerId) -> bool,
        mut send: impl FnMut(&[PlayerId], &ServerFrame),
    ) {
        for (query, followed) in self.lists().iter_mut() {
            let (now, found) = list(query);
            let now = by_name(now);
            let frame = difference(&followed.rooms, &now);
            (followed.rooms, followed.found) = (now, found);
            let (mut changed, mut anew) = (Vec::new(), Vec::new());
            for (player, missed) in &mut followed.followers {
                let has_news = frame.is_some() || *missed;
                if !has_news {
                    continue;
                }
                let misses = is_behind(*player);
                match (misses, *missed || frame.as_ref().is_none_or(is_too_large)) {
                    (true, _) => {}
                    (false, true) => anew.push(*player),
                    (false, false) => changed.push(*player),
                }
                *missed = misses;
            }
            if let Some(frame) = frame.filter(|_| !changed.is_empty()) {
                send(&changed, &frame);
            }
            if !anew.is_empty() {
                let rooms = followed.rooms.values().cloned().collect();
                send(&anew, &changes(true, rooms, Vec::new()));
            }
        }
    }

    fn lists(&self) -> MutexGuard<'_, HashMap<RoomQuery, FollowedList>> {
        self.lists.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn leave(lists: &mut HashMap<RoomQuery, FollowedList>, player: PlayerId) {
    lists.retain(|_, list| {
        list.followers.remove(&player);
        !list.followers.is_empty()
    });
}

fn by_name(rooms: Vec<RoomInfo>) -> BTreeMap<String, RoomInfo> {
    rooms.into_iter().map(|room| (room.name.clone(), room)).collect()
}

/// The frame that leads from `before` to `now`, if they differ.
fn difference(
    before: &BTreeMap<String, RoomInfo>,
    now: &BTreeMap<String, RoomInfo>,
) -> Option<ServerFrame> {
    let changed = now.values().filter(|room| before.get(&room.name) != Some(*room));
    let changed: Vec<_> = changed.cloned().collect();
    let removed = before.keys().filter(|name| !now.contains_key(*name));
    let removed: Vec<_> = removed.cloned().collect();
    let is_same = changed.is_empty() && removed.is_empty();
    (!is_same).then(|| changes(false, changed, removed))
}

fn changes(anew: bool, changed: Vec<RoomInfo>, removed: Vec<String>) -> ServerFrame {
    ServerFrame::RoomsChanged { anew, changed, removed }
}

/// True if it might not fit a frame: then the whole list is sent.
fn is_too_large(frame: &ServerFrame) -> bool {
    let ServerFrame::RoomsChanged { changed, removed, .. } = frame else { return false };
    let names = removed.iter().map(|name| name.len() + LENGTH_BYTES_MAX).sum::<usize>();
    changed.iter().map(info_bytes_max).sum::<usize>() + names > LIST_BYTES_MAX
}

/// An upper bound of the room's bytes in a frame.
pub(super) fn info_bytes_max(room: &RoomInfo) -> usize {
    let texts = room.tags.iter().chain([&room.name, &room.metadata]);
    texts.map(|text| text.len() + LENGTH_BYTES_MAX).sum::<usize>() + NUMBERS_BYTES_MAX
}

/// Most bytes of rooms in one frame, with place left for the rest of it.
pub(super) const LIST_BYTES_MAX: usize = 60 * 1024;
/// Bytes of a text's length: all texts are shorter than 16 KiB.
const LENGTH_BYTES_MAX: usize = 2;
/// Bytes of a room's numbers and of its number of tags.
const NUMBERS_BYTES_MAX: usize = 4 * 5 + 2;

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use tickwire_shared::control::{FRAME_BYTES_MAX, RoomOrder, write_frame};

    use super::*;

    const ANN: PlayerId = PlayerId(1);
    const BOB: PlayerId = PlayerId(2);

    fn room(name: &str, players: u32) -> RoomInfo {
        RoomInfo { name: name.to_owned(), players, players_max: 4, ..RoomInfo::default() }
    }

    fn subscribe(
        feed: &RoomsFeed,
        player: PlayerId,
        query: RoomQuery,
        rooms: &[RoomInfo],
    ) -> Result<Vec<RoomInfo>, RoomRefusal> {
        let told = RefCell::new(Vec::new());
        let list = |_: &RoomQuery| (rooms.to_vec(), rooms.len() as u32);
        feed.subscribe(player, query, list, |rooms, _| *told.borrow_mut() = rooms)?;
        Ok(told.into_inner())
    }

    /// The frames pushed, as short words, while the followers in `behind` do not read.
    fn push(feed: &RoomsFeed, rooms: &[RoomInfo], behind: &[PlayerId]) -> Vec<String> {
        let mut told = Vec::new();
        feed.push(
            |_| (rooms.to_vec(), rooms.len() as u32),
            |player| behind.contains(&player),
            |players, frame| {
                let ServerFrame::RoomsChanged { anew, changed, removed } = frame else { panic!() };
                let mut bytes = Vec::new();
                write_frame(frame, &mut bytes);
                let mut players: Vec<_> = players.iter().map(|player| player.0).collect();
                players.sort_unstable();
                let changed: Vec<_> =
                    changed.iter().map(|room| format!("{}:{}", room.name, room.players)).collect();
                let anew = if *anew { " anew" } else { "" };
                told.push(format!("{players:?}{anew} +{changed:?} -{removed:?}").replace('"', ""));
            },
        );
        told
    }

    #[test]
    fn followers_are_told_what_is_new_what_changed_and_what_is_gone() {
        let feed = RoomsFeed::new(4);
        let query = RoomQuery { order: RoomOrder::Name, ..RoomQuery::default() };
        let rooms = [room("b", 1), room("a", 2)];
        let told = subscribe(&feed, ANN, query.clone(), &rooms).unwrap();
        assert_eq!(told, [room("a", 2), room("b", 1)]);
        assert_eq!(push(&feed, &rooms, &[]), [""; 0], "nothing changed");
        let now = [room("a", 3), room("c", 0)];
        // A new follower begins with the list last sent to the others.
        assert_eq!(subscribe(&feed, BOB, query, &now).unwrap(), told);
        assert_eq!(push(&feed, &now, &[]), ["[1, 2] +[a:3, c:0] -[b]"]);
        feed.unsubscribe(ANN);
        assert_eq!(push(&feed, &[], &[]), ["[2] +[] -[a, c]"]);
        feed.unsubscribe(BOB);
        assert_eq!(push(&feed, &now, &[]), [""; 0]);
        assert!(feed.lists().is_empty());
    }

    #[test]
    fn a_slow_follower_gets_the_whole_list_once_it_reads() {
        let feed = RoomsFeed::new(4);
        for player in [ANN, BOB] {
            subscribe(&feed, player, RoomQuery::default(), &[]).unwrap();
        }
        assert_eq!(push(&feed, &[room("a", 1)], &[BOB]), ["[1] +[a:1] -[]"]);
        assert_eq!(push(&feed, &[room("a", 2)], &[BOB]), ["[1] +[a:2] -[]"]);
        assert_eq!(push(&feed, &[room("a", 2)], &[]), ["[2] anew +[a:2] -[]"]);
        assert_eq!(push(&feed, &[room("a", 2)], &[]), [""; 0]);
    }

    #[test]
    fn a_player_follows_one_list_and_all_follow_a_bounded_number() {
        let feed = RoomsFeed::new(1);
        let tagged = |tag: &str| RoomQuery { tag: tag.to_owned(), ..RoomQuery::default() };
        subscribe(&feed, ANN, tagged("a"), &[]).unwrap();
        // The list she leaves makes place for the other.
        subscribe(&feed, ANN, tagged("b"), &[]).unwrap();
        let refused = subscribe(&feed, BOB, tagged("c"), &[]).unwrap_err();
        assert_eq!(refused.code, RefuseCode::Busy);
        subscribe(&feed, BOB, tagged("b"), &[]).unwrap();
        let refused = subscribe(&feed, BOB, tagged(&"x".repeat(33)), &[]).unwrap_err();
        assert_eq!(refused.code, RefuseCode::RoomNameInvalid);
        assert_eq!(feed.lists().len(), 1);
    }

    #[test]
    fn every_change_fits_a_frame() {
        let large = |number: usize| RoomInfo {
            name: format!("{number:032}"),
            tags: vec!["x".repeat(32); 8],
            metadata: "1".repeat(512),
            players: u32::MAX,
            players_max: u32::MAX,
            bots: u32::MAX,
            spectators: u32::MAX,
            needs_password: true,
        };
        let bytes = info_bytes_max(&large(0));
        let rooms: Vec<_> = (0..LIST_BYTES_MAX / bytes).map(large).collect();
        let small: Vec<_> = (1000..2000).map(|number| room(&format!("{number:032}"), 1)).collect();
        let feed = RoomsFeed::new(1);
        subscribe(&feed, ANN, RoomQuery::default(), &small).unwrap();
        let told = push(&feed, &rooms, &[]);
        assert!(told.len() == 1 && told[0].starts_with("[1] anew"), "{told:?}");
        let frame = changes(true, rooms, Vec::new());
        let mut coded = Vec::new();
        write_frame(&frame, &mut coded);
        assert!(coded.len() <= FRAME_BYTES_MAX && coded.len() > LIST_BYTES_MAX * 9 / 10);
    }
}
