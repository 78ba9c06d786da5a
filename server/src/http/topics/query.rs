//! What a request to topics asks for: its path, its query and its `Last-Event-ID`.

use tickwire_shared::control::{TopicDelivery, TopicStart};

use super::refusal::RequestRefusal;
use crate::config::PayloadForm;
use crate::topics::{MergedCursor, NewReader};

/// Messages of an answer, if the request does not say, and at most.
const MESSAGES: usize = 100;
const MESSAGES_MAX: u64 = 1000;

/// The messages of a topic that a request asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct HistoryRequest {
    pub(super) delivery: TopicDelivery,
    pub(super) before: u64,
    pub(super) since_ms: Option<u64>,
    pub(super) last: usize,
    pub(super) payload: PayloadForm,
}

/// The stream that a request asks for.
#[derive(Debug)]
pub(super) struct StreamRequest {
    pub(super) reader: NewReader,
    pub(super) payload: PayloadForm,
}

/// The name of a topic in a path.
pub(super) fn name_of(path: &str) -> Result<String, RequestRefusal> {
    decode(path, false).ok_or_else(|| RequestRefusal::encoding("the path"))
}

/// The key of a message.
pub(super) fn key_of(query: Option<&str>) -> Result<String, RequestRefusal> {
    let mut key = String::new();
    for (name, value) in pairs(query)? {
        match &*name {
            "key" => key = value,
            _ => return Err(unknown("key")),
        }
    }
    Ok(key)
}

pub(super) fn history_of(query: Option<&str>) -> Result<HistoryRequest, RequestRefusal> {
    let mut asked = HistoryRequest {
        delivery: TopicDelivery::Ordered,
        before: u64::MAX,
        since_ms: None,
        last: MESSAGES,
        payload: PayloadForm::Text,
    };
    for (name, value) in pairs(query)? {
        match &*name {
            "last" => asked.last = number(&name, &value, MESSAGES_MAX)? as usize,
            "since_ms" => asked.since_ms = Some(number(&name, &value, u64::MAX)?),
            "before" => asked.before = number(&name, &value, u64::MAX)?,
            "delivery" => asked.delivery = delivery(&value)?,
            "payload" => asked.payload = payload(&value)?,
            _ => return Err(unknown("last, since_ms, before, delivery or payload")),
        }
    }
    Ok(asked)
}

/// `last_id` is the header `Last-Event-ID`, which counts more than the query.
pub(super) fn stream_of(
    query: Option<&str>,
    last_id: Option<&[u8]>,
) -> Result<StreamRequest, RequestRefusal> {
    let (mut pattern, mut start, mut id) = (None, TopicStart::New, String::new());
    let (mut delivered, mut form) = (TopicDelivery::Ordered, PayloadForm::Text);
    let most = u64::from(u32::MAX);
    for (name, value) in pairs(query)? {
        match &*name {
            "pattern" => pattern = Some(value),
            "last" => start = TopicStart::Last(number(&name, &value, most)? as u32),
            "since_ms" => start = TopicStart::Since(number(&name, &value, most)? as u32),
            "delivery" => delivered = delivery(&value)?,
            "payload" => form = payload(&value)?,
            "lastEventId" => id = value,
            _ => {
                return Err(unknown("pattern, last, since_ms, delivery, payload or lastEventId"));
            }
        }
    }
    if let Some(header) = last_id {
        id = String::from_utf8_lossy(header).into_owned();
    }
    let pattern = pattern.ok_or_else(|| {
        RequestRefusal::invalid("name a pattern of topics: /topics?pattern=chat/**")
    })?;
    let after = match id.as_str() {
        "" => None,
        id => Some(id.parse::<MergedCursor>().map_err(|_| {
            RequestRefusal::invalid(
                "the last event's id is none of this server; leave it out to begin anew",
            )
        })?),
    };
    let reader = NewReader { pattern, delivery: delivered, start, after };
    Ok(StreamRequest { reader, payload: form })
}

fn number(name: &str, value: &str, most: u64) -> Result<u64, RequestRefusal> {
    let is_number = !value.is_empty() && value.bytes().all(|digit| digit.is_ascii_digit());
    let number = value.parse().ok().filter(|number| is_number && *number <= most);
    number.ok_or_else(|| RequestRefusal::invalid(format!("{name} is a number of up to {most}")))
}

fn delivery(value: &str) -> Result<TopicDelivery, RequestRefusal> {
    match value {
        "ordered" => Ok(TopicDelivery::Ordered),
        "latest" => Ok(TopicDelivery::Latest),
        _ => Err(RequestRefusal::invalid("delivery is ordered or latest")),
    }
}

