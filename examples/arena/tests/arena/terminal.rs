//! The terminal client in a real terminal (tmux), against a real server.

use std::collections::BTreeSet;
use std::time::Duration;

use tickwire_arena::rules::{Arena, Entity};
use tickwire_client::{Client, ClientEvent, ConnectOptions};
use tickwire_shared::EntityId;
use tickwire_shared::control::{ServerChat, ServerFrame};

use crate::support::{ArenaServer, Terminal};

#[test]
fn it_flies_shoots_chats_and_gives_the_terminal_back() {
    let server = ArenaServer::start(&[]);
    let terminal = Terminal::run(&server, &["--name", "Tess", "--room", "dock"]);
    terminal.wait_for("hull 100");
    for text in ["azure 0", "Tess", "room dock", "q quits"] {
        terminal.wait_for(text);
    }
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let mut peer = Peer::watch(&server, "Remote", "dock").await;
        terminal.wait_for("Remote");

        // Both chats pass, and what is typed does not fly the ship or quit.
        peer.client.say("welcome aboard");
        peer.client.update();
        terminal.wait_for("Remote: welcome aboard");
        terminal.press(&["Enter"]);
        terminal.type_text("a quick wasd question");
        terminal.press(&["Enter"]);
        terminal.wait_for("Tess: a quick wasd question");
        peer.until("the chat message", |peer| peer.heard.contains("a quick wasd question")).await;

        // The other client, which watches the best pilot, sees it turn, fly and shoot.
        peer.until("Tess", |peer| peer.ship("Tess").is_some()).await;
        let before = peer.ship("Tess").expect("it was there");
        // Keys are pressed for as long as it takes, as a keyboard that repeats does.
        peer.until("Tess to fly and turn", |peer| {
            terminal.press(&["Up", "Left"]);
            peer.ship("Tess").is_some_and(|ship| {
                ship.pos.distance(before.pos) > 20.0 && ship.heading != before.heading
            })
        })
        .await;
        let shots = |peer: &Peer| {
            peer.client.entities().filter(|seen| matches!(seen.entity, Entity::Shot(_))).count()
        };
        peer.until("a shot", |peer| {
            terminal.press(&["Space"]);
            shots(peer) > 0
        })
        .await;
        terminal.hold_until_change(&["Space"], "heat 0");
        peer.client.close().await;
    });

    terminal.press(&["q"]);
    let screen = terminal.wait_for("ended with 0");
    assert!(screen.contains("goodbye; your score was"), "{screen}");
    assert!(!screen.contains("hull"), "the picture is still there:\n{screen}");
    // Echo and line editing are back.
    terminal.type_text("echo still-$((40 + 2))");
    terminal.press(&["Enter"]);
    terminal.wait_for("still-42");
}

#[test]
fn control_c_and_sigterm_end_it_well() {
    let server = ArenaServer::start(&[]);
    let terminal = Terminal::run(&server, &["--name", "Ctrl"]);
    terminal.wait_for("hull 100");
    terminal.press(&["Enter"]);
    terminal.press(&["C-c"]);
    terminal.wait_for("ended with 0");

    let terminal = Terminal::run(&server, &["--name", "Term"]);
    terminal.wait_for("hull 100");
    terminal.terminate_client();
    terminal.wait_for("ended with 0");
}

#[test]
fn it_says_why_it_cannot_play() {
    let server = ArenaServer::start(&["--room-players-max", "1"]);
    let first = Terminal::run(&server, &["--name", "First", "--room", "small"]);
    first.wait_for("hull 100");
    let second = Terminal::run(&server, &["--name", "Second", "--room", "small"]);
    let screen = second.wait_for("ended with 1");
    assert!(screen.contains("error: you cannot play as \"Second\""), "{screen}");
    assert!(screen.contains("every seat in this room is taken, 1 of 1"), "{screen}");

    drop(server);
    let screen = first.wait_for("ended with 1");
    assert!(screen.contains("the server is stopping"), "{screen}");

    let nobody = Terminal::run_at("quic://[::1]:9", &[]);
    let screen = nobody.wait_for("ended with 1");
    assert!(screen.contains("no server answers at quic://[::1]:9"), "{screen}");
}

#[test]
fn it_watches_without_a_ship() {
    let server = ArenaServer::start(&[]);
    let player = Terminal::run(&server, &["--name", "Pilot", "--room", "show"]);
    player.wait_for("hull 100");
    let watcher = Terminal::run(&server, &["--name", "Fan", "--room", "show", "--watch"]);
    watcher.wait_for("watching");
    watcher.wait_for("Pilot");
    watcher.press(&["q"]);
    watcher.wait_for("ended with 0");
    player.press(&["q"]);
}

#[test]
fn it_says_when_the_server_is_silent_and_goes_on_when_it_is_back() {
    let server = ArenaServer::start(&[]);
    let terminal = Terminal::run(&server, &["--name", "Tess"]);
    terminal.wait_for("hull 100");
    server.signal("STOP");
    terminal.wait_for("no word from the server for");
    server.signal("CONT");
    terminal.wait_for_change("no word from the server");
    terminal.press(&["q"]);
    terminal.wait_for("ended with 0");
}

/// A native client beside the terminal.
struct Peer {
    client: Client<Arena>,
    heard: BTreeSet<String>,
}

impl Peer {
    /// Watches the only pilot of a room: two that play may begin out of each other's sight.
    async fn watch(server: &ArenaServer, name: &str, room: &str) -> Peer {
        let options = ConnectOptions::default();
        let client = Client::<Arena>::connect(&server.target, options).await.unwrap();
        let mut peer = Peer { client, heard: BTreeSet::new() };
        peer.client.spectate(room, name);
        peer.until("a seat", |peer| peer.client.room().is_some()).await;
        peer.until("the world", |peer| peer.client.entities().count() > 3).await;
        peer
    }

    /// Updates until `done`, half a minute at most.
    async fn until(&mut self, what: &str, done: impl Fn(&Peer) -> bool) {
        for _ in 0..6000 {
            self.client.update();
            while let Some(event) = self.client.poll_event() {
                match event {
                    ClientEvent::Chat(ServerChat::Message(said)) => {
                        self.heard.insert(said.text);
                    }
                    ClientEvent::Control(ServerFrame::Refused { text, .. }) => panic!("{text}"),
                    ClientEvent::Over { text, .. } => panic!("{text}"),
                    _ => {}
                }
            }
            if done(self) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("waited in vain for {what}; {:?}", self.client.stats());
    }

    fn ship(&self, name: &str) -> Option<tickwire_arena::rules::Ship> {
        let member = self.client.members().find(|member| member.name == name)?;
        let id = EntityId(member.player.0);
        self.client.entities().find_map(|seen| match seen.entity {
            Entity::Ship(ship) if seen.id == id => Some(ship),
            _ => None,
        })
    }
}
