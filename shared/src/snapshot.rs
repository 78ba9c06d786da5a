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
//!           16        number of the first, low bits
//!            6        how many, less one
//!            events   7 bits age in ticks, 6 bits kind, its lanes whole
//!          7        age in ticks of the common baseline, 0 for none
//!         12        number of records
//!
//! record   golomb   slot minus the last record's slot, less one
//!          0        delta against the common baseline     } then the lanes as `delta` draws them
//!          10       delta, golomb: age of its baseline    }
//!          110      whole: 6 bits kind, 1 bit mine, 32 bits id, then the lanes whole
//!          111      gone
//! ```
//!
//! Bits fill up as [`crate::bits`] says; the last byte ends in zeros. A record's baseline is a state of
//! the same slot that the client has acknowledged. What is not in a snapshot has not changed since the
//! client's baseline, or waits for a later one.

use crate::bits::{BitError, BitStream, BitWriter, golomb_bits};

/// First byte of a snapshot datagram.
pub const DATAGRAM_SNAPSHOT: u8 = 0x53;

/// Oldest common baseline, in ticks.
pub const BASELINE_AGE_MAX: u32 = 127;
/// Most events in one datagram.
pub const EVENTS_MAX: usize = 64;
/// Most records in one datagram.
pub const RECORDS_MAX: u32 = 4095;
/// Units of an input's earliness in a millisecond.
pub const MARGIN_UNITS_PER_MS: f32 = 8.0;

/// The fixed part of a snapshot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SnapshotHeader {
    /// Low 16 bits of the tick.
    pub tick_low16: u16,
    /// The seat that the `Joined` frame gave.
    pub seat: u8,
    /// How the client's inputs come in; `None` before the first and for spectators.
    pub input: Option<InputReport>,
    /// The events in this datagram: number of the first (low 16 bits) and how many.
    pub events: Option<(u16, usize)>,
    /// Age of the common baseline, 1 to [`BASELINE_AGE_MAX`]; 0 for none.
    pub baseline_age: u32,
}

/// How a client's inputs come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InputReport {
    /// The newest input's tick minus the snapshot's tick, within -128 to 127.
    pub newest_ticks: i32,
    /// How early it came before the deadline of its tick, in 1/8 ms, within -2048 to 2047; negative
    /// is late.
    pub margin_eighth_ms: i32,
}

impl SnapshotHeader {
    /// Reads or writes everything up to the events.
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
            let report =
                self.input.get_or_insert(InputReport { newest_ticks: 0, margin_eighth_ms: 0 });
            signed(stream, &mut report.newest_ticks, 8)?;
            signed(stream, &mut report.margin_eighth_ms, 12)?;
        }
        let mut has_events = self.events.is_some();
        stream.flag(&mut has_events)?;
        if has_events {
            let (first, count) = self.events.get_or_insert((0, 1));
            let mut bits = u32::from(*first);
            stream.bits(&mut bits, 16)?;
            *first = bits as u16;
            let mut less_one = *count as u32 - 1;
            stream.bits(&mut less_one, 6)?;
            *count = less_one as usize + 1;
        }
        Ok(())
    }

    /// Reads or writes what stands between the events and the records.
    ///
    /// # Errors
    /// As the stream's.
    pub fn tail<S: BitStream>(
        &mut self,
        stream: &mut S,
        records: &mut u32,
    ) -> Result<(), BitError> {
        stream.bits(&mut self.baseline_age, 7)?;
        stream.bits(records, 12)
    }
}

/// What stands before an event's lanes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventHead {
    /// Ticks before the snapshot's, at most 127.
    pub age_ticks: u32,
    /// Kind number.
    pub kind: u32,
}

impl EventHead {
    /// Reads or writes it.
    ///
    /// # Errors
    /// As the stream's.
    pub fn stream<S: BitStream>(&mut self, stream: &mut S) -> Result<(), BitError> {
        stream.bits(&mut self.age_ticks, 7)?;
        stream.bits(&mut self.kind, 6)
    }
}

/// What stands before a record's lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordHead {
    /// A delta against the common baseline.
    Common,
    /// A delta against the slot's state so many ticks before the snapshot.
    Older {
        /// At least 1.
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
    /// The entity left the world or the client's view.
    Gone,
}

