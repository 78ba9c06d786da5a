//! Rocks: their appearance and their breaking.

use tickwire_shared::Outbox;
use tickwire_shared::glam::Vec2;

use super::entity::{Asteroid, AsteroidSize, Gift, Pickup};
use super::event::{Crack, Event};
use super::motion::{DRIFT_STEP, POS_STEP, snap};
use super::{Arena, Crystal, Rock, TICK_HZ, WORLD_HALF};

const CRYSTALS_MAX: usize = 48;
const CRYSTAL_TICKS: u16 = 20 * TICK_HZ as u16;
/// One small rock in this many leaves a pickup.
const CRYSTAL_CHANCE: u32 = 3;
/// Smallest distance of a new rock to a ship.
const CLEAR_OF_SHIPS: f32 = 250.0;
/// Spins are sent in steps of this, in radians a second.
const SPIN_STEP: f32 = 0.125;

/// Points for breaking a rock.
pub(super) fn points(size: AsteroidSize) -> u16 {
    match size {
        AsteroidSize::Large | AsteroidSize::Medium => 1,
        AsteroidSize::Small => 2,
    }
}

fn hits(size: AsteroidSize) -> u8 {
    match size {
        AsteroidSize::Large => 4,
        AsteroidSize::Medium => 2,
        AsteroidSize::Small => 1,
    }
}

/// The small rocks that one of this size finally breaks into.
fn mass(size: AsteroidSize) -> u32 {
    match size {
        AsteroidSize::Large => 4,
        AsteroidSize::Medium => 2,
        AsteroidSize::Small => 1,
    }
}

fn pieces(size: AsteroidSize) -> Option<AsteroidSize> {
    match size {
        AsteroidSize::Large => Some(AsteroidSize::Medium),
        AsteroidSize::Medium => Some(AsteroidSize::Small),
        AsteroidSize::Small => None,
    }
}

impl Arena {
    pub(super) fn fill_with_rocks(&mut self) {
        for _ in 0..self.rocks_max {
            let pos = self.random.place(WORLD_HALF - AsteroidSize::Large.radius());
            self.add_large_rock(pos);
        }
    }

    /// Adds a large rock when a large rock's worth of small ones is gone, if there is a place for
    /// it.
    pub(super) fn restock_rocks(&mut self) {
        let mass_now: u32 = self.rocks.iter().map(|rock| mass(rock.asteroid.size)).sum();
        if mass_now + mass(AsteroidSize::Large) > self.rocks_max * mass(AsteroidSize::Large) {
            return;
        }
        let pos = self.random.place(WORLD_HALF - AsteroidSize::Large.radius());
        let clear = CLEAR_OF_SHIPS * CLEAR_OF_SHIPS;
        let is_near = |at: Vec2| at.distance_squared(pos) < clear;
        if !self.pilots.iter().any(|pilot| is_near(pilot.body.pos)) {
            self.add_large_rock(pos);
        }
    }

    /// Replaces every rock that has taken its last hit by its pieces.
    pub(super) fn break_rocks(&mut self, outbox: &mut Outbox<Arena>) {
        let mut at = 0;
        while at < self.rocks.len() {
            if self.rocks[at].hits_left > 0 {
                at += 1;
                continue;
            }
            let Asteroid { pos, vel, size, .. } = self.rocks.remove(at).asteroid;
            outbox.to_place(pos, Event::Crack(Crack { pos, size }));
            match pieces(size) {
                Some(piece) => self.add_pieces(piece, pos, vel),
                None => self.maybe_leave_crystal(pos),
            }
        }
    }

    fn add_large_rock(&mut self, pos: Vec2) {
        let speed = self.random.between(10.0, 60.0);
        let vel = self.random.direction() * speed;
        self.add_rock(AsteroidSize::Large, pos, vel);
    }

    fn add_pieces(&mut self, size: AsteroidSize, pos: Vec2, vel: Vec2) {
        let side = self.random.direction();
        let speed = self.random.between(25.0, 65.0);
        for way in [side, -side] {
            let piece_vel = (vel + way * speed).clamp_length_max(140.0);
            self.add_rock(size, pos + way * size.radius(), piece_vel);
        }
    }

    fn add_rock(&mut self, size: AsteroidSize, pos: Vec2, vel: Vec2) {
        let limit = Vec2::splat(WORLD_HALF - size.radius());
        let spin = (self.random.between(-1.5, 1.5) / SPIN_STEP).round() * SPIN_STEP;
        let asteroid = Asteroid {
            pos: snap(pos.clamp(-limit, limit), POS_STEP),
            vel: snap(vel, DRIFT_STEP),
            size,
            spin,
        };
        let id = self.ids.take();
        self.rocks.push(Rock { id, hits_left: hits(size), asteroid });
    }

    fn maybe_leave_crystal(&mut self, pos: Vec2) {
        if self.crystals.len() >= CRYSTALS_MAX || self.random.below(CRYSTAL_CHANCE) != 0 {
            return;
        }
        let gift = if self.random.below(2) == 0 { Gift::Repair } else { Gift::Overdrive };
        let id = self.ids.take();
        let pickup = Pickup { pos: snap(pos, 1.0), gift };
        self.crystals.push(Crystal { id, ticks_left: CRYSTAL_TICKS, pickup });
    }
}
