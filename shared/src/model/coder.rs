//! Passes an entity's lanes through its sites.

use super::coding::{SiteStream, SymbolHead};
use super::features::{KEPT_FEW, KEPT_MAX};
use super::place::LanePlace;
use super::plan::{PlanChunk, PlanField, SitePlan};
use super::{Chances, Compiled, WEIGHT_ONE};
use crate::bits::BitError;
use crate::lane_layout::{Baseline, LaneLayout, SecondBaseline};
use crate::rotation::RotationTrend;

/// Codes a kind's entities, for their owners or for others.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SiteCoder<'a> {
    pub(crate) plan: &'a SitePlan,
    pub(crate) layout: &'a LaneLayout,
    pub(crate) owner: bool,
}

impl SiteCoder<'_> {
    /// Passes the lanes of one entity through its sites.
    ///
    /// # Errors
    /// The errors of `sites`.
    #[inline]
    pub(crate) fn delta<C: SiteStream>(
        &self,
        sites: &mut C,
        baseline: &Baseline<'_>,
        lanes: &mut [i32],
    ) -> Result<(), BitError> {
        if self.plan.kept <= KEPT_FEW {
            EntityPass::new(self, baseline, &mut [0; KEPT_FEW]).run(sites, lanes)
        } else {
            EntityPass::new(self, baseline, &mut [0; KEPT_MAX]).run(sites, lanes)
        }
    }

    /// Fills `features`, as many as are kept, from the baselines.
    pub(crate) fn look_back(&self, baseline: &Baseline<'_>, features: &mut [i32]) {
        EntityPass::new(self, baseline, features).look_back();
    }

    /// The chances of an entity; `None` if the model has none.
    pub(crate) fn chances(&self, model: &Compiled, baseline: &Baseline<'_>) -> Option<Chances> {
        let (tree, leaves) = &model.chances;
        let leaf = if tree.is_leaf() {
            0
        } else if self.plan.kept <= KEPT_FEW {
            let features = &mut [0; KEPT_FEW];
            self.look_back(baseline, features);
            tree.descend(features)
        } else {
            let features = &mut [0; KEPT_MAX];
            self.look_back(baseline, features);
            tree.descend(features)
        };
        leaves.get(leaf).copied()
    }
}

/// One entity's pass through the sites.
struct EntityPass<'a> {
    plan: &'a SitePlan,
    layout: &'a LaneLayout,
    baseline: &'a Baseline<'a>,
    owner: bool,
    /// The kept features.
    features: &'a mut [i32],
    /// The last rotation used, with its field's first lane.
    turning: Option<(usize, RotationTrend)>,
}

impl<'a> EntityPass<'a> {
    /// `features` must all be 0.
    #[inline]
    fn new(coder: &SiteCoder<'a>, baseline: &'a Baseline<'a>, features: &'a mut [i32]) -> Self {
        let SiteCoder { plan, layout, owner } = *coder;
        EntityPass { plan, layout, baseline, owner, features, turning: None }
    }

    #[inline]
    fn run<C: SiteStream>(mut self, sites: &mut C, lanes: &mut [i32]) -> Result<(), BitError> {
        let plan = self.plan;
        let lanes = &mut lanes[..plan.lanes.len()];
        if C::READING {
            lanes.copy_from_slice(&self.baseline.lanes[..plan.lanes.len()]);
            if plan.owner_only {
                let hidden = plan.fields.iter().filter(|field| self.hides(field));
                hidden.for_each(|field| lanes[field.range()].fill(0));
            }
        }
        self.look_back();
        let layout = self.layout;
        let differing =
            if C::READING { 0 } else { layout.differing(self.baseline, lanes, self.owner) };
        for (number, chunk) in plan.chunks.iter().enumerate() {
            self.chunk(sites, (number, chunk), chunk.pattern_of(differing), lanes)?;
        }
        Ok(())
    }

