//! The frames of the topics stream: named channels beside rooms.
//!
//! Requests to publish and to subscribe come on the topics stream, and so do the messages. The answers are control frames:
//! a backlog of messages delays no answer, and a session that is resumed gets each answer once.

use serde::{Deserialize, Serialize};

use super::{FRAME_BYTES_MAX, FRAME_LENGTH_BYTES, RequestId};
use crate::{PROTOCOL_VERSION, PlayerId};

/// Most bytes of a topic's name, and of a pattern of names.
pub const TOPIC_NAME_BYTES_MAX: usize = 128;
/// Most levels of a topic's name: the parts between its slashes.
pub const TOPIC_LEVELS_MAX: usize = 8;
/// Most bytes of a message's key.
pub const TOPIC_KEY_BYTES_MAX: usize = 64;
/// Most bytes of a message beside its payload, within a frame.
pub const TOPIC_MESSAGE_HEAD_BYTES_MAX: usize = 128;

/// A client's number for a subscription; another one for each that it has.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct SubscriptionId(pub u32);

/// What a client says on the topics stream. All but [`ClientTopics::Begin`] is answered on the control stream, exactly once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClientTopics {
    /// The first frame of the stream on each connection: messages come from now on.
    Begin {
        /// The topics that the session follows as far as the client was told of them, each with the last message that it has.
        /// Empty on the first connection of a session.
        positions: Vec<TopicPosition>,
    },
    /// Publishes a message. Answered by [`ServerFrame::Published`](super::ServerFrame::Published) or
    /// [`ServerFrame::Refused`](super::ServerFrame::Refused).
    Publish {
        /// Its number, counted with those of the other streams.
        request: RequestId,
        /// The topic's name; it is made by its first message.
        topic: String,
        /// What the message is the newest value of, within the topic; empty for the topic as a whole.
        key: String,
        /// Any bytes.
        payload: Vec<u8>,
        /// How long the key has this value.
        lifetime: TopicLifetime,
    },
    /// Follows all topics, also later ones, whose names match a pattern. Answered by
    /// [`ServerFrame::Done`](super::ServerFrame::Done) or [`ServerFrame::Refused`](super::ServerFrame::Refused).
    Subscribe {
        /// Its number, counted with those of the other streams.
        request: RequestId,
        /// The client's number for the subscription.
        subscription: SubscriptionId,
        /// A name, in which `*` stands for any one level, and `**` at the end for one level or more.
        pattern: String,
        /// Which messages come.
        delivery: TopicDelivery,
        /// Where they begin, in topics that there are and that `cursors` does not name.
        start: TopicStart,
        /// Where they begin in these topics.
        cursors: Vec<TopicCursor>,
    },
    /// Ends a subscription. Answered by [`ServerFrame::Done`](super::ServerFrame::Done), also where there is none of this
    /// number.
    Unsubscribe {
        /// Its number, counted with those of the other streams.
        request: RequestId,
        /// Which.
        subscription: SubscriptionId,
    },
    /// Removes the value of a key, whoever published it. Answered by [`ServerFrame::Done`](super::ServerFrame::Done), also where
    /// there is none, or [`ServerFrame::Refused`](super::ServerFrame::Refused).
    Remove {
        /// Its number, counted with those of the other streams.
        request: RequestId,
        /// The topic's name.
        topic: String,
        /// Which value; empty for that of the topic as a whole.
        key: String,
    },
}

impl ClientTopics {
    /// Its number; [`ClientTopics::Begin`] has none.
    pub fn request(&self) -> Option<RequestId> {
        match self {
            ClientTopics::Begin { .. } => None,
            ClientTopics::Publish { request, .. }
            | ClientTopics::Subscribe { request, .. }
            | ClientTopics::Unsubscribe { request, .. }
            | ClientTopics::Remove { request, .. } => Some(*request),
        }
    }
}

/// How long a key has the value that a message gives it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum TopicLifetime {
    /// Until the next message of the key.
    #[default]
    Kept,
    /// As long as the session lasts: while a lost connection may come back, subscribers are told that it is
    /// [away](TopicMessageKind::Away); then the value is removed. A value that several sessions hold is there until the last of them ends.
    Session,
    /// For this many milliseconds.
    Milliseconds(u32),
}

/// What a message says of its key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum TopicMessageKind {
    /// Its newest value.
    #[default]
    Value,
    /// The value that it has, once more: the sessions that hold it have lost their connections. When one is back the value comes
    /// again.
    Away,
    /// It has no value any more. The payload is empty.
    Removed,
}

/// Which messages of a topic a subscription gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum TopicDelivery {
    /// Every message, in order.
    #[default]
    Ordered,
    /// The newest message of each key, in the order of their last change. A slow client skips the older ones.
    /// A removal may come of a key that had no value here.
    Latest,
}

/// Where a subscription begins in a topic that has messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum TopicStart {
    /// With the next message.
    #[default]
    New,
    /// With the last ones, this many at most; by [`TopicDelivery::Latest`] with the newest messages of that many keys.
    Last(u32),
    /// With those of the last milliseconds.
    Since(u32),
}

