//! The rules: runners of two teams who collect coins on a plane.
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
/// Most coins on a plane.
pub const COINS_MAX: u32 = 20;
/// The game's code for refused room options.
pub const REFUSED_OPTIONS: u16 = 1;

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

/// A side. `#[state]` makes it part of the state and of the join options, `Replicate` a field of what is sent.
#[state]
#[derive(Clone, Copy, Debug, Default, PartialEq, Replicate)]
pub enum Team {
    /// The first one.
    #[default]
    Red,
    /// The other one.
    Blue,
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
    /// The team that it runs for.
    #[replicate(rare)]
    pub team: Team,
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

// ANCHOR: command
/// Asks to run for another team.
#[derive(Clone, Copy, Debug, PartialEq, Replicate)]
pub struct ChangeTeam {
    /// The new one.
    pub team: Team,
}
// ANCHOR_END: command

// ANCHOR: options
/// The room options. Those left out have their defaults.
#[state]
#[derive(Clone, Debug)]
#[serde(default, deny_unknown_fields)]
pub struct PlaneOptions {
    /// Coins that lie about at once, 1 to 20.
    pub coins: u32,
    /// Players up to which bots fill the room; 0 for no bots.
    pub bots: u32,
}

impl Default for PlaneOptions {
    fn default() -> Self {
        PlaneOptions { coins: 5, bots: 4 }
    }
}

/// The join options.
#[state]
#[derive(Clone, Debug, Default)]
#[serde(default, deny_unknown_fields)]
pub struct RunnerOptions {
    /// The team to run for; none for the smaller one.
    pub team: Option<Team>,
}
// ANCHOR_END: options

/// The state of one room.
#[state]
#[derive(Debug, Default)]
pub struct Game {
    runners: BTreeMap<PlayerId, Runner>,
    coins: BTreeMap<EntityId, Coin>,
    ids: EntityIds,
    /// The next coin lies where this says.
    next_coin: u32,
}

/// One tick of running: the server's rules and the prediction call it.
fn run(runner: &mut Runner, keys: Keys) {
    runner.vel = Vec2::new(keys.right.into(), keys.up.into()) * SPEED;
    let pos = runner.pos + runner.vel / Game::TICK_HZ as f32;
    runner.pos = pos.clamp(Vec2::splat(-HALF), Vec2::splat(HALF));
}

/// The key for a way: none for a short one.
fn axis(way: f32) -> i8 {
    if way.abs() < 1.0 {
        0
    } else {
        way.signum() as i8
    }
}

#[game]
impl Simulation for Game {
    const NAME: &'static str = "my-game";
    type Input = Keys;
    type Entity = Entity;
    type Event = Collected;
    type Command = ChangeTeam;
    // ANCHOR: option_types
    type RoomOptions = PlaneOptions;
    type JoinOptions = RunnerOptions;
    // ANCHOR_END: option_types

    // ANCHOR: policy
    fn room_policy(options: &PlaneOptions) -> Result<RoomPolicy, Refusal> {
        if !(1..=COINS_MAX).contains(&options.coins) {
            let text = format!("a plane has 1 to {COINS_MAX} coins");
            return Err(Refusal::new(REFUSED_OPTIONS, text));
        }
        Ok(RoomPolicy {
            bots: Some(options.bots),
            ..RoomPolicy::default()
        })
    }

    fn new(room: &NewRoom<Self>) -> Self {
        let mut game = Game {
            next_coin: room.seed as u32 % 1000,
            ..Game::default()
        };
        (0..room.options.coins).for_each(|_| game.drop_coin());
        game
    }

    fn join(&mut self, player: &NewPlayer<Self>) {
        // Side by side, so that nobody stands on another.
        let pos = Vec2::new((player.id.0 % 5) as f32 * 15.0 - 30.0, 0.0);
        let team = player.options.team.unwrap_or_else(|| self.smaller_team());
        let runner = Runner {
            pos,
            team,
            ..Runner::default()
        };
        self.runners.insert(player.id, runner);
    }
    // ANCHOR_END: policy

    fn leave(&mut self, player: PlayerId, _reason: LeaveReason) {
        self.runners.remove(&player);
    }

    fn step(&mut self, inputs: &Inputs<Self>, outbox: &mut Outbox<Self>) {
        for (player, change) in inputs.commands() {
            self.runners.entry(player).or_default().team = change.team;
        }
        for (player, keys) in inputs.iter() {
            let runner = self.runners.entry(player).or_default();
            run(runner, keys);
            let collected = self
                .coins
                .extract_if(.., |_, coin| coin.pos.distance(runner.pos) <= REACH)
                .count();
            runner.coins = (runner.coins + collected as u16).min(9999);
            for _ in 0..collected {
                self.drop_coin();
                outbox.to_room(Collected { by: player });
            }
        }
    }

    // ANCHOR: bot
    /// A bot runs to the nearest coin. It rests every other second, and leaves coins to people.
    fn bot_input(&self, bot: PlayerId, tick: Tick) -> Keys {
        let rests = tick.0 / Self::TICK_HZ % 2 == 1;
        let Some(gap) = self.nearest_coin(bot).filter(|_| !rests) else {
            return Keys::default();
        };
        Keys {
            right: axis(gap.x),
            up: axis(gap.y),
        }
    }
    // ANCHOR_END: bot

    fn capture(&self, world: &mut Capture<Entity>) {
        for (player, runner) in &self.runners {
            let shown = world.show(EntityId::of_player(*player), Entity::Runner(*runner));
            shown.owned_by(*player).at(runner.pos);
        }
        for (id, coin) in &self.coins {
            world.show(*id, Entity::Coin(*coin)).at(coin.pos);
        }
    }
}

impl Game {
    fn smaller_team(&self) -> Team {
        let is_blue = |runner: &&Runner| runner.team == Team::Blue;
        let blue = self.runners.values().filter(is_blue).count();
        if blue * 2 < self.runners.len() {
            Team::Blue
        } else {
            Team::Red
        }
    }

