//! A kind's lanes: their ranges, their motion by velocities, and the differences between two
//! states.

use std::ops::Range;

use crate::schema::{FieldType, FieldValues, KindSchema, SendRule};

/// Most ticks for which a baseline is extrapolated; by then any motion has changed.
pub const EXTRAPOLATION_TICKS_MAX: u32 = 32;

/// The state that a delta is coded against.
#[derive(Clone, Copy, Debug)]
pub struct Baseline<'a> {
    /// Its lanes.
    pub lanes: &'a [i32],
    /// Its age in ticks.
    pub ticks: u32,
    /// An older state, from which a [model](crate::model) derives the entity's motion.
    pub second: Option<SecondBaseline<'a>>,
}

/// An older state than the baseline.
#[derive(Clone, Copy, Debug)]
pub struct SecondBaseline<'a> {
    /// Its lanes.
    pub lanes: &'a [i32],
    /// Its age in ticks relative to the baseline.
    pub ticks: u32,
}

impl<'a> Baseline<'a> {
    /// One baseline, without a second.
    pub fn new(lanes: &'a [i32], ticks: u32) -> Self {
        Baseline { lanes, ticks, second: None }
    }
}

/// A kind's lanes, compiled from its field table.
#[derive(Clone, Debug)]
pub(crate) struct LaneLayout {
    pub(crate) lanes: Vec<Lane>,
    /// In coding order.
    pub(crate) groups: Vec<LaneGroup>,
    /// Some field has the send rule `Rare`.
    pub(crate) rare: bool,
    /// Some field is sent only to the owner.
    pub(crate) owner_only: bool,
    /// Some field is optional, an array, or a text.
    pub(crate) has_parts: bool,
    pub(crate) masks: Masks,
    /// Lanes that a velocity moves, except initial ones.
    moving: Vec<usize>,
    /// Each lane as near to zero as its range allows.
    pub(crate) zeros: Vec<i32>,
}

/// Sets of lanes: bit n is the nth.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Masks {
    /// Lanes of fields that a delta may contain.
    pub(crate) told: u64,
    pub(crate) rare: u64,
    /// Lanes that others than the owner get.
    public: u64,
    /// Lanes that a velocity moves, except initial ones.
    moving: u64,
    /// Lanes of initial fields.
    initial: u64,
}

/// The range of a lane.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lane {
    pub(crate) min: i32,
    /// The greatest value minus the least.
    pub(crate) span: u32,
    pub(crate) bits: u32,
    pub(crate) wraps: bool,
    velocity: Option<Velocity>,
}

/// The velocity that moves a lane.
#[derive(Clone, Copy, Debug)]
struct Velocity {
    lane: usize,
    /// Position steps a tick for one velocity step, in 1/65536.
    scale: i64,
}

/// How the lanes of a field are split that is optional, an array, or a text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GroupParts {
    /// The first lane tells whether the others are there.
    pub(crate) optional: bool,
    pub(crate) is_array: bool,
    /// A value is a text: a length, and its bytes.
    pub(crate) is_text: bool,
    /// Lanes of one value.
    pub(crate) width: usize,
}

/// The lanes of one field.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LaneGroup {
    first: usize,
    count: usize,
    pub(crate) rule: SendRule,
    pub(crate) owner_only: bool,
    pub(crate) has_velocity: bool,
    /// None for one value of a number of lanes that are always there.
    pub(crate) parts: Option<GroupParts>,
}

impl LaneLayout {
    /// Compiles `kind`, from a schema that [`validate`](crate::schema::Schema::validate) accepted.
    pub(crate) fn new(kind: &KindSchema, tick_hz: u32) -> Self {
        let mut lanes = Vec::new();
        let mut groups = Vec::new();
        let first_lanes: Vec<usize> = kind
            .fields
            .iter()
            .scan(0, |next, field| {
                let first = *next;
                *next += field.lanes();
                Some(first)
            })
            .collect();
        for (field, &first) in kind.fields.iter().zip(&first_lanes) {
            let source = field.velocity.as_ref().and_then(|name| {
                let at = kind.fields.iter().position(|other| &other.name == name)?;
                let ratio = f64::from(kind.fields[at].ty.step())
                    / (f64::from(tick_hz) * f64::from(field.ty.step()));
                Some((first_lanes[at], (ratio * 65536.0).round() as i64))
            });
            for lane in 0..field.lanes() {
                let (min, max) = field.lane_range(lane);
                lanes.push(Lane {
                    min: min as i32,
                    span: (max - min) as u32,
                    bits: 64 - ((max - min) as u64).leading_zeros(),
                    wraps: field.wraps(lane),
                    velocity: source.map(|(at, scale)| Velocity { lane: at + lane, scale }),
                });
            }
            let is_text = matches!(field.ty, FieldType::Text { .. });
            groups.push(LaneGroup {
                first,
                count: field.lanes(),
                rule: field.rule,
                owner_only: field.owner_only,
                has_velocity: source.is_some(),
                parts: (is_text || field.values != FieldValues::One).then_some(GroupParts {
                    is_text,
                    optional: field.values.is_optional(),
                    is_array: field.values.length().is_some(),
                    width: field.ty.lanes(),
                }),
            });
        }
        // A position's prediction uses the new velocity, so velocities come first.
        groups.sort_by_key(|group| group.has_velocity);
        let rare = groups.iter().any(|group| group.rule == SendRule::Rare);
        let owner_only = groups.iter().any(|group| group.owner_only);
        let masks = Masks {
            told: mask(&groups, |group| group.rule != SendRule::Initial),
            rare: mask(&groups, |group| group.rule == SendRule::Rare),
            public: mask(&groups, |group| !group.owner_only),
            moving: mask(&groups, |group| group.has_velocity && group.rule != SendRule::Initial),
            initial: mask(&groups, |group| group.rule == SendRule::Initial),
        };
        let moving = (0..lanes.len()).filter(|at| masks.moving >> at & 1 == 1).collect();
        let zeros = kind.zero_lanes();
        let has_parts = groups.iter().any(|group| group.parts.is_some());
        LaneLayout { lanes, groups, rare, owner_only, has_parts, masks, moving, zeros }
    }

