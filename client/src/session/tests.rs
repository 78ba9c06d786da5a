//! The hello of a session.

use tickwire_shared::compatibility::SCHEMA_BYTES_MAX;
use tickwire_shared::control::{ClientFrame, FrameReader};
use tickwire_shared::schema::{KindSchema, Schema};

use super::Session;

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
