//! What was sent and acknowledged of each slot.

use tickwire_shared::Tick;
use tickwire_shared::slots::{SlotSet, slots_of_word};

use super::packets::Packet;

/// What the packets no longer tell.
#[derive(Debug, Default)]
pub(super) struct Past {
    /// The newest tick whose state of a slot the client surely has by packets that are forgotten, or 0.
    acked: Vec<u32>,
    /// The last tick a state of a slot was sent, by packets that are forgotten, or 0.
    sent: Vec<u32>,
    /// The last tick the client was told to forget a slot, or 0: acknowledgements up to it are void.
    gone: Vec<u32>,
    /// The slots that the client may have something of.
    known: SlotSet,
    /// The slots with a `gone` that some packet is older than.
    told_gone: SlotSet,
}

/// For the slots of one word that were asked for: the newest tick of a state that the client surely has,
/// and the last tick that one was sent; 0 for none.
#[derive(Debug)]
pub(super) struct Traces {
    acked: [u32; 64],
    sent: [u32; 64],
}

impl Default for Traces {
    fn default() -> Self {
        Traces { acked: [0; 64], sent: [0; 64] }
    }
}

impl Traces {
    #[inline]
    pub(super) fn acked(&self, slot: u16) -> u32 {
        self.acked[usize::from(slot % 64)]
    }

    #[inline]
    pub(super) fn sent(&self, slot: u16) -> u32 {
        self.sent[usize::from(slot % 64)]
    }

    /// Fills in the slots `asked` of word `at` from the packets, newest first, and from what was before.
    #[inline]
    pub(super) fn fill<'a>(
        &mut self,
        past: &Past,
        (at, asked): (usize, u64),
        packets: impl Iterator<Item = &'a Packet>,
    ) {
        // What is told gone is looked at one by one; of what is not known nothing was ever sent.
        let told_gone = asked & past.told_gone.word(at);
        let known = asked & past.known.word(at);
        for slot in slots_of_word(at, asked & !known) {
            let place = usize::from(slot % 64);
            (self.acked[place], self.sent[place]) = (0, 0);
        }
        let (mut unsent, mut unacked) = (known, known);
        for packet in packets {
            if unacked == 0 {
                break;
            }
            let held = packet.set.word(at);
            let mut void = 0;
            for slot in slots_of_word(at, held & told_gone) {
                void |= u64::from(packet.tick.0 <= past.gone(slot)) << (slot % 64);
            }
            let held = held & !void;
            for slot in slots_of_word(at, unsent & held) {
                self.sent[usize::from(slot % 64)] = packet.tick.0;
            }
            unsent &= !held;
            if packet.is_acked() {
                for slot in slots_of_word(at, unacked & held) {
                    self.acked[usize::from(slot % 64)] = packet.tick.0;
                }
                unacked &= !held;
            }
        }
        for slot in slots_of_word(at, unsent) {
            self.sent[usize::from(slot % 64)] = past.sent[usize::from(slot)];
        }
        for slot in slots_of_word(at, unacked) {
            self.acked[usize::from(slot % 64)] = past.acked[usize::from(slot)];
        }
    }
}

impl Past {
    pub(super) fn grow(&mut self, slots: usize) {
        for ticks in [&mut self.acked, &mut self.sent, &mut self.gone] {
            ticks.resize(slots, 0);
        }
    }

    /// The slots that the client may have something of.
    pub(super) fn known(&self) -> &SlotSet {
        &self.known
    }

    /// The slots that the client was told to forget not long ago.
    pub(super) fn told_gone(&self) -> &SlotSet {
        &self.told_gone
    }

    /// The last tick the client was told to forget `slot`, or 0.
    pub(super) fn gone(&self, slot: u16) -> u32 {
        self.gone[usize::from(slot)]
    }

    /// States of these slots are sent.
    pub(super) fn send(&mut self, set: &SlotSet) {
        self.known.grow(set.words().len() * 64);
        for (known, sent) in self.known.words_mut().iter_mut().zip(set.words()) {
            *known |= sent;
        }
    }

    /// The client is told to forget `slot`.
    pub(super) fn tell_gone(&mut self, Tick(tick): Tick, slot: u16) {
        let number = usize::from(slot);
        (self.acked[number], self.sent[number], self.gone[number]) = (0, 0, tick);
        self.told_gone.insert(slot);
    }

    /// The client has forgotten `slot`, unless a state of it was sent since, in one of the packets after
    /// that which told it.
    pub(super) fn forget_acknowledged<'a>(
        &mut self,
        slot: u16,
        mut newer: impl Iterator<Item = &'a Packet>,
    ) {
        if !newer.any(|packet| packet.set.contains(slot)) {
            self.known.remove(slot);
        }
    }

    /// Takes over what `packet`, the oldest, tells and `next`, a newer one, does not.
    pub(super) fn take_over(&mut self, packet: &Packet, next: Option<&Packet>) {
        for &slot in &packet.gone {
            if self.gone(slot) == packet.tick.0 {
                self.told_gone.remove(slot);
            }
        }
        for (at, &held) in packet.set.words().iter().enumerate() {
            let newer = next.map_or(0, |next| next.set.word(at));
            for slot in slots_of_word(at, held & !newer) {
                let number = usize::from(slot);
                let tick = packet.tick.0;
                if tick > self.gone[number] {
                    self.sent[number] = self.sent[number].max(tick);
                    if packet.is_acked() {
                        self.acked[number] = self.acked[number].max(tick);
                    }
                }
            }
        }
    }
}
