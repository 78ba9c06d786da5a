//! Messages of topics as JSON.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::IgnoredAny;
use tickwire_shared::control::{TopicMessage, TopicMessageKind};

use super::TopicPage;
use crate::config::PayloadForm;

/// The answer to a request for the history of a topic.
pub(crate) fn write_page(topic: &str, page: &TopicPage, form: PayloadForm) -> String {
    let mut out = String::from("{\"topic\":");
    push_text(topic, &mut out);
    let _ = match page.epoch {
        Some(epoch) => write!(out, ",\"log\":\"{epoch:016x}\""),
        None => write!(out, ",\"log\":null"),
    };
    let _ = write!(out, ",\"last\":{},\"has_older\":{}", page.last, page.has_older);
    out.push_str(",\"messages\":[");
    for (at, coded) in page.messages.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        write_message(None, coded, form, &mut out);
    }
    out.push_str("]}\n");
    out
}

/// Values within values of a message that is shown as JSON.
const JSON_DEPTH_MAX: usize = 127;

/// Appends a coded message as JSON in one line, with its topic's name if it is given.
pub(crate) fn write_message(
    topic: Option<&str>,
    coded: &[u8],
    form: PayloadForm,
    out: &mut String,
) {
    let Ok(message) = postcard::from_bytes::<TopicMessage>(coded) else {
        // Only this server codes them.
        return out.push_str("null");
    };
    out.push('{');
    write_fields(topic, &message, form, out);
    out.push('}');
}

/// Appends the fields of a message as JSON in one line, with its topic's name if it is given.
pub(crate) fn write_fields(
    topic: Option<&str>,
    message: &TopicMessage,
    form: PayloadForm,
    out: &mut String,
) {
    if let Some(topic) = topic {
        out.push_str("\"topic\":");
        push_text(topic, out);
        out.push(',');
    }
    let TopicMessage { sequence, time_ms, from, key, kind, payload } = message;
    let _ =
        write!(out, "\"sequence\":{sequence},\"time_ms\":{time_ms},\"from\":{},\"key\":", from.0);
    push_text(key, out);
    match kind {
        TopicMessageKind::Value => push_payload(payload, form, out),
        TopicMessageKind::Away => {
            out.push_str(",\"kind\":\"away\"");
            push_payload(payload, form, out);
        }
        TopicMessageKind::Removed => out.push_str(",\"kind\":\"removed\""),
    }
}

fn push_payload(payload: &[u8], form: PayloadForm, out: &mut String) {
    match (form, std::str::from_utf8(payload)) {
        (PayloadForm::Text, Ok(text)) => {
            out.push_str(",\"text\":");
            push_text(text, out);
        }
        (PayloadForm::Json, Ok(text)) if is_json(text) => {
            out.push_str(",\"json\":");
            // Between values of JSON a new line is as good as a space, and within strings there is none.
            let one_line = text.chars().map(|it| if matches!(it, '\n' | '\r') { ' ' } else { it });
            out.extend(one_line);
        }
        _ => {
            out.push_str(",\"base64\":\"");
            STANDARD.encode_string(payload, out);
            out.push('"');
        }
    }
}

/// True for JSON that programs can read: most take no deeper values.
fn is_json(text: &str) -> bool {
    let (mut depth, mut is_text, mut is_escaped) = (0_usize, false, false);
    for byte in text.bytes() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = is_text,
            b'"' => is_text = !is_text,
            b'[' | b'{' if !is_text => depth += 1,
            b']' | b'}' if !is_text => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > JSON_DEPTH_MAX {
            return false;
        }
    }
    serde_json::from_str::<IgnoredAny>(text).is_ok()
}

/// Appends a text as a string of JSON.
pub(crate) fn push_text(text: &str, out: &mut String) {
    out.push_str(&serde_json::to_string(text).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use tickwire_shared::PlayerId;

    use super::*;

    fn shown(payload: &[u8], form: PayloadForm) -> String {
        let message = TopicMessage {
            sequence: 7,
            time_ms: 1_700_000_000_000,
            from: PlayerId(3),
            key: "a\"b".to_owned(),
            kind: TopicMessageKind::Value,
            payload: payload.to_vec(),
        };
        let mut out = String::new();
        let coded = postcard::to_allocvec(&message).unwrap();
        write_message(Some("chat/de"), &coded, form, &mut out);
        out
    }

    #[test]
    fn a_message_has_its_bytes_in_one_of_three_fields() {
        let (text, json, base64) = (PayloadForm::Text, PayloadForm::Json, PayloadForm::Base64);
        for (payload, form, field, value) in [
            (&b"hi\n\x07"[..], text, "text", json!("hi\n\u{7}")),
            (b"{\"x\": 1}", text, "text", json!("{\"x\": 1}")),
            (b"\xff\x00", text, "base64", json!("/wA=")),
            (b" {\"x\":\r\n [1.50, \"\xc3\xa4\"]}\n", json, "json", json!({ "x": [1.5, "ä"] })),
            (b"hi", json, "base64", json!("aGk=")),
            (b"\"\xff\"", json, "base64", json!("Iv8i")),
            (b"{\"x\":1} 2", json, "base64", json!("eyJ4IjoxfSAy")),
            (b"", json, "base64", json!("")),
            (b"", text, "text", json!("")),
            (b"hi", base64, "base64", json!("aGk=")),
        ] {
            let line = shown(payload, form);
            assert!(!line.contains(['\n', '\r']), "{line}");
            let message: Value = serde_json::from_str(&line).unwrap();
            assert_eq!(message[field], value, "{line}");
            let fields = ["text", "json", "base64"].iter().filter(|it| !message[**it].is_null());
            assert_eq!(fields.count(), 1, "{line}");
            assert_eq!((&message["topic"], &message["key"]), (&json!("chat/de"), &json!("a\"b")));
            assert_eq!((&message["sequence"], &message["from"]), (&json!(7), &json!(3)));
        }
    }

    #[test]
    fn json_that_is_too_deep_is_not_shown_as_a_value() {
        let deep = "[".repeat(5000) + &"]".repeat(5000);
        assert!(shown(deep.as_bytes(), PayloadForm::Json).contains("\"base64\""));
    }
}
