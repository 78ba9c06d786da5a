//! Two clients talk over a server without a game.

use std::net::{Ipv6Addr, SocketAddr};
use std::time::Duration;

use tickwire::NoGame;
use tickwire::client::{Client, ConnectOptions, SubscribeOptions};
use tickwire::control::{RoomChoice, TopicStart};
use tickwire::server::config::List;
use tickwire::server::{Server, ServerConfig};
use tickwire_samples::topics::{begin, count_chat, lines, tell_time};

#[tokio::test]
async fn a_server_without_a_game_carries_messages() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = ServerConfig {
        listen: SocketAddr::from((Ipv6Addr::LOCALHOST, 0)),
        http: false,
        certs_dir: dir.path().join("certs"),
        ..ServerConfig::default()
    };
    config.topics.enabled = true;
    config.topics.publish = List::of(&["chat/*"]);
    config.topics.subscribe = List::of(&["chat/**", "time/*", "count"]);
    let server = Server::<NoGame>::bind(config).await.unwrap();
    let address = format!("quic://{}", server.local_addr());
    let telling = tokio::spawn(tell_time(server.handle()));
    let counting = tokio::spawn(count_chat(server.handle()));
    let running = tokio::spawn(server.run(std::future::pending()));

    let mut ann = Client::<NoGame>::connect(&address, ConnectOptions::default()).await.unwrap();
    let mut bob = Client::<NoGame>::connect(&address, ConnectOptions::default()).await.unwrap();
    ann.join(RoomChoice::Quick, "Ann");
    begin(&mut ann);
    let (mut of_ann, mut of_bob) = (Vec::new(), Vec::new());
    for _ in 0..6000 {
        let was_alone = of_ann.is_empty();
        of_ann.extend(lines(&mut ann));
        // Ann has subscribed once her own message is back.
        if was_alone && !of_ann.is_empty() {
            begin(&mut bob);
        }
        of_bob.extend(lines(&mut bob));
        if of_ann.len() >= 2 && !of_bob.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(of_ann, ["chat/berlin: hello", "chat/berlin: hello"]);
    assert!(ann.room().is_none(), "there are no rooms");
    ann.subscribe("time/*", SubscribeOptions { start: TopicStart::Last(1), ..Default::default() });
    let mut times = Vec::new();
    for _ in 0..6000 {
        times.extend(lines(&mut ann));
        if times.len() >= 2 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(times.iter().all(|line| line.starts_with("time/running: ")), "{times:?}");
    assert!(times.len() >= 2, "the server's own program publishes");
    ann.subscribe("count", SubscribeOptions { start: TopicStart::Last(1), ..Default::default() });
    let mut counts = Vec::new();
    for _ in 0..6000 {
        counts.extend(lines(&mut ann));
        if counts.iter().any(|line| line == "count: 2 messages") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(counts.iter().any(|line| line == "count: 2 messages"), "{counts:?}");
    assert!(!of_bob.is_empty() && !ann.is_over() && !bob.is_over());
    telling.abort();
    counting.abort();
    running.abort();
}
