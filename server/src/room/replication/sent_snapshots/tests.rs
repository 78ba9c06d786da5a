//! The states that a client has by its acknowledgements.

use super::*;

#[test]
fn an_old_removal_does_not_acknowledge_one_after_the_slot_returned() {
    const SLOT: u16 = 5;
    let mut sent_snapshots = SentSnapshots::default();
    sent_snapshots.grow(64);
    let ack = |sent_snapshots: &mut SentSnapshots, tick: u32| {
        let ack = SnapshotAck { newest_low16: tick as u16, before: u32::MAX };
        sent_snapshots.acknowledge(Tick(tick), ack, |_| {});
    };
    for tick in 9..=15 {
        let (held, gone) = match tick {
            9 | 11 => ([1 << SLOT], None),
            10 | 15 => ([0], Some(SLOT)),
            _ => ([0], None),
        };
        sent_snapshots.send(Tick(tick), &held, gone.into_iter());
    }
    ack(&mut sent_snapshots, 14);
    assert!(sent_snapshots.known().contains(SLOT), "what came at 11 was not told to go");
    assert_eq!(sent_snapshots.gone(SLOT), 15);
    ack(&mut sent_snapshots, 15);
    assert!(!sent_snapshots.known().contains(SLOT));
    assert_eq!(sent_snapshots.gone(SLOT), 0);
}

#[test]
fn a_late_acknowledgement_does_not_revive_a_removed_slot() {
    const SLOT: u16 = 5;
    let mut sent_snapshots = SentSnapshots::default();
    sent_snapshots.grow(64);
    let ack = |sent_snapshots: &mut SentSnapshots, before: u32| {
        sent_snapshots.acknowledge(Tick(13), SnapshotAck { newest_low16: 12, before }, |_| {});
    };
    for tick in 9..=12 {
        sent_snapshots.send(Tick(tick), &[u64::from(tick == 10) << SLOT], std::iter::empty());
    }
    ack(&mut sent_snapshots, 0);
    sent_snapshots.send(Tick(13), &[0], std::iter::once(SLOT));
    ack(&mut sent_snapshots, 0b10);
    assert_eq!(sent_snapshots.acked(SLOT), 0, "its state of 10 is void");
}

#[test]
fn the_age_of_an_acknowledgement_is_returned_once_even_if_late() {
    let mut sent_snapshots = SentSnapshots::default();
    sent_snapshots.grow(64);
    for tick in 10..=200 {
        sent_snapshots.send(Tick(tick), &[0], std::iter::empty());
    }
    let mut ack = |newest: u32| {
        let ack = SnapshotAck { newest_low16: newest as u16, before: 0 };
        sent_snapshots.acknowledge(Tick(200), ack, |_| {})
    };
    assert_eq!(ack(9), None, "it was not sent");
    assert_eq!(ack(80), Some(120), "the ring has it no more");
    assert_eq!(ack(80), None);
    assert_eq!(ack(70), None, "a newer one was acknowledged");
    assert_eq!(ack(190), Some(10));
    assert_eq!(ack(201), None, "it was not sent yet");
}

#[test]
fn what_was_not_sent_is_not_acknowledged() {
    let mut sent_snapshots = SentSnapshots::default();
    sent_snapshots.grow(64);
    for tick in 10..=20 {
        sent_snapshots.send(Tick(tick), &[1], std::iter::empty());
    }
    let mut acknowledged = |newest: u16, before: u32| {
        let mut ticks = Vec::new();
        let ack = SnapshotAck { newest_low16: newest, before };
        sent_snapshots.acknowledge(Tick(20), ack, |tick| ticks.push(tick.0));
        ticks
    };
    for (newest, before) in [(9, 0), (9, u32::MAX), (21, 0), (1000, u32::MAX), (40_000, u32::MAX)] {
        assert_eq!(acknowledged(newest, before), [0; 0], "{newest}");
    }
    assert_eq!(acknowledged(12, u32::MAX), [10, 11, 12], "those before the first were not sent");
    assert_eq!(sent_snapshots.unheard_ticks(Tick(20)), 8);
}
