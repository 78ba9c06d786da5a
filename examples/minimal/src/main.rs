//! A whole game on tickwire: every player is a dot that runs about on a plane.

use std::collections::BTreeMap;

use tickwire::prelude::*;

/// What a player holds down: four bits a tick on the wire.
#[derive(Clone, Copy, Default, PartialEq, Input)]
struct Keys {
    #[replicate(range = -1..=1)]
    right: i8,
    #[replicate(range = -1..=1)]
    up: i8,
}

/// What everybody sees. Numbers travel in steps of a hundredth, positions as predicted by `vel`.
#[state]
#[derive(Clone, Default, Replicate)]
struct Dot {
    #[replicate(range = -100.0..=100.0, step = 0.01, velocity = vel)]
    pos: Vec2,
    #[replicate(range = -20.0..=20.0, step = 0.01)]
    vel: Vec2,
}

/// The rules and the state of a room.
#[state]
#[derive(Default)]
struct Plane {
    dots: BTreeMap<PlayerId, Dot>,
}

#[game]
impl Simulation for Plane {
    const NAME: &'static str = "minimal";
    type Input = Keys;
    type Entity = Dot;

    fn new(_room: &NewRoom<Self>) -> Self {
        Plane::default()
    }

    fn join(&mut self, player: &NewPlayer<Self>) {
        self.dots.insert(player.id, Dot::default());
    }

    fn leave(&mut self, player: PlayerId, _reason: LeaveReason) {
        self.dots.remove(&player);
    }

    fn step(&mut self, inputs: &Inputs<Self>, _outbox: &mut Outbox<Self>) {
        for (player, keys) in inputs.iter() {
            let dot = self.dots.entry(player).or_default();
            dot.vel = Vec2::new(keys.right.into(), keys.up.into()) * 20.0;
            let pos = dot.pos + dot.vel / Self::TICK_HZ as f32;
            dot.pos = pos.clamp(Vec2::splat(-100.0), Vec2::splat(100.0));
        }
    }

    fn capture(&self, world: &mut Capture<Dot>) {
        for (player, dot) in &self.dots {
            world.show(EntityId::of_player(*player), dot.clone()).owned_by(*player).at(dot.pos);
        }
    }
}

fn main() -> std::process::ExitCode {
    tickwire::run::<Plane>()
}

#[cfg(test)]
mod tests;
