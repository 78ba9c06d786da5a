use tickwire_shared::Replicate;
use tickwire_shared::glam::{Quat, Vec2};

#[derive(Replicate)]
struct Ship {
    heading: f32,
    pos: Vec2,
    #[replicate(range = -1.0..=1.0)]
    vel: Vec2,
    #[replicate(angle)]
    aim: f32,
    turret: Quat,
}

fn main() {}
