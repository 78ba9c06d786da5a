//! The coded bits of this tick's entities, built once and copied into every packet that needs them.

use tickwire_shared::Tick;
use tickwire_shared::bits::BitWriter;
use tickwire_shared::delta::Baseline;
use tickwire_shared::schema::LANES_MAX;
use tickwire_shared::snapshot::Fragment;

use super::world::World;

/// What an entity is coded against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Against {
    /// Nothing: all its lanes.
    Nothing,
    /// Its state at a tick.
    Tick(Tick),
}

/// A place in the [`Fragments`] of this tick.
#[derive(Clone, Copy, Debug)]
pub(super) struct Coded {
    word: u32,
    bits: u32,
}

impl Coded {
    pub(super) const EMPTY: Coded = Coded { word: 0, bits: 0 };

    pub(super) fn bits(self) -> usize {
        self.bits as usize
    }
}

/// The cache of one tick.
#[derive(Debug, Default)]
pub(super) struct Fragments {
    bits: BitWriter,
    by_slot: Vec<Vec<(Against, bool, Coded)>>,
}

impl Fragments {
    /// Forgets the last tick's.
    pub(super) fn clear(&mut self, slots: usize) {
        self.bits.clear();
        self.by_slot.iter_mut().for_each(Vec::clear);
        self.by_slot.resize_with(slots.max(self.by_slot.len()), Vec::new);
    }

    /// The bits of the entity in `slot`, for its owner or for others. `None` when the state it should
    /// be coded against is no longer known.
    #[inline]
    pub(super) fn code(
        &mut self,
        world: &World,
        slot: u16,
        against: Against,
        owner: bool,
    ) -> Option<Coded> {
        let known = &self.by_slot[usize::from(slot)];
        if let Some((_, _, coded)) = known.iter().find(|(a, o, _)| *a == against && *o == owner) {
            return Some(*coded);
        }
        let coded = self.build(world, slot, against, owner)?;
        self.by_slot[usize::from(slot)].push((against, owner, coded));
        Some(coded)
    }

    /// The coded bits themselves.
    #[inline]
    pub(super) fn fragment(&self, coded: Coded) -> Fragment<'_> {
        Fragment { words: &self.bits.words()[coded.word as usize..], bits: coded.bits as usize }
    }

    fn build(&mut self, world: &World, slot: u16, against: Against, owner: bool) -> Option<Coded> {
        const INFALLIBLE: &str = "writing never fails";
        let entity = &world.slots()[usize::from(slot)];
        let table = world.table(entity.kind);
        let mut lanes = [0; LANES_MAX];
        let lanes = &mut lanes[..table.len()];
        entity.states.copy_to(entity.states.len().checked_sub(1)?, lanes);
        let start = self.bits.align() as u32;
        match against {
            Against::Nothing => table.whole(&mut self.bits, lanes, owner).expect(INFALLIBLE),
            Against::Tick(tick) => {
                let mut before = [0; LANES_MAX];
                let before = &mut before[..table.len()];
                entity.states.copy_to(entity.states.at_or_before(tick)?, before);
                let ticks = world.tick().since(tick) as u32;
                let baseline = Baseline { lanes: before, ticks };
                table.delta(&mut self.bits, &baseline, lanes, owner).expect(INFALLIBLE);
            }
        }
        let bits = (self.bits.len_bits() - start as usize * 64) as u32;
        self.bits.align();
        Some(Coded { word: start, bits })
    }
}
