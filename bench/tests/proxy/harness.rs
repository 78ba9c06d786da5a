//! A server and a proxy as processes, and one player.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tickwire_arena::bot::Bot;
use tickwire_arena::rules::Arena;
use tickwire_client::session::NetStats;
use tickwire_client::{Client, ClientEvent, ConnectOptions};
use tickwire_shared::control::{RoomChoice, ServerChat, ServerFrame};

const PROGRAM: &str = env!("CARGO_BIN_EXE_tickwire-bench");
/// When a wait is given up; not an expected duration.
const DEADLINE: Duration = Duration::from_secs(120);
const FRAME: Duration = Duration::from_millis(10);

/// A server behind a proxy; dropping it ends both.
pub(crate) struct Path {
    address: String,
    direct: String,
    said: Arc<Mutex<Vec<String>>>,
    _processes: [Process; 2],
    _certs: TempDir,
}

struct Process(Child);

impl Path {
    pub(crate) fn start(network: &[&str]) -> Path {
        let certs = TempDir::new().unwrap();
        let (server, mut line) =
            Process::start(&["serve-arena", "--certs-dir", certs.path().to_str().unwrap()]);
        let to = value(&read_line(&mut line), "udp=");
        let (proxy, mut lines) = Process::start(&[&["proxy", "--to", &to][..], network].concat());
        let address = value(&read_line(&mut lines), "udp=");
        let said = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&said);
        std::thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                noted.lock().unwrap().push(line);
            }
        });
        Path { address, direct: to, said, _processes: [server, proxy], _certs: certs }
    }

    pub(crate) fn quic(&self) -> String {
        format!("quic://{}", self.address)
    }

    /// The address without the proxy.
    pub(crate) fn direct(&self) -> String {
        format!("quic://{}", self.direct)
    }

    pub(crate) fn websocket(&self) -> String {
        format!("ws://{}/ws", self.address)
    }

    /// The number of the proxy's lines with this beginning.
    pub(crate) fn count(&self, begins: &str) -> usize {
        self.said.lock().unwrap().iter().filter(|line| line.starts_with(begins)).count()
    }
}

/// The proxy's error for these values.
pub(crate) fn refused(network: &[&str]) -> String {
    let words = [&["proxy", "--to", "127.0.0.1:9"][..], network].concat();
    let output = Command::new(PROGRAM).args(words).output().unwrap();
    assert!(!output.status.success());
    String::from_utf8(output.stderr).unwrap()
}

/// How long a proxy that ends with its input outlives it.
pub(crate) fn outlives_its_input() -> Duration {
    let mut command = Command::new(PROGRAM);
    command.args(["proxy", "--to", "127.0.0.1:9", "--until-eof"]);
    let mut proxy = Process(command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap());
    read_line(&mut BufReader::new(proxy.0.stdout.take().unwrap()));
    std::thread::sleep(Duration::from_secs(1));
    assert!(proxy.0.try_wait().unwrap().is_none(), "it ended before its input");
    drop(proxy.0.stdin.take());
    let begin = Instant::now();
    while proxy.0.try_wait().unwrap().is_none() {
        assert!(begin.elapsed() < DEADLINE / 4, "it goes on without an input");
        std::thread::sleep(FRAME);
    }
    begin.elapsed()
}

impl Process {
    fn start(words: &[&str]) -> (Process, BufReader<ChildStdout>) {
        let mut command = Command::new(PROGRAM);
        let mut child = command.args(words).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        (Process(child), lines)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn read_line(lines: &mut BufReader<ChildStdout>) -> String {
    let mut line = String::new();
    lines.read_line(&mut line).unwrap();
    line
}

fn value(line: &str, name: &str) -> String {
    let found = line.split_whitespace().find_map(|word| word.strip_prefix(name));
    found.unwrap_or_else(|| panic!("no {name} in {line:?}")).to_owned()
}

/// A bot on the native client.
pub(crate) struct Player {
    client: Client<Arena>,
    bot: Bot,
    /// A second client in the same room, connected without the proxy.
    beside: Option<Client<Arena>>,
    joined: usize,
    heard: usize,
}

impl Player {
    pub(crate) async fn join(target: &str) -> Player {
        let client = connect(target, "Ann").await;
        let mut player = Player { client, bot: Bot::new(1), beside: None, joined: 0, heard: 0 };
        player.until("a seat", |it| it.joined == 1).await;
        player
    }

    /// Adds a second client beside it.
    pub(crate) async fn beside(mut self, target: &str) -> Player {
        self.beside = Some(connect(target, "Bob").await);
        self.until("the other's seat", |it| it.now() > 0).await;
        self
    }

    /// The newest tick that the second client has seen.
    fn now(&self) -> u32 {
        self.beside.as_ref().map_or(0, |beside| beside.stats().tick)
    }

    /// Ten times, for 15 seconds of ticks in all: plays for 90 ticks, and until its view is at most
    /// `ticks` old.
    pub(crate) async fn keeps_up(&mut self, ticks: u32) {
        for _ in 0..10 {
            let then = self.now() + 90;
            self.until("ticks to pass", |it| it.now() >= then).await;
            self.until("to be up to date", |it| it.now() <= it.stats().tick + ticks).await;
        }
    }

    pub(crate) fn stats(&self) -> NetStats {
        self.client.stats()
    }

    /// Plays until `more` snapshots have arrived.
    pub(crate) async fn sees(&mut self, more: u64) {
        let wanted = self.stats().snapshots + more;
        self.until("snapshots", |it| it.stats().snapshots >= wanted).await;
        assert_eq!(self.joined, 1, "it is the same session");
    }

    /// Plays until its own chat message has come back.
    pub(crate) async fn chats(&mut self) {
        let wanted = self.heard + 1;
        self.client.say(&"x".repeat(500));
        self.until("its own message", |it| it.heard >= wanted).await;
    }

    pub(crate) async fn until(&mut self, what: &str, mut is_so: impl FnMut(&Player) -> bool) {
        let begin = Instant::now();
        while !is_so(self) {
            let now = self.now();
            assert!(begin.elapsed() < DEADLINE, "{what}, at {now}: {:?}", self.stats());
            self.client.update();
            if let Some(beside) = &mut self.beside {
                beside.update();
                while beside.poll_event().is_some() {}
            }
            while let Some(event) = self.client.poll_event() {
                match event {
                    ClientEvent::Control(ServerFrame::Joined { .. }) => self.joined += 1,
                    ClientEvent::Chat(ServerChat::Message(_)) => self.heard += 1,
                    ClientEvent::Over { code, text } => {
                        panic!("over while waiting for {what}: {code:?}: {text}")
                    }
                    _ => {}
                }
            }
            let player = self.client.player();
            let seen = self.client.entities().map(|seen| (seen.id, seen.entity));
            let controls = self.bot.decide(player, seen);
            self.client.set_input(controls);
            tokio::time::sleep(FRAME).await;
        }
    }
}

async fn connect(target: &str, name: &str) -> Client<Arena> {
    let options = ConnectOptions { timeout: DEADLINE, ..ConnectOptions::default() };
    let mut client = Client::<Arena>::connect(target, options).await.unwrap();
    client.join(RoomChoice::Named("proxy".to_owned()), name);
    client
}
