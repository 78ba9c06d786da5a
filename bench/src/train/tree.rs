//! Grows a site's decision tree.

use tickwire_shared::model::chance::CHANCE_ONE;
use tickwire_shared::model::{ChanceTree, Child, LEAVES_MAX, Leaf, Site, Split};

use super::Effort;
use super::prefix;
use super::samples::{Samples, WEIGHTS, What};

/// Most samples of a node by which splits are judged; of more, an even selection.
const JUDGED_MAX: usize = 40_000;
/// Thresholds tried for each feature.
const THRESHOLDS: usize = 24;
/// Fewest samples on each side of a split.
const SIDE_MIN: u32 = 60;
/// Cost in bits of each further symbol in a leaf's code: its length must be sent, and is less
/// certain.
const SYMBOL_BITS: f64 = 6.0;

/// A tree, and the bits of the training with it.
pub(crate) struct Grown {
    pub site: Site,
    pub bits: f64,
}

/// A leaf of the growing tree.
struct Bud {
    samples: Vec<u32>,
    place: usize,
    split: Option<Cut>,
}

#[derive(Clone, Copy)]
struct Cut {
    gain: f64,
    feature: usize,
    threshold: i32,
}

enum Node {
    Bud,
    Split(usize, i32, [usize; 2]),
}

/// Grows the tree of a site that codes the symbols marked true in `symbols`.
pub(crate) fn grow(samples: &Samples, symbols: &[bool], effort: Effort) -> Grown {
    let (nodes, buds) = split(samples, symbols.len(), effort);
    let mut bits = 0.0;
    let (splits, leaves) = finish(&nodes, &buds, |of| {
        let (leaf, cost) = leaf(samples, symbols, of);
        bits += cost;
        leaf
    });
    Grown { site: Site { splits, leaves }, bits }
}

/// Grows the tree of chances that entities are coded. Samples are heads: 1 if coded, after `recent`
/// coded ones among the two slots before each.
pub(crate) fn grow_chances(samples: &Samples, recent: &[usize], effort: Effort) -> ChanceTree {
    let (nodes, buds) = split(samples, 2, effort);
    let (splits, leaves) = finish(&nodes, &buds, |of| {
        [0, 1, 2].map(|context| {
            let mut counts = [0.4, 0.4];
            for &sample in of.iter().filter(|&&sample| recent[sample as usize] == context) {
                counts[samples.what(sample).symbol(0, 0).0] += f64::from(samples.weight(sample));
            }
            let chance = counts[1] / (counts[0] + counts[1]) * f64::from(CHANCE_ONE);
            chance.round().clamp(1.0, f64::from(u16::MAX)) as u16
        })
    });
    ChanceTree { splits, leaves }
}

fn split(samples: &Samples, alphabet: usize, effort: Effort) -> (Vec<Node>, Vec<Bud>) {
    let judge = Judge::new(samples, alphabet);
    let all: Vec<u32> = (0..samples.len() as u32).collect();
    let mut nodes = vec![Node::Bud];
    let split = judge.best_cut(&all, effort);
    let mut buds = vec![Bud { samples: all, place: 0, split }];
    while buds.len() < effort.leaves_max.min(LEAVES_MAX) {
        let gain = |bud: &Bud| bud.split.map_or(0.0, |cut| cut.gain);
        let best = (0..buds.len()).max_by(|&a, &b| gain(&buds[a]).total_cmp(&gain(&buds[b])));
        let Some((best, cut)) = best.and_then(|at| Some((at, buds[at].split?))) else { break };
        let bud = buds.swap_remove(best);
        let (below, above): (Vec<u32>, Vec<u32>) = bud
            .samples
            .iter()
            .partition(|&&sample| samples.feature(sample, cut.feature) <= cut.threshold);
        let first = nodes.len();
        nodes[bud.place] = Node::Split(cut.feature, cut.threshold, [first, first + 1]);
        for (place, samples) in (first..).zip([below, above]) {
            nodes.push(Node::Bud);
            let split = judge.best_cut(&samples, effort);
            buds.push(Bud { samples, place, split });
        }
    }
    (nodes, buds)
}

