//! A static canonical prefix code, built from the lengths of its codes.

use crate::bits::{BitError, BitMeasure, BitReader, BitStream, BitWriter};

/// The longest code.
pub const CODE_BITS_MAX: u32 = 15;

/// Codes up to so many bits are looked up at once.
const LOOKUP_BITS: u32 = 8;

/// A canonical prefix code: shorter codes first, those of one length in the order of their symbols.
#[derive(Clone, Debug)]
pub struct PrefixCode {
    /// By symbol: the code, first bit lowest, and its length; length 0 where the symbol has none.
    codes: Vec<(u16, u8)>,
    /// By the next [`LOOKUP_BITS`] bits: symbol and length; length 0 where the code is longer.
    lookup: Vec<(u8, u8)>,
    /// Symbols with a longer code.
    long: Vec<u8>,
}

impl PrefixCode {
    /// Builds the code of `lengths`, one a symbol, 0 for a symbol that has no code. `None` where no
    /// prefix code has such lengths, or there are more than 256.
    pub fn new(lengths: &[u8]) -> Option<Self> {
        let kraft: u32 = lengths
            .iter()
            .map(|&length| match u32::from(length) {
                0 => Some(0),
                length => Some(1 << CODE_BITS_MAX.checked_sub(length)?),
            })
            .sum::<Option<u32>>()?;
        if kraft == 0 || kraft > 1 << CODE_BITS_MAX || lengths.len() > 256 {
            return None;
        }
        let mut codes = vec![(0, 0); lengths.len()];
        let mut next = 0u32;
        for length in 1..=CODE_BITS_MAX {
            next <<= 1;
            for (symbol, _) in
                lengths.iter().enumerate().filter(|(_, it)| u32::from(**it) == length)
            {
                codes[symbol] = ((next as u16).reverse_bits() >> (16 - length), length as u8);
                next += 1;
            }
        }
        let mut lookup = vec![(0, 0); 1 << LOOKUP_BITS];
        let mut long = Vec::new();
        for (symbol, &(code, length)) in codes.iter().enumerate() {
            match u32::from(length) {
                0 => {}
                1..=LOOKUP_BITS => {
                    let places = (usize::from(code)..1 << LOOKUP_BITS).step_by(1 << length);
                    places.for_each(|place| lookup[place] = (symbol as u8, length));
                }
                _ => long.push(symbol as u8),
            }
        }
        Some(PrefixCode { codes, lookup, long })
    }

    /// Bits of `symbol`, 0 if it has no code.
    #[inline]
    pub fn length(&self, symbol: usize) -> u32 {
        self.codes.get(symbol).map_or(0, |(_, length)| u32::from(*length))
    }
}

/// A stream that also carries symbols of a [`PrefixCode`].
pub trait CodeStream: BitStream {
    /// One symbol. When writing it must have a code.
    ///
    /// # Errors
    /// As [`BitStream::bits`]; [`BitError::Invalid`] when reading no code.
    fn symbol(&mut self, code: &PrefixCode, symbol: &mut usize) -> Result<(), BitError>;
}

impl CodeStream for BitWriter {
    #[inline]
    fn symbol(&mut self, code: &PrefixCode, symbol: &mut usize) -> Result<(), BitError> {
        let (code, length) = code.codes[*symbol];
        debug_assert!(length > 0, "symbol {symbol} has no code");
        self.push(u64::from(code), u32::from(length));
        Ok(())
    }
}

impl CodeStream for BitMeasure {
    #[inline]
    fn symbol(&mut self, code: &PrefixCode, symbol: &mut usize) -> Result<(), BitError> {
        self.bits(&mut 0, code.length(*symbol))
    }
}

impl CodeStream for BitReader<'_> {
    #[inline]
    fn symbol(&mut self, code: &PrefixCode, symbol: &mut usize) -> Result<(), BitError> {
        let next = self.peek32();
        let (found, length) = code.lookup[(next & ((1 << LOOKUP_BITS) - 1)) as usize];
        if length > 0 {
            *symbol = usize::from(found);
            return self.skip(u32::from(length));
        }
        let found = code.long.iter().find(|&&symbol| {
            let (code, length) = code.codes[usize::from(symbol)];
            next & ((1 << length) - 1) == u32::from(code)
        });
        *symbol = usize::from(*found.ok_or(BitError::Invalid)?);
        self.skip(code.length(*symbol))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lengths_that_no_prefix_code_has_are_refused() {
        assert!(PrefixCode::new(&[1, 1, 1]).is_none(), "more than one bit can tell");
        assert!(PrefixCode::new(&[0, 0]).is_none(), "nothing to tell");
        assert!(PrefixCode::new(&[16, 1]).is_none(), "too long");
        assert!(PrefixCode::new(&[1; 300]).is_none(), "too many");
        assert!(PrefixCode::new(&[1, 2, 0, 2]).is_some());
    }

    proptest! {
        #[test]
        fn symbols_round_trip(lengths in prop::collection::vec(0u8..16, 1..200), picks: Vec<u8>) {
            let Some(code) = PrefixCode::new(&lengths) else { return Ok(()) };
            let coded: Vec<usize> = (0..lengths.len()).filter(|&at| lengths[at] > 0).collect();
            let symbols: Vec<usize> =
                picks.iter().map(|&pick| coded[usize::from(pick) % coded.len()]).collect();
            let mut writer = BitWriter::default();
            let mut bits = 0;
            for &symbol in &symbols {
                writer.symbol(&code, &mut { symbol }).unwrap();
                bits += usize::from(lengths[symbol]);
            }
            prop_assert_eq!(writer.len_bits(), bits);
            let bytes = writer.into_bytes();
            let mut reader = BitReader::new(&bytes);
            for symbol in symbols {
                let mut read = 0;
                reader.symbol(&code, &mut read).unwrap();
                prop_assert_eq!(read, symbol);
            }
        }
    }
}