    #[inline(always)]
    fn chunk<C: SiteStream>(
        &mut self,
        sites: &mut C,
        (number, chunk): (usize, &PlanChunk),
        mut pattern: usize,
        lanes: &mut [i32],
    ) -> Result<(), BitError> {
        let head = Some(SymbolHead { value: &mut pattern, usual: chunk.usual });
        let merged = chunk.merged.map(|bit| {
            let first = chunk.fields[bit].first;
            (self.place(first), first)
        });
        let lane = merged.as_ref().map(|(place, first)| (place, &mut lanes[*first]));
        sites.site(number, self.features, head, lane)?;
        self.features[usize::from(chunk.kept)] = pattern as i32;
        let moving = if C::READING { chunk.moving } else { 0 };
        let mut left = (pattern | moving) & if self.owner { usize::MAX } else { chunk.public };
        while left != 0 {
            let bit = left.trailing_zeros() as usize;
            left &= left - 1;
            let field = &chunk.fields[bit];
            if pattern >> bit & 1 == 1 {
                let done = chunk.merged == Some(bit) && pattern == chunk.usual;
                self.field(sites, field, done, lanes)?;
            } else {
                for lane in field.range() {
                    lanes[lane] = self.layout.predict(lane, self.baseline, lanes);
                }
            }
        }
        Ok(())
    }

    #[inline]
    fn hides(&self, field: &PlanField) -> bool {
        field.owner_only && !self.owner
    }

    /// Fills in the features of the baselines.
    #[inline]
    fn look_back(&mut self) {
        let (plan, baseline) = (self.plan, self.baseline);
        self.features[usize::from(plan.age)] = baseline.ticks.min(i32::MAX as u32) as i32;
        for &(lane, kept, owner_only) in &plan.bases {
            if self.owner || !owner_only {
                self.features[usize::from(kept)] = baseline.lanes[lane];
            }
        }
        if let Some(second) = &baseline.second {
            self.look_further_back(second);
        }
    }

    /// Fills in the features of the second baseline.
    fn look_further_back(&mut self, second: &SecondBaseline<'_>) {
        let (plan, baseline) = (self.plan, self.baseline);
        self.features[usize::from(plan.gap)] = second.ticks.min(i32::MAX as u32) as i32;
        for &number in &plan.moved {
            let field = &plan.fields[number];
            if self.hides(field) {
                continue;
            }
            let mut speed = 0i32;
            for (at, lane) in field.range().zip(&plan.lanes[field.range()]) {
                let moved = lane.place.fold(baseline.lanes[at].wrapping_sub(second.lanes[at]));
                let size = moved.saturating_abs();
                self.features[usize::from(lane.moved)] = moved;
                self.features[usize::from(lane.moved_size)] = size;
                speed = speed.saturating_add(size);
            }
            if speed == 0 {
                continue;
            }
            if let Some(bits) = field.rotation_bits {
                let turning = self.turn(field, bits);
                speed = turning.spin;
                self.features[usize::from(plan.lanes[field.first].moved)] = turning.lead;
            }
            self.features[usize::from(field.speed)] = speed;
        }
    }

    #[inline(always)]
    fn field<C: SiteStream>(
        &mut self,
        sites: &mut C,
        field: &PlanField,
        first_done: bool,
        lanes: &mut [i32],
    ) -> Result<(), BitError> {
        let plan = self.plan;
        if field.flips {
            let place = plan.lanes[field.first].place;
            if C::READING {
                let rest = self.layout.predict(field.first, self.baseline, lanes);
                lanes[field.first] = place.checked(1 - (place.offset(rest) as u32 & 1))?;
            }
            self.note(field, field.first, &place, lanes);
            return Ok(());
        }
        if let Some(bits) = field.rotation_bits {
            return self.rotation(sites, field, bits, lanes);
        }
        for lane in field.range() {
            let place = self.place_moving(field, lane, lanes);
            if !(first_done && lane == field.first) {
                let site = plan.chunks.len() + lane;
                sites.site(site, self.features, None, Some((&place, &mut lanes[lane])))?;
            }
            self.note(field, lane, &place, lanes);
        }
        Ok(())
    }

