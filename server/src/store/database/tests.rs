use super::*;
use tickwire_shared::PlayerId;
use tickwire_shared::control::RequestId;

const ALL: Retention = Retention { messages: 1000, rooms: 1000 };

fn new(room: &str, id: u64) -> NewMessage {
    let message = ChatMessage {
        request: RequestId(0),
        id,
        time_ms: 1_700_000_000_000 + id,
        from: PlayerId(7),
        name: "alice".to_owned(),
        to: None,
        text: format!("number {id}"),
    };
    NewMessage { room: room.to_owned(), message }
}

fn ids(page: &ChatPage) -> Vec<u64> {
    page.messages.iter().map(|message| message.id).collect()
}

fn page(database: &Database, room: &str, before: u64, count: u16) -> (Vec<u64>, bool) {
    let page = database.page(room, before, count).unwrap();
    (ids(&page), page.has_older)
}

#[test]
fn messages_come_back_whole_after_the_store_is_opened_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut database = Database::create(dir.path()).unwrap();
    database.keep(&[new("bay", 1), new("bay", 5), new("cave", 2)], ALL).unwrap();
    drop(database);
    let database = Database::create(dir.path()).unwrap();
    let page = database.page("bay", u64::MAX, 10).unwrap();
    assert_eq!(page.messages, [new("bay", 1).message, new("bay", 5).message]);
    assert!(!page.has_older);
    assert_eq!((database.last_id("bay"), database.last_id("cave")), (5, 2));
    assert_eq!(database.last_id("nowhere"), 0);
}

#[test]
fn pages_go_backwards_and_tell_where_they_end() {
    let dir = tempfile::tempdir().unwrap();
    let mut database = Database::create(dir.path()).unwrap();
    let all: Vec<_> = (1..=5).flat_map(|id| [new("b", id), new("a", id), new("ba", id)]).collect();
    database.keep(&all, ALL).unwrap();
    assert_eq!(page(&database, "b", u64::MAX, 2), (vec![4, 5], true));
    assert_eq!(page(&database, "b", 4, 2), (vec![2, 3], true));
    assert_eq!(page(&database, "b", 2, 2), (vec![1], false));
    assert_eq!(page(&database, "b", 1, 2), (vec![], false));
    assert_eq!(page(&database, "b", 6, 5), (vec![1, 2, 3, 4, 5], false));
    assert_eq!(page(&database, "b", 0, 5), (vec![], false));
}

#[test]
fn a_page_fits_a_frame_whatever_is_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let mut database = Database::create(dir.path()).unwrap();
    let long = (1..=200).map(|id| {
        let mut long = new("bay", id);
        long.message.text = "語".repeat(500);
        long
    });
    database.keep(&long.collect::<Vec<_>>(), ALL).unwrap();
    let page = database.page("bay", u64::MAX, 200).unwrap();
    assert!(page.has_older);
    assert_eq!(page.messages.last().unwrap().id, 200);
    let bytes = postcard::to_allocvec(&page.messages).unwrap().len();
    assert!((40 * 1024..=PAGE_BYTES_MAX).contains(&bytes), "{bytes}");
}

#[test]
fn the_newest_messages_and_the_rooms_used_last_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let mut database = Database::create(dir.path()).unwrap();
    let few = Retention { messages: 3, rooms: 2 };
    for id in 1..=5 {
        database.keep(&[new("bay", id)], few).unwrap();
    }
    assert_eq!(page(&database, "bay", u64::MAX, 9), (vec![3, 4, 5], false));
    database.keep(&[new("cave", 6), new("bay", 7), new("hill", 8)], few).unwrap();
    assert_eq!(page(&database, "cave", u64::MAX, 9), (vec![], false));
    assert_eq!(page(&database, "bay", u64::MAX, 9), (vec![4, 5, 7], false));
    assert_eq!(page(&database, "hill", u64::MAX, 9), (vec![8], false));
    assert_eq!(database.check().unwrap(), StoreCounts { rooms: 2, messages: 4 });
}

#[test]
fn a_lower_bound_of_messages_holds_with_the_next_message() {
    let dir = tempfile::tempdir().unwrap();
    let mut database = Database::create(dir.path()).unwrap();
    let all: Vec<_> = (1..=50).map(|id| new("bay", id)).collect();
    database.keep(&all, ALL).unwrap();
    database.keep(&[new("bay", 51)], Retention { messages: 2, rooms: 2 }).unwrap();
    assert_eq!(page(&database, "bay", u64::MAX, 200), (vec![50, 51], false));
    assert_eq!(database.check().unwrap(), StoreCounts { rooms: 1, messages: 2 });
}

