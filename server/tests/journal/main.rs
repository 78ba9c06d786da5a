//! A room's journal replays to the same states, bit for bit, and says where it does not.

mod checkpoints;
mod export;
mod files;
mod playback;
mod profiles;
mod race;
mod scores;

use std::time::{Duration, Instant};

use proptest::prelude::*;
use tickwire_server::config::RoomConfig;
use tickwire_server::room::{
    FromRoom, JoinProfile, JournalEntry, JournalHead, Replay, ReplayError, Room, SavedProfile,
    SeatChange, TickRecord, ToRoom,
};
use tickwire_shared::command::CommandCodec;
use tickwire_shared::control::{CloseCode, RequestId, ServerFrame};
use tickwire_shared::input::{InputDatagram, InputHead};
use tickwire_shared::simulation::schema_of;
use tickwire_shared::{Account, LeaveReason, NewRoom, PlayerId, SaveOutcome, Simulation, Tick};

use race::{Pedal, Race};

const SEED: u64 = 99;
const FIRST_BOT: PlayerId = PlayerId(1000);

/// A room whose journal is kept, and what its players sent.
struct Table {
    room: Room<Race<0>>,
    head: JournalHead,
    records: Vec<TickRecord>,
    codec: CommandCodec,
    seats: std::collections::BTreeMap<PlayerId, u8>,
    now: Instant,
}

impl Table {
    fn new(options: &str, lanes_ticks: u32) -> Self {
        let config = RoomConfig { commands_per_tick_max: 2, ..RoomConfig::default() };
        let parsed = serde_json::from_str(options).unwrap();
        let policy = Race::<0>::room_policy(&parsed).unwrap();
        let head = JournalHead::new::<Race<0>>(("track", SEED), &options.into(), &config);
        let new = NewRoom { seed: SEED, name: "track", options: parsed };
        let mut room = Room::with_options(&new, config).with_policy(&policy, FIRST_BOT);
        room.start_journal(lanes_ticks);
        Table {
            room,
            head,
            records: Vec::new(),
            codec: CommandCodec::new(&schema_of::<Race<0>>()),
            seats: std::collections::BTreeMap::new(),
            now: Instant::now(),
        }
    }

