//! The snapshot datagram, server to client.
//!
//! ```text
//! header   8 bits   DATAGRAM_SNAPSHOT
//!         16        tick, low bits
//!          8        seat: that of the `Joined` frame, so that a datagram of a room left before is known
//!          1        an input report follows
//!            8 s      newest input's tick minus this tick, -128 to 127
//!           12 s      how early it came, in 1/8 ms: the deadline of its tick minus its arrival
//!          1        events follow
//!           1         numbered ones
//!           16         number of the first, low bits
//!            6         how many, less one
//!           1         others, of this tick
//!            6         how many, less one
//!           events    numbered: 7 bits age in ticks, 6 bits kind, its lanes whole
//!                     others: 6 bits kind, its lanes whole
//!          7        age in ticks of the common baseline, 0 for none
//!
//! common   3        mark code                             } if there is a common baseline
//!          marks    one for each slot of that snapshot    }
//!          deltas   of the slots marked so, as `delta` draws them
//!
//! others   golomb   number of records
//!          records  golomb   slot minus the last record's slot, less one; the first slot as it is
//!                   0        delta; golomb: its baseline's distance from the common one; its lanes
//!                   10       whole: 6 bits kind, 1 bit mine, 6 bits length of the id, the id, its lanes
//!                   11       gone: 1 bit, it is in the world
//! ```
//!
//! Bits fill up as [`crate::bits`] says; the last byte ends in zeros. A snapshot's slots are those
//! whose lanes it holds, marked or recorded. A slot of the common baseline's snapshot has a mark:
//! its lanes are as predicted, follow as a delta, or keep their state. Any other slot has a record.
//! A slot that is not in a snapshot has not changed since the client's baseline, or waits for a
//! later one.

use crate::bits::{BitError, BitStream, BitWriter, INFALLIBLE, golomb_bits, golomb_code};
pub use crate::marks::Marks;

/// First byte of a snapshot datagram.
pub const DATAGRAM_SNAPSHOT: u8 = 0x53;

/// Age of the oldest common baseline, in ticks.
pub const BASELINE_AGE_MAX: u32 = 127;
/// Most events of either sort, reliable and unreliable, in one datagram.
pub const EVENTS_MAX: usize = 64;
/// Units of an input margin in a millisecond.
pub const MARGIN_UNITS_PER_MS: f32 = 8.0;

/// Largest value of [`InputReport::dip_eighth_ms`].
pub const DIP_EIGHTH_MS_MAX: i32 = 2047;

/// The fixed part of a snapshot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SnapshotHeader {
    /// Low 16 bits of the tick.
    pub tick_low16: u16,
    /// The seat that the `Joined` frame gave.
    pub seat: u8,
    /// The report on the client's inputs; `None` before the first and for spectators.
    pub input: Option<InputReport>,
    /// The reliable events in this datagram, which are numbered: number of the first (low 16 bits)
    /// and their count.
    pub events: Option<(u16, usize)>,
    /// The number of unreliable events after those, all of this tick.
    pub unreliable_events: usize,
    /// Age of the common baseline, 1 to [`BASELINE_AGE_MAX`]; 0 for none.
    pub baseline_age: u32,
}

/// A report on a client's inputs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InputReport {
    /// The newest input's tick minus the snapshot's tick, within -128 to 127.
    pub newest_ticks: i32,
    /// The input margin of the newest input: the deadline of its tick minus its arrival, in 1/8 ms,
    /// within -2048 to 2047; negative is late.
    pub margin_eighth_ms: i32,
    /// The margin of the newest input minus the smallest margin of the inputs that the snapshot one
    /// tick before did not know of, in 1/8 ms, at most [`DIP_EIGHTH_MS_MAX`]. An input whose
    /// datagram was lost counts as having come with a later one.
    pub dip_eighth_ms: u32,
}

