//! Codes an entity's lanes site by site.

use super::features::{
    AGE, BASE, ERROR, FEATURES_FEW, FEATURES_MAX, Features, GAP, MOVED, MOVED_SIZE, PATH, RESIDUAL,
    RESIDUAL_SIZE, SPEED, STEP,
};
use super::place::LanePlace;
use super::token::{self, TOKEN_PLAIN, TOKENS};
use super::{Chances, Compiled, WEIGHT_ONE, chunks, flips, merged_field};
use crate::bits::BitError;
use crate::delta::{Baseline, LaneTable};
use crate::lane_stream::LaneStream;
use crate::rotation::Turning;
use crate::schema::{FieldType, KindSchema, SendRule};

/// What stands before a lane's token in its symbol: one of `count` heads. The token follows only after
/// the `usual` one.
#[derive(Debug)]
pub struct Head<'a> {
    /// Which.
    pub value: &'a mut usize,
    /// The one that says nothing of itself.
    pub usual: usize,
}

/// Takes an entity's sites one after the other.
pub trait SiteStream {
    /// True when lanes are filled in.
    const READING: bool;

    /// Codes what stands at site `site`: a head, or a lane, or a lane if the head is the usual one.
    ///
    /// # Errors
    /// [`BitError`] when reading what no writer writes.
    fn site(
        &mut self,
        site: usize,
        features: &[i32],
        head: Option<Head<'_>>,
        lane: Option<(&LanePlace, &mut i32)>,
    ) -> Result<(), BitError>;
}

/// The sites of a model as bits.
pub(crate) struct Coding<'a, R> {
    pub(crate) model: &'a Compiled,
    pub(crate) run: &'a mut R,
}

impl<R: LaneStream> SiteStream for Coding<'_, R> {
    const READING: bool = R::READING;

    #[inline]
    fn site(
        &mut self,
        site: usize,
        features: &[i32],
        head: Option<Head<'_>>,
        lane: Option<(&LanePlace, &mut i32)>,
    ) -> Result<(), BitError> {
        let leaf = self.model.sites[site].leaf(features);
        let (mut symbol, mut low) = (0, 0);
        if !R::READING {
            symbol = match (&head, &lane) {
                (Some(head), lane) if *head.value != head.usual || lane.is_none() => {
                    TOKENS + *head.value
                }
                (_, Some((place, value))) => {
                    let (token, bits, _) =
                        token::split(place.residual(**value, leaf.weight, leaf.bias));
                    low = bits;
                    token
                }
                _ => unreachable!("a site has a head or a lane"),
            };
        }
        self.run.symbol(&leaf.code, &mut symbol, &mut low)?;
        if let Some(head) = head {
            if symbol >= TOKENS {
                *head.value = symbol - TOKENS;
                return Ok(());
            }
            *head.value = head.usual;
        }
        let (place, value) = lane.ok_or(BitError::Invalid)?;
        if symbol == TOKEN_PLAIN {
            let mut offset = place.offset(*value) as u32;
            self.run.bits(&mut offset, place.bits);
            if R::READING {
                *value = place.checked(offset)?;
            }
        } else if R::READING {
            *value = place.value(token::join(symbol, low), leaf.weight, leaf.bias)?;
        }
        Ok(())
    }
}

/// A kind's sites, in the order they are coded.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    features: usize,
    at: Features,
    lanes: Vec<LanePlace>,
    fields: Vec<PlanField>,
    chunks: Vec<PlanChunk>,
}

#[derive(Clone, Debug)]
struct PlanField {
    first: usize,
    count: usize,
    owner_only: bool,
    rule: SendRule,
    rotation_bits: Option<u32>,
    has_velocity: bool,
    flips: bool,
}

#[derive(Clone, Debug)]
struct PlanChunk {
    fields: Vec<usize>,
    usual: usize,
    merged: Option<usize>,
}

