//! Commands that wait for their tick.

use std::collections::{BTreeMap, VecDeque};

use tickwire_shared::PlayerId;
use tickwire_shared::command::CommandCodec;
use tickwire_shared::control::{RefuseCode, RequestId, ServerFrame};
use tickwire_shared::quantize::Kinds;
use tickwire_shared::schema::Schema;
use tickwire_shared::simulation::Simulation;

use super::chat::ChatRefusal;
use super::{FromRoom, Room};
use crate::config::RoomConfig;

/// The commands of one room. Each is in here once, until a step has had it or its player has left.
#[derive(Debug)]
pub(super) struct CommandQueue<C> {
    codec: CommandCodec,
    /// In the order of arrival.
    waiting: VecDeque<WaitingCommand<C>>,
    /// The number of waiting commands of each player that has any.
    counts: BTreeMap<PlayerId, usize>,
    /// The commands of the current tick.
    taken: Vec<(PlayerId, C)>,
    /// The requests of `taken`.
    requests: Vec<RequestId>,
}

#[derive(Debug)]
struct WaitingCommand<C> {
    player: PlayerId,
    request: RequestId,
    command: C,
}

impl<C: Kinds> CommandQueue<C> {
    pub(super) fn new(schema: &Schema) -> Self {
        CommandQueue {
            codec: CommandCodec::new(schema),
            waiting: VecDeque::new(),
            counts: BTreeMap::new(),
            taken: Vec::new(),
            requests: Vec::new(),
        }
    }

    /// Queues a command.
    fn push(
        &mut self,
        config: &RoomConfig,
        (player, request): (PlayerId, RequestId),
        (kind, fields): (u8, &[u8]),
    ) -> Result<(), ChatRefusal> {
        let command = self.codec.decode(kind, fields);
        let command = command.map_err(|error| (RefuseCode::CommandInvalid, error.to_string()))?;
        let most = config.commands_queued_max;
        let count = self.counts.entry(player).or_default();
        if *count >= most {
            let text = format!("{most} of your commands wait for the game already; send fewer");
            return Err((RefuseCode::CommandTooFast, text));
        }
        *count += 1;
        self.waiting.push_back(WaitingCommand { player, request, command });
        Ok(())
    }

    /// Takes the commands of the next tick: the first ones of each player.
    pub(super) fn take(&mut self, per_tick_max: usize) {
        self.taken.clear();
        self.requests.clear();
        if self.waiting.is_empty() {
            return;
        }
        let mut taken_of: BTreeMap<PlayerId, usize> = BTreeMap::new();
        let mut rest = VecDeque::new();
        for waiting in self.waiting.drain(..) {
            let taken = taken_of.entry(waiting.player).or_default();
            if *taken >= per_tick_max {
                rest.push_back(waiting);
                continue;
            }
            *taken += 1;
            self.taken.push((waiting.player, waiting.command));
            self.requests.push(waiting.request);
        }
        self.waiting = rest;
        self.counts.retain(|player, count| {
            *count -= taken_of.get(player).copied().unwrap_or(0);
            *count > 0
        });
    }

    /// The requests of those commands.
    pub(super) fn requests(&self) -> &[RequestId] {
        &self.requests
    }

    /// The commands of the tick, for the game.
    pub(super) fn taken(&self) -> &[(PlayerId, C)] {
        &self.taken
    }

    /// Drops a player's waiting commands. Returns their requests.
    fn drop_of(&mut self, player: PlayerId) -> Vec<RequestId> {
        if self.counts.remove(&player).is_none() {
            return Vec::new();
        }
        let mut dropped = Vec::new();
        self.waiting.retain(|waiting| {
            let is_other = waiting.player != player;
            if !is_other {
                dropped.push(waiting.request);
            }
            is_other
        });
        dropped
    }
}

impl<S: Simulation> Room<S> {
    /// Checks and queues a command, or refuses it.
    pub(super) fn take_command(
        &mut self,
        (player, request): (PlayerId, RequestId),
        kind: u8,
        fields: &[u8],
    ) {
        let seated = match self.members.get(&player) {
            None => Err((RefuseCode::NotInRoom, "you are not in this room any more".to_owned())),
            Some(member) if member.is_spectator() => {
                let text = "you only watch; take a seat to play".to_owned();
                Err((RefuseCode::NotPlaying, text))
            }
            Some(_) => Ok(()),
        };
        let by = (player, request);
        let queued = seated.and_then(|()| self.commands.push(&self.config, by, (kind, fields)));
        if let Err(refusal) = queued {
            self.refuse_command(by, refusal);
        }
    }

    /// Answers the commands of the tick, after the game has had them.
    pub(super) fn answer_commands(&mut self) {
        let requests = self.commands.requests.iter();
        for (&request, (player, _)) in requests.zip(&self.commands.taken) {
            let (player, frame) = (*player, ServerFrame::Done { request });
            self.outgoing.push_back(FromRoom::Control { player, frame });
        }
    }

    /// Refuses the waiting commands of a player that left.
    pub(super) fn drop_commands(&mut self, player: PlayerId) {
        for request in self.commands.drop_of(player) {
            let text = "you were out of the room before the game came to it".to_owned();
            self.refuse_command((player, request), (RefuseCode::NotInRoom, text));
        }
    }

    fn refuse_command(
        &mut self,
        (player, request): (PlayerId, RequestId),
        (code, text): ChatRefusal,
    ) {
        let frame = ServerFrame::Refused { request, code, text };
        self.outgoing.push_back(FromRoom::CommandRefused { player, frame });
    }
}
