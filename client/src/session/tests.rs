//! The hello of a session.

use std::time::Duration;

use tickwire_shared::compatibility::SCHEMA_BYTES_MAX;
use tickwire_shared::control::{
    ClientFrame, ClientStatic, ContentHash, FrameReader, RequestId, ResumeSecret, RoomInfo,
    ServerFrame, write_frame,
};
use tickwire_shared::schema::{KindSchema, Schema};
use tickwire_shared::{PlayerId, Tick};

use super::{Session, SessionEvent};

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
    let mut session = Session::resumable("client", None);
    let welcome = ServerFrame::Welcome {
        server: "server".to_owned(),
        player: PlayerId(1),
        schema: schema(4),
        resume: Some(ResumeSecret([7; 16])),
        resume_grace_ms: 1000,
    };
    hear(&mut session, &[welcome]);
    session
}

fn hear(session: &mut Session, frames: &[ServerFrame]) {
    let mut bytes = Vec::new();
    frames.iter().for_each(|frame| write_frame(frame, &mut bytes));
    session.handle_control(Duration::ZERO, &bytes).unwrap();
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
