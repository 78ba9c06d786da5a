//! Splits a residual into a token, which a prefix code carries, and plain low bits.
//!
//! Zigzagged residuals below 16 are their own tokens. Above, a token gives the magnitude's number
//! of bits, the bit below its highest, and the sign; the rest of the magnitude follows plainly. The
//! last token announces a plain lane.

/// Residuals below this are tokens by themselves.
const DIRECT: u32 = 16;
/// Bits of the smallest and the largest magnitude with low bits, minus one.
const EXPONENT_MIN: u32 = 3;
const EXPONENT_MAX: u32 = 14;

/// The token that announces a plain lane.
pub const TOKEN_PLAIN: usize = (DIRECT + 4 * (EXPONENT_MAX - EXPONENT_MIN + 1)) as usize;
/// The number of tokens.
pub const TOKENS: usize = TOKEN_PLAIN + 1;

/// A residual's token, its low bits and their number.
#[inline]
pub fn split(residual: i32) -> (usize, u32, u32) {
    let zigzag = (residual << 1 ^ residual >> 31) as u32;
    if zigzag < DIRECT {
        return (zigzag as usize, 0, 0);
    }
    let magnitude = residual.unsigned_abs();
    let exponent = 31 - magnitude.leading_zeros();
    if exponent > EXPONENT_MAX {
        return (TOKEN_PLAIN, 0, 0);
    }
    let low = exponent - 1;
    let token = DIRECT + (exponent - EXPONENT_MIN) * 4 + (magnitude >> low & 1) * 2 + (zigzag & 1);
    (token as usize, magnitude & ((1 << low) - 1), low)
}

/// The number of low bits of a token.
#[inline]
pub fn low_bits(token: usize) -> u32 {
    match (token as u32).checked_sub(DIRECT) {
        Some(over) if token < TOKEN_PLAIN => over / 4 + EXPONENT_MIN - 1,
        _ => 0,
    }
}

/// The residual of a token other than [`TOKEN_PLAIN`] and its low bits.
#[inline]
pub fn join(token: usize, low: u32) -> i32 {
    let token = token as u32;
    let Some(over) = token.checked_sub(DIRECT) else {
        return (token >> 1) as i32 ^ -((token & 1) as i32);
    };
    let bits = over / 4 + EXPONENT_MIN - 1;
    let magnitude = ((2 | over >> 1 & 1) << bits | low) as i32;
    if over & 1 == 1 { -magnitude } else { magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn residuals_come_back() {
        for residual in (-70_000..=70_000).chain([i32::MIN, i32::MAX]) {
            let (token, low, bits) = split(residual);
            assert!(token < TOKENS);
            assert_eq!(bits, low_bits(token), "{residual}");
            if token == TOKEN_PLAIN {
                assert!(residual.unsigned_abs() >= 1 << (EXPONENT_MAX + 1), "{residual}");
            } else {
                assert_eq!(join(token, low), residual);
            }
        }
    }
}
