//! Messages that may be lost reach topics by datagram, over every transport and its successor, and no older one follows a
//! newer one.

use std::time::Duration;

use tickwire_client::{ClientEvent, ConnectOptions, SubscribeOptions, TopicEvent, Trust};
use tickwire_server::ServerConfig;
use tickwire_server::config::List;
use tickwire_shared::control::{CloseCode, Received, ServerFrame, TopicDelivery, TopicStart};
use tickwire_shared::lossy::{DATAGRAM_PUBLISH, LossyError, LossyMessage};

use crate::client::{Client, Over};
use crate::game::{Dots, Keys};
use crate::harness::{Running, soon};
use crate::resume::{resumable_greeted, resume};

type Follower = tickwire_client::Client<Dots>;

fn open(config: &mut ServerConfig) {
    config.topics.enabled = true;
    config.topics.publish = List::of(&["lossy/*"]);
    config.topics.subscribe = List::of(&["**"]);
}

fn publish(client: &Client, sequence: u32, topic: &str) {
    let payload = sequence.to_string();
    let message = LossyMessage { sequence, topic, key: "k", payload: payload.as_bytes() };
    client.send_datagram(&message.encode().unwrap());
}

async fn connect(server: &Running, target: &str) -> Follower {
    let trust = Trust::Hashes(server.hashes.clone());
    let options = ConnectOptions { trust, ..Default::default() };
    tickwire_client::Client::<Dots>::connect(target, options).await.unwrap()
}

/// Follows a topic from its first message.
async fn follow(server: &Running, topic: &str) -> Follower {
    let mut follower = connect(server, &format!("quic://{}", server.udp)).await;
    let (delivery, start) = (TopicDelivery::Ordered, TopicStart::Last(1000));
    let options = SubscribeOptions { delivery, start, ..Default::default() };
    follower.subscribe(topic, options);
    follower
}

/// The payloads that come within a tenth of a second.
async fn read(follower: &mut Follower) -> Vec<String> {
    follower.wait(Duration::from_millis(100)).await;
    follower.update();
    let messages = std::iter::from_fn(|| follower.poll_event()).filter_map(|event| match event {
        ClientEvent::Topic(TopicEvent::Message { message, .. }) => Some(message),
        _ => None,
    });
    let payloads = messages.map(|message| {
        assert_eq!(message.key, "k");
        String::from_utf8(message.payload).unwrap()
    });
    payloads.collect()
}

/// The payloads up to this one.
async fn read_to(follower: &mut Follower, last: &str) -> Vec<String> {
    let mut payloads = Vec::new();
    soon(last, async {
        while payloads.last().is_none_or(|payload| payload != last) {
            payloads.extend(read(follower).await);
        }
    })
    .await;
    payloads
}

async fn counts(server: &Running) -> [u64; 4] {
    let stats = server.stats().await;
    ["received", "late", "lost", "refused"]
        .map(|name| stats[format!("topics_lossy_{name}")].as_u64().unwrap())
}

