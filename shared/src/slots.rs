//! Sets of slots: an entity's numbers on the wire.

/// A set of slots as bits, 64 to a word. A missing word is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SlotSet {
    words: Vec<u64>,
}

impl SlotSet {
    /// Empties the set and makes space for the slots below `slots`.
    pub fn reset(&mut self, slots: usize) {
        self.words.clear();
        self.grow(slots);
    }

    /// Makes space for the slots below `slots`.
    pub fn grow(&mut self, slots: usize) {
        let words = slots.div_ceil(64);
        if self.words.len() < words {
            self.words.resize(words, 0);
        }
    }

    /// Adds `slot`.
    #[inline]
    pub fn insert(&mut self, slot: u16) {
        self.grow(usize::from(slot) + 1);
        self.words[usize::from(slot) / 64] |= 1 << (slot % 64);
    }

    /// Removes `slot`.
    #[inline]
    pub fn remove(&mut self, slot: u16) {
        if let Some(word) = self.words.get_mut(usize::from(slot) / 64) {
            *word &= !(1 << (slot % 64));
        }
    }

    /// True if `slot` is in the set.
    #[inline]
    pub fn contains(&self, slot: u16) -> bool {
        self.word(usize::from(slot) / 64) >> (slot % 64) & 1 == 1
    }

    /// The slots from `64 * at` on, as bits.
    #[inline]
    pub fn word(&self, at: usize) -> u64 {
        self.words.get(at).copied().unwrap_or(0)
    }

    /// All words.
    #[inline]
    pub fn words(&self) -> &[u64] {
        &self.words
    }

    /// All words.
    #[inline]
    pub fn words_mut(&mut self) -> &mut [u64] {
        &mut self.words
    }

    /// The number of slots in the set.
    pub fn count(&self) -> usize {
        count(&self.words)
    }

    /// The slots, in order.
    pub fn iter(&self) -> impl Iterator<Item = u16> + '_ {
        slots_of(&self.words)
    }
}

/// The number of slots in a set's words.
pub fn count(words: &[u64]) -> usize {
    words.iter().map(|word| word.count_ones() as usize).sum()
}

/// The slots of a set's words, in order.
#[inline]
pub fn slots_of(words: &[u64]) -> impl Iterator<Item = u16> + '_ {
    words.iter().enumerate().flat_map(|(at, &word)| slots_of_word(at, word))
}

/// The slots of word number `at` of a set, in order.
#[inline]
pub fn slots_of_word(at: usize, word: u64) -> impl Iterator<Item = u16> {
    let mut left = word;
    std::iter::from_fn(move || {
        let bit = (left != 0).then(|| left.trailing_zeros())?;
        left &= left - 1;
        Some((at * 64) as u16 + bit as u16)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn it_is_a_set(changes in prop::collection::vec((any::<u16>(), any::<bool>()), 0..100)) {
            let (mut set, mut wanted) = (SlotSet::default(), BTreeSet::new());
            for (slot, add) in changes {
                let slot = slot % 300;
                if add {
                    set.insert(slot);
                    wanted.insert(slot);
                } else {
                    set.remove(slot);
                    wanted.remove(&slot);
                }
                prop_assert_eq!(set.contains(slot), add);
            }
            prop_assert!(set.iter().eq(wanted.iter().copied()));
            prop_assert_eq!(set.count(), wanted.len());
        }
    }
}
