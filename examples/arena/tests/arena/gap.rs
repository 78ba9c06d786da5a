//! A player whose program stands still for so long that the low bits of a tick tell nothing any more, and goes on;
//! and rooms whose ticks come to an end.

use serde::{Deserialize, Serialize};
use tickwire_client::session::Session;
use tickwire_shared::simulation::schema_of;
use tickwire_shared::{
    Capture, EntityId, Input, Inputs, LeaveReason, NewPlayer, NewRoom, Outbox, PlayerId, Replicate,
    Simulation, Tick,
};

use crate::table::{ME, PERIOD, Table};

const DELAY_TICKS: usize = 5;
/// All is as it was before after so many ticks: a second.
const SOON_TICKS: u32 = 60;
/// Each of the entities changes once in so many ticks; the last one never.
const PERIODS: [u32; 9] = [1, 1, 2, 7, 50, 300, 4000, 40_000, u32::MAX];

#[derive(Clone, Copy, Debug, Default, PartialEq, Input)]
struct Push {
    #[replicate(range = 0..=1)]
    x: u8,
}

/// Tells what it is and since when: whatever a client holds of it can be judged.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, Replicate)]
struct Entry {
    since: u32,
    mixed: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Replicate)]
struct Rung {
    number: u32,
}

#[derive(Debug, Serialize, Deserialize)]
struct Ledger {
    tick: Tick,
    rung: u32,
    pushed: u64,
}

impl Entry {
    fn of(id: u32, Tick(tick): Tick) -> Entry {
        let since = tick - tick % PERIODS[id as usize];
        Entry { since, mixed: (since ^ id << 7).wrapping_mul(2_654_435_761) }
    }
}

#[tickwire_shared::game]
impl Simulation for Ledger {
    const NAME: &'static str = "ledger";
    type Input = Push;
    type Entity = Entry;
    type Event = Rung;

    fn new(_room: &NewRoom<Self>) -> Self {
        Ledger { tick: Tick(0), rung: 0, pushed: 0 }
    }

    fn join(&mut self, _player: &NewPlayer<Self>) {}

    fn leave(&mut self, _player: PlayerId, _reason: LeaveReason) {}

    fn step(&mut self, inputs: &Inputs<Self>, outbox: &mut Outbox<Self>) {
        self.tick = inputs.tick();
        self.pushed += u64::from(inputs.get(ME).x);
        if self.tick.0.is_multiple_of(20) {
            self.rung += 1;
            outbox.to_room(Rung { number: self.rung });
        }
    }

    fn capture(&self, world: &mut Capture<Entry>) {
        for id in 0..PERIODS.len() as u32 {
            world.show(EntityId(id), Entry::of(id, self.tick));
        }
    }
}

fn table(after: Tick) -> Table<Ledger> {
    far_table(after, DELAY_TICKS)
}

/// The same with a player so many ticks away.
fn far_table(after: Tick, delay_ticks: usize) -> Table<Ledger> {
    let session = Session::new("test", Some(schema_of::<Ledger>()));
    Table::join(session, (1, after), (delay_ticks, delay_ticks))
}

/// How many inputs the room took in so many ticks.
fn taken(table: &mut Table<Ledger>, ticks: u32) -> u64 {
    let taken = |table: &Table<Ledger>| table.room.input_counts(ME).expect("a seat").taken;
    let before = taken(table);
    play(table, ticks, "inputs are counted");
    taken(table) - before
}

/// Nothing the client holds was ever otherwise: each state is what the room had at that very tick.
fn assert_nothing_wrong(table: &Table<Ledger>, what: &str) {
    let Some(room) = table.session.room() else { panic!("{what}: no room") };
    for entity in room.replica().entities() {
        for at in 0..entity.states.len() {
            let (tick, lanes) = (entity.states.tick(at), entity.states.lanes(at));
            let Entry { since, mixed } = Entry::of(entity.id.0, tick);
            assert_eq!(lanes, [since as i32, mixed as i32], "{what}: {:?} at {tick:?}", entity.id);
        }
    }
}

