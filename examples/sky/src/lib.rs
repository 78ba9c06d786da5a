//! A game in three dimensions: gliders among drones, each with a rotation, a view of a sphere, and prediction of the own
//! glider.
//!
//! Sines come from `libm` and rotations from products of single numbers, so that a native client and a browser compute what
//! the server does, bit for bit.

use std::collections::BTreeMap;

use tickwire::prelude::*;

/// How far a player sees, in metres.
pub const SIGHT: f32 = 120.0;
/// Half the side of the cube of air, in metres.
pub const HALF: f32 = 200.0;
/// Metres a second.
pub const SPEED: f32 = 24.0;
/// Gliders without a player.
pub const DRONES: u32 = 200;
/// Constants of the random numbers.
const MULTIPLIER: u64 = 6_364_136_223_846_793_005;
const INCREMENT: u64 = 1_442_695_040_888_963_407;
/// Steps of a velocity in a metre a second.
const VEL_STEPS: f32 = 16.0;

/// The stick of a glider in one tick.
#[derive(Clone, Copy, Debug, Default, PartialEq, Input)]
pub struct Stick {
    /// 1 is left.
    #[replicate(range = -1..=1)]
    pub turn: i8,
    /// -1 is down.
    #[replicate(range = -1..=1)]
    pub climb: i8,
}

/// A glider as clients see it.
#[state]
#[derive(Clone, Copy, Debug, Default, PartialEq, Replicate)]
pub struct Glider {
    /// In metres, `y` is up; `vel` predicts it.
    #[replicate(range = -256.0..=256.0, step = 0.015625, velocity = vel)]
    pub pos: Vec3,
    /// In metres a second.
    #[replicate(range = -32.0..=32.0, step = 0.0625)]
    pub vel: Vec3,
    /// Its rotation: at rest it looks along -z.
    #[replicate(bits = 9)]
    pub facing: Quat,
    /// In degrees, positive is left; `facing` follows from both, so only the owner needs them.
    #[replicate(range = -180..=179, owner)]
    pub yaw: i16,
    /// In degrees; positive is up.
    #[replicate(range = -60..=60, owner)]
    pub pitch: i16,
}

/// The state of one room.
#[state]
#[derive(Debug, Default)]
pub struct Sky {
    gliders: BTreeMap<PlayerId, Glider>,
    drones: Vec<(EntityId, Glider)>,
    ids: EntityIds,
}

impl Sky {
    /// The gliders without a player.
    pub fn drones(&self) -> &[(EntityId, Glider)] {
        &self.drones
    }
}

/// One tick of a glider's flight: the server's rules and the prediction call it.
pub fn fly(glider: &mut Glider, stick: Stick) {
    glider.yaw = (glider.yaw + 2 * i16::from(stick.turn) + 180).rem_euclid(360) - 180;
    glider.pitch = (glider.pitch + i16::from(stick.climb)).clamp(-60, 60);
    let [yaw, pitch] = [glider.yaw, glider.pitch].map(|angle| f32::from(angle).to_radians());
    let (half_yaw, half_pitch) = (libm::sincosf(yaw / 2.0), libm::sincosf(pitch / 2.0));
    glider.facing = Quat::from_xyzw(
        half_yaw.1 * half_pitch.0,
        half_yaw.0 * half_pitch.1,
        -half_yaw.0 * half_pitch.0,
        half_yaw.1 * half_pitch.1,
    );
    let ((yaw_sin, yaw_cos), (pitch_sin, pitch_cos)) = (libm::sincosf(yaw), libm::sincosf(pitch));
    let ahead = [-yaw_sin * pitch_cos, pitch_sin, -yaw_cos * pitch_cos];
    // In steps of the wire, so that client and server go on from the same numbers.
    let vel = ahead.map(|part| (part * SPEED * VEL_STEPS).round() / VEL_STEPS);
    glider.vel = Vec3::from_array(vel);
    let pos = glider.pos + glider.vel / Sky::TICK_HZ as f32;
    glider.pos = pos.clamp(Vec3::splat(-HALF), Vec3::splat(HALF));
}

