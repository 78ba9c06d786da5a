//! Rooms go on after their server was killed and started again, and seats wait for their players.

use std::path::{Path, PathBuf};

use tickwire_server::identity::Authenticator;
use tickwire_server::journal::{JournalEnd, JournalReader};
use tickwire_server::room::Replay;
use tickwire_server::{Server, ServerConfig};
use tickwire_shared::PlayerId;
use tickwire_shared::control::{
    ClientFrame, CloseCode, Received, RefuseCode, RequestId, ResumeSecret, RoomChoice, RoomQuery,
    ServerFrame, ServerRun,
};
use tickwire_shared::replica::Replica;
use tickwire_shared::simulation::schema_of;

use crate::client::{Client, Over};
use crate::commands::{answer, command, digit, until_steps};
use crate::game::{Dots, Keys};
use crate::harness::{Running, soon};
use crate::resume::{resumable_greeted, resume};

const RIGHT: Keys = Keys { right: 1, panic: false };
const NOTHING: Received = Received { control: 0, chat: 0 };

/// The journals of one server after another.
pub(crate) struct Files {
    root: tempfile::TempDir,
    servers: u32,
}

impl Files {
    pub(crate) fn new() -> Self {
        Files { root: tempfile::tempdir().unwrap(), servers: 0 }
    }

    /// The folder of the last server's journals.
    fn dir(&self) -> PathBuf {
        self.root.path().join(format!("journals-{}", self.servers))
    }

    /// A server with these journals.
    pub(crate) async fn server(&self, change: impl FnOnce(&mut ServerConfig)) -> Running {
        Running::start_with(|config| {
            config.journal = Some(self.dir());
            config.journal_flush_ms = 1;
            change(config);
        })
        .await
    }

    /// Kills the server. The next one has its files as they are now: tasks of this process may still
    /// write to those of the last one.
    pub(crate) async fn kill(&mut self, server: Running) {
        let files = self.journals();
        let _certificates = server.killed().await;
        self.servers += 1;
        for journal in files {
            let copy = self.dir().join(journal.file_name().unwrap());
            std::fs::create_dir_all(&copy).unwrap();
            for file in std::fs::read_dir(journal).unwrap() {
                let file = file.unwrap();
                std::fs::copy(file.path(), copy.join(file.file_name())).unwrap();
            }
        }
    }

    /// The same of a server that asks `authenticator`.
    pub(crate) async fn server_asking(
        &self,
        authenticator: impl Authenticator,
        change: impl FnOnce(&mut ServerConfig),
    ) -> Running {
        Running::start_asking(authenticator, |config| {
            config.journal = Some(self.dir());
            config.journal_flush_ms = 1;
            change(config);
        })
        .await
    }

    /// Kills a server, and starts another one with its files.
    pub(crate) async fn again(
        &mut self,
        server: Running,
        change: impl FnOnce(&mut ServerConfig),
    ) -> Running {
        self.kill(server).await;
        self.server(change).await
    }

    /// The folders of the rooms.
    pub(crate) fn journals(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.dir()).unwrap();
        let mut folders: Vec<_> =
            entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect();
        folders.sort();
        folders
    }

    /// Waits until the first room's journal has this tick.
    pub(crate) async fn until_kept(&self, tick: u32) {
        soon("a record", async {
            while self.journals().first().is_none_or(|journal| replayed(journal) < tick) {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        })
        .await;
    }
}

/// The last tick of a journal, every tick of which was as it was recorded.
fn replayed(journal: &Path) -> u32 {
    let Ok(mut reader) = JournalReader::open(journal) else { return 0 };
    let mut replay = Replay::<Dots>::new(reader.head()).unwrap();
    while let Some(record) = reader.next_record().unwrap() {
        replay.step(&record).unwrap();
        assert_eq!(replay.difference(), None);
    }
    replay.tick().0
}

/// Whether a journal ends with its room.
fn was_let_go(journal: &Path) -> bool {
    let Ok(mut reader) = JournalReader::open(journal) else { return false };
    while reader.next_record().unwrap().is_some() {}
    reader.end() == JournalEnd::Closed
}

/// Plays until the own dot has as many steps.
pub(crate) async fn walk(client: &mut Client, steps: i32) {
    soon("steps", async {
        while client.steps().is_none_or(|walked| walked < steps) {
            client.play(RIGHT).await;
        }
    })
    .await;
}

/// A connection by which the seat of `player` is resumed; `asked` requests were answered.
pub(crate) async fn resumed(
    server: &Running,
    over: Over,
    of: (PlayerId, ResumeSecret),
    asked: u32,
) -> Client {
    resumed_in(server, over, of, asked).await.0
}

