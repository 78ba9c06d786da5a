//! Topics: messages reach subscribers over every transport, exactly once whatever connections are lost, at each one's own
//! pace.

use tickwire_client::{ClientEvent, SubscribeOptions, TopicEvent, Trust};
use tickwire_server::ServerConfig;
use tickwire_server::config::List;
use tickwire_shared::PlayerId;
use tickwire_shared::control::{
    ClientTopics, CloseCode, Received, RefuseCode, RequestId, STREAM_TOPICS, ServerFrame,
    ServerTopics, SubscriptionId, TopicCursor, TopicDelivery, TopicLifetime, TopicMessageKind,
    TopicPosition, TopicStart,
};

use crate::client::{Client, Over, Stream};
use crate::game::Dots;
use crate::harness::{Running, soon};
use crate::resume::{resumable_greeted, resume};

/// The number of the first topic that a session follows.
const FIRST: u32 = 1;

fn open_to_all(config: &mut ServerConfig) {
    config.topics.enabled = true;
    config.topics.publish = List::of(&["**"]);
    config.topics.subscribe = List::of(&["**"]);
}

/// A client's topics stream.
struct Topics {
    stream: Stream,
    /// The last message that came, or was missed.
    last: u64,
    missed: u64,
}

impl Topics {
    async fn begin(client: &Client, positions: Vec<TopicPosition>) -> Topics {
        let mut stream = client.open(&[STREAM_TOPICS]).await;
        stream.write(&ClientTopics::Begin { positions }).await;
        Topics { stream, last: 0, missed: 0 }
    }

    async fn send_publish(&mut self, client: &mut Client, topic: &str, key: &str, payload: &[u8]) {
        let request = client.number();
        let (topic, key, payload) = (topic.to_owned(), key.to_owned(), payload.to_vec());
        let lifetime = TopicLifetime::Kept;
        self.stream.write(&ClientTopics::Publish { request, topic, key, payload, lifetime }).await;
    }

    /// Publishes a message and returns its number.
    async fn publish(&mut self, client: &mut Client, topic: &str, payload: &[u8]) -> u64 {
        self.send_publish(client, topic, "", payload).await;
        match client.hear().await {
            ServerFrame::Published { request, sequence } => {
                assert_eq!(request.0, client.requests);
                sequence
            }
            other => panic!("not published: {other:?}"),
        }
    }

    async fn send_subscribe(
        &mut self,
        client: &mut Client,
        pattern: &str,
        delivery: TopicDelivery,
    ) {
        let request = client.number();
        let subscription = SubscriptionId(request.0);
        let (pattern, start, cursors) = (pattern.to_owned(), TopicStart::New, Vec::new());
        let subscribe =
            ClientTopics::Subscribe { request, subscription, pattern, delivery, start, cursors };
        self.stream.write(&subscribe).await;
    }

    async fn subscribe(&mut self, client: &mut Client, pattern: &str, delivery: TopicDelivery) {
        self.send_subscribe(client, pattern, delivery).await;
        let answer = client.hear().await;
        assert!(matches!(answer, ServerFrame::Done { .. }), "{answer:?}");
    }

    /// Reads frames up to the message of this number. Returns the numbers of all.
    async fn read_to(&mut self, last: u64) -> Vec<u64> {
        let mut read = Vec::new();
        while self.last < last {
            match self.stream.read().await.expect("the topics stream ended") {
                ServerTopics::Following { .. } => {}
                ServerTopics::Messages { messages, .. } => {
                    read.extend(messages.iter().map(|message| message.sequence));
                    self.last = messages.last().unwrap().sequence;
                }
                ServerTopics::Missed { from, to, .. } => {
                    assert_eq!(from, self.last + 1);
                    self.missed += to + 1 - from;
                    self.last = to;
                }
            }
        }
        read
    }
}