impl PredictEntity for Sky {
    fn predict_step(glider: &mut Glider, stick: Stick, _tick: &mut PredictedStep<'_, Self>) {
        fly(glider, stick);
    }
}

/// The stick of drone `number`: it turns and climbs for a while, each at its own times.
fn drone_stick(number: u32, tick: Tick) -> Stick {
    let phase = (tick.0 / 40 + number * 7) % 9;
    Stick {
        turn: [0, 1, 1, 0, -1, 0, 1, 0, 0][phase as usize],
        climb: [1, 0, -1][phase as usize % 3],
    }
}

/// Random numbers that are the same on every machine: PCG XSH-RR 64/32.
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        let mut random = Random(seed.wrapping_add(INCREMENT));
        random.between(0.0, 1.0);
        random
    }

    /// A number in `low..high`.
    fn between(&mut self, low: f32, high: f32) -> f32 {
        let old = self.0;
        self.0 = old.wrapping_mul(MULTIPLIER).wrapping_add(INCREMENT);
        let bits = ((((old >> 18) ^ old) >> 27) as u32).rotate_right((old >> 59) as u32);
        low + (high - low) * ((bits >> 8) as f32 / (1 << 24) as f32)
    }
}

#[game]
impl Simulation for Sky {
    const NAME: &'static str = "sky";
    type Input = Stick;
    type Entity = Glider;

    fn new(room: &NewRoom<Self>) -> Self {
        let (mut sky, mut random) = (Sky::default(), Random::new(room.seed));
        for _ in 0..DRONES {
            let pos = Vec3::from_array([0; 3].map(|_| random.between(-HALF, HALF).round()));
            let yaw = random.between(-180.0, 179.0) as i16;
            sky.drones.push((sky.ids.take(), Glider { pos, yaw, ..Glider::default() }));
        }
        sky
    }

    fn join(&mut self, player: &NewPlayer<Self>) {
        self.gliders.insert(player.id, Glider::default());
    }

    fn leave(&mut self, player: PlayerId, _reason: LeaveReason) {
        self.gliders.remove(&player);
    }

    fn step(&mut self, inputs: &Inputs<Self>, _outbox: &mut Outbox<Self>) {
        for (player, glider) in &mut self.gliders {
            fly(glider, inputs.get(*player));
        }
        for (number, (_, drone)) in (0..).zip(&mut self.drones) {
            fly(drone, drone_stick(number, inputs.tick()));
        }
    }

    fn capture(&self, world: &mut Capture<Glider>) {
        for (player, glider) in &self.gliders {
            world.show(EntityId::of_player(*player), *glider).at(glider.pos).owned_by(*player);
        }
        for (id, drone) in &self.drones {
            world.show(*id, *drone).at(drone.pos);
        }
    }

    fn view(&self, viewer: Viewer) -> View {
        let glider = viewer.player().and_then(|player| self.gliders.get(&player));
        glider.map_or(View::everything(), |glider| View::sphere(glider.pos, SIGHT))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_glider_flies_where_it_looks() {
        let mut glider = Glider::default();
        for tick in 0..1000 {
            let [turn, climb] = [tick / 50 % 3 - 1, tick / 70 % 3 - 1].map(|way: i32| way as i8);
            fly(&mut glider, Stick { turn, climb });
            assert!((glider.facing.length() - 1.0).abs() < 1e-5, "{glider:?}");
            let ahead = glider.facing * Vec3::NEG_Z * SPEED;
            // Half a step of the wire in each coordinate.
            let off = (ahead - glider.vel).abs().max_element();
            assert!(off <= 0.5 / VEL_STEPS + 1e-3, "{glider:?}");
        }
    }

    #[test]
    fn who_climbs_goes_up_and_who_turns_left_goes_left() {
        let [mut up, mut left] = [Glider::default(); 2];
        for _ in 0..30 {
            fly(&mut up, Stick { turn: 0, climb: 1 });
            fly(&mut left, Stick { turn: 1, climb: 0 });
        }
        assert!(up.pos.y > 1.0 && up.pos.x.abs() < 0.1, "{up:?}");
        assert!(left.pos.x < -1.0 && left.pos.y.abs() < 0.1, "{left:?}");
    }
}
