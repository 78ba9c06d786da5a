//! What was published, and where it is in the logs of the server's run, as far as anybody was told.

use std::collections::{BTreeMap, HashMap};

use tickwire_shared::control::TopicMessage;

/// A message as its publisher gave it. Its number is its place among all that were given, and the first bytes of its payload.
#[derive(Clone, Debug)]
pub(super) struct GivenMessage {
    pub(super) topic: &'static str,
    pub(super) key: &'static str,
    pub(super) bytes: usize,
}

/// All messages, and the logs of the server's present run.
#[derive(Debug, Default)]
pub(super) struct PublishedMessages {
    given: Vec<GivenMessage>,
    /// By topic and sequence number, the number of the message.
    logs: BTreeMap<&'static str, BTreeMap<u64, usize>>,
    found: HashMap<usize, (&'static str, u64)>,
}

impl PublishedMessages {
    /// Messages given so far: the number of the next one.
    pub(super) fn count(&self) -> usize {
        self.given.len()
    }

    /// A new message's payload.
    pub(super) fn give(&mut self, message: GivenMessage) -> Vec<u8> {
        let number = self.given.len();
        let payload = payload_of(number, message.bytes);
        self.given.push(message);
        payload
    }

    /// A message is in its topic's log: everyone must find it there, and nowhere else.
    pub(super) fn find(&mut self, number: usize, sequence: u64) {
        let topic = self.given[number].topic;
        let before = self.found.insert(number, (topic, sequence));
        assert!(
            before.is_none_or(|before| before == (topic, sequence)),
            "message {number} is {sequence} of {topic}, and {before:?}"
        );
        let before = self.logs.entry(topic).or_default().insert(sequence, number);
        assert!(
            before.is_none_or(|before| before == number),
            "{sequence} of {topic} is message {number}, and {before:?}"
        );
    }

    /// Checks a message that came, and notes it.
    pub(super) fn check(&mut self, topic: &str, message: &TopicMessage) {
        let number = message.payload.first_chunk().map(|head| u32::from_le_bytes(*head) as usize);
        let number = number.expect("a message has its number");
        let given = &self.given[number];
        assert_eq!((given.topic, given.key), (topic, &*message.key));
        assert_eq!(message.payload, payload_of(number, given.bytes));
        self.find(number, message.sequence);
    }

    /// The log of a topic: messages by their sequence numbers.
    pub(super) fn log(&self, topic: &str) -> Option<&BTreeMap<u64, usize>> {
        self.logs.get(topic)
    }

    pub(super) fn topics(&self) -> impl Iterator<Item = &'static str> {
        self.logs.keys().copied()
    }

    /// The last number of a topic's log; 0 for none.
    pub(super) fn last(&self, topic: &str) -> u64 {
        self.log(topic).and_then(|log| log.last_key_value()).map_or(0, |(sequence, _)| *sequence)
    }

    pub(super) fn key(&self, number: usize) -> &'static str {
        self.given[number].key
    }

    /// The newest message of each key of a topic: its sequence number and its own.
    pub(super) fn newest(&self, topic: &str) -> BTreeMap<&'static str, (u64, usize)> {
        let log = self.log(topic).into_iter().flatten();
        log.map(|(sequence, number)| (self.key(*number), (*sequence, *number))).collect()
    }

    /// The server was started again: its logs are empty.
    pub(super) fn forget_logs(&mut self) {
        self.logs.clear();
        self.found.clear();
    }
}

fn payload_of(number: usize, bytes: usize) -> Vec<u8> {
    let mut payload = vec![number as u8; bytes.max(4)];
    payload[..4].copy_from_slice(&(number as u32).to_le_bytes());
    payload
}
