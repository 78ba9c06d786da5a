//! A tiny game: dots that move, and several ways to break it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tickwire_shared::{
    Capture, EntityId, Input, Inputs, LeaveReason, NewPlayer, NewRoom, Outbox, PlayerId, Refusal,
    Replicate, RoomPolicy, SaveOutcome, ScoreBoard, Simulation, Tick,
};

/// The player's input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Input)]
pub(crate) struct Keys {
    #[replicate(range = -1..=1)]
    pub(crate) right: i8,
    /// Breaks the game.
    pub(crate) panic: bool,
}

/// The player's commands: append a digit to the dot's number, or clear it.
#[derive(Clone, Copy, Debug, PartialEq, Replicate)]
pub(crate) enum Edit {
    Digit(Digit),
    Clear(Clear),
}

#[derive(Clone, Copy, Debug, PartialEq, Replicate)]
pub(crate) struct Digit {
    #[replicate(range = 1..=9)]
    pub(crate) digit: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Replicate)]
pub(crate) struct Clear {}

/// The visible entity.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, Replicate)]
pub(crate) struct Dot {
    #[replicate(range = 0..=100_000)]
    pub(crate) steps: u32,
}

/// The dots, the player who may not be kicked, the steps with which a dot begins, and the dots of players who left in this
/// tick.
#[derive(Serialize, Deserialize)]
pub(crate) struct Dots(BTreeMap<PlayerId, Dot>, Option<PlayerId>, u32, Vec<(PlayerId, Dot)>);

/// The steps of an account's dot: it begins with them. Saved at each digit and at the leave.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct Walked {
    steps: u32,
}

/// A dot whose steps are on disk shows so many more.
pub(crate) const SAVED_STEPS: u32 = 100;

/// How often an account has cleared its number.
pub(crate) const CLEARS: ScoreBoard = ScoreBoard::sum("clears");
/// The most steps with which an account has left.
pub(crate) const STEPS: ScoreBoard = ScoreBoard::best("steps");

/// A dot whose clear is on its board shows that many more steps.
pub(crate) const CLEARED_STEPS: u32 = 1000;

/// The room options.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Board {
    /// The steps with which a dot begins.
    start: u32,
    seats: Option<u32>,
    bots: Option<u32>,
    password: String,
    unlisted: bool,
    quick_join: Option<bool>,
    tags: Vec<String>,
    /// The fault to cause: "refused", "panic".
    fault: String,
}

/// The join options: one of two teams; the second begins [`TEAM_STEPS`] ahead.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Pawn {
    team: u8,
}

pub(crate) const TEAM_STEPS: u32 = 1000;

/// The game lets no player of this account in. The seat of any other is the steps with which its dot begins.
pub(crate) const BANNED: &str = "eve";

/// A player with this name slows down every step.
pub(crate) const SLOW_NAME: &str = "molasses";
/// The host may not remove a player with this name.
pub(crate) const KING_NAME: &str = "king";

/// A player whose name begins with this holds up a tick until [`let_go`].
pub(crate) const HOLD_NAME: &str = "abyss";

static LET_GO: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Ends the tick that `name` is holding up.
pub(crate) fn let_go(name: &str) {
    LET_GO.lock().unwrap().insert(name.to_owned());
}

/// A player with this name panics in a way that no thread survives.
pub(crate) const BOMB_NAME: &str = "bomb";

/// A panic's payload that panics itself when dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("asked to break the thread");
    }
}

#[tickwire_shared::game]
impl Simulation for Dots {
    const NAME: &'static str = "dots";
    type Input = Keys;
    type Entity = Dot;
    type Command = Edit;
    type RoomOptions = Board;
    type JoinOptions = Pawn;
    type Profile = Walked;
    const SCORE_BOARDS: &'static [ScoreBoard] = &[CLEARS, STEPS];

