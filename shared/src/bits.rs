//! Reads, writes and measures bits from one definition.
//!
//! Bits fill bytes from the lowest up, and numbers come lowest bit first: a packet is one long
//! little-endian number. A layout is written once, as a function generic over [`BitStream`]:
//!
//! ```
//! use tickwire_shared::bits::{BitError, BitMeasure, BitReader, BitStream, BitWriter};
//!
//! fn point<S: BitStream>(stream: &mut S, x: &mut u32, y: &mut u32) -> Result<(), BitError> {
//!     stream.bits(x, 10)?;
//!     stream.bits(y, 10)
//! }
//!
//! let mut writer = BitWriter::default();
//! point(&mut writer, &mut 7, &mut 900)?;
//! let bytes = writer.into_bytes();
//! assert_eq!(bytes.len(), 3);
//!
//! let (mut x, mut y) = (0, 0);
//! point(&mut BitReader::new(&bytes), &mut x, &mut y)?;
//! assert_eq!((x, y), (7, 900));
//!
//! let mut measure = BitMeasure::default();
//! point(&mut measure, &mut x, &mut y)?;
//! assert_eq!(measure.len_bits(), 20);
//! # Ok::<(), BitError>(())
//! ```

/// Message for the `expect` of writes: a [`BitWriter`] takes all bits, in memory.
pub const INFALLIBLE: &str = "writing to memory never fails";

/// Initial capacity of a writer, in words.
const WORDS_MIN: usize = 32;

/// The bits ended early or are invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BitError {
    /// More bits were requested than there are.
    #[error("the bits ended early")]
    Ended,
    /// A value that no writer of this protocol writes.
    #[error("bits that no writer of this protocol writes")]
    Invalid,
}

/// One direction of a bit layout.
pub trait BitStream {
    /// True if values are filled in, false if they are taken.
    const READING: bool;

    /// The low `count` bits of `value`, 0 to 32.
    ///
    /// # Errors
    /// [`BitError::Ended`] when reading past the end; writing and measuring never fail.
    fn bits(&mut self, value: &mut u32, count: u32) -> Result<(), BitError>;

    /// One bit.
    ///
    /// # Errors
    /// As [`BitStream::bits`].
    #[inline]
    fn flag(&mut self, value: &mut bool) -> Result<(), BitError> {
        let mut bit = u32::from(*value);
        self.bits(&mut bit, 1)?;
        *value = bit != 0;
        Ok(())
    }

    /// A number in exponential Golomb code of order 0: 0 takes 1 bit, 1 and 2 take 3 bits, 3 to
    /// 6 take 5 bits. Up to 2^31 - 2.
    ///
    /// # Errors
    /// As [`BitStream::bits`]; [`BitError::Invalid`] when reading a number above the limit.
    #[inline]
    fn golomb(&mut self, value: &mut u32) -> Result<(), BitError> {
        let mut extra = 0;
        let mut low = 0;
        if Self::READING {
            loop {
                let mut one = false;
                self.flag(&mut one)?;
                if one {
                    break;
                }
                extra += 1;
                if extra > 30 {
                    return Err(BitError::Invalid);
                }
            }
        } else {
            extra = 31 - (*value + 1).leading_zeros();
            low = (*value + 1) & ((1u32 << extra) - 1);
            self.bits(&mut { 1u32 << extra }, extra + 1)?;
        }
        self.bits(&mut low, extra)?;
        *value = ((1u32 << extra) | low) - 1;
        Ok(())
    }
}

/// The number of bits of the exponential Golomb code of `value`.
#[inline]
pub fn golomb_bits(value: u32) -> u32 {
    2 * (31 - (value + 1).leading_zeros()) + 1
}

/// The exponential Golomb code of `value`, first bit lowest, and its number of bits.
#[inline]
pub fn golomb_code(value: u32) -> (u64, u32) {
    let number = u64::from(value) + 1;
    let extra = 63 - number.leading_zeros();
    let low = number & ((1 << extra) - 1);
    ((low << 1 | 1) << extra, 2 * extra + 1)
}

/// Writes bits into 64-bit words.
#[derive(Clone, Debug, Default)]
pub struct BitWriter {
    /// The first [`WordCursor::whole`] words are full, the others are capacity.
    words: Vec<u64>,
    pen: WordCursor,
}

/// The write position, and the bits that do not fill a word yet.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct WordCursor {
    whole: usize,
    pending: u64,
    pending_bits: u32,
}