#[tokio::test]
async fn messages_reach_subscribers_over_every_transport() {
    let server = Running::start_with(open_to_all).await;
    let mut ann = server.greeted(Over::Quic).await;
    let mut ann_topics = Topics::begin(&ann, Vec::new()).await;
    for over in Over::ALL {
        let mut bob = server.greeted(over).await;
        let mut topics = Topics::begin(&bob, Vec::new()).await;
        topics.subscribe(&mut bob, "chat/*", TopicDelivery::Ordered).await;
        let name = format!("chat/{over:?}");
        assert_eq!(ann_topics.publish(&mut ann, &name, b"hello").await, 1);
        // Topics that are there are told of first.
        let (topic, epoch) = loop {
            if let Some(ServerTopics::Following { topic, name: told, epoch, after, .. }) =
                topics.stream.read().await
                && told == name
            {
                assert_eq!(after, 0, "it was made later");
                break (topic, epoch);
            }
        };
        let Some(ServerTopics::Messages { topic: of, messages }) = topics.stream.read().await
        else {
            panic!("no messages");
        };
        let [message] = &messages[..] else { panic!("{messages:?}") };
        assert_eq!((of, message.sequence, message.from), (topic, 1, ann.player));
        assert_eq!((&*message.key, &message.payload[..]), ("", &b"hello"[..]));

        // Another session goes on after a cursor, and notices one of another log.
        for (epoch, continued) in [(epoch, true), (epoch ^ 1, false)] {
            let cursors = vec![TopicCursor { topic: name.clone(), epoch, sequence: 1 }];
            let request = bob.number();
            let (subscription, pattern) = (SubscriptionId(request.0), name.clone());
            let (delivery, start) = (TopicDelivery::Ordered, TopicStart::New);
            let subscribe = ClientTopics::Subscribe {
                request,
                subscription,
                pattern,
                delivery,
                start,
                cursors,
            };
            topics.stream.write(&subscribe).await;
            match topics.stream.read().await {
                Some(ServerTopics::Following { after, is_continued, .. }) => {
                    assert_eq!((after, is_continued), (u64::from(continued), continued));
                }
                other => panic!("{other:?}"),
            }
            if !continued {
                assert_eq!(topics.read_to(1).await, [1], "all that is kept");
            }
        }
    }
}

#[tokio::test]
async fn the_servers_own_program_publishes_without_rights_and_without_a_rate() {
    let server = Running::start_with(|config| {
        config.topics.enabled = true;
        config.topics.subscribe = List::of(&["**"]);
        config.topics.publish_burst = 1;
    })
    .await;
    let mut bob = server.greeted(Over::Quic).await;
    let mut topics = Topics::begin(&bob, Vec::new()).await;
    topics.subscribe(&mut bob, "prices/*", TopicDelivery::Ordered).await;
    let publisher = server.handle.topics();
    for sequence in 1..=200 {
        let price = publisher.publish("prices/nord", "ACME", format!("{sequence}"));
        assert_eq!(price, Ok(sequence));
    }
    assert_eq!(topics.read_to(200).await, (1..=200).collect::<Vec<_>>());
    publisher.publish("prices/nord", "ACME", b"last").unwrap();
    let Some(ServerTopics::Messages { messages, .. }) = topics.stream.read().await else {
        panic!("no messages");
    };
    let [message] = &messages[..] else { panic!("{messages:?}") };
    assert_eq!(
        (message.from, &*message.key, &message.payload[..]),
        (PlayerId(0), "ACME", &b"last"[..])
    );
    let code = |topic: &str, bytes: usize| {
        publisher.publish(topic, "", vec![0; bytes]).map_err(|error| error.code)
    };
    assert_eq!(code("prices/*", 1), Err(RefuseCode::TopicInvalid));
    assert_eq!(code("prices/nord", 100_000), Err(RefuseCode::TopicTooLong));
    let other = Running::start().await;
    let error = other.handle.topics().publish("prices/nord", "", "1").unwrap_err();
    assert_eq!(error.code, RefuseCode::TopicsOff);
    assert!(error.to_string().contains("topics.enabled"), "{error}");
}

