//! Chat history over real sockets, on a real disk.

use std::path::Path;
use std::process::Command;

use tickwire_server::{Server, ServerConfig, ServerError};
use tickwire_shared::control::{
    ChatMessage, ClientChat, ClientFrame, RefuseCode, RequestId, RoomChoice, RoomQuery, ServerChat,
    ServerFrame,
};

use crate::client::{Client, Over};
use crate::commands::answer;
use crate::game::Dots;
use crate::harness::{Running, soon};

async fn start(store: &Path) -> Running {
    Running::start_with(|config| {
        config.store = Some(store.to_owned());
        config.room.chat_burst_messages = 100;
    })
    .await
}

async fn stop(mut server: Running) {
    server.ask_to_stop();
    server.stopped().await;
}

/// Says `text`, and waits until the server is done with it. Returns its number, and whether it is saved.
async fn say(client: &mut Client, text: &str) -> (u64, bool) {
    let said = client.say_chat(text).await;
    let mut heard = None;
    loop {
        match client.hear_chat().await {
            ServerChat::Message(message) if message.request == said => heard = Some(message.id),
            ServerChat::Sent { request, id, is_saved } if request == said => {
                assert_eq!(heard, Some(id), "the message comes first");
                return (id, is_saved);
            }
            ServerChat::Refused { text, .. } => panic!("{text}"),
            _ => {}
        }
    }
}

/// The next history, and whether there is an older one.
pub(crate) async fn history(
    client: &mut Client,
    wanted: Option<RequestId>,
) -> (Vec<ChatMessage>, bool) {
    loop {
        match client.hear_chat().await {
            ServerChat::History { request, room, messages, has_older } => {
                assert_eq!((request, room.as_str()), (wanted, "talk"));
                return (messages, has_older);
            }
            ServerChat::Refused { text, .. } => panic!("{text}"),
            _ => {}
        }
    }
}

pub(crate) async fn ask(client: &mut Client, before: Option<u64>, count: u16) -> RequestId {
    let request = client.number();
    let ask = ClientChat::History { request, before, count };
    client.chat.as_mut().unwrap().write(&ask).await;
    request
}

async fn page(client: &mut Client, before: Option<u64>, count: u16) -> (Vec<String>, bool) {
    let request = ask(client, before, count).await;
    let (messages, has_older) = history(client, Some(request)).await;
    (texts(&messages), has_older)
}

fn texts(messages: &[ChatMessage]) -> Vec<String> {
    messages.iter().map(|message| message.text.clone()).collect()
}

#[tokio::test]
async fn saved_messages_come_after_a_join_to_the_next_server_and_their_numbers_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path()).await;
    let mut alice = server.player(Over::Quic, "talk", "alice").await;
    let (first, is_saved) = say(&mut alice, "one").await;
    assert!(is_saved);
    let (second, is_saved) = say(&mut alice, "two").await;
    assert!(is_saved && second > first);
    stop(server).await;

    let server = start(dir.path()).await;
    let mut bob = server.player(Over::WebTransport, "talk", "bob").await;
    let (messages, has_older) = history(&mut bob, None).await;
    assert_eq!(texts(&messages), ["one", "two"]);
    assert_eq!(messages.iter().map(|message| message.id).collect::<Vec<_>>(), [first, second]);
    assert_eq!((messages[0].name.as_str(), messages[0].from), ("alice", alice.player));
    assert!(messages[0].time_ms > 1_600_000_000_000 && !has_older);
    let (third, _) = say(&mut bob, "three").await;
    assert!(third > second);
    stop(server).await;
}

#[tokio::test]
async fn older_messages_come_in_pages_over_all_transports() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path()).await;
    let mut alice = server.player(Over::Quic, "talk", "alice").await;
    let mut ids = Vec::new();
    for text in ["a", "b", "c", "d", "e"] {
        ids.push(say(&mut alice, text).await.0);
    }
    for over in Over::ALL {
        let mut reader = server.player(over, "talk", &format!("{over:?}")).await;
        assert_eq!(texts(&history(&mut reader, None).await.0), ["a", "b", "c", "d", "e"]);
        assert_eq!(page(&mut reader, None, 2).await, (vec!["d".into(), "e".into()], true));
        assert_eq!(page(&mut reader, Some(ids[3]), 2).await, (vec!["b".into(), "c".into()], true));
        assert_eq!(page(&mut reader, Some(ids[1]), 2).await, (vec!["a".into()], false));
        assert_eq!(page(&mut reader, Some(ids[0]), 2).await, (vec![], false));
        assert_eq!(page(&mut reader, None, u16::MAX).await.0.len(), 5);
    }
}