impl WordCursor {
    /// Appends the low `count` bits of `value`, 0 to 64, to `words`; the bits above must be zero.
    #[inline(always)]
    pub(crate) fn push(&mut self, words: &mut Vec<u64>, value: u64, count: u32) {
        debug_assert!(count == 64 || value >> count == 0);
        let filled = self.pending_bits + count;
        let with = self.pending | value << self.pending_bits;
        if filled < 64 {
            (self.pending, self.pending_bits) = (with, filled);
            return;
        }
        if self.whole == words.len() {
            grow(words);
        }
        words[self.whole] = with;
        self.whole += 1;
        self.pending = rest(value, self.pending_bits);
        self.pending_bits = filled - 64;
    }

    /// Like [`WordCursor::push`], for many bits. Whether they fill a word is unpredictable, so it
    /// always writes the word.
    #[inline(always)]
    fn push_many(&mut self, words: &mut Vec<u64>, value: u64, count: u32) {
        debug_assert!(count == 64 || value >> count == 0);
        if self.whole == words.len() {
            grow(words);
        }
        let filled = self.pending_bits + count;
        let with = self.pending | value << self.pending_bits;
        words[self.whole] = with;
        let is_full = filled >= 64;
        self.whole += usize::from(is_full);
        self.pending = if is_full { rest(value, self.pending_bits) } else { with };
        self.pending_bits = filled % 64;
    }
}

/// The rest of `value` after its first bits have filled a word that had `pending_bits`.
#[inline(always)]
fn rest(value: u64, pending_bits: u32) -> u64 {
    // A shift by 64 would act like one by 0.
    value >> 1 >> (63 - pending_bits)
}

#[cold]
fn grow(words: &mut Vec<u64>) {
    words.resize((2 * words.len()).max(WORDS_MIN), 0);
}

impl BitWriter {
    /// Empties the writer and keeps its memory.
    pub fn clear(&mut self) {
        self.pen = WordCursor::default();
    }

    /// Bits written.
    #[inline]
    pub fn len_bits(&self) -> usize {
        self.pen.whole * 64 + self.pen.pending_bits as usize
    }

    /// The number of bytes that the written bits take.
    #[inline]
    pub fn len_bytes(&self) -> usize {
        self.len_bits().div_ceil(8)
    }

    /// Appends the low `count` bits of `value`, 0 to 64; the bits above must be zero.
    #[inline]
    pub fn push(&mut self, value: u64, count: u32) {
        self.pen.push(&mut self.words, value, count);
    }

    /// Appends the exponential Golomb code of `value`, as [`BitStream::golomb`] does.
    #[inline]
    pub fn push_golomb(&mut self, value: u32) {
        let (code, count) = golomb_code(value);
        self.push(code, count);
    }

    /// Appends `count` bits from whole words that [`BitWriter::align`] completed.
    #[inline]
    pub fn push_words(&mut self, words: &[u64], count: usize) {
        let whole = count / 64;
        for &word in &words[..whole] {
            self.pen.push_many(&mut self.words, word, 64);
        }
        let rest = (count % 64) as u32;
        if rest > 0 {
            self.pen.push_many(&mut self.words, words[whole], rest);
        }
    }

    /// Completes the last word with zeros and returns the number of words so far.
    pub fn align(&mut self) -> usize {
        let filling = self.pen.pending_bits.wrapping_neg() % 64;
        self.push(0, filling);
        self.pen.whole
    }

    /// The whole words.
    pub fn words(&self) -> &[u64] {
        &self.words[..self.pen.whole]
    }

    /// The words and the write position.
    #[inline]
    pub(crate) fn parts(&mut self) -> (&mut Vec<u64>, &mut WordCursor) {
        (&mut self.words, &mut self.pen)
    }

    /// Sets the `count` bits from bit `at` on, which must have been written as zeros.
    pub fn patch(&mut self, at: usize, value: u32, count: u32) {
        for bit in 0..count as usize {
            let mask = u64::from(value >> bit & 1) << ((at + bit) % 64);
            match (at + bit) / 64 {
                word if word < self.pen.whole => self.words[word] |= mask,
                _ => self.pen.pending |= mask,
            }
        }
    }

    /// Appends the bytes to `out`; the last one ends in zeros.
    pub fn append_to(&self, out: &mut Vec<u8>) {
        out.reserve(self.len_bytes());
        for word in self.words() {
            out.extend_from_slice(&word.to_le_bytes());
        }
        let tail = self.pen.pending_bits.div_ceil(8) as usize;
        out.extend_from_slice(&self.pen.pending.to_le_bytes()[..tail]);
    }

