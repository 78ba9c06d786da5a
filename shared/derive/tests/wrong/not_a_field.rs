use tickwire_shared::Replicate;

#[derive(Clone, Copy)]
enum Weapon {
    Gun,
    Laser,
}

#[derive(Replicate)]
struct Ship {
    weapon: Weapon,
}

#[derive(Replicate)]
struct Rock {
    name: String,
    mass: f64,
    id: u64,
    corners: [u8; 4],
    target: Option<u32>,
}

fn main() {}
