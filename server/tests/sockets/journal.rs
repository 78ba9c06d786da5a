//! A server that keeps its rooms' journals, and what they come to.

use std::path::{Path, PathBuf};

use tickwire_server::ServerConfig;
use tickwire_server::journal::{JournalEnd, JournalReader, newest_replay};
use tickwire_server::room::Replay;
use tickwire_shared::control::ServerFrame;

use crate::client::{Client, Over};
use crate::game::{Dots, Keys};
use crate::harness::{Running, soon};

async fn keeping(dir: &Path, change: impl FnOnce(&mut ServerConfig)) -> Running {
    let journal = Some(dir.to_owned());
    Running::start_with(|config| {
        config.journal = journal;
        change(config);
    })
    .await
}

/// The folders of the journals in `dir`.
fn journals(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut journals: Vec<_> = entries.filter(|path| path.is_dir()).collect();
    journals.sort();
    journals
}

/// Runs a journal again to its end, from its first tick. None while its head is on its way to the file.
fn run_again(journal: &Path) -> Option<(Replay<Dots>, JournalEnd)> {
    let mut reader = JournalReader::open(journal).ok()?;
    let mut replay = Replay::new(reader.head()).unwrap();
    while let Some(record) = reader.next_record().unwrap() {
        replay.step(&record).unwrap();
        assert_eq!(replay.difference(), None);
    }
    Some((replay, reader.end()))
}

/// Runs a journal again. Gives the ticks and the end.
fn replayed(journal: &Path) -> (u32, JournalEnd) {
    run_again(journal).map_or((0, JournalEnd::Open), |(replay, end)| (replay.tick().0, end))
}

fn names(replay: &Replay<Dots>) -> Vec<&str> {
    replay.all_members().map(|member| member.name.as_str()).collect()
}

