//! Parts of keyframes: entities on the control stream.
//!
//! A part has the form of a snapshot with only whole records. It belongs to a tick, but arrives
//! with the stream, before or after the snapshots of that tick and later ones. It is applied as if
//! it had come in its turn: from a part's tick until its acknowledgement the server sends nothing
//! else about the entities in it, so no later snapshot has changed them, and snapshots of earlier
//! ticks are late.

use crate::Tick;
use crate::bits::BitReader;
use crate::snapshot::SnapshotHeader;

use super::{Applied, Decoded, Departed, Replica, SlotRecord, SnapshotError};

impl Replica {
    /// Applies one part of a keyframe; `near` is as in [`Replica::apply`]. Acknowledge it by
    /// counting the parts. It brings neither events nor a report.
    ///
    /// # Errors
    /// [`SnapshotError::OtherSeat`] for a part of another stay, [`SnapshotError::Malformed`] for
    /// anything that is not a part of a keyframe; the world is then unchanged.
    pub fn apply_keyframe(&mut self, bytes: &[u8], near: Tick) -> Result<Applied, SnapshotError> {
        let mut reader = BitReader::new(bytes);
        let mut header = SnapshotHeader::default();
        header.head(&mut reader)?;
        if header.seat != self.seat {
            return Err(SnapshotError::OtherSeat);
        }
        header.tail(&mut reader)?;
        if header.input.is_some()
            || header.events.is_some()
            || header.unreliable_events > 0
            || header.baseline_age > 0
        {
            return Err(SnapshotError::Malformed);
        }
        let tick = Tick::expand(header.tick_low16, self.newest.unwrap_or(near));
        self.decoded.clear();
        self.whole_lanes.clear();
        let read = self.read_others(&mut reader, tick, 0);
        let is_whole = |decoded: &Decoded| matches!(decoded.told, SlotRecord::Whole { .. });
        if read.is_err() || !self.decoded.iter().all(is_whole) {
            return Err(SnapshotError::Malformed);
        }
        reader.finish()?;
        let mut departed = Vec::new();
        for at in 0..self.decoded.len() {
            departed.extend(self.take_whole(self.decoded[at], tick));
        }
        if self.keyframe.is_none_or(|newest| tick.since(newest) > 0) {
            self.keyframe = Some(tick);
        }
        Ok(Applied { tick, input: None, events: Vec::new(), departed })
    }

