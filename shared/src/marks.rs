//! The marks of a snapshot: one for each slot of its common baseline's snapshot.
//!
//! ```text
//!  3 bits   mark code: which marks occur, the shortest first
//!    marks  of one: none; of two: 0, 1; of three: 0, 10, 11
//! ```

use crate::bits::{BitError, BitStream};
use crate::slots::slots_of_word;

const CODED: usize = 0;
const PREDICTED: usize = 1;
const LEFT: usize = 2;
/// The marks that occur, by mark code, the shortest first. One alone takes no bits; of two each
/// takes one bit; of three the first takes one, `0`, and the others two, `10` and `11`, in the
/// order of sending. A slot takes at least one bit, in its mark or its delta.
const MARK_CODES: [&[usize]; 7] = [
    &[CODED, PREDICTED],
    &[CODED, LEFT],
    &[PREDICTED, LEFT],
    &[CODED, PREDICTED, LEFT],
    &[PREDICTED, CODED, LEFT],
    &[LEFT, CODED, PREDICTED],
    &[CODED],
];
/// The marks of any four slots by mark code. A slot's digit is 0 without a mark, else its mark plus
/// one; the low bits of the four digits stand below the high ones.
static MARKS_OF_FOUR: [[FourMarks; 256]; MARK_CODES.len()] = marks_of_four();

/// Marks of the slots of the common baseline's snapshot, as sets of bits, 64 slots a word. A slot
/// in neither set keeps its state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// The slot's lanes follow as a delta.
    pub coded: Vec<u64>,
    /// The slot's lanes are as predicted.
    pub predicted: Vec<u64>,
}

/// Value and length of mark number `at` of `marks`, lowest bit first.
const fn mark_bits(at: usize, marks: usize) -> (u32, u32) {
    match (marks, at) {
        (1, _) => (0, 0),
        (2, at) => (at as u32, 1),
        (_, 0) => (0, 1),
        (_, 1) => (0b01, 2),
        _ => (0b11, 2),
    }
}

impl Marks {
    /// Clears all marks, with space for `words` words.
    pub fn reset(&mut self, words: usize) {
        for set in [&mut self.coded, &mut self.predicted] {
            set.clear();
            set.resize(words, 0);
        }
    }

    /// True if `slot` is marked as coded or predicted: then it has no record.
    #[inline]
    pub fn tell_of(&self, slot: u16) -> bool {
        let word = usize::from(slot) / 64;
        let told = [&self.coded, &self.predicted].map(|set| set.get(word).copied().unwrap_or(0));
        (told[0] | told[1]) >> (slot % 64) & 1 == 1
    }

    /// Bits of the marks of all slots in `set`, including the mark code.
    pub fn len_bits(&self, set: &[u64]) -> usize {
        3 + best_code(self.counts(set)).0
    }

    /// Reads or writes a mark for each slot in `set`. Before reading, [`reset`](Marks::reset)
    /// `self` to the words of `set`.
    ///
    /// # Errors
    /// As the stream's.
    pub fn stream<S: BitStream>(&mut self, stream: &mut S, set: &[u64]) -> Result<(), BitError> {
        let mut code = if S::READING { 0 } else { best_code(self.counts(set)).1 };
        stream.bits(&mut code, 3)?;
        let order = MARK_CODES.get(code as usize).ok_or(BitError::Invalid)?;
        for (at, &word) in set.iter().enumerate() {
            if S::READING {
                for slot in slots_of_word(at, word) {
                    let bit = 1u64 << (slot % 64);
                    match read_mark(stream, order)? {
                        CODED => self.coded[at] |= bit,
                        PREDICTED => self.predicted[at] |= bit,
                        _ => {}
                    }
                }
            } else {
                let told = (word, self.coded[at], self.predicted[at]);
                write_marks(stream, told, &MARKS_OF_FOUR[code as usize])?;
            }
        }
        Ok(())
    }

    /// The number of times that each mark occurs.
    fn counts(&self, set: &[u64]) -> [usize; 3] {
        let mut counts = [0; 3];
        for ((set, coded), predicted) in set.iter().zip(&self.coded).zip(&self.predicted) {
            counts[CODED] += coded.count_ones() as usize;
            counts[PREDICTED] += predicted.count_ones() as usize;
            counts[LEFT] += (set & !coded & !predicted).count_ones() as usize;
        }
        counts
    }
}

/// The fewest bits for marks with these counts, and the code that needs them.
fn best_code(counts: [usize; 3]) -> (usize, u32) {
    let all: usize = counts.iter().sum();
    let bits = |order: &[usize]| {
        let covered: usize = order.iter().map(|&mark| counts[mark]).sum();
        (covered == all).then(|| {
            let each =
                |(at, &mark): (usize, &usize)| counts[mark] * mark_bits(at, order.len()).1 as usize;
            order.iter().enumerate().map(each).sum::<usize>()
        })
    };
    let fitting = (0..).zip(MARK_CODES).filter_map(|(code, order)| Some((bits(order)?, code)));
    fitting.min().expect("some codes have all three marks")
}

