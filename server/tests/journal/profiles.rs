//! Profiles: given to the rules at the join, and taken from their outbox.

use tickwire_server::config::RoomConfig;
use tickwire_server::room::{FromRoom, JoinProfile, NewProfile, Room, SavedProfile, ToRoom};
use tickwire_shared::control::{CloseCode, RefuseCode, RequestId, ServerFrame};
use tickwire_shared::{Account, PlayerId, SaveOutcome, Tick};

use super::race::Race;
use super::{SEED, Table};

/// A room, and what came out of it.
struct Garages {
    room: Room<Race<0>>,
    out: Vec<FromRoom>,
}

impl Garages {
    fn new(config: RoomConfig) -> Self {
        Garages { room: Room::new("track".to_owned(), SEED, config), out: Vec::new() }
    }

    fn hand(&mut self, message: ToRoom<super::Pedal>) {
        self.room.handle(std::time::Instant::now(), 0, message);
    }

    fn join(&mut self, player: u32, profile: Option<JoinProfile>) {
        let account = Some(Account { id: format!("account-{player}"), seat: None });
        self.hand(ToRoom::Join {
            request: RequestId(player),
            player: PlayerId(player),
            name: format!("p{player}"),
            account,
            profile: profile.map(Box::new),
            spectator: false,
            options: "".into(),
            datagram_bytes_max: 1200,
            resume: None,
            last_seat: 0,
        });
    }

    fn leave(&mut self, player: u32) {
        let (request, code) = (Some(RequestId(9)), CloseCode::Normal);
        self.hand(ToRoom::Leave { request, player: PlayerId(player), code });
    }

    /// Steps once. Returns what it saved.
    fn tick(&mut self) -> Vec<NewProfile> {
        self.room.step(std::time::Instant::now());
        self.out = std::iter::from_fn(|| self.room.poll()).collect();
        let saves = self.out.iter().filter_map(|out| match out {
            FromRoom::Save(new) => Some((**new).clone()),
            _ => None,
        });
        saves.collect()
    }

    fn sum(&self) -> i64 {
        serde_json::to_value(self.room.simulation()).unwrap()["sum"].as_i64().unwrap()
    }
}

fn profile(fence: u64, version: u32, json: &str) -> JoinProfile {
    JoinProfile { fence, saved: Some(SavedProfile { version, json: json.into() }) }
}

