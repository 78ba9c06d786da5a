//! Entities that not everyone may see, by slot.
//!
//! For each group there is the set of slots that it may see, so that what a viewer may not see is a few sets of bits joined,
//! whatever the number of entities and whatever groups they are for. A game that restricts nothing has no set.

use tickwire_shared::Groups;
use tickwire_shared::slots::SlotSet;

/// Entities that not everyone may see.
#[derive(Debug, Default)]
pub(super) struct Restrictions {
    /// Those that are for some groups only.
    grouped: SlotSet,
    /// By group, those of them that it may see. As many as the highest group in use.
    shown_to: Vec<SlotSet>,
    /// Those of which the game is asked.
    checked: Vec<u16>,
    is_any: bool,
}

impl Restrictions {
    /// Begins anew, for a world of `slots` slots.
    pub(super) fn reset(&mut self, slots: usize) {
        if std::mem::take(&mut self.is_any) {
            self.checked.clear();
            let sets = std::iter::once(&mut self.grouped).chain(&mut self.shown_to);
            sets.for_each(|set| set.reset(slots));
        }
    }

    /// The entity in `slot` is for these groups only, if it is for some, and the game is asked of it or not.
    pub(super) fn add(&mut self, slot: u16, groups: Option<Groups>, is_checked: bool) {
        self.is_any = true;
        if is_checked {
            self.checked.push(slot);
        }
        let Some(groups) = groups else { return };
        self.grouped.insert(slot);
        let mut left = groups.bits();
        while left != 0 {
            let group = left.trailing_zeros() as usize;
            left &= left - 1;
            if self.shown_to.len() <= group {
                self.shown_to.resize(group + 1, SlotSet::default());
            }
            self.shown_to[group].insert(slot);
        }
    }

    /// Whether every entity is for everybody.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        !self.is_any
    }

    /// The slots of which the game is asked, whoever else may see them.
    pub(super) fn checked(&self) -> &[u16] {
        &self.checked
    }

    /// Writes to `hidden` the slots that are for none of `groups`.
    pub(super) fn hidden_from(&self, groups: Groups, hidden: &mut SlotSet) {
        hidden.clone_from(&self.grouped);
        for (group, shown) in (0..).zip(&self.shown_to) {
            if !groups.intersects(Groups::of(group)) {
                continue;
            }
            for (hidden, shown) in hidden.words_mut().iter_mut().zip(shown.words()) {
                *hidden &= !shown;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_slot_is_hidden_from_who_is_in_none_of_its_groups(
            ticks in prop::collection::vec(prop::collection::btree_map(0u16..200, any::<Option<u64>>(), 0..30), 1..4),
            viewer: u64,
        ) {
            let (mut restrictions, mut hidden) = (Restrictions::default(), SlotSet::default());
            for slots in ticks {
                restrictions.reset(200);
                for (&slot, &bits) in &slots {
                    restrictions.add(slot, bits.map(Groups::from_bits), bits.is_none());
                }
                restrictions.hidden_from(Groups::from_bits(viewer), &mut hidden);
                let wanted = slots.iter().filter(|(_, bits)| bits.is_some_and(|bits| bits & viewer == 0));
                prop_assert!(hidden.iter().eq(wanted.map(|(slot, _)| *slot)));
                let checked = slots.iter().filter(|(_, bits)| bits.is_none()).map(|(slot, _)| *slot);
                prop_assert!(restrictions.checked().iter().copied().eq(checked));
                prop_assert_eq!(restrictions.is_empty(), slots.is_empty());
            }
        }
    }
}