/// What came is as new as it can be.
fn assert_up_to_date(table: &Table<Ledger>, what: &str) {
    assert_nothing_wrong(table, what);
    let room = table.session.room().expect("a room");
    let newest = room.replica().newest().expect("a snapshot");
    let age_ticks = table.room.tick().since(newest);
    assert!(age_ticks <= DELAY_TICKS as i32 + 1, "{what}: {age_ticks} ticks behind");
    assert_eq!(room.replica().entities().len(), PERIODS.len(), "{what}");
    for entity in room.replica().entities() {
        let held = entity.states.lanes(entity.states.len() - 1);
        let Entry { since, mixed } = Entry::of(entity.id.0, newest);
        assert_eq!(held, [since as i32, mixed as i32], "{what}: {:?} at {newest:?}", entity.id);
    }
}

/// Plays so many ticks; returns the numbers of what was told.
fn play(table: &mut Table<Ledger>, ticks: u32, what: &str) -> Vec<u32> {
    let mut told = Vec::new();
    for _ in 0..ticks {
        table.advance(&[1]);
        assert_nothing_wrong(table, what);
        while let Some(event) = table.session.poll_event() {
            if let tickwire_client::session::SessionEvent::Game(event) = event {
                told.push(event.lanes[0] as u32);
            }
        }
    }
    told
}

/// What becomes of the snapshots meanwhile.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Meanwhile {
    Lost,
    /// As many wait as a queue of datagrams holds.
    LastWait,
    /// As on a stream.
    AllWait,
}

/// Stands still for so many ticks.
fn pause(table: &mut Table<Ledger>, ticks: u32, meanwhile: Meanwhile) {
    table.is_suspended = true;
    table.is_silent = meanwhile == Meanwhile::Lost;
    for _ in 0..ticks {
        table.advance(&[1]);
        if meanwhile == Meanwhile::LastWait && table.waiting.len() > 128 {
            table.waiting.drain(..64);
        }
    }
    (table.is_suspended, table.is_silent) = (false, false);
}

fn goes_on_after(pauses: &[u32], meanwhile: Meanwhile) {
    let mut table = table(Tick(1000));
    play(&mut table, 300, "at first");
    for &ticks in pauses {
        let what = format!("a pause of {ticks} ticks, {meanwhile:?}");
        pause(&mut table, ticks, meanwhile);
        let taken = table.room.input_counts(ME).expect("a seat").taken;
        play(&mut table, SOON_TICKS, &what);
        assert_up_to_date(&table, &what);
        let told = play(&mut table, 5 * SOON_TICKS, &what);
        assert_up_to_date(&table, &what);
        let counts = table.room.input_counts(ME).expect("a seat");
        let taken = counts.taken - taken;
        assert!(taken >= u64::from(4 * SOON_TICKS), "{what}: {taken} inputs were taken");
        assert!(told.is_sorted_by(|a, b| a < b), "{what}: events came twice: {told:?}");
        let rung = table.room.simulation().rung;
        assert!(told.last().is_some_and(|last| last + 1 >= rung), "{what}: {told:?} of {rung}");
    }
}

#[test]
fn a_pause_of_about_half_of_the_ticks_that_16_bits_tell_is_got_over() {
    for meanwhile in [Meanwhile::Lost, Meanwhile::LastWait, Meanwhile::AllWait] {
        goes_on_after(&[29_999, 30_001, 32_767, 32_768, 32_769], meanwhile);
    }
}

#[test]
fn a_pause_of_all_the_ticks_that_16_bits_tell_is_got_over() {
    for meanwhile in [Meanwhile::Lost, Meanwhile::LastWait, Meanwhile::AllWait] {
        goes_on_after(&[65_535, 65_536, 65_537], meanwhile);
    }
}

#[test]
fn pauses_of_any_length_are_got_over() {
    let mut seed = 0x9E37_79B9u32;
    let mut random = |below: u32| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        ((u64::from(seed) * u64::from(below)) >> 32) as u32
    };
    let pauses: Vec<u32> = (0..6).map(|_| random(140_000)).collect();
    goes_on_after(&pauses, Meanwhile::Lost);
    let pauses: Vec<u32> = (0..6).map(|_| random(70_000)).collect();
    goes_on_after(&pauses, Meanwhile::LastWait);
}

#[test]
fn a_player_whose_clock_stood_still_meanwhile_is_not_left_in_a_wrong_world() {
    // Its machine slept: what it sends tells of a tick that has the low bits of another one by now.
    let mut table = table(Tick(1000));
    play(&mut table, 300, "at first");
    for ticks in [65_536 - 20, 65_536 + 3, 40_000] {
        table.is_asleep = true;
        for _ in 0..ticks {
            table.advance(&[1]);
        }
        table.is_asleep = false;
        for _ in 0..6 * SOON_TICKS {
            table.advance(&[1]);
        }
        assert_up_to_date(&table, &format!("a sleep of {ticks} ticks"));
        play(&mut table, SOON_TICKS, "after it");
    }
}

