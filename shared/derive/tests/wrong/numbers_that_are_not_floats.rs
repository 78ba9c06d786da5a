use tickwire_shared::Replicate;

#[derive(Replicate)]
struct Ship {
    #[replicate(range = -8..=8, step = 0.5)]
    lift: f32,
}

fn main() {}