/// Waits until the journal has as many ticks.
async fn until_ticks(journal: &Path, ticks: u32) {
    soon("more ticks", async {
        while replayed(journal).0 < ticks {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    })
    .await;
}

async fn notice(client: &mut Client) -> String {
    let notice = client.hear_until(|frame| match frame {
        ServerFrame::Notice(text) => Some(text),
        _ => None,
    });
    notice.await
}

/// The journals in `dir`, once there are as many.
async fn until_journals(dir: &Path, count: usize) -> Vec<PathBuf> {
    soon("the journals", async {
        while journals(dir).len() < count {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    })
    .await;
    journals(dir)
}

#[tokio::test]
async fn a_room_is_kept_until_it_is_let_go() {
    let dir = tempfile::tempdir().unwrap();
    let server = keeping(dir.path(), |config| {
        config.room_empty_s = 1;
        config.resume_grace_ms = 0;
    })
    .await;
    let ann = server.player(Over::Quic, "bay", "Ann").await;
    let found = until_journals(dir.path(), 1).await;
    assert!(found[0].to_string_lossy().contains("/bay-"), "{found:?}");
    until_ticks(&found[0], 30).await;
    drop(ann);
    soon("the end of the bay", async {
        while replayed(&found[0]).1 != JournalEnd::Closed {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn of_a_server_that_stops_all_ticks_are_kept_and_no_room_is_closed() {
    let dir = tempfile::tempdir().unwrap();
    // Nothing is written before the stop.
    let mut server = keeping(dir.path(), |config| config.journal_flush_ms = 60_000).await;
    let mut ann = server.player(Over::Quic, "bay", "Ann").await;
    let _bob = server.player(Over::WebSocket, "cove", "Bob").await;
    for _ in 0..30 {
        ann.play(Keys::default()).await;
    }
    let played = ann.tick.0;
    server.ask_to_stop();
    server.stopped().await;
    let found = until_journals(dir.path(), 2).await;
    let (ticks, end) = replayed(&found[0]);
    assert_eq!(end, JournalEnd::Open, "whoever starts the server again may go on with it");
    assert!(ticks >= played, "{ticks} ticks of {played}");
    assert!(replayed(&found[1]).0 > 0);
}

#[tokio::test]
async fn a_server_follows_its_rooms_and_their_checkpoints_lead_to_where_they_ended() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = keeping(dir.path(), |config| config.journal_checkpoint_s = 1).await;
    let mut ann = server.player(Over::Quic, "bay", "Ann").await;
    soon("two checkpoints", async {
        loop {
            ann.play(Keys { right: 1, panic: false }).await;
            let follower = &server.stats().await["journal_follower"];
            assert_eq!(follower["rooms_not_deterministic"], 0, "{follower}");
            assert_eq!(follower["rooms_not_followed"], 0, "{follower}");
            if follower["checkpoints"].as_u64() >= Some(2) {
                assert_eq!(follower["rooms"], 1, "{follower}");
                return;
            }
        }
    })
    .await;
    server.ask_to_stop();
    server.stopped().await;
    let [journal] = &journals(dir.path())[..] else { panic!("not one journal") };
    let newest = newest_replay::<Dots>(journal).unwrap();
    assert!(newest.from_tick.0 > 0 && newest.unused.is_empty());
    assert_eq!(newest.replay.difference(), None);
    let (whole, end) = run_again(journal).unwrap();
    assert_eq!((newest.replay.tick(), newest.end), (whole.tick(), end));
    // A client that cannot resume has left by the stop, if the room's last step came after that.
    assert_eq!(names(&newest.replay), names(&whole));
}

#[tokio::test]
async fn the_journal_of_a_room_that_panicked_panics_where_it_did() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = keeping(dir.path(), |_| {}).await;
    let mut ann = server.player(Over::Quic, "bay", "Ann").await;
    ann.play(Keys { right: 1, panic: false }).await;
    let first = ann.tick;
    soon("the fault", async {
        while server.stats().await["rooms_failed"] == 0 {
            // For many ticks: the client does not know the room's.
            ann.set_input(Keys { right: 0, panic: true });
            let next = ann.tick.next();
            ann.tick = if next.since(first) < 600 { next } else { first };
        }
    })
    .await;
    server.ask_to_stop();
    server.stopped().await;
    let [journal] = &journals(dir.path())[..] else { panic!("not one journal") };
    let mut reader = JournalReader::open(journal).unwrap();
    let mut replay = Replay::<Dots>::new(reader.head()).unwrap();
    let mut records = Vec::new();
    while let Some(record) = reader.next_record().unwrap() {
        records.push(record);
    }
    let last = records.pop().unwrap();
    assert!(records.iter().all(|record| record.hash.is_some()) && last.hash.is_none());
    records.iter().for_each(|record| replay.step(record).unwrap());
    assert_eq!(replay.difference(), None);
    let again = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| replay.step(&last)));
    assert!(again.is_err(), "the step that panicked does so again");
}

#[tokio::test]
async fn a_room_whose_journal_cannot_be_written_says_so_and_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let kept = dir.path().join("kept");
    let server = keeping(&kept, |_| {}).await;
    std::fs::remove_dir_all(&kept).unwrap();
    std::fs::write(&kept, "no folder").unwrap();
    let mut ann = server.player(Over::Quic, "bay", "Ann").await;
    let text = notice(&mut ann).await;
    assert_eq!(text, "this room is not saved any more: the disk fails or is full; play goes on");
    ann.recv_datagram().await;
    ann.recv_datagram().await;
}

#[tokio::test]
async fn a_room_that_is_faster_than_the_disk_says_so_and_what_was_kept_stays_whole() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = keeping(dir.path(), |config| {
        config.journal_queued_max = 16;
        config.journal_flush_ms = 60_000;
    })
    .await;
    let mut ann = server.player(Over::Quic, "bay", "Ann").await;
    let text = notice(&mut ann).await;
    assert_eq!(text, "this room is not saved any more: the disk does not follow; play goes on");
    ann.recv_datagram().await;
    server.ask_to_stop();
    server.stopped().await;
    let [journal] = &journals(dir.path())[..] else { panic!("not one journal") };
    assert_eq!(replayed(journal), (16, JournalEnd::Open));
}

#[tokio::test]
async fn without_the_setting_nothing_is_written() {
    let server = Running::start().await;
    let ann = server.player(Over::Quic, "bay", "Ann").await;
    ann.recv_datagram().await;
    let files: Vec<_> = journals(server.dir.path());
    assert_eq!(files, [server.certs_dir()]);
}
