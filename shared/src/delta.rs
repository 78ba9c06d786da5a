//! One value's lanes as bits: whole, or against a baseline.
//!
//! ```text
//! whole   for each field sent to this client: each lane in its own number of bits
//!
//! delta   for each field but initial and rare ones, velocities first:
//!           1 bit   differs from the prediction
//!           if set, for each lane: class code, then class - 1 bits    (residual, zigzag)
//!         1 bit     any rare field differs; if set, the rare fields as above
//! ```
//!
//! The prediction of a lane is its value in the baseline, moved by the velocity lane where the
//! schema names one. A residual's class is the bit length of its zigzag form; classes have a static
//! canonical prefix code, so the code of (value, baseline) is the same for every client. A residual as
//! long as the lane itself is escaped to the plain lane.

mod baseline;
mod walk;

use std::ops::Range;

use crate::bits::{BitError, BitStream};
use crate::class_code::{unzigzag, zigzag};
use crate::lane_stream::LaneStream;
use crate::model::coding::Coding;
use crate::model::plan::SitePlan;
use crate::model::{Chances, Compiled, KindModel, Model};
use crate::schema::{FieldType, KindSchema, Schema, SendRule};

pub use crate::class_code::code as class_code;
pub use crate::lane_stream::DeltaStream;
pub use baseline::{Baseline, SecondBaseline};
pub use walk::SiteWalk;

/// The baseline is extrapolated by at most so many ticks; beyond it, motion has long changed.
pub const EXTRAPOLATION_TICKS_MAX: u32 = 32;

/// A kind's lanes, compiled from its field table.
#[derive(Clone, Debug)]
pub struct LaneTable {
    lanes: Vec<Lane>,
    /// In coding order.
    groups: Vec<LaneGroup>,
    rare: bool,
    owner_only: bool,
    masks: Masks,
    /// Lanes that a velocity moves, but for initial ones.
    moving: Vec<usize>,
    model: Option<Box<(SitePlan, Compiled)>>,
}

/// Sets of lanes: bit n is the nth.
#[derive(Clone, Copy, Debug, Default)]
struct Masks {
    /// Of fields that a delta may tell of.
    told: u64,
    rare: u64,
    /// That others than the owner are sent.
    public: u64,
    /// That a velocity moves, but for initial ones.
    moving: u64,
    /// Of initial fields.
    initial: u64,
}

#[derive(Clone, Copy, Debug)]
struct Lane {
    min: i32,
    /// The greatest value less the least.
    span: u32,
    bits: u32,
    wraps: bool,
    velocity: Option<Velocity>,
}

#[derive(Clone, Copy, Debug)]
struct Velocity {
    lane: usize,
    /// Position steps a tick for one velocity step, in 1/65536.
    scale: i64,
}

#[derive(Clone, Copy, Debug)]
struct LaneGroup {
    first: usize,
    count: usize,
    rule: SendRule,
    owner_only: bool,
    has_velocity: bool,
}

/// The lanes of some groups.
fn mask(groups: &[LaneGroup], some: impl Fn(&LaneGroup) -> bool) -> u64 {
    groups.iter().filter(|group| some(group)).fold(0, |mask, group| mask | group.mask())
}

impl LaneGroup {
    #[inline]
    fn mask(&self) -> u64 {
        lane_mask(self.first, self.count)
    }

    #[inline]
    fn range(&self) -> Range<usize> {
        self.first..self.first + self.count
    }
}