    /// Player `player` does something by `op`, or the room ticks.
    fn act(&mut self, (op, player, value): (u8, u8, u8)) {
        let player = PlayerId(u32::from(player % 6) + 1);
        let request = RequestId(u32::from(value));
        match op % 16 {
            0 | 1 => self.join(player, false, &format!(r#"{{"color":{}}}"#, value % 18)),
            2 => self.join(player, true, ""),
            3 => {
                let code = [CloseCode::Normal, CloseCode::Kicked, CloseCode::ConnectionLost];
                let code = code[usize::from(value) % 3];
                self.hand(ToRoom::Leave { request: Some(request), player, code });
            }
            4 => self.hand(ToRoom::Away { player }),
            5 => self.hand(ToRoom::Back { player, datagram_bytes_max: 1200 }),
            6 => {
                let kind = value % 2;
                let fields = self.codec.encode(kind, &[3 + i32::from(value) % 15]).unwrap();
                self.hand(ToRoom::Command { request, player, kind, fields });
            }
            7..=10 => self.input(player, value),
            11 => {
                let (fence, tick) = (u64::from(player.0), self.room.tick());
                let outcomes = [SaveOutcome::Saved, SaveOutcome::Stale, SaveOutcome::Failed];
                let outcome = outcomes[usize::from(value) % 3];
                self.hand(match value < 128 {
                    true => ToRoom::Saved { player, fence, tick, outcome },
                    false => {
                        let (room_seed, board) = (SEED, value % 2);
                        ToRoom::Scored { player, room_seed, board, tick, outcome }
                    }
                });
            }
            _ => self.tick(),
        }
    }

    fn join(&mut self, player: PlayerId, spectator: bool, options: &str) {
        let name = format!("p{}", player.0);
        let (request, options) = (RequestId(1), options.into());
        let datagram_bytes_max = 1200;
        let id = "a".repeat(player.0 as usize % 5);
        let account = (!id.is_empty()).then_some(Account { id, seat: None });
        let profile = account.as_ref().map(|_| Box::new(profile_of(player)));
        self.hand(ToRoom::Join {
            request,
            player,
            name,
            account,
            profile,
            spectator,
            options,
            datagram_bytes_max,
            resume: None,
            last_seat: 0,
        });
    }

    fn input(&mut self, player: PlayerId, value: u8) {
        let Some(&seat) = self.seats.get(&player) else { return };
        let ahead = i32::from(value % 5) - 1;
        let newest_low16 = self.room.tick().offset(ahead).low16();
        let head = InputHead { seat, newest_low16, view_delay: value, ..InputHead::default() };
        let push = f32::from(i16::from(value % 17) - 8) / 8.0;
        let inputs = vec![Pedal { push, brake: value > 200 }; usize::from(value % 3) + 1];
        let at = self.now;
        self.hand(ToRoom::Input { player, at, datagram: InputDatagram { head, inputs } });
    }

    fn hand(&mut self, message: ToRoom<Pedal>) {
        self.room.handle(self.now, 0, message);
        while let Some(out) = self.room.poll() {
            if let FromRoom::Control { player, frame: ServerFrame::Joined { seat, .. } } = out {
                self.seats.insert(player, seat);
            }
        }
    }

    fn tick(&mut self) {
        self.now += Duration::from_micros(16_667);
        self.room.step(self.now);
        while self.room.poll().is_some() {}
        let bytes = self.room.poll_journal().unwrap();
        assert_eq!(self.room.poll_journal(), None, "one a tick");
        match JournalEntry::from_bytes(&bytes).unwrap() {
            JournalEntry::Tick(record) => self.records.push(record),
            JournalEntry::Closed => panic!("nobody closed it"),
        }
    }

    /// Runs the journal again by another build.
    fn replay<S: Simulation>(&self) -> Replay<S> {
        let mut replay = Replay::<S>::new(&self.head).unwrap();
        for record in &self.records {
            replay.step(record).unwrap();
        }
        replay
    }
}

/// A profile of this version, of the one before, or none, by the player.
fn profile_of(player: PlayerId) -> JoinProfile {
    let saved = match player.0 % 3 {
        0 => None,
        1 => Some((1, format!(r#"{{"laps":{}}}"#, player.0))),
        _ => Some((0, player.0.to_string())),
    };
    let saved = saved.map(|(version, json)| SavedProfile { version, json: json.into() });
    JoinProfile { fence: u64::from(player.0), saved }
}

fn play(options: &str, lanes_ticks: u32, acts: &[(u8, u8, u8)]) -> Table {
    let mut table = Table::new(options, lanes_ticks);
    acts.iter().for_each(|act| table.act(*act));
    table.tick();
    table
}

const OPTIONS: [&str; 3] =
    [r#"{"friction":0.013}"#, r#"{"bots":1,"friction":0.1}"#, r#"{"bots":4}"#];

fn cases() -> u32 {
    let told = std::env::var("TICKWIRE_CASES");
    told.map_or(400, |cases| cases.parse().expect("TICKWIRE_CASES is a number of cases"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases()))]
    #[test]
    fn any_schedule_replays_to_the_same_states(
        options in 0usize..3, acts in prop::collection::vec(any::<(u8, u8, u8)>(), 1..400),
    ) {
        let table = play(OPTIONS[options], 7, &acts);
        let replay = table.replay::<Race<0>>();
        prop_assert_eq!(replay.difference(), None);
        let state = |race: &Race<0>| serde_json::to_string(race).unwrap();
        prop_assert_eq!(state(replay.simulation()), state(table.room.simulation()));
        let info = table.room.info();
        let members = [info.players, info.bots, info.spectators].map(|count| count as usize);
        prop_assert_eq!(replay.members(), members);
    }

    #[test]
    fn a_record_of_any_bytes_is_refused_or_run(
        at in any::<prop::sample::Index>(), bit in 0u8..8,
        acts in prop::collection::vec(any::<(u8, u8, u8)>(), 1..60),
    ) {
        let table = play(OPTIONS[1], 1, &acts);
        let mut replay = Replay::<Race<0>>::new(&table.head).unwrap();
        for record in &table.records {
            let mut bytes = JournalEntry::Tick(record.clone()).to_bytes();
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            // No game is given what a room would not give it.
            let Ok(JournalEntry::Tick(read)) = JournalEntry::from_bytes(&bytes) else { continue };
            if replay.step(&read).is_err() {
                break;
            }
        }
    }
}

/// Everyone joins, plays a while with commands, and one leaves.
fn match_of_three(lanes_ticks: u32) -> Table {
    let mut table = Table::new(OPTIONS[0], lanes_ticks);
    for player in 0..3 {
        table.act((0, player, player));
    }
    for round in 0..40 {
        (0..3).for_each(|player| table.act((7, player, 86 + round)));
        if round == 20 {
            // A jump of the second one.
            table.act((6, 1, 1));
        }
        if round == 31 {
            table.act((3, 2, 0));
        }
        table.tick();
    }
    table
}

#[test]
fn two_builds_that_differ_by_a_rule_differ_at_its_tick_entity_and_field() {
    let table = match_of_three(1);
    assert_eq!(table.replay::<Race<0>>().difference(), None);
    let replay = table.replay::<Race<1>>();
    let difference = replay.difference().unwrap();
    assert_eq!((difference.tick, difference.lanes_tick), (21, Some(21)));
    let lane = difference.lane.as_ref().unwrap();
    assert_eq!((lane.kind.as_str(), lane.field.as_deref()), ("Car", Some("pos.y")));
    assert_eq!(lane.entity, tickwire_shared::EntityId::of_player(PlayerId(2)).0);
    assert_eq!(lane.replayed.unwrap() - lane.recorded.unwrap(), 1.0);
}

#[test]
fn an_entity_that_is_on_one_side_only_is_named_without_a_field() {
    let table = match_of_three(1);
    let replay = table.replay::<Race<2>>();
    let difference = replay.difference().unwrap();
    assert_eq!(difference.tick, 32);
    let lane = difference.lane.as_ref().unwrap();
    assert_eq!(lane.entity, tickwire_shared::EntityId::of_player(PlayerId(3)).0);
    assert_eq!((&lane.field, lane.recorded, lane.replayed), (&None, None, None));
}

#[test]
fn without_lanes_the_tick_is_named_and_the_field_in_the_next_record_that_has_some() {
    let table = match_of_three(8);
    let replay = table.replay::<Race<1>>();
    let difference = replay.difference().unwrap();
    assert_eq!((difference.tick, difference.lanes_tick), (21, Some(24)));
    assert_eq!(difference.lane.as_ref().unwrap().field.as_deref(), Some("pos.y"));
    let table = match_of_three(0);
    let replay = table.replay::<Race<1>>();
    let difference = replay.difference().unwrap();
    assert_eq!((difference.tick, difference.lanes_tick), (21, None));
    assert!(!difference.is_settled());
}

#[test]
fn a_record_that_is_missing_or_doubled_is_named() {
    let table = match_of_three(0);
    for (at, found) in [(5usize, 7), (4, 5)] {
        let mut replay = Replay::<Race<0>>::new(&table.head).unwrap();
        table.records[..5].iter().for_each(|record| replay.step(record).unwrap());
        let at = if found == 7 { at + 1 } else { at };
        let error = replay.step(&table.records[at]).unwrap_err();
        assert_eq!(error, ReplayError::Gap { expected: 6, found });
    }
}

#[test]
fn a_journal_of_another_game_or_of_other_fields_is_refused_with_the_field() {
    let table = match_of_three(0);
    let mut head = table.head.clone();
    head.schema.game = "chess".into();
    let refused = |head: &JournalHead| Replay::<Race<0>>::new(head).unwrap_err().to_string();
    assert_eq!(refused(&head), "the journal is of the game \"chess\", not of this one");
    let mut head = table.head.clone();
    head.schema.entities[0].fields[2].name = "paint".into();
    let text = refused(&head);
    assert!(text.starts_with("the field tables are others"), "{text}");
    assert!(text.contains("Car.") && text.contains("paint") | text.contains("color"), "{text}");
}

#[test]
fn a_command_or_a_change_of_a_player_without_a_seat_is_refused() {
    let table = match_of_three(0);
    let stranger = PlayerId(77);
    let mut command = table.records.clone();
    let given = command.iter_mut().find_map(|record| record.commands.first_mut());
    given.expect("they gave commands").player = stranger;
    let changed = [
        SeatChange::Away { player: stranger },
        SeatChange::Back { player: stranger },
        SeatChange::Saved { player: stranger, tick: Tick(1), outcome: SaveOutcome::Saved },
        SeatChange::Leave { player: stranger, reason: LeaveReason::Left },
    ];
    let change = changed.into_iter().map(|change| {
        let mut records = table.records.clone();
        records[5].changes.push(change);
        records
    });
    for records in std::iter::once(command).chain(change) {
        let mut replay = Replay::<Race<0>>::new(&table.head).unwrap();
        let refused = records.iter().find_map(|record| replay.step(record).err());
        let text = refused.expect("it is refused").to_string();
        assert!(text.contains("no seat") || text.contains("is not there"), "{text}");
    }
}

#[test]
fn a_room_without_a_journal_has_no_records_and_one_that_stops_has_no_more() {
    let mut table = Table::new(OPTIONS[0], 0);
    table.tick();
    table.room.stop_journal();
    table.room.step(table.now);
    assert_eq!((table.room.tick(), table.room.poll_journal()), (Tick(2), None));
}
