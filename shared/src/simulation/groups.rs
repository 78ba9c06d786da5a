//! Sets of groups, by which entities and events are shown to some viewers only.

use std::ops::{BitOr, BitOrAssign, Not};

use serde::{Deserialize, Serialize};

/// A set of groups, such as teams or squads. Groups are numbered from 0 to 63; what a number means is the game's to say.
///
/// An entity that is captured [`only_for`](super::Captured::only_for) some groups is shown to viewers who are in one of
/// them at least; a viewer's groups are those of its [`View`](super::View). Nobody is in a group of no number: a set of
/// it is empty.
///
/// ```
/// use tickwire_shared::Groups;
///
/// const RED: Groups = Groups::of(0);
/// const BLUE: Groups = Groups::of(1);
/// assert!((RED | BLUE).intersects(RED));
/// assert!(!RED.intersects(BLUE));
/// assert!((!RED).intersects(BLUE) && !(!RED).intersects(RED));
/// assert!(!Groups::NONE.intersects(Groups::ALL));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Groups(u64);

impl Groups {
    /// No group. An entity that is only for these is seen by its owner alone.
    pub const NONE: Groups = Groups(0);
    /// Every group.
    pub const ALL: Groups = Groups(u64::MAX);
    /// Groups that there are.
    pub const COUNT: u8 = 64;

    /// The set of one group. Beyond 63 there is none, and the set is empty.
    pub const fn of(group: u8) -> Self {
        Groups(if group < Groups::COUNT { 1 << group } else { 0 })
    }

    /// The set with bit `n` for group `n`.
    pub const fn from_bits(bits: u64) -> Self {
        Groups(bits)
    }

    /// Bit `n` says whether group `n` is in the set.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// Whether a group is in both.
    pub const fn intersects(self, other: Groups) -> bool {
        self.0 & other.0 != 0
    }
}

impl BitOr for Groups {
    type Output = Groups;

    fn bitor(self, other: Groups) -> Groups {
        Groups(self.0 | other.0)
    }
}

impl BitOrAssign for Groups {
    fn bitor_assign(&mut self, other: Groups) {
        self.0 |= other.0;
    }
}

impl Not for Groups {
    type Output = Groups;

    fn not(self) -> Groups {
        Groups(!self.0)
    }
}