#[inline]
fn read_mark<S: BitStream>(stream: &mut S, order: &[usize]) -> Result<usize, BitError> {
    let mut flag = false;
    if order.len() > 1 {
        stream.flag(&mut flag)?;
    }
    let mut at = usize::from(flag);
    if at == 1 && order.len() == 3 {
        stream.flag(&mut flag)?;
        at += usize::from(flag);
    }
    Ok(order[at])
}

/// The marks of four slots: their bits and the number of bits.
type FourMarks = (u8, u8);

const fn marks_of_four() -> [[FourMarks; 256]; MARK_CODES.len()] {
    let mut all = [[(0, 0); 256]; MARK_CODES.len()];
    let mut code = 0;
    while code < MARK_CODES.len() {
        let mut digits = 0;
        while digits < 256 {
            all[code][digits] = four_marks(MARK_CODES[code], digits);
            digits += 1;
        }
        code += 1;
    }
    all
}

const fn four_marks(order: &[usize], digits: usize) -> FourMarks {
    let (mut bits, mut count, mut slot) = (0, 0, 0);
    while slot < 4 {
        let digit = digits >> slot & 1 | (digits >> (slot + 4) & 1) << 1;
        let mut at = 0;
        while at < order.len() {
            if digit == order[at] + 1 {
                let (value, length) = mark_bits(at, order.len());
                bits |= value << count;
                count += length;
            }
            at += 1;
        }
        slot += 1;
    }
    (bits as u8, count as u8)
}

/// The marks of one word, four at a time.
#[inline]
fn write_marks<S: BitStream>(
    stream: &mut S,
    (set, coded, predicted): (u64, u64, u64),
    marks_of_four: &[FourMarks; 256],
) -> Result<(), BitError> {
    let left = set & !coded & !predicted;
    // As digits: 1 coded, 2 predicted, 3 left.
    let (low, high) = ((coded | left) & set, (predicted & !coded | left) & set);
    let (mut bits, mut count) = (0u32, 0);
    for first in (0..64).step_by(4) {
        let digits = low >> first & 0xF | (high >> first & 0xF) << 4;
        let (four, length) = marks_of_four[digits as usize];
        bits |= u32::from(four) << count;
        count += u32::from(length);
        if count > 24 {
            stream.bits(&mut bits, count)?;
            (bits, count) = (0, 0);
        }
    }
    stream.bits(&mut bits, count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bits::{BitReader, BitWriter};
    use proptest::prelude::*;

    #[test]
    fn the_commonest_mark_is_the_shortest() {
        // Of the slots 0 to 59, the first `coded` are coded, the next `predicted` are predicted,
        // the others left.
        let bits = |coded: u32, predicted: u32| {
            let first = |count: u32| (1u64 << count) - 1;
            let both = first(coded + predicted);
            let marks = Marks { coded: vec![first(coded)], predicted: vec![both & !first(coded)] };
            marks.len_bits(&[first(60)])
        };
        for (coded, predicted) in [(56, 1), (1, 56), (1, 3)] {
            assert_eq!(
                bits(coded, predicted),
                3 + 56 + 2 * 4,
                "{coded} coded, {predicted} predicted"
            );
        }
        for (coded, predicted) in [(50, 10), (50, 0), (0, 50)] {
            assert_eq!(bits(coded, predicted), 3 + 60, "{coded} coded, {predicted} predicted");
        }
        assert_eq!(bits(60, 0), 3, "nothing but deltas");
    }

    proptest! {
        #[test]
        fn marks_round_trip_in_the_bits_they_claim(
            words in prop::collection::vec((any::<u64>(), any::<u64>(), any::<u64>()), 0..5),
            only in 0usize..8,
        ) {
            let set: Vec<u64> = words.iter().map(|(set, ..)| *set).collect();
            let mut marks = Marks::default();
            for (set, coded, predicted) in words {
                // Some sets lack one or more marks.
                let coded = if only & 1 == 0 { set & coded } else { set };
                let predicted = set & !coded & if only & 2 == 0 { predicted } else { u64::MAX };
                let coded = if only & 4 == 0 { coded } else { 0 };
                marks.coded.push(coded);
                marks.predicted.push(predicted);
            }
            let mut writer = BitWriter::default();
            marks.stream(&mut writer, &set).unwrap();
            prop_assert_eq!(writer.len_bits(), marks.len_bits(&set));
            let bytes = writer.into_bytes();
            let mut read = Marks::default();
            read.reset(set.len());
            read.stream(&mut BitReader::new(&bytes), &set).unwrap();
            prop_assert_eq!(read, marks);
        }
    }
}
