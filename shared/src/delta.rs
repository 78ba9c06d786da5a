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

use crate::bits::{BitError, BitStream};
use crate::class_code::{CLASS_ESCAPE, unzigzag, zigzag};
use crate::model::coder::{Coding, Plan};
use crate::model::{Chances, Compiled, Features, KindModel, Model, SiteStream};
use crate::schema::{FieldType, KindSchema, Schema, SendRule};

pub use crate::class_code::ResidualStream;

/// The baseline is extrapolated by at most so many ticks; beyond it, motion has long changed.
pub const EXTRAPOLATION_TICKS_MAX: u32 = 32;

/// Lanes of the widest field type.
const GROUP_LANES_MAX: usize = 4;

/// A kind's lanes, compiled from its field table.
#[derive(Clone, Debug)]
pub struct LaneTable {
    lanes: Vec<Lane>,
    /// In coding order.
    groups: Vec<Group>,
    rare: bool,
    owner_only: bool,
    model: Option<Box<(Plan, Compiled)>>,
}

#[derive(Clone, Copy, Debug)]
struct Lane {
    min: i64,
    max: i64,
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
struct Group {
    first: usize,
    count: usize,
    rule: SendRule,
    owner_only: bool,
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
                    min,
                    max,
                    bits: 64 - ((max - min) as u64).leading_zeros(),
                    wraps: matches!(field.ty, FieldType::Angle { .. }),
                    velocity: source.map(|(at, scale)| Velocity { lane: at + lane, scale }),
                });
            }
            groups.push((
                field.velocity.is_some(),
                Group {
                    first,
                    count: field.ty.lanes(),
                    rule: field.rule,
                    owner_only: field.owner_only,
                },
            ));
        }
        // A position is predicted from its velocity now, so velocities come first.
        groups.sort_by_key(|(predicted, _)| *predicted);
        let groups: Vec<Group> = groups.into_iter().map(|(_, group)| group).collect();
        let rare = groups.iter().any(|group| group.rule == SendRule::Rare);
        let owner_only = groups.iter().any(|group| group.owner_only);
        LaneTable { lanes, groups, rare, owner_only, model: None }
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
        let compiled = model.compile(kind)?;
        table.model = compiled.map(|model| Box::new((Plan::new(kind, &model.common), model)));
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
            let range = group.first..group.first + group.count;
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
    pub fn delta<S: ResidualStream>(
        &self,
        stream: &mut S,
        baseline: &Baseline<'_>,
        lanes: &mut [i32],
        owner: bool,
    ) -> Result<(), BitError> {
        if let Some(model) = &self.model {
            let (plan, model) = &**model;
            return plan.delta(self, &mut Coding { model, stream }, baseline, lanes, owner);
        }
        for group in &self.groups {
            if group.rule == SendRule::Always {
                self.group(stream, group, baseline, lanes, owner)?;
            } else if S::READING {
                let range = group.first..group.first + group.count;
                lanes[range.clone()].copy_from_slice(&baseline.lanes[range]);
            }
        }
        if !self.rare {
            return Ok(());
        }
        let rare = || self.groups.iter().filter(|group| group.rule == SendRule::Rare);
        let mut any = rare().any(|group| self.differs(group, baseline, lanes, owner));
        stream.flag(&mut any)?;
        if any {
            for group in rare() {
                self.group(stream, group, baseline, lanes, owner)?;
            }
        } else if S::READING {
            for at in rare().flat_map(|group| group.first..group.first + group.count) {
                lanes[at] = self.predict(at, baseline, lanes);
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
        let told = self.groups.iter().filter(|group| group.rule != SendRule::Initial);
        told.into_iter().all(|group| !self.differs(group, baseline, lanes, owner))
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
        for group in &self.groups {
            for at in group.first..group.first + group.count {
                lanes[at] = match group.rule {
                    _ if group.owner_only && !owner => 0,
                    SendRule::Initial => baseline.lanes[at],
                    SendRule::Always | SendRule::Rare => self.predict(at, baseline, lanes),
                };
            }
        }
    }

    /// Whether a client would see a difference between two states of an entity.
    #[inline]
    pub fn any_difference(&self, a: &[i32], b: &[i32], owner: bool) -> bool {
        self.groups.iter().any(|group| {
            let range = group.first..group.first + group.count;
            group.rule != SendRule::Initial
                && (owner || !group.owner_only)
                && a[range.clone()] != b[range]
        })
    }

    #[inline]
    fn group<S: ResidualStream>(
        &self,
        stream: &mut S,
        group: &Group,
        baseline: &Baseline<'_>,
        lanes: &mut [i32],
        owner: bool,
    ) -> Result<(), BitError> {
        let range = group.first..group.first + group.count;
        if group.owner_only && !owner {
            if S::READING {
                lanes[range].fill(0);
            }
            return Ok(());
        }
        // No lane of a group is predicted from another of it.
        let mut predicted = [0; GROUP_LANES_MAX];
        let predicted = &mut predicted[..group.count];
        for (at, value) in range.clone().zip(&mut *predicted) {
            *value = self.predict(at, baseline, lanes);
        }
        let lanes = &mut lanes[range.clone()];
        let mut changed = !S::READING && lanes != predicted;
        stream.flag(&mut changed)?;
        if changed {
            for ((lane, value), predicted) in self.lanes[range].iter().zip(lanes).zip(predicted) {
                lane.residual(stream, *predicted, value)?;
            }
        } else if S::READING {
            lanes.copy_from_slice(predicted);
        }
        Ok(())
    }

    #[inline]
    fn differs(&self, group: &Group, baseline: &Baseline<'_>, lanes: &[i32], owner: bool) -> bool {
        (owner || !group.owner_only)
            && (group.first..group.first + group.count)
                .any(|at| lanes[at] != self.predict(at, baseline, lanes))
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
        i64::from(baseline.lanes[at]).wrapping_add(moved).clamp(lane.min, lane.max) as i32
    }
}

/// What a delta is coded against.
#[derive(Clone, Copy, Debug)]
pub struct Baseline<'a> {
    /// Its lanes.
    pub lanes: &'a [i32],
    /// How many ticks ago it was.
    pub ticks: u32,
    /// An older state, from which a [model](crate::model) tells how the entity moves.
    pub second: Option<SecondBaseline<'a>>,
}

