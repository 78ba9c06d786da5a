//! Trains a model of a game on recordings of its entities.
//!
//! Every changed entity passes through its sites as in the codec. For each site a decision tree is
//! grown over the features that both sides know there, by the split that saves most bits first;
//! each leaf gets the best prediction and prefix code.

mod command;
mod prefix;
mod samples;
mod tree;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use tickwire_shared::bits::BitError;
use tickwire_shared::delta::{Baseline, LaneTable, SiteWalk};
use tickwire_shared::model::{ChanceTree, KindModel, LanePlace, Site, SiteStream, SymbolHead};
use tickwire_shared::schema::KindSchema;

pub(crate) use command::{TrainArguments, run};
use samples::{Samples, What};

/// One in this many of the resting entities that are not coded, which are the majority, is used.
const RESTING_STEP: u32 = 16;
const NEVER_FAILS: &str = "collecting never fails";

/// One entity in one snapshot: its lanes and its baselines.
pub(crate) struct Sight<'a> {
    pub baseline: Baseline<'a>,
    pub lanes: &'a [i32],
    /// It belongs to the client.
    pub owner: bool,
    /// How many of the two slots before it are coded.
    pub recent: usize,
}

/// Passes all entities of a kind in all snapshots, in order, to its argument; may be called
/// repeatedly.
pub(crate) type Sights<'a> = dyn Fn(&mut dyn FnMut(&Sight<'_>)) + Sync + 'a;

/// Limits of the training.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    /// Most leaves of a site's tree.
    pub leaves_max: usize,
    /// Fewest bits that a split must save over the whole training.
    pub gain_bits_min: f64,
    /// Whether to learn the chances that entities are coded.
    pub with_chances: bool,
}

/// Trains one kind; a kind that never changed keeps the defaults. `report` gets a line for each
/// site: its number, leaves, symbols and bits a symbol.
pub(crate) fn train_kind(
    kind: &KindSchema,
    tick_hz: u32,
    sights: &Sights<'_>,
    effort: Effort,
    report: &(dyn Fn(String) + Sync),
) -> KindModel {
    let table = LaneTable::new(kind, tick_hz);
    // Only entities that differ from their prediction are coded.
    let told = |take: &mut dyn FnMut(&Sight<'_>)| {
        sights(&mut |sight| {
            if !table.is_predicted(&sight.baseline, sight.lanes, sight.owner) {
                take(sight);
            }
        });
    };
    let Some(common) = common_patterns(kind, tick_hz, &told) else {
        return KindModel::default();
    };
    let walk = SiteWalk::new(kind, tick_hz, &common);
    let count = common.len() + kind.lanes();
    let sites: Vec<Mutex<Site>> = (0..count).map(|_| Mutex::default()).collect();
    let next = AtomicUsize::new(0);
    let work = || {
        loop {
            let site = next.fetch_add(1, Ordering::Relaxed);
            if site >= count {
                return;
            }
            let symbols = KindModel::symbols(kind, &common, site);
            if !symbols.contains(&true) {
                continue;
            }
            let mut samples = Samples::new(kind, site);
            told(&mut |sight| {
                let lanes = &mut sight.lanes.to_vec();
                walk.delta(&mut samples, &sight.baseline, lanes, sight.owner).expect(NEVER_FAILS);
            });
            let grown = tree::grow(&samples, &symbols, effort);
            report(format!(
                "{} site {site}: {} leaves, {} symbols, {:.3} bits each, {:.3} MB in all",
                kind.name,
                grown.site.leaves.len(),
                samples.len(),
                grown.bits / samples.len().max(1) as f64,
                grown.bits / 8e6,
            ));
            *sites[site].lock().expect("no trainer panics") = grown.site;
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
    let sites = sites.into_iter().map(|site| site.into_inner().expect("no trainer panics"));
    let chances = if effort.with_chances {
        chances(kind, &table, &walk, sights, effort)
    } else {
        ChanceTree::default()
    };
    KindModel { common, sites: sites.collect(), chances }
}

fn chances(
    kind: &KindSchema,
    table: &LaneTable,
    walk: &SiteWalk,
    sights: &Sights<'_>,
    effort: Effort,
) -> ChanceTree {
    let mut samples = Samples::new(kind, 0);
    let mut recent = Vec::new();
    let mut resting = 0;
    sights(&mut |sight| {
        let told = !table.is_predicted(&sight.baseline, sight.lanes, sight.owner);
        let rests = sight.baseline.second.is_some_and(|it| it.lanes == sight.baseline.lanes);
        let mut weight = 1;
        if rests && !told {
            resting += 1;
            if resting % RESTING_STEP != 0 {
                return;
            }
            weight = RESTING_STEP;
        }
        samples.push(
            &walk.look_back(&sight.baseline, sight.owner),
            What::Head(usize::from(told)),
            weight,
        );
        recent.push(sight.recent);
    });
    tree::grow_chances(&samples, &recent, effort)
}

/// The most frequent pattern of each chunk; `None` if nothing is coded at all.
fn common_patterns(kind: &KindSchema, tick_hz: u32, sights: &Sights<'_>) -> Option<Vec<u8>> {
    struct Counting(Vec<[u64; 16]>);
    impl SiteStream for Counting {
        const READING: bool = false;
        fn site(
            &mut self,
            site: usize,
            _features: &[i32],
            head: Option<SymbolHead<'_>>,
            _lane: Option<(&LanePlace, &mut i32)>,
        ) -> Result<(), BitError> {
            if let (Some(head), Some(counts)) = (head, self.0.get_mut(site)) {
                counts[*head.value] += 1;
            }
            Ok(())
        }
    }
    let chunks = KindModel::chunks(kind);
    let walk = SiteWalk::new(kind, tick_hz, &vec![0; chunks]);
    let mut counting = Counting(vec![[0; 16]; chunks]);
    sights(&mut |sight| {
        let lanes = &mut sight.lanes.to_vec();
        walk.delta(&mut counting, &sight.baseline, lanes, sight.owner).expect(NEVER_FAILS);
    });
    let most =
        |counts: &[u64; 16]| (0..16u8).max_by_key(|&at| counts[usize::from(at)]).unwrap_or(0);
    let any = counting.0.iter().flatten().any(|&count| count > 0);
    any.then(|| counting.0.iter().map(most).collect())
}
