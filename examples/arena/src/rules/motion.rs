//! Motion of things in one tick. The client's prediction may call the same functions.

use serde::{Deserialize, Serialize};
use tickwire_shared::glam::Vec2;

use super::entity::{Controls, Ship};
use super::{SHIP_RADIUS, TICK_HZ, WORLD_HALF};

/// Units a second a ship gains in a second of thrust.
pub const THRUST: f32 = 480.0;
/// Fastest flight, in units a second.
pub const SPEED_MAX: f32 = 380.0;
/// Steps of `Ship::pos`, in units.
pub const POS_STEP: f32 = 0.0625;
/// A velocity that is a multiple of this moves a whole number of steps of `pos` each tick.
pub const DRIFT_STEP: f32 = POS_STEP * TICK_HZ as f32;

const SHIP_VEL_STEP: f32 = 0.25;
const DRAG_PER_SECOND: f32 = 0.5;
const BRAKE_PER_SECOND: f32 = 2.5;
const HEADINGS: i32 = 1024;
const TURN_PER_TICK: f32 = 12.0;
const WALL_BOUNCE: f32 = 0.6;
const ROCK_BOUNCE: f32 = 0.5;

/// The moving state of a ship. Velocity and heading are multiples of their wire steps, so that a
/// client which steps a received ship gets the server's result.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Body {
    /// The middle.
    pub pos: Vec2,
    /// Units a second.
    pub vel: Vec2,
    heading: u16,
}

impl Body {
    /// At rest at `pos`, the nose along `towards`.
    pub fn resting(pos: Vec2, towards: Vec2) -> Self {
        let turns = libm::atan2f(towards.y, towards.x) / std::f32::consts::TAU;
        let heading = (turns * HEADINGS as f32).round() as i32;
        Body { pos, vel: Vec2::ZERO, heading: heading.rem_euclid(HEADINGS) as u16 }
    }

    /// The body of a received ship. Positions are rounded on the wire: `before` stands if it rounds
    /// to the same one.
    pub(super) fn of_ship(ship: &Ship, before: Option<&Body>) -> Self {
        let turn = (ship.heading / std::f32::consts::TAU * HEADINGS as f32).round() as i32;
        let near = before.filter(|before| (before.pos - ship.pos).abs().max_element() < POS_STEP);
        Body {
            pos: near.map_or(ship.pos, |before| before.pos),
            vel: ship.vel,
            heading: turn.rem_euclid(HEADINGS) as u16,
        }
    }

    /// Radians from the x axis towards y, above -π and up to π.
    pub fn heading(&self) -> f32 {
        let turn = i32::from(self.heading);
        let centered = if turn > HEADINGS / 2 { turn - HEADINGS } else { turn };
        centered as f32 * (std::f32::consts::TAU / HEADINGS as f32)
    }

    /// The direction of the nose, of length 1.
    pub fn nose(&self) -> Vec2 {
        direction(self.heading())
    }

    /// One tick of flight.
    pub fn fly(&mut self, controls: Controls) {
        let turn = (controls.turn.clamp(-1.0, 1.0) * TURN_PER_TICK).round() as i32;
        self.heading = (i32::from(self.heading) + turn).rem_euclid(HEADINGS) as u16;
        let braking = if controls.brake { BRAKE_PER_SECOND } else { 0.0 };
        let mut vel = self.vel * (1.0 - (DRAG_PER_SECOND + braking) / TICK_HZ as f32);
        if controls.thrust {
            vel += self.nose() * (THRUST / TICK_HZ as f32);
            vel = (vel.clamp_length_max(SPEED_MAX) / SHIP_VEL_STEP).round();
        } else {
            // Rounds towards zero, so that a drifting ship comes to rest.
            vel = (vel / SHIP_VEL_STEP).trunc();
        }
        self.vel = vel * SHIP_VEL_STEP;
        self.pos += self.vel / TICK_HZ as f32;
        self.bounce_off_walls();
    }

    /// Moves the ship out of a rock it has run into. Returns the speed of the impact, 0 if they
    /// were separating.
    pub fn bounce_off_rock(&mut self, rock_pos: Vec2, rock_vel: Vec2, rock_radius: f32) -> f32 {
        let normal = (self.pos - rock_pos).normalize_or(Vec2::X);
        self.pos = rock_pos + normal * (rock_radius + SHIP_RADIUS);
        let approach = -(self.vel - rock_vel).dot(normal);
        if approach > 0.0 {
            let vel = self.vel + normal * (approach * (1.0 + ROCK_BOUNCE));
            let vel = vel.clamp_length_max(SPEED_MAX);
            self.vel = (vel / SHIP_VEL_STEP).round() * SHIP_VEL_STEP;
        }
        self.bounce_off_walls();
        approach.max(0.0)
    }