    fn room_policy(board: &Board) -> Result<RoomPolicy, Refusal> {
        match board.fault.as_str() {
            "refused" => return Err(Refusal::new(7, "no such board; take another")),
            "panic" => std::panic::panic_any(Bomb),
            _ => {}
        }
        Ok(RoomPolicy {
            seats: board.seats,
            bots: board.bots,
            unlisted: board.unlisted,
            password: board.password.as_str().into(),
            quick_join: board.quick_join,
            tags: board.tags.clone(),
            metadata: format!(r#"{{"start":{}}}"#, board.start),
            ..RoomPolicy::default()
        })
    }

    fn may_join(&self, player: &NewPlayer<Self>) -> Result<(), Refusal> {
        if player.account.is_some_and(|account| account.id == BANNED) {
            return Err(Refusal::new(50, "this account is banned; play fair next time"));
        }
        match player.options.team {
            0 | 1 => Ok(()),
            team => Err(Refusal::new(40 + u16::from(team), "there are two teams; choose one")),
        }
    }

    fn new(room: &NewRoom<Self>) -> Self {
        Dots(BTreeMap::new(), None, room.options.start, Vec::new())
    }

    fn join(&mut self, player: &NewPlayer<Self>) {
        if player.name == SLOW_NAME {
            std::thread::sleep(Duration::from_millis(400));
        }
        if player.name == KING_NAME {
            self.1 = Some(player.id);
        }
        while player.name.starts_with(HOLD_NAME) && !LET_GO.lock().unwrap().contains(player.name) {
            std::thread::sleep(Duration::from_millis(1));
        }
        if player.name == BOMB_NAME {
            std::panic::panic_any(Bomb);
        }
        let ahead = u32::from(player.options.team) * TEAM_STEPS;
        let seat = player.account.and_then(|account| account.seat).unwrap_or(0);
        let walked = player.profile.as_ref().map_or(0, |walked| walked.steps);
        self.0.insert(player.id, Dot { steps: self.2 + ahead + seat + walked });
    }

    fn leave(&mut self, player: PlayerId, _reason: LeaveReason) {
        self.3.extend(self.0.remove(&player).map(|dot| (player, dot)));
    }

    fn saved(&mut self, player: PlayerId, _tick: Tick, outcome: SaveOutcome) {
        if let Some(dot) = self.0.get_mut(&player).filter(|_| outcome == SaveOutcome::Saved) {
            dot.steps += SAVED_STEPS;
        }
    }

    fn scored(&mut self, player: PlayerId, board: ScoreBoard, _tick: Tick, outcome: SaveOutcome) {
        let is_shown = board == CLEARS && outcome == SaveOutcome::Saved;
        if let Some(dot) = self.0.get_mut(&player).filter(|_| is_shown) {
            dot.steps += CLEARED_STEPS;
        }
    }

    /// A bot walks on.
    fn bot_input(&self, _bot: PlayerId, _tick: Tick) -> Keys {
        Keys { right: 1, panic: false }
    }

    fn step(&mut self, inputs: &Inputs<Self>, outbox: &mut Outbox<Self>) {
        for (player, Dot { steps }) in self.3.drain(..) {
            outbox.save(player, Walked { steps });
            outbox.score(player, STEPS, steps.into());
        }
        for (player, keys) in inputs.iter() {
            assert!(!keys.panic, "asked to break");
            let Some(dot) = self.0.get_mut(&player) else { continue };
            dot.steps += u32::from(keys.right == 1);
        }
        for (player, edit) in inputs.commands() {
            let dot = self.0.get_mut(&player).expect("a command is of a seated player");
            dot.steps = match edit {
                Edit::Digit(edit) => dot.steps * 10 + u32::from(edit.digit),
                Edit::Clear(_) => 0,
            };
            match edit {
                Edit::Digit(_) => outbox.save(player, Walked { steps: dot.steps }),
                Edit::Clear(_) => outbox.score(player, CLEARS, 1),
            }
        }
    }

    fn may_kick(&self, _host: PlayerId, player: PlayerId) -> bool {
        self.1 != Some(player)
    }

    fn capture(&self, world: &mut Capture<Dot>) {
        for (player, dot) in &self.0 {
            world.show(EntityId::of_player(*player), *dot).owned_by(*player);
        }
    }
}
