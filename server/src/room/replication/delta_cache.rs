//! The delta cache: coded bits of this tick's entities, built once and copied into every snapshot
//! that needs them.
//!
//! Nearly all clients have one of a few baselines. Each baseline has a row with an entry for every
//! slot, filled by the first client that asks. Clients walk their slots in order, and so the row.

use tickwire_shared::Tick;
use tickwire_shared::bits::{BitWriter, INFALLIBLE};
use tickwire_shared::delta::Baseline;
use tickwire_shared::schema::LANES_MAX;
use tickwire_shared::snapshot::{BASELINE_AGE_MAX, Fragment};

use crate::room::world::World;

/// The snapshot that most of another one is coded against.
#[derive(Clone, Copy, Debug)]
pub(super) struct SharedBaseline {
    pub(super) tick: Tick,
    pub(super) age_ticks: u32,
    /// The number of its row in the cache.
    row: u8,
}

/// The code of one entity against one baseline.
#[derive(Clone, Copy, Debug)]
pub(super) struct CachedDelta {
    /// The bits themselves if they are few, else the index of their first word.
    word: u64,
    /// The tick that it was built in.
    tick: u32,
    bits: u16,
    pub(super) state: State,
    /// True if the entity changed in this very tick.
    pub(super) fresh: bool,
}

/// The relation of an entity to a baseline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// The baseline's state is unknown, or is of another entity.
    Void,
    /// The entity has not changed.
    Same,
    /// The entity is as predicted.
    Predicted,
    /// The entity is as coded in the bits.
    Differs,
}

impl CachedDelta {
    pub(super) const EMPTY: CachedDelta =
        CachedDelta { word: 0, tick: 0, bits: 0, state: State::Void, fresh: false };

    #[inline]
    pub(super) fn bits(self) -> usize {
        usize::from(self.bits)
    }
}

/// The codes against one baseline, by slot.
type CacheRow = Vec<CachedDelta>;

/// The cache of one tick.
#[derive(Debug)]
pub(in crate::room) struct DeltaCache {
    tick: Tick,
    slots: usize,
    rows: Vec<CacheRow>,
    /// The row of each baseline age.
    row_of: [Option<u8>; BASELINE_AGE_MAX as usize + 1],
    rows_used: u8,
    /// Entities coded whole.
    whole: CacheRow,
    /// Codes longer than a word.
    long: BitWriter,
    scratch: BitWriter,
}

/// The receivers that an entity is coded for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Viewpoint {
    Everyone,
    Owner,
}

impl DeltaCache {
    pub(in crate::room) fn new() -> Self {
        DeltaCache {
            tick: Tick(0),
            slots: 0,
            rows: Vec::new(),
            row_of: [None; BASELINE_AGE_MAX as usize + 1],
            rows_used: 0,
            whole: Vec::new(),
            long: BitWriter::default(),
            scratch: BitWriter::default(),
        }
    }

    /// Empties the cache for a new tick.
    pub(in crate::room) fn begin(&mut self, world: &World) {
        self.tick = world.tick();
        self.slots = world.slots().len();
        self.row_of.fill(None);
        self.rows_used = 0;
        self.long.clear();
        self.whole.resize(self.slots, CachedDelta::EMPTY);
    }

    /// The snapshot of `tick` as a baseline; `None` beyond [`BASELINE_AGE_MAX`].
    pub(super) fn shared_baseline(&mut self, world: &World, tick: Tick) -> Option<SharedBaseline> {
        let age_ticks = world.tick().since(tick) as u32;
        let row = self.row(age_ticks)?;
        Some(SharedBaseline { tick, age_ticks, row })
    }

    /// The code of `slot` against its state in a shared baseline, for its owner if `mine`.
    #[inline]
    pub(super) fn delta_to(
        &mut self,
        world: &World,
        baseline: SharedBaseline,
        slot: u16,
        mine: bool,
    ) -> CachedDelta {
        match mine {
            false => self.delta(world, baseline.row, baseline.tick, slot),
            true => self.delta_since(world, slot, baseline.tick, true),
        }
    }

    /// The row of codes against states `age_ticks` ago; `None` beyond [`BASELINE_AGE_MAX`].
    #[inline]
    fn row(&mut self, age_ticks: u32) -> Option<u8> {
        let row = self.row_of.get(age_ticks as usize)?;
        if row.is_some() {
            return *row;
        }
        let row = self.rows_used;
        self.rows_used += 1;
        self.row_of[age_ticks as usize] = Some(row);
        if self.rows.len() <= usize::from(row) {
            self.rows.push(CacheRow::new());
        }
        self.rows[usize::from(row)].resize(self.slots, CachedDelta::EMPTY);
        Some(row)
    }

