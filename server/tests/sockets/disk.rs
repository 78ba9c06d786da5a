//! A real disk that is full and then has place again: what players are told and when, and what is there after a kill. And a
//! server on a disk that is read-only.

use std::net::{Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tickwire_server::journal::JournalReader;
use tickwire_server::{Server, ServerConfig};
use tickwire_shared::control::{RefuseCode, RoomChoice, ServerChat, ServerFrame};

use crate::client::{Client, Over};
use crate::commands::{answer, command, digit, until_steps};
use crate::game::{CLEARED_STEPS, Clear, Dots, Edit, Keys, SAVED_STEPS};
use crate::harness::{Running, soon};
use crate::history::{ask, history};
use crate::identity::enter;
use crate::profiles::Named;

const THIS: &str = "disk::what_players_are_told_of_a_full_disk_and_what_is_there_after_it";
/// Set for the run in a namespace of its own.
const INSIDE: &str = "TICKWIRE_DISK_INSIDE";
const DISK_BYTES: usize = 16 << 20;
const PAUSE: Duration = Duration::from_millis(100);

/// Runs this test in namespaces of its own, where it may mount a disk.
fn run_inside() {
    let program = std::env::current_exe().unwrap();
    let words = [program.to_str().unwrap(), "--exact", THIS, "--nocapture"];
    let mut unshare = Command::new("unshare");
    unshare.args(["--map-root-user", "--mount", "--"]).args(words).env(INSIDE, "1");
    assert!(unshare.status().unwrap().success(), "the run in a mount namespace of its own failed");
}

/// A small disk in memory, which is gone with its namespace.
struct Disk {
    dir: tempfile::TempDir,
    filler: PathBuf,
}

impl Disk {
    fn mount() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={DISK_BYTES}"), "tmpfs"]).arg(dir.path());
        assert!(mount.status().unwrap().success(), "root of a namespace may mount");
        let filler = dir.path().join("filler");
        Disk { dir, filler }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Fills it to its last byte.
    fn fill(&self) {
        std::fs::write(&self.filler, vec![1; DISK_BYTES]).unwrap_err();
    }

    /// Mounts it again, read-only: no file may be open for writing.
    fn forbid_writing(&self) {
        let mut mount = Command::new("mount");
        mount.args(["-o", "remount,ro"]).arg(self.dir.path());
        assert!(mount.status().unwrap().success(), "nobody writes");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.dir.path()).status();
    }
}

/// The lines of the table, and all that was told as saved.
struct Table {
    since: Instant,
    lines: Vec<Value>,
    saved: Vec<String>,
}

impl Table {
    fn note(&mut self, who: &str, what: &str) {
        let at_ms = self.since.elapsed().as_millis() as u64;
        self.lines.push(json!({"at_ms": at_ms, "who": who, "what": what}));
    }

    /// How often the rooms step.
    async fn note_rate(&mut self, server: &Running) {
        let ticks = async || server.stats().await["ticks"].as_u64().unwrap();
        let (since, before) = (Instant::now(), ticks().await);
        tokio::time::sleep(Duration::from_secs(1)).await;
        let (took, stepped) = (since.elapsed().as_secs_f64(), ticks().await - before);
        assert!(stepped > 0, "play goes on");
        self.note("server", &format!("{:.0} ticks a second", stepped as f64 / took));
    }

    /// Says something. Returns whether it is saved.
    async fn say(&mut self, client: &mut Client, text: &str) -> bool {
        let said = client.say_chat(text).await;
        loop {
            match client.hear_chat().await {
                ServerChat::Sent { request, is_saved, .. } if request == said => {
                    if is_saved {
                        self.saved.push(text.to_owned());
                    }
                    return is_saved;
                }
                ServerChat::Refused { text, .. } => panic!("{text}"),
                _ => {}
            }
        }
    }

    /// Says things until one is saved, or is not.
    async fn say_until(&mut self, client: &mut Client, what: &str, wanted: bool) {
        soon(what, async {
            // A long one, as a short one may find place in a page that the file has already.
            while self.say(client, &format!("{what} {}", "x".repeat(400))).await != wanted {
                tokio::time::sleep(PAUSE).await;
            }
        })
        .await;
        self.note("sender", if wanted { "is_saved: true" } else { "is_saved: false" });
    }

    /// Notes notices until each of these parts has come.
    async fn notices(&mut self, client: &mut Client, parts: &[&str]) {
        let mut parts = parts.to_vec();
        while !parts.is_empty() {
            let text = client
                .hear_until(|frame| match frame {
                    ServerFrame::Notice(text) => Some(text),
                    _ => None,
                })
                .await;
            self.note("everyone", &text);
            parts.retain(|part| !text.contains(part));
        }
    }
}

async fn start(store: &Path, journal: Option<PathBuf>) -> Running {
    Running::start_asking(Named, |config| {
        config.store = Some(store.to_owned());
        config.journal = journal;
        (config.store_commit_ms, config.journal_flush_ms) = (10, 10);
        config.room.chat_burst_messages = 1000;
        config.chat_joined_messages = 0;
    })
    .await
}

/// The count of `/stats.json` for the store, once it is `least`.
async fn until_count(server: &Running, name: &str, least: u64) {
    soon(name, async {
        while server.stats().await["store"][name].as_u64() < Some(least) {
            tokio::time::sleep(PAUSE).await;
        }
    })
    .await;
}