impl Plan {
    /// `common` as in a [`KindModel`](super::KindModel), one for each chunk.
    pub(crate) fn new(kind: &KindSchema, common: &[u8]) -> Self {
        let (mut lanes, mut fields) = (Vec::new(), Vec::new());
        for field in &kind.fields {
            let first = lanes.len();
            for lane in 0..field.ty.lanes() {
                let (min, max) = field.ty.lane_range(lane);
                lanes.push(LanePlace {
                    min: min as i32,
                    span: max - min,
                    bits: 64 - ((max - min) as u64).leading_zeros(),
                    wraps: matches!(field.ty, FieldType::Angle { .. }),
                    last: 0,
                    next: 0,
                });
            }
            fields.push(PlanField {
                first,
                count: field.ty.lanes(),
                owner_only: field.owner_only,
                rule: field.rule,
                rotation_bits: match field.ty {
                    FieldType::Quat { bits } => Some(u32::from(bits)),
                    _ => None,
                },
                has_velocity: field.velocity.is_some(),
                flips: flips(&field.ty),
            });
        }
        let chunks = chunks(kind).into_iter().zip(common).map(|(chunk, &common)| PlanChunk {
            merged: merged_field(kind, &chunk, common),
            usual: usize::from(common),
            fields: chunk,
        });
        Plan {
            features: Features::count(kind),
            at: Features { lanes: lanes.len(), fields: fields.len() },
            chunks: chunks.collect(),
            lanes,
            fields,
        }
    }

    /// Takes the lanes of one entity through its sites.
    ///
    /// # Errors
    /// As the sites'.
    #[inline]
    pub(crate) fn delta<C: SiteStream>(
        &self,
        table: &LaneTable,
        sites: &mut C,
        baseline: &Baseline<'_>,
        lanes: &mut [i32],
        owner: bool,
    ) -> Result<(), BitError> {
        if self.features <= FEATURES_FEW {
            let features = &mut [0; FEATURES_FEW];
            Pass { plan: self, table, baseline, owner, features, turning: None }.run(sites, lanes)
        } else {
            let features = &mut [0; FEATURES_MAX];
            Pass { plan: self, table, baseline, owner, features, turning: None }.run(sites, lanes)
        }
    }
}

impl Plan {
    /// Fills `features`, as many as the kind has, with what the baselines tell.
    pub(crate) fn look_back(
        &self,
        table: &LaneTable,
        baseline: &Baseline<'_>,
        owner: bool,
        features: &mut [i32],
    ) {
        Pass { plan: self, table, baseline, owner, features, turning: None }.look_back();
    }

    /// The chances of a model that has some.
    pub(crate) fn chances(
        &self,
        model: &Compiled,
        table: &LaneTable,
        baseline: &Baseline<'_>,
        owner: bool,
    ) -> Option<Chances> {
        let (tree, leaves) = &model.chances;
        let leaf = if tree.is_leaf() {
            0
        } else if self.features <= FEATURES_FEW {
            let features = &mut [0; FEATURES_FEW];
            self.look_back(table, baseline, owner, features);
            tree.descend(features)
        } else {
            let features = &mut [0; FEATURES_MAX];
            self.look_back(table, baseline, owner, features);
            tree.descend(features)
        };
        leaves.get(leaf).copied()
    }
}

/// One entity on its way through the sites.
struct Pass<'a> {
    plan: &'a Plan,
    table: &'a LaneTable,
    baseline: &'a Baseline<'a>,
    owner: bool,
    features: &'a mut [i32],
    /// Of the last rotation looked at, by its field's first lane.
    turning: Option<(usize, Turning)>,
}

