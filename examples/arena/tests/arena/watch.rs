//! A recorded match, watched over the network: paused, sought, faster, and by nobody else's hand.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tickwire_arena::rules::{Arena, Entity, Ship};
use tickwire_client::{Client, ClientEvent, ConnectOptions};
use tickwire_server::room::{JournalHead, Replay, SeatRole, TickRecord};
use tickwire_shared::control::{RoomChoice, ServerFrame};
use tickwire_shared::{Capture, EntityId, Simulation as _};

use crate::journal::{Match, write};

/// Units of the arena: a ship that stands still has a speed, and is shown on its way between two ticks.
const NEAR: f32 = 1.5;

/// The time after which a wait fails; no measure of speed.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server that shows a journal, stopped when it is dropped.
struct Shown {
    child: Child,
    address: SocketAddr,
}

impl Shown {
    fn of(room: &Path, home: &Path) -> Shown {
        let mut child = Command::new(env!("CARGO_BIN_EXE_arena-server"))
            .args(["replay", "--watch", "--listen", "127.0.0.1:0"])
            .arg(room)
            .current_dir(home)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.split_whitespace().find_map(|word| word.strip_prefix("udp=")).unwrap();
        let address = address.parse().unwrap();
        assert!(line.trim().ends_with(&format!("http=http://{address}/replay")), "{line}");
        Shown { child, address }
    }

    /// Status and body of the answer to a request.
    fn ask(&self, head: &str, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.address).unwrap();
        let (place, length) = (self.address, body.len());
        let head = format!("{head}\r\nHost: {place}\r\nConnection: close\r\n");
        write!(stream, "{head}Content-Length: {length}\r\n\r\n{body}").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    fn wish_from(&self, origin: &str, wish: &Value) -> (u16, String) {
        let head = format!(
            "POST /replay/state HTTP/1.1\r\nContent-Type: application/json\r\nOrigin: {origin}"
        );
        self.ask(&head, &wish.to_string())
    }

    fn wish(&self, wish: &Value) {
        let (status, body) = self.wish_from(&format!("http://{}", self.address), wish);
        assert_eq!(status, 200, "{body}");
    }

    fn state(&self) -> Value {
        let (status, body) = self.ask("GET /replay/state HTTP/1.1", "");
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).unwrap()
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Viewer {
    client: Client<Arena>,
    refused: Vec<String>,
    /// Events of the game.
    events: usize,
}

impl Viewer {
    async fn connect(shown: &Shown) -> Viewer {
        let target = format!("quic://{}", shown.address);
        let client = Client::connect(&target, ConnectOptions::default()).await.unwrap();
        Viewer { client, refused: Vec::new(), events: 0 }
    }

