//! The snapshots sent to one client, and the states that it has by its acknowledgements.
//!
//! A ring keeps the slot sets of the snapshots of the last 64 ticks. A client's baseline is always
//! an acknowledged state: for a slot, that of the newest acknowledged snapshot with it. That is
//! nearly always one of the last two, whose sets are at hand. When a newer one replaces one of
//! them, the slots that fall out are recorded, each with its tick. The same goes for sent states.
//! An acknowledgement that comes after two newer ones tells nothing of slots: clients never apply a
//! snapshot late, so it repeats an earlier one.
//!
//! ```text
//! ring     tick   ... 71  72  73  74  75  76 | 77        each a set of slots
//!                         ^a1 ^a0        ^s2  ^s1         two newest acknowledged, two newest sent
//! acked    slot -> tick    slots in neither a0 nor a1
//! sent     slot -> tick    slots in neither s1 nor s2
//! ```

use tickwire_shared::Tick;
use tickwire_shared::input::SnapshotAck;
use tickwire_shared::slots::{SlotSet, slots_of_word};

use crate::room::world::World;

/// Snapshots in the ring: one a tick.
const RING_TICKS: u32 = 64;
/// Ticks before the newest that an acknowledgement covers.
const ACK_REACH_TICKS: u32 = 32;
/// Most ticks before a state under way is repeated.
const FLIGHT_TICKS_MAX: i32 = 32;
/// Ticks whose states a client keeps, whatever newer ones it has.
const KEPT_TICKS: u32 = 32;

/// The snapshots sent to one client.
#[derive(Debug, Default)]
pub(super) struct SentSnapshots {
    /// Words in a set.
    words: usize,
    /// The sets of the last ticks, by tick modulo [`RING_TICKS`]: each as it was sent, then without
    /// the slots removed since.
    sets: Vec<u64>,
    first: u32,
    /// The tick of the last snapshot, 0 for none.
    last: u32,
    /// The newest acknowledged tick, in the ring or not; before any, the one before the first sent.
    heard: u32,
    /// True after any acknowledgement.
    is_heard: bool,
    /// Bit `tick % 64` is set if that snapshot was acknowledged.
    acked_bits: u64,
    /// The two newest acknowledged snapshots in the ring, 0 for none.
    newest_acks: [u32; 2],
    /// By slot, the acknowledged tick of slots in neither of the newest acknowledged snapshots.
    acked: Vec<u32>,
    /// By slot, the sent tick of slots in neither of the last two snapshots.
    sent: Vec<u32>,
    /// Unacknowledged removals, by slot.
    pending_removals: Vec<PendingRemoval>,
    /// The slots of which the client may have a state.
    known: SlotSet,
    /// Ticks from sending a snapshot to its acknowledgement, smoothed.
    flight_ticks: i32,
}

/// A snapshot as a baseline.
#[derive(Clone, Copy, Debug)]
pub(super) struct SentBaseline<'a> {
    pub(super) tick: Tick,
    /// Its slots.
    pub(super) set: &'a [u64],
    /// The slots not removed since.
    pub(super) valid: &'a [u64],
}

/// The removal of a slot. Its states up to then are void: they are taken out of all sets that may
/// still be acknowledged or coded against.
#[derive(Clone, Copy, Debug)]
struct PendingRemoval {
    slot: u16,
    first: u32,
    last: u32,
}

impl SentSnapshots {
    /// Makes place for the slots below `slots`.
    pub(super) fn grow(&mut self, slots: usize) {
        let words = slots.div_ceil(64);
        if words <= self.words {
            return;
        }
        let mut sets = vec![0; 2 * words * RING_TICKS as usize];
        if self.words > 0 {
            for (to, from) in sets.chunks_mut(words).zip(self.sets.chunks(self.words)) {
                to[..self.words].copy_from_slice(from);
            }
        }
        (self.sets, self.words) = (sets, words);
        for ticks in [&mut self.acked, &mut self.sent] {
            ticks.resize(words * 64, 0);
        }
        self.known.grow(words * 64);
    }

    /// The slots of which the client may have a state.
    #[inline]
    pub(super) fn known(&self) -> &SlotSet {
        &self.known
    }

