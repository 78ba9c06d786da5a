//! A static canonical prefix code, built from the lengths of its codes.

/// Length of the longest code.
pub const CODE_BITS_MAX: u32 = 15;

/// Longest code, in bits, that one look-up finds.
const LOOKUP_BITS: u32 = 8;

/// A canonical prefix code: shorter codes first, those of one length in the order of their symbols.
#[derive(Clone, Debug)]
pub struct PrefixCode {
    /// By symbol: the code, first bit lowest, and its length; length 0 without a code.
    codes: Vec<(u16, u8)>,
    /// By the next [`LOOKUP_BITS`] bits: symbol and length; length 0 for a longer code.
    lookup: Vec<(u8, u8)>,
    /// Symbols with a longer code.
    long: Vec<u8>,
}

impl PrefixCode {
    /// Builds the code of `lengths`, one for each symbol, 0 for a symbol without a code. `None` if
    /// no prefix code has such lengths, or there are more than 256.
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

    /// The code of `symbol`, first bit lowest, and its length; 0 without a code.
    ///
    /// # Panics
    /// For a symbol beyond the lengths.
    #[inline]
    pub fn code(&self, symbol: usize) -> (u16, u32) {
        let (code, length) = self.codes[symbol];
        debug_assert!(length > 0, "symbol {symbol} has no code");
        (code, u32::from(length))
    }

    /// The symbol whose code the bits `next` begin with, and its length; `None` if there is none.
    #[inline]
    pub fn find(&self, next: u32) -> Option<(usize, u32)> {
        let (symbol, length) = self.lookup[(next & ((1 << LOOKUP_BITS) - 1)) as usize];
        if length > 0 {
            return Some((usize::from(symbol), u32::from(length)));
        }
        self.find_long(next)
    }

    #[cold]
    fn find_long(&self, next: u32) -> Option<(usize, u32)> {
        let found = self.long.iter().find(|&&symbol| {
            let (code, length) = self.codes[usize::from(symbol)];
            next & ((1 << length) - 1) == u32::from(code)
        })?;
        Some((usize::from(*found), u32::from(self.codes[usize::from(*found)].1)))
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
        fn symbols_are_found_whatever_follows(
            lengths in prop::collection::vec(0u8..16, 1..200),
            picks: Vec<(u8, u16)>,
        ) {
            let Some(code) = PrefixCode::new(&lengths) else { return Ok(()) };
            let coded: Vec<usize> = (0..lengths.len()).filter(|&at| lengths[at] > 0).collect();
            for (symbol, rest) in picks {
                let symbol = coded[usize::from(symbol) % coded.len()];
                let (bits, count) = code.code(symbol);
                prop_assert_eq!(count, u32::from(lengths[symbol]));
                let next = u32::from(bits) | u32::from(rest) << count;
                prop_assert_eq!(code.find(next), Some((symbol, count)));
            }
        }
    }
}
