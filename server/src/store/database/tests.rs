use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::store::SessionTag;
use crate::store::files::part_in;
use tickwire_shared::PlayerId;
use tickwire_shared::control::RequestId;

pub(super) const ALL: Retention = Retention {
    messages: 1000,
    rooms: 1000,
    profiles: 1000,
    sanctions: 1000,
    scores: ScoreRetention::FEW,
    dead_letters: 9,
};

pub(super) fn new(room: &str, id: u64) -> NewMessage {
    let message = ChatMessage {
        request: RequestId(0),
        id,
        time_ms: 1_700_000_000_000 + id,
        from: PlayerId(7),
        name: "alice".to_owned(),
        to: None,
        text: format!("number {id}"),
    };
    NewMessage { room: room.to_owned(), message, session: None }
}

impl Database {
    /// Keeps messages alone.
    pub(in crate::store) fn keep(
        &mut self,
        new: &[NewMessage],
        retention: Retention,
    ) -> Result<(), StoreError> {
        let batch = Batch { messages: new.to_vec(), ..Batch::default() };
        self.write(&batch, retention, &ProfileFences::new(0, 1)).map(drop)
    }

    /// Takes the table of messages away: until a server opens the store again, no page can be read.
    pub(in crate::store) fn lose_messages(&self) {
        let write = self.begin_write().unwrap();
        write.delete_table(MESSAGES).unwrap();
        write.commit().unwrap();
    }

    /// Puts a record in place of a message that does not decode.
    pub(in crate::store) fn damage(&self, room: &str, id: u64) {
        let write = self.begin_write().unwrap();
        self.table(&write, MESSAGES).unwrap().insert((room, id), &[255][..]).unwrap();
        write.commit().unwrap();
    }
}

fn ids(page: &ChatPage) -> Vec<u64> {
    page.messages.iter().map(|message| message.id).collect()
}

pub(super) fn page(database: &Database, room: &str, before: u64, count: u16) -> (Vec<u64>, bool) {
    let page = read(database, room, before, count);
    (ids(&page), page.has_older)
}

/// A page without a damaged record.
fn read(database: &Database, room: &str, before: u64, count: u16) -> ChatPage {
    let mut damaged = Vec::new();
    let page = database.read_page(room, (before, count), &mut damaged).unwrap();
    assert!(damaged.is_empty(), "{damaged:?}");
    page
}

#[test]
fn messages_come_back_whole_after_the_store_is_opened_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut database = Database::create(dir.path(), CACHE_BYTES).unwrap();
    database.keep(&[new("bay", 1), new("bay", 5), new("cave", 2)], ALL).unwrap();
    drop(database);
    let database = Database::create(dir.path(), CACHE_BYTES).unwrap();
    let page = read(&database, "bay", u64::MAX, 10);
    assert_eq!(page.messages, [new("bay", 1).message, new("bay", 5).message]);
    assert!(!page.has_older);
    assert_eq!((database.last_id("bay"), database.last_id("cave")), (5, 2));
    assert_eq!(database.last_id("nowhere"), 0);
}

#[test]
fn pages_go_backwards_and_tell_where_they_end() {
    let dir = tempfile::tempdir().unwrap();
    let mut database = Database::create(dir.path(), CACHE_BYTES).unwrap();
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
    let mut database = Database::create(dir.path(), CACHE_BYTES).unwrap();
    let long = (1..=200).map(|id| {
        let mut long = new("bay", id);
        long.message.text = "語".repeat(500);
        long
    });
    database.keep(&long.collect::<Vec<_>>(), ALL).unwrap();
    let page = read(&database, "bay", u64::MAX, 200);
    assert!(page.has_older);
    assert_eq!(page.messages.last().unwrap().id, 200);
    let bytes = postcard::to_allocvec(&page.messages).unwrap().len();
    assert!((40 * 1024..=PAGE_BYTES_MAX).contains(&bytes), "{bytes}");
}

#[test]
fn the_newest_messages_and_the_rooms_used_last_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let mut database = Database::create(dir.path(), CACHE_BYTES).unwrap();
    let few = Retention {
        messages: 3,
        rooms: 2,
        profiles: 1000,
        sanctions: 1000,
        scores: ScoreRetention::FEW,
        dead_letters: 9,
    };
    for id in 1..=5 {
        database.keep(&[new("bay", id)], few).unwrap();
    }
    assert_eq!(page(&database, "bay", u64::MAX, 9), (vec![3, 4, 5], false));
    database.keep(&[new("cave", 6), new("bay", 7), new("hill", 8)], few).unwrap();
    assert_eq!(page(&database, "cave", u64::MAX, 9), (vec![], false));
    assert_eq!(page(&database, "bay", u64::MAX, 9), (vec![4, 5, 7], false));
    assert_eq!(page(&database, "hill", u64::MAX, 9), (vec![8], false));
    assert_eq!(
        database.check().unwrap(),
        StoreCounts { rooms: 2, messages: 4, profiles: 0, scores: 0, sanctions: 0, topics: 0 }
    );
}

