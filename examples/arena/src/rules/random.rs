use serde::{Deserialize, Serialize};
use tickwire_shared::glam::Vec2;

const MULTIPLIER: u64 = 6_364_136_223_846_793_005;
const INCREMENT: u64 = 1_442_695_040_888_963_407;

/// A small seeded generator (PCG XSH-RR 64/32, O'Neill 2014) that is part of the state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Random {
    state: u64,
}

impl Random {
    /// The same seed gives the same numbers on every machine.
    pub fn new(seed: u64) -> Self {
        let mut random = Random { state: seed.wrapping_add(INCREMENT) };
        random.bits();
        random
    }

    /// 32 random bits.
    pub fn bits(&mut self) -> u32 {
        let old = self.state;
        self.state = old.wrapping_mul(MULTIPLIER).wrapping_add(INCREMENT);
        let folded = (((old >> 18) ^ old) >> 27) as u32;
        folded.rotate_right((old >> 59) as u32)
    }

    /// A number in `0..bound`; 0 if `bound` is 0.
    pub fn below(&mut self, bound: u32) -> u32 {
        ((u64::from(self.bits()) * u64::from(bound)) >> 32) as u32
    }

    /// A number in `low..high`.
    pub fn between(&mut self, low: f32, high: f32) -> f32 {
        let unit = (self.bits() >> 8) as f32 / (1 << 24) as f32;
        low + (high - low) * unit
    }

    /// A point in the square of half side `half` around the middle.
    pub fn place(&mut self, half: f32) -> Vec2 {
        let x = self.between(-half, half);
        Vec2::new(x, self.between(-half, half))
    }

    /// A vector of length 1 in any direction.
    pub fn direction(&mut self) -> Vec2 {
        super::direction(self.between(0.0, std::f32::consts::TAU))
    }
}

#[cfg(test)]
mod tests {
    use super::Random;

    #[test]
    fn numbers_follow_from_the_seed_and_fill_their_range() {
        let mut a = Random::new(7);
        let mut b = Random::new(7);
        let mut other = Random::new(8);
        let mut seen = [0u32; 10];
        let mut differs = false;
        for _ in 0..10_000 {
            let number = a.below(10);
            assert_eq!(number, b.below(10));
            differs |= number != other.below(10);
            seen[number as usize] += 1;
        }
        assert!(differs);
        assert!(seen.iter().all(|&count| (800..1200).contains(&count)), "{seen:?}");
        for _ in 0..1000 {
            assert!((-2.0..3.0).contains(&a.between(-2.0, 3.0)));
            assert!((a.direction().length() - 1.0).abs() < 1e-5);
        }
    }
}
