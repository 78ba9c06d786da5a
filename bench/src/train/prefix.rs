//! Code lengths for symbols with given counts.

use tickwire_shared::model::code::CODE_BITS_MAX;

const NEVER: f64 = 0.02;

/// Lengths of a prefix code with the fewest bits for `counts`, none above [`CODE_BITS_MAX`]. Needed
/// symbols that never occurred get a code as well; others get none.
pub(crate) fn lengths(counts: &[u32], needed: &[bool]) -> Vec<u8> {
    // A symbol that never occurred gets a little less weight than one that occurred once.
    let mut weights: Vec<f64> = counts
        .iter()
        .zip(needed)
        .map(|(&count, &needed)| if needed { f64::from(count).max(NEVER) } else { 0.0 })
        .collect();
    let total: f64 = weights.iter().sum();
    let mut least = NEVER;
    loop {
        let lengths = huffman(&weights);
        if lengths.iter().all(|&length| u32::from(length) <= CODE_BITS_MAX) {
            return lengths;
        }
        least = (least * 1.5).max(total / f64::from(1 << (CODE_BITS_MAX + 1)));
        for weight in weights.iter_mut().filter(|weight| **weight > 0.0) {
            *weight = weight.max(least);
        }
    }
}

/// The lengths of a Huffman code; 0 for symbols without weight.
fn huffman(weights: &[f64]) -> Vec<u8> {
    let mut lengths = vec![0u8; weights.len()];
    let mut leaves: Vec<(f64, usize)> =
        weights.iter().copied().zip(0..).filter(|(weight, _)| *weight > 0.0).collect();
    if let [(_, only)] = leaves[..] {
        lengths[only] = 1;
        return lengths;
    }
    leaves.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    // Two queues, both ascending: the leaves, and the pairs in the order of creation.
    let mut pairs: Vec<(f64, [usize; 2])> = Vec::new();
    let (mut leaf, mut pair) = (0, 0);
    let count = leaves.len();
    let mut take = |pairs: &Vec<(f64, [usize; 2])>| {
        let next_leaf = leaves.get(leaf).map_or(f64::INFINITY, |it| it.0);
        let next_pair = pairs.get(pair).map_or(f64::INFINITY, |it| it.0);
        if next_leaf <= next_pair {
            leaf += 1;
            (next_leaf, leaf - 1)
        } else {
            pair += 1;
            (next_pair, count + pair - 1)
        }
    };
    for _ in 1..count {
        let (a, b) = (take(&pairs), take(&pairs));
        pairs.push((a.0 + b.0, [a.1, b.1]));
    }
    let mut depth = vec![0u8; pairs.len()];
    for at in (0..pairs.len()).rev() {
        for child in pairs[at].1 {
            match child.checked_sub(count) {
                Some(pair) => depth[pair] = depth[at] + 1,
                None => lengths[leaves[child].1] = depth[at] + 1,
            }
        }
    }
    lengths
}

#[cfg(test)]
mod tests {
    use super::*;
    use tickwire_shared::model::code::PrefixCode;

    #[test]
    fn common_symbols_get_short_codes_and_all_needed_one() {
        let counts = [1000, 500, 250, 125, 0, 7];
        let needed = [true, true, true, true, true, false];
        let lengths = lengths(&counts, &needed);
        assert_eq!(lengths, [1, 2, 3, 4, 4, 0]);
    }

    #[test]
    fn no_code_is_too_long() {
        let counts: Vec<u32> = (0..32).map(|at| 1 << at).chain([0; 60]).collect();
        let lengths = lengths(&counts, &[true; 92]);
        assert!(lengths.iter().all(|&length| length > 0));
        assert!(PrefixCode::new(&lengths).is_some(), "{lengths:?}");
    }
}
