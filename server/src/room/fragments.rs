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

impl Against {
    fn key(self, owner: bool) -> u64 {
        let tick = match self {
            Against::Nothing => 1 << 32,
            Against::Tick(tick) => u64::from(tick.0),
        };
        tick | u64::from(owner) << 33
    }
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
    by_slot: Vec<Known>,
}

/// The last few codes of one entity: as many baselines are in use by nearly all clients.
#[derive(Clone, Copy, Debug)]
struct Known {
    built: usize,
    keys: [u64; KNOWN_MAX],
    coded: [Coded; KNOWN_MAX],
}

impl Known {
    const NONE: Known =
        Known { built: 0, keys: [u64::MAX; KNOWN_MAX], coded: [Coded::EMPTY; KNOWN_MAX] };
}

const KNOWN_MAX: usize = 6;

impl Fragments {
    /// Forgets the last tick's.
    pub(super) fn clear(&mut self, slots: usize) {
        self.bits.clear();
        self.by_slot.clear();
        self.by_slot.resize(slots, Known::NONE);
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
        let key = against.key(owner);
        let known = &self.by_slot[usize::from(slot)];
        if let Some(at) = known.keys.iter().position(|known| *known == key) {
            return Some(known.coded[at]);
        }
        let coded = self.build(world, slot, against, owner)?;
        let known = &mut self.by_slot[usize::from(slot)];
        let at = known.built % KNOWN_MAX;
        (known.keys[at], known.coded[at]) = (key, coded);
        known.built += 1;
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
