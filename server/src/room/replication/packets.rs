//! The snapshots that one client was sent, and what they say it has.
//!
//! A ring keeps the set of slots of each snapshot of the last 64 ticks. What a client may be coded against
//! is only ever a state it acknowledged: of a slot it is the newest acknowledged snapshot with it. That is
//! nearly always one of the last two, whose sets are at hand. When another takes the place of one of
//! them, the slots that fall out are written down, each with its tick. The same goes for what was sent.
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

/// Snapshots in the ring: one a tick.
const RING_TICKS: u32 = 64;
/// An acknowledgement reaches so many ticks back from the newest.
const ACK_REACH_TICKS: u32 = 32;
/// What is in flight is repeated after so many ticks at the latest.
const FLIGHT_TICKS_MAX: i32 = 32;
/// A client keeps the states of so many ticks, whatever newer ones it has.
const KEPT_TICKS: u32 = 32;

/// The snapshots of one client.
#[derive(Debug, Default)]
pub(super) struct Packets {
    /// Words of a set.
    words: usize,
    /// The sets of the last ticks, by tick modulo [`RING_TICKS`].
    sets: Vec<u64>,
    first: u32,
    /// The last tick a snapshot was sent, 0 for none.
    last: u32,
    /// Bit `tick % 64`: that snapshot was acknowledged.
    acked_bits: u64,
    /// The two newest acknowledged snapshots in the ring, 0 for none.
    newest_acks: [u32; 2],
    /// By slot, for those in neither of the newest acknowledged.
    acked: Vec<u32>,
    /// By slot, for those in neither of the last two sent.
    sent: Vec<u32>,
    /// The slots that the client was told to forget in a snapshot in the ring.
    told_gone: SlotSet,
    /// More of them, by slot.
    farewells: Vec<Farewell>,
    /// The slots that the client may have something of.
    known: SlotSet,
    /// Ticks from sending a snapshot to its acknowledgement, smoothed.
    flight_ticks: i32,
}

/// A slot that the client was told to forget: acknowledgements of its states up to then are void.
#[derive(Clone, Copy, Debug)]
struct Farewell {
    slot: u16,
    first: u32,
    last: u32,
}

impl Packets {
    /// Gives it place for the slots below `slots`.
    pub(super) fn grow(&mut self, slots: usize) {
        let words = slots.div_ceil(64);
        if words <= self.words {
            return;
        }
        let mut sets = vec![0; words * RING_TICKS as usize];
        if self.words > 0 {
            for (to, from) in sets.chunks_mut(words).zip(self.sets.chunks(self.words)) {
                to[..self.words].copy_from_slice(from);
            }
        }
        (self.sets, self.words) = (sets, words);
        for ticks in [&mut self.acked, &mut self.sent] {
            ticks.resize(words * 64, 0);
        }
        for set in [&mut self.known, &mut self.told_gone] {
            set.grow(words * 64);
        }
    }