/// The last message of a topic that a session has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TopicPosition {
    /// The topic's number in the session, of [`ServerTopics::Following`].
    pub topic: u32,
    /// The sequence number of the message.
    pub sequence: u64,
}

/// The last message of a topic that a client has, for another session.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TopicCursor {
    /// The topic's name.
    pub topic: String,
    /// The log of which `sequence` is.
    pub epoch: u64,
    /// The sequence number of the message.
    pub sequence: u64,
}

/// What the server says on the topics stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ServerTopics {
    /// The session follows a topic; its messages follow.
    Following {
        /// By which subscription.
        subscription: SubscriptionId,
        /// The topic's number in this session and subscription, which no other has.
        topic: u32,
        /// The topic's name.
        name: String,
        /// The topic's log. A topic that is made anew, as by a server that was started again, has another one.
        epoch: u64,
        /// The messages after this number come.
        after: u64,
        /// It goes on after a cursor of the client, with nothing between but what is [`Missed`](ServerTopics::Missed). False
        /// where the client gave none, or one of another log: what was between is not known.
        is_continued: bool,
    },
    /// Messages of one topic, in the order of their numbers. They have no gaps by [`TopicDelivery::Ordered`].
    Messages {
        /// The topic's number.
        topic: u32,
        /// One at least.
        messages: Vec<TopicMessage>,
    },
    /// Messages that the server no longer keeps: the client was too slow, or away for too long. By [`TopicDelivery::Latest`] they
    /// are removals: the client forgets the values of all keys, and those that there are come again.
    Missed {
        /// The topic's number.
        topic: u32,
        /// The first of them.
        from: u64,
        /// The last of them.
        to: u64,
    },
}

/// A message as the server numbered it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicMessage {
    /// Counts the messages of the topic's log from 1.
    pub sequence: u64,
    /// Milliseconds since 1970 by the server's clock.
    pub time_ms: u64,
    /// The session that published it; 0 for the server's own program.
    pub from: PlayerId,
    /// What it is the newest value of; empty for the topic as a whole.
    pub key: String,
    /// What it says of the key.
    pub kind: TopicMessageKind,
    /// Any bytes.
    pub payload: Vec<u8>,
}

/// Appends the frame of a [`ServerTopics::Messages`] to `out`, from messages that are coded already, each by postcard.
///
/// # Panics
/// If the frame is longer than [`FRAME_BYTES_MAX`].
pub fn write_topic_messages<'a>(
    topic: u32,
    messages: impl ExactSizeIterator<Item = &'a [u8]>,
    out: &mut Vec<u8>,
) {
    /// The number of [`ServerTopics::Messages`] among the variants.
    const MESSAGES: u8 = 1;
    let start = out.len();
    out.extend_from_slice(&[0; FRAME_LENGTH_BYTES]);
    out.extend_from_slice(&[PROTOCOL_VERSION, MESSAGES]);
    push_varint(u64::from(topic), out);
    push_varint(messages.len() as u64, out);
    messages.for_each(|message| out.extend_from_slice(message));
    let length = out.len() - start - FRAME_LENGTH_BYTES;
    assert!(length <= FRAME_BYTES_MAX, "a frame of {length} bytes");
    out[start..start + FRAME_LENGTH_BYTES].copy_from_slice(&(length as u32).to_le_bytes());
}

/// Appends a number as postcard does: seven bits a byte, the lowest first.
fn push_varint(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::write_frame;

    #[test]
    fn coded_messages_make_the_frame_that_they_make_as_values() {
        for (topic, count) in [(0, 1), (127, 3), (128, 127), (u32::MAX, 300)] {
            let message = |number: u64| TopicMessage {
                sequence: number << (number % 50),
                time_ms: 1_700_000_000_000 + number,
                from: PlayerId(number as u32),
                key: "k".repeat(number as usize % 5),
                kind: TopicMessageKind::Value,
                payload: vec![number as u8; number as usize % 200],
            };
            let messages: Vec<TopicMessage> = (0..count).map(message).collect();
            let coded: Vec<Vec<u8>> =
                messages.iter().map(|it| postcard::to_allocvec(it).unwrap()).collect();
            let (mut from_coded, mut from_values) = (vec![7], vec![7]);
            write_topic_messages(topic, coded.iter().map(Vec::as_slice), &mut from_coded);
            write_frame(&ServerTopics::Messages { topic, messages }, &mut from_values);
            assert_eq!(from_coded, from_values);
        }
    }

    #[test]
    fn a_message_has_at_most_this_many_bytes_beside_its_payload() {
        let message = TopicMessage {
            sequence: u64::MAX,
            time_ms: u64::MAX,
            from: PlayerId(u32::MAX),
            key: "k".repeat(TOPIC_KEY_BYTES_MAX),
            kind: TopicMessageKind::Removed,
            payload: vec![0; 61_440],
        };
        let mut frame = Vec::new();
        write_frame(
            &ServerTopics::Messages { topic: u32::MAX, messages: vec![message] },
            &mut frame,
        );
        assert!(frame.len() <= 61_440 + TOPIC_MESSAGE_HEAD_BYTES_MAX);
    }
}