#[test]
fn a_lower_bound_of_messages_holds_with_the_next_message() {
    let dir = tempfile::tempdir().unwrap();
    let mut database = Database::create(dir.path(), CACHE_BYTES).unwrap();
    let all: Vec<_> = (1..=50).map(|id| new("bay", id)).collect();
    database.keep(&all, ALL).unwrap();
    database
        .keep(
            &[new("bay", 51)],
            Retention {
                messages: 2,
                rooms: 2,
                profiles: 1000,
                sanctions: 1000,
                scores: ScoreRetention::FEW,
                dead_letters: 9,
            },
        )
        .unwrap();
    assert_eq!(page(&database, "bay", u64::MAX, 200), (vec![50, 51], false));
    assert_eq!(
        database.check().unwrap(),
        StoreCounts { rooms: 1, messages: 2, profiles: 0, scores: 0, sanctions: 0, topics: 0 }
    );
}

#[test]
fn every_run_has_another_number() {
    let dir = tempfile::tempdir().unwrap();
    for start in 1..=3 {
        assert_eq!(
            Database::create(dir.path(), CACHE_BYTES).unwrap().count_run(32).unwrap(),
            start
        );
    }
}

#[test]
fn a_store_of_another_version_is_refused_and_stays_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let database = Database::create(dir.path(), CACHE_BYTES).unwrap();
    let write = database.begin_write().unwrap();
    database.table(&write, META).unwrap().insert("version", VERSION + 1).unwrap();
    write.commit().unwrap();
    drop(database);
    for opened in [
        Database::create(dir.path(), CACHE_BYTES),
        Database::open(dir.path(), false),
        Database::open(dir.path(), true),
    ] {
        let error = opened.unwrap_err();
        assert!(matches!(error, StoreError::Version { version: 5, .. }), "{error}");
        assert!(error.to_string().contains("is of version 5 of stores"), "{error}");
    }
}

#[test]
fn a_file_that_is_no_database_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(file_in(dir.path()), "not a database, and longer than any header ".repeat(99))
        .unwrap();
    for opened in [
        Database::create(dir.path(), CACHE_BYTES),
        Database::open(dir.path(), false),
        Database::open(dir.path(), true),
    ] {
        let error = opened.unwrap_err();
        assert!(matches!(error, StoreError::Corrupted { .. }), "{error}");
        let text = error.to_string();
        assert!(text.contains("store.redb is damaged") && text.contains("store backup"), "{text}");
    }
    let nothing = tempfile::tempdir().unwrap();
    assert!(matches!(Database::open(nothing.path(), false).unwrap_err(), StoreError::Missing(_)));
}

#[test]
fn two_servers_cannot_have_one_store() {
    let dir = tempfile::tempdir().unwrap();
    let _first = Database::create(dir.path(), CACHE_BYTES).unwrap();
    assert!(matches!(Database::create(dir.path(), CACHE_BYTES).unwrap_err(), StoreError::InUse(_)));
}

#[test]
fn a_check_names_the_record_that_does_not_decode() {
    let dir = tempfile::tempdir().unwrap();
    let mut database = Database::create(dir.path(), CACHE_BYTES).unwrap();
    database.keep(&[new("bay", 1), new("bay", 2)], ALL).unwrap();
    database.damage("bay", 2);
    let error = database.check().unwrap_err().to_string();
    assert!(error.contains("message 2 of room \"bay\" does not decode"), "{error}");
}

#[test]
fn a_check_names_a_room_whose_messages_are_not_all_there() {
    let dir = tempfile::tempdir().unwrap();
    let mut database = Database::create(dir.path(), CACHE_BYTES).unwrap();
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
    let mut database = Database::create(dir.path(), CACHE_BYTES).unwrap();
    database.keep(&[new("bay", 1)], ALL).unwrap();
    drop(database);
    let path = file_in(dir.path());
    let good = std::fs::read(&path).unwrap();
    let text = b"number 1";
    let places = good.windows(text.len()).enumerate().filter(|(_, bytes)| bytes == text);
    let mut bad = good.clone();
    for (at, _) in places {
        bad[at] = b'N';
    }
    assert_ne!(bad, good);
    std::fs::write(&path, bad).unwrap();
    let checked = Database::open(dir.path(), false).and_then(Database::check);
    assert!(checked.is_err(), "{checked:?}");
}

