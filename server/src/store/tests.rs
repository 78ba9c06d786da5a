use std::path::Path;

use super::*;

fn new(id: u64, text: String) -> NewMessage {
    let (request, from, name) = (RequestId(9), PlayerId(7), "alice".to_owned());
    let message = ChatMessage { request, id, time_ms: 5, from, name, to: None, text };
    NewMessage { room: "bay".to_owned(), message, session: None }
}

fn start(dir: &Path) -> (ServerStore, mpsc::Receiver<StoreEvent>) {
    let store = Some(dir.to_owned());
    let config = ServerConfig { store, store_queued_bytes: 65_536, ..ServerConfig::default() };
    ServerStore::start(&config).unwrap().unwrap()
}

/// Stops the store, once all that waits is written.
fn stop(store: ServerStore) {
    store.stop();
    while !store.is_written() {
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn what_waits_at_the_stop_is_written_and_numbers_go_on_beyond_it() {
    let dir = tempfile::tempdir().unwrap();
    let (store, mut events) = start(dir.path());
    let first = store.highest_id();
    // Of a room that went on from a journal: far beyond the numbers of this run.
    let far = first + (7 << RUN_SHIFT) + 3;
    assert!(store.keep(new(first + 1, "near".to_owned())));
    assert!(store.keep(new(far, "far".to_owned())));
    store.note_id(far);
    assert_eq!(store.highest_id(), far);
    stop(store);
    for kept in [first + 1, far] {
        let (sender, request) = (PlayerId(7), RequestId(9));
        let event = StoreEvent::Kept { sender, request, id: kept, is_saved: true };
        assert_eq!(events.blocking_recv(), Some(event));
    }
    let (store, _events) = start(dir.path());
    assert!(store.highest_id() > far);
    let next = store.highest_id();
    stop(store);
    let (store, _events) = start(dir.path());
    assert!(store.highest_id() > next, "notices are not on disk, and have numbers too");
    stop(store);
}

#[test]
fn a_message_that_finds_no_place_in_the_queue_is_not_taken() {
    let dir = tempfile::tempdir().unwrap();
    let (store, mut events) = start(dir.path());
    assert!(!store.keep(new(1, "x".repeat(65_536))));
    assert!(store.keep(new(2, "fits".to_owned())));
    stop(store);
    assert!(matches!(events.blocking_recv(), Some(StoreEvent::Kept { id: 2, is_saved: true, .. })));
    assert_eq!(events.blocking_recv(), None);
}

#[tokio::test]
async fn by_hand_more_is_served_than_results_fit_their_queue() {
    let dir = tempfile::tempdir().unwrap();
    let config = ServerConfig { store: Some(dir.path().to_owned()), ..ServerConfig::default() };
    let (store, mut work, mut events) = ServerStore::by_hand(&config).unwrap().unwrap();
    let count = 2000;
    assert!((1..=count).all(|id| store.keep(new(id, "said".to_owned()))));
    let mut saved = 0;
    while work.commit() {
        while let Ok(event) = events.try_recv() {
            saved += u64::from(matches!(event, StoreEvent::Kept { is_saved: true, .. }));
        }
    }
    assert_eq!(saved, count);
}

#[test]
fn a_page_at_a_join_ends_with_what_was_said_before_it() {
    let dir = tempfile::tempdir().unwrap();
    let (store, mut events) = start(dir.path());
    let (room, count) = ("bay".to_owned(), 9);
    let wanted = PageRequest { player: PlayerId(8), request: None, room, before: None, count };
    assert!(store.keep(new(1, "before".to_owned())));
    assert!(store.look_up(wanted));
    assert!(store.keep(new(2, "after".to_owned())));
    stop(store);
    let mut pages = 0;
    while let Some(event) = events.blocking_recv() {
        if let StoreEvent::Page(_, Some(page)) = event {
            let ids: Vec<u64> = page.messages.iter().map(|message| message.id).collect();
            assert_eq!(ids, [1]);
            pages += 1;
        }
    }
    assert_eq!(pages, 1);
}

#[test]
fn look_ups_leave_messages_their_part_of_the_queue() {
    let dir = tempfile::tempdir().unwrap();
    let config = ServerConfig {
        store: Some(dir.path().to_owned()),
        store_queued_max: 16,
        // Nothing is taken out of the queue meanwhile, but for the first batch.
        store_commit_ms: 10_000,
        ..ServerConfig::default()
    };
    let (store, mut events) = ServerStore::start(&config).unwrap().unwrap();
    let wanted = PageRequest {
        player: PlayerId(8),
        request: None,
        room: "bay".to_owned(),
        before: None,
        count: 9,
    };
    // Of the queue's share, not of what the thread has taken.
    let state = &store.state;
    let bytes = StoreRequest::Page(wanted.clone()).bytes();
    let taken = (0..100).filter(|_| state.look_ups.take(bytes, store.part_max)).count();
    assert_eq!(taken, 4);
    assert!(!store.look_up(wanted.clone()), "no place for look-ups");
    for id in 1..=12 {
        assert!(store.keep(new(id, "kept".to_owned())), "{id}");
    }
    (0..taken).for_each(|_| state.look_ups.give_back(bytes));
    assert!(store.look_up(wanted));
    stop(store);
    let mut saved = 0;
    while let Some(event) = events.blocking_recv() {
        saved += u32::from(matches!(event, StoreEvent::Kept { is_saved: true, .. }));
    }
    assert_eq!(saved, 12);
}

#[test]
fn messages_have_a_part_of_the_queue_however_short_it_is() {
    for store_queued_max in [16, 64, 8192] {
        let dir = tempfile::tempdir().unwrap();
        let store = Some(dir.path().to_owned());
        let config = ServerConfig { store, store_queued_max, ..ServerConfig::default() };
        let (store, _events) = ServerStore::start(&config).unwrap().unwrap();
        let (part, looks) = (store.part_max, store.score_looks_max().requests);
        let others = 3 * part.requests + part.part(2).requests + looks;
        assert!(looks > 0 && others < store_queued_max, "{others} of {store_queued_max}");
        stop(store);
    }
}

#[test]
fn counts_tell_what_the_store_did() {
    let dir = tempfile::tempdir().unwrap();
    let (store, mut events) = start(dir.path());
    assert!(!store.keep(new(1, "x".repeat(65_536))));
    assert!(store.keep(new(2, "fits".to_owned())));
    assert!(matches!(events.blocking_recv(), Some(StoreEvent::Kept { id: 2, is_saved: true, .. })));
    let StoreStats { messages_kept, messages_not_kept, queued, queued_bytes, .. } = store.stats();
    assert_eq!((messages_kept, messages_not_kept, queued, queued_bytes), (1, 1, 0, 0));
    stop(store);
}