impl Pass<'_> {
    #[inline]
    fn run<C: SiteStream>(mut self, sites: &mut C, lanes: &mut [i32]) -> Result<(), BitError> {
        let plan = self.plan;
        for field in &plan.fields {
            let range = field.first..field.first + field.count;
            if C::READING {
                if self.hides(field) {
                    lanes[range].fill(0);
                } else if field.rule == SendRule::Initial {
                    lanes[range.clone()].copy_from_slice(&self.baseline.lanes[range]);
                }
            }
        }
        self.look_back();
        for (number, chunk) in plan.chunks.iter().enumerate() {
            let mut pattern = if C::READING { 0 } else { self.pattern(chunk, lanes) };
            let head = Some(Head { value: &mut pattern, usual: chunk.usual });
            let lane = chunk.merged.map(|field| {
                let first = plan.fields[field].first;
                (self.place(first), first)
            });
            let features = &*self.features;
            match &lane {
                Some((place, first)) => {
                    sites.site(number, features, head, Some((place, &mut lanes[*first])))?;
                }
                None => sites.site(number, features, head, None)?,
            }
            self.features[plan.at.pattern(number)] = pattern as i32;
            for (bit, &at) in chunk.fields.iter().enumerate() {
                let field = &plan.fields[at];
                if self.hides(field) {
                    continue;
                }
                if pattern >> bit & 1 == 0 {
                    if C::READING {
                        for lane in field.first..field.first + field.count {
                            lanes[lane] = self.table.predict(lane, self.baseline, lanes);
                        }
                    }
                    continue;
                }
                let done = chunk.merged == Some(at) && pattern == chunk.usual;
                self.field(sites, at, done, lanes)?;
            }
        }
        Ok(())
    }

    fn hides(&self, field: &PlanField) -> bool {
        field.owner_only && !self.owner
    }

    /// The features that the baselines give.
    #[inline]
    fn look_back(&mut self) {
        let (at, baseline) = (self.plan.at, self.baseline);
        self.features[AGE] = baseline.ticks.min(i32::MAX as u32) as i32;
        let second = baseline.second.as_ref();
        self.features[GAP] = second.map_or(0, |second| second.ticks.min(i32::MAX as u32) as i32);
        for (number, field) in self.plan.fields.iter().enumerate() {
            if self.hides(field) {
                continue;
            }
            for lane in field.first..field.first + field.count {
                self.features[at.lane(BASE, lane)] = baseline.lanes[lane];
                let Some(second) = second else { continue };
                let moved = baseline.lanes[lane].wrapping_sub(second.lanes[lane]);
                let moved = self.plan.lanes[lane].fold(moved);
                let size = moved.saturating_abs();
                self.features[at.lane(MOVED, lane)] = moved;
                self.features[at.lane(MOVED_SIZE, lane)] = size;
                let speed = &mut self.features[at.field(SPEED, number)];
                *speed = speed.saturating_add(size);
            }
            if let Some(bits) = field.rotation_bits
                && self.features[at.field(SPEED, number)] != 0
            {
                let turning = self.turn(field, bits);
                self.features[at.field(SPEED, number)] = turning.spin;
                self.features[at.lane(MOVED, field.first)] = turning.lead;
            }
        }
    }

    /// Which fields of a chunk are not what they are expected to be without a word.
    fn pattern(&self, chunk: &PlanChunk, lanes: &[i32]) -> usize {
        let changed = |field: &PlanField| {
            let range = field.first..field.first + field.count;
            if self.hides(field) {
                false
            } else if field.has_velocity {
                let mut range = range;
                range.any(|lane| lanes[lane] != self.table.predict(lane, self.baseline, lanes))
            } else {
                let (now, before) = (&lanes[range.clone()], &self.baseline.lanes[range]);
                now.iter().zip(before).any(|(now, before)| now != before)
            }
        };
        let mut pattern = 0;
        for (bit, &at) in chunk.fields.iter().enumerate() {
            pattern |= usize::from(changed(&self.plan.fields[at])) << bit;
        }
        pattern
    }

    #[inline]
    fn field<C: SiteStream>(
        &mut self,
        sites: &mut C,
        number: usize,
        first_done: bool,
        lanes: &mut [i32],
    ) -> Result<(), BitError> {
        let plan = self.plan;
        let field = &plan.fields[number];
        if field.flips {
            let place = plan.lanes[field.first];
            if C::READING {
                let rest = self.table.predict(field.first, self.baseline, lanes);
                lanes[field.first] = place.checked(1 - (place.offset(rest) as u32 & 1))?;
            }
            self.note(number, field.first, &place, lanes);
            return Ok(());
        }
        if let Some(bits) = field.rotation_bits {
            return self.rotation(sites, number, bits, lanes);
        }
        let mut places = [plan.lanes[field.first]; 4];
        for (lane, place) in (field.first..field.first + field.count).zip(&mut places) {
            *place = self.place_moving(field, lane, lanes);
        }
        for (lane, place) in (field.first..field.first + field.count).zip(&places) {
            if !(first_done && lane == field.first) {
                let site = plan.chunks.len() + lane;
                sites.site(site, self.features, None, Some((place, &mut lanes[lane])))?;
            }
            self.note(number, lane, place, lanes);
        }
        Ok(())
    }

    fn rotation<C: SiteStream>(
        &mut self,
        sites: &mut C,
        number: usize,
        bits: u32,
        lanes: &mut [i32],
    ) -> Result<(), BitError> {
        let plan = self.plan;
        let field = &plan.fields[number];
        let first = field.first;
        let turning = self.turn(field, bits);
        let places = |largest: usize| {
            let [last, next] = turning.lanes(largest);
            [0, 1, 2].map(|at| LanePlace {
                last: i64::from(last[at]),
                next: i64::from(next[at]),
                ..plan.lanes[first + 1 + at]
            })
        };
        let mut other = (lanes[first] as usize).wrapping_sub(turning.largest) & 3;
        let site = plan.chunks.len() + first;
        let usual = places(turning.largest)[0];
        let head = Some(Head { value: &mut other, usual: 0 });
        sites.site(site, self.features, head, Some((&usual, &mut lanes[first + 1])))?;
        let largest = (turning.largest + other) & 3;
        if C::READING {
            lanes[first] = largest as i32;
        }
        self.features[plan.at.lane(RESIDUAL, first)] = other as i32;
        for (at, place) in places(largest).iter().enumerate() {
            let lane = first + 1 + at;
            if at > 0 || other != 0 {
                let value = Some((place, &mut lanes[lane]));
                sites.site(site + 1 + at, self.features, None, value)?;
            }
            self.note(number, lane, place, lanes);
        }
        Ok(())
    }

    fn turn(&mut self, field: &PlanField, bits: u32) -> Turning {
        if let Some((first, turning)) = self.turning
            && first == field.first
        {
            return turning;
        }
        let range = field.first..field.first + 4;
        let last = &self.baseline.lanes[range.clone()];
        let turning = match &self.baseline.second {
            Some(second) => {
                let ahead = self.baseline.ticks.min(127) as f32 / second.ticks.clamp(1, 127) as f32;
                Turning::new(bits, &second.lanes[range], last, ahead)
            }
            None => Turning::new(bits, last, last, 0.0),
        };
        self.turning = Some((field.first, turning));
        turning
    }

    /// What is expected of a lane, by its velocity or the second baseline.
    #[inline]
    fn place_moving(&self, field: &PlanField, lane: usize, lanes: &[i32]) -> LanePlace {
        if !field.has_velocity {
            return self.place(lane);
        }
        let place = self.plan.lanes[lane];
        let rest = self.table.predict(lane, self.baseline, lanes);
        let last = place.offset(self.baseline.lanes[lane]);
        LanePlace { last, next: place.offset(rest), ..place }
    }

    #[inline]
    fn place(&self, lane: usize) -> LanePlace {
        let place = self.plan.lanes[lane];
        let last = place.offset(self.baseline.lanes[lane]);
        let Some(second) = &self.baseline.second else {
            return LanePlace { last, next: last, ..place };
        };
        let moved = match i64::from(self.features[self.plan.at.lane(MOVED, lane)]) {
            0 => 0,
            moved if second.ticks == self.baseline.ticks => moved,
            moved => {
                let (age, gap) = (self.baseline.ticks.min(127), second.ticks.clamp(1, 127));
                // To the nearest, halves up.
                (2 * moved * i64::from(age) + i64::from(gap)).div_euclid(2 * i64::from(gap))
            }
        };
        LanePlace { last, next: last + moved, ..place }
    }

    /// What a decoded lane tells about those to come.
    #[inline]
    fn note(&mut self, field: usize, lane: usize, place: &LanePlace, lanes: &[i32]) {
        let at = self.plan.at;
        let residual = place.residual(lanes[lane], WEIGHT_ONE, 0);
        let step = place.residual(lanes[lane], 0, 0).saturating_abs();
        self.features[at.lane(RESIDUAL, lane)] = residual;
        self.features[at.lane(RESIDUAL_SIZE, lane)] = residual.saturating_abs();
        self.features[at.lane(STEP, lane)] = step;
        for (what, size) in [(ERROR, residual.saturating_abs()), (PATH, step)] {
            let sum = &mut self.features[at.field(what, field)];
            *sum = sum.saturating_add(size);
        }
    }
}