#[test]
fn a_copy_has_every_record_and_never_replaces_a_store() {
    let (dir, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let to = to.path().join("deep/copy");
    let mut database = Database::create(dir.path(), CACHE_BYTES).unwrap();
    database.count_run(32).unwrap();
    database.keep(&[new("bay", 1), new("bay", 2), new("cave", 3)], ALL).unwrap();
    assert_eq!(
        database.copy_to(&to).unwrap(),
        StoreCounts { rooms: 2, messages: 3, profiles: 0, scores: 0, sanctions: 0, topics: 0 }
    );
    assert!(matches!(database.copy_to(&to).unwrap_err(), StoreError::Exists(_)));
    let copy = Database::create(&to, CACHE_BYTES).unwrap();
    assert_eq!(read(&copy, "bay", 9, 9), read(&database, "bay", 9, 9));
    assert_eq!(copy.count_run(32).unwrap(), 2, "its numbers go on");
    assert_eq!(
        copy.check().unwrap(),
        StoreCounts { rooms: 2, messages: 3, profiles: 0, scores: 0, sanctions: 0, topics: 0 }
    );
}

#[test]
fn the_file_is_for_the_servers_user_alone_whatever_the_mode_of_its_directory() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    let database = Database::create(dir.path(), CACHE_BYTES).unwrap();
    let to = dir.path().join("copy");
    database.copy_to(&to).unwrap();
    for path in [file_in(dir.path()), file_in(&to)] {
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", path.display());
    }
}

