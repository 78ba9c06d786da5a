//! A room that shows a journal.

use std::sync::Arc;

use tickwire_shared::{PlayerId, RoomPolicy, Simulation};

use super::{Membership, RoomSettings, Rooms};
use crate::config::RoomConfig;
use crate::playback::OpenedReplay;
use crate::scheduler::RoomBegin;

impl<S: Simulation> Rooms<S> {
    /// Starts the room of a journal, for all to watch. `None` if no thread takes it. It goes on while the place is held that
    /// is returned.
    pub(crate) fn show(&self, opened: OpenedReplay<S>) -> Option<Membership<S::Input>> {
        let OpenedReplay { replay, feed, head, newest_player, .. } = opened;
        self.numbers.pass(newest_player);
        let mut registry = self.registry();
        let config = RoomConfig {
            // Nobody takes a seat.
            players_max: 0,
            static_bytes_max: usize::try_from(head.static_bytes_max).unwrap_or(usize::MAX),
            ..self.config.room.clone()
        };
        let policy = RoomPolicy { quick_join: Some(false), ..RoomPolicy::default() };
        let settings =
            RoomSettings { policy, first_bot: PlayerId(0), is_quick: false, config, journal: None };
        let entry = self.start(&head.room, RoomBegin::Replay(replay, Box::new(feed)), settings)?;
        let entry = Arc::new(entry);
        registry.entries.insert(head.room, Arc::clone(&entry));
        Some(Membership::new(entry, true))
    }
}