    /// Applies a whole record, unless a state at least as new is there. Returns the entity that it
    /// replaces.
    fn take_whole(&mut self, Decoded { slot, told }: Decoded, tick: Tick) -> Option<Departed> {
        let SlotRecord::Whole { kind, mine, id, lanes_at } = told else { return None };
        let newest = self.place(slot).map(|place| {
            let states = &self.entities[place].states;
            states.tick(states.len() - 1)
        });
        if newest.is_some_and(|newest| tick.since(newest) <= 0) {
            return None;
        }
        self.push_whole(tick, slot, (kind, mine, id), lanes_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::EntityId;
    use crate::bits::BitWriter;
    use crate::schema::{FieldSchema, FieldType, KindSchema, Schema};
    use crate::snapshot::{Fragment, RecordHead, SnapshotWriter};

    const SEAT: u8 = 3;

    fn replica() -> Replica {
        let value = FieldSchema::new("value", FieldType::Int { min: 0, max: 255 });
        let schema = Schema {
            game: "things".into(),
            tick_hz: 60,
            input: KindSchema::new("Nothing", vec![]),
            entities: vec![KindSchema::new("Thing", vec![value])],
            events: vec![],
            commands: vec![],
            model: vec![],
        };
        Replica::new(&schema, SEAT)
    }

    /// A snapshot of these records without a baseline: whole with a value, else removed. Ids equal
    /// slots.
    fn packet(replica: &Replica, tick: u32, records: &[(u16, Option<u8>)]) -> Vec<u8> {
        let records = records.iter().map(|&(slot, value)| (slot, u32::from(slot), value));
        packet_of(replica, tick, &records.collect::<Vec<_>>())
    }

    /// Like [`packet`], with an id for each.
    fn packet_of(replica: &Replica, tick: u32, records: &[(u16, u32, Option<u8>)]) -> Vec<u8> {
        let mut writer = SnapshotWriter::default();
        let header =
            SnapshotHeader { tick_low16: tick as u16, seat: SEAT, ..SnapshotHeader::default() };
        writer.begin(header, std::iter::empty());
        writer.others(records.len() as u32);
        for &(slot, id, value) in records {
            let (mut lanes, mut head) =
                (BitWriter::default(), RecordHead::Gone { in_world: false });
            if let Some(value) = value {
                replica.kinds[0].whole(&mut lanes, &mut [i32::from(value)], false).unwrap();
                head = RecordHead::Whole { kind: 0, mine: false, id };
            }
            let bits = lanes.len_bits();
            lanes.align();
            writer.record(slot, head, Fragment { words: lanes.words(), bits });
        }
        let mut bytes = Vec::new();
        writer.finish(&mut bytes);
        bytes
    }

    fn newest(replica: &Replica, slot: u16) -> Option<(Tick, Vec<i32>)> {
        let states = &replica.entities[replica.place(slot)?].states;
        let at = states.len() - 1;
        Some((states.tick(at), states.state(at).collect()))
    }

    #[test]
    fn a_part_adds_to_what_snapshots_told_and_never_takes_back() {
        let mut replica = replica();
        let snapshot = packet(&replica, 20, &[(1, Some(10))]);
        replica.apply(&snapshot, Tick(20)).unwrap();
        let part = packet(&replica, 18, &[(1, Some(7)), (2, Some(8))]);
        let applied = replica.apply_keyframe(&part, Tick(20)).unwrap();
        assert_eq!(applied.tick, Tick(18));
        assert!(applied.departed.is_empty());
        assert_eq!(newest(&replica, 1), Some((Tick(20), vec![10])), "it was newer");
        assert_eq!(newest(&replica, 2), Some((Tick(18), vec![8])));
        assert_eq!(replica.newest(), Some(Tick(20)), "a part is no snapshot");
    }

    #[test]
    fn what_was_sent_before_a_part_is_late_after_it() {
        let mut replica = replica();
        let part = packet(&replica, 18, &[(1, Some(7))]);
        replica.apply_keyframe(&part, Tick(17)).unwrap();
        let before = packet(&replica, 17, &[(1, None)]);
        assert_eq!(replica.apply(&before, Tick(17)).err(), Some(SnapshotError::Late));
        let after = packet(&replica, 19, &[(1, None)]);
        replica.apply(&after, Tick(17)).unwrap();
        assert_eq!(newest(&replica, 1), None);
    }

    #[test]
    fn the_snapshot_of_a_part_s_own_tick_is_not_late_after_it() {
        let mut replica = replica();
        let part = packet(&replica, 18, &[(1, Some(7))]);
        replica.apply_keyframe(&part, Tick(17)).unwrap();
        let own = packet(&replica, 18, &[(2, Some(8))]);
        replica.apply(&own, Tick(17)).unwrap();
        assert_eq!(newest(&replica, 1), Some((Tick(18), vec![7])));
        assert_eq!(newest(&replica, 2), Some((Tick(18), vec![8])));
        assert_eq!(replica.apply(&own, Tick(17)).err(), Some(SnapshotError::Late), "but once");
    }

    #[test]
    fn a_snapshot_that_tells_of_what_a_part_of_its_tick_brought_is_refused() {
        let mut replica = replica();
        let before = packet(&replica, 16, &[(1, Some(5))]);
        replica.apply(&before, Tick(16)).unwrap();
        let part = packet(&replica, 18, &[(1, Some(7))]);
        replica.apply_keyframe(&part, Tick(17)).unwrap();
        for value in [Some(8), None] {
            let own = packet(&replica, 18, &[(1, value)]);
            assert_eq!(replica.apply(&own, Tick(17)).err(), Some(SnapshotError::Malformed));
        }
        assert_eq!(newest(&replica, 1), Some((Tick(18), vec![7])));
        assert_eq!(replica.newest(), Some(Tick(16)));
    }

    #[test]
    fn what_a_part_takes_the_place_of_departs() {
        let mut replica = replica();
        let snapshot = packet(&replica, 16, &[(1, Some(7))]);
        replica.apply(&snapshot, Tick(16)).unwrap();
        let part = packet_of(&replica, 18, &[(1, 500, Some(9)), (2, 501, Some(1))]);
        let applied = replica.apply_keyframe(&part, Tick(17)).unwrap();
        let [departed] = &applied.departed[..] else { panic!("{:?}", applied.departed) };
        assert_eq!((departed.entity.id, departed.tick), (EntityId(1), Tick(18)));
        assert!(!departed.in_world, "it left the world");
    }

    #[test]
    fn a_part_of_anything_but_whole_records_is_refused() {
        let mut replica = replica();
        let gone = packet(&replica, 18, &[(1, Some(7)), (2, None)]);
        let refused = Some(SnapshotError::Malformed);
        assert_eq!(replica.apply_keyframe(&gone, Tick(18)).err(), refused);
        let mut cut = packet(&replica, 18, &[(1, Some(7)), (2, Some(8))]);
        cut.pop();
        assert_eq!(replica.apply_keyframe(&cut, Tick(18)).err(), refused);
        assert!(replica.entities().is_empty());
    }
}