    /// The code of `slot` in a row, which must be that of `since`.
    #[inline]
    fn delta(&mut self, world: &World, row: u8, since: Tick, slot: u16) -> CachedDelta {
        let coded = self.rows[usize::from(row)][usize::from(slot)];
        if coded.tick == self.tick.0 {
            return coded;
        }
        let coded = self.build_delta(world, slot, since, Viewpoint::Everyone);
        self.rows[usize::from(row)][usize::from(slot)] = coded;
        coded
    }

    /// The code of `slot` against any earlier state, for its owner if `mine`.
    pub(super) fn delta_since(
        &mut self,
        world: &World,
        slot: u16,
        since: Tick,
        mine: bool,
    ) -> CachedDelta {
        if mine && world.table(world.summaries()[usize::from(slot)].kind).has_owner_only() {
            return self.build_delta(world, slot, since, Viewpoint::Owner);
        }
        match self.row(world.tick().since(since) as u32) {
            Some(row) => self.delta(world, row, since, slot),
            None => self.build_delta(world, slot, since, Viewpoint::Everyone),
        }
    }

    /// The whole code of `slot`, which must be alive.
    pub(super) fn whole(&mut self, world: &World, slot: u16, mine: bool) -> CachedDelta {
        if mine && world.table(world.summaries()[usize::from(slot)].kind).has_owner_only() {
            return self.build_whole(world, slot, Viewpoint::Owner);
        }
        let coded = self.whole[usize::from(slot)];
        if coded.tick == self.tick.0 {
            return coded;
        }
        let coded = self.build_whole(world, slot, Viewpoint::Everyone);
        self.whole[usize::from(slot)] = coded;
        coded
    }

    /// The coded bits.
    #[inline]
    pub(super) fn fragment<'a>(&'a self, coded: &'a CachedDelta) -> Fragment<'a> {
        let words = match coded.bits {
            0..=64 => std::slice::from_ref(&coded.word),
            _ => &self.long.words()[coded.word as usize..],
        };
        Fragment { words, bits: coded.bits() }
    }

    fn build_delta(
        &mut self,
        world: &World,
        slot: u16,
        since: Tick,
        eyes: Viewpoint,
    ) -> CachedDelta {
        let summary = &world.summaries()[usize::from(slot)];
        let changed =
            if eyes == Viewpoint::Owner { summary.changed } else { summary.changed_public };
        let fresh = changed == self.tick.0;
        let of = |state| CachedDelta { tick: self.tick.0, state, fresh, ..CachedDelta::EMPTY };
        if !world.alive().contains(slot) || summary.spawned > since.0 {
            return of(State::Void);
        }
        if changed <= since.0 {
            return of(State::Same);
        }
        let table = world.table(summary.kind);
        let Some(before) = world.states().at(slot, since, table.len()) else {
            return of(State::Void);
        };
        let mut lanes = [0; LANES_MAX];
        let lanes = &mut lanes[..table.len()];
        lanes.copy_from_slice(world.states().newest(slot, table.len()));
        let ticks = self.tick.since(since) as u32;
        let baseline = Baseline::new(before, ticks);
        let owner = eyes == Viewpoint::Owner;
        let predicted = table.is_predicted(&baseline, lanes, owner);
        self.scratch.clear();
        table.delta(&mut self.scratch, &baseline, lanes, owner).expect(INFALLIBLE);
        self.take(if predicted { State::Predicted } else { State::Differs }, fresh)
    }

    fn build_whole(&mut self, world: &World, slot: u16, eyes: Viewpoint) -> CachedDelta {
        let table = world.table(world.summaries()[usize::from(slot)].kind);
        let mut lanes = [0; LANES_MAX];
        let lanes = &mut lanes[..table.len()];
        lanes.copy_from_slice(world.states().newest(slot, table.len()));
        self.scratch.clear();
        table.whole(&mut self.scratch, lanes, eyes == Viewpoint::Owner).expect(INFALLIBLE);
        self.take(State::Differs, true)
    }

    /// Stores the code written to `scratch`.
    fn take(&mut self, state: State, fresh: bool) -> CachedDelta {
        let bits = self.scratch.len_bits();
        self.scratch.align();
        let word = match self.scratch.words() {
            [] => 0,
            [word] => *word,
            words => {
                let first = self.long.align();
                words.iter().for_each(|&word| self.long.push(word, 64));
                first as u64
            }
        };
        CachedDelta { word, tick: self.tick.0, bits: bits as u16, state, fresh }
    }
}
