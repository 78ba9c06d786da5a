//! Score boards over real sockets, on a real disk.

use futures_util::future::join_all;
use serde_json::{Value, json};
use tickwire_shared::control::{ClientFrame, ServerFrame};

use crate::client::{Client, Over};
use crate::commands::{command, digit, until_steps};
use crate::game::{CLEARED_STEPS, Clear, Edit, SAVED_STEPS};
use crate::harness::{Running, soon};
use crate::identity::enter;
use crate::profiles::{Named, start, stop};
use crate::restored::Files;

async fn player(server: &Running, over: Over, account: &str) -> Client {
    let mut client = enter(server, over, account).await;
    client.join("bay", &account.to_uppercase()).await;
    client
}

/// Clears its number, and waits until the game was told that the disk has it.
async fn clear(client: &mut Client) {
    client.ask(command(Edit::Clear(Clear {}))).await;
    until_steps(client, CLEARED_STEPS as i32).await;
}

/// The answer to a program on the server's machine.
async fn board(server: &Running, query: &str) -> Value {
    let (status, _, text) = server.get(&format!("/scores.json?{query}")).await;
    assert_eq!(status, 200, "{text}");
    serde_json::from_str(&text).unwrap()
}

/// Rank, account and score of each line, once there are `count`.
async fn lines(server: &Running, query: &str, count: usize) -> Vec<(u64, String, i64)> {
    let lines = soon("lines of a board", async {
        loop {
            let board = board(server, query).await;
            let lines = board["scores"].as_array().unwrap().clone();
            if lines.len() >= count {
                return lines;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    })
    .await;
    let read = |line: &Value| {
        let account = line["account"].as_str().unwrap();
        assert_eq!(line["name"], account.to_uppercase());
        assert!(line["since_ms"].as_u64() > Some(1_700_000_000_000));
        (line["rank"].as_u64().unwrap(), account.to_owned(), line["score"].as_i64().unwrap())
    };
    lines.iter().map(read).collect()
}

fn line(rank: u64, account: &str, score: i64) -> (u64, String, i64) {
    (rank, account.to_owned(), score)
}

#[tokio::test]
async fn scores_are_on_their_boards_once_the_game_is_told_so_and_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path(), |_| {}).await;
    for (over, account, clears) in
        [(Over::Quic, "ann", 1), (Over::WebTransport, "bob", 3), (Over::WebSocket, "cid", 2)]
    {
        let mut client = player(&server, over, account).await;
        for _ in 0..clears {
            clear(&mut client).await;
        }
        // What it scores at its leave counts too.
        client.ask(|request| ClientFrame::Leave { request }).await;
        client.hear_until(|frame| matches!(frame, ServerFrame::Left { .. }).then_some(())).await;
    }
    // A guest and its clears are on no board.
    let mut guest = server.player(Over::Quic, "bay", "guest").await;
    guest.ask(command(digit(5))).await;
    guest.ask(command(Edit::Clear(Clear {}))).await;
    until_steps(&mut guest, 0).await;
    stop(server).await;
    let server = start(dir.path(), |_| {}).await;
    let all = [line(1, "bob", 3), line(2, "cid", 2), line(3, "ann", 1)];
    for period in ["all", "day", "week", "month"] {
        assert_eq!(lines(&server, &format!("board=clears&period={period}"), 3).await, all);
    }
    assert_eq!(lines(&server, "board=clears&top=1&from=1", 1).await, all[1..2]);
    assert_eq!(lines(&server, "board=clears&around=ann&top=1", 2).await, all[1..]);
    assert_eq!(board(&server, "board=clears&around=dan").await["scores"], json!([]));
    assert_eq!(board(&server, "board=clears&period=day&ago=1").await["accounts"], 0);
    // Ann left first, and nobody has more.
    assert_eq!(lines(&server, "board=steps", 3).await[0], line(1, "ann", CLEARED_STEPS.into()));
    // Sums go on.
    let mut ann = player(&server, Over::Quic, "ann").await;
    until_steps(&mut ann, CLEARED_STEPS as i32).await;
    ann.ask(command(digit(1))).await;
    until_steps(&mut ann, (CLEARED_STEPS * 10 + 1 + SAVED_STEPS) as i32).await;
    clear(&mut ann).await;
    let wanted = [line(1, "bob", 3), line(2, "cid", 2), line(3, "ann", 2)];
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    assert_eq!(lines(&server, "board=clears", 3).await, wanted);
    let store = &server.stats().await["store"];
    assert!(store["scores_saved"].as_u64() >= Some(1), "{store}");
    assert!(store["scores_read"].as_u64() >= Some(8), "{store}");
    stop(server).await;
}