#[test]
fn a_copy_that_did_not_come_to_its_end_is_in_nobodys_way() {
    let (dir, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut database = Database::create(dir.path(), CACHE_BYTES).unwrap();
    database.keep(&[new("bay", 1)], ALL).unwrap();
    std::fs::write(part_in(to.path()), "half a copy").unwrap();
    assert!(matches!(Database::open(to.path(), false).unwrap_err(), StoreError::Missing(_)));
    assert_eq!(
        database.copy_to(to.path()).unwrap(),
        StoreCounts { rooms: 1, messages: 1, profiles: 0, scores: 0, sanctions: 0, topics: 0 }
    );
    assert!(!part_in(to.path()).exists());
    let copy = Database::open(to.path(), true).unwrap();
    assert_eq!(
        copy.check().unwrap(),
        StoreCounts { rooms: 1, messages: 1, profiles: 0, scores: 0, sanctions: 0, topics: 0 }
    );
}

#[test]
fn a_page_leaves_a_damaged_record_out_and_counts_it_once() {
    let dir = tempfile::tempdir().unwrap();
    let mut database = Database::create(dir.path(), CACHE_BYTES).unwrap();
    database.keep(&[new("bay", 1), new("bay", 2), new("bay", 3)], ALL).unwrap();
    database.damage("bay", 2);
    let mut known = DamagedRecords::new();
    for (count, newly_damaged, has_older, wanted) in
        [(2, 1, false, vec![1, 3]), (2, 0, false, vec![1, 3]), (1, 0, true, vec![3])]
    {
        let found = database.page("bay", (9, count), &mut known).unwrap();
        assert_eq!((ids(&found.page), found.newly_damaged), (wanted, newly_damaged));
        assert_eq!(found.page.has_older, has_older);
    }
}

#[test]
fn a_damaged_line_of_a_room_is_counted_again_by_a_server_and_named_by_a_check() {
    let dir = tempfile::tempdir().unwrap();
    let mut database = Database::create(dir.path(), CACHE_BYTES).unwrap();
    database.keep(&[new("bay", 1), new("bay", 4), new("cave", 2)], ALL).unwrap();
    let line = database.rooms["bay"];
    let write = database.begin_write().unwrap();
    database.table(&write, ROOMS).unwrap().insert("bay", &[255][..]).unwrap();
    write.commit().unwrap();
    drop(database);
    let error = Database::open(dir.path(), false).unwrap_err().to_string();
    assert!(error.contains("room \"bay\" does not decode"), "{error}");
    let mut database = Database::create(dir.path(), CACHE_BYTES).unwrap();
    assert_eq!(database.rooms["bay"], line);
    database.keep(&[new("bay", 5)], ALL).unwrap();
    assert_eq!(
        database.check().unwrap(),
        StoreCounts { rooms: 2, messages: 4, profiles: 0, scores: 0, sanctions: 0, topics: 0 }
    );
}

/// Every flip of a byte is found, or changes nothing that anybody reads; none ends the process.
#[test]
fn a_file_that_something_else_has_changed_is_an_error_and_no_panic() {
    let dir = tempfile::tempdir().unwrap();
    let mut database = Database::create(dir.path(), CACHE_BYTES).unwrap();
    let all: Vec<_> = (1..=300).map(|id| new(["bay", "cave"][id as usize % 2], id)).collect();
    all.chunks(7).for_each(|some| database.keep(some, ALL).unwrap());
    drop(database);
    let path = file_in(dir.path());
    let good = std::fs::read(&path).unwrap();
    let used: Vec<usize> = (0..good.len()).filter(|&at| good[at] != 0).collect();
    // The header densely, and all else in even steps.
    let header = used.iter().copied().filter(|&at| at < 320).step_by(6);
    let rest = used.iter().copied().filter(|&at| at >= 320).step_by(used.len() / 80 + 1);
    let (mut flips, mut found) = (0, 0);
    for at in header.chain(rest) {
        let mut bad = good.clone();
        bad[at] ^= 0x55;
        let write = || std::fs::write(&path, &bad).unwrap();
        flips += 1;

        write();
        let checked = Database::open(dir.path(), false).and_then(Database::check);
        match checked {
            Ok(counts) => {
                assert_eq!(
                    counts,
                    StoreCounts {
                        rooms: 2,
                        messages: 300,
                        profiles: 0,
                        scores: 0,
                        sanctions: 0,
                        topics: 0
                    },
                    "{at}"
                );
            }
            Err(error) => {
                found += 1;
                assert!(error.to_string().contains("store.redb"), "{at}: {error}");
            }
        }

        write();
        let to = tempfile::tempdir().unwrap();
        let copied = Database::open(dir.path(), true).and_then(|from| from.copy_to(to.path()));
        assert_eq!(file_in(to.path()).exists(), copied.is_ok(), "{at}");
        assert!(!part_in(to.path()).exists(), "{at}");

        write();
        if let Ok(mut database) = Database::create(dir.path(), CACHE_BYTES) {
            let _ = guarded(&path, || database.page("bay", (999, 200), &mut DamagedRecords::new()));
            let _ = guarded(&path, || database.keep(&[new("bay", 301)], ALL));
            let _ = guarded(&path, move || {
                drop(database);
                Ok(())
            });
        }
    }
    // Most of the others are in pages that are free.
    assert!(flips > 80 && found > 10, "{found} of {flips}");
}

#[test]
fn the_messages_said_last_are_found_by_session_and_request_in_the_next_server() {
    let dir = tempfile::tempdir().unwrap();
    let mut database = Database::create(dir.path(), CACHE_BYTES).unwrap();
    let said = |id: u64, session: Option<u64>| {
        let mut said = new("bay", id);
        said.message.request = RequestId(id as u32 % 3);
        NewMessage { session: session.map(SessionTag), ..said }
    };
    database.keep(&[said(1, Some(5)), said(2, None), said(3, Some(6))], ALL).unwrap();
    database.keep(&[said(4, Some(6))], ALL).unwrap();
    let to = tempfile::tempdir().unwrap();
    database.copy_to(to.path()).unwrap();
    drop(database);
    for place in [&dir, &to] {
        let found = Database::create(place.path(), CACHE_BYTES).unwrap().said().unwrap();
        let mut ids: Vec<_> = found
            .iter()
            .map(|((session, request), message)| (session.0, request.0, message.id))
            .collect();
        ids.sort_unstable();
        assert_eq!(ids, [(5, 1, 1), (6, 0, 3), (6, 1, 4)]);
        assert_eq!(found[&(SessionTag(6), RequestId(1))], said(4, None).message);
    }
}

#[test]
fn messages_said_long_ago_are_found_no_more() {
    let dir = tempfile::tempdir().unwrap();
    let mut database = Database::create(dir.path(), CACHE_BYTES).unwrap();
    let all: Vec<_> = (1..=4100)
        .map(|id| {
            let mut said = NewMessage { session: Some(SessionTag(1)), ..new("bay", id) };
            said.message.request = RequestId(id as u32);
            said
        })
        .collect();
    let many = Retention {
        messages: 10_000,
        rooms: 10,
        profiles: 10,
        sanctions: 1000,
        scores: ScoreRetention::FEW,
        dead_letters: 9,
    };
    all.chunks(256).for_each(|some| database.keep(some, many).unwrap());
    let found = database.said().unwrap();
    assert_eq!(found.len(), 4096);
    assert_eq!(found.keys().map(|(_, request)| request.0).min(), Some(5));
}
