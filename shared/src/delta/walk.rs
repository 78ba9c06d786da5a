//! The sites of a model, walked without bits.

use crate::bits::BitError;
use crate::model::coder::SiteCoder;
use crate::model::plan::SitePlan;
use crate::model::{Features, SiteStream};
use crate::schema::KindSchema;

use crate::lane_layout::{Baseline, LaneLayout};

/// A kind's sites, to be walked by something other than bits, such as training.
#[derive(Clone, Debug)]
pub struct SiteWalk {
    plan: SitePlan,
    layout: LaneLayout,
    features: usize,
}

impl SiteWalk {
    /// The sites of `kind`, where `common` tells for each chunk which of its fields usually change
    /// together.
    pub fn new(kind: &KindSchema, tick_hz: u32, common: &[u8]) -> Self {
        SiteWalk {
            plan: SitePlan::new(kind, common),
            layout: LaneLayout::new(kind, tick_hz),
            features: Features::count(kind),
        }
    }

    /// Takes the lanes of one entity through the sites, as [`LaneTable::delta`](super::LaneTable::delta) does.
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
        self.coder(owner).delta(sites, baseline, lanes)
    }

    /// What the baselines alone tell of an entity.
    pub fn look_back(&self, baseline: &Baseline<'_>, owner: bool) -> Vec<i32> {
        let mut features = vec![0; self.features];
        self.coder(owner).look_back(baseline, &mut features);
        features
    }

    fn coder(&self, owner: bool) -> SiteCoder<'_> {
        SiteCoder { plan: &self.plan, layout: &self.layout, owner }
    }
}