#[test]
fn a_room_and_its_players_go_on_past_the_last_tick() {
    for last in [u32::from(u16::MAX), i32::MAX as u32, u32::MAX] {
        let what = format!("past tick {last}");
        let mut table = table(Tick(last - 400));
        let mut told = play(&mut table, 350, &what);
        assert_up_to_date(&table, &what);
        let taken = table.room.input_counts(ME).expect("a seat").taken;
        told.extend(play(&mut table, 50 + SOON_TICKS, &what));
        assert_up_to_date(&table, &what);
        told.extend(play(&mut table, 300, &what));
        assert_up_to_date(&table, &what);
        let taken = table.room.input_counts(ME).expect("a seat").taken - taken;
        assert!(taken >= 380, "{what}: of 410 inputs {taken} were taken");
        // The last one may be on its way.
        let rung = table.room.simulation().rung;
        assert!(told.len() as u32 + 1 >= rung, "{what}: {} of {rung} events", told.len());
        assert!(told.iter().copied().eq(1..=told.len() as u32), "{what}: {told:?}");
    }
}

/// The share of snapshots that counts as lost where only every second one is sent, before and after the world begins anew.
fn losses(is_lossless: bool) -> [f32; 2] {
    let mut session = Session::new("test", Some(schema_of::<Ledger>()));
    session.set_lossless(is_lossless);
    let mut table = Table::join(session, (1, Tick(1000)), (DELAY_TICKS, DELAY_TICKS));
    [31_000, 0].map(|ticks| {
        for _ in 0..300 {
            table.is_silent = table.tick.is_multiple_of(2);
            table.advance(&[1]);
            let net = table.session.stats(PERIOD * table.tick);
            assert!((0.0..1000.0).contains(&net.interpolation_ms), "{} ms", net.interpolation_ms);
        }
        let net = table.session.stats(PERIOD * table.tick);
        pause(&mut table, ticks, Meanwhile::Lost);
        net.loss_fraction()
    })
}

#[test]
fn over_a_websocket_nothing_counts_as_lost_also_after_the_world_began_anew() {
    assert_eq!(losses(true), [0.0, 0.0]);
    for lost in losses(false) {
        assert!((0.4..0.6).contains(&lost), "{lost} of every second one");
    }
}

#[test]
fn a_machine_that_slept_for_ten_seconds_plays_on_within_a_second() {
    let mut table = table(Tick(1000));
    play(&mut table, 900, "at first");
    let usual = table.session.stats(PERIOD * table.tick);
    table.is_asleep = true;
    for _ in 0..600 {
        table.advance(&[1]);
    }
    table.is_asleep = false;
    play(&mut table, SOON_TICKS, "after it");
    assert_up_to_date(&table, "after a sleep");
    let net = table.session.stats(PERIOD * table.tick);
    let (view, usual) = (net.interpolation_ms, usual.interpolation_ms);
    assert!((view - usual).abs() < 5.0, "what is shown is {view} ms old, and was {usual}");
    let (shown, _) = table.session.room().and_then(|room| room.shown_tick()).expect("something");
    let behind_ticks = table.room.tick().since(shown);
    assert!(behind_ticks < 15, "what is shown is {behind_ticks} ticks behind the room");
    let taken = taken(&mut table, 120);
    assert!(taken >= 119, "{taken} of 120 inputs were taken");
}

#[test]
fn inputs_come_in_time_over_round_trips_of_seconds() {
    for (delay_ticks, found_s) in [(60, 8), (90, 15), (150, 25)] {
        let mut table = far_table(Tick(1000), delay_ticks);
        play(&mut table, found_s * 60, "while the lead is found");
        let taken = taken(&mut table, 300);
        let rtt_ms = table.session.stats(PERIOD * table.tick).rtt_ms;
        let trip_ms = delay_ticks as f32 * 2.0 * 1000.0 / 60.0;
        assert!(taken >= 285, "{trip_ms} ms: {taken} of 300 inputs were taken");
        assert!((rtt_ms - trip_ms).abs() < 60.0, "{trip_ms} ms: {rtt_ms} measured");
    }
}