impl SnapshotHeader {
    /// Reads or writes the header up to the events.
    ///
    /// # Errors
    /// As the stream's; [`BitError::Invalid`] when reading another kind of datagram.
    pub fn head<S: BitStream>(&mut self, stream: &mut S) -> Result<(), BitError> {
        let mut kind = u32::from(DATAGRAM_SNAPSHOT);
        stream.bits(&mut kind, 8)?;
        if kind != u32::from(DATAGRAM_SNAPSHOT) {
            return Err(BitError::Invalid);
        }
        let mut tick = u32::from(self.tick_low16);
        stream.bits(&mut tick, 16)?;
        self.tick_low16 = tick as u16;
        let mut seat = u32::from(self.seat);
        stream.bits(&mut seat, 8)?;
        self.seat = seat as u8;
        let mut has_input = self.input.is_some();
        stream.flag(&mut has_input)?;
        if has_input {
            let report = self.input.get_or_insert_default();
            signed(stream, &mut report.newest_ticks, 8)?;
            signed(stream, &mut report.margin_eighth_ms, 12)?;
            let mut dips = report.dip_eighth_ms > 0;
            stream.flag(&mut dips)?;
            if dips {
                stream.bits(&mut report.dip_eighth_ms, 11)?;
            }
        }
        let mut has_events = self.events.is_some() || self.unreliable_events > 0;
        stream.flag(&mut has_events)?;
        if has_events { self.events(stream) } else { Ok(()) }
    }

    fn events<S: BitStream>(&mut self, stream: &mut S) -> Result<(), BitError> {
        let mut has_numbered = self.events.is_some();
        stream.flag(&mut has_numbered)?;
        if has_numbered {
            let (first, count) = self.events.get_or_insert((0, 1));
            let mut bits = u32::from(*first);
            stream.bits(&mut bits, 16)?;
            *first = bits as u16;
            event_count(stream, count)?;
        }
        let mut has_others = self.unreliable_events > 0;
        stream.flag(&mut has_others)?;
        if has_others {
            self.unreliable_events = self.unreliable_events.max(1);
            event_count(stream, &mut self.unreliable_events)?;
        }
        Ok(())
    }

    /// Reads or writes the header between the events and the marks.
    ///
    /// # Errors
    /// As the stream's.
    pub fn tail<S: BitStream>(&mut self, stream: &mut S) -> Result<(), BitError> {
        stream.bits(&mut self.baseline_age, 7)
    }
}

/// 1 to [`EVENTS_MAX`].
fn event_count<S: BitStream>(stream: &mut S, count: &mut usize) -> Result<(), BitError> {
    let mut less_one = *count as u32 - 1;
    stream.bits(&mut less_one, 6)?;
    *count = less_one as usize + 1;
    Ok(())
}

/// The part of an event before its lanes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventHead {
    /// Ticks before the snapshot's, at most 127.
    pub age_ticks: u32,
    /// Kind number.
    pub kind: u32,
}

impl EventHead {
    /// Reads or writes it. The age of an unreliable event is 0 and not written.
    ///
    /// # Errors
    /// As the stream's.
    pub fn stream<S: BitStream>(
        &mut self,
        stream: &mut S,
        is_numbered: bool,
    ) -> Result<(), BitError> {
        if is_numbered {
            stream.bits(&mut self.age_ticks, 7)?;
        }
        stream.bits(&mut self.kind, 6)
    }
}

/// The part of a record before its lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordHead {
    /// A delta against the slot's state of an earlier tick, by its age in ticks.
    Delta {
        /// At least 1. The common baseline's age only for a slot that its snapshot lacks.
        age_ticks: u32,
    },
    /// The whole entity: it is new to the client.
    Whole {
        /// Kind number.
        kind: u32,
        /// The client owns it.
        mine: bool,
        /// The game's id.
        id: u32,
    },
    /// The entity is removed.
    Gone {
        /// It still exists, out of the client's view.
        in_world: bool,
    },
}

