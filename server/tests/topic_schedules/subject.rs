//! A client of topics: the real session core, its connection, and what it has asked for.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use tickwire_client::session::{Session, SessionEvent, SubscribeOptions, TopicEvent};
use tickwire_server::simulated::{SimulatedConnection, SimulatedServer};
use tickwire_shared::NoGame;
use tickwire_shared::control::{
    CloseCode, FrameReader, RequestId, ServerFrame, ServerTopics, TopicDelivery, TopicStart,
};

use crate::published::{GivenMessage, PublishedMessages};
use crate::subscription::ExpectedSubscription;

const CONTROL: usize = 0;
const CHAT: usize = 1;
const TOPICS: usize = 2;

/// A client, over all its sessions.
pub(super) struct TopicClient {
    session: Session,
    link: Option<TopicLink>,
    /// Connections that it has lost and the server has not.
    old: Vec<SimulatedConnection>,
    /// Messages whose number in the log it was not told of, by request.
    unanswered: BTreeMap<RequestId, usize>,
    pub(super) subscriptions: Vec<ExpectedSubscription>,
    /// The server's run with which its session began.
    run: u64,
    /// The last message of each topic that was on the wire, by the topic's number in the session.
    on_wire: BTreeMap<u32, u64>,
    is_over: bool,
}

/// A connection, and what waits for its way to the server.
struct TopicLink {
    wire: SimulatedConnection,
    streams: [Option<usize>; 3],
    up: [Vec<u8>; 3],
    /// The server's frames on the topics stream, beside the session that reads them.
    frames: FrameReader,
}

impl TopicLink {
    fn open(server: &mut SimulatedServer<NoGame>) -> Self {
        let peer = SocketAddr::from(([192, 0, 2, 1], 4000));
        let wire = server.connect(peer, 1200).expect("a place among the handshakes");
        let streams = [Some(wire.open()), Some(wire.open()), None];
        TopicLink { wire, streams, up: Default::default(), frames: FrameReader::default() }
    }

    /// Hands bytes of a stream to the server, which the first of them open.
    fn carry_up(&mut self, stream: usize, bytes_max: usize) -> bool {
        let waiting = &mut self.up[stream];
        if waiting.is_empty() {
            return false;
        }
        let at = *self.streams[stream].get_or_insert_with(|| self.wire.open());
        let count = waiting.len().min(bytes_max).min(self.wire.space(at));
        self.wire.write(at, &waiting[..count]);
        waiting.drain(..count);
        count > 0
    }
}

impl TopicClient {
    pub(super) fn connect(server: &mut SimulatedServer<NoGame>, run: u64) -> Self {
        TopicClient {
            session: Session::resumable("a test", None),
            link: Some(TopicLink::open(server)),
            old: Vec::new(),
            unanswered: BTreeMap::new(),
            subscriptions: Vec::new(),
            run,
            on_wire: BTreeMap::new(),
            is_over: false,
        }
    }

    pub(super) fn publish(&mut self, message: GivenMessage, published: &mut PublishedMessages) {
        let (topic, key, number) = (message.topic, message.key, published.count());
        let payload = published.give(message);
        let request = self.session.publish(topic, key, &payload);
        self.unanswered.insert(request, number);
    }

    pub(super) fn subscribe(
        &mut self,
        pattern: &'static str,
        (delivery, start): (TopicDelivery, TopicStart),
        published: &PublishedMessages,
    ) {
        let options = SubscribeOptions { delivery, start, cursors: Vec::new() };
        let ids = self.session.subscribe(pattern, options);
        let own = ExpectedSubscription::new(ids, pattern, (delivery, start), published);
        self.subscriptions.push(own);
    }

    pub(super) fn unsubscribe(&mut self, which: usize) {
        if which < self.subscriptions.len() {
            let own = self.subscriptions.remove(which);
            self.session.unsubscribe(own.id);
        }
    }

    /// What the session wants to send goes as far as the connection.
    fn flush(&mut self, now: Duration) {
        self.session.update(now);
        let Some(link) = &mut self.link else { return };
        link.up[CONTROL].extend(self.session.take_control());
        link.up[CHAT].extend(self.session.take_chat());
        link.up[TOPICS].extend(self.session.take_topics());
    }

    /// Bytes of each stream reach the server. Returns true if there were any.
    pub(super) fn carry_up(&mut self, now: Duration, bytes_max: usize) -> bool {
        self.flush(now);
        let Some(link) = &mut self.link else { return false };
        [CONTROL, CHAT, TOPICS].map(|stream| link.carry_up(stream, bytes_max)).contains(&true)
    }

    /// Bytes of the server reach the client, which takes what they bring. Returns true if there were any.
    pub(super) fn carry_down(
        &mut self,
        now: Duration,
        (bytes_max, control_bytes_max): (usize, usize),
        (published, history): (&mut PublishedMessages, u64),
    ) -> bool {
        let Some(link) = &mut self.link else { return false };
        let take = |stream: usize, most: usize| {
            link.streams[stream].map(|at| link.wire.take(at, most)).unwrap_or_default()
        };
        let control = take(CONTROL, control_bytes_max);
        let topics = take(TOPICS, bytes_max);
        // Answers come first, so that a subscription is known to have begun no later than its messages.
        self.session.handle_control(now, &control).expect("a right control stream");
        self.watch(&topics);
        self.session.handle_topics(&topics).expect("a right topics stream");
        self.hear(published, history);
        let is_moved = !control.is_empty() || !topics.is_empty();
        if !is_moved && let Some((code, text)) = self.link.as_ref().and_then(|it| it.wire.closed())
        {
            self.link = None;
            assert!(!matches!(code, CloseCode::MalformedFrame | CloseCode::TooSlow), "{text}");
            match code {
                CloseCode::ConnectionLost => {
                    self.session.handle_lost(now, &text);
                }
                code => self.session.handle_closed(code, &text),
            }
            self.hear(published, history);
        }
        is_moved
    }

