//! Prediction, from a few lines to a player behind a slow network.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tickwire_client::session::Session;
use tickwire_client::session::prediction::{NumberRules, NumberStep, NumberTick};
use tickwire_server::config::RoomConfig;
use tickwire_server::journal::{RecordedCorrections, SegmentWriter};
use tickwire_server::room::{JournalEntry, JournalHead};
use tickwire_shared::correction::{CorrectionRecord, PredictedInput};
use tickwire_shared::glam::Vec2;
use tickwire_shared::predict::{PredictEntity, PredictedStep};
use tickwire_shared::simulation::schema_of;
use tickwire_shared::{
    Capture, EntityId, Input, Inputs, LeaveReason, NewPlayer, NewRoom, Outbox, PlayerId, Replicate,
    Simulation, Tick,
};

use crate::table::{ME, PERIOD, Table};

/// A player holds a push along x.
#[derive(Clone, Copy, Debug, Default, PartialEq, Input)]
struct Push {
    #[replicate(range = -1.0..=1.0, step = 0.125)]
    x: f32,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Balls {
    balls: BTreeMap<PlayerId, Ball>,
    /// The longest view delay a player told, as the server passed it on.
    view_delay_ticks: f32,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, Replicate)]
struct Ball {
    #[replicate(range = -100.0..=100.0, step = 0.01, velocity = vel)]
    pos: Vec2,
    #[replicate(range = -20.0..=20.0, step = 0.01)]
    vel: Vec2,
    /// No predicted step changes it.
    #[replicate(range = 0..=999)]
    score: u16,
}

impl PredictEntity for Balls {
    fn predict_step(ball: &mut Ball, input: Push, _tick: &mut PredictedStep<'_, Self>) {
        ball.vel.x += input.x;
        ball.pos += ball.vel / Self::TICK_HZ as f32;
    }
}

/// In this tick something comes over every ball that no client can know of.
const BLOW: Tick = Tick(240);

#[tickwire_shared::game]
impl Simulation for Balls {
    const NAME: &'static str = "balls";
    type Input = Push;
    type Entity = Ball;

    fn new(_room: &NewRoom<Self>) -> Self {
        Balls::default()
    }

    fn join(&mut self, player: &NewPlayer<Self>) {
        self.balls.insert(player.id, Ball { pos: Vec2::ZERO, vel: Vec2::ZERO, score: 0 });
    }

    fn leave(&mut self, player: PlayerId, _reason: LeaveReason) {
        self.balls.remove(&player);
    }

    fn step(&mut self, inputs: &Inputs<Self>, _outbox: &mut Outbox<Self>) {
        for (player, ball) in &mut self.balls {
            if inputs.tick() == BLOW {
                ball.vel.y += 12.0;
            }
            ball.score += u16::from(inputs.tick().0.is_multiple_of(50));
            <Balls as PredictEntity>::predict_step(
                ball,
                inputs.get(*player),
                &mut PredictedStep::alone(),
            );
            self.view_delay_ticks = self.view_delay_ticks.max(inputs.view_delay_ticks(*player));
        }
    }

    fn capture(&self, world: &mut Capture<Ball>) {
        for (player, ball) in &self.balls {
            world.show(EntityId::of_player(*player), *ball).owned_by(*player);
        }
    }
}

impl Table<Balls> {
    fn new(delay_ticks: usize, predicts: bool) -> Self {
        let mut session = Session::new("test", None);
        if predicts {
            session.predict::<Balls>();
        }
        Table::of(delay_ticks, session)
    }

    fn of(delay_ticks: usize, session: Session) -> Self {
        Table::join(session, (1, Tick(0)), (delay_ticks, delay_ticks))
    }

    /// One tick, with a push along x. What is shown of the ball then.
    fn run(&mut self, x: f32) -> Option<Vec2> {
        self.advance(&[(x / 0.125) as i32]);
        let mut shown = None;
        self.session.room().unwrap().for_each_shown(|seen| {
            shown = Some(Vec2::new(seen.lanes[0] as f32, seen.lanes[1] as f32) * 0.01);
        });
        shown
    }

    fn corrections(&self) -> u64 {
        let prediction = self.session.room().unwrap().prediction();
        prediction.map_or(0, |prediction| prediction.stats().corrections)
    }
}

#[test]
fn an_input_is_seen_in_the_frame_it_came_in_however_far_the_server_is() {
    for (delay_ticks, predicts) in [(0, true), (6, true), (12, true), (6, false)] {
        let mut table = Table::new(delay_ticks, predicts);
        let mut still = None;
        for _ in 0..150 {
            still = table.run(0.0);
        }
        let frames = (0..60).position(|_| table.run(1.0) != still).unwrap();
        assert_eq!(frames == 0, predicts, "{delay_ticks} ticks away: after {frames} frames");
        for tick in 0..20 {
            table.run(if tick % 5 < 2 { -1.0 } else { 0.5 });
        }
        assert_eq!(table.corrections(), 0, "{delay_ticks} ticks away");
    }
}

