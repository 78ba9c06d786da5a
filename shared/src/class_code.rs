//! The code of a residual's class: a static, canonical prefix code.

use crate::bits::BitError;

/// The class that announces the plain lane.
pub(crate) const CLASS_ESCAPE: u32 = 33;
const CLASSES: usize = 34;
pub(crate) const CODE_BITS_MAX: u32 = 15;

/// Code lengths of the classes without a trained model: short residuals are common, long ones halve
/// about every second class.
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

/// Codes in the order of a [`BitStream`]: first bit lowest.
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

/// Bits of a class without an escape.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClassBits {
    /// Length of its code.
    pub(crate) code: u8,
    /// Number of bits of the residual below its highest.
    pub(crate) low: u8,
    /// The residual's highest bit: 0 only for class 0.
    pub(crate) highest: u8,
    /// The two lengths together; 0 for a class that is not in [`LOOKUP`].
    pub(crate) all: u8,
}

impl ClassBits {
    const fn new(class: usize) -> Self {
        let (code, low) = (DEFAULT_LENGTHS[class], if class > 1 { class as u8 - 1 } else { 0 });
        ClassBits { code, low, highest: (class > 0) as u8, all: code + low }
    }
}

/// Classes by the next [`LOOKUP_BITS`] bits, for codes that are not longer.
static LOOKUP: [ClassBits; 1 << LOOKUP_BITS] = {
    let mut table = [ClassBits { code: 0, low: 0, highest: 0, all: 0 }; 1 << LOOKUP_BITS];
    let mut class = 0;
    while class < CLASS_ESCAPE as usize {
        let length = DEFAULT_LENGTHS[class] as u32;
        if length <= LOOKUP_BITS {
            let mut rest = 0;
            while rest < 1 << (LOOKUP_BITS - length) {
                table[DEFAULT_CODES[class] as usize | rest << length] = ClassBits::new(class);
                rest += 1;
            }
        }
        class += 1;
    }
    table
};

/// Each class's code and its length.
const CODES: [(u16, u8); CLASSES] = {
    let mut codes = [(0, 0); CLASSES];
    let mut class = 0;
    while class < CLASSES {
        codes[class] = (DEFAULT_CODES[class], DEFAULT_LENGTHS[class]);
        class += 1;
    }
    codes
};

/// The code of a class, first bit lowest, and its length.
///
/// # Panics
/// For a class above 33.
#[inline]
pub fn code(class: u32) -> (u16, u32) {
    let (code, count) = CODES[class as usize];
    (code, u32::from(count))
}

/// The class found in the next bits.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ClassLookup {
    /// A residual with these bits.
    Class(ClassBits),
    /// An escape, with the length of its code.
    Escape(u32),
}

/// Finds the class whose code the bits `next` begin with.
#[inline]
pub(crate) fn find(next: u32) -> Result<ClassLookup, BitError> {
    let found = LOOKUP[(next & ((1 << LOOKUP_BITS) - 1)) as usize];
    if found.all > 0 { Ok(ClassLookup::Class(found)) } else { find_long(next) }
}

#[cold]
fn find_long(next: u32) -> Result<ClassLookup, BitError> {
    let found = CODES.iter().position(|&(code, count)| {
        let mask = (1u32 << count) - 1;
        next & mask == u32::from(code)
    });
    match found.ok_or(BitError::Invalid)? {
        class if class == CLASS_ESCAPE as usize => {
            Ok(ClassLookup::Escape(u32::from(DEFAULT_LENGTHS[class])))
        }
        class => Ok(ClassLookup::Class(ClassBits::new(class))),
    }
}

/// Maps residuals near zero, of either sign, to small numbers.
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
