//! A match in the arena, recorded and run again: in this process, and by the server's own command.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use tickwire_arena::rules::{Arena, Controls, Random};
use tickwire_server::config::RoomConfig;
use tickwire_server::journal::{Checkpoint, CheckpointHead, JournalReader, SegmentWriter};
use tickwire_server::room::{
    FromRoom, JournalEntry, JournalHead, Replay, Room, TickRecord, ToRoom,
};
use tickwire_shared::control::{CloseCode, RequestId, ServerFrame};
use tickwire_shared::input::{InputDatagram, InputHead};
use tickwire_shared::{NewRoom, PlayerId, Simulation as _};

const OPTIONS: &str = r#"{"roundSeconds":30,"rocks":20,"bots":6}"#;
const PEOPLE: u32 = 8;

/// People who come, go, lose their connections and play anyhow, among six bots.
pub(super) struct Match {
    room: Room<Arena>,
    random: Random,
    seats: BTreeMap<PlayerId, u8>,
    held: BTreeMap<PlayerId, Controls>,
    now: Instant,
}

impl Match {
    pub(super) fn record(
        seed: u64,
        ticks: u32,
        lanes_ticks: u32,
    ) -> (JournalHead, Vec<TickRecord>) {
        let config = RoomConfig::default();
        let head = JournalHead::new::<Arena>(("duel", seed), &OPTIONS.into(), &config);
        let options = serde_json::from_str(OPTIONS).unwrap();
        let policy = Arena::room_policy(&options).unwrap();
        let new = NewRoom { seed, name: "duel", options };
        let mut room = Room::with_options(&new, config).with_policy(&policy, PlayerId(100));
        room.start_journal(lanes_ticks);
        let (seats, held) = (BTreeMap::new(), BTreeMap::new());
        let random = Random::new(seed ^ 1);
        let mut game = Match { room, random, seats, held, now: Instant::now() };
        let records = (0..ticks).map(|_| game.tick()).collect();
        (head, records)
    }

    fn tick(&mut self) -> TickRecord {
        self.now += Duration::from_micros(16_667);
        for player in (1..=PEOPLE).map(PlayerId) {
            self.act(player);
        }
        self.room.step(self.now);
        while self.room.poll().is_some() {}
        match JournalEntry::from_bytes(&self.room.poll_journal().unwrap()).unwrap() {
            JournalEntry::Tick(record) => record,
            JournalEntry::Closed => panic!("nobody closed it"),
        }
    }

    fn act(&mut self, player: PlayerId) {
        let request = RequestId(1);
        match self.random.below(400) {
            0 => self.hand(ToRoom::Leave { request: None, player, code: CloseCode::Normal }),
            1 => {
                self.hand(ToRoom::Leave { request: None, player, code: CloseCode::ConnectionLost });
            }
            2 => self.hand(ToRoom::Away { player }),
            3 => self.hand(ToRoom::Back { player, datagram_bytes_max: 1200 }),
            4 => {
                self.hand(ToRoom::Command { request, player, kind: 0, fields: Vec::new() });
            }
            5..12 => {
                let (name, options) = (format!("p{}", player.0), "".into());
                let spectator = self.random.below(6) == 0;
                let datagram_bytes_max = 1200;
                let join = ToRoom::Join {
                    request,
                    player,
                    name,
                    account: None,
                    profile: None,
                    spectator,
                    options,
                    datagram_bytes_max,
                    resume: None,
                    last_seat: 0,
                };
                self.hand(join);
            }
            12..60 => {
                let turn = self.random.between(-8.0, 8.0).round() / 8.0;
                let [thrust, brake, fire] = [2, 5, 2].map(|of| self.random.below(of) == 0);
                self.held.insert(player, Controls { turn, thrust, brake, fire });
            }
            // Lost on its way.
            60..75 => return,
            _ => {}
        }
        let Some(&seat) = self.seats.get(&player) else { return };
        let newest_low16 = self.room.tick().offset(1 + self.random.below(2) as i32).low16();
        let view_delay = 60 + self.random.below(9) as u8;
        let head = InputHead { seat, newest_low16, view_delay, ..InputHead::default() };
        let inputs = vec![self.held.get(&player).copied().unwrap_or_default()];
        let datagram = InputDatagram { head, inputs };
        self.hand(ToRoom::Input { player, at: self.now, datagram });
    }

    fn hand(&mut self, message: ToRoom<Controls>) {
        self.room.handle(self.now, 0, message);
        while let Some(out) = self.room.poll() {
            if let FromRoom::Control { player, frame: ServerFrame::Joined { seat, .. } } = out {
                self.seats.insert(player, seat);
            }
        }
    }
}

