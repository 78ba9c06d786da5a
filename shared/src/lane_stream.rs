//! Reads and writes the bits of one entity's lanes in registers, without a memory access for each.

use crate::bits::{BitError, BitMeasure, BitReader, BitWriter, WordCursor};
use crate::class_code::{self, CLASS_ESCAPE, ClassLookup};
use crate::model::code::PrefixCode;
use crate::model::token;

/// Fewest bits available after [`ReaderRun::refill`].
const REFILLED_BITS: u32 = 56;

/// A stream that codes the lanes of entities.
pub trait DeltaStream {
    /// The coder of one entity's lanes.
    type Run<'a>: LaneStream
    where
        Self: 'a;

    /// Begins the bits of one entity.
    fn run(&mut self) -> Self::Run<'_>;
}

/// The bits of one entity. Reads past the end give zeros; [`LaneStream::end`] reports them.
pub trait LaneStream {
    /// True if values are filled in, false if they are taken.
    const READING: bool;

    /// The low `count` bits of `value`, 0 to 32.
    fn bits(&mut self, value: &mut u32, count: u32);

    /// One bit.
    fn flag(&mut self, value: &mut bool);

    /// A zigzagged residual of a lane of `lane_bits`: its class, and the bits below the highest.
    /// Returns false if it is escaped: then the plain lane follows.
    ///
    /// # Errors
    /// [`BitError::Invalid`] when reading bits that are no code.
    fn residual(&mut self, zigzag: &mut u32, lane_bits: u32) -> Result<bool, BitError>;

    /// A symbol of `code` and, if it is a [token](token), its low bits.
    ///
    /// # Errors
    /// [`BitError::Invalid`] when reading bits that are no code.
    fn symbol(
        &mut self,
        code: &PrefixCode,
        symbol: &mut usize,
        low: &mut u32,
    ) -> Result<(), BitError>;

    /// Ends the entity's bits.
    ///
    /// # Errors
    /// [`BitError::Ended`] if more was read than there is.
    fn end(self) -> Result<(), BitError>;
}

/// Writes an entity's bits to a [`BitWriter`].
#[derive(Debug)]
pub struct WriterRun<'a> {
    words: &'a mut Vec<u64>,
    /// The writer's cursor, updated at the end.
    end: &'a mut WordCursor,
    /// A copy whose fields stay in registers.
    pen: WordCursor,
}

impl WriterRun<'_> {
    #[inline(always)]
    fn push(&mut self, value: u64, count: u32) {
        self.pen.push(self.words, value, count);
    }
}

impl DeltaStream for BitWriter {
    type Run<'a> = WriterRun<'a>;

    #[inline]
    fn run(&mut self) -> WriterRun<'_> {
        let (words, end) = self.parts();
        WriterRun { words, pen: *end, end }
    }
}

impl LaneStream for WriterRun<'_> {
    const READING: bool = false;

    #[inline(always)]
    fn bits(&mut self, value: &mut u32, count: u32) {
        self.push(u64::from(*value) & ((1 << count) - 1), count);
    }

    #[inline(always)]
    fn flag(&mut self, value: &mut bool) {
        self.push(u64::from(*value), 1);
    }

    #[inline(always)]
    fn residual(&mut self, zigzag: &mut u32, lane_bits: u32) -> Result<bool, BitError> {
        let class = 32 - zigzag.leading_zeros();
        if class > lane_bits {
            let (code, count) = class_code::code(CLASS_ESCAPE);
            self.push(u64::from(code), count);
            return Ok(false);
        }
        let (code, count) = class_code::code(class);
        let highest = (1u64 << class) >> 1;
        let low = u64::from(*zigzag) ^ highest;
        self.push(u64::from(code) | low << count, count + class.saturating_sub(1));
        Ok(true)
    }

    #[inline(always)]
    fn symbol(
        &mut self,
        code: &PrefixCode,
        symbol: &mut usize,
        low: &mut u32,
    ) -> Result<(), BitError> {
        let (code, count) = code.code(*symbol);
        self.push(u64::from(code) | u64::from(*low) << count, count + token::low_bits(*symbol));
        Ok(())
    }

    #[inline(always)]
    fn end(self) -> Result<(), BitError> {
        *self.end = self.pen;
        Ok(())
    }
}

/// Reads an entity's bits from a [`BitReader`].
#[derive(Debug)]
pub struct ReaderRun<'a, 'b> {
    reader: &'a mut BitReader<'b>,
    bytes: &'b [u8],
    /// The next byte to load into `word`; zeros past the end.
    next: usize,
    word: u64,
    word_bits: u32,
}

