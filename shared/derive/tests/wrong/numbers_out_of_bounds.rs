use tickwire_shared::Replicate;
use tickwire_shared::glam::{Quat, Vec2};

const TINY: f32 = 0.0001;

#[derive(Replicate)]
struct Ship {
    #[replicate(range = -2048.0..=2048.0, step = TINY)]
    pos: Vec2,
    #[replicate(range = 9..=3)]
    lives: u8,
    #[replicate(bits = 16)]
    turret: Quat,
    #[replicate(angle, bits = 0)]
    heading: f32,
}

fn main() {}
