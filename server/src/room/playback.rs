//! A room that shows a journal: the records run its game, and all members watch.

use std::collections::{BTreeMap, BTreeSet};

use tickwire_shared::control::{CloseCode, Member, ServerFrame};
use tickwire_shared::{Outbox, PlayerId, RoomPolicy, Simulation};

use super::record::TickRecord;
use super::recorder::RecordedGame;
use super::replay::Replay;
use super::{Room, SeatRole};
use crate::config::RoomConfig;
use crate::guard::guarded;

/// The ticks of a journal that a room shows in its own next tick.
#[derive(Debug)]
pub struct PlaybackStep<S: Simulation> {
    /// The replay that takes the place of the last one, after a seek.
    pub jump: Option<Box<Replay<S>>>,
    /// The records after that, in order; none while it is paused.
    pub records: Vec<TickRecord>,
}

impl<S: Simulation> Default for PlaybackStep<S> {
    fn default() -> Self {
        PlaybackStep { jump: None, records: Vec::new() }
    }
}

/// A replay in place of a room's game.
#[derive(Debug)]
pub(super) struct Playback<S: Simulation> {
    replay: Box<Replay<S>>,
    next: PlaybackStep<S>,
    /// Its players may be others than in the tick before.
    is_cast_new: bool,
    /// The reason why it stands still.
    failure: Option<String>,
}

impl<S: Simulation> Playback<S> {
    fn new(replay: Box<Replay<S>>) -> Self {
        Playback { replay, next: PlaybackStep::default(), is_cast_new: true, failure: None }
    }

    pub(super) fn simulation(&self) -> &S {
        self.replay.simulation()
    }

    /// Runs what is next. The events and the static data of these ticks go to `outbox`.
    pub(super) fn step(&mut self, outbox: &mut Outbox<S>) {
        let PlaybackStep { jump, records } = std::mem::take(&mut self.next);
        if let Some(replay) = jump {
            self.jump(replay, outbox);
        }
        for record in records {
            if self.failure.is_some() {
                return;
            }
            self.is_cast_new |= !record.changes.is_empty();
            let replay = &mut self.replay;
            self.failure = match guarded(|| replay.step(&record)) {
                Some(Ok(())) => None,
                Some(Err(error)) => Some(error.to_string()),
                None => Some(format!("the rules panic in tick {}", record.tick.0)),
            };
            self.replay.move_told(outbox);
        }
    }

    fn jump(&mut self, replay: Box<Replay<S>>, outbox: &mut Outbox<S>) {
        let before = std::mem::replace(&mut self.replay, replay);
        (self.is_cast_new, self.failure) = (true, None);
        let mut gone: BTreeSet<u8> = before.static_bytes().map(|(key, _)| key).collect();
        for (key, bytes) in self.replay.static_bytes() {
            gone.remove(&key);
            outbox.static_data().set(key, bytes);
        }
        gone.into_iter().for_each(|key| outbox.static_data().set(key, []));
    }

    /// The recorded players, bots too.
    fn cast(&self) -> BTreeMap<PlayerId, Member> {
        let seated = self.replay.all_members().filter(|it| it.role != SeatRole::Spectator);
        let member = |bot, player, name: &String| Member {
            player,
            name: name.clone(),
            spectator: false,
            bot,
        };
        let members = seated.map(|it| (it.player, (it.role == SeatRole::Bot, &it.name)));
        members.map(|(player, (bot, name))| (player, member(bot, player, name))).collect()
    }
}

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
            playback.next = next;
        }
    }

    /// The replay that the room shows, and the reason if it stands still; `None` of a room that plays itself.
    pub fn shown_replay(&self) -> Option<(&Replay<S>, Option<&str>)> {
        let playback = self.simulation.playback()?;
        Some((&playback.replay, playback.failure.as_deref()))
    }

    /// Tells the members who of the recorded players came and left.
    pub(super) fn follow_cast(&mut self) {
        let Some(playback) = self.simulation.playback_mut() else { return };
        if !std::mem::take(&mut playback.is_cast_new) {
            return;
        }
        let cast = playback.cast();
        let before = std::mem::replace(&mut self.cast, cast);
        let left = before.keys().filter(|it| !self.cast.contains_key(it));
        let left = left.map(|it| ServerFrame::MemberLeft { player: *it, code: CloseCode::Normal });
        let came = self.cast.values().filter(|it| before.get(&it.player) != Some(it));
        let came = came.map(|it| ServerFrame::MemberJoined(it.clone()));
        let frames: Vec<_> = left.chain(came).collect();
        frames.into_iter().for_each(|frame| self.tell_everyone(frame));
    }
}
