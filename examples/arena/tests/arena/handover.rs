//! A server process that hands over to another one: by its own program, and to one that does not take over.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tickwire_arena::rules::Arena;
use tickwire_client::{Client, ClientEvent, ConnectOptions, ConnectionEvent};
use tickwire_shared::Simulation;
use tickwire_shared::control::{RoomChoice, ServerChat, ServerFrame};

type Event = ClientEvent<<Arena as Simulation>::Event>;

/// The time after which a wait fails; no measure of speed.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server with a journal, as one process after another.
struct Server {
    dir: tempfile::TempDir,
    first: Child,
    target: String,
    /// Lines of the log of all its processes.
    log: std::sync::mpsc::Receiver<String>,
}

impl Server {
    fn start(flags: &[&str]) -> Server {
        let dir = tempfile::tempdir().unwrap();
        let mut first = Command::new(env!("CARGO_BIN_EXE_arena-server"))
            .args(["--listen", "[::1]:0", "--room-bots-max", "0", "--log", "info"])
            .arg("--certs-dir")
            .arg(dir.path().join("certs"))
            .arg("--journal")
            .arg(dir.path().join("journals"))
            .arg("--store")
            .arg(dir.path().join("store"))
            .args(flags)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(first.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.split_whitespace().find_map(|word| word.strip_prefix("udp="));
        let target = format!("quic://{}", address.expect(&line));
        let (lines, log) = std::sync::mpsc::channel();
        let errors = BufReader::new(first.stderr.take().unwrap());
        std::thread::spawn(move || {
            errors.lines().map_while(Result::ok).for_each(|line| _ = lines.send(line));
        });
        Server { dir, first, target, log }
    }

    /// The number of the process that serves.
    fn process(&self) -> String {
        let lock = self.dir.path().join("journals/lock");
        std::fs::read_to_string(lock).unwrap().trim().to_owned()
    }

    fn signal(&self, name: &str) {
        let flag = format!("-{name}");
        assert!(Command::new("kill").args([&flag, &self.process()]).status().unwrap().success());
    }

    fn until_logged(&self, text: &str) {
        let end = Instant::now() + PATIENCE;
        let mut lines = Vec::new();
        while !lines.iter().any(|line: &String| line.contains(text)) {
            let left = end.saturating_duration_since(Instant::now());
            let line = self.log.recv_timeout(left);
            lines.push(line.unwrap_or_else(|_| panic!("no {text:?} in {lines:#?}")));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let process = self.process();
        let _ = Command::new("kill").args(["-TERM", &process]).status();
        let _ = self.first.wait();
        let end = Instant::now() + PATIENCE;
        // One that nobody asks how it ended is still there by its number.
        let stat = || std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        while Path::new(&format!("/proc/{process}")).exists()
            && !stat().contains(") Z ")
            && Instant::now() < end
        {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

struct Player {
    client: Client<Arena>,
    heard: Vec<Event>,
}

impl Player {
    async fn join(server: &Server, name: &str) -> Player {
        let client = Client::connect(&server.target, ConnectOptions::default()).await.unwrap();
        let mut player = Player { client, heard: Vec::new() };
        player.client.join(RoomChoice::Named("lasting".to_owned()), name);
        player.until(|event| matches!(event, Event::Control(ServerFrame::Joined { .. }))).await;
        player
    }

    fn update(&mut self) {
        self.client.update();
        self.heard.extend(std::iter::from_fn(|| self.client.poll_event()));
    }

    async fn until(&mut self, wanted: impl Fn(&Event) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !self.heard.iter().any(&wanted) {
            assert!(Instant::now() < end, "it did not come: {:?}", self.heard);
            self.update();
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn until_snapshots(&mut self, more: u64) {
        let (end, before) = (Instant::now() + PATIENCE, self.client.stats().snapshots);
        while self.client.stats().snapshots < before + more {
            assert!(Instant::now() < end, "no snapshots: {:?}", self.heard);
            self.update();
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    fn newest_tick(&self) -> u32 {
        let room = self.client.session().room();
        room.and_then(|room| room.replica().newest()).map_or(0, |tick| tick.0)
    }
}

fn is_rejoined(event: &Event) -> bool {
    matches!(event, Event::Control(ServerFrame::Rejoined { .. }))
}

fn is_reconnecting(event: &Event) -> bool {
    matches!(event, Event::Connection(ConnectionEvent::Reconnecting { .. }))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_process_of_the_same_program_goes_on_with_rooms_and_sessions() {
    let server = Server::start(&[]);
    let mut player = Player::join(&server, "one").await;
    let number = player.client.player();
    for round in 0..3 {
        player.until_snapshots(30).await;
        let said = player.client.say(&format!("round {round}"));
        let is_saved = |event: &Event| matches!(event, Event::Chat(ServerChat::Sent { request, is_saved: true, .. }) if *request == said);
        player.until(is_saved).await;
        let old = server.process();
        player.heard.clear();
        server.signal("USR2");
        let mut seen = player.newest_tick();
        let end = Instant::now() + PATIENCE;
        while !player.heard.iter().any(is_rejoined) {
            assert!(Instant::now() < end, "it did not come back: {:?}", player.heard);
            if !player.heard.iter().any(is_reconnecting) {
                seen = player.newest_tick();
            }
            player.update();
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_ne!(server.process(), old);
        assert_eq!(player.client.player(), number);
        let rejoined = player.heard.iter().find_map(|event| match event {
            Event::Control(ServerFrame::Rejoined { tick, .. }) => Some(tick.0),
            _ => None,
        });
        assert!(rejoined >= Some(seen), "{rejoined:?}, and {seen} was seen");
        player.until_snapshots(30).await;
    }
    let asked = player.client.chat_history(None, 10);
    let is_answer = |event: &Event| matches!(event, Event::Chat(ServerChat::History { request, .. }) if *request == Some(asked));
    player.until(is_answer).await;
    let texts = player.heard.iter().find_map(|event| match event {
        Event::Chat(ServerChat::History { request, messages, .. }) if *request == Some(asked) => {
            Some(messages.iter().map(|message| message.text.clone()).collect::<Vec<_>>())
        }
        _ => None,
    });
    assert_eq!(texts.unwrap(), ["round 0", "round 1", "round 2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_does_not_take_over_changes_nothing() {
    for (program, reason) in [
        ("/nowhere/server", "cannot be started"),
        ("/bin/false", "ended before it was ready (exit status: 1)"),
    ] {
        let server = Server::start(&["--handover-program", program]);
        let mut player = Player::join(&server, "one").await;
        let old = server.process();
        player.heard.clear();
        server.signal("USR2");
        server.until_logged(reason);
        player.until_snapshots(60).await;
        assert!(!player.heard.iter().any(is_reconnecting), "{:?}", player.heard);
        assert_eq!(server.process(), old);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_is_silent_is_ended_after_a_while() {
    let dir = tempfile::tempdir().unwrap();
    let program = dir.path().join("silent");
    std::fs::write(&program, "#!/bin/sh\nexec sleep 600\n").unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(&program, mode).unwrap();
    let program = program.display().to_string();
    let server = Server::start(&["--handover-program", &program, "--handover-ms", "200"]);
    let mut player = Player::join(&server, "one").await;
    player.heard.clear();
    server.signal("USR2");
    server.until_logged("was not ready within handover_ms");
    player.until_snapshots(60).await;
    assert!(!player.heard.iter().any(is_reconnecting), "{:?}", player.heard);
}