    /// The newest tick whose state of `slot` the client surely has, or 0.
    #[inline]
    pub(super) fn acked(&self, slot: u16) -> u32 {
        if !self.known.contains(slot) {
            return 0;
        }
        let at_hand = self.newest_acks.into_iter().find(|&tick| self.has(tick, slot));
        at_hand.unwrap_or_else(|| self.acked[usize::from(slot)])
    }

    /// The tick at which a state of `slot` was last sent and not removed since, or 0.
    #[inline]
    pub(super) fn sent(&self, slot: u16) -> u32 {
        self.sent_word(usize::from(slot) / 64).tick(slot)
    }

    /// The same for the slots of word `at`.
    #[inline]
    pub(super) fn sent_word(&self, at: usize) -> SentWord<'_> {
        let slots_of = |tick: u32| if tick >= self.first.max(1) { self.word(tick, at) } else { 0 };
        SentWord {
            known: self.known.word(at),
            last_tick: self.last,
            last: slots_of(self.last),
            before: slots_of(self.last.saturating_sub(1)),
            ticks: self.sent.get(at * 64..at * 64 + 64).unwrap_or_default(),
        }
    }

    /// The tick of the last unacknowledged removal of `slot`, or 0.
    pub(super) fn gone(&self, slot: u16) -> u32 {
        self.pending_removal(slot).map_or(0, |at| self.pending_removals[at].last)
    }

    /// The newest tick of which the client surely has a state of the current entity in `slot`.
    #[inline]
    pub(super) fn known_state(&self, world: &World, slot: u16) -> Option<Tick> {
        let acked = self.acked(slot);
        let spawned = world.summaries()[usize::from(slot)].spawned;
        (acked != 0 && acked >= spawned).then_some(Tick(acked))
    }

    /// True if the client's state in a slot is of the current entity.
    pub(super) fn is_of_world(&self, world: &World, slot: u16) -> bool {
        let told = self.acked(slot).max(self.sent(slot));
        world.alive().contains(slot) && told >= world.summaries()[usize::from(slot)].spawned
    }

    /// True if a change of the tick `changed` is under way at `now`, in the state of the tick
    /// `sent`.
    #[inline]
    pub(super) fn is_under_way(&self, now: Tick, changed: u32, sent: u32) -> bool {
        sent != 0 && sent >= changed && now.since(Tick(sent)) <= self.flight_ticks()
    }

    /// An acknowledged snapshot as the baseline for one of `tick`: the newest, or the one before
    /// that if only that one is a whole number of `interval_ticks` ago.
    pub(super) fn baseline(&self, tick: Tick, interval_ticks: u32) -> Option<SentBaseline<'_>> {
        let [newest, second] = self.newest_acks;
        if newest == 0 {
            return None;
        }
        // The client surely keeps all states of the last few ticks.
        let fits = |&at: &u32| {
            let age = tick.0 - at;
            at != 0 && age.is_multiple_of(interval_ticks) && age <= KEPT_TICKS
        };
        let at = [newest, second].into_iter().find(fits).unwrap_or(newest);
        let (set, valid) = self.sets[self.start(at)..][..2 * self.words].split_at(self.words);
        Some(SentBaseline { tick: Tick(at), set, valid })
    }

    /// True after any acknowledgement.
    pub(super) fn is_heard(&self) -> bool {
        self.is_heard
    }

    /// Ticks since the newest acknowledged snapshot, or since the first if none was.
    pub(super) fn unheard_ticks(&self, now: Tick) -> i32 {
        if self.last == 0 { 0 } else { now.since(Tick(self.heard)) }
    }

    /// True if the acknowledgement is older than the newest one.
    pub(super) fn is_overtaken(&self, now: Tick, ack: SnapshotAck) -> bool {
        Tick::expand(ack.newest_low16, now).since(Tick(self.heard)) < 0
    }

    /// The ticks in which a sent state is not sent again.
    pub(super) fn flight_ticks(&self) -> i32 {
        self.flight_ticks + 2
    }

    /// Records that the snapshot of `tick` holds the slots of `held` and removes those of `gone`.
    pub(super) fn send(&mut self, tick: Tick, held: &[u64], gone: impl Iterator<Item = u16>) {
        let Tick(tick) = tick;
        debug_assert!(self.last == 0 || tick == self.last + 1);
        self.first = if self.last == 0 {
            self.heard = tick.saturating_sub(1);
            tick
        } else {
            self.first.max(tick.saturating_sub(RING_TICKS - 1))
        };
        self.overwrite(tick);
        let before = self.last;
        let start = self.start(tick);
        for start in [start, start + self.words] {
            self.sets[start..start + self.words].fill(0);
            self.sets[start..start + held.len()].copy_from_slice(held);
        }
        for (known, held) in self.known.words_mut().iter_mut().zip(held) {
            *known |= held;
        }
        self.last = tick;
        self.acked_bits &= !(1 << (tick % RING_TICKS));
        if before > self.first {
            self.fall_out(before - 1, [before, tick], Lost::Sent);
        }
        for slot in gone {
            let sent = self.sent(slot);
            self.make_void(slot);
            match self.pending_removal(slot) {
                Ok(at) => {
                    let pending_removal = &mut self.pending_removals[at];
                    // The slot came back since: the acknowledgement of the old removal is not one
                    // of this.
                    if sent > pending_removal.first {
                        pending_removal.first = tick;
                    }
                    pending_removal.last = tick;
                }
                Err(at) => self
                    .pending_removals
                    .insert(at, PendingRemoval { slot, first: tick, last: tick }),
            }
        }
    }

    /// Records that the client has the state of `slot` at `tick` from a keyframe, and none sent
    /// since.
    pub(super) fn bring(&mut self, slot: u16, Tick(tick): Tick) {
        self.make_void(slot);
        (self.acked[usize::from(slot)], self.sent[usize::from(slot)]) = (tick, tick);
        self.known.insert(slot);
    }

    /// Takes the client's acknowledgements; each snapshot's tick is handed to `each` once. Returns
    /// the age, in ticks, of the newest one, if its acknowledgement is new.
    pub(super) fn acknowledge(
        &mut self,
        now: Tick,
        ack: SnapshotAck,
        mut each: impl FnMut(Tick),
    ) -> Option<u32> {
        let newest = Tick::expand(ack.newest_low16, now);
        let is_newer = self.last != 0 && newest.0 > self.heard && newest.0 <= self.last;
        if is_newer {
            (self.heard, self.is_heard) = (newest.0, true);
        }
        for age in (0..=ACK_REACH_TICKS).rev() {
            let received = age == 0 || ack.before >> (age - 1) & 1 == 1;
            let tick = newest.0.wrapping_sub(age);
            let sent = self.last != 0 && (self.first..=self.last).contains(&tick);
            if received && sent && !self.is_acked(tick) {
                self.acknowledge_one(tick);
                if tick == self.newest_acks[0] {
                    self.measure_flight(now.since(Tick(tick)));
                }
                each(Tick(tick));
            }
        }
        is_newer.then(|| now.since(newest).max(0).unsigned_abs())
    }

    fn acknowledge_one(&mut self, tick: u32) {
        self.acked_bits |= 1 << (tick % RING_TICKS);
        let [first, second] = self.newest_acks;
        if tick > first {
            self.newest_acks = [tick, first];
            self.fall_out(second, [tick, first], Lost::Acked);
        } else if tick > second {
            self.newest_acks = [first, tick];
            self.fall_out(second, [first, tick], Lost::Acked);
        }
        let mut pending_removals = std::mem::take(&mut self.pending_removals);
        pending_removals.retain(|&PendingRemoval { slot, first, last }| {
            let told = tick == first || tick == last;
            // The slot is forgotten, unless a state was sent since.
            if told && !(tick..=self.last).skip(1).any(|newer| self.has(newer, slot)) {
                self.known.remove(slot);
            }
            !told
        });
        self.pending_removals = pending_removals;
    }

    /// Records the slots of the snapshot whose place in the ring `tick` takes.
    fn overwrite(&mut self, tick: u32) {
        let oldest = tick.saturating_sub(RING_TICKS);
        let [first, second] = self.newest_acks;
        if oldest != 0 && second == oldest {
            self.newest_acks = [first, 0];
            self.fall_out(oldest, [first, first], Lost::Acked);
        } else if oldest != 0 && first == oldest {
            self.newest_acks = [0, 0];
            self.fall_out(oldest, [oldest, oldest], Lost::All);
        }
        self.pending_removals.retain(|pending_removal| pending_removal.last > oldest);
    }

    /// Makes all states of `slot` so far void as baselines.
    fn make_void(&mut self, slot: u16) {
        (self.acked[usize::from(slot)], self.sent[usize::from(slot)]) = (0, 0);
        // With a free place among the newest acknowledged, an older one may still take it.
        let oldest = match self.newest_acks {
            [0, _] | [_, 0] => self.first,
            [_, second] => second,
        };
        for tick in oldest..=self.last {
            let at = self.start(tick) + self.words + usize::from(slot) / 64;
            self.sets[at] &= !(1 << (slot % 64));
        }
    }

    /// Records `tick` for the slots of its snapshot that are not in those of `kept`.
    fn fall_out(&mut self, tick: u32, kept: [u32; 2], fallen: Lost) {
        if tick == 0 {
            return;
        }
        for at in 0..self.words {
            let mut out = self.word(tick, at);
            if fallen != Lost::All {
                out &= !kept.iter().fold(0, |all, &kept| all | self.word(kept, at));
            }
            for slot in slots_of_word(at, out) {
                let sent = fallen == Lost::Sent;
                let ticks = if sent { &mut self.sent } else { &mut self.acked };
                ticks[usize::from(slot)] = tick;
            }
        }
    }

    /// The index of a slot's removal, or the index to insert it at.
    fn pending_removal(&self, slot: u16) -> Result<usize, usize> {
        self.pending_removals.binary_search_by_key(&slot, |pending_removal| pending_removal.slot)
    }

    #[inline]
    fn has(&self, tick: u32, slot: u16) -> bool {
        self.word(tick, usize::from(slot) / 64) >> (slot % 64) & 1 == 1
    }

    /// Word `at` of the valid slots of a tick in the ring; 0 for tick 0.
    #[inline]
    fn word(&self, tick: u32, at: usize) -> u64 {
        if tick == 0 { 0 } else { self.sets[self.start(tick) + self.words + at] }
    }

    #[inline]
    fn start(&self, tick: u32) -> usize {
        (tick % RING_TICKS) as usize * 2 * self.words
    }

    fn is_acked(&self, tick: u32) -> bool {
        self.acked_bits >> (tick % RING_TICKS) & 1 == 1
    }

    /// Falls faster than it rises: too low costs a repeat, too high a wait.
    fn measure_flight(&mut self, sample_ticks: i32) {
        let error = sample_ticks.min(FLIGHT_TICKS_MAX) - self.flight_ticks;
        self.flight_ticks += if error < 0 { error / 2 - 1 } else { (error + 3) / 4 };
        self.flight_ticks = self.flight_ticks.max(0);
    }
}

/// The ticks at which the slots of one word were last sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct SentWord<'a> {
    /// Slots of which the client may have a state.
    known: u64,
    /// Slots sent at `last_tick`.
    last: u64,
    last_tick: u32,
    /// Slots sent a tick before.
    before: u64,
    /// The ticks of the other slots.
    ticks: &'a [u32],
}

impl SentWord<'_> {
    /// As [`SentSnapshots::sent`], for a slot of the word.
    #[inline]
    pub(super) fn tick(&self, slot: u16) -> u32 {
        let bit = 1u64 << (slot % 64);
        if self.known & bit == 0 {
            0
        } else if self.last & bit != 0 {
            self.last_tick
        } else if self.before & bit != 0 {
            self.last_tick - 1
        } else {
            self.ticks[usize::from(slot % 64)]
        }
    }
}

/// The slots to record, and their table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lost {
    /// To `acked`: the slots in no newer acknowledged snapshot.
    Acked,
    /// To `acked`: all slots of the last acknowledged snapshot.
    All,
    /// To `sent`: the slots that were not sent again.
    Sent,
}

#[cfg(test)]
mod tests;