/// Writes records as a journal in a new folder.
pub(super) fn write(dir: &Path, head: &JournalHead, records: &[TickRecord]) -> PathBuf {
    let room = dir.join("room");
    let mut writer = SegmentWriter::new(room.clone(), head.clone(), u64::MAX);
    records.iter().for_each(|record| writer.append(&JournalEntry::Tick(record.clone())));
    writer.flush(false).unwrap();
    room
}

fn replay(arguments: &[&Path]) -> (Option<i32>, serde_json::Value) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_arena-server"));
    let Output { status, stdout, stderr } =
        command.arg("replay").args(arguments).arg("--json").output().unwrap();
    let text = String::from_utf8(stdout).unwrap();
    let object = serde_json::from_str(&text);
    (status.code(), object.unwrap_or_else(|_| panic!("{text}{}", String::from_utf8_lossy(&stderr))))
}

#[test]
fn two_minutes_replay_bit_for_bit() {
    for seed in [3, 4] {
        let (head, records) = Match::record(seed, 60 * 60, 60);
        let mut replay = Replay::<Arena>::new(&head).unwrap();
        let changes: usize = records.iter().map(|record| record.changes.len()).sum();
        let commands: usize = records.iter().map(|record| record.commands.len()).sum();
        assert!(changes > 300 && commands > 10, "{changes} changes, {commands} commands");
        for record in &records {
            replay.step(record).unwrap();
            assert_eq!(replay.difference(), None);
        }
        assert_eq!(replay.tick().0, 60 * 60);
    }
}

#[test]
fn a_match_goes_on_from_a_checkpoint_of_any_tick_bit_for_bit() {
    let (head, records) = Match::record(8, 60 * 30, 0);
    let mut straight = Replay::<Arena>::new(&head).unwrap();
    let mut restored = Replay::<Arena>::new(&head).unwrap();
    for record in &records {
        straight.step(record).unwrap();
        restored.step(record).unwrap();
        assert_eq!((restored.hash(), restored.difference()), (straight.hash(), None));
        if record.tick.0.is_multiple_of(7) {
            let bytes = restored.checkpoint().unwrap();
            assert!(bytes == straight.checkpoint().unwrap(), "at {:?}", record.tick);
            restored = Replay::from_checkpoint(&head, &bytes).unwrap();
        }
    }
}

#[test]
fn the_command_begins_at_a_checkpoint_and_compares_those_on_its_way() {
    let dir = tempfile::tempdir().unwrap();
    let (head, records) = Match::record(9, 600, 60);
    let room = write(dir.path(), &head, &records);
    let mut journal = JournalReader::open(&room).unwrap();
    let mut replay_of = Replay::<Arena>::new(&head).unwrap();
    let mut number = 0;
    while let Some(record) = journal.next_record().unwrap() {
        replay_of.step(&record).unwrap();
        if [200, 400].contains(&record.tick.0) {
            let (journal_head, tick) = (head.clone(), replay_of.tick());
            let next = journal.position();
            let head = CheckpointHead { number, journal: journal_head, tick, next };
            let state = replay_of.checkpoint().unwrap();
            Checkpoint { head, state }.write(&room).unwrap();
            number += 1;
        }
    }
    let hash = format!("{:016x}", replay_of.hash());
    for (from, ticks, compared) in
        [("199", 600, 2), ("200", 400, 1), ("399", 400, 1), ("600", 200, 0)]
    {
        let (code, told) = replay(&[&room, Path::new("--from"), Path::new(from)]);
        assert_eq!((code, &told["ok"]), (Some(0), &true.into()), "{told}");
        assert_eq!(told["ticks"], ticks, "{told}");
        assert_eq!(told["from_tick"], 600 - ticks, "{told}");
        assert_eq!(
            (&told["checkpoints"], &told["hash"]),
            (&compared.into(), &hash.as_str().into())
        );
    }

    // A checkpoint of another state: as if the rules had been others then.
    let second = room.join("000001.checkpoint");
    let mut other = Checkpoint::read(&second).unwrap();
    let last = other.state.len() - 1;
    other.state[last] ^= 1;
    other.write(&room).unwrap();
    let (code, told) = replay(&[&room]);
    assert_eq!((code, &told["checkpoints"]), (Some(1), &1.into()), "{told}");
    let fault = told["checkpoint_faults"][0].as_str().unwrap();
    assert!(
        fault.contains("000001.checkpoint is not what the replay has after tick 400"),
        "{told}"
    );

    // Its beginning was removed, and one checkpoint is damaged.
    std::fs::write(&second, b"tickstat").unwrap();
    std::fs::remove_file(room.join("000000.journal")).unwrap();
    let (code, told) = replay(&[&room]);
    assert_eq!(code, Some(1));
    assert!(told["error"].as_str().unwrap().contains("000000.journal is no journal"), "{told}");
}