impl LaneTable {
    /// Compiles `kind`, which must be part of a schema that [`validate`](crate::schema::Schema::validate) accepted.
    pub fn new(kind: &KindSchema, tick_hz: u32) -> Self {
        let mut lanes = Vec::new();
        let mut groups = Vec::new();
        let first_lanes: Vec<usize> = kind
            .fields
            .iter()
            .scan(0, |next, field| {
                let first = *next;
                *next += field.ty.lanes();
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
            for lane in 0..field.ty.lanes() {
                let (min, max) = field.ty.lane_range(lane);
                lanes.push(Lane {
                    min: min as i32,
                    span: (max - min) as u32,
                    bits: 64 - ((max - min) as u64).leading_zeros(),
                    wraps: matches!(field.ty, FieldType::Angle { .. }),
                    velocity: source.map(|(at, scale)| Velocity { lane: at + lane, scale }),
                });
            }
            groups.push(LaneGroup {
                first,
                count: field.ty.lanes(),
                rule: field.rule,
                owner_only: field.owner_only,
                has_velocity: source.is_some(),
            });
        }
        // A position is predicted from its velocity now, so velocities come first.
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
        LaneTable { lanes, groups, rare, owner_only, masks, moving, model: None }
    }

    /// As [`LaneTable::new`], with deltas coded by `model`. A model without sites leaves the defaults.
    ///
    /// # Errors
    /// Why the model does not fit the kind.
    pub fn with_model(
        kind: &KindSchema,
        tick_hz: u32,
        model: &KindModel,
    ) -> Result<Self, &'static str> {
        let mut table = LaneTable::new(kind, tick_hz);
        table.model = model.compile(kind)?.map(|mut compiled| {
            let kept = compiled.keep_asked(kind);
            Box::new((SitePlan::keeping(kind, &compiled.common, &kept), compiled))
        });
        Ok(table)
    }

    /// The tables of a game's entities, coded by its model if it has one. The schema must be one that
    /// [`validate`](Schema::validate) accepted.
    pub fn of_entities(schema: &Schema) -> Vec<Self> {
        let model = Model::from_bytes(&schema.model).ok();
        let kinds = schema.entities.iter().enumerate().map(|(number, kind)| {
            let trained = model.as_ref().and_then(|model| model.kinds.get(number));
            let trained = trained.map(|model| LaneTable::with_model(kind, schema.tick_hz, model));
            match trained {
                Some(Ok(table)) => table,
                _ => LaneTable::new(kind, schema.tick_hz),
            }
        });
        kinds.collect()
    }

    /// Number of lanes.
    pub fn len(&self) -> usize {
        self.lanes.len()
    }

    /// A kind without fields.
    pub fn is_empty(&self) -> bool {
        self.lanes.is_empty()
    }

    /// Whether an owner is sent other bits than the rest.
    pub fn has_owner_only(&self) -> bool {
        self.owner_only
    }

    /// The lanes with all their bits.
    ///
    /// # Errors
    /// As the stream's.
    #[inline]
    pub fn whole<S: BitStream>(
        &self,
        stream: &mut S,
        lanes: &mut [i32],
        owner: bool,
    ) -> Result<(), BitError> {
        for group in &self.groups {
            let range = group.range();
            if group.owner_only && !owner {
                if S::READING {
                    lanes[range].fill(0);
                }
                continue;
            }
            for (lane, value) in self.lanes[range.clone()].iter().zip(&mut lanes[range]) {
                lane.plain(stream, value)?;
            }
        }
        Ok(())
    }

    /// The lanes against those of the same entity `ticks` ago.
    ///
    /// # Errors
    /// As the stream's; [`BitError::Invalid`] for a value outside its range.
    #[inline]
    pub fn delta<S: DeltaStream>(
        &self,
        stream: &mut S,
        baseline: &Baseline<'_>,
        lanes: &mut [i32],
        owner: bool,
    ) -> Result<(), BitError> {
        let mut run = stream.run();
        match &self.model {
            Some(model) => {
                let (plan, model) = &**model;
                plan.delta(self, &mut Coding { model, run: &mut run }, baseline, lanes, owner)?;
            }
            None => self.fields(&mut run, baseline, lanes, owner)?,
        }
        run.end()
    }