/// The same, and the name of the room.
pub(crate) async fn resumed_in(
    server: &Running,
    over: Over,
    of: (PlayerId, ResumeSecret),
    asked: u32,
) -> (Client, String) {
    resumed_again(server, over, of, (&[], asked)).await
}

/// The same of a client that will send the `unanswered` ones of the `asked` requests again.
pub(crate) async fn resumed_again(
    server: &Running,
    over: Over,
    (player, secret): (PlayerId, ResumeSecret),
    (unanswered, asked): (&[RequestId], u32),
) -> (Client, String) {
    let mut client = server.connect(over).await;
    client.open_both().await;
    let (unanswered, next, received) = (unanswered.to_vec(), RequestId(asked + 1), NOTHING);
    let run = ServerRun::default();
    client.say(&ClientFrame::Resume { player, secret, run, received, unanswered, next }).await;
    let ServerFrame::Restarted { run } = client.hear().await else { panic!("not restarted") };
    assert_eq!(*server.run.get_or_init(|| run), run, "one run is one number");
    (client.player, client.requests) = (player, asked);
    let (seat, tick, room) = client
        .hear_until(|frame| match frame {
            ServerFrame::Rejoined { room, seat, tick, members, .. } => {
                assert!(members.iter().any(|member| member.player == player), "{members:?}");
                Some((seat, tick, room.name))
            }
            _ => None,
        })
        .await;
    (client.seat, client.tick) = (seat, tick);
    client.replica = Some(Replica::new(&schema_of::<Dots>(), seat));
    (client, room)
}

#[tokio::test]
async fn after_a_kill_a_room_goes_on_at_its_tick_and_its_players_over_any_transport() {
    let mut files = Files::new();
    let server = files.server(|_| {}).await;
    let mut players = Vec::new();
    for over in Over::ALL {
        let (mut client, secret) = seated(&server, over, "bay", &format!("{over:?}")).await;
        walk(&mut client, 5).await;
        players.push((client, secret));
    }
    let reached = players.iter().map(|(client, _)| client.tick.0).max().unwrap();
    files.until_kept(reached).await;
    let walked: Vec<i32> = players.iter().map(|(client, _)| client.steps().unwrap()).collect();
    let server = files.again(server, |_| {}).await;
    let mut all_back = Vec::new();
    for (((old, secret), over), walked) in players.iter().zip(Over::ALL).zip(walked) {
        let mut back = resumed(&server, over, (old.player, *secret), old.requests).await;
        assert!(back.tick.0 >= reached, "{} after {reached}", back.tick.0);
        walk(&mut back, walked + 5).await;
        // Its number is nobody else's.
        assert!(server.greeted(over).await.player > old.player);
        all_back.push(back);
    }
    let [journal] = &files.journals()[..] else { panic!("not one journal") };
    let tick = replayed(journal);
    files.until_kept(tick + 10).await;
    assert_eq!(server.stats().await["sessions_resumed"], 3);
}

/// A player in `room` whose session can resume, and its secret.
pub(crate) async fn seated(
    server: &Running,
    over: Over,
    room: &str,
    name: &str,
) -> (Client, ResumeSecret) {
    let (mut client, secret) = resumable_greeted(server, over).await;
    client.join(room, name).await;
    (client, secret)
}

#[tokio::test]
async fn only_the_owner_of_a_seat_has_it_back_and_only_once() {
    let mut files = Files::new();
    let server = files.server(|_| {}).await;
    let (mut owner, secret) = seated(&server, Over::Quic, "safe", "owner").await;
    let (mut other, others) = seated(&server, Over::Quic, "safe", "other").await;
    walk(&mut owner, 3).await;
    walk(&mut other, 3).await;
    files.until_kept(other.tick.0).await;
    let server = files.again(server, |_| {}).await;
    let mut flipped = secret;
    flipped.0[15] ^= 1;
    let zeros = ResumeSecret([0; 16]);
    let unknown = PlayerId(owner.player.0 + 1000);
    for of in
        [(owner.player, flipped), (owner.player, others), (owner.player, zeros), (unknown, secret)]
    {
        let mut thief = resume(&server, Over::Quic, of, NOTHING).await;
        assert_eq!(thief.goodbye().await.0, CloseCode::ResumeRefused, "{of:?}");
    }
    let back = resumed(&server, Over::Quic, (owner.player, secret), owner.requests).await;
    // From now on the session is as any other.
    let received = Received { control: 1, chat: 0 };
    let mut moved = resume(&server, Over::WebSocket, (owner.player, secret), received).await;
    assert!(matches!(moved.hear().await, ServerFrame::Resumed { .. }));
    assert_eq!(back.closed().await.0, CloseCode::ConnectionLost);
}

