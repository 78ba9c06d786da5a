//! A static binary arithmetic coder: flags whose chances both sides know, in as few bits as
//! possible.
//!
//! Each flag splits an interval of 32-bit numbers in proportion to its chance, the lower part for
//! "set". Leading bits that both ends share are written at once; the last bits are the fewest whose
//! every continuation stays inside the interval.

use crate::bits::{BitError, BitReader, BitStream, BitWriter};

/// The chance of a certain "set"; chances lie strictly between 0 and it.
pub const CHANCE_ONE: u32 = 1 << 16;

#[derive(Clone, Copy, Debug)]
struct Interval {
    low: u32,
    high: u32,
}

impl Interval {
    const ALL: Interval = Interval { low: 0, high: u32::MAX };

    /// The highest number that means "set".
    #[inline]
    fn middle(self, chance: u16) -> u32 {
        let span = u64::from(self.high - self.low);
        self.low + ((span * u64::from(chance.max(1))) >> 16) as u32
    }

    #[inline]
    fn take(&mut self, chance: u16, set: bool) {
        let middle = self.middle(chance);
        if set {
            self.high = middle;
        } else {
            self.low = middle + 1;
        }
    }

    /// The number of leading bits that both ends share.
    #[inline]
    fn shared_bits(self) -> u32 {
        (self.low ^ self.high).leading_zeros()
    }

    /// Drops the leading `count` bits, which are shared.
    #[inline]
    fn shift(&mut self, count: u32) {
        self.low = self.low.checked_shl(count).unwrap_or(0);
        self.high = !(!self.high).checked_shl(count).unwrap_or(0);
    }

    /// The fewest bits, first one highest, whose every continuation stays inside; and their number.
    fn last_bits(self) -> (u32, u32) {
        for count in 1..32 {
            let rest = u32::MAX >> count;
            let first = match self.low & rest {
                0 => Some(self.low),
                _ => (self.low | rest).checked_add(1),
            };
            if let Some(first) =
                first.filter(|&first| first | rest <= self.high && first >= self.low)
            {
                return (first >> (32 - count), count);
            }
        }
        (self.low, 32)
    }
}

/// Writes flags.
#[derive(Debug)]
pub struct ChanceWriter<'a> {
    bits: &'a mut BitWriter,
    interval: Interval,
}

impl<'a> ChanceWriter<'a> {
    /// Appends to `bits`.
    pub fn new(bits: &'a mut BitWriter) -> Self {
        ChanceWriter { bits, interval: Interval::ALL }
    }

    /// One flag, set with a chance of `chance` in [`CHANCE_ONE`].
    #[inline]
    pub fn flag(&mut self, chance: u16, set: bool) {
        self.interval.take(chance, set);
        let count = self.interval.shared_bits();
        if count > 0 {
            self.push(self.interval.low >> (32 - count), count);
            self.interval.shift(count);
        }
    }

    /// Ends the flags.
    pub fn finish(mut self) {
        let (last, count) = self.interval.last_bits();
        self.push(last, count);
    }

    /// Appends the low `count` bits, the highest first.
    #[inline]
    fn push(&mut self, value: u32, count: u32) {
        self.bits.push(u64::from(value.reverse_bits() >> (32 - count)), count);
    }
}

/// Reads flags.
#[derive(Debug)]
pub struct ChanceReader<'a, 'b> {
    bits: &'a mut BitReader<'b>,
    interval: Interval,
    /// The next 32 bits, first one highest; zeros beyond the end.
    next: u32,
}

impl<'a, 'b> ChanceReader<'a, 'b> {
    /// Begins at the next bit of `bits`.
    pub fn new(bits: &'a mut BitReader<'b>) -> Self {
        let next = bits.peek32().reverse_bits();
        ChanceReader { bits, interval: Interval::ALL, next }
    }

    /// One flag.
    ///
    /// # Errors
    /// [`BitError::Ended`] at the end of the bits.
    #[inline]
    pub fn flag(&mut self, chance: u16) -> Result<bool, BitError> {
        let set = self.next <= self.interval.middle(chance);
        self.interval.take(chance, set);
        let count = self.interval.shared_bits();
        if count > 0 {
            self.bits.skip(count)?;
            self.next = self.bits.peek32().reverse_bits();
            self.interval.shift(count);
        }
        Ok(set)
    }

    /// Ends the flags; `bits` continues directly after them.
    ///
    /// # Errors
    /// [`BitError::Ended`] at the end of the bits; [`BitError::Invalid`] for an end that no writer
    /// writes.
    pub fn finish(self) -> Result<(), BitError> {
        let (last, count) = self.interval.last_bits();
        let mut read = 0;
        self.bits.bits(&mut read, count)?;
        if read.reverse_bits() >> (32 - count) == last { Ok(()) } else { Err(BitError::Invalid) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn write(flags: &[(u16, bool)]) -> BitWriter {
        let mut bits = BitWriter::default();
        bits.push(5, 3);
        let mut writer = ChanceWriter::new(&mut bits);
        flags.iter().for_each(|&(chance, set)| writer.flag(chance, set));
        writer.finish();
        bits.push(0x2a5, 10);
        bits
    }

    proptest! {
        #[test]
        fn flags_come_back_and_the_bits_after_them(
            flags in prop::collection::vec((any::<u16>(), any::<bool>()), 0..400),
            likely: bool,
        ) {
            let flags: Vec<(u16, bool)> = flags
                .into_iter()
                .map(|(chance, set)| (chance, if likely { chance > 32768 } else { set }))
                .collect();
            let bytes = write(&flags).into_bytes();
            let mut bits = BitReader::new(&bytes);
            let mut read = 0;
            bits.bits(&mut read, 3).unwrap();
            let mut reader = ChanceReader::new(&mut bits);
            for (chance, set) in flags {
                prop_assert_eq!(reader.flag(chance).unwrap(), set);
            }
            reader.finish().unwrap();
            bits.bits(&mut read, 10).unwrap();
            prop_assert_eq!(read, 0x2a5);
            prop_assert!(bits.finish().is_ok());
        }

        #[test]
        fn any_bytes_end(bytes: Vec<u8>, chances: Vec<u16>) {
            let mut bits = BitReader::new(&bytes);
            let mut reader = ChanceReader::new(&mut bits);
            if chances.iter().all(|&chance| reader.flag(chance).is_ok()) {
                let _ = reader.finish();
            }
        }
    }

    #[test]
    fn flags_take_about_their_information() {
        // 1000 flags, one in 50 set: 0.141 bits each.
        let flags: Vec<(u16, bool)> =
            (0..1000).map(|at| ((CHANCE_ONE / 50) as u16, at % 50 == 7)).collect();
        let bits = write(&flags).len_bits() - 13;
        assert!((141..=145).contains(&bits), "{bits}");
        assert_eq!(write(&[]).len_bits(), 3 + 1 + 10, "no flags take one bit");
    }
}
