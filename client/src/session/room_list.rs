//! The list of rooms that a client follows.

use tickwire_shared::control::{RequestId, RoomInfo, RoomQuery, ServerFrame};

/// The rooms as the server last listed them.
#[derive(Debug, Default)]
pub(super) struct RoomList {
    /// The request for a new list, until it is answered; frames before that belong to the previous
    /// list.
    asked: Option<RequestId>,
    query: RoomQuery,
    is_followed: bool,
    rooms: Vec<RoomInfo>,
}

impl RoomList {
    pub(super) fn rooms(&self) -> &[RoomInfo] {
        &self.rooms
    }

    pub(super) fn subscribe(&mut self, request: RequestId, query: RoomQuery) {
        *self = RoomList { asked: Some(request), query, ..RoomList::default() };
    }

    /// The query of the list that is followed, once the server has answered it.
    pub(super) fn followed(&self) -> Option<&RoomQuery> {
        self.is_followed.then_some(&self.query)
    }

    pub(super) fn unsubscribe(&mut self) {
        *self = RoomList::default();
    }

    /// Takes a frame and updates the list if it concerns it.
    pub(super) fn handle(&mut self, frame: &ServerFrame) {
        match frame {
            ServerFrame::Rooms { request, rooms, .. } if self.asked == Some(*request) => {
                (self.asked, self.is_followed) = (None, true);
                self.rooms.clone_from(rooms);
            }
            ServerFrame::Refused { request, .. } if self.asked == Some(*request) => {
                self.unsubscribe();
            }
            ServerFrame::RoomsChanged { anew, changed, removed } if self.is_followed => {
                self.rooms.retain(|room| {
                    let is_other = changed.iter().all(|other| other.name != room.name);
                    !anew && is_other && !removed.contains(&room.name)
                });
                self.rooms.extend(changed.iter().cloned());
            }
            _ => return,
        }
        self.query.order.sort(&mut self.rooms);
    }
}

#[cfg(test)]
mod tests {
    use tickwire_shared::control::RoomOrder;

    use super::*;

    fn by(order: RoomOrder) -> RoomQuery {
        RoomQuery { order, ..RoomQuery::default() }
    }

    fn room(name: &str, players: u32) -> RoomInfo {
        RoomInfo { name: name.to_owned(), players, players_max: 4, ..RoomInfo::default() }
    }

    fn listed(list: &RoomList) -> Vec<(&str, u32)> {
        list.rooms().iter().map(|room| (room.name.as_str(), room.players)).collect()
    }

    #[test]
    fn a_list_is_what_was_told_last_in_its_order() {
        let mut list = RoomList::default();
        let rooms = |request, rooms: &[RoomInfo]| ServerFrame::Rooms {
            request: RequestId(request),
            rooms: rooms.to_vec(),
            found: 9,
        };
        let changes = |anew, changed: &[RoomInfo], removed: &[&str]| ServerFrame::RoomsChanged {
            anew,
            changed: changed.to_vec(),
            removed: removed.iter().map(|name| (*name).to_owned()).collect(),
        };
        list.handle(&changes(false, &[room("x", 1)], &[]));
        list.handle(&rooms(3, &[room("x", 1)]));
        assert_eq!(listed(&list), [], "nothing is followed");
        list.subscribe(RequestId(4), by(RoomOrder::Fullest));
        list.handle(&rooms(3, &[room("x", 1)]));
        list.handle(&changes(false, &[room("x", 1)], &[]));
        assert_eq!(listed(&list), [], "of another list");
        list.handle(&rooms(4, &[room("b", 2), room("a", 1)]));
        list.handle(&changes(false, &[room("a", 3), room("c", 2)], &[]));
        assert_eq!(listed(&list), [("a", 3), ("b", 2), ("c", 2)]);
        list.handle(&changes(false, &[], &["b", "never"]));
        assert_eq!(listed(&list), [("a", 3), ("c", 2)]);
        list.handle(&changes(true, &[room("d", 0)], &[]));
        assert_eq!(listed(&list), [("d", 0)]);
        list.unsubscribe();
        list.handle(&changes(true, &[room("d", 0)], &[]));
        assert_eq!(listed(&list), []);
        list.subscribe(RequestId(6), by(RoomOrder::Name));
        let text = String::new();
        let code = tickwire_shared::control::RefuseCode::Busy;
        list.handle(&ServerFrame::Refused { request: RequestId(6), code, text });
        list.handle(&changes(true, &[room("d", 0)], &[]));
        assert_eq!(listed(&list), []);
    }
}