    /// The slots that the client may have something of.
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
        let void_to = self.gone(slot);
        for tick in self.newest_acks {
            if tick > void_to && self.has(tick, slot) {
                return tick;
            }
        }
        self.acked[usize::from(slot)]
    }

    /// The last tick a state of `slot` was sent that the client was not told to forget, or 0.
    #[inline]
    pub(super) fn sent(&self, slot: u16) -> u32 {
        if !self.known.contains(slot) {
            return 0;
        }
        let void_to = self.gone(slot);
        for tick in [self.last, self.last.saturating_sub(1)] {
            if tick > void_to && tick >= self.first && self.has(tick, slot) {
                return tick;
            }
        }
        self.sent[usize::from(slot)]
    }

    /// The last tick the client was told to forget `slot`, as far as the ring goes, or 0.
    #[inline]
    pub(super) fn gone(&self, slot: u16) -> u32 {
        if !self.told_gone.contains(slot) {
            return 0;
        }
        self.farewell(slot).map_or(0, |at| self.farewells[at].last)
    }

    /// Those of the slots `asked` of word `at` whose states of `tick` the client was told to forget.
    #[inline]
    pub(super) fn void(&self, at: usize, asked: u64, tick: Tick) -> u64 {
        let mut void = 0;
        for slot in slots_of_word(at, asked & self.told_gone.word(at)) {
            void |= u64::from(self.gone(slot) >= tick.0) << (slot % 64);
        }
        void
    }

    /// An acknowledged snapshot that is good to code one of `tick` against, and its slots: the newest, or
    /// one a little older that is a whole number of `interval_ticks` ago.
    pub(super) fn baseline(&self, tick: Tick, interval_ticks: u32) -> Option<(Tick, &[u64])> {
        let [newest, _] = self.newest_acks;
        if newest == 0 {
            return None;
        }
        let oldest = newest.saturating_sub(interval_ticks - 1).max(self.first);
        // The client surely keeps all states of the last few ticks.
        let fits = |&at: &u32| {
            let age = tick.0 - at;
            self.is_acked(at) && age.is_multiple_of(interval_ticks) && age <= KEPT_TICKS
        };
        let at = (oldest..=newest).rev().find(fits).unwrap_or(newest);
        Some((Tick(at), self.set(at)))
    }

    /// How long what was sent is not sent again.
    pub(super) fn flight_ticks(&self) -> i32 {
        self.flight_ticks + 2
    }

    /// Keeps that the snapshot of `tick` holds the slots of `held` and tells to forget those of `gone`.
    pub(super) fn send(&mut self, tick: Tick, held: &[u64], gone: impl Iterator<Item = u16>) {
        let Tick(tick) = tick;
        debug_assert!(self.last == 0 || tick == self.last + 1);
        self.first = if self.last == 0 {
            tick
        } else {
            self.first.max((tick + 1).saturating_sub(RING_TICKS))
        };
        self.overwrite(tick);
        let before = self.last;
        let start = self.start(tick);
        self.sets[start..start + self.words].fill(0);
        self.sets[start..start + held.len()].copy_from_slice(held);
        for (known, held) in self.known.words_mut().iter_mut().zip(held) {
            *known |= held;
        }
        self.last = tick;
        self.acked_bits &= !(1 << (tick % RING_TICKS));
        if before > self.first {
            self.fall_out(before - 1, [before, tick], Fallen::Sent);
        }
        for slot in gone {
            (self.acked[usize::from(slot)], self.sent[usize::from(slot)]) = (0, 0);
            self.told_gone.insert(slot);
            match self.farewell(slot) {
                Ok(at) => self.farewells[at].last = tick,
                Err(at) => self.farewells.insert(at, Farewell { slot, first: tick, last: tick }),
            }
        }
    }

    /// Takes the client's acknowledgements; each snapshot's tick is handed to `each` once.
    pub(super) fn acknowledge(&mut self, now: Tick, ack: SnapshotAck, mut each: impl FnMut(Tick)) {
        let newest = Tick::expand(ack.newest_low16, now);
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
    }

    fn acknowledge_one(&mut self, tick: u32) {
        self.acked_bits |= 1 << (tick % RING_TICKS);
        let [first, second] = self.newest_acks;
        if tick > first {
            self.newest_acks = [tick, first];
            self.fall_out(second, [tick, first], Fallen::Acked);
        } else if tick > second {
            self.newest_acks = [first, tick];
            self.fall_out(second, [first, tick], Fallen::Acked);
        } else {
            self.fall_out(tick, [first, second], Fallen::Acked);
        }
        for at in 0..self.farewells.len() {
            let Farewell { slot, first, last } = self.farewells[at];
            // It is forgotten, unless a state was sent since.
            let told = tick == first || tick == last;
            if told && !(tick + 1..=self.last).any(|newer| self.has(newer, slot)) {
                self.known.remove(slot);
            }
        }
    }

    /// The place of `tick` in the ring is needed: what stands there is written down.
    fn overwrite(&mut self, tick: u32) {
        let oldest = tick.saturating_sub(RING_TICKS);
        let [first, second] = self.newest_acks;
        if oldest != 0 && second == oldest {
            self.newest_acks = [first, 0];
            self.fall_out(oldest, [first, first], Fallen::Acked);
        } else if oldest != 0 && first == oldest {
            self.newest_acks = [0, 0];
            self.fall_out(oldest, [oldest, oldest], Fallen::All);
        }
        let told_gone = &mut self.told_gone;
        self.farewells.retain(|farewell| {
            let kept = farewell.last > oldest;
            if !kept {
                told_gone.remove(farewell.slot);
            }
            kept
        });
    }

    /// Writes down `tick` for the slots of its snapshot that those of `kept` have not.
    fn fall_out(&mut self, tick: u32, kept: [u32; 2], fallen: Fallen) {
        if tick == 0 {
            return;
        }
        for at in 0..self.words {
            let mut out = self.word(tick, at);
            if fallen != Fallen::All {
                out &= !kept.iter().fold(0, |all, &kept| all | self.word(kept, at));
            }
            for slot in slots_of_word(at, out) {
                if tick > self.gone(slot) {
                    let sent = fallen == Fallen::Sent;
                    let ticks = if sent { &mut self.sent } else { &mut self.acked };
                    ticks[usize::from(slot)] = ticks[usize::from(slot)].max(tick);
                }
            }
        }
    }

    /// The place of a slot's farewell, or where it would be.
    fn farewell(&self, slot: u16) -> Result<usize, usize> {
        self.farewells.binary_search_by_key(&slot, |farewell| farewell.slot)
    }

    #[inline]
    fn has(&self, tick: u32, slot: u16) -> bool {
        self.word(tick, usize::from(slot) / 64) >> (slot % 64) & 1 == 1
    }

    /// Word `at` of the set of a tick in the ring; nothing for tick 0.
    #[inline]
    fn word(&self, tick: u32, at: usize) -> u64 {
        if tick == 0 { 0 } else { self.sets[self.start(tick) + at] }
    }

    fn set(&self, tick: u32) -> &[u64] {
        &self.sets[self.start(tick)..][..self.words]
    }

    #[inline]
    fn start(&self, tick: u32) -> usize {
        (tick % RING_TICKS) as usize * self.words
    }

    fn is_acked(&self, tick: u32) -> bool {
        self.acked_bits >> (tick % RING_TICKS) & 1 == 1
    }

    /// Too low costs a repeat, too high a wait: it falls faster than it rises.
    fn measure_flight(&mut self, sample_ticks: i32) {
        let error = sample_ticks.min(FLIGHT_TICKS_MAX) - self.flight_ticks;
        self.flight_ticks += if error < 0 { error / 2 - 1 } else { (error + 3) / 4 };
        self.flight_ticks = self.flight_ticks.max(0);
    }
}

/// Which slots are written down, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fallen {
    /// Those that are in no newer acknowledged snapshot.
    Acked,
    /// All of the last acknowledged snapshot.
    All,
    /// Those that were not sent again.
    Sent,
}
