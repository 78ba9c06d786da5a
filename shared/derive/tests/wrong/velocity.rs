use tickwire_shared::Replicate;
use tickwire_shared::glam::Vec2;

#[derive(Replicate)]
struct Misnamed {
    #[replicate(range = -8.0..=8.0, step = 0.5, velocity = speed)]
    pos: Vec2,
    #[replicate(range = -8.0..=8.0, step = 0.5)]
    vel: Vec2,
}

#[derive(Replicate)]
struct Misshapen {
    #[replicate(range = -8.0..=8.0, step = 0.5, velocity = vel)]
    pos: Vec2,
    #[replicate(range = -8.0..=8.0, step = 0.5)]
    vel: f32,
}

#[derive(Replicate)]
struct Hidden {
    #[replicate(range = -8.0..=8.0, step = 0.5, velocity = vel)]
    pos: Vec2,
    #[replicate(range = -8.0..=8.0, step = 0.5, owner)]
    vel: Vec2,
}

fn main() {}
