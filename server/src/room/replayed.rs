//! A room that shows a journal: the records run its game, and all members watch.

use tickwire_shared::control::{CloseCode, ServerFrame};
use tickwire_shared::{PlayerId, RoomPolicy, Simulation};

use super::Room;
use super::playback::{Playback, PlaybackStep};
use super::recorder::RecordedGame;
use super::replay::Replay;
use crate::config::RoomConfig;

impl<S: Simulation> Room<S> {
    /// A room that shows what `replay` came to, and then what [`Room::play`] is given. Its members are spectators. A new
    /// session must have a higher number than all recorded players.
    pub fn of_replay(
        replay: Box<Replay<S>>,
        name: &str,
        config: RoomConfig,
        policy: &RoomPolicy,
    ) -> Self {
        let keys: Vec<_> = replay.static_bytes().collect();
        let game = RecordedGame::replayed(Playback::new(replay));
        let mut room = Room::of_game(game, name, config).with_policy(policy, PlayerId(0));
        room.is_hosted = false;
        keys.into_iter().for_each(|(key, bytes)| room.outbox.static_data().set(key, bytes));
        room.take_static_data();
        room.follow_cast();
        room
    }

    /// What the next [`Room::step`] shows. A room that plays itself passes it over.
    pub fn play(&mut self, next: PlaybackStep<S>) {
        if let Some(playback) = self.simulation.playback_mut() {
            playback.set_next(next);
        }
    }

    /// The replay that the room shows, and the reason if it stands still; `None` of a room that plays itself.
    pub fn shown_replay(&self) -> Option<(&Replay<S>, Option<&str>)> {
        self.simulation.playback().map(Playback::shown)
    }

    /// Tells the members who of the recorded players came and left.
    pub(super) fn follow_cast(&mut self) {
        let playback = self.simulation.playback_mut();
        let Some(cast) = playback.and_then(Playback::take_new_cast) else { return };
        let before = std::mem::replace(&mut self.cast, cast);
        let left = before.keys().filter(|it| !self.cast.contains_key(it));
        let left = left.map(|it| ServerFrame::MemberLeft { player: *it, code: CloseCode::Normal });
        let came = self.cast.values().filter(|it| before.get(&it.player) != Some(it));
        let came = came.map(|it| ServerFrame::MemberJoined(it.clone()));
        let frames: Vec<_> = left.chain(came).collect();
        frames.into_iter().for_each(|frame| self.tell_everyone(frame));
    }
}
