//! The samples of one site in the training.

use tickwire_shared::bits::BitError;
use tickwire_shared::model::token::{self, TOKENS};
use tickwire_shared::model::{Features, LanePlace, SiteStream, SymbolHead};
use tickwire_shared::schema::KindSchema;

/// Weights tried when a split is judged, in sixteenths.
pub(crate) const WEIGHTS: [i64; 6] = [0, 4, 8, 12, 14, 16];

/// All samples coded at one site.
pub(crate) struct Samples {
    site: usize,
    features: usize,
    /// The features of each sample in turn.
    rows: Vec<i32>,
    what: Vec<What>,
    /// The number of cases that each sample stands for.
    weights: Vec<u32>,
}

/// The coded value of a sample.
#[derive(Clone, Copy, Debug)]
pub(crate) enum What {
    /// A head other than the usual one, as a symbol.
    Head(usize),
    /// A lane.
    Lane(LanePlace, i32),
}

impl What {
    /// The symbol and the number of plain bits, under a leaf with this weight and bias.
    #[inline]
    pub(crate) fn symbol(&self, weight: i64, bias: i64) -> (usize, u32) {
        match self {
            What::Head(symbol) => (*symbol, 0),
            What::Lane(place, value) => {
                let (token, _, bits) = token::split(place.residual(*value, weight, bias));
                if token == token::TOKEN_PLAIN { (token, place.bits()) } else { (token, bits) }
            }
        }
    }
}

impl Samples {
    pub(crate) fn new(kind: &KindSchema, site: usize) -> Self {
        Samples {
            site,
            features: Features::count(kind),
            rows: Vec::new(),
            what: Vec::new(),
            weights: Vec::new(),
        }
    }

    /// Adds a sample that stands for `weight` cases.
    pub(crate) fn push(&mut self, features: &[i32], what: What, weight: u32) {
        self.rows.extend_from_slice(&features[..self.features]);
        self.what.push(what);
        self.weights.push(weight);
    }

    /// The number of cases that a sample stands for.
    #[inline]
    pub(crate) fn weight(&self, sample: u32) -> u32 {
        self.weights[sample as usize]
    }

    pub(crate) fn len(&self) -> usize {
        self.what.len()
    }

    pub(crate) fn features(&self) -> usize {
        self.features
    }

    #[inline]
    pub(crate) fn feature(&self, sample: u32, feature: usize) -> i32 {
        self.rows[sample as usize * self.features + feature]
    }

    #[inline]
    pub(crate) fn what(&self, sample: u32) -> &What {
        &self.what[sample as usize]
    }
}

impl SiteStream for Samples {
    const READING: bool = false;

    fn site(
        &mut self,
        site: usize,
        features: &[i32],
        head: Option<SymbolHead<'_>>,
        lane: Option<(&LanePlace, &mut i32)>,
    ) -> Result<(), BitError> {
        if site != self.site {
            return Ok(());
        }
        let what = match (head, lane) {
            (Some(head), lane) if head.is_told(lane.is_some()) => What::Head(TOKENS + *head.value),
            (_, Some((place, value))) => What::Lane(*place, *value),
            _ => return Ok(()),
        };
        self.push(features, what, 1);
        Ok(())
    }
}
