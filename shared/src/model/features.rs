//! Features: the facts about an entity that both sides know when a site is coded.

use super::chunks;
use crate::schema::{KindSchema, LANES_MAX};

/// Features of an entity.
pub(super) const AGE: usize = 0;
pub(super) const GAP: usize = 1;
/// Number of the first feature of a lane.
const FIRST: usize = 2;

/// Features of a lane.
pub(super) const BASE: usize = 0;
pub(super) const MOVED: usize = 1;
pub(super) const MOVED_SIZE: usize = 2;
pub(super) const RESIDUAL: usize = 3;
pub(super) const RESIDUAL_SIZE: usize = 4;
pub(super) const STEP: usize = 5;

/// Features of a field.
pub(super) const SPEED: usize = 0;
pub(super) const ERROR: usize = 1;
pub(super) const PATH: usize = 2;

/// Largest number of kept features that fits a small stack frame.
pub(super) const KEPT_FEW: usize = 64;
/// Features of a kind of 64 lanes in 64 fields, and [`FeatureStore::UNASKED`].
pub(super) const KEPT_MAX: usize = FIRST + 9 * LANES_MAX + 17;

/// The numbers of a kind's features. Of lanes `l`, fields `f` and chunks `c`:
///
/// ```text
/// age, gap          ticks from the baseline to now, from the second baseline to the first
/// base l            the lane in the baseline
/// moved l, |moved|  the baseline minus the second; of the first lane of a rotation that turns: its lead
/// residual l, |..|  what came minus the motion predicted; of a rotation's first lane: which it is
/// step l            the size of what came minus the baseline
/// speed f           the sizes of moved, summed; of a rotation: its spin
/// error f, path f   the sizes of residual, and of step, summed
/// pattern c         which fields of the chunk changed
/// ```
///
/// A value that is not decoded yet, or not sent to this client, is 0.
#[derive(Clone, Copy, Debug)]
pub struct Features {
    pub(super) lanes: usize,
    pub(super) fields: usize,
}

impl Features {
    /// The number of a kind's features.
    pub fn count(kind: &KindSchema) -> usize {
        let (lanes, fields) = (kind.lanes(), kind.fields.len());
        FIRST + 6 * lanes + 3 * fields + chunks(kind).len()
    }

    pub(super) fn lane(self, what: usize, lane: usize) -> usize {
        FIRST + what * self.lanes + lane
    }

    pub(super) fn field(self, what: usize, field: usize) -> usize {
        FIRST + 6 * self.lanes + what * self.fields + field
    }

    pub(super) fn pattern(self, chunk: usize) -> usize {
        FIRST + 6 * self.lanes + 3 * self.fields + chunk
    }
}

/// Where features are kept while an entity is coded: only those that a split uses.
#[derive(Clone, Debug)]
pub(crate) struct FeatureStore {
    places: Vec<u16>,
    len: usize,
}

impl FeatureStore {
    /// The place of all unused features.
    const UNASKED: u16 = 0;

    /// True if a split uses the feature at this place. Wrong for the age if all features are kept:
    /// it has that place then.
    pub(super) fn is_asked(place: u16) -> bool {
        place != FeatureStore::UNASKED
    }

    /// Keeps all `features`, each at its own number; there is no place for unused ones.
    pub(super) fn all(features: usize) -> Self {
        FeatureStore { places: (0..features as u16).collect(), len: features }
    }

    /// Keeps those of `features` that are `asked` for.
    pub(super) fn only(features: usize, asked: impl Iterator<Item = u16>) -> Self {
        let mut kept = FeatureStore { places: vec![FeatureStore::UNASKED; features], len: 1 };
        for feature in asked {
            let place = &mut kept.places[usize::from(feature)];
            if *place == FeatureStore::UNASKED {
                *place = kept.len as u16;
                kept.len += 1;
            }
        }
        kept
    }

    /// The place of a feature.
    pub(super) fn place(&self, feature: usize) -> u16 {
        self.places[feature]
    }

    /// The number of places.
    pub(super) fn len(&self) -> usize {
        self.len
    }
}
