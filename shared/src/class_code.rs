//! The code of a residual's class: static, canonical, and a prefix code.

use crate::bits::{BitError, BitMeasure, BitReader, BitStream, BitWriter};
use crate::model::code::CodeStream;

/// The class that stands for "the plain lane follows".
pub(crate) const CLASS_ESCAPE: u32 = 33;
const CLASSES: usize = 34;
const CODE_BITS_MAX: usize = 15;

/// Code lengths of the classes for a game that trained no model: short residuals are common, long ones
/// halve about every second class.
const DEFAULT_LENGTHS: [u8; CLASSES] = {
    let mut lengths = [15; CLASSES];
    let short = [2, 3, 3, 3, 3];
    let mut class = 0;
    while class <= 20 {
        lengths[class] = if class < 5 { short[class] } else { 4 + (class as u8 - 5) / 2 };
        class += 1;
    }
    lengths
};

/// Codes as a [`BitStream`] wants them: first bit lowest.
const DEFAULT_CODES: [u16; CLASSES] = {
    let mut codes = [0u16; CLASSES];
    let mut next = 0u16;
    let mut length = 1;
    while length <= CODE_BITS_MAX as u8 {
        next <<= 1;
        let mut class = 0;
        while class < CLASSES {
            if DEFAULT_LENGTHS[class] == length {
                codes[class] = next.reverse_bits() >> (16 - length);
                next += 1;
            }
            class += 1;
        }
        length += 1;
    }
    codes
};

const LOOKUP_BITS: u32 = 9;

/// Class and code length by the next nine bits; length 0 where the code is longer.
const LOOKUP: [(u8, u8); 1 << LOOKUP_BITS] = {
    let mut table = [(0u8, 0u8); 1 << LOOKUP_BITS];
    let mut class = 0;
    while class < CLASSES {
        let length = DEFAULT_LENGTHS[class] as u32;
        if length <= LOOKUP_BITS {
            let mut rest = 0;
            while rest < 1 << (LOOKUP_BITS - length) {
                table[DEFAULT_CODES[class] as usize | rest << length] = (class as u8, length as u8);
                rest += 1;
            }
        }
        class += 1;
    }
    table
};

/// A stream that also carries the class of a residual.
pub trait ResidualStream: CodeStream {
    /// The class code.
    ///
    /// # Errors
    /// As [`BitStream::bits`]; [`BitError::Invalid`] when reading no code.
    fn class(&mut self, class: &mut u32) -> Result<(), BitError>;
}

impl ResidualStream for BitWriter {
    #[inline]
    fn class(&mut self, class: &mut u32) -> Result<(), BitError> {
        let at = *class as usize;
        self.push(u64::from(DEFAULT_CODES[at]), u32::from(DEFAULT_LENGTHS[at]));
        Ok(())
    }
}

impl ResidualStream for BitMeasure {
    #[inline]
    fn class(&mut self, class: &mut u32) -> Result<(), BitError> {
        self.bits(&mut 0, u32::from(DEFAULT_LENGTHS[*class as usize]))
    }
}

impl ResidualStream for BitReader<'_> {
    #[inline]
    fn class(&mut self, class: &mut u32) -> Result<(), BitError> {
        let next = self.peek32();
        let (found, length) = LOOKUP[(next & ((1 << LOOKUP_BITS) - 1)) as usize];
        if length > 0 {
            *class = u32::from(found);
            return self.skip(u32::from(length));
        }
        let long = (0..CLASSES).find(|&class| {
            let mask = (1u32 << DEFAULT_LENGTHS[class]) - 1;
            next & mask == u32::from(DEFAULT_CODES[class])
        });
        let found = long.ok_or(BitError::Invalid)?;
        *class = found as u32;
        self.skip(u32::from(DEFAULT_LENGTHS[found]))
    }
}

/// Small numbers for residuals near zero, whatever their sign.
#[inline]
pub(crate) fn zigzag(value: i32) -> u32 {
    (value << 1 ^ value >> 31) as u32
}

/// The residual of a zigzag form.
#[inline]
pub(crate) fn unzigzag(value: u32) -> i32 {
    (value >> 1) as i32 ^ -((value & 1) as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_class_code_is_a_prefix_code() {
        let kraft: f64 = DEFAULT_LENGTHS.iter().map(|&bits| 0.5f64.powi(i32::from(bits))).sum();
        assert!(kraft <= 1.0, "{kraft}");
        for a in 0..CLASSES {
            for b in (0..CLASSES).filter(|&b| b != a && DEFAULT_LENGTHS[b] >= DEFAULT_LENGTHS[a]) {
                let mask = (1u16 << DEFAULT_LENGTHS[a]) - 1;
                assert_ne!(DEFAULT_CODES[b] & mask, DEFAULT_CODES[a], "{a} begins {b}");
            }
        }
    }
}