impl RecordHead {
    /// Reads or writes it.
    ///
    /// # Errors
    /// As the stream's.
    #[inline]
    pub fn stream<S: BitStream>(&mut self, stream: &mut S) -> Result<(), BitError> {
        let mut uncommon = *self != RecordHead::Common;
        stream.flag(&mut uncommon)?;
        if !uncommon {
            *self = RecordHead::Common;
            return Ok(());
        }
        let mut no_delta = !matches!(self, RecordHead::Older { .. });
        stream.flag(&mut no_delta)?;
        if !no_delta {
            let mut age = if let RecordHead::Older { age_ticks } = self { *age_ticks } else { 0 };
            stream.golomb(&mut age)?;
            *self = RecordHead::Older { age_ticks: age };
            return Ok(());
        }
        let mut gone = *self == RecordHead::Gone;
        stream.flag(&mut gone)?;
        if gone {
            *self = RecordHead::Gone;
            return Ok(());
        }
        let (mut kind, mut mine, mut id) = match *self {
            RecordHead::Whole { kind, mine, id } => (kind, mine, id),
            _ => (0, false, 0),
        };
        stream.bits(&mut kind, 6)?;
        stream.flag(&mut mine)?;
        stream.bits(&mut id, 32)?;
        *self = RecordHead::Whole { kind, mine, id };
        Ok(())
    }

    /// Its bits.
    #[inline]
    pub fn len_bits(self) -> usize {
        match self {
            RecordHead::Common => 1,
            RecordHead::Older { age_ticks } => 2 + golomb_bits(age_ticks) as usize,
            RecordHead::Gone => 3,
            RecordHead::Whole { .. } => 3 + 6 + 1 + 32,
        }
    }
}

/// Bits that were coded before, to be copied: `count` bits from whole words.
#[derive(Clone, Copy, Debug)]
pub struct Fragment<'a> {
    /// The words, the last one filled with zeros.
    pub words: &'a [u64],
    /// Bits in them.
    pub bits: usize,
}

impl Fragment<'_> {
    /// No bits.
    pub const EMPTY: Fragment<'static> = Fragment { words: &[], bits: 0 };
}

/// Puts a snapshot together.
#[derive(Clone, Debug, Default)]
pub struct SnapshotWriter {
    bits: BitWriter,
    records: u32,
    records_at: usize,
    next_slot: u32,
}

impl SnapshotWriter {
    /// Starts a snapshot with its header and events (head and lanes coded one after the other).
    pub fn begin<'a>(
        &mut self,
        mut header: SnapshotHeader,
        events: impl Iterator<Item = (EventHead, Fragment<'a>)>,
    ) {
        const INFALLIBLE: &str = "writing never fails";
        self.bits.clear();
        header.head(&mut self.bits).expect(INFALLIBLE);
        for (mut head, lanes) in events {
            head.stream(&mut self.bits).expect(INFALLIBLE);
            self.bits.push_words(lanes.words, lanes.bits);
        }
        self.records = 0;
        self.next_slot = 0;
        header.tail(&mut self.bits, &mut 0).expect(INFALLIBLE);
        self.records_at = self.bits.len_bits() - 12;
    }

    /// Bits so far.
    #[inline]
    pub fn len_bits(&self) -> usize {
        self.bits.len_bits()
    }

    /// Bits a record for `slot` would add now.
    #[inline]
    pub fn record_bits(&self, slot: u16, head: RecordHead, lanes_bits: usize) -> usize {
        golomb_bits(u32::from(slot) - self.next_slot) as usize + head.len_bits() + lanes_bits
    }

    /// Whether another record may be added.
    pub fn has_room(&self) -> bool {
        self.records < RECORDS_MAX
    }

    /// Adds a record. Slots must come in ascending order, each once.
    #[inline]
    pub fn record(&mut self, slot: u16, mut head: RecordHead, lanes: Fragment<'_>) {
        self.bits.push_golomb(u32::from(slot) - self.next_slot);
        self.next_slot = u32::from(slot) + 1;
        self.records += 1;
        head.stream(&mut self.bits).expect("writing never fails");
        self.bits.push_words(lanes.words, lanes.bits);
    }

    /// Ends the snapshot and appends its bytes to `out`.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        self.bits.patch(self.records_at, self.records, 12);
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
        let whole = RecordHead::Whole { kind: 63, mine: true, id: u32::MAX };
        let older = [1, 2, 127, 100_000].map(|age_ticks| RecordHead::Older { age_ticks });
        for head in [RecordHead::Common, RecordHead::Gone, whole].into_iter().chain(older) {
            let mut measure = BitMeasure::default();
            { head }.stream(&mut measure).unwrap();
            assert_eq!(measure.len_bits(), head.len_bits(), "{head:?}");
            let mut writer = BitWriter::default();
            { head }.stream(&mut writer).unwrap();
            let bytes = writer.into_bytes();
            let mut read = RecordHead::Common;
            read.stream(&mut BitReader::new(&bytes)).unwrap();
            assert_eq!(read, head);
        }
    }
}
