//! What accounts ask for, and what the program publishes: JSON.

use serde::{Deserialize, Serialize};

/// Bytes of a request's id.
pub(crate) const REQUEST_ID_BYTES_MAX: usize = 40;

/// A message to `say/ACCOUNT`.
#[derive(Debug, Deserialize)]
pub(crate) struct ChatRequest {
    /// Chosen by the page. A request with the id of an earlier one of the account is that one again.
    pub(crate) request: String,
    #[serde(flatten)]
    pub(crate) wish: Wish,
}

/// What an account asks for. `place` is the topic of a channel or of direct messages.
#[derive(Debug, Deserialize)]
#[serde(tag = "do", rename_all = "lowercase")]
pub(crate) enum Wish {
    /// A message for a place.
    Post { place: String, text: String },
    /// A message is taken away, by its author or a moderator.
    Remove { place: String, id: u64 },
    /// A person may not post for so many minutes; 0 ends that. For moderators.
    Mute { account: String, minutes: u32 },
    /// The account has read a place up to this message.
    Read { place: String, id: u64 },
    /// A new channel. For moderators.
    Create { channel: String },
}

/// A message in the topic of a channel or of direct messages.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(crate) enum PlaceMessage {
    /// Somebody says something. Ids count the posts of a place from 1.
    Post { id: u64, by: String, name: String, text: String, mentions: Vec<String>, request: String },
    /// The post of this id is not shown any more.
    Removed { id: u64, by: String, request: String, last: u64 },
    /// The channel is there.
    Created { by: String, request: String },
}

/// A message in `account/ACCOUNT`, which that account alone reads.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(crate) enum AccountMessage {
    /// A request was done, or `refused`.
    Result { request: String, refused: Option<Refused> },
    /// A post names the account.
    Mention { place: String, id: u64, by: String, name: String, text: String },
    /// The account may not post until this time, in milliseconds since 1970; 0 when it may again.
    Muted { until_ms: u64, by: String },
}

/// Why a request is not done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Refused {
    /// For programs.
    pub(crate) code: RefusedCode,
    /// For a person.
    pub(crate) text: String,
}

/// The kinds of refusals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum RefusedCode {
    Malformed,
    TooFast,
    TooLong,
    Empty,
    Muted,
    NoPlace,
    NoMessage,
    NoAccount,
    NotModerator,
    NotYours,
    Full,
}

/// A value of the topic `accounts`, which nobody but the program reads.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct AccountRecord {
    /// The name as it was first written.
    pub(crate) name: String,
    /// SHA-256 of the account's key.
    pub(crate) key_hash: [u8; 32],
}

/// A value of the topic `people`, for all to read.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Person {
    pub(crate) name: String,
    pub(crate) moderator: bool,
}

/// Something to put into a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Publication {
    pub(crate) topic: String,
    pub(crate) key: String,
    pub(crate) payload: Vec<u8>,
}

impl Publication {
    /// A value as JSON.
    pub(crate) fn json(topic: impl Into<String>, key: &str, value: &impl Serialize) -> Self {
        let payload = serde_json::to_vec(value).expect("no map with keys that are no text");
        Publication { topic: topic.into(), key: key.to_owned(), payload }
    }
}

impl Refused {
    pub(crate) fn new(code: RefusedCode, text: impl Into<String>) -> Self {
        Refused { code, text: text.into() }
    }
}