    /// A delta without a model.
    #[inline]
    fn fields<R: LaneStream>(
        &self,
        run: &mut R,
        baseline: &Baseline<'_>,
        lanes: &mut [i32],
        owner: bool,
    ) -> Result<(), BitError> {
        let lanes = &mut lanes[..self.lanes.len()];
        if R::READING {
            lanes.copy_from_slice(&baseline.lanes[..self.lanes.len()]);
        }
        let differing = if R::READING { 0 } else { self.differing(baseline, lanes, owner) };
        for group in self.groups.iter().filter(|group| group.rule == SendRule::Always) {
            self.group(run, group, (baseline, differing), lanes, owner)?;
        }
        if !self.rare {
            return Ok(());
        }
        let rare = || self.groups.iter().filter(|group| group.rule == SendRule::Rare);
        let mut any = differing & self.masks.rare != 0;
        run.flag(&mut any);
        if any {
            for group in rare() {
                self.group(run, group, (baseline, differing), lanes, owner)?;
            }
        } else if R::READING {
            for group in rare() {
                if group.owner_only && !owner {
                    lanes[group.range()].fill(0);
                } else if group.has_velocity {
                    for at in group.range() {
                        lanes[at] = self.predict(at, baseline, lanes);
                    }
                }
            }
        }
        Ok(())
    }

    /// How likely an entity with this baseline is to be told of, by the model; `None` without one.
    pub fn chances(&self, baseline: &Baseline<'_>, owner: bool) -> Option<Chances> {
        let (plan, model) = &**self.model.as_ref()?;
        plan.chances(model, self, baseline, owner)
    }

    /// Whether the lanes are what a client expects without hearing of them: see [`LaneTable::extrapolate`].
    #[inline]
    pub fn is_predicted(&self, baseline: &Baseline<'_>, lanes: &[i32], owner: bool) -> bool {
        self.differing(baseline, lanes, owner) & self.masks.told == 0
    }

    /// Whether a velocity moves this lane.
    pub fn has_velocity(&self, lane: usize) -> bool {
        self.lanes.get(lane).is_some_and(|lane| lane.velocity.is_some())
    }

    /// Whether a velocity moves any lane.
    pub fn any_velocity(&self) -> bool {
        self.lanes.iter().any(|lane| lane.velocity.is_some())
    }

    /// Fills `lanes` with what is expected of them `baseline.ticks` after the baseline.
    pub fn extrapolate(&self, baseline: &Baseline<'_>, lanes: &mut [i32], owner: bool) {
        lanes.copy_from_slice(&baseline.lanes[..lanes.len()]);
        for &at in &self.moving {
            lanes[at] = self.predict(at, baseline, lanes);
        }
        if self.owner_only && !owner {
            self.hide(lanes);
        }
    }

    /// Lanes that only the owner is sent are zeros for others.
    fn hide(&self, lanes: &mut [i32]) {
        for group in self.groups.iter().filter(|group| group.owner_only) {
            lanes[group.range()].fill(0);
        }
    }

    /// Whether a client would see a difference between two states of an entity.
    #[inline]
    pub fn any_difference(&self, a: &[i32], b: &[i32], owner: bool) -> bool {
        let seen = if owner { u64::MAX } else { self.masks.public };
        unequal(a, b) & self.masks.told & seen != 0
    }

    /// Whether two states differ in an initial field: then they are of two entities. With `owner`, in those that
    /// others are not sent too.
    #[inline]
    pub fn any_initial_difference(&self, a: &[i32], b: &[i32], owner: bool) -> bool {
        let seen = if owner { u64::MAX } else { self.masks.public };
        let initial = self.masks.initial & seen;
        initial != 0 && unequal(a, b) & initial != 0
    }

