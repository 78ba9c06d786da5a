//! A tiny game: dots that move, and some ways to break it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tickwire_shared::{
    Capture, EntityId, Input, Inputs, LeaveReason, NewPlayer, NewRoom, Outbox, PlayerId, Replicate,
    Simulation,
};

/// What a player holds down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Input)]
pub(crate) struct Keys {
    #[replicate(range = -1..=1)]
    pub(crate) right: i8,
    /// Breaks the game.
    pub(crate) panic: bool,
}

/// What is seen.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, Replicate)]
pub(crate) struct Dot {
    #[replicate(range = 0..=100_000)]
    pub(crate) steps: u32,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Dots(BTreeMap<PlayerId, Dot>, Option<PlayerId>);

/// Who takes this name makes every step slow.
pub(crate) const SLOW_NAME: &str = "molasses";
/// Whom the host may not remove.
pub(crate) const KING_NAME: &str = "king";

/// Who takes a name that begins so holds a tick up until [`let_go`] of it.
pub(crate) const HOLD_NAME: &str = "abyss";

static LET_GO: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Ends the tick that `name` holds up.
pub(crate) fn let_go(name: &str) {
    LET_GO.lock().unwrap().insert(name.to_owned());
}

/// Who takes this name breaks the game in a way that no thread survives.
pub(crate) const BOMB_NAME: &str = "bomb";

/// What a panic carries that panics itself when it is dropped.
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

    fn new(_room: &NewRoom<Self>) -> Self {
        Dots(BTreeMap::new(), None)
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
        self.0.insert(player.id, Dot { steps: 0 });
    }

    fn leave(&mut self, player: PlayerId, _reason: LeaveReason) {
        self.0.remove(&player);
    }

    fn step(&mut self, inputs: &Inputs<Self>, _outbox: &mut Outbox<Self>) {
        for (player, keys) in inputs.iter() {
            assert!(!keys.panic, "asked to break");
            let Some(dot) = self.0.get_mut(&player) else { continue };
            dot.steps += u32::from(keys.right == 1);
        }
    }

    fn may_kick(&self, _host: PlayerId, player: PlayerId) -> bool {
        self.1 != Some(player)
    }

    fn capture(&self, world: &mut Capture<Dot>) {
        for (player, dot) in &self.0 {
            world.show(EntityId(player.0), *dot).owned_by(*player);
        }
    }
}
