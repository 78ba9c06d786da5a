//! Codes one value's lanes as bits: whole, or as a delta against a baseline.
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
//! Fields that are optional, arrays and texts are of parts: see the file `parts`.
//!
//! The prediction of a lane is its value in the baseline, moved by the velocity lane if the schema
//! names one. A residual's class is the bit length of its zigzag form; classes have a static
//! canonical prefix code, so the code of (value, baseline) is the same for every client. A residual
//! as long as the lane itself is escaped: the plain lane follows.

mod parts;
mod walk;

use crate::bits::{BitError, BitStream};
use crate::class_code::{unzigzag, zigzag};
use crate::lane_layout::{Lane, LaneGroup, LaneLayout};
use crate::lane_stream::LaneStream;
use crate::model::coder::SiteCoder;
use crate::model::coding::Coding;
use crate::model::plan::SitePlan;
use crate::model::{Chances, Compiled, KindModel, Model};
use crate::schema::{KindSchema, Schema, SendRule};

pub use crate::class_code::code as class_code;
pub use crate::lane_layout::{Baseline, EXTRAPOLATION_TICKS_MAX, SecondBaseline};
pub use crate::lane_stream::DeltaStream;
pub use walk::SiteWalk;

/// A kind's lanes, compiled from its field table, and their coding.
#[derive(Clone, Debug)]
pub struct LaneTable {
    layout: LaneLayout,
    model: Option<Box<(SitePlan, Compiled)>>,
}

impl LaneTable {
    /// Compiles `kind`, from a schema that [`validate`](crate::schema::Schema::validate) accepted.
    pub fn new(kind: &KindSchema, tick_hz: u32) -> Self {
        LaneTable { layout: LaneLayout::new(kind, tick_hz), model: None }
    }

    /// As [`LaneTable::new`], with deltas coded by `model`. A model without sites keeps the
    /// defaults.
    ///
    /// # Errors
    /// The reason why the model does not fit the kind.
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

    /// The tables of a game's entities, coded by its model if it has one.
    /// [`validate`](Schema::validate) must have accepted the schema.
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

    /// The number of lanes.
    #[inline]
    pub fn len(&self) -> usize {
        self.layout.len()
    }

    /// True for a kind without fields.
    pub fn is_empty(&self) -> bool {
        self.layout.len() == 0
    }

    /// True if the owner gets other bits than the rest.
    #[inline]
    pub fn has_owner_only(&self) -> bool {
        self.layout.owner_only
    }

    /// True if a velocity moves this lane.
    pub fn has_velocity(&self, lane: usize) -> bool {
        self.layout.has_velocity(lane)
    }

    /// True if a velocity moves any lane.
    pub fn any_velocity(&self) -> bool {
        self.layout.any_velocity()
    }

    /// True if the lanes are exactly what a client predicts from `baseline`: see
    /// [`LaneTable::extrapolate`].
    #[inline]
    pub fn is_predicted(&self, baseline: &Baseline<'_>, lanes: &[i32], owner: bool) -> bool {
        self.layout.is_predicted(baseline, lanes, owner)
    }

    /// Fills `lanes` with the prediction for `baseline.ticks` after the baseline.
    pub fn extrapolate(&self, baseline: &Baseline<'_>, lanes: &mut [i32], owner: bool) {
        self.layout.extrapolate(baseline, lanes, owner);
    }

    /// True if a client would see a difference between two states of an entity.
    #[inline]
    pub fn any_difference(&self, a: &[i32], b: &[i32], owner: bool) -> bool {
        self.layout.any_difference(a, b, owner)
    }

    /// True if two states differ in an initial field: then they belong to two entities. With
    /// `owner`, owner-only fields count too.
    #[inline]
    pub fn any_initial_difference(&self, a: &[i32], b: &[i32], owner: bool) -> bool {
        self.layout.any_initial_difference(a, b, owner)
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
        for group in &self.layout.groups {
            let range = group.range();
            if group.owner_only && !owner {
                if S::READING {
                    lanes[range].fill(0);
                }
                continue;
            }
            if let Some(parts) = group.parts {
                self.whole_parts(stream, (range, parts), lanes)?;
                continue;
            }
            for (lane, value) in self.layout.lanes[range.clone()].iter().zip(&mut lanes[range]) {
                lane.plain(stream, value)?;
            }
        }
        Ok(())
    }

    /// The lanes as a delta against those of the same entity `ticks` ago.
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
                let coder = SiteCoder { plan, layout: &self.layout, owner };
                coder.delta(&mut Coding { model, run: &mut run }, baseline, lanes)?;
            }
            // Reading is a sixteenth slower where a field of parts may come.
            None if self.layout.has_parts => {
                self.fields::<_, true>(&mut run, baseline, lanes, owner)?;
            }
            None => self.fields::<_, false>(&mut run, baseline, lanes, owner)?,
        }
        run.end()
    }

    /// A delta without a model.
    #[inline]
    fn fields<R: LaneStream, const PARTS: bool>(
        &self,
        run: &mut R,
        baseline: &Baseline<'_>,
        lanes: &mut [i32],
        owner: bool,
    ) -> Result<(), BitError> {
        let lanes = &mut lanes[..self.layout.lanes.len()];
        if R::READING {
            lanes.copy_from_slice(&baseline.lanes[..self.layout.lanes.len()]);
        }
        let differing = if R::READING { 0 } else { self.layout.differing(baseline, lanes, owner) };
        for group in self.layout.groups.iter().filter(|group| group.rule == SendRule::Always) {
            self.group::<_, PARTS>(run, group, (baseline, differing), lanes, owner)?;
        }
        if !self.layout.rare {
            return Ok(());
        }
        let rare = || self.layout.groups.iter().filter(|group| group.rule == SendRule::Rare);
        let mut any = differing & self.layout.masks.rare != 0;
        run.flag(&mut any);
        if any {
            for group in rare() {
                self.group::<_, PARTS>(run, group, (baseline, differing), lanes, owner)?;
            }
        } else if R::READING {
            for group in rare() {
                if group.owner_only && !owner {
                    lanes[group.range()].fill(0);
                } else if group.has_velocity {
                    for at in group.range() {
                        lanes[at] = self.layout.predict(at, baseline, lanes);
                    }
                }
            }
        }
        Ok(())
    }

    /// The model's chances that an entity with this baseline is coded; `None` without a model.
    pub fn chances(&self, baseline: &Baseline<'_>, owner: bool) -> Option<Chances> {
        let (plan, model) = &**self.model.as_ref()?;
        SiteCoder { plan, layout: &self.layout, owner }.chances(model, baseline)
    }

    #[inline(always)]
    fn group<R: LaneStream, const PARTS: bool>(
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
        if PARTS
            && changed
            && let Some(parts) = group.parts
        {
            return self.delta_parts(run, (group.range(), parts), baseline, lanes);
        }
        // Lanes of one group do not predict each other.
        if changed && group.has_velocity {
            for at in group.range() {
                let predicted = self.layout.predict(at, baseline, lanes);
                self.layout.lanes[at].residual(run, predicted, &mut lanes[at])?;
            }
        } else if changed {
            let lanes = self.layout.lanes[group.range()].iter().zip(&mut lanes[group.range()]);
            for ((lane, value), before) in lanes.zip(&baseline.lanes[group.range()]) {
                lane.residual(run, *before, value)?;
            }
        } else if R::READING && group.has_velocity {
            for at in group.range() {
                lanes[at] = self.layout.predict(at, baseline, lanes);
            }
        }
        Ok(())
    }
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
}

#[cfg(test)]
mod tests;