const _: () = assert!(class_code::CODE_BITS_MAX + 31 <= REFILLED_BITS);

impl ReaderRun<'_, '_> {
    /// Ensures that `count` bits are available.
    #[inline(always)]
    fn need(&mut self, count: u32) {
        if self.word_bits < count {
            self.refill();
        }
    }

    #[inline(always)]
    fn refill(&mut self) {
        let eight = match self.bytes.get(self.next..).and_then(|tail| tail.first_chunk::<8>()) {
            Some(eight) => *eight,
            None => self.last_bytes(),
        };
        // Bits that are loaded twice are equal.
        self.word |= u64::from_le_bytes(eight) << self.word_bits;
        self.next += ((63 - self.word_bits) / 8) as usize;
        self.word_bits |= REFILLED_BITS;
    }

    #[cold]
    fn last_bytes(&self) -> [u8; 8] {
        let mut eight = [0; 8];
        let tail = self.bytes.get(self.next..).unwrap_or_default();
        eight[..tail.len()].copy_from_slice(tail);
        eight
    }

    #[inline(always)]
    fn skip(&mut self, count: u32) {
        self.word >>= count;
        self.word_bits -= count;
    }
}

impl<'b> DeltaStream for BitReader<'b> {
    type Run<'a>
        = ReaderRun<'a, 'b>
    where
        Self: 'a;

    #[inline]
    fn run(&mut self) -> ReaderRun<'_, 'b> {
        let (bytes, at) = self.parts();
        let mut run = ReaderRun { reader: self, bytes, next: at / 8, word: 0, word_bits: 0 };
        run.refill();
        run.skip((at % 8) as u32);
        run
    }
}

impl LaneStream for ReaderRun<'_, '_> {
    const READING: bool = true;

    #[inline(always)]
    fn bits(&mut self, value: &mut u32, count: u32) {
        self.need(count);
        *value = (self.word & ((1 << count) - 1)) as u32;
        self.skip(count);
    }

    #[inline(always)]
    fn flag(&mut self, value: &mut bool) {
        self.need(1);
        *value = self.word & 1 == 1;
        self.skip(1);
    }

    #[inline(always)]
    fn residual(&mut self, zigzag: &mut u32, _lane_bits: u32) -> Result<bool, BitError> {
        self.need(class_code::CODE_BITS_MAX + 31);
        let bits = match class_code::find(self.word as u32)? {
            ClassLookup::Class(bits) => bits,
            ClassLookup::Escape(escape_bits) => {
                self.skip(escape_bits);
                return Ok(false);
            }
        };
        let low = self.word >> bits.code & ((1 << bits.low) - 1);
        *zigzag = low as u32 | u32::from(bits.highest) << bits.low;
        self.skip(u32::from(bits.all));
        Ok(true)
    }

    #[inline(always)]
    fn symbol(
        &mut self,
        code: &PrefixCode,
        symbol: &mut usize,
        low: &mut u32,
    ) -> Result<(), BitError> {
        self.need(32);
        let (found, count) = code.find(self.word as u32).ok_or(BitError::Invalid)?;
        self.skip(count);
        *symbol = found;
        let count = token::low_bits(found);
        *low = (self.word & ((1 << count) - 1)) as u32;
        self.skip(count);
        Ok(())
    }

    #[inline(always)]
    fn end(self) -> Result<(), BitError> {
        self.reader.seek(self.next * 8 - self.word_bits as usize)
    }
}

impl DeltaStream for BitMeasure {
    type Run<'a> = &'a mut BitMeasure;

    fn run(&mut self) -> &mut BitMeasure {
        self
    }
}

impl LaneStream for &mut BitMeasure {
    const READING: bool = false;

    fn bits(&mut self, _value: &mut u32, count: u32) {
        self.add(count);
    }

    fn flag(&mut self, _value: &mut bool) {
        self.add(1);
    }

    fn residual(&mut self, zigzag: &mut u32, lane_bits: u32) -> Result<bool, BitError> {
        let class = 32 - zigzag.leading_zeros();
        if class > lane_bits {
            self.add(class_code::code(CLASS_ESCAPE).1);
            return Ok(false);
        }
        self.add(class_code::code(class).1 + class.saturating_sub(1));
        Ok(true)
    }

    fn symbol(
        &mut self,
        code: &PrefixCode,
        symbol: &mut usize,
        _low: &mut u32,
    ) -> Result<(), BitError> {
        self.add(code.code(*symbol).1 + token::low_bits(*symbol));
        Ok(())
    }

    fn end(self) -> Result<(), BitError> {
        Ok(())
    }
}