#[tokio::test]
async fn each_message_comes_once_whatever_connections_are_lost() {
    let server = Running::start_with(open_to_all).await;
    let mut ann = server.greeted(Over::Quic).await;
    let mut ann_topics = Topics::begin(&ann, Vec::new()).await;
    for (at, over) in Over::ALL.into_iter().enumerate() {
        let topic = format!("log/{at}");
        let (mut bob, secret) = resumable_greeted(&server, Over::Quic).await;
        let mut topics = Topics::begin(&bob, Vec::new()).await;
        topics.subscribe(&mut bob, &topic, TopicDelivery::Ordered).await;
        let mut last = 0;
        for lost in 0..3 {
            for _ in 0..5 {
                last = ann_topics.publish(&mut ann, &topic, b"x").await;
            }
            let read = topics.read_to(last - 2).await;
            let has = *read.last().unwrap();
            // These are on their way, or not sent yet.
            last = ann_topics.publish(&mut ann, &topic, b"x").await;
            let received = Received { control: 2, chat: 0 };
            let mut back = resume(&server, over, (bob.player, secret), received).await;
            assert!(matches!(back.hear().await, ServerFrame::Resumed { .. }));
            back.player = bob.player;
            bob = back;
            // The first time it says that it was told of nothing.
            let positions = match lost {
                0 => Vec::new(),
                _ => vec![TopicPosition { topic: FIRST, sequence: has }],
            };
            let first = if lost == 0 { 1 } else { has + 1 };
            topics = Topics::begin(&bob, positions).await;
            let read = topics.read_to(last).await;
            assert_eq!(read, (first..=last).collect::<Vec<_>>(), "{over:?} {lost}");
        }
    }
}

#[tokio::test]
async fn a_message_that_is_sent_again_is_published_once() {
    let server = Running::start_with(open_to_all).await;
    let (mut ann, secret) = resumable_greeted(&server, Over::Quic).await;
    let mut topics = Topics::begin(&ann, Vec::new()).await;
    assert_eq!(topics.publish(&mut ann, "log", b"x").await, 1);
    // It has the welcome, and says that the answer was lost.
    let received = Received { control: 1, chat: 0 };
    let mut back = resume(&server, Over::Quic, (ann.player, secret), received).await;
    let resumed = back.hear().await;
    assert_eq!(resumed, ServerFrame::Resumed { next: RequestId(2) });
    let answer = back.hear().await;
    assert_eq!(answer, ServerFrame::Published { request: RequestId(1), sequence: 1 });
    let mut topics = Topics::begin(&back, Vec::new()).await;
    topics.send_publish(&mut back, "log", "", b"x").await;
    assert_eq!(topics.publish(&mut back, "log", b"y").await, 2, "the first again was ignored");
}

#[tokio::test]
async fn a_reader_that_does_not_read_holds_up_nobody_and_goes_on_later() {
    let server = Running::start_with(|config| {
        open_to_all(config);
        (config.topics.publish_hz, config.topics.publish_burst) = (100_000, 100_000);
        config.reliable_ms = 100;
    })
    .await;
    let mut ann = server.greeted(Over::Quic).await;
    let mut ann_topics = Topics::begin(&ann, Vec::new()).await;
    let mut readers = Vec::new();
    for over in [Over::Quic, Over::Quic, Over::WebSocket] {
        let mut reader = server.greeted(over).await;
        let mut topics = Topics::begin(&reader, Vec::new()).await;
        topics.subscribe(&mut reader, "log", TopicDelivery::Ordered).await;
        readers.push((reader, topics));
    }
    let payload = vec![7; 16_384];
    let last = 800;
    for number in 1..=last {
        assert_eq!(ann_topics.publish(&mut ann, "log", &payload).await, number);
        assert_eq!(readers[0].1.read_to(number).await, [number]);
    }
    for (_, topics) in &mut readers[1..] {
        let read = topics.read_to(last).await;
        assert!(topics.missed > 0, "the server keeps 1 MiB");
        assert_eq!(read.len() as u64 + topics.missed, last);
    }
    assert_eq!(ann_topics.publish(&mut ann, "log", b"end").await, last + 1);
    for (_, topics) in &mut readers {
        assert_eq!(topics.read_to(last + 1).await, [last + 1]);
    }
}