/// The texts of the room's history.
async fn all_messages(client: &mut Client) -> Vec<String> {
    let (mut texts, mut before) = (Vec::new(), None);
    loop {
        let request = ask(client, before, 200).await;
        let (page, has_older) = history(client, Some(request)).await;
        before = page.first().map(|message| message.id);
        texts.splice(0..0, page.into_iter().map(|message| message.text));
        if !has_older {
            return texts;
        }
    }
}

/// True once the journal of a room has a tick.
fn has_journal(dir: &Path, room: &str) -> bool {
    let folders = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    folders.filter(|path| path.is_dir()).any(|path| {
        let Ok(mut reader) = JournalReader::open(&path) else { return false };
        reader.head().room == room && reader.next_record().is_ok_and(|record| record.is_some())
    })
}

/// What ann and bob, and an account that joins, are told of a full disk.
async fn play_full(table: &mut Table, server: &Running, ann: &mut Client, bob: &mut Client) {
    table.note("disk", "is full");
    table.say_until(ann, "full", false).await;
    table.notices(bob, &["chat is not saved any more", "this room is not saved any more"]).await;
    assert!(!table.say(ann, "still here").await);
    let (_, _, ready) = server.get("/readyz").await;
    assert!(ready.contains("chat is not saved"), "{ready}");
    ann.ask(command(Edit::Clear(Clear {}))).await;
    ann.ask(command(digit(7))).await;
    until_count(server, "scores_not_saved", 1).await;
    until_count(server, "profiles_not_saved", 1).await;
    table.note("game", "a score and a profile end with Failed");
    let mut cid = enter(server, Over::Quic, "cid").await;
    cid.ask_to_join(RoomChoice::Named("talk".to_owned()), "cid").await;
    match answer(&mut cid).await {
        ServerFrame::Refused { code: RefuseCode::Busy, text, .. } => table.note("account", &text),
        other => panic!("{other:?}"),
    }
    table.note_rate(server).await;
}

/// What they are told once there is place again, and what is kept.
async fn play_again(
    table: &mut Table,
    (server, journal): (&Running, &Path),
    ann: &mut Client,
    bob: &mut Client,
) {
    table.note("disk", "has place again");
    table.say_until(ann, "after", true).await;
    table.notices(bob, &["chat is saved again"]).await;
    assert_eq!(server.get("/readyz").await.2, "ready\n");
    // 7 was not saved; 71 is, and its clear.
    ann.ask(command(digit(1))).await;
    until_steps(ann, (71 + SAVED_STEPS) as i32).await;
    ann.ask(command(Edit::Clear(Clear {}))).await;
    until_steps(ann, CLEARED_STEPS as i32).await;
    table.note("game", "a profile and a score are saved");
    let mut dan = enter(server, Over::Quic, "dan").await;
    dan.join("cave", "dan").await;
    soon("the journal of another room", async {
        while !has_journal(journal, "cave") {
            dan.play(Keys::default()).await;
        }
    })
    .await;
    table.note("room", "a room that is made now has a journal");
}

/// A server does not start on a disk that is read-only.
async fn refuse_read_only(table: &mut Table, copy: &Disk, certs: &Path) {
    let config = ServerConfig {
        listen: SocketAddr::from((Ipv6Addr::LOCALHOST, 0)),
        certs_dir: certs.to_owned(),
        store: Some(copy.path("")),
        ..ServerConfig::default()
    };
    let error =
        Server::<Dots>::bind(config).await.err().expect("the disk is read-only").to_string();
    assert!(error.to_lowercase().contains("read-only"), "{error}");
    table.note("operator", &error);
}

#[tokio::test]
async fn what_players_are_told_of_a_full_disk_and_what_is_there_after_it() {
    if std::env::var_os(INSIDE).is_none() {
        run_inside();
        return;
    }
    let disk = Disk::mount();
    let (store, journal) = (disk.path("store"), disk.path("journal"));
    let server = start(&store, Some(journal.clone())).await;
    let mut table = Table { since: Instant::now(), lines: Vec::new(), saved: Vec::new() };
    let mut ann = enter(&server, Over::Quic, "ann").await;
    ann.join("talk", "ann").await;
    let mut bob = server.player(Over::Quic, "talk", "bob").await;
    assert!(table.say(&mut ann, "before").await);
    ann.ask(command(Edit::Clear(Clear {}))).await;
    until_steps(&mut ann, CLEARED_STEPS as i32).await;
    table.note("game", "a score and a message are saved");
    table.note_rate(&server).await;

    disk.fill();
    play_full(&mut table, &server, &mut ann, &mut bob).await;

    std::fs::remove_file(&disk.filler).unwrap();
    play_again(&mut table, (&server, &journal), &mut ann, &mut bob).await;

    let _files = server.killed().await;
    // The thread of the killed server may still have its file open.
    let copy = Disk::mount();
    std::fs::copy(store.join("store.redb"), copy.path("store.redb")).unwrap();
    copy.forbid_writing();
    refuse_read_only(&mut table, &copy, &disk.path("certs")).await;
    let writable = tempfile::tempdir().unwrap();
    std::fs::copy(copy.path("store.redb"), writable.path().join("store.redb")).unwrap();
    let server = start(writable.path(), None).await;
    let mut ann = enter(&server, Over::Quic, "ann").await;
    ann.join("talk", "ann").await;
    assert_eq!(all_messages(&mut ann).await, table.saved, "all that was told as saved");
    until_steps(&mut ann, 71).await;
    let (_, _, board) = server.get("/scores.json?board=clears").await;
    let board: Value = serde_json::from_str(&board).unwrap();
    assert_eq!(board["scores"][0]["score"], 2, "{board}");
    table.note("after a kill", "every message, profile and score that was told as saved is there");
    println!("{:#}", Value::Array(table.lines));
}