#[tokio::test]
async fn newer_messages_are_published_and_late_and_doubled_ones_are_not() {
    for over in Over::ALL {
        let server = Running::start_with(open).await;
        let mut follower = follow(&server, "lossy/a").await;
        let (mut ann, secret) = resumable_greeted(&server, over).await;
        for sequence in [1, 2, 2, 5, 4, 6] {
            publish(&ann, sequence, "lossy/a");
        }
        assert_eq!(read_to(&mut follower, "6").await, ["1", "2", "5", "6"], "{over:?}");
        assert_eq!(counts(&server).await, [6, 2, 2, 0]);

        // In a room, beside its inputs.
        ann.join("room", "ann").await;
        ann.play(Keys::default()).await;
        publish(&ann, 7, "lossy/a");
        publish(&ann, 8, "other");
        publish(&ann, 9, "lossy/a");
        assert_eq!(read_to(&mut follower, "9").await, ["7", "9"]);
        assert_eq!(counts(&server).await, [9, 2, 2, 1], "a topic that it may not publish to");

        // Over another connection, of another transport too.
        let mut numbers = vec![9];
        for (at, next) in (1..).zip(Over::ALL) {
            let received = Received { control: 1, chat: 0 };
            let mut back = resume(&server, next, (ann.player, secret), received).await;
            assert!(matches!(back.hear().await, ServerFrame::Resumed { .. }));
            back.player = ann.player;
            ann = back;
            // What comes before the server has turned to the new connection is lost.
            let (mut sequence, mut came) = (at * 1000, Vec::new());
            soon("a message over the new connection", async {
                while came.is_empty() {
                    sequence += 1;
                    publish(&ann, sequence, "lossy/a");
                    came = read(&mut follower).await;
                }
            })
            .await;
            publish(&ann, 9, "lossy/a");
            publish(&ann, sequence + 1, "lossy/a");
            came.extend(read_to(&mut follower, &(sequence + 1).to_string()).await);
            numbers.extend(came.iter().map(|payload| payload.parse::<u32>().unwrap()));
        }
        assert!(numbers.is_sorted_by(|a, b| a < b), "{over:?}: {numbers:?}");
        let [received, late, lost, refused] = counts(&server).await;
        assert_eq!((late, refused), (2 + Over::ALL.len() as u64, 1));
        let published = 5 + numbers.len() as u64;
        assert_eq!(received, published + late + refused);
        let last = u64::from(*numbers.last().unwrap());
        assert_eq!(last, published + lost + refused);
    }
}

#[tokio::test]
async fn the_rate_is_that_of_all_messages_of_a_session() {
    let server = Running::start_with(|config| {
        open(config);
        (config.topics.publish_hz, config.topics.publish_burst) = (1, 3);
    })
    .await;
    let ann = server.greeted(Over::Quic).await;
    for sequence in 1..=20 {
        publish(&ann, sequence, "lossy/a");
    }
    server.until_stats("topics_lossy_received", |count| count == 20).await;
    let [_, _, lost, refused] = counts(&server).await;
    assert_eq!(lost, 0);
    assert!((15..=17).contains(&refused), "{refused}");
}

#[tokio::test]
async fn a_malformed_message_ends_the_session() {
    let server = Running::start_with(open).await;
    for over in Over::ALL {
        let long = [&[DATAGRAM_PUBLISH, 1, 1, b'a', 0][..], &[0; 1136]].concat();
        for bytes in [&[DATAGRAM_PUBLISH][..], &[DATAGRAM_PUBLISH, 1, 9, b'a'], &long] {
            // Some paths carry no datagram that is so long.
            if bytes.len() > 1000 && !matches!(over, Over::WebSocket) {
                continue;
            }
            let mut client = server.greeted(over).await;
            client.send_datagram(bytes);
            assert_eq!(client.goodbye().await.0, CloseCode::MalformedDatagram, "{over:?}");
        }
    }
    assert_eq!(counts(&server).await, [0; 4]);
}

#[tokio::test]
async fn the_client_publishes_the_longest_message_over_every_transport() {
    let server = Running::start_with(open).await;
    for target in [
        format!("quic://{}", server.udp),
        format!("https://{}", server.udp),
        format!("ws://{}/ws", server.http),
    ] {
        let mut client = connect(&server, &target).await;
        let topic = format!("lossy/{:?}", client.transport());
        let mut follower = follow(&server, &topic).await;
        let longest = "x".repeat(1140 - 9 - topic.len());
        let error = client.publish_lossy(&topic, "k", format!("{longest}x").as_bytes());
        assert!(matches!(error, Err(LossyError::TooLong { .. })), "{error:?}");
        assert_eq!(client.publish_lossy(&topic, "k", longest.as_bytes()), Ok(1));
        assert_eq!(read_to(&mut follower, &longest).await, [longest], "{target}");
    }
}
