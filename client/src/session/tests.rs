//! The hello of a session.

use std::time::Duration;

use tickwire_shared::PlayerId;
use tickwire_shared::compatibility::SCHEMA_BYTES_MAX;
use tickwire_shared::control::{ClientFrame, FrameReader, ResumeSecret, ServerFrame, write_frame};
use tickwire_shared::schema::{KindSchema, Schema};

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

#[test]
fn a_session_that_is_given_up_opens_no_more_connections() {
    let mut session = Session::resumable("client", None);
    let mut welcome = Vec::new();
    let frame = ServerFrame::Welcome {
        server: "server".to_owned(),
        player: PlayerId(1),
        schema: schema(4),
        resume: Some(ResumeSecret([7; 16])),
        resume_grace_ms: 1000,
    };
    write_frame(&frame, &mut welcome);
    session.handle_control(Duration::ZERO, &welcome).unwrap();
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
