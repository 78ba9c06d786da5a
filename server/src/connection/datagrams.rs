//! The datagrams of one client: the hot path of the network.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use tickwire_shared::Simulation;
use tickwire_shared::control::{CloseCode, TopicLifetime};
use tickwire_shared::lossy::{DATAGRAM_PUBLISH, LossyMessage};

use super::{ClientLink, ServerState, SessionEnd, now};
use crate::room::ToRoom;
use crate::token_bucket::TokenBucket;
use crate::topics::{LossyArrival, NewTopicMessage};
use crate::transport::DatagramSink;

/// Receives one client's datagrams: counts, limits and decodes them, puts inputs into the room's mailbox, and publishes
/// messages of topics.
pub(super) struct InputReceiver<S: Simulation> {
    host: Arc<ServerState<S>>,
    link: Arc<ClientLink<S::Input>>,
    bucket: TokenBucket,
    /// That of publish datagrams of this connection, ahead of the rate of the session: a flood does not reach what all share.
    publishes: TokenBucket,
}

impl<S: Simulation> InputReceiver<S> {
    pub(super) fn new(host: &Arc<ServerState<S>>, link: &Arc<ClientLink<S::Input>>) -> Self {
        let rate_hz = S::TICK_HZ * host.config.inputs_per_tick_max;
        let bucket = TokenBucket::new(rate_hz, rate_hz, now());
        let topics = &host.config.topics;
        let publishes = TokenBucket::new(topics.publish_burst, topics.publish_hz, now());
        InputReceiver { host: Arc::clone(host), link: Arc::clone(link), bucket, publishes }
    }

    /// Publishes a message that may be lost, unless a newer one came before.
    fn publish(&mut self, datagram: &[u8], at: Instant) {
        let (host, link) = (&self.host, &self.link);
        let message = match LossyMessage::decode(datagram) {
            Ok(message) => message,
            Err(error) => {
                return link.end(SessionEnd::new(CloseCode::MalformedDatagram, error.to_string()));
            }
        };
        let counters = &host.counters;
        counters.topics_lossy_received.increment();
        let mut numbers = link.lossy();
        match numbers.take(message.sequence) {
            LossyArrival::Late => return counters.topics_lossy_late.increment(),
            LossyArrival::Newer { lost } => counters.topics_lossy_lost.add(u64::from(lost)),
        }
        let LossyMessage { topic, key, payload, .. } = message;
        let message = NewTopicMessage {
            from: link.player,
            topic: topic.to_owned(),
            key: key.to_owned(),
            payload: payload.to_vec(),
            lifetime: TopicLifetime::Kept,
        };
        let is_within_rate = self.publishes.take(at) && host.topics.may_publish(link.player, at);
        let rights = link.identity().topics.as_ref();
        if !is_within_rate || host.publish(rights, message, None).is_err() {
            counters.topics_lossy_refused.increment();
        }
        if link.is_ending() {
            host.topics.forget(link.player);
        }
    }
}

impl<S: Simulation> DatagramSink for InputReceiver<S> {
    fn take(&mut self, datagram: Bytes, at: Instant) {
        if self.link.is_ending() {
            return;
        }
        let counters = &self.host.counters;
        counters.datagrams_in.increment();
        counters.datagram_bytes_in.add(datagram.len() as u64);
        if !self.link.is_greeted() {
            return self.link.end(CloseCode::TooEarly);
        }
        if datagram.first() == Some(&DATAGRAM_PUBLISH) {
            return self.publish(&datagram, at);
        }
        if !self.bucket.take(at) {
            counters.inputs_too_fast.increment();
            return;
        }
        let membership = self.link.membership();
        let Some(membership) = &*membership else {
            counters.inputs_without_room.increment();
            return;
        };
        match self.host.inputs.decode::<S::Input>(&datagram) {
            Ok(datagram) => {
                let input = ToRoom::Input { player: self.link.player, at, datagram };
                if !membership.room().try_input(input) {
                    counters.inputs_room_behind.increment();
                }
            }
            Err(error) => {
                self.link.end(SessionEnd::new(CloseCode::MalformedDatagram, error.to_string()));
            }
        }
    }
}
