//! Topics: what a page publishes, and what it follows.

use tickwire_shared::control::{
    ServerFrame, SubscriptionId, TopicCursor, TopicDelivery, TopicLifetime, TopicMessageKind,
    TopicStart,
};
use wasm_bindgen::prelude::*;

use super::Core;
use super::js::{Array, Uint8Array, get_field};
use super::objects::typed;
use crate::session::{SubscribeOptions, TopicEvent};

#[wasm_bindgen]
impl Core {
    /// Takes bytes of the topics stream; throws as `onControl`.
    #[wasm_bindgen(js_name = onTopics)]
    pub fn on_topics(&mut self, bytes: &[u8]) -> Result<(), JsValue> {
        self.session.handle_topics(bytes).map_err(|error| self.fail(&error))
    }

    /// Bytes for the topics stream, maybe none; the first ones open it.
    #[wasm_bindgen(js_name = takeTopics)]
    pub fn take_topics(&mut self) -> Vec<u8> {
        self.session.take_topics()
    }

    /// Publishes a message. `lifetime` is how long its key has this value: milliseconds, 0 for as long as the session lasts,
    /// undefined for until the next one. Returns the number that the answer names.
    pub fn publish(
        &mut self,
        topic: &str,
        key: &str,
        payload: &[u8],
        lifetime: Option<u32>,
    ) -> u32 {
        let lifetime = match lifetime {
            None => TopicLifetime::Kept,
            Some(0) => TopicLifetime::Session,
            Some(ms) => TopicLifetime::Milliseconds(ms),
        };
        self.session.publish_for(lifetime, (topic, key), payload).0
    }

    /// Publishes a message that may be lost, by the next `takeDatagram`. Returns why it does not fit one; undefined if it does.
    #[wasm_bindgen(js_name = publishLossy)]
    pub fn publish_lossy(&mut self, topic: &str, key: &str, payload: &[u8]) -> Option<String> {
        let published = self.session.publish_lossy(topic, key, payload);
        published.err().map(|error| error.to_string())
    }

    /// Removes the value of a key. Returns the number that the answer names.
    #[wasm_bindgen(js_name = removeValue)]
    pub fn remove_value(&mut self, topic: &str, key: &str) -> u32 {
        self.session.remove_value(topic, key).0
    }

    /// Follows the topics whose names match a pattern. Returns the subscription's number and the request's. `options` has
    /// `delivery` ("ordered" or "latest"), `last` or `sinceMs` for another start than the next message, and `cursors`.
    #[wasm_bindgen(js_name = subscribeTopics)]
    pub fn subscribe_topics(&mut self, pattern: &str, options: &JsValue) -> Array {
        let (subscription, request) = self.session.subscribe(pattern, options_of(options));
        [JsValue::from(subscription.0), request.0.into()].into_iter().collect()
    }

    /// Ends a subscription. Returns the number that the answer names.
    #[wasm_bindgen(js_name = unsubscribeTopics)]
    pub fn unsubscribe_topics(&mut self, subscription: u32) -> u32 {
        self.session.unsubscribe(SubscriptionId(subscription)).0
    }

    /// Whether the server has the subscription, or is asked for it.
    #[wasm_bindgen(js_name = isSubscribed)]
    pub fn is_subscribed(&self, subscription: u32) -> bool {
        self.session.is_subscribed(SubscriptionId(subscription))
    }
}

/// What the server says to a request; undefined for what is said of anything else.
pub(super) fn answer_object(frame: &ServerFrame) -> JsValue {
    match frame {
        ServerFrame::Published { request, sequence } => {
            let sequence = (*sequence as f64).into();
            typed("published", &[("request", request.0.into()), ("sequence", sequence)])
        }
        ServerFrame::TopicsEnded { subscription, code, text } => {
            let fields = [
                ("subscription", subscription.0.into()),
                ("code", format!("{code:?}").into()),
                ("text", text.into()),
            ];
            typed("topicsEnded", &fields)
        }
        _ => JsValue::UNDEFINED,
    }
}

pub(super) fn topic_object(event: &TopicEvent) -> JsValue {
    let of = |subscription: SubscriptionId, topic: &str| {
        [("subscription", JsValue::from(subscription.0)), ("topic", topic.into())]
    };
    match event {
        TopicEvent::Following { subscription, topic, epoch, after, is_continued } => {
            let [subscription, topic] = of(*subscription, topic);
            let epoch = ("epoch", epoch.to_string().into());
            let after = ("after", (*after as f64).into());
            let is_continued = ("isContinued", (*is_continued).into());
            typed("topicFollowed", &[subscription, topic, epoch, after, is_continued])
        }
        TopicEvent::Message { subscription, topic, message } => {
            let [subscription, topic] = of(*subscription, topic);
            let fields = [
                subscription,
                topic,
                ("sequence", (message.sequence as f64).into()),
                ("timeMs", (message.time_ms as f64).into()),
                ("from", message.from.0.into()),
                ("key", (&message.key).into()),
                ("kind", kind_name(message.kind).into()),
                ("payload", Uint8Array::from(message.payload.as_slice()).into()),
            ];
            typed("topicMessage", &fields)
        }
        TopicEvent::Missed { subscription, topic, from, to } => {
            let [subscription, topic] = of(*subscription, topic);
            let (first, last) = ((*from as f64).into(), (*to as f64).into());
            typed("topicMissed", &[subscription, topic, ("first", first), ("last", last)])
        }
    }
}

fn kind_name(kind: TopicMessageKind) -> &'static str {
    match kind {
        TopicMessageKind::Value => "value",
        TopicMessageKind::Away => "away",
        TopicMessageKind::Removed => "removed",
    }
}

/// Options from a plain object; what is missing or of another type has its default.
fn options_of(options: &JsValue) -> SubscribeOptions {
    let number = |name: &str| field(options, name).as_f64().map(|number| number as u32);
    let delivery = match field(options, "delivery").as_string().as_deref() {
        Some("latest") => TopicDelivery::Latest,
        _ => TopicDelivery::Ordered,
    };
    let start = match (number("last"), number("sinceMs")) {
        (Some(last), _) => TopicStart::Last(last),
        (None, Some(since_ms)) => TopicStart::Since(since_ms),
        (None, None) => TopicStart::New,
    };
    let cursors = field(options, "cursors");
    let length = field(&cursors, "length").as_f64().unwrap_or(0.0) as u32;
    let cursors = (0..length).filter_map(|at| cursor_of(&field(&cursors, &at.to_string())));
    SubscribeOptions { delivery, start, cursors: cursors.collect() }
}

/// None if it is not a cursor that a page was given.
fn cursor_of(cursor: &JsValue) -> Option<TopicCursor> {
    let topic = field(cursor, "topic").as_string()?;
    let epoch = field(cursor, "epoch").as_string()?.parse().ok()?;
    let sequence = field(cursor, "sequence").as_f64()? as u64;
    Some(TopicCursor { topic, epoch, sequence })
}

fn field(object: &JsValue, name: &str) -> JsValue {
    get_field(object, name).unwrap_or_default()
}
