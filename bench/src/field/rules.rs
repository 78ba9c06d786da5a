//! The game: walkers on a square, each controlled by one player, all visible to all.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::{Deserialize, Serialize};
use tickwire_shared::glam::Vec2;
use tickwire_shared::quantize::Lanes as _;
use tickwire_shared::{
    Capture, EntityId, Input, Inputs, LeaveReason, NewPlayer, NewRoom, Outbox, PlayerId, Replicate,
    Simulation,
};

/// Side of the square, in units.
const SIDE: f32 = 1000.0;
/// Speed in units a second.
const SPEED: f32 = 60.0;
/// The value of [`Held::direction`] for standing still.
pub(crate) const STILL: u8 = 8;

/// True if the server records every walker in every tick.
pub(crate) static TRUTH_WANTED: AtomicBool = AtomicBool::new(false);
static TRUTH: Mutex<Vec<State>> = Mutex::new(Vec::new());

/// A player's input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, Input)]
pub(crate) struct Held {
    /// One of eight, or [`STILL`].
    #[replicate(range = 0..=8)]
    pub(crate) direction: u8,
    /// Eight buttons.
    pub(crate) buttons: u8,
}

/// One walker.
#[derive(Clone, Debug, Default, Serialize, Deserialize, Replicate)]
pub(crate) struct Walker {
    #[replicate(range = 0.0..=1000.0, step = 0.015625, velocity = vel)]
    pos: Vec2,
    #[replicate(range = -64.0..=64.0, step = 0.0625)]
    vel: Vec2,
    #[replicate(angle, bits = 8)]
    heading: f32,
    health: u8,
}

/// The rules and the state of a room.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Field {
    walkers: BTreeMap<PlayerId, (Walker, Held)>,
    tick: u32,
}

#[tickwire_shared::game]
impl Simulation for Field {
    const NAME: &'static str = "field";
    type Input = Held;
    type Entity = Walker;

    fn new(_room: &NewRoom<Self>) -> Self {
        Field::default()
    }

    fn join(&mut self, player: &NewPlayer<Self>) {
        // Spread evenly by the player's number (Roberts 2018, R2).
        let part = (Vec2::new(0.754_877_7, 0.569_840_3) * player.id.0 as f32).fract();
        let walker = Walker { pos: part * SIDE, health: 100, ..Walker::default() };
        self.walkers.insert(player.id, (walker, Held { direction: STILL, buttons: 0 }));
    }

    fn leave(&mut self, player: PlayerId, _reason: LeaveReason) {
        self.walkers.remove(&player);
    }

    fn step(&mut self, inputs: &Inputs<Self>, _outbox: &mut Outbox<Self>) {
        self.tick = inputs.tick().0;
        for (player, held) in inputs.iter() {
            let Some((walker, before)) = self.walkers.get_mut(&player) else { continue };
            walker.turn(held.direction, before.direction);
            walker.walk(1.0 / Self::TICK_HZ as f32);
            if held.buttons & 1 != 0 && before.buttons & 1 == 0 {
                walker.health = walker.health.wrapping_sub(1);
            }
            *before = held;
        }
    }

    fn capture(&self, world: &mut Capture<Walker>) {
        for (player, (walker, _)) in &self.walkers {
            world
                .show(EntityId::of_player(*player), walker.clone())
                .owned_by(*player)
                .at(walker.pos);
        }
        if TRUTH_WANTED.load(Ordering::Relaxed) {
            self.tell_truth();
        }
    }
}

impl Walker {
    /// A new direction sets the velocity; an unchanged one keeps it, including bounces.
    fn turn(&mut self, direction: u8, before: u8) {
        if direction == before {
            return;
        }
        let angle = f32::from(direction) * std::f32::consts::FRAC_PI_4;
        self.vel = if direction == STILL { Vec2::ZERO } else { Vec2::from_angle(angle) * SPEED };
        if direction != STILL {
            self.heading = angle;
        }
    }

    fn walk(&mut self, seconds: f32) {
        self.pos += self.vel * seconds;
        for axis in 0..2 {
            let at = self.pos[axis];
            if !(0.0..=SIDE).contains(&at) {
                self.pos[axis] = if at < 0.0 { -at } else { 2.0 * SIDE - at };
                self.vel[axis] = -self.vel[axis];
            }
        }
    }
}

/// One walker at one tick, in its wire form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct State {
    pub(crate) tick: u32,
    pub(crate) id: u32,
    pub(crate) lanes: [i32; Walker::LANES],
}

/// Takes the recorded states.
pub(crate) fn take_truth() -> Vec<State> {
    std::mem::take(&mut TRUTH.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
}

impl Field {
    fn tell_truth(&self) {
        let mut truth = TRUTH.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for (player, (walker, _)) in &self.walkers {
            let mut lanes = [0; Walker::LANES];
            walker.to_lanes(&mut lanes);
            truth.push(State { tick: self.tick, id: player.0, lanes });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn walls_throw_back_what_went_beyond_them() {
        for (at, speed, after) in [(0.25, -60.0, 0.75), (999.75, 60.0, 999.25)] {
            let (pos, vel) = (Vec2::new(at, 500.0), Vec2::new(speed, 0.0));
            let mut walker = Walker { pos, vel, ..Walker::default() };
            walker.walk(1.0 / 60.0);
            assert!((walker.pos.x - after).abs() < 1e-3, "{at}: {}", walker.pos.x);
            assert_eq!((walker.pos.y, walker.vel.x), (500.0, -speed));
        }
    }
}
