//! The rules: runners who collect coins on a plane.
//!
//! The server runs them, and every client predicts its own runner by them: natively, and in a browser as WebAssembly.

use std::collections::BTreeMap;

use tickwire::prelude::*;

/// Half of the plane's side, in units. `page/src/draw.ts` knows it too.
pub const HALF: f32 = 50.0;
/// Units a second.
pub const SPEED: f32 = 20.0;
/// How near a runner must be to collect a coin, in units.
pub const REACH: f32 = 3.0;
/// Coins on the plane.
pub const COINS: u32 = 5;
/// Where the ids of coins begin; those below are players' numbers.
const COIN_IDS: u32 = 1 << 31;

/// What a player holds down in one tick: four bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Input)]
pub struct Keys {
    /// -1 is left.
    #[replicate(range = -1..=1)]
    pub right: i8,
    /// -1 is down.
    #[replicate(range = -1..=1)]
    pub up: i8,
}

/// A player's runner.
#[state]
#[derive(Clone, Copy, Debug, Default, PartialEq, Replicate)]
pub struct Runner {
    /// In units. Steps of a hundredth travel, and `vel` says what the next ones are.
    #[replicate(range = -50.0..=50.0, step = 0.01, velocity = vel)]
    pub pos: Vec2,
    /// In units a second.
    #[replicate(range = -20.0..=20.0, step = 0.01)]
    pub vel: Vec2,
    /// Coins collected.
    #[replicate(range = 0..=9999, rare)]
    pub coins: u16,
}

/// What lies about to be collected.
#[state]
#[derive(Clone, Copy, Debug, PartialEq, Replicate)]
pub struct Coin {
    /// In units.
    #[replicate(range = -50.0..=50.0, step = 0.5, initial)]
    pub pos: Vec2,
}

/// What clients see.
#[derive(Clone, Copy, Debug, PartialEq, Replicate)]
pub enum Entity {
    /// A player's.
    Runner(Runner),
    /// To be collected.
    Coin(Coin),
}

/// A coin was collected.
#[derive(Clone, Copy, Debug, PartialEq, Replicate)]
pub struct Collected {
    /// Whose runner did.
    pub by: PlayerId,
}

/// The state of one room.
#[state]
#[derive(Debug, Default)]
pub struct Game {
    runners: BTreeMap<PlayerId, Runner>,
    coins: BTreeMap<EntityId, Coin>,
    /// Of the next coin: its id, and where it lies.
    next_coin: u32,
}

/// One tick of running: the server's rules and the prediction call it.
fn run(runner: &mut Runner, keys: Keys) {
    runner.vel = Vec2::new(keys.right.into(), keys.up.into()) * SPEED;
    let pos = runner.pos + runner.vel / Game::TICK_HZ as f32;
    runner.pos = pos.clamp(Vec2::splat(-HALF), Vec2::splat(HALF));
}

#[game]
impl Simulation for Game {
    const NAME: &'static str = "my-game";
    type Input = Keys;
    type Entity = Entity;
    type Event = Collected;

    fn new(room: &NewRoom<Self>) -> Self {
        let next_coin = room.seed as u32 % 1000;
        let mut game = Game {
            next_coin,
            ..Game::default()
        };
        (0..COINS).for_each(|_| game.drop_coin());
        game
    }

    fn join(&mut self, player: &NewPlayer<Self>) {
        // Side by side, so that nobody stands on another.
        let pos = Vec2::new((player.id.0 % 5) as f32 * 15.0 - 30.0, 0.0);
        let runner = Runner {
            pos,
            ..Runner::default()
        };
        self.runners.insert(player.id, runner);
    }

    fn leave(&mut self, player: PlayerId, _reason: LeaveReason) {
        self.runners.remove(&player);
    }

    fn step(&mut self, inputs: &Inputs<Self>, outbox: &mut Outbox<Self>) {
        for (player, keys) in inputs.iter() {
            let Some(runner) = self.runners.get_mut(&player) else {
                continue;
            };
            run(runner, keys);
            let pos = runner.pos;
            for _ in 0..self.collect(pos) {
                if let Some(runner) = self.runners.get_mut(&player) {
                    runner.coins = (runner.coins + 1).min(9999);
                }
                self.drop_coin();
                outbox.to_room(Collected { by: player });
            }
        }
    }