#[test]
fn what_no_client_can_know_is_put_right_once_and_fades() {
    let mut table = Table::new(6, true);
    let mut last = table.run(0.0);
    let (mut jump, mut after_blow) = (0.0f32, 0);
    while table.tick < BLOW.0 + 60 {
        let shown = table.run(0.0);
        if let (Some(last), Some(shown)) = (last, shown) {
            jump = jump.max((shown - last).length());
        }
        last = shown;
        after_blow += usize::from(table.corrections() > 0);
    }
    assert!(after_blow > 30, "nothing was put right");
    // Twelve units a second are 0.2 a frame; the three units it was behind are not made up at once.
    assert!(jump < 1.2, "it jumped by {jump} units in a frame");
    let ball = table.room.simulation().balls[&ME];
    let ahead = (table.session.room().unwrap().newest_input().unwrap().0 - table.tick) as f32;
    let is = ball.pos + ball.vel * ((ahead + 0.5) / 60.0);
    assert!((last.unwrap() - is).length() < 0.2, "shown at {last:?}, is at {is}");
}

#[test]
fn a_correction_is_kept_with_its_fields_and_inputs_and_the_journal_has_what_the_server_said() {
    let mut table = Table::new(6, true);
    table.session.keep_corrections(4);
    let head = JournalHead::new::<Balls>(("table", 1), &"".into(), &RoomConfig::default());
    let mut records = Vec::new();
    while table.tick < BLOW.0 + 60 {
        table.run([0.5, 0.0, -0.5][table.tick as usize % 3]);
        records.extend(std::iter::from_fn(|| table.room.poll_journal()));
    }
    let kept: Vec<_> = std::iter::from_fn(|| table.session.poll_correction()).collect();
    // Those before are of a clock that had yet to settle.
    let correction = kept.last().expect("the blow");
    assert!(kept[..kept.len() - 1].iter().all(|it| it.tick.since(Tick(60)) < 0), "{kept:?}");
    let before = BLOW.offset(-1);
    assert_eq!((correction.tick, correction.agreed), (BLOW, Some(before)));
    let ahead = correction.newest.since(BLOW);
    assert!((6..20).contains(&ahead), "{ahead}");
    assert_eq!(correction.inputs.len() as i32, ahead + 1);
    let schema = schema_of::<Balls>();
    let named = correction.named(&schema, ("table", ME));
    let names: Vec<_> = named.fields.iter().map(|field| field.name.as_str()).collect();
    assert_eq!(names, ["pos.y", "vel.y"], "{named:?}");
    let (predicted, server) = (named.fields[1].predicted, named.fields[1].server);
    assert_eq!((predicted, server), (Some(0.0), 12.0));
    let held = |input: &PredictedInput| input.fields == [("x".to_owned(), 0.5)];
    let third = named.inputs.iter().filter(|input| held(input)).count() as i32;
    assert!((third - ahead / 3).abs() <= 1, "{named:?}");
    // The file, and the room's journal beside it.
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("ann.jsonl");
    let elsewhere = CorrectionRecord { room: "other".to_owned(), ..named.clone() };
    let late = CorrectionRecord { tick: 100_000, ..named.clone() };
    let lines = [&named, &elsewhere, &late].map(|line| serde_json::to_string(line).unwrap() + "\n");
    std::fs::write(&file, lines.concat()).unwrap();
    let folder = dir.path().join("room");
    let mut journal = SegmentWriter::new(folder.clone(), head, u64::MAX);
    for record in &records {
        journal.append(&JournalEntry::from_bytes(record).unwrap());
    }
    journal.flush(false).unwrap();
    let read = RecordedCorrections::read(&file).unwrap();
    let beside = RecordedCorrections::beside::<Balls>(&folder, read).unwrap();
    assert_eq!(beside.corrections, [named.clone(), late]);
    assert_eq!((beside.elsewhere, &beside.difference), (1, &None));
    let said: Vec<_> = named.fields.iter().map(|field| Some(field.server)).collect();
    assert_eq!(beside.shown, [said, vec![None; 2]]);
    let text = beside.to_string();
    assert!(text.contains("vel.y: predicted 0, server 12, journal 12"), "{text}");
    std::fs::write(&file, "{}\n").unwrap();
    let wrong = RecordedCorrections::read(&file).unwrap_err().to_string();
    assert!(wrong.contains("line 1 of") && wrong.contains("is no correction"), "{wrong}");
}

