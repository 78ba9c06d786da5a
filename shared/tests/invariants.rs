//! The first three invariants of the book's chapter on architecture, and that no two files import each other, held by reading
//! the sources of the repository.

mod circles;
mod sources;
mod vocabulary;

use sources::{Source, found, lines_where, sources};

#[test]
fn the_protocol_the_room_and_the_session_never_wait_read_a_clock_or_touch_a_socket() {
    let pure = ["shared/src", "server/src/room", "server/src/room.rs"];
    let topics = [
        "server/src/topics.rs",
        "server/src/topics/level_trie.rs",
        "server/src/topics/log.rs",
        "server/src/topics/merged.rs",
        "server/src/topics/orders.rs",
        "server/src/topics/pattern.rs",
        "server/src/topics/publishers.rs",
        "server/src/topics/stored.rs",
        "server/src/topics/subscriber.rs",
        "server/src/topics/usage.rs",
    ];
    let session = ["client/src/session", "client/src/session.rs"];
    let forbidden = [
        "async ",
        ".await",
        "Instant::now",
        ".elapsed()",
        "SystemTime",
        "std::net",
        "std::fs",
        "std::io",
        "std::env",
        "std::thread",
        "tokio",
        "quinn",
        "wtransport",
        "rand::",
        "getrandom",
    ];
    assert_eq!(found(&sources(&[&pure[..], &topics, &session].concat()), &forbidden), [""; 0]);
}

#[test]
fn a_transport_knows_no_game() {
    let transport = sources(&["server/src/transport", "server/src/transport.rs"]);
    let names =
        ["Simulation", "PlayerId", "EntityId", "ToRoom", "FromRoom", "Room", "Snapshot", "Tick"];
    assert_eq!(found(&transport, &names), [""; 0]);
    assert_eq!(
        modules_beyond(&transport, "crate::", &["config", "token_bucket", "transport"]),
        [""; 0]
    );
    // The close code, which goes onto the wire as a number, and which stream is which.
    let wire = ["control", "websocket"];
    assert_eq!(modules_beyond(&transport, "tickwire_shared::", &wire), [""; 0]);
}

#[test]
fn a_room_knows_no_transport() {
    let room = sources(&["server/src/room", "server/src/room.rs"]);
    let names = ["Session", "SendHalf", "RecvHalf", "Connection", "Datagram<", "Bytes"];
    assert_eq!(found(&room, &names), [""; 0]);
    // `guard` catches the panics of a game's rules, and knows nothing else.
    let known = ["config", "guard", "room", "token_bucket"];
    assert_eq!(modules_beyond(&room, "crate::", &known), [""; 0]);
}

#[test]
fn every_queue_of_the_server_takes_its_bound_from_the_configuration() {
    let mut server = sources(&["server/src"]);
    server.retain(|source| !source.path.starts_with("server/src/config"));
    assert_eq!(lines_where(&server, |line| line.contains("unbounded")), [""; 0]);
    let bounded =
        ["channel(", "channel::<", "BoundedQueue::new(", "Semaphore::new(", "Bucket::new("];
    let is_literal = |rest: &str| rest.starts_with(|first: char| first.is_ascii_digit());
    let literal = lines_where(&server, |line| {
        bounded.iter().any(|call| line.split(call).skip(1).any(is_literal))
    });
    assert_eq!(literal, [""; 0]);
    // The one queue that grows by itself is behind the one that counts.
    server.retain(|source| source.path != "server/src/scheduler/queue.rs");
    assert_eq!(found(&server, &["SegQueue", "LinkedList", "mpsc::Sender"]), [""; 0]);
}

#[test]
fn every_number_of_the_configuration_has_a_unit_a_range_and_a_use() {
    const UNITS: [&str; 13] = [
        "max", "percent", "bytes", "ticks", "messages", "s", "ms", "us", "hz", "burst", "threads",
        "priority", "above",
    ];
    let config = sources(&["server/src/config.rs", "server/src/config/webhooks.rs"]);
    let mut server = sources(&["server/src"]);
    server.retain(|source| !source.path.starts_with("server/src/config/"));
    let mut numbers = 0;
    for (_, line) in config.iter().flat_map(|source| &source.code) {
        let Some((name, rest)) = line.trim().split_once(": ") else { continue };
        let Some((ty, _)) = rest.split_once(" = ") else { continue };
        if !["u8", "u16", "u32", "u64", "usize"].contains(&ty) {
            continue;
        }
        numbers += 1;
        assert!(line.contains(", in "), "{name} has no range");
        let unit = name.rsplit('_').next().unwrap();
        assert!(UNITS.contains(&unit), "{name} names no unit");
        assert!(!found(&server, &[&format!(".{name}")]).is_empty(), "{name} bounds nothing");
    }
    assert!(numbers > 40, "only {numbers} numbers were found");
}

/// Where a path that begins with `root` goes on with none of `allowed`.
fn modules_beyond(sources: &[Source], root: &str, allowed: &[&str]) -> Vec<String> {
    lines_where(sources, |line| {
        line.split(root).skip(1).any(|rest| {
            let name = rest.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
            !allowed.contains(&name.clone().next().unwrap())
        })
    })
}