#[tokio::test]
async fn who_may_not_is_told_so() {
    let off = Running::start().await;
    let mut ann = off.greeted(Over::Quic).await;
    let mut topics = Topics::begin(&ann, Vec::new()).await;
    topics.send_publish(&mut ann, "log", "", b"x").await;
    assert_eq!(ann.refused().await, RefuseCode::TopicsOff);
    topics.send_subscribe(&mut ann, "log", TopicDelivery::Ordered).await;
    assert_eq!(ann.refused().await, RefuseCode::TopicsOff);

    let server = Running::start_with(|config| {
        config.topics.enabled = true;
        config.topics.publish = List::of(&["own"]);
        config.topics.subscribe = List::of(&["news/*"]);
        (config.topics.publish_hz, config.topics.publish_burst) = (1, 2);
    })
    .await;
    for over in Over::ALL {
        let mut ann = server.greeted(over).await;
        let mut topics = Topics::begin(&ann, Vec::new()).await;
        for pattern in ["**", "news/**", "own"] {
            topics.send_subscribe(&mut ann, pattern, TopicDelivery::Latest).await;
            assert_eq!(ann.refused().await, RefuseCode::TopicForbidden, "{pattern}");
        }
        topics.subscribe(&mut ann, "news/*", TopicDelivery::Latest).await;
        topics.send_publish(&mut ann, "news/1", "", b"x").await;
        assert_eq!(ann.refused().await, RefuseCode::TopicForbidden);
        topics.publish(&mut ann, "own", b"x").await;
        topics.send_publish(&mut ann, "own", "", b"x").await;
        assert_eq!(ann.refused().await, RefuseCode::TopicTooFast);
    }
}

#[tokio::test]
async fn a_stream_that_does_not_begin_as_it_should_ends_the_session() {
    let server = Running::start_with(open_to_all).await;
    let begin = || ClientTopics::Begin { positions: Vec::new() };
    let end = ClientTopics::Unsubscribe { request: RequestId(1), subscription: SubscriptionId(1) };
    for over in Over::ALL {
        for frames in [vec![end.clone()], vec![begin(), begin()]] {
            let mut client = server.greeted(over).await;
            let mut stream = client.open(&[STREAM_TOPICS]).await;
            for frame in &frames {
                stream.write(frame).await;
            }
            let (code, text) = client.goodbye().await;
            assert_eq!(code, CloseCode::MalformedFrame, "{over:?} {frames:?}");
            assert!(text.contains("topics stream"), "{text}");
        }
    }
}

