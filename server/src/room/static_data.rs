//! The static data of a room: one copy for all members, and its changes since.

use std::collections::BTreeMap;

use tickwire_shared::control::{STATIC_CHUNK_BYTES_MAX, ServerFrame, StaticChange};
use tickwire_shared::{PlayerId, Simulation, StaticEdit, Tick};

use super::findings::{Fault, Findings};
use super::static_blob::StaticBlob;
use super::{FromRoom, Room};

/// The static data of one room.
#[derive(Debug, Default)]
pub(super) struct StaticStore {
    items: BTreeMap<u8, StaticItem>,
}

#[derive(Debug)]
struct StaticItem {
    /// The bytes that new members load.
    base: StaticBlob,
    /// The tick of `base`.
    tick: Tick,
    /// The changes since `base`, in order.
    changes: Vec<(Tick, Vec<StaticChange>)>,
    /// Bytes that the changes take in frames.
    changes_cost: usize,
}

/// The static data in a checkpoint: for each key the base, its tick and the changes since.
pub(super) type StaticState = Vec<(u8, Vec<u8>, Tick, Vec<(Tick, Vec<StaticChange>)>)>;

/// News for the members after a step.
#[derive(Debug)]
enum StaticNews {
    Anew(u8),
    Changed { key: u8, changes: Vec<StaticChange> },
}

impl StaticStore {
    /// Applies the edits of a step. Returns the news; invalid edits go to `findings`.
    fn edit(
        &mut self,
        (tick, bytes_max): (Tick, usize),
        edits: impl Iterator<Item = StaticEdit>,
        findings: &mut Findings,
    ) -> Vec<StaticNews> {
        // Keys set in this step, and changes of the other keys.
        let mut anew: BTreeMap<u8, Vec<u8>> = BTreeMap::new();
        let mut changed: BTreeMap<u8, Vec<StaticChange>> = BTreeMap::new();
        for edit in edits {
            match edit {
                StaticEdit::Set { key, bytes } => {
                    let others = self.items.iter().filter(|(other, _)| !anew.contains_key(other));
                    let others = others.map(|(other, item)| (other, item.base.bytes.len()));
                    let lengths = others.chain(anew.iter().map(|(key, bytes)| (key, bytes.len())));
                    let rest: usize =
                        lengths.filter(|(other, _)| **other != key).map(|(_, bytes)| bytes).sum();
                    if rest + bytes.len() > bytes_max {
                        findings.note(Fault::StaticTooLarge { key }, tick.0);
                        continue;
                    }
                    changed.remove(&key);
                    anew.insert(key, bytes);
                }
                StaticEdit::Change { key, offset, bytes } => {
                    let length = self.items.get(&key).map_or(0, |item| item.base.bytes.len());
                    let length = anew.get(&key).map_or(length, Vec::len);
                    let is_within =
                        offset.checked_add(bytes.len()).is_some_and(|end| end <= length);
                    if !is_within {
                        findings.note(Fault::StaticChange { key }, tick.0);
                    } else if let Some(base) = anew.get_mut(&key) {
                        base[offset..offset + bytes.len()].copy_from_slice(&bytes);
                    } else {
                        changed.entry(key).or_default().extend(pieces(offset, &bytes));
                    }
                }
            }
        }
        let mut news = Vec::new();
        for (key, bytes) in anew {
            self.set(key, bytes, tick);
            news.push(StaticNews::Anew(key));
        }
        for (key, changes) in changed {
            news.extend(self.change(key, tick, changes));
        }
        news
    }

    /// All of it, for a checkpoint.
    pub(super) fn state(&self) -> StaticState {
        let state = |(key, item): (&u8, &StaticItem)| {
            (*key, item.base.bytes.to_vec(), item.tick, item.changes.clone())
        };
        self.items.iter().map(state).collect()
    }