    fn bounce_off_walls(&mut self) {
        let limit = WORLD_HALF - SHIP_RADIUS;
        let back = |pos: &mut f32, vel: &mut f32| {
            if pos.abs() > limit {
                *pos = limit.copysign(*pos);
                let speed = (vel.abs() * WALL_BOUNCE / SHIP_VEL_STEP).round() * SHIP_VEL_STEP;
                *vel = -speed.copysign(*pos);
            }
        };
        back(&mut self.pos.x, &mut self.vel.x);
        back(&mut self.pos.y, &mut self.vel.y);
    }
}

/// Moves a freely drifting thing between the walls.
pub fn drift(pos: &mut Vec2, vel: &mut Vec2, radius: f32) {
    let limit = WORLD_HALF - radius;
    *pos += *vel / TICK_HZ as f32;
    let back = |pos: &mut f32, vel: &mut f32| {
        if pos.abs() > limit {
            *pos = limit.copysign(*pos);
            *vel = -vel.abs().copysign(*pos);
        }
    };
    back(&mut pos.x, &mut vel.x);
    back(&mut pos.y, &mut vel.y);
}

/// `vector` with both coordinates at the nearest multiple of `step`.
pub fn snap(vector: Vec2, step: f32) -> Vec2 {
    (vector / step).round() * step
}

/// The vector of length 1 at `angle` radians; the same bits on every machine.
pub fn direction(angle: f32) -> Vec2 {
    let (sin, cos) = libm::sincosf(angle);
    Vec2::new(cos, sin)
}

#[cfg(test)]
mod tests {
    use tickwire_shared::glam::Vec2;

    use super::*;

    #[test]
    fn a_ship_reaches_full_speed_and_comes_to_rest() {
        let mut body = Body::resting(Vec2::ZERO, Vec2::X);
        for _ in 0..90 {
            body.fly(Controls { thrust: true, ..Controls::default() });
        }
        assert!((body.vel.x - SPEED_MAX).abs() < 10.0 && body.vel.y == 0.0, "{body:?}");
        assert!(body.pos.x > 200.0);
        for _ in 0..60 * 20 {
            body.fly(Controls::default());
        }
        assert_eq!(body.vel, Vec2::ZERO);
    }

    #[test]
    fn braking_stops_sooner_and_turning_turns_both_ways() {
        let mut body = Body::resting(Vec2::ZERO, Vec2::X);
        body.vel = Vec2::new(300.0, 0.0);
        for _ in 0..60 * 2 {
            body.fly(Controls { brake: true, ..Controls::default() });
        }
        assert_eq!(body.vel, Vec2::ZERO);
        for _ in 0..20 {
            body.fly(Controls { turn: 1.0, ..Controls::default() });
        }
        assert!(body.nose().y > 0.9, "{}", body.heading());
        for _ in 0..40 {
            body.fly(Controls { turn: -1.0, ..Controls::default() });
        }
        assert!(body.nose().y < -0.9, "{}", body.heading());
    }

    #[test]
    fn walls_and_rocks_throw_a_ship_back() {
        let mut body = Body::resting(Vec2::new(WORLD_HALF - 16.0, 0.0), Vec2::X);
        body.vel = Vec2::new(300.0, 40.0);
        body.fly(Controls::default());
        assert!(body.vel.x < -100.0 && body.pos.x <= WORLD_HALF - SHIP_RADIUS, "{body:?}");

        let mut body = Body::resting(Vec2::new(-60.0, 0.0), Vec2::X);
        body.vel = Vec2::new(200.0, 0.0);
        let impact = body.bounce_off_rock(Vec2::ZERO, Vec2::ZERO, 60.0);
        assert_eq!(impact, 200.0);
        assert_eq!(body.vel, Vec2::new(-100.0, 0.0));
        assert_eq!(body.pos.x, -74.0);
        assert_eq!(body.bounce_off_rock(Vec2::ZERO, Vec2::ZERO, 60.0), 0.0);
    }

    #[test]
    fn what_drifts_moves_a_whole_number_of_steps() {
        let mut pos = Vec2::new(2000.0625, -3.125);
        let mut vel = snap(Vec2::new(133.0, -77.0), DRIFT_STEP);
        for _ in 0..10_000 {
            drift(&mut pos, &mut vel, 36.0);
            assert_eq!(snap(pos, POS_STEP), pos);
            assert!(pos.abs().max_element() <= WORLD_HALF - 36.0);
        }
    }
}