#[test]
fn the_servers_command_runs_a_journal_again_and_says_what_came_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let (head, records) = Match::record(5, 900, 60);
    let room = write(dir.path(), &head, &records);
    let (code, told) = replay(&[&room]);
    assert_eq!((code, &told["ok"], &told["ticks"]), (Some(0), &true.into(), &900.into()), "{told}");
    assert_eq!((&told["game"], &told["room"]), (&"arena".into(), &"duel".into()));
    let hash = format!("{:016x}", records.last().unwrap().hash.unwrap());
    assert_eq!(told["hash"], hash.as_str());

    // A file that is cut in its last record.
    let file = room.join("000000.journal");
    let bytes = std::fs::read(&file).unwrap();
    std::fs::write(&file, &bytes[..bytes.len() - 1]).unwrap();
    let (code, told) = replay(&[&file]);
    assert_eq!((code, &told["ticks"]), (Some(0), &899.into()));
    assert!(told["cut_bytes"].as_u64().unwrap() > 0);

    // A bit of it is another.
    let mut flipped = bytes.clone();
    flipped[bytes.len() / 2] ^= 4;
    std::fs::write(&file, &flipped).unwrap();
    let (code, told) = replay(&[&room]);
    assert_eq!((code, &told["ok"]), (Some(1), &false.into()));
    assert!(told["error"].as_str().unwrap().contains("is damaged at byte "), "{told}");

    let (code, told) = replay(&[&dir.path().join("nothing")]);
    assert_eq!(code, Some(1));
    assert!(told["error"].as_str().unwrap().contains("is no journal"), "{told}");
}

#[test]
fn what_differs_is_told_by_tick_and_with_the_lanes_of_every_tick_by_entity_and_field() {
    let dir = tempfile::tempdir().unwrap();
    let (head, records) = Match::record(6, 600, 60);
    let room = write(dir.path(), &head, &records);
    let lanes = dir.path().join("lanes");
    let (code, told) = replay(&[&room, Path::new("--lanes"), &lanes]);
    assert_eq!((code, &told["ok"]), (Some(0), &true.into()), "{told}");
    let (code, told) = replay(&[&lanes.clone()]);
    assert_eq!((code, &told["ticks"]), (Some(0), &600.into()));

    // As if the rules did not obey a command: everything else is as it was recorded.
    let (head, records) = read(&lanes);
    let with_commands = (0..records.len()).filter(|at| !records[*at].commands.is_empty());
    let mut disobeyed = with_commands.map(|at| {
        let mut records = records.clone();
        records[at].commands.clear();
        (at, records)
    });
    let (at, records) = disobeyed.find(|(_, records)| differs(&head, records)).unwrap();
    let other = dir.path().join("other");
    let (code, told) = replay(&[&write(&other, &head, &records)]);
    let difference = &told["difference"];
    assert_eq!((code, &told["ok"]), (Some(1), &false.into()), "{told}");
    let tick = serde_json::Value::from(records[at].tick.0);
    assert_eq!((&difference["tick"], &difference["lanes_tick"]), (&tick, &tick), "{told}");
    assert_eq!(difference["lane"]["kind"], "Ship", "{told}");

    let room = other.join("room");
    let told = Command::new(env!("CARGO_BIN_EXE_arena-server")).arg("replay").arg(room).output();
    let told = String::from_utf8(told.unwrap().stdout).unwrap();
    let line = told.lines().last().unwrap();
    assert!(line.starts_with(&format!("tick {tick} differs: recorded ")), "{told}");
    assert!(line.contains(&format!("; in tick {tick} first Ship")), "{told}");
}

fn differs(head: &JournalHead, records: &[TickRecord]) -> bool {
    let mut replay = Replay::<Arena>::new(head).unwrap();
    records.iter().for_each(|record| replay.step(record).unwrap());
    replay.difference().is_some()
}

fn read(journal: &Path) -> (JournalHead, Vec<TickRecord>) {
    let mut reader = JournalReader::open(journal).unwrap();
    let records = std::iter::from_fn(|| reader.next_record().unwrap()).collect();
    (reader.head().clone(), records)
}