#[test]
fn an_account_gets_what_was_saved_and_saves_by_its_own_number() {
    let mut garages = Garages::new(RoomConfig::default());
    let begin = garages.sum();
    garages.join(1, Some(profile(70, 1, r#"{"laps":2}"#)));
    let with_profile = garages.sum() - begin;
    garages.join(2, Some(JoinProfile { fence: 71, saved: None }));
    assert_eq!(garages.sum() - begin, 2 * with_profile - 22);
    garages.join(3, None);
    let saves = garages.tick();
    let who: Vec<_> = saves.iter().map(|new| (new.player.0, new.fence, new.tick)).collect();
    assert_eq!(who, [(1, 70, Tick(1)), (2, 71, Tick(1))], "the third was let in without one");
    assert_eq!((saves[0].account.as_str(), saves[0].profile.version), ("account-1", 1));
    let laps: serde_json::Value = serde_json::from_str(saves[0].profile.json.as_str()).unwrap();
    assert_eq!(laps["laps"].as_i64(), Some(garages.sum()));
}

#[test]
fn an_older_profile_is_migrated_and_an_unknown_one_refused() {
    let mut garages = Garages::new(RoomConfig::default());
    let begin = garages.sum();
    garages.join(1, Some(profile(1, 0, "4")));
    let migrated = garages.sum() - begin;
    garages.join(2, Some(profile(2, 1, r#"{"laps":4}"#)));
    assert_eq!(garages.sum() - begin, 2 * migrated);
    for (player, version, json) in [(3, 2, r#"{"laps":4}"#), (4, 0, "none"), (5, 1, "{}x")] {
        garages.join(player, Some(profile(3, version, json)));
        garages.tick();
        let refused = garages.out.iter().any(|out| {
            let FromRoom::Control { frame: ServerFrame::Refused { code, text, .. }, .. } = out
            else {
                return false;
            };
            *code == RefuseCode::Busy && text.contains("saved profile")
        });
        assert!(refused, "{version} {json}: {:?}", garages.out);
    }
    assert_eq!(garages.room.info().players, 2);
}

#[test]
fn what_is_saved_at_a_leave_goes_out_before_the_leave_is_told() {
    let mut garages = Garages::new(RoomConfig::default());
    garages.join(1, Some(JoinProfile { fence: 5, saved: None }));
    garages.tick();
    garages.leave(1);
    assert!(garages.room.is_empty() && garages.room.has_unsaved_leaves());
    let saves = garages.tick();
    assert_eq!(saves.iter().map(|new| (new.player.0, new.fence)).collect::<Vec<_>>(), [(1, 5)]);
    assert!(matches!(garages.out[0], FromRoom::Save(_)), "{:?}", garages.out);
    let left =
        |out: &FromRoom| matches!(out, FromRoom::Control { frame: ServerFrame::Left { .. }, .. });
    assert!(garages.out.iter().any(left));
    assert!(!garages.room.has_unsaved_leaves());
    assert_eq!(garages.tick(), [], "in the step after the leave, and in no other");
}

#[test]
fn a_profile_that_is_too_long_is_not_saved() {
    let mut garages = Garages::new(RoomConfig { profile_bytes_max: 4, ..RoomConfig::default() });
    garages.join(1, Some(JoinProfile { fence: 5, saved: None }));
    assert_eq!(garages.tick(), []);
    let unsaved = |out: &FromRoom| {
        matches!(out, FromRoom::Unsaved { player: PlayerId(1), fence: 5, tick: Tick(1), .. })
    };
    assert!(garages.out.iter().any(unsaved), "{:?}", garages.out);
}

#[test]
fn the_game_is_told_of_saves_of_this_stay_alone() {
    let mut garages = Garages::new(RoomConfig::default());
    garages.join(1, Some(JoinProfile { fence: 5, saved: None }));
    let before = garages.sum();
    let told = |fence, player| ToRoom::Saved {
        player: PlayerId(player),
        fence,
        tick: Tick(0),
        outcome: SaveOutcome::Saved,
    };
    garages.hand(told(4, 1));
    garages.hand(told(5, 2));
    assert_eq!(garages.sum(), before);
    garages.hand(told(5, 1));
    assert_eq!(garages.sum(), before + 18);
}

#[test]
fn a_replay_is_given_the_profiles_and_the_outcomes() {
    let mut table = Table::new(super::OPTIONS[0], 1);
    for act in [(0, 0, 3), (0, 1, 3), (15, 0, 0), (11, 0, 1), (15, 0, 0), (3, 0, 0), (15, 0, 0)] {
        table.act(act);
    }
    let replay = table.replay::<Race<0>>();
    assert_eq!(replay.difference(), None);
    let sum = |race: &Race<0>| serde_json::to_value(race).unwrap()["sum"].as_i64().unwrap();
    assert_eq!(sum(replay.simulation()), sum(table.room.simulation()));
    let fences: Vec<_> = replay.all_members().map(|member| member.fence).collect();
    assert_eq!(fences, [Some(2)]);
    // Without what the store said the rules come to something else.
    let mut records = table.records.clone();
    for record in &mut records {
        let is_saved =
            |change: &super::SeatChange| matches!(change, super::SeatChange::Saved { .. });
        assert_eq!(record.changes.iter().any(is_saved), record.tick == Tick(2));
        record.changes.retain(|change| !is_saved(change));
    }
    let mut replay = super::Replay::<Race<0>>::new(&table.head).unwrap();
    records.iter().for_each(|record| replay.step(record).unwrap());
    assert_eq!(replay.difference().map(|difference| difference.tick), Some(2));
}
