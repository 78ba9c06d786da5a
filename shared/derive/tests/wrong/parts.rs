use tickwire_shared::glam::Vec2;
use tickwire_shared::{Replicate, Text};

#[derive(Replicate)]
struct Split {
    twice: Option<Option<bool>>,
    holes: [Option<bool>; 4],
    board: [[bool; 3]; 3],
    #[replicate(range = -8.0..=8.0, step = 0.5, velocity = vel)]
    pos: Vec2,
    #[replicate(range = -8.0..=8.0, step = 0.5)]
    vel: Option<Vec2>,
}

#[derive(Replicate)]
struct Still {
    #[replicate(range = -8.0..=8.0, step = 0.5, velocity = vel)]
    pos: Vec2,
    #[replicate(range = -8.0..=8.0, step = 0.5)]
    vel: Option<Vec2>,
}

const SLOTS: usize = 33;

#[derive(Replicate)]
struct Long {
    slots: [bool; SLOTS],
    none: [bool; 0],
    name: Text<65>,
}

#[derive(Replicate)]
struct Full {
    a: [Vec3Like; 32],
    b: [Vec3Like; 32],
    c: bool,
}

#[derive(Clone, Copy, Replicate)]
enum Vec3Like {
    Up,
    Down,
}

fn main() {}