    #[inline(always)]
    fn group<R: LaneStream>(
        &self,
        run: &mut R,
        group: &LaneGroup,
        (baseline, differing): (&Baseline<'_>, u64),
        lanes: &mut [i32],
        owner: bool,
    ) -> Result<(), BitError> {
        if group.owner_only && !owner {
            if R::READING {
                lanes[group.range()].fill(0);
            }
            return Ok(());
        }
        let mut changed = differing & group.mask() != 0;
        run.flag(&mut changed);
        // No lane of a group is predicted from another of it.
        if changed && group.has_velocity {
            for at in group.range() {
                let predicted = self.predict(at, baseline, lanes);
                self.lanes[at].residual(run, predicted, &mut lanes[at])?;
            }
        } else if changed {
            let lanes = self.lanes[group.range()].iter().zip(&mut lanes[group.range()]);
            for ((lane, value), before) in lanes.zip(&baseline.lanes[group.range()]) {
                lane.residual(run, *before, value)?;
            }
        } else if R::READING && group.has_velocity {
            for at in group.range() {
                lanes[at] = self.predict(at, baseline, lanes);
            }
        }
        Ok(())
    }

    /// The lanes sent to this client that are not as predicted.
    #[inline]
    pub(crate) fn differing(&self, baseline: &Baseline<'_>, lanes: &[i32], owner: bool) -> u64 {
        let mut differing = unequal(lanes, baseline.lanes) & !self.masks.moving;
        for &at in &self.moving {
            differing |= u64::from(lanes[at] != self.predict(at, baseline, lanes)) << at;
        }
        if owner { differing } else { differing & self.masks.public }
    }

    /// What a decoder expects in lane `at`, from the baseline and the lanes coded before.
    #[inline]
    pub(crate) fn predict(&self, at: usize, baseline: &Baseline<'_>, lanes: &[i32]) -> i32 {
        let lane = &self.lanes[at];
        let Some(velocity) = lane.velocity else { return baseline.lanes[at] };
        let ticks = i64::from(baseline.ticks.min(EXTRAPOLATION_TICKS_MAX));
        let (before, now) =
            (i64::from(baseline.lanes[velocity.lane]), i64::from(lanes[velocity.lane]));
        // The velocity went evenly from `before` to `now`; each tick moved by the velocity after it.
        let twice = 2 * ticks * before + (ticks + 1) * (now - before);
        let moved = twice.wrapping_mul(velocity.scale).wrapping_add(1 << 16) >> 17;
        let min = i64::from(lane.min);
        let max = min + i64::from(lane.span);
        i64::from(baseline.lanes[at]).wrapping_add(moved).clamp(min, max) as i32
    }
}

/// `count` lanes from `first` on.
#[inline]
pub(crate) fn lane_mask(first: usize, count: usize) -> u64 {
    ((1 << count) - 1) << first
}

/// The lanes that are not the same.
#[inline]
fn unequal(a: &[i32], b: &[i32]) -> u64 {
    let both = a.iter().zip(b).enumerate();
    both.fold(0, |mask, (at, (a, b))| mask | u64::from(a != b) << at)
}

impl Lane {
    #[inline]
    fn plain<S: BitStream>(&self, stream: &mut S, value: &mut i32) -> Result<(), BitError> {
        let mut offset = value.wrapping_sub(self.min) as u32;
        stream.bits(&mut offset, self.bits)?;
        if S::READING {
            if offset > self.span {
                return Err(BitError::Invalid);
            }
            *value = self.min.wrapping_add_unsigned(offset);
        }
        Ok(())
    }

    #[inline(always)]
    fn residual<R: LaneStream>(
        &self,
        run: &mut R,
        predicted: i32,
        value: &mut i32,
    ) -> Result<(), BitError> {
        let mut zigzag = zigzag(self.fold(value.wrapping_sub(predicted)));
        let mut offset = value.wrapping_sub(self.min) as u32;
        let near = run.residual(&mut zigzag, self.bits)?;
        if !near {
            run.bits(&mut offset, self.bits);
        }
        if R::READING {
            if near {
                let moved = predicted.wrapping_add(unzigzag(zigzag));
                offset = moved.wrapping_sub(self.min) as u32;
                if self.wraps {
                    offset &= self.span;
                }
            }
            if offset > self.span {
                return Err(BitError::Invalid);
            }
            *value = self.min.wrapping_add_unsigned(offset);
        }
        Ok(())
    }

    /// The short way round for a lane that wraps.
    #[inline]
    fn fold(&self, difference: i32) -> i32 {
        if !self.wraps {
            return difference;
        }
        let unused = 32 - self.bits;
        difference << unused >> unused
    }
}

#[cfg(test)]
mod tests;
