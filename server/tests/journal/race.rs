//! The game of these tests: it uses all that rules are given.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tickwire_shared::glam::Vec2;
use tickwire_shared::{
    Capture, EntityId, Input, Inputs, LeaveReason, NewPlayer, NewRoom, NoEvent, Outbox, PlayerId,
    Refusal, Replicate, RoomPolicy, SaveOutcome, ScoreBoard, Simulation, Tick,
};

#[derive(Clone, Copy, Debug, Default, PartialEq, Input)]
pub(crate) struct Pedal {
    #[replicate(range = -1.0..=1.0, step = 0.125)]
    pub(crate) push: f32,
    pub(crate) brake: bool,
}

#[derive(Replicate)]
pub(crate) enum Wish {
    Paint(Paint),
    Jump(Jump),
}

#[derive(Replicate)]
pub(crate) struct Paint {
    #[replicate(range = 3..=17)]
    pub(crate) color: u8,
}

#[derive(Replicate)]
pub(crate) struct Jump {}

#[derive(Clone, Replicate)]
pub(crate) struct Car {
    #[replicate(range = -500.0..=500.0, step = 0.0625)]
    pos: Vec2,
    laps: i32,
    #[replicate(range = 0..=17)]
    color: u8,
    is_away: bool,
}

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct RaceOptions {
    bots: u32,
    friction: f32,
}

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Paintwork {
    color: u8,
}

/// Its saved laps count in the sum.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Garage {
    pub(crate) laps: i32,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Driver {
    pos: Vec2,
    speed: f32,
    laps: i32,
    color: u8,
    is_away: bool,
}

/// Each car's laps in each step.
pub(crate) const LAPS: ScoreBoard = ScoreBoard::sum("laps");
/// Twice in each step.
pub(crate) const SPEED: ScoreBoard = ScoreBoard::best("speed").lowest_first();

/// With `RULE` 1 a jump is one unit higher, with 2 a car is removed a tick late.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Race<const RULE: u8> {
    drivers: BTreeMap<PlayerId, Driver>,
    gone: Vec<(PlayerId, Driver)>,
    /// Who has left since the last step, and laps to save.
    left: Vec<(PlayerId, i32)>,
    random: u64,
    friction: f32,
    /// All that is told beside the inputs.
    sum: i32,
}

impl<const RULE: u8> Simulation for Race<RULE> {
    const NAME: &'static str = "race";
    type Input = Pedal;
    type Entity = Car;
    type Event = NoEvent;
    type Command = Wish;
    type RoomOptions = RaceOptions;
    type JoinOptions = Paintwork;
    type Profile = Garage;
    const SCORE_BOARDS: &'static [ScoreBoard] = &[LAPS, SPEED];

    fn new(room: &NewRoom<'_, Self>) -> Self {
        let (drivers, gone) = (BTreeMap::new(), Vec::new());
        let sum = room.name.len() as i32;
        Race {
            drivers,
            gone,
            left: Vec::new(),
            random: room.seed,
            friction: room.options.friction,
            sum,
        }
    }

    fn migrate_profile(version: u32, json: &str) -> Option<Garage> {
        let laps = json.parse().ok().filter(|_| version == 0)?;
        Some(Garage { laps })
    }

    fn room_policy(options: &RaceOptions) -> Result<RoomPolicy, Refusal> {
        let bots_replace_lost = options.bots > 1;
        Ok(RoomPolicy { bots: Some(options.bots), bots_replace_lost, ..RoomPolicy::default() })
    }

    fn join(&mut self, player: &NewPlayer<'_, Self>) {
        let color = player.options.color.min(17);
        self.sum += player.name.len() as i32 + i32::from(player.is_bot);
        self.sum += player.profile.map_or(0, |garage| garage.laps * 11);
        self.sum += player.account.map_or(0, |account| account.id.len() as i32 * 7);
        let driver =
            Driver { pos: Vec2::new(0.1, 0.3), speed: 0.0, laps: 0, color, is_away: false };
        self.drivers.insert(player.id, driver);
    }

