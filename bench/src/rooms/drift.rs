//! A world of any number of constantly moving entities, and players that only watch.

use serde::{Deserialize, Serialize};
use tickwire_shared::glam::Vec2;
use tickwire_shared::replica::Replica;
use tickwire_shared::{
    Capture, EntityId, Input, Inputs, LeaveReason, NewPlayer, NewRoom, Outbox, PlayerId, Replicate,
    Simulation, View, Viewer,
};

use crate::rooms::table::{Player, Table};

/// A room of the drifting world.
pub type DriftTable = Table<Drift, Watcher>;

/// Approximate number of entities within a [`Seen::Near`] view.
const NEAR_ENTITIES: f32 = 60.0;
/// Entities circle around points in the square of this half side.
const HOMES_HALF: f32 = 1800.0;
/// Longer than the room's history.
pub const WARM_UP_TICKS: u32 = 150;
/// Steps of a turn that spread numbers evenly over the plane (Roberts 2018, R2).
const SPREAD: Vec2 = Vec2::new(0.754_877_7, 0.569_840_3);

/// The view of a player of [`Drift`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Seen {
    /// Everything.
    All,
    /// A circle with about sixty entities.
    Near,
}

/// The world.
#[derive(Serialize, Deserialize)]
pub struct Drift {
    drifters: Vec<Drifter>,
    seen: Seen,
}

/// An entity that circles around its home.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, Replicate)]
pub struct Drifter {
    #[replicate(range = -2048.0..=2048.0, step = 0.0625, velocity = vel)]
    pos: Vec2,
    #[replicate(range = -400.0..=400.0, step = 0.25)]
    vel: Vec2,
    #[replicate(angle, bits = 10)]
    heading: f32,
}

/// An input without content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Input)]
pub struct Idle {
    awake: bool,
}

/// A player that only watches.
pub struct Watcher;

/// A world of `entities` that `players` have just begun to watch.
pub fn drift(entities: u32, players: usize, seen: Seen) -> DriftTable {
    let seed = u64::from(entities) << 1 | u64::from(seen == Seen::Near);
    let players = std::iter::repeat_with(|| Watcher).take(players);
    Table::new(seed, players)
}

impl Player<Drift> for Watcher {
    fn hold(&mut self, _me: PlayerId, _replica: &Replica) -> Idle {
        Idle { awake: true }
    }
}

#[tickwire_shared::game]
impl Simulation for Drift {
    const NAME: &'static str = "drift";
    type Input = Idle;
    type Entity = Drifter;

    /// The seed is twice the number of entities, plus one if players see only near ones.
    fn new(room: &NewRoom<Self>) -> Self {
        let seen = if room.seed & 1 == 1 { Seen::Near } else { Seen::All };
        Drift { drifters: (0..room.seed as u32 >> 1).map(Drifter::new).collect(), seen }
    }

    fn join(&mut self, _player: &NewPlayer<Self>) {}

    fn leave(&mut self, _player: PlayerId, _reason: LeaveReason) {}

    fn step(&mut self, _inputs: &Inputs<Self>, _outbox: &mut Outbox<Self>) {
        let turn = Vec2::from_angle(1.0 / Self::TICK_HZ as f32);
        for drifter in &mut self.drifters {
            drifter.vel = turn.rotate(drifter.vel);
            drifter.pos += drifter.vel / Self::TICK_HZ as f32;
            drifter.heading += 0.02;
        }
    }

    fn capture(&self, world: &mut Capture<Drifter>) {
        for (id, drifter) in (1..).zip(&self.drifters) {
            world.show(EntityId(id), *drifter).at(drifter.pos);
        }
    }

    fn view(&self, viewer: Viewer) -> View {
        if self.seen == Seen::All {
            return View::everything();
        }
        let area = (2.0 * HOMES_HALF).powi(2);
        let share = NEAR_ENTITIES / self.drifters.len().max(1) as f32;
        let radius = (area * share / std::f32::consts::PI).sqrt();
        let center = spread(viewer.id().0) * (HOMES_HALF - radius).max(0.0);
        View::circle(center, radius)
    }
}

impl Drifter {
    fn new(number: u32) -> Self {
        let speed = 60.0 + (number % 120) as f32;
        let vel = Vec2::from_angle(number as f32) * speed;
        // At a radian a second the circle's radius equals the speed.
        Drifter { pos: spread(number) * HOMES_HALF - vel.perp(), vel, heading: 0.0 }
    }
}

/// A point in the square from -1 to 1.
fn spread(number: u32) -> Vec2 {
    (SPREAD * number as f32).fract() * 2.0 - 1.0
}
