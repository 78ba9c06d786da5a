//! Seeded random numbers for measured worlds.

use serde::{Deserialize, Serialize};

/// A seeded generator (Steele and Vigna, splitmix64).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Splitmix(u64);

impl Splitmix {
    pub(crate) fn new(seed: u64) -> Self {
        Splitmix(seed)
    }

    /// 64 random bits.
    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// A number in `0.0..1.0`.
    pub(crate) fn part(&mut self) -> f32 {
        (self.bits() >> 40) as f32 / (1 << 24) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_numbers_are_those_of_the_reference() {
        let mut random = Splitmix::new(0);
        assert_eq!(random.bits(), 0xe220_a839_7b1d_cdaf);
        assert_eq!(random.bits(), 0x6e78_9e6a_a1b9_65f4);
    }
}
