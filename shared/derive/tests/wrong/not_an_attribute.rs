use tickwire_shared::Replicate;

#[derive(Replicate)]
struct Ship {
    #[replicate(owner_only)]
    ammunition: u16,
    #[replicate(range = 0..100)]
    health: u8,
    #[replicate(rare, rare)]
    score: u32,
    #[replicate(rare, initial)]
    team: u8,
    #[replicate(step = 1)]
    lives: u8,
    #[replicate(range = 1.0..=2.0, step = )]
    size: f32,
}

#[derive(Replicate)]
#[replicate(rare)]
struct Rock {}

fn main() {}