/// Numbers splits and leaves, parents first, and makes each leaf from its samples.
fn finish<L>(
    nodes: &[Node],
    buds: &[Bud],
    mut leaf: impl FnMut(&[u32]) -> L,
) -> (Vec<Split>, Vec<L>) {
    let (mut splits, mut leaves) = (0u8, 0u8);
    let numbers: Vec<Child> = nodes
        .iter()
        .map(|node| match node {
            Node::Split(..) => {
                splits += 1;
                Child::Split(splits - 1)
            }
            Node::Bud => {
                leaves += 1;
                Child::Leaf(leaves - 1)
            }
        })
        .collect();
    let (mut splits, mut leaves) = (Vec::new(), Vec::new());
    for (place, node) in nodes.iter().enumerate() {
        match *node {
            Node::Split(feature, threshold, children) => splits.push(Split {
                feature: feature as u16,
                threshold,
                children: children.map(|child| numbers[child]),
            }),
            Node::Bud => {
                let bud =
                    buds.iter().find(|bud| bud.place == place).expect("every bud has a place");
                leaves.push(leaf(&bud.samples));
            }
        }
    }
    (splits, leaves)
}

/// The best weight, bias and code of a leaf, and the bits with them.
fn leaf(samples: &Samples, symbols: &[bool], of: &[u32]) -> (Leaf, f64) {
    let cost = |weight: i64, bias: i64| {
        let mut counts = vec![0; symbols.len()];
        let mut plain = 0;
        for &sample in of {
            let (symbol, bits) = samples.what(sample).symbol(weight, bias);
            counts[symbol] += samples.weight(sample);
            plain += u64::from(bits);
        }
        (entropy_bits(&counts) + plain as f64, counts, plain)
    };
    let lanes = of.iter().any(|&sample| matches!(samples.what(sample), What::Lane(..)));
    let mut best = (cost(0, 0), 0, 0);
    if lanes {
        for weight in -2..=22 {
            let middle = i64::from(median_residual(samples, of, weight).clamp(-8000, 8000));
            for bias in [0, middle] {
                let tried = cost(weight, bias);
                if tried.0 < best.0.0 {
                    best = (tried, weight, bias);
                }
            }
        }
    }
    let ((_, counts, plain), weight, bias) = best;
    let lengths = prefix::lengths(&counts, symbols);
    let coded: u64 =
        counts.iter().zip(&lengths).map(|(&n, &bits)| u64::from(n) * u64::from(bits)).sum();
    let pairs = lengths.chunks(2).map(|pair| pair[0] | pair.get(1).map_or(0, |next| next << 4));
    let leaf = Leaf { weight: weight as i8, bias: bias as i16, lengths: pairs.collect() };
    (leaf, (coded + plain) as f64)
}

fn median_residual(samples: &Samples, of: &[u32], weight: i64) -> i32 {
    let step = (of.len() / 2000).max(1);
    let mut residuals: Vec<i32> = of
        .iter()
        .step_by(step)
        .filter_map(|&sample| match samples.what(sample) {
            What::Lane(place, value) => Some(place.residual(*value, weight, 0)),
            What::Head(_) => None,
        })
        .collect();
    if residuals.is_empty() {
        return 0;
    }
    let middle = residuals.len() / 2;
    *residuals.select_nth_unstable(middle).1
}

/// Finds the best split of a node.
struct Judge<'a> {
    samples: &'a Samples,
    /// The symbol and plain bits of each sample under each of [`WEIGHTS`].
    symbols: Vec<[(u8, u8); WEIGHTS.len()]>,
    alphabet: usize,
    /// Features that differ between samples.
    features: Vec<usize>,
}

impl<'a> Judge<'a> {
    fn new(samples: &'a Samples, alphabet: usize) -> Self {
        let all = 0..samples.len() as u32;
        let symbols = all.clone().map(|sample| {
            WEIGHTS.map(|weight| {
                let (symbol, bits) = samples.what(sample).symbol(weight, 0);
                (symbol as u8, bits as u8)
            })
        });
        let differs = |&feature: &usize| {
            let mut values = all.clone().map(|sample| samples.feature(sample, feature));
            values.next().is_some_and(|first| values.any(|value| value != first))
        };
        let features = (0..samples.features()).filter(differs).collect();
        Judge { samples, symbols: symbols.collect(), alphabet, features }
    }

