//! Visits the sites of a model without coding bits.

use crate::bits::BitError;
use crate::model::coder::SiteCoder;
use crate::model::plan::SitePlan;
use crate::model::{Features, SiteStream};
use crate::schema::KindSchema;

use crate::lane_layout::{Baseline, LaneLayout};

/// A kind's sites, to be visited without bits, such as for training.
#[derive(Clone, Debug)]
pub struct SiteWalk {
    plan: SitePlan,
    layout: LaneLayout,
    features: usize,
}

impl SiteWalk {
    /// The sites of `kind`; `common` holds for each chunk the pattern of fields that usually change
    /// together.
    pub fn new(kind: &KindSchema, tick_hz: u32, common: &[u8]) -> Self {
        SiteWalk {
            plan: SitePlan::new(kind, common),
            layout: LaneLayout::new(kind, tick_hz),
            features: Features::count(kind),
        }
    }

    /// Passes the lanes of one entity through the sites, as
    /// [`LaneTable::delta`](super::LaneTable::delta) does.
    ///
    /// # Errors
    /// The errors of `sites`.
    pub fn delta<C: SiteStream>(
        &self,
        sites: &mut C,
        baseline: &Baseline<'_>,
        lanes: &mut [i32],
        owner: bool,
    ) -> Result<(), BitError> {
        self.coder(owner).delta(sites, baseline, lanes)
    }

    /// The features that the baselines alone give.
    pub fn look_back(&self, baseline: &Baseline<'_>, owner: bool) -> Vec<i32> {
        let mut features = vec![0; self.features];
        self.coder(owner).look_back(baseline, &mut features);
        features
    }

    fn coder(&self, owner: bool) -> SiteCoder<'_> {
        SiteCoder { plan: &self.plan, layout: &self.layout, owner }
    }
}