#[tokio::test]
async fn a_command_that_a_step_had_is_answered_after_a_restart_and_not_stepped_again() {
    let mut files = Files::new();
    let server = files.server(|_| {}).await;
    let (mut client, secret) = seated(&server, Over::Quic, "sums", "ann").await;
    let first = client.ask(command(digit(4))).await;
    assert_eq!(answer(&mut client).await, ServerFrame::Done { request: first });
    until_steps(&mut client, 4).await;
    files.until_kept(client.tick.0).await;
    let server = files.again(server, |_| {}).await;
    // As if the answer to the command had not come, nor that to the one after it.
    let asked = first.0 - 1;
    let mut client = resumed(&server, Over::Quic, (client.player, secret), asked).await;
    assert_eq!(client.ask(command(digit(4))).await, first);
    let second = client.ask(command(digit(2))).await;
    for request in [first, second] {
        assert_eq!(answer(&mut client).await, ServerFrame::Done { request });
    }
    until_steps(&mut client, 42).await;
}

#[tokio::test]
async fn a_seat_whose_player_does_not_come_back_is_free_after_the_grace() {
    let mut files = Files::new();
    let server = files.server(|_| {}).await;
    let (mut ann, secret) = seated(&server, Over::Quic, "bay", "ann").await;
    let (bob, _) = seated(&server, Over::Quic, "bay", "bob").await;
    walk(&mut ann, 3).await;
    files.until_kept(ann.tick.0).await;
    let server = files.again(server, |config| config.resume_grace_ms = 3000).await;
    let mut ann = resumed(&server, Over::Quic, (ann.player, secret), ann.requests).await;
    let told = ann.hear_until(|frame| match frame {
        ServerFrame::MemberLeft { player, code } => Some((player, code)),
        _ => None,
    });
    assert_eq!(soon("a free seat", told).await, (bob.player, CloseCode::ConnectionLost));
    let tick = ann.tick.0;
    files.until_kept(tick + 1).await;
}

#[tokio::test]
async fn a_restored_room_keeps_its_options_and_its_password() {
    let mut files = Files::new();
    let server = files.server(|_| {}).await;
    let (mut client, secret) = resumable_greeted(&server, Over::Quic).await;
    let options = r#"{"start":7,"password":"sesame","bots":2,"tags":["duel"]}"#;
    let room = RoomChoice::Create { name: "club".to_owned(), options: options.into() };
    client.ask_to_join(room, "ann").await;
    client.joined().await;
    walk(&mut client, 9).await;
    files.until_kept(client.tick.0).await;
    let mut before = server.greeted(Over::Quic).await;
    let list = |request| ClientFrame::ListRooms { request, query: RoomQuery::default() };
    before.ask(list).await;
    let listed = answer(&mut before).await;
    let server = files.again(server, |_| {}).await;
    let mut client = resumed(&server, Over::Quic, (client.player, secret), client.requests).await;
    walk(&mut client, 12).await;
    let mut other = server.greeted(Over::Quic).await;
    other.ask(list).await;
    assert_eq!(answer(&mut other).await, listed);
    other.ask_to_join(RoomChoice::Named("club".to_owned()), "bob").await;
    assert_eq!(other.refused().await, RefuseCode::WrongPassword);
}

#[tokio::test]
async fn a_record_that_was_cut_is_left_out_and_the_journal_goes_on_whole() {
    let mut files = Files::new();
    let mut server = files.server(|_| {}).await;
    let (mut client, secret) = seated(&server, Over::Quic, "bay", "ann").await;
    // A record without its end, one with a part of its length, a segment with a part of its head, and zeros that the disk has
    // in place of records.
    let rests = [
        ("000000", &[9u8, 0, 0, 0, 1][..]),
        ("000001", &[9]),
        ("000003", b"tickw"),
        ("000003", &[0; 500]),
        ("000005", &[0; 500]),
    ];
    for (name, rest) in rests {
        let walked = client.steps().unwrap_or(0);
        walk(&mut client, walked + 3).await;
        files.until_kept(client.tick.0).await;
        let player = client.player;
        files.kill(server).await;
        let [journal] = &files.journals()[..] else { panic!("not one journal") };
        let tick = replayed(journal);
        let path = journal.join(format!("{name}.journal"));
        let mut bytes = std::fs::read(&path).unwrap_or_default();
        bytes.extend_from_slice(rest);
        std::fs::write(&path, bytes).unwrap();
        assert_eq!(replayed(journal), tick);
        server = files.server(|_| {}).await;
        client = resumed(&server, Over::Quic, (player, secret), client.requests).await;
        assert!(client.tick.0 >= tick);
    }
    let walked = client.steps().unwrap_or(0);
    walk(&mut client, walked + 3).await;
    files.until_kept(client.tick.0).await;
}