    /// The way from a player's runner to the nearest coin.
    fn nearest_coin(&self, player: PlayerId) -> Option<Vec2> {
        let pos = self.runners.get(&player)?.pos;
        let ways = self.coins.values().map(|coin| coin.pos - pos);
        ways.min_by(|one, other| one.length().total_cmp(&other.length()))
    }

    /// Lays a coin where none is soon again: everything comes from the state, so a replay has the same coins.
    fn drop_coin(&mut self) {
        self.next_coin += 1;
        let place = |factor: u32| (self.next_coin * factor % 181) as f32 * 0.5 - 45.0;
        let pos = Vec2::new(place(67), place(103));
        self.coins.insert(self.ids.take(), Coin { pos });
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
    use super::*;

    const ANN: PlayerId = PlayerId(1);

    fn room() -> Game {
        let mut game = Game::new(&NewRoom::with_seed(1));
        game.join(&NewPlayer::named(ANN, "Ann"));
        game
    }

    /// One tick. Returns the number of events.
    fn step(game: &mut Game, tick: u32, keys: Keys, commands: &[(PlayerId, ChangeTeam)]) -> usize {
        let mut outbox = Outbox::default();
        let inputs = [(ANN, keys)];
        game.step(
            &Inputs::new(Tick(tick), &inputs).with_commands(commands),
            &mut outbox,
        );
        outbox.drain().count()
    }

    #[test]
    fn a_runner_runs_and_stops_at_the_edge() {
        let mut game = room();
        let start = game.runners[&ANN].pos;
        let right = Keys { right: 1, up: 0 };
        step(&mut game, 1, right, &[]);
        let pos = game.runners[&ANN].pos;
        assert!(pos.x > start.x && pos.y == start.y, "{pos}");
        (2..600).for_each(|tick| {
            step(&mut game, tick, right, &[]);
        });
        assert_eq!(game.runners[&ANN].pos.x, HALF);
    }

    #[test]
    fn a_coin_is_collected_once_and_another_one_lies_elsewhere() {
        let mut game = room();
        let (id, coin) = game.coins.first_key_value().unwrap();
        let (id, pos) = (*id, coin.pos);
        game.runners.get_mut(&ANN).unwrap().pos = pos;
        assert_eq!(step(&mut game, 1, Keys::default(), &[]), 1);
        assert_eq!(game.runners[&ANN].coins, 1);
        assert_eq!(game.coins.len(), PlaneOptions::default().coins as usize);
        assert!(!game.coins.contains_key(&id));
    }

    #[test]
    fn a_room_has_the_coins_it_was_made_with_and_no_others_are_made() {
        for (coins, is_made) in [(0, false), (1, true), (20, true), (21, false)] {
            let options = PlaneOptions {
                coins,
                ..PlaneOptions::default()
            };
            let refusal = Game::room_policy(&options).err();
            assert_eq!(
                refusal.map(|refusal| refusal.code),
                (!is_made).then_some(REFUSED_OPTIONS)
            );
            let game = Game::new(&NewRoom {
                options,
                ..NewRoom::with_seed(1)
            });
            assert_eq!(game.coins.len(), coins as usize);
        }
    }

    #[test]
    fn options_with_an_unknown_field_are_none_of_this_game() {
        for (json, is_known) in [(r#"{"coins":12}"#, true), (r#"{"coin":12}"#, false)] {
            let options = serde_json::from_str::<PlaneOptions>(json);
            assert_eq!(options.is_ok(), is_known, "{json}");
        }
        for (json, is_known) in [(r#"{"team":"Blue"}"#, true), (r#"{"side":"Blue"}"#, false)] {
            let options = serde_json::from_str::<RunnerOptions>(json);
            assert_eq!(options.is_ok(), is_known, "{json}");
        }
    }

    #[test]
    fn a_player_has_the_team_it_asks_for_or_the_smaller_one() {
        let mut game = room();
        game.join(&NewPlayer::named(PlayerId(2), "Bob"));
        let options = RunnerOptions {
            team: Some(Team::Blue),
        };
        game.join(&NewPlayer {
            options,
            ..NewPlayer::named(PlayerId(3), "Cid")
        });
        let teams = |game: &Game| {
            game.runners
                .values()
                .map(|runner| runner.team)
                .collect::<Vec<_>>()
        };
        assert_eq!(teams(&game), [Team::Red, Team::Blue, Team::Blue]);
        step(
            &mut game,
            1,
            Keys::default(),
            &[(PlayerId(3), ChangeTeam { team: Team::Red })],
        );
        assert_eq!(teams(&game), [Team::Red, Team::Blue, Team::Red]);
    }

    #[test]
    fn a_bot_collects_coins() {
        let mut game = room();
        for tick in 0..1200 {
            let keys = game.bot_input(ANN, Tick(tick));
            step(&mut game, tick, keys, &[]);
        }
        assert!(game.runners[&ANN].coins > 0);
    }

    #[test]
    fn what_is_predicted_is_what_the_rules_do() {
        let mut game = room();
        let mut predicted = Entity::Runner(game.runners[&ANN]);
        for (tick, (right, up)) in [(1, 0), (1, 1), (-1, 0)].into_iter().enumerate() {
            let keys = Keys { right, up };
            step(&mut game, tick as u32, keys, &[]);
            let mut alone = PredictedStep::alone();
            <Game as PredictEntity>::predict_step(&mut predicted, keys, &mut alone);
        }
        assert_eq!(predicted, Entity::Runner(game.runners[&ANN]));
    }
}
