//! Sessions of a server that is killed and started again, by the client's own core.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use tickwire_client::session::{ConnectionEvent, Session, SessionEvent};
use tickwire_shared::control::{CloseCode, RoomChoice, RoomQuery, ServerFrame};
use tickwire_shared::{
    Capture, Input, Inputs, LeaveReason, NewPlayer, NewRoom, Outbox, PlayerId, Replicate,
    Simulation,
};

use super::{SimulatedConnection, SimulatedServer};
use crate::config::ServerConfig;

const ZERO: Duration = Duration::ZERO;
/// Later than any wait for another attempt to connect, and within the grace.
const LATER: Duration = Duration::from_secs(5);

#[derive(Clone, Copy, Default, PartialEq, Input)]
struct TallyInput {}

#[derive(Replicate)]
struct TallyMark {}

#[derive(Clone, Copy, Debug, PartialEq, Replicate)]
struct Addition {
    #[replicate(range = 0..=100)]
    number: u8,
}

/// A game that keeps the numbers that its players add.
#[tickwire_shared::state]
#[derive(Default)]
struct Tally {
    added: Vec<u8>,
}

#[tickwire_shared::game]
impl Simulation for Tally {
    const NAME: &'static str = "tally";
    type Input = TallyInput;
    type Entity = TallyMark;
    type Command = Addition;

    fn new(_room: &NewRoom<Self>) -> Self {
        Tally::default()
    }

    fn join(&mut self, _player: &NewPlayer<Self>) {}

    fn leave(&mut self, _player: PlayerId, _reason: LeaveReason) {}

    fn step(&mut self, inputs: &Inputs<Self>, _outbox: &mut Outbox<Self>) {
        for (_, Addition { number }) in inputs.commands() {
            self.added.push(*number);
        }
    }

    fn capture(&self, _world: &mut Capture<TallyMark>) {}
}

/// A server with its journals in `dir`, in a run of this number.
fn start(dir: &Path, run: u64, change: impl FnOnce(&mut ServerConfig)) -> SimulatedServer<Tally> {
    let mut config = ServerConfig {
        journal: Some(dir.to_owned()),
        journal_sync: false,
        ..ServerConfig::default()
    };
    change(&mut config);
    let mut server = SimulatedServer::start(config, run).unwrap();
    server.take_up_rooms();
    server
}

/// Runs `test` on a runtime of this thread, as a [`SimulatedServer`] needs it.
fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    runtime.unwrap().block_on(test);
}

/// Lets the server's sessions do all that they can do now.
async fn settle() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}

/// A client and its connection.
struct SimulatedPlayer {
    session: Session,
    wire: SimulatedConnection,
    streams: [usize; 2],
    /// All that it was told.
    events: Vec<SessionEvent>,
}

fn connect(server: &mut SimulatedServer<Tally>) -> (SimulatedConnection, [usize; 2]) {
    let wire = server.connect(SocketAddr::from(([192, 0, 2, 1], 4000)), 1200).unwrap();
    let streams = [wire.open(), wire.open()];
    (wire, streams)
}

impl SimulatedPlayer {
    /// A client whose session can resume, in the room.
    async fn join(server: &mut SimulatedServer<Tally>, name: &str) -> Self {
        let (wire, streams) = connect(server);
        let session = Session::resumable("a test", None);
        let mut player = SimulatedPlayer { session, wire, streams, events: Vec::new() };
        player.exchange(server).await;
        player.session.join(RoomChoice::Named("bay".to_owned()), name);
        player.exchange(server).await;
        player
    }

    /// Sends what waits.
    fn send(&mut self) {
        self.wire.write(self.streams[0], &self.session.take_control());
        self.wire.write(self.streams[1], &self.session.take_chat());
    }

    /// Takes what came.
    fn hear(&mut self) {
        let [control, chat] = self.streams.map(|stream| self.wire.take(stream, usize::MAX));
        self.session.handle_control(ZERO, &control).unwrap();
        self.session.handle_chat(&chat).unwrap();
        self.events.extend(std::iter::from_fn(|| self.session.poll_event()));
    }

    /// A few times both, with a tick between them.
    async fn exchange(&mut self, server: &mut SimulatedServer<Tally>) {
        for _ in 0..3 {
            self.send();
            step(server).await;
            self.hear();
        }
    }

    /// Loses the connection, and sends the request to resume over another one.
    fn resume(&mut self, server: &mut SimulatedServer<Tally>) {
        self.session.handle_lost(ZERO, "cut");
        assert!(self.session.poll_reconnect(LATER));
        (self.wire, self.streams) = connect(server);
        self.session.resume();
        self.send();
    }

