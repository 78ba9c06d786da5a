//! Restricted entities, by slot: those that not every viewer may see.
//!
//! Each group has the set of slots that it may see. A viewer's hidden slots are a union of a few
//! bit sets, whatever the number of entities and groups. A game without restrictions has no sets.

use tickwire_shared::Groups;
use tickwire_shared::slots::SlotSet;

/// The restricted entities of a world.
#[derive(Debug, Default)]
pub(super) struct Restrictions {
    /// The slots restricted to groups.
    grouped: SlotSet,
    /// By group, the slots of `grouped` that it may see; up to the highest group in use.
    shown_to: Vec<SlotSet>,
    /// The slots of checked entities.
    checked: Vec<u16>,
    is_any: bool,
}

impl Restrictions {
    /// Empties it, for a world of `slots` slots.
    pub(super) fn reset(&mut self, slots: usize) {
        if std::mem::take(&mut self.is_any) {
            self.checked.clear();
            let sets = std::iter::once(&mut self.grouped).chain(&mut self.shown_to);
            sets.for_each(|set| set.reset(slots));
        }
    }

    /// Adds the entity in `slot`: visible to `groups` only, if given; a checked entity if
    /// `is_checked`.
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

    /// True if no entity is restricted.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        !self.is_any
    }

    /// The slots of checked entities, restricted to groups or not.
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
