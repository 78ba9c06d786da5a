//! Values of keys that are removed, by a request or by themselves.

use tickwire_shared::PlayerId;
use tickwire_shared::control::{RefuseCode, TopicLifetime, TopicMessageKind};

use super::lifetimes::ValueId;
use super::pattern::name_mistake;
use super::{NewTopicMessage, TopicRefusal, Topics};

impl Topics {
    /// Removes the value of a key, if it has one.
    ///
    /// # Errors
    /// What is wrong with the topic's name.
    pub(crate) fn handle_remove(
        &mut self,
        now_ms: u64,
        player: PlayerId,
        (topic, key): (&str, &str),
    ) -> Result<(), TopicRefusal> {
        self.handle_time(now_ms);
        if let Some(mistake) = name_mistake(topic) {
            return Err(TopicRefusal::new(RefuseCode::TopicInvalid, mistake));
        }
        if let Some(topic) = self.names.get(topic).copied() {
            let value = ValueId { topic, key: key.into() };
            self.lifetimes.release(&value);
            self.remove(now_ms, player, &value);
        }
        Ok(())
    }

    /// Removes the values whose time is over.
    pub(crate) fn handle_time(&mut self, now_ms: u64) {
        while let Some(value) = self.lifetimes.poll_over(now_ms) {
            self.remove(now_ms, PlayerId(0), &value);
        }
    }

    /// When the next value ends by time.
    pub(crate) fn next_end_ms(&self) -> Option<u64> {
        self.lifetimes.next_end_ms()
    }

    /// The connection of a session is lost, and may come back.
    pub(crate) fn handle_away(&mut self, now_ms: u64, player: PlayerId) {
        for value in self.lifetimes.away(player) {
            self.publish_again(now_ms, &value, TopicMessageKind::Away);
        }
    }

    /// A session whose connection was lost has another one.
    pub(crate) fn handle_back(&mut self, now_ms: u64, player: PlayerId) {
        for value in self.lifetimes.back(player) {
            self.publish_again(now_ms, &value, TopicMessageKind::Value);
        }
    }

    pub(super) fn remove(&mut self, now_ms: u64, player: PlayerId, value: &ValueId) {
        let log = self.topics.get(&value.topic).map(|topic| &topic.log);
        if log.is_some_and(|log| log.has_value(&value.key)) {
            let removal = (player, &*value.key, Vec::new());
            self.append(now_ms, value.topic, removal, (TopicMessageKind::Removed, true));
        }
    }

    /// Publishes the value that a key has once more.
    pub(super) fn publish_again(&mut self, now_ms: u64, value: &ValueId, kind: TopicMessageKind) {
        let log = self.topics.get(&value.topic).map(|topic| &topic.log);
        if let Some(newest) = log.and_then(|log| log.newest(&value.key)) {
            let message = (newest.from, &*value.key, newest.payload);
            self.append(now_ms, value.topic, message, (kind, false));
        }
    }

    /// Whether the session may hold another value, if it wants to.
    pub(super) fn check_lifetime(&self, new: &NewTopicMessage) -> Result<(), TopicRefusal> {
        let NewTopicMessage { from, topic, key, payload, lifetime } = new;
        if *lifetime != TopicLifetime::Session {
            return Ok(());
        }
        let (held_max, held_bytes_max) = (self.limits.held_max, self.limits.held_bytes_max);
        if payload.len() > held_bytes_max {
            let text = format!("a value that a session holds has at most {held_bytes_max} bytes");
            return Err(TopicRefusal::new(RefuseCode::TopicTooLong, text));
        }
        let topic = self.names.get(topic).copied();
        let value = topic.map(|topic| ValueId { topic, key: (&**key).into() });
        if self.lifetimes.is_full(*from, value.as_ref(), held_max) {
            let text = format!("a session holds at most {held_max} values; remove one");
            return Err(TopicRefusal::new(RefuseCode::TopicsFull, text));
        }
        Ok(())
    }
}
