//! Trains a model of a game from what its entities did.
//!
//! Every changed entity is taken through its sites as the codec does. For each site a decision tree is
//! grown over what both sides know there, the split first that saves most bits; each leaf gets the
//! prediction and the prefix code that suit it best.

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

/// Of entities that do not move and are not told of, which are most, one in so many is looked at.
const RESTING_STEP: u32 = 16;
const NEVER_FAILS: &str = "collecting never fails";

/// One entity in one snapshot: its lanes and its baselines.
pub(crate) struct Sight<'a> {
    pub baseline: Baseline<'a>,
    pub lanes: &'a [i32],
    /// It belongs to the client.
    pub owner: bool,
    /// How many of the two slots before it are told of.
    pub recent: usize,
}

/// All entities of a kind in all snapshots, in their order, as often as they are asked for.
pub(crate) type Sights<'a> = dyn Fn(&mut dyn FnMut(&Sight<'_>)) + Sync + 'a;

/// How far to go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    /// Most leaves of a site's tree.
    pub leaves_max: usize,
    /// A split must save so many bits over the whole training.
    pub gain_bits_min: f64,
    /// Whether to learn how likely entities are told of.
    pub with_chances: bool,
}

/// Trains one kind; one that was never seen to change keeps the defaults. `report` hears of each site: its number, leaves, symbols and bits a symbol.
pub(crate) fn train_kind(
    kind: &KindSchema,
    tick_hz: u32,
    sights: &Sights<'_>,
    effort: Effort,
    report: &(dyn Fn(String) + Sync),
) -> KindModel {
    let table = LaneTable::new(kind, tick_hz);
    // Only what is not as expected is told.
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

/// For each chunk the pattern that occurs most; `None` where nothing is told at all.
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
