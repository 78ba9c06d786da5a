//! The outcome of a tick: a hash of all that the game showed and, on request, the lanes themselves.

use tickwire_shared::{EntityId, PlayerId};

use super::record::EntityLanes;

/// Gathers what the game shows in one tick. The order in which entities are shown does not matter.
///
/// The hash is part of the format of journals and never changes. It is the wrapping sum of one number for each entity:
/// from [`FIRST`], `fold(number, word)` for the words `id | kind << 32`, the owner's number with bit 32 set (0 for
/// none), and then two lanes a word, the first in the low half.
#[derive(Debug, Default)]
pub(super) struct StateDigest {
    hash: u64,
    lanes: Option<Vec<EntityLanes>>,
}

impl StateDigest {
    /// Nothing shown so far.
    pub(super) fn new(with_lanes: bool) -> Self {
        StateDigest { hash: 0, lanes: with_lanes.then(Vec::new) }
    }

    /// Takes an entity in.
    pub(super) fn add(&mut self, id: EntityId, kind: u8, owner: Option<PlayerId>, lanes: &[i32]) {
        let mut number = fold(FIRST, word(id.0, u32::from(kind)));
        number = fold(number, owner.map_or(0, |owner| word(owner.0, 1)));
        let mut pairs = lanes.chunks_exact(2);
        for pair in &mut pairs {
            number = fold(number, word(pair[0] as u32, pair[1] as u32));
        }
        if let [last] = pairs.remainder() {
            number = fold(number, word(*last as u32, 0));
        }
        self.hash = self.hash.wrapping_add(number);
        if let Some(all) = &mut self.lanes {
            all.push(EntityLanes { id, kind, owner, lanes: lanes.to_vec() });
        }
    }

    /// The hash, and the lanes by entity if they were asked for.
    pub(super) fn finish(self) -> (u64, Option<Vec<EntityLanes>>) {
        let lanes = self.lanes.map(|mut lanes| {
            lanes.sort_by_key(|entity| entity.id);
            lanes
        });
        (self.hash, lanes)
    }
}

const FIRST: u64 = 0x7469_636b_7769_7265;

fn word(low: u32, high: u32) -> u64 {
    u64::from(low) | u64::from(high) << 32
}

/// One to one in either argument: entities that differ in one word have different numbers.
#[inline]
fn fold(number: u64, word: u64) -> u64 {
    let product = (number ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    product ^ product >> 32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(entities: &[(u32, u8, Option<u32>, &[i32])]) -> u64 {
        let mut digest = StateDigest::new(false);
        for (id, kind, owner, lanes) in entities {
            digest.add(EntityId(*id), *kind, owner.map(PlayerId), lanes);
        }
        digest.finish().0
    }

    #[test]
    fn the_hash_is_what_it_always_was_in_any_order() {
        let one: (u32, u8, Option<u32>, &[i32]) = (7, 1, Some(3), &[1, -2, 3]);
        let two: (u32, u8, Option<u32>, &[i32]) = (8, 0, None, &[]);
        assert_eq!(hash(&[]), 0);
        assert_eq!(hash(&[one, two]), hash(&[two, one]));
        assert_eq!(hash(&[one, two]), 0x7616_4084_a115_287f);
    }

    #[test]
    fn every_part_of_an_entity_counts() {
        let all = [
            hash(&[(7, 1, Some(3), &[1, 2])]),
            hash(&[(6, 1, Some(3), &[1, 2])]),
            hash(&[(7, 0, Some(3), &[1, 2])]),
            hash(&[(7, 1, Some(2), &[1, 2])]),
            hash(&[(7, 1, Some(0), &[1, 2])]),
            hash(&[(7, 1, None, &[1, 2])]),
            hash(&[(7, 1, Some(3), &[2, 1])]),
            hash(&[(7, 1, Some(3), &[1])]),
            hash(&[(7, 1, Some(3), &[1, 2]), (7, 1, Some(3), &[1, 2])]),
        ];
        for (at, one) in all.iter().enumerate() {
            assert!(all[..at].iter().all(|other| other != one), "{at}");
        }
    }
}
