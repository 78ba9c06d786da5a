//! A kind's sites in coding order.

use std::ops::Range;

use super::features::{
    AGE, BASE, ERROR, FeatureStore, Features, GAP, MOVED, MOVED_SIZE, PATH, RESIDUAL,
    RESIDUAL_SIZE, SPEED, STEP,
};
use super::place::LanePlace;
use super::{CHUNK_FIELDS_MAX, chunks, flips, merged_field, rotation_bits};
use crate::lane_layout::lane_mask;
use crate::schema::{FieldSchema, KindSchema};

/// A kind's sites.
#[derive(Clone, Debug)]
pub(crate) struct SitePlan {
    /// The number of kept features.
    pub(super) kept: usize,
    pub(super) age: u16,
    pub(super) gap: u16,
    pub(super) lanes: Vec<PlanLane>,
    pub(super) fields: Vec<PlanField>,
    /// Lanes whose baseline value is a used feature: lane, place of the feature, owner-only.
    pub(super) bases: Vec<(usize, u16, bool)>,
    /// Numbers of the fields with a used feature of motion.
    pub(super) moved: Vec<usize>,
    pub(super) chunks: Vec<PlanChunk>,
    /// Some fields are owner-only.
    pub(super) owner_only: bool,
}

/// A lane, and the places of its features.
#[derive(Clone, Debug)]
pub(super) struct PlanLane {
    pub(super) place: LanePlace,
    pub(super) moved: u16,
    pub(super) moved_size: u16,
    pub(super) residual: u16,
    pub(super) residual_size: u16,
    pub(super) step: u16,
    /// True if later sites use its residual or its field's error.
    pub(super) residual_noted: bool,
    /// True if later sites use its step or its field's path.
    pub(super) step_noted: bool,
}

/// A field, and the places of its features.
#[derive(Clone, Debug)]
pub(super) struct PlanField {
    pub(super) first: usize,
    pub(super) count: usize,
    pub(super) owner_only: bool,
    pub(super) rotation_bits: Option<u32>,
    pub(super) has_velocity: bool,
    pub(super) flips: bool,
    pub(super) speed: u16,
    pub(super) error: u16,
    pub(super) path: u16,
}

#[derive(Clone, Debug)]
pub(super) struct PlanChunk {
    pub(super) fields: Vec<PlanField>,
    /// The lanes of each of its fields.
    masks: [u64; CHUNK_FIELDS_MAX],
    /// The pattern of the fields that others than the owner get.
    pub(super) public: usize,
    /// The pattern of the fields with a velocity.
    pub(super) moving: usize,
    pub(super) usual: usize,
    /// The field that is merged with the pattern, by its position in the chunk.
    pub(super) merged: Option<usize>,
    /// The place of its pattern's feature.
    pub(super) kept: u16,
}

impl SitePlan {
    /// `common` as in a [`KindModel`](super::KindModel), one for each chunk. Keeps all features.
    pub(crate) fn new(kind: &KindSchema, common: &[u8]) -> Self {
        SitePlan::keeping(kind, common, &FeatureStore::all(Features::count(kind)))
    }

    /// Like [`SitePlan::new`], keeping only the features that are used.
    pub(crate) fn keeping(kind: &KindSchema, common: &[u8], kept: &FeatureStore) -> Self {
        let at = Features { lanes: kind.lanes(), fields: kind.fields.len() };
        let (mut lanes, mut fields) = (Vec::new(), Vec::new());
        let (mut bases, mut moved) = (Vec::new(), Vec::new());
        for (number, field) in kind.fields.iter().enumerate() {
            let plan =
                PlanField::new(field, lanes.len(), |what| kept.place(at.field(what, number)));
            let own = plan.range().map(|lane| {
                let kept = |what| kept.place(at.lane(what, lane));
                bases.push((lane, kept(BASE), field.owner_only));
                PlanLane::new(field, lane - plan.first, &plan, kept)
            });
            lanes.extend(own);
            let own = lanes[plan.range()].iter().flat_map(|lane| [lane.moved, lane.moved_size]);
            if own.chain([plan.speed]).any(FeatureStore::is_asked) {
                moved.push(number);
            }
            fields.push(plan);
        }
        bases.retain(|&(_, kept, _)| FeatureStore::is_asked(kept));
        let chunks = chunks(kind).into_iter().zip(common).enumerate();
        let chunks = chunks.map(|(number, (chunk, &common))| {
            let merged = merged_field(kind, &chunk, common);
            let merged = chunk.iter().position(|&field| Some(field) == merged);
            let own = chunk.iter().map(|&field| fields[field].clone()).collect();
            PlanChunk::new(own, common, merged, kept.place(at.pattern(number)))
        });
        SitePlan {
            kept: kept.len(),
            age: kept.place(AGE),
            gap: kept.place(GAP),
            chunks: chunks.collect(),
            owner_only: kind.fields.iter().any(|field| field.owner_only),
            lanes,
            fields,
            bases,
            moved,
        }
    }
}

impl PlanField {
    fn new(field: &FieldSchema, first: usize, kept: impl Fn(usize) -> u16) -> Self {
        PlanField {
            first,
            count: field.lanes(),
            owner_only: field.owner_only,
            rotation_bits: rotation_bits(field),
            has_velocity: field.velocity.is_some(),
            flips: flips(field),
            speed: kept(SPEED),
            error: kept(ERROR),
            path: kept(PATH),
        }
    }

    #[inline]
    pub(super) fn range(&self) -> Range<usize> {
        self.first..self.first + self.count
    }
}

impl PlanLane {
    /// Lane number `lane` of `field`.
    fn new(
        field: &FieldSchema,
        lane: usize,
        plan: &PlanField,
        kept: impl Fn(usize) -> u16,
    ) -> Self {
        let (min, max) = field.lane_range(lane);
        let place = LanePlace {
            min: min as i32,
            span: max - min,
            bits: 64 - ((max - min) as u64).leading_zeros(),
            wraps: field.wraps(lane),
            last: 0,
            next: 0,
        };
        let residuals = [kept(RESIDUAL), kept(RESIDUAL_SIZE), plan.error];
        PlanLane {
            place,
            moved: kept(MOVED),
            moved_size: kept(MOVED_SIZE),
            residual: residuals[0],
            residual_size: residuals[1],
            step: kept(STEP),
            residual_noted: residuals.into_iter().any(FeatureStore::is_asked),
            step_noted: [kept(STEP), plan.path].into_iter().any(FeatureStore::is_asked),
        }
    }
}

impl PlanChunk {
    fn new(fields: Vec<PlanField>, common: u8, merged: Option<usize>, kept: u16) -> Self {
        let mut masks = [0; CHUNK_FIELDS_MAX];
        for (mask, field) in masks.iter_mut().zip(&fields) {
            *mask = lane_mask(field.first, field.count);
        }
        let pattern = |some: fn(&PlanField) -> bool| {
            (0..).zip(&fields).fold(0, |all, (bit, field)| all | usize::from(some(field)) << bit)
        };
        PlanChunk {
            masks,
            public: pattern(|field| !field.owner_only),
            moving: pattern(|field| field.has_velocity),
            usual: usize::from(common),
            merged,
            kept,
            fields,
        }
    }

    /// The pattern of its fields that have any of these lanes.
    #[inline]
    pub(super) fn pattern_of(&self, lanes: u64) -> usize {
        let bits = self.masks.iter().enumerate();
        bits.fold(0, |pattern, (bit, mask)| pattern | usize::from(lanes & mask != 0) << bit)
    }
}
