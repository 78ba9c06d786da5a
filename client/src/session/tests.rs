//! The hello of a session, and its way back after a lost connection.

use std::time::Duration;

use tickwire_shared::compatibility::SCHEMA_BYTES_MAX;
use tickwire_shared::control::{
    ClientChat, ClientFrame, ClientStatic, ContentHash, FrameReader, Member, Received, RequestId,
    ResumeSecret, RoomChoice, RoomInfo, RoomQuery, STREAM_CHAT, ServerChat, ServerFrame, ServerRun,
    write_frame,
};
use tickwire_shared::schema::{KindSchema, Schema};
use tickwire_shared::{PlayerId, Tick};

use super::{ConnectionEvent, Session, SessionError, SessionEvent};

/// A schema whose bytes are nearly all in the game's name.
fn schema(name_bytes: usize) -> Schema {
    Schema {
        game: "x".repeat(name_bytes),
        tick_hz: 60,
        input: KindSchema { name: "Input".into(), fields: vec![] },
        entities: vec![],
        events: vec![],
        commands: vec![],
        model: vec![],
    }
}

fn hello(client: &str, schema: Schema) -> (String, Option<Schema>) {
    let mut reader = FrameReader::default();
    reader.push(&Session::new(client, Some(schema)).take_control()[1..]);
    match reader.poll().unwrap() {
        Some(ClientFrame::Hello { client, schema, .. }) => (client, schema),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_hello_fits_a_frame_whatever_the_client_is() {
    let largest = schema(SCHEMA_BYTES_MAX - 64);
    let (client, told) = hello(&"🚀".repeat(5000), largest.clone());
    assert!(client.starts_with('🚀') && client.chars().count() < 5000);
    assert_eq!(told, Some(largest));
    // Too large to send: the client compares it alone, when the server's schema arrives.
    assert_eq!(hello("client", schema(SCHEMA_BYTES_MAX)).1, None);
}

/// A session that the server lets resume within a second.
fn resumable() -> Session {
    resumable_within(1000)
}

/// A session that the server lets resume within this time.
pub(super) fn resumable_within(resume_grace_ms: u32) -> Session {
    let mut session = Session::resumable("client", None);
    let welcome = ServerFrame::Welcome {
        server: "server".to_owned(),
        player: PlayerId(1),
        schema: schema(4),
        resume: Some(ResumeSecret([7; 16])),
        resume_grace_ms,
        run: ServerRun(1),
    };
    hear(&mut session, &[welcome]);
    session
}

fn hear(session: &mut Session, frames: &[ServerFrame]) {
    session.handle_control(Duration::ZERO, &bytes_of(frames)).unwrap();
}

/// The answer of a server that was started again, in this run.
pub(super) fn restarted(run: u64) -> ServerFrame {
    ServerFrame::Restarted { run: ServerRun(run) }
}

pub(super) fn bytes_of<T: serde::Serialize>(frames: &[T]) -> Vec<u8> {
    let mut bytes = Vec::new();
    frames.iter().for_each(|frame| write_frame(frame, &mut bytes));
    bytes
}

fn room_info() -> RoomInfo {
    RoomInfo {
        name: "bay".to_owned(),
        players: 1,
        players_max: 8,
        bots: 0,
        spectators: 0,
        needs_password: false,
        tags: vec![],
        metadata: String::new(),
    }
}

#[test]
fn a_session_that_is_given_up_opens_no_more_connections() {
    let mut session = resumable();
    assert!(session.handle_lost(Duration::ZERO, "cut"));
    assert!(session.poll_reconnect(Duration::ZERO));
    // The attempt is still under way when the server has given the session up.
    session.update(Duration::from_secs(2));
    assert!(session.is_over());
    session.handle_connect_failed(Duration::from_secs(3));
    assert!(!session.poll_reconnect(Duration::from_secs(60)));
    let last = std::iter::from_fn(|| session.poll_event()).last();
    assert!(matches!(last, Some(SessionEvent::Over { .. })), "{last:?}");
}

/// Attempts that time out end together: only the wait after them spreads the next ones.
#[test]
fn a_random_wait_follows_an_attempt_however_long_it_took() {
    let waits_after = |took: Duration| {
        let mut session = resumable();
        let mut now = Duration::ZERO;
        assert!(session.handle_lost(now, "cut"));
        let mut waits = Vec::new();
        // Within the grace.
        for _ in 0..4 {
            assert!(session.poll_reconnect(now));
            now += took;
            session.handle_connect_failed(now);
            while let Some(event) = session.poll_event() {
                if let SessionEvent::Connection(ConnectionEvent::Reconnecting { wait, .. }) = event
                {
                    waits.push(wait);
                }
            }
            now += *waits.last().unwrap();
        }
        waits
    };
    let waits = waits_after(Duration::ZERO);
    assert_eq!(waits_after(Duration::from_secs(10)), waits);
    let bounds = [0, 250, 500, 1000, 2000].map(Duration::from_millis);
    assert!(waits.iter().zip(bounds).all(|(wait, bound)| *wait <= bound), "{waits:?}");
    assert!(waits[1..].iter().all(|wait| !wait.is_zero()), "{waits:?}");
}

#[test]
fn a_session_that_resumes_says_again_which_static_data_it_has() {
    let (mut session, room) = (resumable(), room_info());
    let bytes = vec![7; 9];
    let hash = ContentHash([3; 32]);
    let joined = ServerFrame::Joined {
        request: RequestId(1),
        room,
        tick: Tick(0),
        seat: 0,
        spectator: false,
        host: None,
        members: vec![],
    };
    let offer = ServerFrame::StaticData { key: 1, hash, bytes: 9, tick: Tick(0) };
    hear(&mut session, &[joined, offer]);
    session.give_static(hash, Some(&bytes));
    // The answer is written, and lost with its connection.
    assert!(!session.take_static().is_empty());
    assert!(session.handle_lost(Duration::ZERO, "cut"));
    assert!(session.poll_reconnect(Duration::ZERO));
    session.resume();
    assert!(session.take_static().is_empty(), "nothing is said before the server answered");
    hear(&mut session, &[ServerFrame::Resumed { next: RequestId(1) }]);
    let mut reader = FrameReader::default();
    reader.push(&session.take_static()[1..]);
    assert_eq!(reader.poll::<ClientStatic>().unwrap(), Some(ClientStatic::Have(hash)));
}

/// What waits to be sent, of a stream that began with this connection or before.
fn written<F: serde::de::DeserializeOwned>(bytes: &[u8], is_new: bool) -> Vec<F> {
    let mut reader = FrameReader::default();
    reader.push(&bytes[usize::from(is_new)..]);
    std::iter::from_fn(|| reader.poll().unwrap()).collect()
}

/// Resumes over another connection, and returns the request to do so.
pub(super) fn resume_anew(session: &mut Session) -> ClientFrame {
    // Written, and lost with the connection.
    session.take_control();
    session.take_chat();
    assert!(session.handle_lost(Duration::ZERO, "cut"));
    session.reconnect_now(Duration::ZERO);
    assert!(session.poll_reconnect(Duration::ZERO));
    session.resume();
    let mut sent = written(&session.take_control(), true);
    assert_eq!(sent.len(), 1, "nothing but the request, before its answer: {sent:?}");
    assert_eq!(session.take_chat(), [STREAM_CHAT]);
    sent.remove(0)
}

fn joined(request: RequestId, tick: u32) -> ServerFrame {
    ServerFrame::Joined {
        request,
        room: room_info(),
        tick: Tick(tick),
        seat: 0,
        spectator: false,
        host: None,
        members: vec![member(1), member(2)],
    }
}

fn rejoined(tick: u32, members: Vec<Member>) -> ServerFrame {
    ServerFrame::Rejoined {
        room: room_info(),
        tick: Tick(tick),
        seat: 4,
        spectator: false,
        host: None,
        members,
    }
}

fn member(player: u32) -> Member {
    let (name, spectator, bot) = (format!("p{player}"), false, false);
    Member { player: PlayerId(player), name, spectator, bot }
}

#[test]
fn a_server_that_was_started_again_gets_every_unanswered_request_in_order() {
    let mut session = resumable();
    let join = session.join(RoomChoice::Quick, "ann");
    let list = session.subscribe_rooms(RoomQuery::default());
    let rooms = ServerFrame::Rooms { request: list, rooms: vec![room_info()], found: 1 };
    hear(&mut session, &[joined(join, 90), rooms]);
    let (kick, said) = (session.kick(PlayerId(2), "bye"), session.say("hello"));
    let leave = session.leave();
    let ClientFrame::Resume { unanswered, next, received, .. } = resume_anew(&mut session) else {
        panic!("no request to resume");
    };
    assert_eq!((unanswered, next.0), (vec![kick, said, leave], leave.0 + 1));
    assert_eq!(received, Received { control: 3, chat: 0 });

    hear(&mut session, &[restarted(2)]);
    let sent: Vec<ClientFrame> = written(&session.take_control(), false);
    let [ClientFrame::Kick { request: first, .. }, ClientFrame::Leave { request: second }, last] =
        &sent[..]
    else {
        panic!("{sent:?}");
    };
    assert_eq!((*first, *second), (kick, leave));
    assert!(
        matches!(last, ClientFrame::SubscribeRooms { request, .. } if request.0 == leave.0 + 1)
    );
    let chats: Vec<ClientChat> = written(&session.take_chat(), false);
    assert!(
        matches!(&chats[..], [ClientChat::Say { request, .. }] if *request == said),
        "{chats:?}"
    );

    // The second restart: what was answered in between is not asked again, and frames count from the first one.
    let answer = ServerFrame::Done { request: kick };
    hear(&mut session, &[rejoined(84, vec![member(1)]), answer]);
    let ClientFrame::Resume { unanswered, received, .. } = resume_anew(&mut session) else {
        panic!("no request to resume");
    };
    assert_eq!(unanswered[..2], [said, leave]);
    assert_eq!(received, Received { control: 2, chat: 0 });
}

#[test]
fn the_room_of_a_server_that_was_started_again_begins_anew_at_an_earlier_tick() {
    let mut session = resumable();
    let join = session.join(RoomChoice::Quick, "ann");
    let (hash, bytes) = (ContentHash([3; 32]), vec![7; 9]);
    let offer = ServerFrame::StaticData { key: 1, hash, bytes: 9, tick: Tick(90) };
    hear(&mut session, &[joined(join, 90), offer.clone()]);
    session.give_static(hash, Some(&bytes));
    assert!(session.static_data(1).is_some());
    resume_anew(&mut session);
    while session.poll_event().is_some() {}
    let looked_at = |session: &mut Session| {
        session.handle_datagram(Duration::ZERO, &[0]);
        let stats = session.stats(Duration::ZERO);
        (stats.datagrams_unused, stats.snapshots_malformed)
    };
    hear(&mut session, &[restarted(2)]);
    assert_eq!(looked_at(&mut session), (1, 0), "a snapshot that overtakes is of another stay");
    hear(&mut session, &[rejoined(84, vec![member(1), member(3)])]);
    assert_eq!(looked_at(&mut session), (1, 1));

    let events: Vec<SessionEvent> = std::iter::from_fn(|| session.poll_event()).collect();
    let [SessionEvent::Connection(told), SessionEvent::Control(room)] = &events[..] else {
        panic!("{events:?}");
    };
    assert!(matches!(told, ConnectionEvent::Resumed { attempts: 1, .. }), "{told:?}");
    assert!(matches!(room, ServerFrame::Rejoined { tick: Tick(84), .. }), "{room:?}");
    let room = session.room().unwrap();
    let members: Vec<u32> = room.members().map(|member| member.player.0).collect();
    assert_eq!((members, room.replica().newest()), (vec![1, 3], None));
    assert!(session.static_data(1).is_none(), "it is offered again");
    hear(&mut session, &[offer]);
    session.give_static(hash, Some(&bytes));
    assert_eq!(session.static_data(1).map(|(bytes, _)| bytes), Some(&bytes[..]));
}

#[test]
fn nothing_of_the_old_room_is_sent_to_a_server_that_was_started_again() {
    let mut session = resumable();
    let join = session.join(RoomChoice::Quick, "ann");
    hear(&mut session, &[joined(join, 90)]);
    let sent = |session: &mut Session, ms| {
        session.update(Duration::from_millis(ms));
        std::iter::from_fn(|| session.poll_datagram()).count()
    };
    assert!(sent(&mut session, 100) > 0);
    resume_anew(&mut session);
    hear(&mut session, &[restarted(2)]);
    assert_eq!(sent(&mut session, 200), 0, "it would acknowledge ticks of the old room");
    hear(&mut session, &[rejoined(84, vec![member(1)])]);
    assert!(sent(&mut session, 300) > 0);
}

#[test]
fn a_server_may_restart_a_session_only_as_the_answer_to_a_resume() {
    let mut session = resumable();
    let mut bytes = Vec::new();
    write_frame(&restarted(1), &mut bytes);
    let refused = session.handle_control(Duration::ZERO, &bytes);
    assert!(matches!(refused, Err(SessionError::Unexpected { .. })), "{refused:?}");
}

/// The run and the count of frames that a request to resume names.
fn counted(session: &mut Session) -> (ServerRun, Received) {
    match resume_anew(session) {
        ClientFrame::Resume { run, received, .. } => (run, received),
        other => panic!("{other:?}"),
    }
}

#[test]
fn frames_are_counted_of_the_run_that_was_read_last() {
    let mut session = resumable();
    let frames = |control, chat| Received { control, chat };
    assert_eq!(counted(&mut session), (ServerRun(1), frames(1, 0)));
    // The answer is lost with its connection, and chat that overtook it with it.
    let chat = bytes_of(&[ServerChat::Notice { id: 1, time_ms: 0, text: "hi".to_owned() }]);
    session.handle_chat(&chat).unwrap();
    assert_eq!(counted(&mut session), (ServerRun(1), frames(1, 0)));
    session.handle_chat(&chat).unwrap();
    hear(&mut session, &[restarted(2)]);
    hear(&mut session, &[rejoined(84, vec![member(1)])]);
    let is_chat = |event: &SessionEvent| matches!(event, SessionEvent::Chat(_));
    assert_eq!(std::iter::from_fn(|| session.poll_event()).filter(is_chat).count(), 1);
    assert_eq!(counted(&mut session), (ServerRun(2), frames(1, 1)));
    hear(&mut session, &[ServerFrame::Resumed { next: RequestId(1) }]);
    assert_eq!(counted(&mut session), (ServerRun(2), frames(1, 1)));
}

#[test]
fn no_snapshot_is_taken_before_the_answer_that_says_whose_it_is() {
    let mut session = resumable();
    let join = session.join(RoomChoice::Quick, "ann");
    hear(&mut session, &[joined(join, 90)]);
    resume_anew(&mut session);
    session.handle_datagram(Duration::ZERO, &[0]);
    assert_eq!(session.stats(Duration::ZERO).datagrams_unused, 1);
    hear(&mut session, &[ServerFrame::Resumed { next: RequestId(2) }]);
    session.handle_datagram(Duration::ZERO, &[0]);
    assert_eq!(session.stats(Duration::ZERO).snapshots_malformed, 1);
}