    /// Every key, with its bytes after all changes.
    pub(super) fn bytes(&self) -> impl Iterator<Item = (u8, Vec<u8>)> + '_ {
        self.items.iter().map(|(key, item)| (*key, item.bytes()))
    }

    /// The data of a checkpoint. `None` if a change is beyond its bytes.
    pub(super) fn from_state(state: StaticState) -> Option<Self> {
        let mut items = BTreeMap::new();
        for (key, bytes, tick, changes) in state {
            let parts = changes.iter().flat_map(|(_, changes)| changes);
            let is_within = |change: &StaticChange| {
                let end = (change.offset as usize).checked_add(change.bytes.len());
                end.is_some_and(|end| end <= bytes.len())
            };
            if !parts.clone().all(is_within) {
                return None;
            }
            let changes_cost = parts.map(cost_of).sum();
            let base = StaticBlob::new(bytes);
            items.insert(key, StaticItem { base, tick, changes, changes_cost });
        }
        Some(StaticStore { items })
    }

    /// Applies the edits of a step that nobody is told of.
    pub(super) fn apply(&mut self, limits: (Tick, usize), edits: impl Iterator<Item = StaticEdit>) {
        self.edit(limits, edits, &mut Findings::default());
    }

    fn set(&mut self, key: u8, bytes: Vec<u8>, tick: Tick) {
        if bytes.is_empty() {
            self.items.remove(&key);
            return;
        }
        let base = StaticBlob::new(bytes);
        self.items.insert(key, StaticItem { base, tick, changes: Vec::new(), changes_cost: 0 });
    }

    fn change(&mut self, key: u8, tick: Tick, changes: Vec<StaticChange>) -> Option<StaticNews> {
        let item = self.items.get_mut(&key)?;
        let cost: usize = changes.iter().map(cost_of).sum();
        item.changes.push((tick, changes.clone()));
        item.changes_cost += cost;
        if cost > STEP_COST_MAX {
            item.rebase();
            return Some(StaticNews::Anew(key));
        }
        if item.changes_cost > item.base.bytes.len().max(JOIN_COST_MAX) {
            item.rebase();
        }
        (!changes.is_empty()).then_some(StaticNews::Changed { key, changes })
    }

    fn begin(&self, key: u8) -> (u8, Tick, Option<StaticBlob>) {
        let item = self.items.get(&key);
        (key, item.map_or(Tick(0), |item| item.tick), item.map(|item| item.base.clone()))
    }
}

impl StaticItem {
    /// Merges the changes into the base that new members load.
    fn rebase(&mut self) {
        let bytes = self.bytes();
        if let Some((tick, _)) = self.changes.drain(..).next_back() {
            self.tick = tick;
        }
        self.changes_cost = 0;
        self.base = StaticBlob::new(bytes);
    }

    /// The base after all changes.
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.base.bytes.to_vec();
        for StaticChange { offset, bytes: part } in self.changes.iter().flat_map(|(_, it)| it) {
            let at = *offset as usize;
            bytes[at..at + part.len()].copy_from_slice(part);
        }
        bytes
    }
}

impl<S: Simulation> Room<S> {
    /// Takes the game's static data at the room's beginning.
    pub(super) fn begin_static_data(&mut self) {
        self.simulation.static_data(self.outbox.static_data());
        self.take_static_data();
    }

    /// Takes the static data that a step set or changed, and tells all members.
    pub(super) fn take_static_data(&mut self) {
        if self.outbox.static_data().is_empty() {
            return;
        }
        let limits = (self.tick, self.config.static_bytes_max);
        let edits = self.outbox.static_data().drain();
        let news = self.static_data.edit(limits, edits, &mut self.findings);
        let players = self.everyone();
        for news in news.into_iter().filter(|_| !players.is_empty()) {
            match news {
                StaticNews::Anew(key) => {
                    let (key, tick, blob) = self.static_data.begin(key);
                    let (players, tick) =
                        (players.clone(), if blob.is_some() { tick } else { self.tick });
                    self.outgoing.push_back(FromRoom::StaticData { players, key, tick, blob });
                }
                StaticNews::Changed { key, changes } => {
                    self.tell_everyone(ServerFrame::StaticChanged {
                        key,
                        tick: self.tick,
                        changes,
                    });
                }
            }
        }
    }

    /// Tells a new member of all static data.
    pub(super) fn tell_static_data(&mut self, player: PlayerId) {
        for (&key, item) in &mut self.static_data.items {
            if item.changes_cost > JOIN_COST_MAX {
                item.rebase();
            }
            let (players, blob) = ([player].into(), Some(item.base.clone()));
            self.outgoing.push_back(FromRoom::StaticData { players, key, tick: item.tick, blob });
            for (tick, changes) in &item.changes {
                let (tick, changes) = (*tick, changes.clone());
                let frame = ServerFrame::StaticChanged { key, tick, changes };
                self.outgoing.push_back(FromRoom::Control { player, frame });
            }
        }
    }
}

/// A change in pieces that fit a frame.
fn pieces(offset: usize, bytes: &[u8]) -> impl Iterator<Item = StaticChange> {
    let offsets = (offset..).step_by(STATIC_CHUNK_BYTES_MAX);
    let parts = offsets.zip(bytes.chunks(STATIC_CHUNK_BYTES_MAX));
    parts.map(|(offset, part)| StaticChange { offset: offset as u32, bytes: part.to_vec() })
}

/// An upper bound of the bytes that a change takes in a frame.
fn cost_of(change: &StaticChange) -> usize {
    change.bytes.len() + 8
}

/// Most bytes of a step's changes in a frame; beyond it all is loaded anew.
const STEP_COST_MAX: usize = 32 * 1024;
/// Most bytes of the changes that a new member gets besides the base.
const JOIN_COST_MAX: usize = 32 * 1024;
