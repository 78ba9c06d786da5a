//! The rules: one [`Arena`] is the whole state of a room.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tickwire_shared::glam::Vec2;
use tickwire_shared::rewind::Rewind;
use tickwire_shared::{
    Capture, EntityId, EntityIds, Inputs, LeaveReason, NewPlayer, NewRoom, Outbox, PlayerId,
    Refusal, RoomPolicy, ScoreBoard, Simulation, Tick, View, Viewer,
};

mod asteroids;
mod bots;
mod career;
mod command;
mod entity;
mod event;
mod fight;
mod grid;
pub mod motion;
mod options;
mod pilot;
mod predict;
mod random;
mod referee;
#[cfg(test)]
mod tests;

use bots::BotPilot;
use career::RoundScore;
pub use career::{Career, KILLS, SCORE};
pub use command::{ChangeTeam, Command};
pub use entity::{
    Asteroid, AsteroidSize, Controls, Entity, Gift, Leader, Pickup, Round, Ship, Shot, Team,
};
pub use event::{Crack, Event, Hit, Kill, RoundOver, Taken, TeamChange};
use grid::Grid;
use motion::direction;
pub use options::{ArenaOptions, REFUSED_OPTIONS, ROUND_SECONDS};
use pilot::Pilot;
pub use pilot::{HEALTH_MAX, RESPAWN_TICKS, SHIELD_TICKS, SHOT_SPEED};
pub use random::Random;
pub use referee::LEADERS;

/// Ticks a second.
pub const TICK_HZ: u32 = 60;
/// The world is the square from minus this to this, in units. A screen is about 1200 by 800.
pub const WORLD_HALF: f32 = 2048.0;
/// A ship is a circle of this radius.
pub const SHIP_RADIUS: f32 = 14.0;
/// A pickup is a circle of this radius.
pub const PICKUP_RADIUS: f32 = 14.0;
/// Radius of a player's view: a little more than half the diagonal of a screen.
pub const VIEW_RADIUS: f32 = 900.0;
/// Ticks a shot flies.
pub const SHOT_TICKS: u8 = 64;

const SHOT_RADIUS: f32 = 3.0;
/// Most ticks that lag compensation goes back for a shot.
const REWIND_TICKS: u32 = 15;
/// Ticks without input after which a pilot releases all controls.
const HOLD_ON_TICKS: u32 = 30;
const SHOTS_MAX: usize = 16_384;