    async fn until(&mut self, what: &str, done: impl Fn(&Viewer) -> bool) {
        let end = Instant::now() + PATIENCE;
        loop {
            self.client.update();
            while let Some(event) = self.client.poll_event() {
                match event {
                    ClientEvent::Control(ServerFrame::Refused { text, .. }) => {
                        self.refused.push(text);
                    }
                    ClientEvent::Over { text, .. } => panic!("{text}"),
                    ClientEvent::Game { .. } => self.events += 1,
                    _ => {}
                }
            }
            if done(self) {
                return;
            }
            assert!(Instant::now() < end, "waited in vain for {what}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// True if it sees ships, and all where they are by `ships`.
    fn sees(&self, ships: &BTreeMap<EntityId, Ship>) -> bool {
        let seen = self.client.entities().filter_map(|seen| match seen.entity {
            Entity::Ship(ship) => Some((seen.id, ship)),
            _ => None,
        });
        let seen: Vec<_> = seen.collect();
        let is_same = |seen: &Ship, ship: &Ship| {
            let counts =
                |ship: &Ship| (ship.team, ship.health, ship.score, ship.kills, ship.deaths);
            counts(seen) == counts(ship) && seen.pos.distance(ship.pos) < NEAR
        };
        let is_there =
            |(id, seen): &(EntityId, Ship)| ships.get(id).is_some_and(|ship| is_same(seen, ship));
        !seen.is_empty() && seen.iter().all(is_there)
    }

    /// Names of others.
    fn names(&self) -> BTreeSet<String> {
        let names = self.client.members().map(|member| member.name.clone());
        names.filter(|name| name != "Fan").collect()
    }
}

/// Ships and names after that tick, as a client has them.
fn expected(
    head: &JournalHead,
    records: &[TickRecord],
    tick: usize,
) -> (BTreeMap<EntityId, Ship>, BTreeSet<String>) {
    let mut replay = Replay::<Arena>::new(head).unwrap();
    records[..tick].iter().for_each(|record| replay.step(record).unwrap());
    let mut capture = Capture::default();
    replay.simulation().capture(&mut capture);
    let mut ships = BTreeMap::new();
    for captured in capture.drain() {
        if let Entity::Ship(ship) = captured.entity {
            ships.insert(captured.id, ship);
        }
    }
    let seated = replay.all_members().filter(|member| member.role != SeatRole::Spectator);
    (ships, seated.map(|member| member.name.clone()).collect())
}

#[tokio::test]
async fn a_match_is_watched_tick_by_tick_forwards_and_backwards() {
    let dir = tempfile::tempdir().unwrap();
    let (head, records) = Match::record(11, 900, 60);
    let shown = Shown::of(&write(dir.path(), &head, &records), dir.path());
    assert!(shown.ask("GET /replay HTTP/1.1", "").1.contains("<iframe"));
    assert_eq!(shown.state()["lastTick"], 900);

    let mut viewer = Viewer::connect(&shown).await;
    shown.wish(&json!({ "paused": true, "tick": 700 }));
    viewer.client.spectate("duel", "Fan");
    for tick in [700, 100, 899, 101] {
        shown.wish(&json!({ "tick": tick }));
        let (ships, names) = expected(&head, &records, tick);
        assert!(names.len() > 3, "{names:?}");
        let what = format!("tick {tick}");
        viewer.until(&what, |viewer| viewer.sees(&ships) && viewer.names() == names).await;
        assert_eq!(shown.state()["tick"], tick);
    }

    // To its end, four ticks at a time.
    viewer.events = 0;
    shown.wish(&json!({ "paused": false, "speed": 4 }));
    let (ships, names) = expected(&head, &records, 900);
    viewer.until("the end", |viewer| viewer.sees(&ships) && viewer.names() == names).await;
    assert!(viewer.events > 0, "nothing happened in 800 ticks");
    let state = shown.state();
    assert_eq!((&state["tick"], &state["failure"]), (&900.into(), &Value::Null), "{state}");
}

#[tokio::test]
async fn nobody_plays_in_a_replay_and_only_its_own_machine_controls_it() {
    let dir = tempfile::tempdir().unwrap();
    let (head, records) = Match::record(12, 60, 60);
    let shown = Shown::of(&write(dir.path(), &head, &records), dir.path());
    let mut viewer = Viewer::connect(&shown).await;
    viewer.client.join(RoomChoice::Named("duel".to_owned()), "Fan");
    viewer.until("a refusal", |viewer| !viewer.refused.is_empty()).await;
    assert!(viewer.refused[0].contains("watch it"), "{:?}", viewer.refused);

    let paused = json!({ "paused": true });
    assert_eq!(shown.wish_from("http://elsewhere.example", &paused).0, 403);
    assert_eq!(shown.wish_from("null", &paused).0, 403);
    let own = format!("http://{}", shown.address);
    let (status, text) = shown.wish_from(&own, &json!({ "paused": true, "speed": 99 }));
    assert!(status == 422 && text.contains("0.05 to 16"), "{status} {text}");
    assert_eq!(shown.wish_from(&own, &json!({ "pace": 1 })).0, 422);
    assert_eq!(shown.state()["paused"], false);
}

#[tokio::test]
async fn a_replay_that_cannot_go_on_says_so_and_shows_the_tick_before() {
    let dir = tempfile::tempdir().unwrap();
    let (head, mut records) = Match::record(13, 300, 60);
    // As if it were of other rules: a command is gone, and a tick is.
    records.remove(200);
    let shown = Shown::of(&write(dir.path(), &head, &records), dir.path());
    let mut viewer = Viewer::connect(&shown).await;
    shown.wish(&json!({ "tick": 190, "speed": 4 }));
    viewer.client.spectate("duel", "Fan");
    viewer.until("a reason", |_| shown.state()["failure"].is_string()).await;
    let state = shown.state();
    let text = state["failure"].as_str().unwrap();
    assert!(text.contains("tick 201 should come next"), "{text}");
    assert_eq!(state["tick"], 200);
    // What was before it is shown again.
    shown.wish(&json!({ "tick": 100, "paused": true }));
    let (ships, _) = expected(&head, &records, 100);
    viewer.until("tick 100", |viewer| viewer.sees(&ships)).await;
    assert_eq!(shown.state()["failure"], Value::Null);
}

#[tokio::test]
async fn a_journal_that_was_damaged_meanwhile_is_told_and_shown_as_far_as_it_goes() {
    let dir = tempfile::tempdir().unwrap();
    let (head, records) = Match::record(14, 300, 60);
    let room = write(dir.path(), &head, &records);
    let shown = Shown::of(&room, dir.path());
    let mut viewer = Viewer::connect(&shown).await;
    shown.wish(&json!({ "paused": true }));
    viewer.client.spectate("duel", "Fan");
    let file = room.join("000000.journal");
    let whole = std::fs::read(&file).unwrap();
    let mut damaged = whole.clone();
    damaged[whole.len() / 2] ^= 1;
    std::fs::write(&file, damaged).unwrap();
    shown.wish(&json!({ "tick": 290 }));
    viewer.until("a reason", |_| shown.state()["failure"].is_string()).await;
    let state = shown.state();
    assert!(state["failure"].as_str().unwrap().contains("is damaged at byte "), "{state}");
    assert_ne!(state["tick"], 290, "it did not come there");

    std::fs::write(&file, whole).unwrap();
    shown.wish(&json!({ "tick": 290 }));
    let (ships, _) = expected(&head, &records, 290);
    viewer.until("tick 290", |viewer| viewer.sees(&ships)).await;
    assert_eq!(shown.state()["failure"], Value::Null);
}