/// An older state than the baseline.
#[derive(Clone, Copy, Debug)]
pub struct SecondBaseline<'a> {
    /// Its lanes.
    pub lanes: &'a [i32],
    /// How many ticks before the baseline it was.
    pub ticks: u32,
}

impl<'a> Baseline<'a> {
    /// One baseline, without a second.
    pub fn new(lanes: &'a [i32], ticks: u32) -> Self {
        Baseline { lanes, ticks, second: None }
    }
}

/// A kind's sites, to be walked by something other than bits, such as training.
#[derive(Clone, Debug)]
pub struct SiteWalk {
    plan: Plan,
    table: LaneTable,
    features: usize,
}

impl SiteWalk {
    /// The sites of `kind`, where `common` tells for each chunk which of its fields usually change
    /// together.
    pub fn new(kind: &KindSchema, tick_hz: u32, common: &[u8]) -> Self {
        SiteWalk {
            plan: Plan::new(kind, common),
            table: LaneTable::new(kind, tick_hz),
            features: Features::count(kind),
        }
    }

    /// Takes the lanes of one entity through the sites, as [`LaneTable::delta`] does.
    ///
    /// # Errors
    /// As `sites` gives them.
    pub fn delta<C: SiteStream>(
        &self,
        sites: &mut C,
        baseline: &Baseline<'_>,
        lanes: &mut [i32],
        owner: bool,
    ) -> Result<(), BitError> {
        self.plan.delta(&self.table, sites, baseline, lanes, owner)
    }

    /// What the baselines alone tell of an entity.
    pub fn look_back(&self, baseline: &Baseline<'_>, owner: bool) -> Vec<i32> {
        let mut features = vec![0; self.features];
        self.plan.look_back(&self.table, baseline, owner, &mut features);
        features
    }
}

impl Lane {
    #[inline]
    fn plain<S: BitStream>(&self, stream: &mut S, value: &mut i32) -> Result<(), BitError> {
        let mut raw = value.wrapping_sub(self.min as i32) as u32;
        stream.bits(&mut raw, self.bits)?;
        if S::READING {
            if i64::from(raw) > self.max - self.min {
                return Err(BitError::Invalid);
            }
            *value = (self.min as i32).wrapping_add_unsigned(raw);
        }
        Ok(())
    }

    #[inline]
    fn residual<S: ResidualStream>(
        &self,
        stream: &mut S,
        predicted: i32,
        value: &mut i32,
    ) -> Result<(), BitError> {
        let mut zigzag = zigzag(self.fold(value.wrapping_sub(predicted)));
        let mut class = 32 - zigzag.leading_zeros();
        if !S::READING && class > self.bits {
            class = CLASS_ESCAPE;
        }
        stream.class(&mut class)?;
        if class == CLASS_ESCAPE {
            return self.plain(stream, value);
        }
        if class > 1 {
            let mut low = zigzag & !(1 << (class - 1));
            stream.bits(&mut low, class - 1)?;
            zigzag = low | 1 << (class - 1);
        } else if S::READING {
            zigzag = class;
        }
        if S::READING {
            *value = predicted.wrapping_add(unzigzag(zigzag));
            if self.wraps {
                *value &= self.max as i32;
            }
            let offset = value.wrapping_sub(self.min as i32) as u32;
            if i64::from(offset) > self.max - self.min {
                return Err(BitError::Invalid);
            }
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
