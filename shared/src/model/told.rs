//! Codes the subset of entities in a packet: by their chances or by gaps, whichever takes fewer
//! bits.

use super::Chances;
use super::chance::{ChanceReader, ChanceWriter};
use crate::bits::{BitError, BitReader, BitStream, BitWriter, golomb_bits};

/// Which of the last two entities were in the packet.
#[derive(Clone, Copy, Debug, Default)]
pub struct RecentlySent([bool; 2]);

impl RecentlySent {
    /// The number of those, which selects one of an entity's [`Chances`].
    #[inline]
    pub fn count(self) -> usize {
        usize::from(self.0[0]) + usize::from(self.0[1])
    }

    /// Moves on to the next entity.
    #[inline]
    pub fn push(&mut self, told: bool) {
        self.0 = [self.0[1], told];
    }
}

/// Writes which entities are in the packet; `chances` has the chances of each, or is `None`.
///
/// ```text
/// 1 bit    by chances
/// if set   a flag for each, arithmetically coded
/// else     golomb, for each one told of: the entities passed over; then those after the last
/// ```
pub fn write(bits: &mut BitWriter, told: &[bool], chances: Option<&[Chances]>) {
    let gaps = || told.split(|&told| told).map(|passed| passed.len() as u32);
    let gap_bits: u32 = gaps().map(golomb_bits).sum();
    if let Some(chances) = chances {
        let mut by_chance = BitWriter::default();
        let mut writer = ChanceWriter::new(&mut by_chance);
        let mut recent = RecentlySent::default();
        for (&told, chances) in told.iter().zip(chances) {
            writer.flag(chances[recent.count()], told);
            recent.push(told);
        }
        writer.finish();
        if by_chance.len_bits() < gap_bits as usize {
            bits.push(1, 1);
            let count = by_chance.len_bits();
            by_chance.align();
            bits.push_words(by_chance.words(), count);
            return;
        }
    }
    bits.push(0, 1);
    gaps().for_each(|gap| bits.push_golomb(gap));
}

/// Reads which of `told.len()` entities are in the packet.
///
/// # Errors
/// [`BitError`] for bits that [`write()`] does not write.
pub fn read(
    bits: &mut BitReader<'_>,
    told: &mut [bool],
    chances: Option<&[Chances]>,
) -> Result<(), BitError> {
    let mut by_chance = false;
    bits.flag(&mut by_chance)?;
    if by_chance {
        let chances = chances.ok_or(BitError::Invalid)?;
        let mut reader = ChanceReader::new(bits);
        let mut recent = RecentlySent::default();
        for (told, chances) in told.iter_mut().zip(chances) {
            *told = reader.flag(chances[recent.count()])?;
            recent.push(*told);
        }
        return reader.finish();
    }
    told.fill(false);
    let mut next = 0usize;
    loop {
        let mut gap = 0;
        bits.golomb(&mut gap)?;
        next += gap as usize;
        if next == told.len() {
            return Ok(());
        }
        *told.get_mut(next).ok_or(BitError::Invalid)? = true;
        next += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn sets_come_back(
            entities in prop::collection::vec((any::<bool>(), any::<Chances>()), 0..200),
            modelled: bool,
        ) {
            let (told, chances): (Vec<bool>, Vec<Chances>) = entities.into_iter().unzip();
            let chances = modelled.then_some(&chances[..]);
            let mut bits = BitWriter::default();
            write(&mut bits, &told, chances);
            bits.push(5, 3);
            let bytes = bits.into_bytes();
            let mut bits = BitReader::new(&bytes);
            let mut back = vec![true; told.len()];
            read(&mut bits, &mut back, chances).unwrap();
            prop_assert_eq!(back, told);
            let mut rest = 0;
            bits.bits(&mut rest, 3).unwrap();
            prop_assert_eq!(rest, 5);
        }

        #[test]
        fn any_bytes_end(bytes: Vec<u8>, count in 0usize..100) {
            let mut told = vec![false; count];
            let chances = vec![[40_000; 3]; count];
            let _ = read(&mut BitReader::new(&bytes), &mut told, Some(&chances));
            let _ = read(&mut BitReader::new(&bytes), &mut told, None);
        }
    }

    #[test]
    fn chances_pay_where_they_are_right() {
        let told: Vec<bool> = (0..64).map(|at| at % 7 == 3).collect();
        let bits = |chances: Option<&[Chances]>| {
            let mut bits = BitWriter::default();
            write(&mut bits, &told, chances);
            bits.len_bits()
        };
        let right: Vec<Chances> =
            told.iter().map(|&told| [if told { 60_000 } else { 3000 }; 3]).collect();
        let wrong: Vec<Chances> = right.iter().map(|it| it.map(|it| 63_000 - it)).collect();
        assert!(bits(Some(&right)) < 12, "{}", bits(Some(&right)));
        assert_eq!(bits(Some(&wrong)), bits(None), "never more than gaps");
    }
}