    /// The names of the events that tell of the connection and the room, since the last call.
    fn told(&mut self) -> Vec<&'static str> {
        let name = |event| match event {
            SessionEvent::Connection(ConnectionEvent::Resumed { .. }) => Some("resumed"),
            SessionEvent::Control(ServerFrame::Rejoined { .. }) => Some("rejoined"),
            SessionEvent::Control(ServerFrame::Joined { .. }) => Some("joined"),
            SessionEvent::Control(ServerFrame::Left { .. }) => Some("left"),
            SessionEvent::Control(ServerFrame::Done { .. }) => Some("done"),
            SessionEvent::Control(ServerFrame::Refused { .. }) => Some("refused"),
            SessionEvent::Over { .. } => Some("over"),
            _ => None,
        };
        self.events.drain(..).filter_map(name).collect()
    }
}

/// A tick, with all that sessions do before and after it.
async fn step(server: &mut SimulatedServer<Tally>) {
    settle().await;
    server.tick(0);
    settle().await;
}

#[test]
fn an_answer_that_was_lost_with_its_connection_comes_again_with_all_frames() {
    // A client with fewer frames than the new session has, and one with more.
    for frames in [0, 30] {
        run(async {
            let dir = tempfile::tempdir().unwrap();
            let mut server = start(dir.path(), 1, |_| {});
            let mut ann = SimulatedPlayer::join(&mut server, "ann").await;
            for _ in 0..frames {
                ann.session.list_rooms(RoomQuery::default());
            }
            ann.exchange(&mut server).await;
            assert_eq!(ann.told(), ["joined"]);
            server.flush_journals();
            drop(server);

            let mut server = start(dir.path(), 2, |_| {});
            ann.resume(&mut server);
            step(&mut server).await;
            // Its client reads none of it.
            ann.wire.end(CloseCode::ConnectionLost);
            step(&mut server).await;
            ann.resume(&mut server);
            ann.exchange(&mut server).await;
            assert_eq!(ann.told(), ["resumed", "rejoined"], "with {frames} frames more");
            let room = ann.session.room().unwrap();
            assert_eq!(room.members().count(), 1);
            assert!(!room.is_away(ann.session.welcome().unwrap().player));

            // From now on it counts the frames of this run.
            ann.wire.end(CloseCode::ConnectionLost);
            step(&mut server).await;
            ann.resume(&mut server);
            ann.exchange(&mut server).await;
            assert_eq!(ann.told(), ["resumed"]);
        });
    }
}

#[test]
fn of_two_requests_for_one_restored_seat_neither_ends_the_session() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let mut server = start(dir.path(), 1, |_| {});
        let mut ann = SimulatedPlayer::join(&mut server, "ann").await;
        ann.told();
        server.flush_journals();
        drop(server);

        let mut server = start(dir.path(), 2, |_| {});
        ann.resume(&mut server);
        let first = ann.wire.clone();
        ann.resume(&mut server);
        ann.exchange(&mut server).await;
        assert_eq!(ann.told(), ["resumed", "rejoined"]);
        assert_eq!(first.closed().map(|(code, _)| code), Some(CloseCode::ConnectionLost));
        assert_eq!(server.sessions(), 1);
    });
}

#[test]
fn a_refused_command_is_refused_again_after_a_restart_and_one_that_was_stepped_is_not() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let mut server = start(dir.path(), 1, |config| config.room.commands_queued_max = 1);
        let mut ann = SimulatedPlayer::join(&mut server, "ann").await;
        ann.told();
        // The second and the third find the queue full; the client hears no answer.
        for number in 1..=3 {
            ann.session.command(Some(0), &[number]);
        }
        ann.send();
        step(&mut server).await;
        ann.session.command(Some(0), &[4]);
        ann.send();
        step(&mut server).await;
        server.flush_journals();
        drop(server);

        // As many of those that are sent again as are allowed at once are fewer than there are.
        let mut server = start(dir.path(), 2, |config| config.commands_burst = 1);
        ann.resume(&mut server);
        ann.exchange(&mut server).await;
        let answers = ["done", "refused", "refused", "done"];
        assert_eq!(ann.told(), [&["resumed", "rejoined"], &answers[..]].concat());
        assert_eq!(server.rooms().next().unwrap().simulation().added, [1, 4]);
    });
}

#[test]
fn the_last_member_to_leave_a_room_has_left_it_after_a_restart_too() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let mut server = start(dir.path(), 1, |_| {});
        let mut ann = SimulatedPlayer::join(&mut server, "ann").await;
        ann.session.leave();
        ann.exchange(&mut server).await;
        assert_eq!(ann.told(), ["joined", "left"]);
        let ticks: Vec<u32> = server.ticks().map(|(_, tick)| tick.0).collect();
        ann.exchange(&mut server).await;
        assert!(server.ticks().map(|(_, tick)| tick.0).eq(ticks), "an empty room stands still");
        server.flush_journals();
        drop(server);

        let mut server = start(dir.path(), 2, |_| {});
        assert_eq!(server.rooms().next().map(|room| room.info().players), Some(0));
        ann.resume(&mut server);
        ann.exchange(&mut server).await;
        assert_eq!(ann.told(), ["over"], "a session in no room does not outlive its server");
        // Nor is its name taken.
        let mut ann = SimulatedPlayer::join(&mut server, "ann").await;
        assert_eq!(ann.told(), ["joined"]);
    });
}
