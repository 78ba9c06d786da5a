//! What the player made, such as shots: there at once, and run ahead with the player.

use std::collections::VecDeque;

use tickwire_shared::delta::Baseline;
use tickwire_shared::replica::{Entity, Replica};
use tickwire_shared::schema::LANES_MAX;
use tickwire_shared::{EntityId, Tick};

use super::super::interpolation::KindBlend;
use super::PredictionStats;
use super::rules::LaneRecord;

/// Things at once; more are not shown before the server has them.
const SPAWNS_MAX: usize = 256;
/// Ticks after which a predicted spawn that the server does not have is removed.
const UNCONFIRMED_TICKS_MAX: i32 = 12;
/// Ticks by which the server's entity may precede the predicted one.
const EARLIER_TICKS_MAX: i32 = 6;
/// Numbers of things the server has not numbered yet; a game's own should be below.
const FIRST_ID: u32 = 0xf000_0000;

/// Everything moving that the player owns and does not steer.
#[derive(Debug, Default)]
pub(in crate::session) struct Spawns {
    list: VecDeque<Spawn>,
    numbers: u32,
}

#[derive(Debug)]
pub(in crate::session) struct Spawn {
    /// What it is shown as, from its first frame to its last.
    pub(in crate::session) id: EntityId,
    /// What the server calls it, once it has it.
    pub(in crate::session) real: Option<EntityId>,
    pub(in crate::session) kind: u8,
    pub(in crate::session) shown: Vec<f64>,
    tick: Tick,
    lanes: Vec<i32>,
    /// By the last replay, or it was no part of it.
    made: bool,
}

impl Spawns {
    pub(in crate::session) fn iter(&self) -> impl Iterator<Item = &Spawn> {
        self.list.iter()
    }

    /// Whether `id` of the server is shown as one of these.
    pub(in crate::session) fn has(&self, id: EntityId) -> bool {
        self.list.iter().any(|spawn| spawn.real == Some(id))
    }

    /// The ticks after `from` are stepped anew from now on.
    pub(super) fn begin_replay(&mut self, from: Tick) {
        for spawn in &mut self.list {
            spawn.made = spawn.tick.since(from) <= 0;
        }
    }

    /// They are stepped: what was not made again is not there.
    pub(super) fn end_replay(&mut self, stats: &mut PredictionStats) {
        let before = self.list.len();
        self.list.retain(|spawn| spawn.made || spawn.real.is_some());
        self.list.iter_mut().for_each(|spawn| spawn.made = true);
        stats.spawns_cancelled += (before - self.list.len()) as u64;
    }

    /// `tick` was stepped, for the first time or again, and made `spawned`. What a replay makes some ticks
    /// earlier or later than before is the same thing.
    pub(super) fn stepped(
        &mut self,
        tick: Tick,
        spawned: Vec<LaneRecord>,
        stats: &mut PredictionStats,
    ) {
        for (kind, lanes) in spawned {
            let off = |spawn: &Spawn| spawn.tick.since(tick).abs();
            let is_same = |spawn: &&mut Spawn| {
                !spawn.made && spawn.kind == kind && off(spawn) < UNCONFIRMED_TICKS_MAX
            };
            let known = self.list.iter_mut().filter(is_same).min_by_key(|spawn| off(spawn));
            if let Some(known) = known {
                (known.tick, known.lanes, known.made) = (tick, lanes, true);
                continue;
            }
            if self.list.len() >= SPAWNS_MAX {
                return;
            }
            stats.spawned += 1;
            self.numbers = self.numbers.wrapping_add(1);
            let id = EntityId(FIRST_ID | self.numbers & !FIRST_ID);
            let shown = Vec::new();
            self.list.push_back(Spawn { id, real: None, kind, shown, tick, lanes, made: true });
        }
    }

    /// The snapshot of `tick` was applied: finds what the server made of what was predicted.
    pub(super) fn reconcile(
        &mut self,
        tick: Tick,
        replica: &Replica,
        steered: Option<EntityId>,
        stats: &mut PredictionStats,
    ) {
        for entity in replica.entities() {
            let table = replica.kind(entity.kind);
            let runs = table.is_some_and(|table| table.any_velocity());
            if entity.mine && runs && Some(entity.id) != steered && !self.has(entity.id) {
                self.find(entity, replica, stats);
            }
        }
        self.list.retain(|spawn| match spawn.real {
            Some(real) => replica.entities().iter().any(|entity| entity.id == real),
            None => {
                let lives = tick.since(spawn.tick) < UNCONFIRMED_TICKS_MAX;
                stats.spawns_cancelled += u64::from(!lives);
                lives
            }
        });
    }

    fn find(&mut self, entity: &Entity, replica: &Replica, stats: &mut PredictionStats) {
        let (first, lanes) = (entity.states.tick(0), entity.states.lanes(0));
        let distance = |spawn: &Spawn| -> Option<u64> {
            // The server may have made it before the client did, by an input that was held for a late one.
            let ticks = first.since(spawn.tick);
            if spawn.real.is_some() || spawn.kind != entity.kind || ticks < -EARLIER_TICKS_MAX {
                return None;
            }
            let (older, newer) =
                if ticks < 0 { (lanes, &*spawn.lanes) } else { (&*spawn.lanes, lanes) };
            let mut now = [0; LANES_MAX];
            let table = replica.kind(spawn.kind)?;
            let baseline = Baseline::new(older, ticks.unsigned_abs());
            table.extrapolate(&baseline, &mut now[..table.len()], true);
            Some(now.iter().zip(newer).map(|(a, b)| u64::from(a.abs_diff(*b))).sum())
        };
        let nearest = self.list.iter_mut().filter_map(|spawn| Some((distance(spawn)?, spawn)));
        if let Some((_, spawn)) = nearest.min_by_key(|(distance, _)| *distance) {
            spawn.real = Some(entity.id);
            stats.spawns_confirmed += 1;
        } else if self.list.len() < SPAWNS_MAX {
            stats.spawns_missed += 1;
            self.list.push_back(Spawn {
                id: entity.id,
                real: Some(entity.id),
                kind: entity.kind,
                shown: Vec::new(),
                tick: first,
                lanes: lanes.to_vec(),
                made: true,
            });
        }
    }

    /// Fills what is shown of each: `part` of a tick after `newest`.
    pub(super) fn show(
        &mut self,
        newest: Tick,
        part: f64,
        replica: &Replica,
        blends: &[KindBlend],
    ) {
        for spawn in &mut self.list {
            let Some(table) = replica.kind(spawn.kind) else { continue };
            let known = replica.entities().iter().find(|entity| Some(entity.id) == spawn.real);
            let (from, lanes) = match known {
                Some(entity) => {
                    let at = entity.states.len() - 1;
                    (entity.states.tick(at), entity.states.lanes(at))
                }
                None => (spawn.tick, &*spawn.lanes),
            };
            let at = |tick: Tick| {
                let mut out = [0; LANES_MAX];
                let baseline = Baseline::new(lanes, tick.since(from).max(0) as u32);
                table.extrapolate(&baseline, &mut out[..table.len()], true);
                out
            };
            let (now, next) = (at(newest), at(newest.next()));
            let blend = &blends[usize::from(spawn.kind)];
            blend.between(&now[..table.len()], &next[..table.len()], part, &mut spawn.shown);
        }
    }
}