fn payload(value: &str) -> Result<PayloadForm, RequestRefusal> {
    match value {
        "text" => Ok(PayloadForm::Text),
        "json" => Ok(PayloadForm::Json),
        "base64" => Ok(PayloadForm::Base64),
        _ => Err(RequestRefusal::invalid("payload is text, json or base64")),
    }
}

fn unknown(known: &str) -> RequestRefusal {
    RequestRefusal::invalid(format!("the query has a name that is not known; give {known}"))
}

/// The names and values of a query.
fn pairs(query: Option<&str>) -> Result<Vec<(String, String)>, RequestRefusal> {
    let parts = query.unwrap_or_default().split('&').filter(|part| !part.is_empty());
    let pair = |part: &str| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        Some((decode(name, true)?, decode(value, true)?))
    };
    parts.map(pair).collect::<Option<_>>().ok_or_else(|| RequestRefusal::encoding("the query"))
}

/// The text of a path, or of a part of a query, where a plus is a space. `None` if it is not UTF-8, or `%` does not stand before
/// two hexadecimal digits.
fn decode(text: &str, is_query: bool) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digit = |byte: u8| char::from(byte).to_digit(16);
                let (high, low) = (digit(rest.next()?)?, digit(rest.next()?)?);
                (high * 16 + low) as u8
            }
            b'+' if is_query => b' ',
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_decoded_or_refused() {
        for (text, path, query) in [
            ("a/b", Some("a/b"), Some("a/b")),
            ("a%2Fb%40c", Some("a/b@c"), Some("a/b@c")),
            ("a+b%2B", Some("a+b+"), Some("a b+")),
            ("%c3%a4", Some("ä"), Some("ä")),
            ("%", None, None),
            ("%4", None, None),
            ("%zz", None, None),
            ("%+1", None, None),
            ("%ff", None, None),
        ] {
            assert_eq!(decode(text, false).as_deref(), path, "{text}");
            assert_eq!(decode(text, true).as_deref(), query, "{text}");
        }
    }

    #[test]
    fn a_request_is_read_and_its_mistakes_are_named() {
        let asked = history_of(Some("last=5&since_ms=60000&before=7&delivery=latest&payload=json"));
        let expected = HistoryRequest {
            delivery: TopicDelivery::Latest,
            before: 7,
            since_ms: Some(60_000),
            last: 5,
            payload: PayloadForm::Json,
        };
        assert_eq!(asked.unwrap(), expected);
        assert_eq!(history_of(None).unwrap().last, MESSAGES);
        assert_eq!(key_of(Some("key=a%26b&")).unwrap(), "a&b");
        let text = |refusal: RequestRefusal| refusal.text;
        for (query, part) in [
            ("last=1001", "last is a number of up to 1000"),
            ("last=-1", "last is a number"),
            ("last=+1", "last is a number"),
            ("last=", "last is a number"),
            ("before=18446744073709551616", "before is a number"),
            ("delivery=all", "ordered or latest"),
            ("payload=xml", "text, json or base64"),
            ("limit=1", "give last, since_ms"),
            ("last=%1", "the query"),
        ] {
            let found = text(history_of(Some(query)).unwrap_err());
            assert!(found.contains(part), "{query}: {found}");
        }
        assert!(text(key_of(Some("token=x")).unwrap_err()).contains("give key"));
    }

    #[test]
    fn the_id_of_the_last_event_is_of_the_header_or_the_query() {
        let after = |query: &str, header: Option<&str>| {
            let asked = stream_of(Some(query), header.map(str::as_bytes))?;
            Ok(asked.reader.after.map(|cursor| cursor.to_string()))
        };
        let (one, two) = ("00000000000000ff-1", "00000000000000ff-18446744073709551615");
        let query = format!("pattern=**&lastEventId={one}");
        for (query, header, expected) in [
            ("pattern=**", None, None),
            ("pattern=**", Some(""), None),
            ("pattern=**", Some(two), Some(two)),
            (&query, None, Some(one)),
            (&query, Some(two), Some(two)),
        ] {
            let found: Result<_, RequestRefusal> = after(query, header);
            assert_eq!(found.unwrap().as_deref(), expected, "{query} {header:?}");
        }
        for wrong in ["1", "ff-1", "00000000000000ff-", "00000000000000ff-+1", "x", "\u{1f600}"] {
            let refusal = after("pattern=**", Some(wrong)).unwrap_err();
            assert!(refusal.text.contains("leave it out"), "{wrong}: {}", refusal.text);
        }
        assert!(after("last=1", None).unwrap_err().text.contains("name a pattern"));
    }
}