#[tokio::test]
async fn a_damaged_journal_stays_as_it_is_and_the_other_rooms_go_on() {
    let mut files = Files::new();
    let server = files.server(|_| {}).await;
    let (mut ann, lost) = seated(&server, Over::Quic, "bay", "ann").await;
    walk(&mut ann, 3).await;
    files.until_kept(ann.tick.0).await;
    let (mut bob, secret) = seated(&server, Over::Quic, "cove", "bob").await;
    walk(&mut bob, 3).await;
    files.kill(server).await;
    let folders = files.journals();
    let bay = folders[0].join("000000.journal");
    let mut bytes = std::fs::read(&bay).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&bay, &bytes).unwrap();
    let server = files.server(|_| {}).await;
    let mut refused = resume(&server, Over::Quic, (ann.player, lost), NOTHING).await;
    assert_eq!(refused.goodbye().await.0, CloseCode::ResumeRefused);
    resumed(&server, Over::Quic, (bob.player, secret), bob.requests).await;
    // The name is free for another room, with a journal of its own.
    server.player(Over::Quic, "bay", "ann").await;
    assert_eq!(std::fs::read(&bay).unwrap(), bytes);
    assert!(!folders[0].join("000001.journal").exists());
}

#[tokio::test]
async fn a_room_goes_on_from_its_checkpoint_and_needs_nothing_from_before() {
    let mut files = Files::new();
    let server = files.server(|config| config.journal_checkpoint_s = 1).await;
    let (mut client, secret) = seated(&server, Over::Quic, "bay", "ann").await;
    let request = client.ask(command(digit(4))).await;
    soon("a checkpoint", async {
        loop {
            let walked = client.steps().unwrap_or(0);
            walk(&mut client, walked + 1).await;
            let saved = |path: PathBuf| path.extension().is_some_and(|it| it == "checkpoint");
            let mut folder = std::fs::read_dir(&files.journals()[0]).unwrap();
            if folder.any(|file| saved(file.unwrap().path())) {
                break;
            }
        }
    })
    .await;
    files.until_kept(client.tick.0).await;
    let walked = client.steps().unwrap();
    files.kill(server).await;
    let first = files.journals()[0].join("000000.journal");
    let mut bytes = std::fs::read(&first).unwrap();
    let early = bytes.len() / 10;
    bytes[early] ^= 1;
    std::fs::write(&first, bytes).unwrap();
    let server = files.server(|_| {}).await;
    let asked = request.0 - 1;
    let mut client = resumed(&server, Over::Quic, (client.player, secret), asked).await;
    client.ask(command(digit(4))).await;
    assert_eq!(answer(&mut client).await, ServerFrame::Done { request });
    walk(&mut client, walked + 3).await;
    assert!(client.steps().unwrap() < 10 * walked, "the digit came once more");
}

#[tokio::test]
async fn a_room_that_was_let_go_does_not_come_back() {
    let mut files = Files::new();
    let server = files
        .server(|config| {
            (config.room_empty_s, config.resume_grace_ms) = (1, 0);
        })
        .await;
    drop(server.player(Over::Quic, "bay", "ann").await);
    // Its last entry is written after the room has gone from the list.
    soon("the end of the journal", async {
        while !files.journals().first().is_some_and(|journal| was_let_go(journal)) {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    })
    .await;
    let server = files.again(server, |_| {}).await;
    assert_eq!(server.stats().await["rooms"], 0);
    let closed = files.journals();
    assert!(closed[0].to_string_lossy().ends_with(".closed"), "{closed:?}");
}

#[tokio::test]
async fn two_servers_do_not_keep_one_folder() {
    let files = Files::new();
    let _server = files.server(|_| {}).await;
    let config = ServerConfig {
        listen: "[::1]:0".parse().unwrap(),
        journal: Some(files.dir()),
        certs_dir: files.root.path().join("certs"),
        ..ServerConfig::default()
    };
    let error = Server::<Dots>::bind(config).await.err().unwrap().to_string();
    assert!(error.contains("another server keeps its journals there"), "{error}");
}