#[test]
fn every_run_has_another_number() {
    let dir = tempfile::tempdir().unwrap();
    for start in 1..=3 {
        assert_eq!(Database::create(dir.path()).unwrap().count_run(32).unwrap(), start);
    }
}

#[test]
fn a_store_of_another_version_is_refused_and_stays_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let database = Database::create(dir.path()).unwrap();
    let write = database.begin_write().unwrap();
    database.table(&write, META).unwrap().insert("version", 2).unwrap();
    write.commit().unwrap();
    drop(database);
    for opened in [Database::create(dir.path()), Database::open(dir.path())] {
        let error = opened.unwrap_err();
        assert!(matches!(error, StoreError::Version { version: 2, .. }), "{error}");
        assert!(error.to_string().contains("is of version 2 of stores"), "{error}");
    }
}

#[test]
fn a_file_that_is_no_database_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join(FILE), "not a database, and longer than any header ".repeat(99))
        .unwrap();
    for opened in [Database::create(dir.path()), Database::open(dir.path())] {
        assert!(matches!(opened.unwrap_err(), StoreError::Database { .. }));
    }
    let nothing = tempfile::tempdir().unwrap();
    assert!(matches!(Database::open(nothing.path()).unwrap_err(), StoreError::Missing(_)));
}

#[test]
fn two_servers_cannot_have_one_store() {
    let dir = tempfile::tempdir().unwrap();
    let _first = Database::create(dir.path()).unwrap();
    assert!(matches!(Database::create(dir.path()).unwrap_err(), StoreError::InUse(_)));
}

#[test]
fn a_check_names_the_record_that_does_not_decode() {
    let dir = tempfile::tempdir().unwrap();
    let mut database = Database::create(dir.path()).unwrap();
    database.keep(&[new("bay", 1), new("bay", 2)], ALL).unwrap();
    let write = database.begin_write().unwrap();
    database.table(&write, MESSAGES).unwrap().insert(("bay", 2), &[255][..]).unwrap();
    write.commit().unwrap();
    assert!(matches!(database.page("bay", 9, 9).unwrap_err(), StoreError::Damaged { .. }));
    let error = database.check().unwrap_err().to_string();
    assert!(error.contains("message 2 of room \"bay\" does not decode"), "{error}");
}

#[test]
fn a_check_names_a_room_whose_messages_are_not_all_there() {
    let dir = tempfile::tempdir().unwrap();
    let mut database = Database::create(dir.path()).unwrap();
    database.keep(&[new("bay", 1), new("bay", 2)], ALL).unwrap();
    let write = database.begin_write().unwrap();
    database.table(&write, MESSAGES).unwrap().remove(("bay", 1)).unwrap();
    write.commit().unwrap();
    let error = database.check().unwrap_err().to_string();
    assert!(error.contains("room \"bay\" should have 2 messages"), "{error}");
}

#[test]
fn a_changed_byte_never_passes_a_check_as_another_message() {
    let dir = tempfile::tempdir().unwrap();
    let mut database = Database::create(dir.path()).unwrap();
    database.keep(&[new("bay", 1)], ALL).unwrap();
    drop(database);
    let path = dir.path().join(FILE);
    let good = std::fs::read(&path).unwrap();
    let text = b"number 1";
    let places = good.windows(text.len()).enumerate().filter(|(_, bytes)| bytes == text);
    let mut bad = good.clone();
    for (at, _) in places {
        bad[at] = b'N';
    }
    assert_ne!(bad, good);
    std::fs::write(&path, bad).unwrap();
    let checked = Database::open(dir.path()).and_then(Database::check);
    assert!(checked.is_err(), "{checked:?}");
}

#[test]
fn a_copy_has_every_record_and_never_replaces_a_store() {
    let (dir, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let to = to.path().join("deep/copy");
    let mut database = Database::create(dir.path()).unwrap();
    database.count_run(32).unwrap();
    database.keep(&[new("bay", 1), new("bay", 2), new("cave", 3)], ALL).unwrap();
    assert_eq!(database.copy_to(&to).unwrap(), StoreCounts { rooms: 2, messages: 3 });
    assert!(matches!(database.copy_to(&to).unwrap_err(), StoreError::Exists(_)));
    let copy = Database::create(&to).unwrap();
    assert_eq!(copy.page("bay", 9, 9).unwrap(), database.page("bay", 9, 9).unwrap());
    assert_eq!(copy.count_run(32).unwrap(), 2, "its numbers go on");
    assert_eq!(copy.check().unwrap(), StoreCounts { rooms: 2, messages: 3 });
}
