use tickwire_shared::Input;

#[derive(Clone, Copy, Default, PartialEq, Input)]
struct Pilot {
    #[replicate(owner)]
    thrust: bool,
}

#[derive(Clone, Copy, PartialEq, Input)]
enum Button {
    Up,
    Down,
}

fn main() {}