#[tokio::test]
async fn pages_that_ask_for_the_same_at_once_share_one_look() {
    let dir = tempfile::tempdir().unwrap();
    // All of them ask while the first look waits for others to gather.
    let server = start(dir.path(), |config| config.store_commit_ms = 300).await;
    let asked = (0..24).map(|_| server.get("/scores.json?board=clears"));
    for (status, _, text) in join_all(asked).await {
        assert_eq!(status, 200, "{text}");
    }
    stop(server).await;
}

#[tokio::test]
async fn any_page_may_read_a_board_and_accounts_are_for_this_machine_alone() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path(), |_| {}).await;
    clear(&mut player(&server, Over::Quic, "ann").await).await;
    assert_eq!(lines(&server, "board=clears", 1).await, [line(1, "ann", 1)]);
    let ask = async |query: &str| {
        let text = format!(
            "GET /scores.json?{query} HTTP/1.1\r\nhost: localhost\r\n\
             origin: https://elsewhere.example\r\nconnection: close\r\n\r\n"
        );
        server.request(&text).await
    };
    let (status, head, body) = ask("board=clears").await;
    assert_eq!(status, 200);
    assert!(head.contains("access-control-allow-origin: *"), "{head}");
    let shown: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((&shown["accounts"], &shown["scores"][0]["name"]), (&json!(1), &json!("ANN")));
    assert!(!body.contains(r#""ann""#), "{body}");
    assert_eq!(ask("board=clears&around=ann").await.0, 403);
    let (status, head, text) = ask("board=kills").await;
    assert!(status == 404 && text.contains("this game has: clears, steps"), "{text}");
    assert!(head.contains("access-control-allow-origin: *"), "{head}");
    assert_eq!(ask("board=clears&top=101").await.0, 400);
    stop(server).await;
    let server = Running::start().await;
    let (status, _, text) = server.get("/scores.json?board=clears").await;
    assert!(status == 404 && text.contains("start the server with --store"), "{text}");
}

#[tokio::test]
async fn a_score_that_the_game_was_told_is_saved_is_there_after_a_kill_and_counts_once() {
    let mut files = Files::new();
    let stores = tempfile::tempdir().unwrap();
    let first = stores.path().join("first");
    let server = files.server_asking(Named, |config| config.store = Some(first.clone())).await;
    let mut ann = player(&server, Over::Quic, "ann").await;
    clear(&mut ann).await;
    files.until_kept(ann.tick.0).await;
    files.kill(server).await;
    // The thread of the killed server may still have its file open.
    let next = stores.path().join("next");
    std::fs::create_dir(&next).unwrap();
    std::fs::copy(first.join("store.redb"), next.join("store.redb")).unwrap();
    let server = files.server_asking(Named, |config| config.store = Some(next)).await;
    assert_eq!(lines(&server, "board=clears", 1).await, [line(1, "ann", 1)]);
    let mut bob = player(&server, Over::Quic, "bob").await;
    clear(&mut bob).await;
    clear(&mut bob).await;
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    assert_eq!(lines(&server, "board=clears", 2).await, [line(1, "bob", 2), line(2, "ann", 1)]);
}
