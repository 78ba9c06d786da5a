//! The game in three dimensions: a view of a sphere, and prediction of the own glider.

use std::collections::BTreeMap;

use tickwire_client::session::Session;
use tickwire_shared::glam::Vec3;
use tickwire_shared::quantize::Kinds;
use tickwire_shared::{Capture, EntityId, Simulation, Tick, Viewer};
use tickwire_sky::{Glider, SIGHT, Sky};

use crate::table::{ME, PERIOD, Table};

/// The sights and data of a player in some seconds of flight.
#[derive(Debug, Default)]
struct Flight {
    snapshots: usize,
    bytes: usize,
    /// The number of others shown in each frame.
    seen: usize,
    corrections: u64,
    /// The largest visible error, in metres.
    visible_error: f64,
    /// The largest distance of another glider's shown state from the server's at that tick, in
    /// metres.
    others_off: f32,
    /// The fraction of snapshots lost.
    lost_fraction: f32,
}

/// Flies loops for 30 seconds, with `delay_ticks` each way; one of `lost_every` snapshots is lost.
fn fly(delay_ticks: usize, lost_every: u32) -> Flight {
    let mut session = Session::new("test", None);
    session.predict::<Sky>();
    let mut table = Table::<Sky>::join(session, (5, Tick(0)), (delay_ticks, delay_ticks));
    let (mut flight, mut corrections_before) = (Flight::default(), 0);
    let mut past: BTreeMap<u32, Vec<(EntityId, Glider)>> = BTreeMap::new();
    for tick in 0..30 * 60u32 {
        table.is_silent = tick % lost_every == lost_every - 1;
        let phase = tick / 30;
        table.advance(&[[1, 0, -1, 1][phase as usize % 4], [1, -1, 0][phase as usize % 3]]);
        past.insert(table.room.tick().0, table.room.simulation().drones().to_vec());
        if tick < 240 {
            // The clocks settle, and with them the prediction.
            let room = table.session.room();
            let prediction = room.and_then(|room| room.prediction());
            corrections_before = prediction.map_or(0, |prediction| prediction.stats().corrections);
            continue;
        }
        for (_, datagram) in table.room.datagrams() {
            flight.snapshots += 1;
            flight.bytes += datagram.len();
        }
        let room = table.session.room().expect("it is in the room");
        let (shown_tick, part) = room.shown_tick_of(0).expect("it is shown");
        let (before, after) = (&past[&shown_tick.0], &past[&(shown_tick.0 + 1)]);
        room.for_each_shown(|shown| {
            if shown.mine || shown.presence < 1.0 {
                return;
            }
            flight.seen += 1;
            let at = (shown.id.0 & 0xFFFF) as usize;
            let pos = Vec3::from_array([0, 1, 2].map(|lane| shown.lanes[lane] as f32)) / 64.0;
            let is = before[at].1.pos.lerp(after[at].1.pos, part as f32);
            flight.others_off = flight.others_off.max(pos.distance(is));
        });
        let prediction = room.prediction().expect("it predicts");
        flight.corrections = prediction.stats().corrections - corrections_before;
        let error = prediction.visible_error();
        let error = error.iter().take(3).map(|lane| lane * lane).sum::<f64>().sqrt() / 64.0;
        flight.visible_error = flight.visible_error.max(error);
    }
    flight.lost_fraction = table.session.stats(PERIOD * table.tick).loss_fraction();
    flight
}

#[test]
fn a_player_in_space_is_predicted_and_sees_what_is_around() {
    for (delay_ticks, lost_every) in [(0, u32::MAX), (6, u32::MAX), (6, 20)] {
        let flight = fly(delay_ticks, lost_every);
        let seen = flight.seen as f64 / flight.snapshots as f64;
        let bytes = flight.bytes as f64 / flight.snapshots as f64;
        println!(
            "{delay_ticks} ticks each way, {:.1} % lost: {seen:.1} others seen, {bytes:.1} bytes a datagram, \
             {:.2} bytes for each and tick, {} corrections, visible error {:.3} m, others off by {:.3} m",
            flight.lost_fraction * 100.0,
            bytes / seen,
            flight.corrections,
            flight.visible_error,
            flight.others_off,
        );
        assert!(seen > 10.0, "{flight:?}");
        assert!((flight.lost_fraction > 0.04) == (lost_every < 25), "{flight:?}");
        assert!(flight.corrections == 0 && flight.visible_error < 1e-3, "{flight:?}");
        // Far gliders come every second tick, and stop at the edge of the air.
        assert!(flight.others_off < if lost_every == u32::MAX { 0.25 } else { 1.0 }, "{flight:?}");
    }
}

#[test]
fn a_sphere_shows_what_is_in_it_above_and_below_too() {
    let session = Session::new("test", None);
    let mut table = Table::<Sky>::join(session, (5, Tick(0)), (0, 0));
    (0..120).for_each(|_| table.advance(&[0, 0]));
    let sky = table.room.simulation();
    let (mut capture, view) = (Capture::default(), sky.view(Viewer::Player(ME)));
    sky.capture(&mut capture);
    let world: Vec<_> = capture.drain().collect();
    let mut shown = Vec::new();
    table.session.room().expect("it is in the room").for_each_shown(|seen| {
        let lanes: Vec<i32> = seen.lanes.iter().map(|lane| lane.round() as i32).collect();
        let glider = Glider::from_lanes(seen.kind, &lanes).expect("of this game");
        assert!((glider.facing.length() - 1.0).abs() < 0.01);
        shown.push(seen.id);
    });
    let center = view.areas().next().expect("a sphere").center();
    let (mut high, mut hidden) = (0, 0);
    for captured in &world {
        let place = captured.place.expect("all have one");
        if place.distance(center) < SIGHT * 0.95 {
            assert!(shown.contains(&captured.id), "{:?} is near and not shown", captured.id);
            high += usize::from((place.y - center.y).abs() > SIGHT / 2.0);
        } else if place.distance(center) > SIGHT * 1.15 {
            assert!(!shown.contains(&captured.id), "{:?} is far and shown", captured.id);
            let level = (place - center).with_y(0.0).length();
            hidden += usize::from(level < SIGHT / 2.0);
        }
    }
    assert!(
        high > 2 && hidden > 2,
        "{high} seen far above or below, {hidden} too far above or below"
    );
}
