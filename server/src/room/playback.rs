//! A replay in place of a room's game.

use std::collections::{BTreeMap, BTreeSet};

use tickwire_shared::control::Member;
use tickwire_shared::{Outbox, PlayerId, Simulation};

use super::record::{SeatRole, TickRecord};
use super::replay::Replay;
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
    pub(super) fn new(replay: Box<Replay<S>>) -> Self {
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

    /// Sets what the next step runs.
    pub(super) fn set_next(&mut self, next: PlaybackStep<S>) {
        self.next = next;
    }

    /// The replay, and the reason if it stands still.
    pub(super) fn shown(&self) -> (&Replay<S>, Option<&str>) {
        (&self.replay, self.failure.as_deref())
    }

    /// The recorded players, bots too, if they may be others than at the last call.
    pub(super) fn take_new_cast(&mut self) -> Option<BTreeMap<PlayerId, Member>> {
        std::mem::take(&mut self.is_cast_new).then(|| self.cast())
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