    /// The number of lanes.
    pub(crate) fn len(&self) -> usize {
        self.lanes.len()
    }

    /// True if the lanes are exactly what a client predicts from `baseline`: see
    /// [`LaneLayout::extrapolate`].
    #[inline]
    pub(crate) fn is_predicted(&self, baseline: &Baseline<'_>, lanes: &[i32], owner: bool) -> bool {
        self.differing(baseline, lanes, owner) & self.masks.told == 0
    }

    /// True if a velocity moves this lane.
    pub(crate) fn has_velocity(&self, lane: usize) -> bool {
        self.lanes.get(lane).is_some_and(|lane| lane.velocity.is_some())
    }

    /// True if a velocity moves any lane.
    pub(crate) fn any_velocity(&self) -> bool {
        self.lanes.iter().any(|lane| lane.velocity.is_some())
    }

    /// Fills `lanes` with the prediction for `baseline.ticks` after the baseline.
    pub(crate) fn extrapolate(&self, baseline: &Baseline<'_>, lanes: &mut [i32], owner: bool) {
        lanes.copy_from_slice(&baseline.lanes[..lanes.len()]);
        for &at in &self.moving {
            lanes[at] = self.predict(at, baseline, lanes);
        }
        if self.owner_only && !owner {
            self.hide(lanes);
        }
    }

    /// True if a client would see a difference between two states of an entity.
    #[inline]
    pub(crate) fn any_difference(&self, a: &[i32], b: &[i32], owner: bool) -> bool {
        let seen = if owner { u64::MAX } else { self.masks.public };
        unequal(a, b) & self.masks.told & seen != 0
    }

    /// True if two states differ in an initial field: then they belong to two entities. With
    /// `owner`, owner-only fields count too.
    #[inline]
    pub(crate) fn any_initial_difference(&self, a: &[i32], b: &[i32], owner: bool) -> bool {
        let seen = if owner { u64::MAX } else { self.masks.public };
        let initial = self.masks.initial & seen;
        initial != 0 && unequal(a, b) & initial != 0
    }

    /// Sets owner-only lanes to zero, as others see them.
    fn hide(&self, lanes: &mut [i32]) {
        for group in self.groups.iter().filter(|group| group.owner_only) {
            lanes[group.range()].fill(0);
        }
    }

    /// The lanes sent to this client that differ from their prediction.
    #[inline]
    pub(crate) fn differing(&self, baseline: &Baseline<'_>, lanes: &[i32], owner: bool) -> u64 {
        let mut differing = unequal(lanes, baseline.lanes) & !self.masks.moving;
        for &at in &self.moving {
            differing |= u64::from(lanes[at] != self.predict(at, baseline, lanes)) << at;
        }
        if owner { differing } else { differing & self.masks.public }
    }

    /// The decoder's prediction of lane `at`, from the baseline and the lanes coded before.
    #[inline]
    pub(crate) fn predict(&self, at: usize, baseline: &Baseline<'_>, lanes: &[i32]) -> i32 {
        let lane = &self.lanes[at];
        let Some(velocity) = lane.velocity else { return baseline.lanes[at] };
        let ticks = i64::from(baseline.ticks.min(EXTRAPOLATION_TICKS_MAX));
        let (before, now) =
            (i64::from(baseline.lanes[velocity.lane]), i64::from(lanes[velocity.lane]));
        // The velocity changed evenly from `before` to `now`; each tick moves by the velocity after
        // it.
        let twice = 2 * ticks * before + (ticks + 1) * (now - before);
        let moved = twice.wrapping_mul(velocity.scale).wrapping_add(1 << 16) >> 17;
        let min = i64::from(lane.min);
        let max = min + i64::from(lane.span);
        i64::from(baseline.lanes[at]).wrapping_add(moved).clamp(min, max) as i32
    }
}

impl LaneGroup {
    #[inline]
    pub(crate) fn mask(&self) -> u64 {
        lane_mask(self.first, self.count)
    }

    #[inline]
    pub(crate) fn range(&self) -> Range<usize> {
        self.first..self.first + self.count
    }
}

impl Lane {
    /// Folds the difference of a lane that wraps to the short way round.
    #[inline]
    pub(crate) fn fold(&self, difference: i32) -> i32 {
        if !self.wraps {
            return difference;
        }
        let unused = 32 - self.bits;
        difference << unused >> unused
    }
}

/// The lanes of the groups that `some` selects.
fn mask(groups: &[LaneGroup], some: impl Fn(&LaneGroup) -> bool) -> u64 {
    groups.iter().filter(|group| some(group)).fold(0, |mask, group| mask | group.mask())
}

/// `count` lanes from `first` on.
#[inline]
pub(crate) fn lane_mask(first: usize, count: usize) -> u64 {
    ((1 << count) - 1) << first
}

/// The lanes that differ.
#[inline]
fn unequal(a: &[i32], b: &[i32]) -> u64 {
    let both = a.iter().zip(b).enumerate();
    both.fold(0, |mask, (at, (a, b))| mask | u64::from(a != b) << at)
}