    fn best_cut(&self, of: &[u32], effort: Effort) -> Option<Cut> {
        if of.len() < 2 * SIDE_MIN as usize {
            return None;
        }
        let step = of.len().div_ceil(JUDGED_MAX);
        let judged: Vec<u32> = of.iter().copied().step_by(step).collect();
        let scale = of.len() as f64 / judged.len() as f64;
        let cuts = self.features.iter().filter_map(|&feature| self.cut(&judged, feature, scale));
        cuts.filter(|cut| cut.gain > effort.gain_bits_min).max_by(|a, b| a.gain.total_cmp(&b.gain))
    }

    /// Finds the best threshold of one feature.
    fn cut(&self, of: &[u32], feature: usize, scale: f64) -> Option<Cut> {
        let values: Vec<i32> = of.iter().map(|&it| self.samples.feature(it, feature)).collect();
        let thresholds = thresholds(&values);
        if thresholds.is_empty() {
            return None;
        }
        let (bins, width) = (thresholds.len() + 1, WEIGHTS.len() * self.alphabet);
        let mut counts = vec![0u32; bins * width];
        let mut plain = vec![[0u64; WEIGHTS.len()]; bins];
        let mut sizes = vec![0u32; bins];
        for (&sample, value) in of.iter().zip(values) {
            let bin = thresholds.partition_point(|&threshold| threshold < value);
            sizes[bin] += 1;
            let weight = self.samples.weight(sample);
            for (at, &(symbol, bits)) in self.symbols[sample as usize].iter().enumerate() {
                counts[bin * width + at * self.alphabet + usize::from(symbol)] += weight;
                plain[bin][at] += u64::from(bits);
            }
        }
        let mut above = vec![0u32; width];
        let mut above_plain = [0u64; WEIGHTS.len()];
        for bin in 0..bins {
            add(&mut above, &counts[bin * width..(bin + 1) * width]);
            (0..WEIGHTS.len()).for_each(|at| above_plain[at] += plain[bin][at]);
        }
        let whole = self.cost(&above, &above_plain, scale);
        let mut below = vec![0u32; width];
        let mut below_plain = [0u64; WEIGHTS.len()];
        let mut below_size = 0;
        let mut best: Option<Cut> = None;
        for bin in 0..bins - 1 {
            below_size += sizes[bin];
            let row = &counts[bin * width..(bin + 1) * width];
            add(&mut below, row);
            above.iter_mut().zip(row).for_each(|(above, row)| *above -= row);
            for at in 0..WEIGHTS.len() {
                below_plain[at] += plain[bin][at];
                above_plain[at] -= plain[bin][at];
            }
            if below_size < SIDE_MIN || of.len() as u32 - below_size < SIDE_MIN {
                continue;
            }
            let parts =
                self.cost(&below, &below_plain, scale) + self.cost(&above, &above_plain, scale);
            let gain = whole - parts;
            if best.is_none_or(|best| gain > best.gain) {
                best = Some(Cut { gain, feature, threshold: thresholds[bin] });
            }
        }
        best
    }

    /// The bits under the best weight, including the code's own.
    fn cost(&self, counts: &[u32], plain: &[u64; WEIGHTS.len()], scale: f64) -> f64 {
        let each = counts.chunks(self.alphabet).zip(plain).map(|(counts, &plain)| {
            let used = counts.iter().filter(|count| **count > 0).count() as f64;
            (entropy_bits(counts) + plain as f64) * scale + used * SYMBOL_BITS
        });
        each.fold(f64::INFINITY, f64::min)
    }
}

fn add(sums: &mut [u32], more: &[u32]) {
    sums.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
}

/// Thresholds that split the samples about evenly.
fn thresholds(values: &[i32]) -> Vec<i32> {
    let mut some: Vec<i32> = values.iter().copied().step_by((values.len() / 1000).max(1)).collect();
    some.sort_unstable();
    let last = some[some.len() - 1];
    let mut thresholds: Vec<i32> =
        (0..THRESHOLDS).map(|at| some[at * some.len() / THRESHOLDS]).collect();
    thresholds.dedup();
    thresholds.retain(|&threshold| threshold < last);
    thresholds
}

fn entropy_bits(counts: &[u32]) -> f64 {
    let total: u32 = counts.iter().sum();
    let part = |&count: &u32| {
        if count == 0 { 0.0 } else { f64::from(count) * f64::from(count).log2() }
    };
    if total == 0 { 0.0 } else { part(&total) - counts.iter().map(part).sum::<f64>() }
}
