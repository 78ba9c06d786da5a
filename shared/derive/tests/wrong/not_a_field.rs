use tickwire_shared::Replicate;

#[derive(Clone, Copy)]
enum Weapon {
    Gun,
    Laser,
}

#[derive(Replicate)]
struct Ship {
    weapon: Weapon,
    spare: Option<Weapon>,
}

#[derive(Replicate)]
struct Rock {
    name: String,
    mass: f64,
    id: u64,
    corners: Vec<u8>,
    place: (f32, f32),
}

fn main() {}