impl RecordHead {
    /// Reads or writes it, in a snapshot with a common baseline of age `common_age`, 0 for none.
    ///
    /// # Errors
    /// As the stream's.
    #[inline]
    pub fn stream<S: BitStream>(
        &mut self,
        stream: &mut S,
        common_age: u32,
    ) -> Result<(), BitError> {
        let mut no_delta = !matches!(self, RecordHead::Delta { .. });
        stream.flag(&mut no_delta)?;
        if !no_delta {
            let mut code = match *self {
                RecordHead::Delta { age_ticks } => age_code(age_ticks, common_age),
                _ => 0,
            };
            stream.golomb(&mut code)?;
            *self = RecordHead::Delta { age_ticks: age_of(code, common_age)? };
            return Ok(());
        }
        let mut gone = matches!(self, RecordHead::Gone { .. });
        stream.flag(&mut gone)?;
        if gone {
            let mut in_world = matches!(self, RecordHead::Gone { in_world: true });
            stream.flag(&mut in_world)?;
            *self = RecordHead::Gone { in_world };
            return Ok(());
        }
        let (mut kind, mut mine, mut id) = match *self {
            RecordHead::Whole { kind, mine, id } => (kind, mine, id),
            _ => (0, false, 0),
        };
        stream.bits(&mut kind, 6)?;
        stream.flag(&mut mine)?;
        let mut coded = id_code(id);
        let mut length = 32 - coded.leading_zeros();
        stream.bits(&mut length, 6)?;
        if length > 32 {
            return Err(BitError::Invalid);
        }
        stream.bits(&mut coded, length)?;
        if length != 32 - coded.leading_zeros() {
            return Err(BitError::Invalid);
        }
        id = coded.rotate_right(1);
        *self = RecordHead::Whole { kind, mine, id };
        Ok(())
    }

    /// Its length in bits.
    #[inline]
    pub fn len_bits(self, common_age: u32) -> usize {
        match self {
            RecordHead::Delta { age_ticks } => {
                1 + golomb_bits(age_code(age_ticks, common_age)) as usize
            }
            RecordHead::Gone { .. } => 3,
            RecordHead::Whole { id, .. } => {
                2 + 6 + 1 + 6 + (32 - id_code(id).leading_zeros()) as usize
            }
        }
    }
}

/// The number by which an id is written. Ids that [`EntityIds`](crate::EntityIds) gave have the highest bit: turned to the
/// lowest place, they are as short as those of players.
#[inline]
fn id_code(id: u32) -> u32 {
    id.rotate_left(1)
}

/// Codes the distance from the common baseline's age: 1 tick older first, then 1 younger, 2 older.
/// That age itself, which occurs after a part of a keyframe, takes the code of an age of 0.
#[inline]
fn age_code(age_ticks: u32, common_age: u32) -> u32 {
    debug_assert!(age_ticks >= 1);
    let age_ticks = if age_ticks == common_age { 0 } else { age_ticks };
    match age_ticks.checked_sub(common_age) {
        Some(older) if common_age == 0 => older - 1,
        Some(older) => 2 * older - 2,
        None => 2 * (common_age - age_ticks) - 1,
    }
}

#[inline]
fn age_of(code: u32, common_age: u32) -> Result<u32, BitError> {
    let age = match (common_age, code % 2) {
        (0, _) => Some(code + 1),
        (_, 0) => Some(common_age + code / 2 + 1),
        _ => common_age.checked_sub(code / 2 + 1),
    };
    age.map(|age| if age == 0 { common_age } else { age }).ok_or(BitError::Invalid)
}

/// Coded bits to be copied: `count` bits from whole words.
#[derive(Clone, Copy, Debug)]
pub struct Fragment<'a> {
    /// The words; the last one ends in zeros.
    pub words: &'a [u64],
    /// The number of bits in them.
    pub bits: usize,
}

impl Fragment<'_> {
    /// No bits.
    pub const EMPTY: Fragment<'static> = Fragment { words: &[], bits: 0 };
}

/// Writes a snapshot in this order: begin, the deltas of the common baseline's slots, the other
/// records, finish.
#[derive(Clone, Debug, Default)]
pub struct SnapshotWriter {
    bits: BitWriter,
    common_age: u32,
    next_slot: u32,
}

impl SnapshotWriter {
    /// Starts a snapshot with its header and its events, the reliable ones first (each event's
    /// coded head and lanes in turn).
    pub fn begin<'a>(
        &mut self,
        mut header: SnapshotHeader,
        events: impl Iterator<Item = (EventHead, Fragment<'a>)>,
    ) {
        self.bits.clear();
        header.head(&mut self.bits).expect(INFALLIBLE);
        let numbered = header.events.map_or(0, |(_, count)| count);
        for (at, (mut head, lanes)) in events.enumerate() {
            head.stream(&mut self.bits, at < numbered).expect(INFALLIBLE);
            self.bits.push_words(lanes.words, lanes.bits);
        }
        self.next_slot = 0;
        self.common_age = header.baseline_age;
        header.tail(&mut self.bits).expect(INFALLIBLE);
    }