    fn capture(&self, world: &mut Capture<Entity>) {
        for (player, runner) in &self.runners {
            let shown = world.show(EntityId(player.0), Entity::Runner(*runner));
            shown.owned_by(*player).at(runner.pos);
        }
        for (id, coin) in &self.coins {
            world.show(*id, Entity::Coin(*coin)).at(coin.pos);
        }
    }
}

impl Game {
    /// Takes the coins in reach of `pos` off the plane, and says how many they were.
    fn collect(&mut self, pos: Vec2) -> usize {
        let before = self.coins.len();
        self.coins.retain(|_, coin| coin.pos.distance(pos) > REACH);
        before - self.coins.len()
    }

    /// Lays a coin where none is soon again: everything comes from the state, so a replay has the same coins.
    fn drop_coin(&mut self) {
        self.next_coin += 1;
        let place = |factor: u32| (self.next_coin * factor % 181) as f32 * 0.5 - 45.0;
        let pos = Vec2::new(place(67), place(103));
        let id = EntityId(COIN_IDS + self.next_coin);
        self.coins.insert(id, Coin { pos });
    }
}

// ANCHOR: predict
/// What a client steps at once, before the server has answered.
impl PredictEntity for Game {
    fn predict_step(entity: &mut Entity, keys: Keys, _tick: &mut PredictedStep<'_, Self>) {
        if let Entity::Runner(runner) = entity {
            run(runner, keys);
        }
    }
}
// ANCHOR_END: predict

// A page predicts by these rules: `npm run dev` builds them for browsers.
tickwire::web_rules!(Game);

#[cfg(test)]
mod tests {
    use tickwire::Tick;

    use super::*;

    const ANN: PlayerId = PlayerId(1);

    fn room() -> Game {
        let mut game = Game::new(&NewRoom::with_seed(1));
        game.join(&NewPlayer::named(ANN, "Ann"));
        game
    }

    fn step(game: &mut Game, tick: u32, keys: Keys) -> usize {
        let mut outbox = Outbox::default();
        game.step(&Inputs::new(Tick(tick), &[(ANN, keys)]), &mut outbox);
        outbox.drain().count()
    }

    #[test]
    fn a_runner_runs_and_stops_at_the_edge() {
        let mut game = room();
        let start = game.runners[&ANN].pos;
        let right = Keys { right: 1, up: 0 };
        step(&mut game, 1, right);
        let pos = game.runners[&ANN].pos;
        assert!(pos.x > start.x && pos.y == start.y, "{pos}");
        (2..600).for_each(|tick| {
            step(&mut game, tick, right);
        });
        assert_eq!(game.runners[&ANN].pos.x, HALF);
    }

    #[test]
    fn a_coin_is_collected_once_and_another_one_lies_elsewhere() {
        let mut game = room();
        let (id, coin) = game.coins.first_key_value().unwrap();
        let (id, pos) = (*id, coin.pos);
        game.runners.get_mut(&ANN).unwrap().pos = pos;
        assert_eq!(step(&mut game, 1, Keys::default()), 1);
        assert_eq!(game.runners[&ANN].coins, 1);
        assert_eq!(game.coins.len(), COINS as usize);
        assert!(!game.coins.contains_key(&id));
    }

    #[test]
    fn what_is_predicted_is_what_the_rules_do() {
        let mut game = room();
        let mut predicted = Entity::Runner(game.runners[&ANN]);
        for (tick, keys) in [(1, 0), (1, 1), (-1, 0)].into_iter().enumerate() {
            let keys = Keys {
                right: keys.0,
                up: keys.1,
            };
            step(&mut game, tick as u32, keys);
            let mut alone = PredictedStep::alone();
            <Game as PredictEntity>::predict_step(&mut predicted, keys, &mut alone);
        }
        assert_eq!(predicted, Entity::Runner(game.runners[&ANN]));
    }
}