    /// The bytes; the last one ends in zeros.
    pub fn into_bytes(self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.append_to(&mut bytes);
        bytes
    }
}

impl BitStream for BitWriter {
    const READING: bool = false;

    #[inline]
    fn bits(&mut self, value: &mut u32, count: u32) -> Result<(), BitError> {
        let mask = if count == 32 { u32::MAX } else { (1 << count) - 1 };
        self.push(u64::from(*value & mask), count);
        Ok(())
    }
}

/// Reads bits from bytes.
#[derive(Clone, Debug)]
pub struct BitReader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> BitReader<'a> {
    /// Starts at the first bit.
    pub fn new(bytes: &'a [u8]) -> Self {
        BitReader { bytes, at: 0 }
    }

    /// The number of unread bits, including the zeros at the end of the last byte.
    pub fn left_bits(&self) -> usize {
        self.bytes.len() * 8 - self.at
    }

    /// Checks that only the zeros at the end of the last byte are left.
    ///
    /// # Errors
    /// [`BitError::Invalid`] if more is left.
    pub fn finish(mut self) -> Result<(), BitError> {
        let left = self.left_bits();
        let mut filling = 0;
        if left >= 8 || self.bits(&mut filling, left as u32).is_err() || filling != 0 {
            return Err(BitError::Invalid);
        }
        Ok(())
    }

    /// The next 32 bits without consuming them; zeros beyond the end.
    #[inline]
    pub fn peek32(&self) -> u32 {
        (self.word() >> (self.at % 8)) as u32
    }

    /// The bytes and the position of the next bit.
    #[inline]
    pub(crate) fn parts(&self) -> (&'a [u8], usize) {
        (self.bytes, self.at)
    }

    /// Continues at bit `at`.
    ///
    /// # Errors
    /// [`BitError::Ended`] if there are fewer.
    #[inline]
    pub(crate) fn seek(&mut self, at: usize) -> Result<(), BitError> {
        if at > self.bytes.len() * 8 {
            return Err(BitError::Ended);
        }
        self.at = at;
        Ok(())
    }

    /// Consumes `count` bits.
    ///
    /// # Errors
    /// [`BitError::Ended`] if there are fewer.
    #[inline]
    pub fn skip(&mut self, count: u32) -> Result<(), BitError> {
        if self.left_bits() < count as usize {
            return Err(BitError::Ended);
        }
        self.at += count as usize;
        Ok(())
    }

    /// The next eight bytes, zeros beyond the end.
    #[inline]
    fn word(&self) -> u64 {
        let tail = &self.bytes[self.at / 8..];
        if let Some(bytes) = tail.first_chunk::<8>() {
            return u64::from_le_bytes(*bytes);
        }
        let mut bytes = [0; 8];
        bytes[..tail.len()].copy_from_slice(tail);
        u64::from_le_bytes(bytes)
    }
}

impl BitStream for BitReader<'_> {
    const READING: bool = true;

    #[inline]
    fn golomb(&mut self, value: &mut u32) -> Result<(), BitError> {
        let extra = self.peek32().trailing_zeros();
        if extra > 30 {
            return Err(if self.left_bits() < 31 { BitError::Ended } else { BitError::Invalid });
        }
        self.skip(extra + 1)?;
        let mut low = 0;
        self.bits(&mut low, extra)?;
        *value = ((1 << extra) | low) - 1;
        Ok(())
    }

    #[inline]
    fn bits(&mut self, value: &mut u32, count: u32) -> Result<(), BitError> {
        debug_assert!(count <= 32);
        let bits = self.word() >> (self.at % 8);
        self.skip(count)?;
        *value = (bits & ((1u64 << count) - 1)) as u32;
        Ok(())
    }
}

/// Counts bits.
#[derive(Clone, Copy, Debug, Default)]
pub struct BitMeasure {
    bits: usize,
}

impl BitMeasure {
    /// Bits counted.
    pub fn len_bits(&self) -> usize {
        self.bits
    }

    /// Counts `count` more.
    #[inline]
    pub(crate) fn add(&mut self, count: u32) {
        self.bits += count as usize;
    }
}

impl BitStream for BitMeasure {
    const READING: bool = false;

    #[inline]
    fn bits(&mut self, _value: &mut u32, count: u32) -> Result<(), BitError> {
        self.bits += count as usize;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
