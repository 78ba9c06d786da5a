use tickwire_shared::Replicate;

#[derive(Replicate)]
struct Ship {
    #[replicate(range = 0..=300)]
    health: u8,
}

fn main() {}