    fn leave(&mut self, player: PlayerId, reason: LeaveReason) {
        self.sum += match reason {
            LeaveReason::Left => 1,
            LeaveReason::Lost => 2,
            LeaveReason::Removed => 3,
            LeaveReason::Replaced { by } => by.0 as i32,
        };
        if let Some(driver) = self.drivers.remove(&player) {
            self.left.push((player, driver.laps + self.sum));
            if RULE == 2 {
                self.gone.push((player, driver));
            }
        }
    }

    fn away(&mut self, player: PlayerId) {
        self.drivers.get_mut(&player).unwrap().is_away = true;
    }

    fn back(&mut self, player: PlayerId) {
        self.drivers.get_mut(&player).unwrap().is_away = false;
    }

    fn saved(&mut self, player: PlayerId, tick: Tick, outcome: SaveOutcome) {
        self.sum += player.0.wrapping_add(tick.0) as i32 % 50;
        self.sum += if outcome == SaveOutcome::Stale { 13 } else { 17 };
    }

    fn scored(&mut self, player: PlayerId, board: ScoreBoard, tick: Tick, outcome: SaveOutcome) {
        self.sum += player.0.wrapping_add(tick.0) as i32 % 40;
        self.sum += if board == LAPS { 19 } else { 23 };
        self.sum += if outcome == SaveOutcome::Saved { 29 } else { 31 };
    }

    fn step(&mut self, inputs: &Inputs<'_, Self>, outbox: &mut Outbox<Self>) {
        for (player, laps) in self.left.drain(..) {
            outbox.save(player, Garage { laps });
            outbox.score(player, LAPS, laps.into());
        }
        for (player, driver) in &self.drivers {
            outbox.save(*player, Garage { laps: driver.laps + self.sum });
            outbox.score(*player, SPEED, 9);
            outbox.score(*player, SPEED, 4);
            outbox.score(*player, ScoreBoard::sum("unknown"), 1);
        }
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        for (player, pedal) in inputs.iter() {
            let delay = inputs.view_delay_ticks(player);
            let driver = self.drivers.get_mut(&player).unwrap();
            driver.speed = (driver.speed + pedal.push) * (1.0 - self.friction);
            driver.speed = if pedal.brake { driver.speed / 3.0 } else { driver.speed };
            driver.pos += Vec2::new(driver.speed, delay / 8.0);
            if driver.pos.length() > 400.0 {
                (driver.pos, driver.laps) = (Vec2::ZERO, driver.laps + 1);
            }
        }
        for (player, wish) in inputs.commands() {
            let driver = self.drivers.get_mut(&player).unwrap();
            match wish {
                Wish::Paint(Paint { color }) => driver.color = *color,
                Wish::Jump(Jump {}) => driver.pos.y += if RULE == 1 { 8.0 } else { 7.0 },
            }
        }
    }

    fn missing_input(last: Pedal, missed_ticks: u32) -> Pedal {
        // On no step of the input's field.
        Pedal { push: last.push / (1.0 + 0.3 * missed_ticks as f32), ..last }
    }

    fn bot_input(&self, bot: PlayerId, tick: Tick) -> Pedal {
        let chance = (self.random >> 33) as f32 / (1u64 << 31) as f32;
        Pedal { push: chance - 0.5, brake: (bot.0 + tick.0).is_multiple_of(7) }
    }

    fn capture(&self, world: &mut Capture<Car>) {
        let gone = self.gone.iter().map(|(player, driver)| (player, driver));
        for (player, driver) in self.drivers.iter().chain(gone) {
            let Driver { pos, laps, color, is_away, .. } = *driver;
            let car = Car { pos, laps: laps + self.sum, color, is_away };
            world.show(EntityId::of_player(*player), car).owned_by(*player).at(pos);
        }
    }
}