    fn rotation<C: SiteStream>(
        &mut self,
        sites: &mut C,
        field: &PlanField,
        bits: u32,
        lanes: &mut [i32],
    ) -> Result<(), BitError> {
        let plan = self.plan;
        let first = field.first;
        let turning = self.turn(field, bits);
        let places = |largest: usize| {
            let [last, next] = turning.lanes(largest);
            [0, 1, 2].map(|at| LanePlace {
                last: i64::from(last[at]),
                next: i64::from(next[at]),
                ..plan.lanes[first + 1 + at].place
            })
        };
        let mut other = (lanes[first] as usize).wrapping_sub(turning.largest) & 3;
        let site = plan.chunks.len() + first;
        let usual = places(turning.largest)[0];
        let head = Some(SymbolHead { value: &mut other, usual: 0 });
        sites.site(site, self.features, head, Some((&usual, &mut lanes[first + 1])))?;
        let largest = (turning.largest + other) & 3;
        if C::READING {
            lanes[first] = largest as i32;
        }
        self.features[usize::from(plan.lanes[first].residual)] = other as i32;
        for (at, place) in places(largest).iter().enumerate() {
            let lane = first + 1 + at;
            if at > 0 || other != 0 {
                let value = Some((place, &mut lanes[lane]));
                sites.site(site + 1 + at, self.features, None, value)?;
            }
            self.note(field, lane, place, lanes);
        }
        Ok(())
    }

    fn turn(&mut self, field: &PlanField, bits: u32) -> RotationTrend {
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
                RotationTrend::new(bits, &second.lanes[range], last, ahead)
            }
            None => RotationTrend::new(bits, last, last, 0.0),
        };
        self.turning = Some((field.first, turning));
        turning
    }

    /// A lane's prediction, by its velocity or the second baseline.
    #[inline]
    fn place_moving(&self, field: &PlanField, lane: usize, lanes: &[i32]) -> LanePlace {
        if !field.has_velocity {
            return self.place(lane);
        }
        let place = self.plan.lanes[lane].place;
        let rest = self.layout.predict(lane, self.baseline, lanes);
        let last = place.offset(self.baseline.lanes[lane]);
        LanePlace { last, next: place.offset(rest), ..place }
    }

    #[inline]
    fn place(&self, lane: usize) -> LanePlace {
        let place = self.plan.lanes[lane].place;
        let last = place.offset(self.baseline.lanes[lane]);
        let Some(second) = &self.baseline.second else {
            return LanePlace { last, next: last, ..place };
        };
        let moved =
            match i64::from(place.fold(self.baseline.lanes[lane].wrapping_sub(second.lanes[lane])))
            {
                0 => 0,
                moved if second.ticks == self.baseline.ticks => moved,
                moved => {
                    let (age, gap) = (self.baseline.ticks.min(127), second.ticks.clamp(1, 127));
                    // Rounds to the nearest, halves up.
                    (2 * moved * i64::from(age) + i64::from(gap)).div_euclid(2 * i64::from(gap))
                }
            };
        LanePlace { last, next: last + moved, ..place }
    }

    /// Updates the features with a decoded lane, for later sites.
    #[inline(always)]
    fn note(&mut self, field: &PlanField, lane: usize, place: &LanePlace, lanes: &[i32]) {
        let now = lanes[lane];
        let lane = &self.plan.lanes[lane];
        if lane.residual_noted {
            let residual = place.residual(now, WEIGHT_ONE, 0);
            let size = residual.saturating_abs();
            self.features[usize::from(lane.residual)] = residual;
            self.features[usize::from(lane.residual_size)] = size;
            let error = &mut self.features[usize::from(field.error)];
            *error = error.saturating_add(size);
        }
        if lane.step_noted {
            let step = place.residual(now, 0, 0).saturating_abs();
            self.features[usize::from(lane.step)] = step;
            let path = &mut self.features[usize::from(field.path)];
            *path = path.saturating_add(step);
        }
    }
}
