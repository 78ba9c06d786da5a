use tickwire_shared::PlayerId;
use tickwire_shared::control::{TopicMessage, TopicMessageKind};

use super::super::tests::{ALL, new, page};
use super::super::{Batch, CACHE_BYTES, Database, META};
use super::*;
use crate::store::fences::ProfileFences;

fn topic_message(topic: &str, sequence: u64, dropped: &[u64]) -> TopicChange {
    let message = TopicMessage {
        sequence,
        time_ms: 1_700_000_000_000,
        from: PlayerId(7),
        key: "k".to_owned(),
        kind: TopicMessageKind::Value,
        payload: vec![0; 100],
    };
    TopicChange::Keep(NewStoredMessage {
        topic: topic.to_owned(),
        log: 5,
        sequence,
        order: 10 * sequence,
        coded: postcard::to_allocvec(&message).unwrap().into(),
        dropped: dropped.to_vec(),
    })
}

/// A topic with its log, and the places and numbers of its messages.
type ReadTopic = (String, u64, Vec<(u64, u64)>);

impl Database {
    fn change(&mut self, topics: Vec<TopicChange>) {
        let batch = Batch { topics, ..Batch::default() };
        self.write(&batch, ALL, &ProfileFences::new(0, 1)).unwrap();
    }

    fn topics(&self) -> Vec<ReadTopic> {
        let mut found = Vec::new();
        self.read_topics(|StoredTopic { name, log, messages }| {
            let places = messages.iter().map(|it| (it.order, it.message.sequence));
            found.push((name, log, places.collect()));
        })
        .unwrap();
        found
    }
}

#[test]
fn topics_are_kept_as_long_as_they_are_there_and_runs_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    let mut database = Database::create(dir.path(), CACHE_BYTES).unwrap();
    let runs = database.begin_topics(0, 77).unwrap();
    assert_eq!((runs.list, runs.run, runs.gone_order), (77, 1, 0));
    let change = |sequence, dropped: &[u64]| topic_message("a", sequence, dropped);
    database.change(vec![
        change(1, &[]),
        change(2, &[]),
        change(3, &[1]),
        topic_message("b", 9, &[]),
    ]);
    assert_eq!(
        database.topics(),
        [("a".into(), 5, vec![(20, 2), (30, 3)]), ("b".into(), 5, vec![(90, 9)])]
    );
    database.change(vec![TopicChange::Drop { topic: "b".to_owned(), order: 90 }]);
    drop(database);
    let mut database = Database::create(dir.path(), CACHE_BYTES).unwrap();
    let newest = database.read_topics(drop).unwrap();
    assert_eq!(newest, 30);
    let runs = database.begin_topics(newest, 78).unwrap();
    assert_eq!((runs.list, runs.run, runs.gone_order), (77, 2, 90));
    assert_eq!(runs.begins, [(1, 0), (2, 90)].into());
    // The messages of another log of this name go with its first one.
    let mut other = topic_message("a", 1, &[]);
    if let TopicChange::Keep(new) = &mut other {
        new.log = 6;
    }
    database.change(vec![other]);
    assert_eq!(database.topics(), [("a".into(), 6, vec![(10, 1)])]);
    for _ in 0..100 {
        assert!(database.begin_topics(0, 0).unwrap().begins.len() <= 64);
    }
    let copy = tempfile::tempdir().unwrap();
    assert_eq!(database.copy_to(copy.path()).unwrap().topics, 1);
    drop(database);
    for dir in [dir.path(), copy.path()] {
        let database = Database::open(dir, true).unwrap();
        assert_eq!(database.topics(), [("a".into(), 6, vec![(10, 1)])]);
        assert_eq!(database.check().unwrap().topics, 1);
    }
}

#[test]
fn a_store_of_version_3_gets_the_tables_of_topics() {
    let dir = tempfile::tempdir().unwrap();
    let mut database = Database::create(dir.path(), CACHE_BYTES).unwrap();
    database.keep(&[new("bay", 1)], ALL).unwrap();
    let older = database.begin_write().unwrap();
    for table in ["topics", "topic_messages", "topic_runs"] {
        let found = match table {
            "topics" => older.delete_table(TOPICS),
            "topic_messages" => older.delete_table(TOPIC_MESSAGES),
            _ => older.delete_table(TOPIC_RUNS),
        };
        assert!(found.unwrap(), "{table}");
    }
    database.table(&older, META).unwrap().insert("version", 3).unwrap();
    older.commit().unwrap();
    drop(database);
    // The command `store` reads it as it is.
    let copy = tempfile::tempdir().unwrap();
    let database = Database::open(dir.path(), true).unwrap();
    assert_eq!(database.copy_to(copy.path()).unwrap().topics, 0);
    assert_eq!(database.check().unwrap().topics, 0);
    let mut database = Database::create(dir.path(), CACHE_BYTES).unwrap();
    database.change(vec![topic_message("a", 1, &[])]);
    assert_eq!(database.topics().len(), 1);
    assert_eq!(page(&database, "bay", u64::MAX, 9).0, [1]);
}

#[test]
fn a_damaged_message_of_a_topic_is_left_out_and_found_by_the_check() {
    let dir = tempfile::tempdir().unwrap();
    let mut database = Database::create(dir.path(), CACHE_BYTES).unwrap();
    database.change((1..=3).map(|sequence| topic_message("a", sequence, &[])).collect());
    let write = database.begin_write().unwrap();
    database.table(&write, TOPIC_MESSAGES).unwrap().insert(("a", 2), &[255][..]).unwrap();
    write.commit().unwrap();
    assert_eq!(database.topics(), [("a".into(), 5, vec![(10, 1), (30, 3)])]);
    let error = database.check().unwrap_err().to_string();
    assert!(error.contains("message 2 of topic \"a\""), "{error}");
}
