use tickwire_shared::Replicate;

#[derive(Replicate)]
struct Score(u32);

#[derive(Replicate)]
struct Wide<T> {
    value: T,
}

#[derive(Replicate)]
struct Ship {}

#[derive(Replicate)]
enum Event {
    Start(Ship),
    Over,
}

#[derive(Replicate)]
enum Entity {
    Mine(Ship),
    Theirs(Ship),
}

#[derive(Replicate)]
enum None {}

fn main() {}