/// The game's whole state.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Arena {
    random: Random,
    ids: EntityIds,
    /// Of the round and of the lines of the score board.
    round_id: EntityId,
    leader_ids: [EntityId; LEADERS],
    round_ticks_left: u32,
    round_seconds: u32,
    /// The number of large rocks if none were broken.
    rocks_max: u32,
    /// Ships shot down by each team in this round.
    team_kills: [u16; 2],
    /// Ordered by player.
    pilots: Vec<Pilot>,
    /// Of pilots with an account.
    careers: BTreeMap<PlayerId, Career>,
    /// Of those who have left since the last step.
    left_careers: Vec<(PlayerId, Career, RoundScore)>,
    /// Those that no person steers.
    bots: Vec<BotPilot>,
    rocks: Vec<Rock>,
    shots: Vec<Bullet>,
    crystals: Vec<Crystal>,
    leaders: Vec<Leader>,
    /// Past places of ships, for lag compensation of shots.
    ships_past: Rewind<Vec2>,
    /// Rebuilt in every tick, like the two grids below.
    #[serde(skip)]
    ship_cells: Grid,
    #[serde(skip)]
    target_cells: Grid,
    #[serde(skip)]
    rock_cells: Grid,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Rock {
    id: EntityId,
    hits_left: u8,
    asteroid: Asteroid,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Bullet {
    id: EntityId,
    owner: PlayerId,
    ticks_left: u8,
    shot: Shot,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Crystal {
    id: EntityId,
    ticks_left: u16,
    pickup: Pickup,
}

#[tickwire_shared::game]
impl Simulation for Arena {
    const NAME: &'static str = "arena";
    const TICK_HZ: u32 = TICK_HZ;
    const MODEL: &'static [u8] = include_bytes!("../arena.model");
    type Input = Controls;
    type Entity = Entity;
    type Event = Event;
    type Command = Command;
    type RoomOptions = ArenaOptions;
    type Profile = Career;
    // ANCHOR: declared
    const SCORE_BOARDS: &'static [ScoreBoard] = &[SCORE, KILLS];
    // ANCHOR_END: declared

    fn room_policy(options: &ArenaOptions) -> Result<RoomPolicy, Refusal> {
        options.policy()
    }

    fn new(room: &NewRoom<Self>) -> Self {
        let mut ids = EntityIds::default();
        let mut arena = Arena {
            round_id: ids.take(),
            leader_ids: std::array::from_fn(|_| ids.take()),
            ids,
            random: Random::new(room.seed),
            round_ticks_left: room.options.round_seconds * TICK_HZ,
            round_seconds: room.options.round_seconds,
            rocks_max: room.options.rocks,
            team_kills: [0; 2],
            pilots: Vec::new(),
            careers: BTreeMap::new(),
            left_careers: Vec::new(),
            bots: Vec::new(),
            rocks: Vec::new(),
            shots: Vec::new(),
            crystals: Vec::new(),
            leaders: Vec::new(),
            ships_past: Rewind::default(),
            ship_cells: Grid::default(),
            target_cells: Grid::default(),
            rock_cells: Grid::default(),
        };
        arena.fill_with_rocks();
        arena
    }

    fn missing_input(last: Controls, missed_ticks: u32) -> Controls {
        if missed_ticks > HOLD_ON_TICKS { Controls::default() } else { last }
    }

    fn join(&mut self, player: &NewPlayer<Self>) {
        let Err(at) = self.pilot_at(player.id) else { return };
        let chosen = self.begin_career(player);
        let team = chosen.unwrap_or_else(|| self.smaller_team());
        let body = self.launch_place(team);
        self.pilots.insert(at, Pilot::new(player.id, team, body));
        if player.is_bot {
            self.add_bot(player.id);
        }
    }

    fn leave(&mut self, player: PlayerId, _reason: LeaveReason) {
        if let Ok(at) = self.pilot_at(player) {
            let pilot = self.pilots.remove(at);
            self.end_career(&pilot);
            self.bots.retain(|bot| bot.player != player);
            self.balance_teams();
            self.rank();
        }
    }

    fn step(&mut self, inputs: &Inputs<Self>, outbox: &mut Outbox<Self>) {
        self.save_left(outbox);
        // ANCHOR: commands
        for (player, command) in inputs.commands() {
            self.obey(player, *command, outbox);
        }
        // ANCHOR_END: commands
        self.fly(inputs);
        self.drift();
        self.index();
        self.strike(inputs, outbox);
        self.crash(outbox);
        self.collect(outbox);
        self.break_rocks(outbox);
        self.referee(inputs.tick(), outbox);
        let flying = self.pilots.iter().filter(|pilot| pilot.flying());
        let places = flying.map(|pilot| (EntityId::of_player(pilot.player), pilot.body.pos));
        self.ships_past.record(inputs.tick(), REWIND_TICKS, places);
        self.think();
    }

    fn bot_input(&self, bot: PlayerId, _tick: Tick) -> Controls {
        self.controls_of_bot(bot)
    }

    fn capture(&self, world: &mut Capture<Entity>) {
        for pilot in self.pilots.iter().filter(|pilot| pilot.flying()) {
            let ship = pilot.ship();
            let shown = world.show(EntityId::of_player(pilot.player), Entity::Ship(ship));
            shown.at(ship.pos).owned_by(pilot.player);
        }
        for Rock { id, asteroid, .. } in &self.rocks {
            world.show(*id, Entity::Asteroid(*asteroid)).at(asteroid.pos);
        }
        for Bullet { id, owner, shot, .. } in &self.shots {
            world.show(*id, Entity::Shot(*shot)).at(shot.pos).owned_by(*owner);
        }
        for Crystal { id, pickup, .. } in &self.crystals {
            world.show(*id, Entity::Pickup(*pickup)).at(pickup.pos);
        }
        for (id, leader) in self.leader_ids.iter().zip(&self.leaders) {
            world.show(*id, Entity::Leader(*leader));
        }
        world.show(self.round_id, Entity::Round(self.round()));
    }

    fn view(&self, viewer: Viewer) -> View {
        let at = viewer.player().and_then(|player| self.pilot_at(player).ok());
        let pilot = at.map_or_else(|| self.best_pilot(), |at| Some(&self.pilots[at]));
        let center = pilot.map_or(Vec2::ZERO, |pilot| pilot.body.pos);
        View::circle(center, VIEW_RADIUS)
    }
}

impl Arena {
    fn fly(&mut self, inputs: &Inputs<Arena>) {
        for at in 0..self.pilots.len() {
            let pilot = &mut self.pilots[at];
            if !pilot.flying() {
                pilot.dead_ticks -= 1;
                if pilot.flying() {
                    let team = pilot.team;
                    let body = self.launch_place(team);
                    self.pilots[at].launch(body);
                }
                continue;
            }
            let owner = pilot.player;
            if let Some(shot) = pilot.act(inputs.get(owner))
                && self.shots.len() < SHOTS_MAX
            {
                let id = self.ids.take();
                self.shots.push(Bullet { id, owner, ticks_left: SHOT_TICKS, shot });
            }
        }
    }

    fn drift(&mut self) {
        for Rock { asteroid, .. } in &mut self.rocks {
            motion::drift(&mut asteroid.pos, &mut asteroid.vel, asteroid.size.radius());
        }
        self.shots.retain_mut(|Bullet { ticks_left, shot, .. }| {
            shot.advance();
            *ticks_left -= 1;
            *ticks_left > 0 && shot.pos.abs().max_element() <= WORLD_HALF
        });
        self.crystals.retain_mut(|crystal| {
            crystal.ticks_left -= 1;
            crystal.ticks_left > 0
        });
    }

    /// Indexes ships and rocks, so that shots, pickups and ships' middles find those they touch.
    fn index(&mut self) {
        let flying = (0..).zip(&self.pilots).filter(|(_, pilot)| pilot.flying());
        self.ship_cells
            .rebuild(flying.map(|(at, pilot)| (at, pilot.body.pos, SHIP_RADIUS + PICKUP_RADIUS)));
        let flying = (0..).zip(&self.pilots).filter(|(_, pilot)| pilot.flying());
        let reach =
            SHIP_RADIUS + SHOT_RADIUS + motion::SPEED_MAX * REWIND_TICKS as f32 / TICK_HZ as f32;
        self.target_cells.rebuild(flying.map(|(at, pilot)| (at, pilot.body.pos, reach)));
        let rocks = (0..).zip(&self.rocks);
        self.rock_cells.rebuild(rocks.map(|(at, Rock { asteroid, .. })| {
            (at, asteroid.pos, asteroid.size.radius() + SHIP_RADIUS)
        }));
    }

    fn pilot_at(&self, player: PlayerId) -> Result<usize, usize> {
        self.pilots.binary_search_by_key(&player, |pilot| pilot.player)
    }

    fn rock_touching(&self, pos: Vec2, margin: f32) -> Option<usize> {
        let touches = |rock: &Rock| {
            let reach = rock.asteroid.size.radius() + margin;
            rock.asteroid.pos.distance_squared(pos) < reach * reach
        };
        let near = self.rock_cells.at(pos).iter();
        near.map(|&at| at as usize).find(|&at| touches(&self.rocks[at]))
    }

    /// The enemy ship that a shot at `pos` touches in `tick`, at its place `ticks_ago` before.
    fn target_touching(&self, pos: Vec2, own: Team, tick: Tick, ticks_ago: f32) -> Option<usize> {
        let reach = SHIP_RADIUS + SHOT_RADIUS;
        let touches = |pilot: &Pilot| {
            let id = EntityId::of_player(pilot.player);
            let seen = match ticks_ago > 0.0 {
                true => self.ships_past.at(id, tick, ticks_ago),
                false => Some(pilot.body.pos),
            };
            pilot.flying()
                && pilot.team != own
                && seen.is_some_and(|seen| seen.distance_squared(pos) < reach * reach)
        };
        let near = self.target_cells.at(pos).iter();
        near.map(|&at| at as usize).find(|&at| touches(&self.pilots[at]))
    }

    fn ship_touching(&self, pos: Vec2, margin: f32) -> Option<usize> {
        let reach = SHIP_RADIUS + margin;
        let touches =
            |pilot: &Pilot| pilot.flying() && pilot.body.pos.distance_squared(pos) < reach * reach;
        let near = self.ship_cells.at(pos).iter();
        near.map(|&at| at as usize).find(|&at| touches(&self.pilots[at]))
    }
}
