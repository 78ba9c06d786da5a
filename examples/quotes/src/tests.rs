use std::collections::{HashMap, HashSet};
use std::net::{Ipv6Addr, SocketAddr};
use std::time::Duration;

use tickwire::client::{Client, ClientEvent, ConnectOptions, SubscribeOptions, TopicEvent};
use tickwire::control::{TopicDelivery, TopicStart};
use tickwire::server::config::List;
use tickwire::server::{Server, ServerConfig};

use super::*;

#[test]
fn the_same_seed_is_the_same_market() {
    let run = |seed| {
        let mut market = Market::new(seed);
        let opening = market.open(1000);
        (opening, (0..50).map(|step| market.step(1000 + step)).collect::<Vec<_>>())
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}

#[test]
fn each_of_5000_shares_has_a_symbol_a_name_and_a_price() {
    let mut market = Market::new(SEED);
    let opening = market.open(1_000_000);
    let of = |kind: &str| opening.iter().filter(move |it| it.topic.starts_with(kind)).count();
    assert_eq!([of("names/"), of("chart/"), of("board/")], [5000; 3]);
    let keys: HashSet<&str> =
        opening.iter().map(|it| &*it.key).filter(|key| !key.is_empty()).collect();
    assert_eq!(keys.len(), 5000);
    let is_symbol = |key: &&&str| key.len() == 4 && key.bytes().all(|it| it.is_ascii_uppercase());
    assert_eq!(keys.iter().filter(is_symbol).count(), 5000);
    for exchange in market::EXCHANGES {
        let topic = format!("board/{exchange}");
        assert_eq!(opening.iter().filter(|it| it.topic == topic).count(), 1000, "{topic}");
    }
    assert!(opening.iter().all(|it| it.payload.len() <= 16_384), "the limit of a message");
}

#[test]
fn prices_walk_and_stay_prices() {
    let mut market = Market::new(SEED);
    market.open(1_000_000);
    let mut boards = 0;
    for step in 0..3000 {
        for message in market.step(1_000_000 + step / TICK_HZ) {
            let number =
                |at: usize| u32::from_le_bytes(message.payload[at * 4..][..4].try_into().unwrap());
            let cents = if message.topic.starts_with("board/") {
                boards += 1;
                assert!(number(2) > 0, "something is traded");
                number(0)
            } else {
                number(1)
            };
            assert!((100..=900_000).contains(&cents), "{message:?}");
        }
    }
    let a_second = boards / 300;
    assert!((4000..6000).contains(&a_second), "{a_second} changes a second");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_board_is_filled_and_moves_and_a_chart_has_its_history() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = ServerConfig {
        listen: SocketAddr::from((Ipv6Addr::LOCALHOST, 0)),
        http: false,
        certs_dir: dir.path().join("certs"),
        ..ServerConfig::default()
    };
    config.topics.enabled = true;
    config.topics.subscribe = List::of(&["**"]);
    let server = Server::<NoGame>::bind(config).await.unwrap();
    let address = format!("quic://{}", server.local_addr());
    let publishing = tokio::spawn(publish(server.handle()));
    let running = tokio::spawn(server.run(std::future::pending()));
    let mut client = Client::<NoGame>::connect(&address, ConnectOptions::default()).await.unwrap();
    let all = TopicStart::Last(u32::MAX);
    let latest =
        SubscribeOptions { delivery: TopicDelivery::Latest, start: all, ..Default::default() };
    client.subscribe("board/*", latest);
    let (mut board, mut changes, mut points) = (HashMap::new(), 0, None);
    for _ in 0..6000 {
        client.update();
        while let Some(event) = client.poll_event() {
            let ClientEvent::Topic(TopicEvent::Message { topic, message, .. }) = event else {
                continue;
            };
            if topic.starts_with("chart/") {
                points = points.or(Some(message.payload.len() / 8));
            } else if board.insert(message.key.clone(), message.payload).is_some() {
                changes += 1;
            } else if board.len() == 5000 {
                let topic = format!("chart/{}", message.key);
                client.subscribe(&topic, SubscribeOptions { start: all, ..Default::default() });
            }
        }
        if changes > 500 && points.is_some() && board.len() == 5000 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!((board.len(), points), (5000, Some(300)));
    assert!(changes > 500, "{changes} changes");
    publishing.abort();
    running.abort();
}