#[tokio::test]
async fn the_client_publishes_and_follows() {
    let server = Running::start_with(open_to_all).await;
    let options = tickwire_client::ConnectOptions {
        trust: Trust::Hashes(server.hashes.clone()),
        ..Default::default()
    };
    for target in [
        format!("quic://{}", server.udp),
        format!("https://{}", server.udp),
        format!("ws://{}/ws", server.http),
    ] {
        let connect = tickwire_client::Client::<Dots>::connect(&target, options.clone());
        let mut client = connect.await.unwrap();
        let (all, _) = client.subscribe("prices/*", SubscribeOptions::default());
        let delivery = TopicDelivery::Latest;
        let (latest, _) =
            client.subscribe("prices/**", SubscribeOptions { delivery, ..Default::default() });
        let topic = format!("prices/{:?}", client.transport());
        for number in 0..3u8 {
            client.publish(&topic, "gold", &[number]);
        }
        let (mut payloads, mut newest, mut published) = (Vec::new(), None, 0);
        soon("all messages", async {
            while payloads.len() < 3 || newest != Some(2) || published < 3 {
                client.update();
                while let Some(event) = client.poll_event() {
                    match event {
                        ClientEvent::Topic(TopicEvent::Message {
                            subscription,
                            topic: of,
                            message,
                        }) if *of == *topic => {
                            assert_eq!(message.from, client.player());
                            assert_ne!(message.from, PlayerId(0));
                            match subscription {
                                id if id == all => payloads.push(message.payload[0]),
                                id if id == latest => newest = Some(message.payload[0]),
                                other => panic!("{other:?}"),
                            }
                        }
                        ClientEvent::Control(ServerFrame::Published { .. }) => published += 1,
                        ClientEvent::Over { text, .. } => panic!("{text}"),
                        _ => {}
                    }
                }
                tokio::time::sleep(std::time::Duration::from_millis(2)).await;
            }
        })
        .await;
        assert_eq!(payloads, [0, 1, 2]);
        let cursors = client.topic_cursors(all);
        assert!(cursors.iter().any(|it| it.topic == topic && it.sequence == 3), "{cursors:?}");
        client.close().await;
    }
}

/// What came of each change of a value since: its key, and what the message says of it.
async fn changes(stream: &mut Stream, count: usize) -> Vec<(String, TopicMessageKind)> {
    let mut changes = Vec::new();
    while changes.len() < count {
        if let Some(ServerTopics::Messages { messages, .. }) = stream.read().await {
            changes.extend(messages.into_iter().map(|message| (message.key, message.kind)));
        }
    }
    changes
}

#[tokio::test]
async fn who_is_here_is_told_whatever_becomes_of_connections() {
    use TopicMessageKind::{Away, Removed, Value};
    let server = Running::start_with(open_to_all).await;
    let mut bob = server.greeted(Over::Quic).await;
    let mut watching = Topics::begin(&bob, Vec::new()).await;
    watching.subscribe(&mut bob, "who", TopicDelivery::Latest).await;
    for over in Over::ALL {
        let (mut ann, secret) = resumable_greeted(&server, over).await;
        let mut topics = Topics::begin(&ann, Vec::new()).await;
        let name = format!("{over:?}");
        let mut hold = async |key: &str, lifetime| {
            let request = ann.number();
            let (topic, key, payload) = ("who".to_owned(), key.to_owned(), b"here".to_vec());
            topics
                .stream
                .write(&ClientTopics::Publish { request, topic, key, payload, lifetime })
                .await;
            let answer = ann.hear().await;
            assert!(matches!(answer, ServerFrame::Published { .. }), "{answer:?}");
        };
        hold(&name, TopicLifetime::Session).await;
        assert_eq!(changes(&mut watching.stream, 1).await, [(name.clone(), Value)]);
        hold("typing", TopicLifetime::Milliseconds(50)).await;
        let typing = |kind| ("typing".to_owned(), kind);
        assert_eq!(changes(&mut watching.stream, 2).await, [typing(Value), typing(Removed)]);
        ann.close(CloseCode::ConnectionLost).await;
        assert_eq!(changes(&mut watching.stream, 1).await, [(name.clone(), Away)]);
        let received = Received { control: 3, chat: 0 };
        let mut back = resume(&server, over, (ann.player, secret), received).await;
        assert!(matches!(back.hear().await, ServerFrame::Resumed { .. }));
        assert_eq!(changes(&mut watching.stream, 1).await, [(name.clone(), Value)]);
        back.close(CloseCode::Normal).await;
        assert_eq!(changes(&mut watching.stream, 1).await, [(name, Removed)]);
    }
}
