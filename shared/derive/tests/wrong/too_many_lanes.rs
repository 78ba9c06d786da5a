use tickwire_shared::Replicate;
use tickwire_shared::glam::Quat;

#[derive(Replicate)]
struct Centipede {
    #[replicate(bits = 9)]
    leg_0: Quat,
    #[replicate(bits = 9)]
    leg_1: Quat,
    #[replicate(bits = 9)]
    leg_2: Quat,
    #[replicate(bits = 9)]
    leg_3: Quat,
    #[replicate(bits = 9)]
    leg_4: Quat,
    #[replicate(bits = 9)]
    leg_5: Quat,
    #[replicate(bits = 9)]
    leg_6: Quat,
    #[replicate(bits = 9)]
    leg_7: Quat,
    #[replicate(bits = 9)]
    leg_8: Quat,
    #[replicate(bits = 9)]
    leg_9: Quat,
    #[replicate(bits = 9)]
    leg_10: Quat,
    #[replicate(bits = 9)]
    leg_11: Quat,
    #[replicate(bits = 9)]
    leg_12: Quat,
    #[replicate(bits = 9)]
    leg_13: Quat,
    #[replicate(bits = 9)]
    leg_14: Quat,
    #[replicate(bits = 9)]
    leg_15: Quat,
    #[replicate(bits = 9)]
    leg_16: Quat,
}

fn main() {}