    /// Writes the marks of the common baseline's slots, if there is a common baseline. The deltas
    /// of slots marked as coded must follow.
    pub fn marks(&mut self, marks: &mut Marks, set: &[u64]) {
        marks.stream(&mut self.bits, set).expect(INFALLIBLE);
    }

    /// Adds the bits of one delta.
    #[inline]
    pub fn delta(&mut self, lanes: Fragment<'_>) {
        self.bits.push_words(lanes.words, lanes.bits);
    }

    /// Writes the number of other records.
    pub fn others(&mut self, count: u32) {
        self.bits.push_golomb(count);
    }

    /// Adds another record. Slots must come in ascending order, each once.
    #[inline]
    pub fn record(&mut self, slot: u16, mut head: RecordHead, lanes: Fragment<'_>) {
        self.bits.push_golomb(u32::from(slot) - self.next_slot);
        self.next_slot = u32::from(slot) + 1;
        if let RecordHead::Delta { age_ticks } = head {
            // Nearly all are deltas: write the flag and the age at once.
            let (age, count) = golomb_code(age_code(age_ticks, self.common_age));
            self.bits.push(age << 1, count + 1);
        } else {
            head.stream(&mut self.bits, self.common_age).expect(INFALLIBLE);
        }
        self.bits.push_words(lanes.words, lanes.bits);
    }

    /// The number of bits so far.
    #[inline]
    pub fn len_bits(&self) -> usize {
        self.bits.len_bits()
    }

    /// Ends the snapshot and appends its bytes to `out`.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        self.bits.append_to(out);
    }
}

fn signed<S: BitStream>(stream: &mut S, value: &mut i32, bits: u32) -> Result<(), BitError> {
    let half = 1 << (bits - 1);
    let mut raw = ((*value).clamp(-half, half - 1) + half) as u32;
    stream.bits(&mut raw, bits)?;
    *value = raw as i32 - half;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bits::{BitMeasure, BitReader};

    #[test]
    fn record_heads_round_trip_in_the_bits_they_claim() {
        for common_age in [0, 1, 5, 127] {
            let whole = [0, 1, u32::MAX].map(|id| RecordHead::Whole { kind: 63, mine: true, id });
            let ages = [1, 2, 4, 5, 6, 127, 128, 100_000];
            let gone = [false, true].map(|in_world| RecordHead::Gone { in_world });
            let deltas = ages.map(|age_ticks| RecordHead::Delta { age_ticks });
            for head in whole.into_iter().chain(deltas).chain(gone) {
                let mut measure = BitMeasure::default();
                { head }.stream(&mut measure, common_age).unwrap();
                assert_eq!(measure.len_bits(), head.len_bits(common_age), "{head:?}");
                let mut writer = BitWriter::default();
                { head }.stream(&mut writer, common_age).unwrap();
                let bytes = writer.into_bytes();
                let mut read = RecordHead::Gone { in_world: false };
                read.stream(&mut BitReader::new(&bytes), common_age).unwrap();
                assert_eq!(read, head);
            }
        }
    }

    #[test]
    fn an_id_has_one_length() {
        // After the prefix `10`: kind 0, not mine, then the length of the id and the id.
        for (length, id, valid) in
            [(3, 5, true), (4, 5, false), (0, 0, true), (1, 0, false), (33, 5, false)]
        {
            let mut writer = BitWriter::default();
            writer.push(0b01, 2);
            writer.push(0, 7);
            writer.push(length, 6);
            writer.push(id, length as u32);
            let mut read = RecordHead::Gone { in_world: false };
            let found = read.stream(&mut BitReader::new(&writer.into_bytes()), 0);
            assert_eq!(found.is_ok(), valid, "{id} in {length} bits");
        }
    }

    #[test]
    fn the_age_next_to_the_common_one_takes_one_bit() {
        assert_eq!(
            [(6, 5), (4, 5), (7, 5), (1, 5), (5, 5)].map(|(age, common)| age_code(age, common)),
            [0, 1, 2, 7, 9]
        );
        assert_eq!(age_of(9, 5), Ok(5), "in the place of the snapshot itself");
        assert_eq!(age_of(11, 5), Err(BitError::Invalid), "below it");
    }
}
