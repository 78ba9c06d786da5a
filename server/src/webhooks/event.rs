//! What is posted: an id and a body.

use std::fmt::Write as _;

use bytes::Bytes;
use ring::digest::{SHA256, digest};
use tickwire_shared::control::TopicMessage;

use crate::config::PayloadForm;
use crate::topics::{MergedCursor, push_text, write_fields};

/// Bytes of a digest that an id has.
const DIGEST_BYTES: usize = 8;

/// Something to post.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct WebhookEvent {
    /// The same in each attempt, also in those after a restart, and that of nothing else.
    pub(super) id: String,
    /// JSON.
    pub(super) body: Bytes,
}

impl WebhookEvent {
    /// A message at a place.
    pub(super) fn of_message(
        (topic, message): (&str, &TopicMessage),
        place: MergedCursor,
        form: PayloadForm,
    ) -> Self {
        let id = place.message_id(message.time_ms);
        let mut body = format!("{{\"type\":\"message\",\"id\":\"{id}\",");
        write_fields(Some(topic), message, form, &mut body);
        body.push('}');
        WebhookEvent { id, body: body.into() }
    }

    /// Messages after a place that are no longer kept. Their topic and the numbers of the first and the last are `None` where they
    /// are not known.
    pub(super) fn of_missed(
        topic: Option<&str>,
        (from, to): (Option<u64>, Option<u64>),
        place: Option<MergedCursor>,
    ) -> Self {
        let mut fields = String::from("\"topic\":");
        match topic {
            Some(topic) => push_text(topic, &mut fields),
            None => fields.push_str("null"),
        }
        for (name, number) in [("from", from), ("to", to)] {
            let _ = match number {
                Some(number) => write!(fields, ",\"{name}\":{number}"),
                None => write!(fields, ",\"{name}\":null"),
            };
        }
        let place = place.map_or_else(|| "0".to_owned(), |place| place.to_string());
        let digest = digest(&SHA256, fields.as_bytes());
        let mut id = format!("{place}-missed-");
        for byte in &digest.as_ref()[..DIGEST_BYTES] {
            let _ = write!(id, "{byte:02x}");
        }
        let body = format!("{{\"type\":\"missed\",\"id\":\"{id}\",{fields}}}");
        WebhookEvent { id, body: body.into() }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use tickwire_shared::PlayerId;
    use tickwire_shared::control::TopicMessageKind;

    use super::*;

    fn place(text: &str) -> MergedCursor {
        text.parse().unwrap()
    }

    #[test]
    fn a_message_has_its_id_in_every_run_and_another_one_has_another() {
        let message = |time_ms| TopicMessage {
            sequence: 7,
            time_ms,
            from: PlayerId(3),
            key: "k".to_owned(),
            kind: TopicMessageKind::Value,
            payload: b"{\"x\":1}".to_vec(),
        };
        let event = |time_ms, text| {
            let message = message(time_ms);
            WebhookEvent::of_message(("chat/de", &message), place(text), PayloadForm::Json)
        };
        let first = event(5, "5d0c1f9a7b000001-152");
        assert_eq!(first.id, "5d0c1f9a7b-152-5");
        assert_eq!(event(5, "5d0c1f9a7b000002-152"), first);
        for (time_ms, text) in
            [(6, "5d0c1f9a7b000001-152"), (5, "5d0c1f9a7b000001-15"), (5, "5d0c1f9a7c000001-152")]
        {
            assert_ne!(event(time_ms, text).id, first.id);
        }
        let body: Value = serde_json::from_slice(&first.body).unwrap();
        let expected = json!({
            "type": "message", "id": "5d0c1f9a7b-152-5", "topic": "chat/de", "sequence": 7, "time_ms": 5, "from": 3,
            "key": "k", "json": {"x": 1},
        });
        assert_eq!(body, expected);
    }

    #[test]
    fn messages_that_are_gone_are_told_with_what_is_known_of_them() {
        let after = Some(place("5d0c1f9a7b000001-152"));
        let known = WebhookEvent::of_missed(Some("a"), (Some(3), Some(9)), after);
        let unknown = WebhookEvent::of_missed(None, (None, None), after);
        assert_eq!(unknown, WebhookEvent::of_missed(None, (None, None), after));
        assert_ne!(known.id, unknown.id);
        assert!(known.id.len() < 70 && !known.id.contains('.'), "{}", known.id);
        let body: Value = serde_json::from_slice(&known.body).unwrap();
        let expected = json!({"type": "missed", "id": known.id, "topic": "a", "from": 3, "to": 9});
        assert_eq!(body, expected);
        let body: Value = serde_json::from_slice(&unknown.body).unwrap();
        assert_eq!(
            (&body["topic"], &body["from"], &body["to"]),
            (&Value::Null, &Value::Null, &Value::Null)
        );
    }
}
