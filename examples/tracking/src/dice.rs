//! Numbers at random that follow from a seed.

/// A xorshift generator, by Marsaglia, "Xorshift RNGs", 2003.
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    /// `seed` must not be 0.
    pub(crate) fn new(seed: u64) -> Self {
        Dice(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// From 0 to 1, below 1.
    pub(crate) fn part(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// One of `count`, from 0.
    pub(crate) fn one_of(&mut self, count: usize) -> usize {
        (self.part() * count as f64) as usize
    }
}