#[test]
fn corrections_are_kept_only_if_they_are_asked_for() {
    let (mut quiet, mut table) = (Table::new(6, true), Table::new(6, true));
    table.session.keep_corrections(2);
    for _ in 0..BLOW.0 + 60 {
        quiet.run(0.0);
        table.run(0.0);
    }
    assert!(quiet.corrections() > 0 && quiet.session.poll_correction().is_none());
    assert!(table.session.poll_correction().is_some());
    assert!(table.session.poll_correction().is_none());
}

/// The rules once more, as a script has them: plain numbers of 64 bits. Its state is x, y, both velocities and the score.
#[derive(Debug)]
struct Script {
    push: f64,
}

impl NumberStep for Script {
    type State = [f64; 5];

    fn state_of(&self, _kind: u8, values: &[f64], _before: Option<&[f64; 5]>) -> Option<[f64; 5]> {
        values.try_into().ok()
    }

    fn step(
        &self,
        _kind: u8,
        &[x, y, vx, vy, score]: &[f64; 5],
        input: &[f64],
        values: &mut [f64],
        _tick: &mut NumberTick<'_>,
    ) -> Option<[f64; 5]> {
        let vx = vx + input[0] * self.push;
        let after =
            [x + vx / 60.0, y + vy / 60.0, vx, vy, score].map(|value| f64::from(value as f32));
        values.copy_from_slice(&after);
        Some(after)
    }
}

/// Corrections of a minute of steering, with a blow in it.
fn corrections(predict: impl FnOnce(&mut Session)) -> u64 {
    let mut session = Session::new("test", None);
    predict(&mut session);
    let mut table = Table::of(6, session);
    let mut still = None;
    for _ in 0..150 {
        still = table.run(0.0);
    }
    assert_ne!(table.run(1.0), still, "an input is seen in the frame it came in");
    table.run(-1.0);
    while table.tick < 3600 {
        table.run(if (45..135).contains(&(table.tick % 180)) { 0.125 } else { -0.125 });
    }
    table.corrections()
}

fn by_script(push: f64) -> impl FnOnce(&mut Session) {
    move |session| {
        session.predict_by(Box::new(move |schema| {
            Some(Box::new(NumberRules::new(schema, Script { push })))
        }));
    }
}

#[test]
fn a_script_that_steps_as_the_server_does_is_put_right_only_where_the_rules_are() {
    assert_eq!(corrections(|session| session.predict::<Balls>()), 1, "the blow alone");
    assert_eq!(corrections(by_script(1.0)), 1, "the blow alone");
    let wrong = corrections(by_script(1.01));
    assert!(wrong > 60, "a wrong one was put right {wrong} times");
}

#[test]
fn a_page_that_draws_six_frames_a_second_has_its_inputs_in_time() {
    let mut table = Table::new(3, true);
    table.ticks_per_frame = 10;
    for tick in 0..1200 {
        table.run(if tick % 90 < 45 { 0.5 } else { -0.5 });
    }
    let before = table.room.input_counts(ME).unwrap();
    let corrections = table.corrections();
    for tick in 0..600 {
        table.run(if tick % 90 < 45 { 0.5 } else { -0.5 });
    }
    let counts = table.room.input_counts(ME).unwrap();
    assert_eq!(counts.missing, before.missing, "{counts:?}");
    assert_eq!(table.corrections(), corrections);
}

#[test]
fn the_room_caps_how_far_a_player_may_look_back() {
    for (delay_ticks, most) in [(3, 13.0), (12, 15.0)] {
        let mut table = Table::new(delay_ticks, true);
        for _ in 0..300 {
            table.run(0.0);
        }
        let told = table.room.simulation().view_delay_ticks;
        assert!(told > most - 5.0 && told <= most, "{delay_ticks} ticks away: {told}");
    }
}

#[test]
fn how_old_a_snapshot_is_counts_the_way_it_came() {
    for delay_ticks in [0u32, 6, 30] {
        let mut table = Table::new(delay_ticks as usize, true);
        for _ in 0..400 {
            table.run(0.0);
        }
        let stats = table.session.stats(PERIOD * table.tick + PERIOD / 2);
        assert!(stats.silence_ms < 1.0, "one comes in every tick");
        let way_ms = (PERIOD * delay_ticks).as_secs_f32() * 1000.0;
        let (least, most) = (way_ms - 9.0, way_ms + 26.0);
        let age_ms = stats.snapshot_age_ms;
        assert!((least..most).contains(&age_ms), "{age_ms} ms where the way takes {way_ms}");
    }
}