#[tokio::test]
async fn a_room_that_was_removed_and_made_again_goes_on_with_its_history() {
    let dir = tempfile::tempdir().unwrap();
    let server = Running::start_with(|config| {
        config.store = Some(dir.path().to_owned());
        config.room_empty_s = 1;
    })
    .await;
    let mut alice = server.player(Over::Quic, "talk", "alice").await;
    let (first, _) = say(&mut alice, "one").await;
    alice.ask(|request| ClientFrame::Leave { request }).await;
    server.until_stats("rooms", |rooms| rooms == 0).await;
    alice.hear_until(|frame| matches!(frame, ServerFrame::Left { .. }).then_some(())).await;
    alice.join("talk", "alice").await;
    assert_eq!(texts(&history(&mut alice, None).await.0), ["one"]);
    let (second, _) = say(&mut alice, "two").await;
    assert!(second > first);
    assert_eq!(page(&mut alice, None, 9).await, (vec!["one".into(), "two".into()], false));
}

#[tokio::test]
async fn private_messages_and_rooms_with_a_password_leave_no_history() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path()).await;
    let mut alice = server.player(Over::Quic, "talk", "alice").await;
    let mut bob = server.player(Over::Quic, "talk", "bob").await;
    let (request, player, text) = (alice.number(), bob.player, "psst".to_owned());
    let tell = ClientChat::Tell { request, player, text };
    alice.chat.as_mut().unwrap().write(&tell).await;
    assert!(say(&mut alice, "all").await.1);
    assert_eq!(page(&mut bob, None, 9).await, (vec!["all".into()], false));

    let mut carl = server.greeted(Over::Quic).await;
    let (name, options) = ("locked".to_owned(), r#"{"password":"secret"}"#.into());
    carl.ask_to_join(RoomChoice::Create { name, options }, "carl").await;
    carl.joined().await;
    assert!(!say(&mut carl, "hidden").await.1);
}

#[tokio::test]
async fn without_a_store_messages_are_told_unsaved_and_history_is_empty() {
    let server = Running::start().await;
    let mut alice = server.player(Over::Quic, "talk", "alice").await;
    assert!(!say(&mut alice, "one").await.1);
    assert_eq!(page(&mut alice, None, 9).await, (vec![], false));
}

#[tokio::test]
async fn history_is_for_members_of_the_room() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path()).await;
    let mut client = server.greeted(Over::Quic).await;
    let asked = ask(&mut client, None, 9).await;
    match client.hear_chat().await {
        ServerChat::Refused { request, code, .. } => {
            assert_eq!((request, code), (asked, RefuseCode::NotInRoom));
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_store_that_cannot_be_written_keeps_the_server_from_starting() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let config = ServerConfig {
        listen: "[::1]:0".parse().unwrap(),
        certs_dir: dir.path().join("certs"),
        store: Some(file.join("store")),
        ..ServerConfig::default()
    };
    let error = Server::<Dots>::bind(config).await.err().unwrap();
    assert!(matches!(error, ServerError::Store(_)), "{error}");
    assert!(error.to_string().contains("give another directory with store"), "{error}");
}

#[tokio::test]
async fn a_damaged_store_keeps_the_server_from_starting_and_its_error_says_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path()).await;
    stop(server).await;
    let file = dir.path().join("store.redb");
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[..64].fill(0x55);
    std::fs::write(&file, bytes).unwrap();
    let config = ServerConfig {
        listen: "[::1]:0".parse().unwrap(),
        certs_dir: dir.path().join("certs"),
        store: Some(dir.path().to_owned()),
        ..ServerConfig::default()
    };
    let error = Server::<Dots>::bind(config).await.err().unwrap().to_string();
    assert!(error.contains("store.redb is damaged") && error.contains("store backup"), "{error}");
}

