//! What a session says first.

use tickwire_shared::control::{ClientFrame, FrameReader};
use tickwire_shared::schema::{FieldSchema, FieldType, KindSchema, Schema, SendRule};

use super::Session;

fn schema(kinds: usize) -> Schema {
    let field = |number: usize| FieldSchema {
        name: format!("a_field_with_a_telling_name_{number}"),
        ty: FieldType::Bool,
        rule: SendRule::Always,
        owner_only: false,
        velocity: None,
        choice: None,
    };
    let kind = |number: usize| KindSchema {
        name: format!("Kind{number}"),
        fields: (0..64).map(field).collect(),
    };
    Schema {
        game: "big".into(),
        tick_hz: 60,
        input: KindSchema { name: "Input".into(), fields: vec![] },
        entities: (0..kinds).map(kind).collect(),
        events: vec![],
        model: vec![],
    }
}

fn hello(client: &str, schema: Schema) -> (String, Option<Schema>) {
    let mut reader = FrameReader::default();
    reader.push(&Session::new(client, Some(schema)).take_control()[1..]);
    match reader.poll().unwrap() {
        Some(ClientFrame::Hello { client, schema }) => (client, schema),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_hello_fits_a_frame_whatever_the_client_is() {
    let (client, told) = hello(&"🚀".repeat(5000), schema(10));
    assert!(client.starts_with('🚀') && client.chars().count() < 5000);
    assert_eq!(told, Some(schema(10)));
    // Compared by the client alone, once the server has told its own.
    assert_eq!(hello("client", schema(60)).1, None);
}
