//! The real server and the real client with the proxy between them: sessions survive every network.

mod harness;

use harness::{Path, Player};
use std::time::Duration;

#[tokio::test]
async fn a_session_goes_on_from_another_port() {
    let path = Path::start(&["--profile", "lan", "--rebind-every", "1"]);
    let mut player = Player::join(&path.quic()).await;
    for _ in 0..3 {
        let seen = path.count("rebound ");
        player.until("the next rebinding", |_| path.count("rebound ") > seen).await;
        player.sees(60).await;
    }
    player.chats().await;
}

#[tokio::test]
async fn a_session_outlives_a_blackout_of_two_seconds() {
    let dark = ["--blackout", "6:2", "--blackout", "16:2", "--blackout", "26:2"];
    for url in [Path::quic, Path::websocket] {
        let path = Path::start(&[&["--profile", "wifi"][..], &dark].concat());
        let mut player = Player::join(&url(&path)).await;
        player.sees(60).await;
        let seen = path.count("blackout begins");
        player.until("a blackout", |_| path.count("blackout begins") > seen).await;
        player.until("its end", |_| path.count("blackout over") > seen).await;
        player.sees(120).await;
        player.chats().await;
    }
}

#[tokio::test]
async fn a_path_that_carries_only_the_least_datagrams_of_quic_is_enough() {
    let path = Path::start(&["--profile", "wifi", "--mtu", "1200"]);
    let mut player = Player::join(&path.quic()).await;
    player.sees(300).await;
    player.chats().await;
}

#[tokio::test]
async fn what_comes_twice_counts_once() {
    let path = Path::start(&["--profile", "wifi", "--duplicate", "100"]);
    let mut player = Player::join(&path.quic()).await;
    player.sees(300).await;
    player.chats().await;
    let stats = player.stats();
    assert!(stats.snapshots <= stats.snapshots_expected, "{stats:?}");
    assert_eq!(stats.snapshots_malformed, 0);
}

#[tokio::test]
async fn a_websocket_plays_over_an_awful_network() {
    let path = Path::start(&["--profile", "awful"]);
    let mut player = Player::join(&path.websocket()).await;
    player.sees(300).await;
    player.chats().await;
    assert_eq!(player.stats().snapshots_malformed, 0);
}

/// Half of what the session needs: a sender that does not slow down fills any queue, and arrivals
/// become ever older.
#[tokio::test]
async fn at_half_its_rate_a_session_is_behind_by_the_queue_and_no_more() {
    let path = Path::start(&["--profile", "lan", "--rate", "40", "--queue", "200"]);
    let mut player = Player::join(&path.quic()).await.beside(&path.direct()).await;
    player.keeps_up(60).await;
}

/// The queue alone would hold ten seconds; a WebSocket's snapshots wait for the answers to its
/// pings.
#[tokio::test]
async fn at_half_its_rate_a_websocket_is_behind_by_what_goes_unconfirmed() {
    let path = Path::start(&["--profile", "lan", "--rate", "40", "--queue", "10000"]);
    let mut player = Player::join(&path.websocket()).await.beside(&path.direct()).await;
    player.keeps_up(120).await;
}

#[test]
fn a_proxy_ends_after_its_input_once_a_farewell_has_passed() {
    let lasts = harness::outlives_its_input();
    assert!(lasts >= Duration::from_millis(900), "{lasts:?}");
}

#[test]
fn bad_values_are_refused_with_what_to_give() {
    for (words, says) in [
        (&["--rebind-every", "0"][..], "give seconds from 0.1 to 86400"),
        (&["--blackout", "3"], "as in 10:2.5"),
        (&["--loss", "100"], "give a number from 0 to 90"),
        (&["--profile", "wifi", "--jitter", "50"], "give --jitter 20 or less"),
    ] {
        let error = harness::refused(words);
        assert!(error.contains(says), "{words:?}: {error}");
    }
}
