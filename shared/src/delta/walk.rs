//! The sites of a model, walked without bits.

use crate::bits::BitError;
use crate::model::plan::SitePlan;
use crate::model::{Features, SiteStream};
use crate::schema::KindSchema;

use super::{Baseline, LaneTable};

/// A kind's sites, to be walked by something other than bits, such as training.
#[derive(Clone, Debug)]
pub struct SiteWalk {
    plan: SitePlan,
    table: LaneTable,
    features: usize,
}

impl SiteWalk {
    /// The sites of `kind`, where `common` tells for each chunk which of its fields usually change
    /// together.
    pub fn new(kind: &KindSchema, tick_hz: u32, common: &[u8]) -> Self {
        SiteWalk {
            plan: SitePlan::new(kind, common),
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