    /// Nothing is on the wire twice, or out of order.
    fn watch(&mut self, topics: &[u8]) {
        let Some(link) = &mut self.link else { return };
        link.frames.push(topics);
        while let Some(frame) = link.frames.poll::<ServerTopics>().expect("whole frames") {
            let (topic, ranges) = match frame {
                ServerTopics::Following { topic, after, .. } => {
                    self.on_wire.insert(topic, after);
                    continue;
                }
                ServerTopics::Messages { topic, messages } => {
                    (topic, messages.iter().map(|it| (it.sequence, it.sequence)).collect())
                }
                ServerTopics::Missed { topic, from, to } => (topic, vec![(from, to)]),
            };
            for (from, to) in ranges {
                let last = self.on_wire.insert(topic, to);
                let is_later = last.is_some_and(|last| last < from);
                assert!(is_later, "{from} of topic {topic} after {last:?} on the wire");
            }
        }
    }

    /// Takes what the session tells.
    fn hear(&mut self, published: &mut PublishedMessages, history: u64) {
        while let Some(event) = self.session.poll_event() {
            match event {
                SessionEvent::Control(ServerFrame::Published { request, sequence }) => {
                    let number = self.unanswered.remove(&request);
                    published.find(number.expect("one answer to a message"), sequence);
                }
                SessionEvent::Control(ServerFrame::Done { request }) => {
                    let mut all = self.subscriptions.iter_mut();
                    if let Some(own) = all.find(|own| own.request == request) {
                        assert_eq!(own.begun.replace(published.count()), None, "answered twice");
                    }
                }
                SessionEvent::Control(frame @ ServerFrame::Refused { .. })
                | SessionEvent::Control(frame @ ServerFrame::TopicsEnded { .. }) => {
                    panic!("{frame:?}")
                }
                SessionEvent::Topic(event) => {
                    if let TopicEvent::Message { topic, message, .. } = &event {
                        published.check(topic, message);
                    }
                    let mut all = self.subscriptions.iter_mut();
                    let own = all.find(|own| own.id == event.subscription());
                    own.expect("a subscription that has not ended").take(&event, history);
                }
                SessionEvent::Over { .. } => self.is_over = true,
                _ => {}
            }
        }
    }

    /// The connection is lost, and all that is on its way.
    pub(super) fn lose(&mut self, now: Duration, is_server_told: bool) {
        self.forget_old();
        let Some(link) = self.link.take() else { return };
        match is_server_told {
            true => link.wire.end(CloseCode::ConnectionLost),
            false => self.old.push(link.wire),
        }
        if !self.session.handle_lost(now, "cut") {
            self.is_over = true;
        }
    }

    /// The server notices what it has lost.
    pub(super) fn forget_old(&mut self) {
        self.old.drain(..).for_each(|wire| wire.end(CloseCode::ConnectionLost));
    }

    /// Opens a connection if it has none, to go on or to begin anew.
    pub(super) fn come_back(
        &mut self,
        now: Duration,
        (server, run): (&mut SimulatedServer<NoGame>, u64),
        kept: (bool, &PublishedMessages),
    ) {
        if self.is_over {
            return self.begin_anew((server, run), kept);
        }
        if self.link.is_some() {
            return;
        }
        self.session.reconnect_now(now);
        if self.session.poll_reconnect(now) {
            self.link = Some(TopicLink::open(server));
            self.session.resume();
        }
    }

    /// Ends the session, and begins another one that goes on where this one was.
    pub(super) fn begin_anew(
        &mut self,
        (server, run): (&mut SimulatedServer<NoGame>, u64),
        kept: (bool, &PublishedMessages),
    ) {
        if let Some(link) = self.link.take() {
            link.wire.end(CloseCode::Normal);
        }
        let fresh = TopicClient::connect(server, run);
        let before = std::mem::replace(self, fresh);
        self.old = before.old;
        for mut own in before.subscriptions {
            let cursors = before.session.topic_cursors(own.id);
            let options = SubscribeOptions {
                delivery: own.delivery,
                start: TopicStart::New,
                cursors: cursors.clone(),
            };
            let ids = self.session.subscribe(own.pattern, options);
            own.goes_on(ids, &cursors, before.run != run, kept);
            self.subscriptions.push(own);
        }
    }

    /// Everything has come.
    pub(super) fn check_whole(&self, published: &PublishedMessages, history: u64) {
        assert!(!self.is_over && !self.session.is_reconnecting(), "{:?}", self.session);
        assert!(self.unanswered.is_empty(), "messages without an answer: {:?}", self.unanswered);
        self.subscriptions.iter().for_each(|own| own.check_whole(published, history));
    }

    /// Whether it needs a connection, or another session.
    pub(super) fn is_away(&self) -> bool {
        self.is_over || self.link.is_none()
    }
}