#[tokio::test]
async fn many_requests_for_full_pages_at_once_are_each_answered_and_end_no_session() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path()).await;
    let mut alice = server.player(Over::Quic, "talk", "alice").await;
    let long = "語".repeat(500);
    for _ in 0..35 {
        alice.say_chat(&long).await;
    }
    let mut saved = 0;
    while saved < 35 {
        saved +=
            u32::from(matches!(alice.hear_chat().await, ServerChat::Sent { is_saved: true, .. }));
    }
    for over in Over::ALL {
        let mut reader = server.player(over, "talk", &format!("{over:?}")).await;
        let mut asked = Vec::new();
        for _ in 0..12 {
            asked.push(ask(&mut reader, None, 200).await);
        }
        let mut pages = 0;
        while !asked.is_empty() {
            let answered = match reader.hear_chat().await {
                ServerChat::History { request: Some(request), messages, .. } => {
                    assert!(messages.len() > 25, "{}", messages.len());
                    pages += 1;
                    request
                }
                ServerChat::Refused { request, code, .. } => {
                    assert_eq!(code, RefuseCode::Busy);
                    request
                }
                _ => continue,
            };
            asked.retain(|request| *request != answered);
        }
        assert!(pages > 0, "{over:?}");
        assert!(say(&mut reader, "still here").await.1, "{over:?}");
    }
}

#[tokio::test]
async fn while_requests_for_history_wait_all_others_are_served() {
    let dir = tempfile::tempdir().unwrap();
    let server = Running::start_with(|config| {
        config.store = Some(dir.path().to_owned());
        // The first look-up is under way for as long.
        config.store_commit_ms = 10_000;
    })
    .await;
    let mut alice = server.player(Over::Quic, "talk", "alice").await;
    let mut asked = Vec::new();
    for _ in 0..7 {
        asked.push(ask(&mut alice, None, 10).await);
    }
    let query = RoomQuery::default();
    alice.ask(|request| ClientFrame::ListRooms { request, query }).await;
    assert!(matches!(answer(&mut alice).await, ServerFrame::Rooms { .. }));
    alice.say_chat("still here").await;
    // Each of the others waits for a second before it is refused.
    let mut refused = 0;
    loop {
        match alice.hear_chat().await {
            ServerChat::Message(message) => break assert_eq!(message.text, "still here"),
            ServerChat::Refused { request, .. } if asked.contains(&request) => refused += 1,
            _ => {}
        }
    }
    assert!(refused < 6, "a message waited for {refused} requests");
}

/// A small disk in memory; unmounted when dropped.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// `None` where this process may not mount.
    fn mount() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"]).arg(dir.path());
        mount.status().is_ok_and(|status| status.success()).then_some(SmallDisk(dir))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

async fn notice(client: &mut Client, part: &str) {
    client
        .hear_until(|frame| match frame {
            ServerFrame::Notice(text) => text.contains(part).then_some(()),
            _ => None,
        })
        .await;
}

#[tokio::test]
async fn on_a_full_disk_chat_goes_on_unsaved_and_is_saved_again_once_there_is_space() {
    let Some(disk) = SmallDisk::mount() else {
        eprintln!("not tested: only root may mount a small disk");
        return;
    };
    let store = disk.0.path().join("store");
    let server = start(&store).await;
    let mut alice = server.player(Over::Quic, "talk", "alice").await;
    let mut bob = server.player(Over::Quic, "talk", "bob").await;
    assert!(say(&mut alice, "before").await.1);
    let filler = disk.0.path().join("filler");
    std::fs::write(&filler, vec![1; 4 << 20]).unwrap_err();
    soon("an unsaved message", async {
        let long = "x".repeat(500);
        while say(&mut alice, &long).await.1 {
            tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        }
    })
    .await;
    notice(&mut bob, "chat is not saved any more").await;
    assert!(!say(&mut alice, "still here").await.1);
    let (_, _, ready) = server.get("/readyz").await;
    assert!(ready.contains("chat is not saved"), "{ready}");
    assert_eq!(server.stats().await["store"]["state"], "failing");
    std::fs::remove_file(&filler).unwrap();
    soon("a saved message", async {
        while !say(&mut alice, "after").await.1 {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    })
    .await;
    notice(&mut bob, "chat is saved again").await;
    assert_eq!(server.get("/readyz").await.2, "ready\n");
    let store = &server.stats().await["store"];
    assert_eq!(store["state"], "saving");
    assert!(store["messages_not_kept"].as_u64() >= Some(2), "{store}");
    let (texts, _) = page(&mut bob, None, 200).await;
    assert_eq!(texts.first().map(String::as_str), Some("before"));
    assert_eq!(texts.last().map(String::as_str), Some("after"));
    assert!(!texts.contains(&"still here".to_owned()));
    stop(server).await;
}
