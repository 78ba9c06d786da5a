use std::sync::mpsc::{SyncSender, sync_channel};

use tickwire_shared::control::{ChatMessage, RequestId};
use tickwire_shared::{PlayerId, SaveOutcome, ScoreBoard, Tick};
use tokio::sync::oneshot;

use super::*;
use crate::room::{NewProfile, NewScore, SavedProfile};
use crate::store::database::ScoreRetention;
use crate::store::state::QueueShare;
use crate::store::{
    FindScores, NewMessage, SaveId, SaveProfile, SaveScore, ScoreId, ScorePeriod, ScoreRange,
};

const CACHE_BYTES: usize = 1 << 20;

/// A thread that a test drives by hand.
struct DrivenThread {
    dir: tempfile::TempDir,
    this: StoreThread,
    events: Receiver<StoreEvent>,
    state: Arc<StoreState>,
}

impl DrivenThread {
    fn new(commit_time: Duration) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let database = Database::create(dir.path(), CACHE_BYTES).unwrap();
        let (events, results) = channel(EVENTS_MAX);
        let state = Arc::new(StoreState::default());
        let settings = ThreadSettings {
            dir: dir.path().to_owned(),
            cache_bytes: CACHE_BYTES,
            retention: Retention {
                messages: 100,
                rooms: 100,
                profiles: 1000,
                sanctions: 1000,
                scores: ScoreRetention::FEW,
                dead_letters: 9,
            },
            commit_time,
            fences: ProfileFences::new(0, 9),
        };
        let this = StoreThread::new(settings, database, events, Arc::clone(&state));
        DrivenThread { dir, this, events: results, state }
    }

    fn serve(&mut self, requests: Vec<StoreRequest>) -> Vec<StoreEvent> {
        self.this.recover();
        self.this.taken.extend(requests);
        self.this.serve();
        self.told()
    }

    fn told(&mut self) -> Vec<StoreEvent> {
        std::iter::from_fn(|| self.events.try_recv().ok()).collect()
    }

    /// The disk fails, and the pause before the next attempt passes.
    fn fail(&mut self) -> Vec<StoreEvent> {
        self.this.fail(&StoreError::Missing(PathBuf::from("disk")));
        self.this.retry_at = Instant::now();
        self.told()
    }

    fn health(&self) -> StoreHealth {
        self.state.stats().state
    }
}

fn keep(id: u64) -> StoreRequest {
    let (request, from, name) = (RequestId(id as u32), PlayerId(7), "alice".to_owned());
    let text = format!("number {id}");
    let message = ChatMessage { request, id, time_ms: 5, from, name, to: None, text };
    StoreRequest::Keep(NewMessage { room: "bay".to_owned(), message, session: None })
}

fn kept(id: u64, is_saved: bool) -> StoreEvent {
    let (sender, request) = (PlayerId(7), RequestId(id as u32));
    StoreEvent::Kept { sender, request, id, is_saved }
}

fn look_up() -> StoreRequest {
    look_up_of("bay")
}

fn look_up_of(room: &str) -> StoreRequest {
    let (player, request, room) = (PlayerId(8), Some(RequestId(1)), room.to_owned());
    StoreRequest::Page(PageRequest { player, request, room, before: None, count: 9 })
}

#[test]
fn chat_is_told_saved_again_once_a_message_is_on_disk_and_not_before() {
    let mut driven = DrivenThread::new(Duration::ZERO);
    assert_eq!(driven.serve(vec![keep(1)]), [kept(1, true)]);
    assert_eq!(driven.fail(), [StoreEvent::Failing]);
    assert_eq!(driven.health(), StoreHealth::Failing);
    // It opens, and the first message does not fit: all was told already.
    for _ in 0..3 {
        assert_eq!(driven.serve(vec![]), []);
        assert!(driven.this.database.is_some());
        assert_eq!(driven.fail(), []);
    }
    assert_eq!(driven.serve(vec![keep(2)]), [kept(2, true), StoreEvent::Recovered]);
    assert_eq!(driven.serve(vec![keep(3)]), [kept(3, true)]);
    let stats = driven.state.stats();
    assert_eq!((stats.state, stats.messages_kept), (StoreHealth::Saving, 3));
    assert!(stats.disk_bytes > 0);
}

#[test]
fn a_disk_that_fails_again_and_again_is_told_ever_less_often() {
    let mut driven = DrivenThread::new(Duration::ZERO);
    let mut pauses = Vec::new();
    for id in 0..8 {
        pauses.push(driven.this.retry_pause.as_secs());
        assert_eq!(driven.fail(), [StoreEvent::Failing]);
        assert_eq!(driven.serve(vec![keep(id)]), [kept(id, true), StoreEvent::Recovered]);
    }
    assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 32, 32]);
    driven.this.failed_at = Instant::now().checked_sub(RETRY_PAUSE_MAX).unwrap();
    driven.serve(vec![keep(9)]);
    assert_eq!(driven.this.retry_pause, RETRY_PAUSE);
}

#[test]
fn a_message_that_is_not_kept_is_told_and_counted() {
    let mut driven = DrivenThread::new(Duration::ZERO);
    driven.fail();
    driven.this.retry_at = Instant::now() + RETRY_PAUSE_MAX;
    let told = driven.serve(vec![keep(1), look_up()]);
    let [first, StoreEvent::Page(_, None)] = &told[..] else { panic!("{told:?}") };
    assert_eq!(*first, kept(1, false));
    let stats = driven.state.stats();
    assert_eq!((stats.messages_kept, stats.messages_not_kept, stats.look_ups), (0, 1, 1));
}

#[test]
fn history_that_cannot_be_read_keeps_no_message_from_being_saved() {
    let mut driven = DrivenThread::new(Duration::ZERO);
    for id in 1..=3 {
        driven.this.database.as_ref().unwrap().lose_messages();
        let told = driven.serve(vec![look_up(), look_up()]);
        assert!(
            matches!(told[..], [StoreEvent::Page(_, None), StoreEvent::Page(_, None)]),
            "{told:?}"
        );
        assert_eq!(driven.health(), StoreHealth::Saving);
        assert_eq!(driven.serve(vec![keep(id)]), [kept(id, true)]);
    }
    driven.this.unreadable = UnreadableRooms::default();
    let told = driven.serve(vec![look_up()]);
    assert!(matches!(&told[..], [StoreEvent::Page(_, Some(_))]), "{told:?}");
}

#[test]
fn a_room_that_cannot_be_read_opens_the_database_again_once_in_a_while() {
    let mut driven = DrivenThread::new(Duration::ZERO);
    let mut was_opened_again = |room: &str| {
        driven.serve(vec![]);
        driven.this.database.as_ref().unwrap().lose_messages();
        let told = driven.serve(vec![look_up_of(room)]);
        assert!(matches!(told[..], [StoreEvent::Page(_, None)]), "{told:?}");
        driven.this.database.is_none()
    };
    assert!(was_opened_again("bay"));
    assert!((0..5).all(|_| !was_opened_again("bay")));
    assert!(was_opened_again("cove"), "others are tried");
    // And read in the same round.
    driven.this.unreadable = UnreadableRooms::default();
    driven.serve(vec![]);
    driven.this.database.as_ref().unwrap().lose_messages();
    let told = driven.serve(vec![look_up(), look_up_of("cove")]);
    assert!(
        matches!(told[..], [StoreEvent::Page(_, None), StoreEvent::Page(_, Some(_))]),
        "{told:?}"
    );
}

#[test]
fn a_damaged_record_is_counted_once_however_often_the_database_is_opened() {
    let mut driven = DrivenThread::new(Duration::ZERO);
    driven.serve(vec![keep(1), keep(2)]);
    driven.this.database.as_ref().unwrap().damage("bay", 1);
    for _ in 0..3 {
        let told = driven.serve(vec![look_up()]);
        let [StoreEvent::Page(_, Some(page))] = &told[..] else { panic!("{told:?}") };
        assert_eq!(page.messages.len(), 1);
        assert_eq!(driven.state.stats().records_damaged, 1);
        driven.this.close_database();
    }
}

/// Starts a thread that panics with its first request, as soon as it comes.
fn panicking() -> (SyncSender<StoreRequest>, JoinHandle<()>, DrivenThread) {
    // The end of the wait is beyond what a clock can tell.
    let DrivenThread { dir, this, events, state } = DrivenThread::new(Duration::MAX);
    let (queue, requests) = sync_channel(BATCH_MAX);
    let spare = DrivenThread::new(Duration::ZERO);
    let thread = std::thread::spawn(move || this.run(&requests));
    (queue, thread, DrivenThread { dir, this: spare.this, events, state })
}

#[test]
fn after_a_panic_of_the_thread_every_request_is_answered_and_everybody_is_told() {
    let (queue, thread, mut driven) = panicking();
    let count = |request: &StoreRequest| driven.state.queued.take(request.bytes(), MOST);
    for request in [keep(1), look_up(), keep(2)] {
        assert!(count(&request));
        if matches!(request, StoreRequest::Page(_)) {
            driven.state.look_ups.take(request.bytes(), MOST);
        }
        queue.send(request).unwrap();
    }
    let mut next = || driven.events.blocking_recv().unwrap();
    assert_eq!(next(), StoreEvent::Failing);
    assert_eq!(next(), kept(1, false));
    assert!(matches!(next(), StoreEvent::Page(_, None)));
    assert_eq!(next(), kept(2, false));
    let stats = driven.state.stats();
    assert_eq!((stats.state, stats.messages_not_kept, stats.queued), (StoreHealth::Dead, 2, 0));
    driven.state.ask_to_stop();
    thread.join().unwrap();
    assert_eq!(driven.events.blocking_recv(), None);
}

const MOST: QueueShare = QueueShare { requests: 16, bytes: 1 << 20 };

fn save(fence: u64, json: &str) -> StoreRequest {
    let profile = SavedProfile { version: 1, json: json.into() };
    let (account, tick) = ("ann".to_owned(), Tick(9));
    let new = NewProfile { player: PlayerId(7), account, fence, tick, profile };
    StoreRequest::Save(Box::new(SaveProfile { game: "dots", room: "bay".to_owned(), new }))
}

fn saved(fence: u64, outcome: SaveOutcome) -> StoreEvent {
    let save = SaveId { player: PlayerId(7), fence, tick: Tick(9) };
    StoreEvent::Profile { room: "bay".to_owned(), save, outcome }
}

fn load() -> (StoreRequest, oneshot::Receiver<Option<JoinProfile>>) {
    let (answer, answered) = oneshot::channel();
    let account = "ann".to_owned();
    (StoreRequest::Load(LoadProfile { game: "dots", account, answer }), answered)
}

#[test]
fn a_join_has_what_was_saved_before_it_and_makes_the_stays_before_stale() {
    let mut driven = DrivenThread::new(Duration::ZERO);
    let (first, answered) = load();
    assert_eq!(driven.serve(vec![first]), []);
    let JoinProfile { fence, saved: None } = answered.blocking_recv().unwrap().unwrap() else {
        panic!("nothing was saved");
    };
    // The last save of the older stay is in time.
    let (second, answered) = load();
    let told = driven.serve(vec![second, save(fence, "1"), keep(1)]);
    assert_eq!(told, [saved(fence, SaveOutcome::Saved), kept(1, true)]);
    let profile = answered.blocking_recv().unwrap().unwrap();
    assert_eq!(profile.saved.unwrap().json.as_str(), "1");
    assert!(profile.fence > fence);
    let told = driven.serve(vec![save(fence, "2"), save(profile.fence, "3"), save(fence, "4")]);
    let outcomes = [SaveOutcome::Stale, SaveOutcome::Saved, SaveOutcome::Stale];
    let fences = [fence, profile.fence, fence];
    assert_eq!(told, [0, 1, 2].map(|at: usize| saved(fences[at], outcomes[at])));
    let (third, answered) = load();
    driven.serve(vec![third]);
    assert_eq!(answered.blocking_recv().unwrap().unwrap().saved.unwrap().json.as_str(), "3");
    let stats = driven.state.stats();
    let counts = (stats.profiles_read, stats.profiles_saved, stats.profiles_stale);
    assert_eq!(counts, (3, 2, 2));
}

#[test]
fn while_the_store_fails_no_profile_is_read_or_saved_and_each_is_answered() {
    let mut driven = DrivenThread::new(Duration::ZERO);
    assert_eq!(driven.fail(), [StoreEvent::Failing]);
    driven.this.retry_at = Instant::now() + Duration::from_secs(1000);
    let (wanted, answered) = load();
    assert_eq!(driven.serve(vec![save(1, "1"), wanted]), [saved(1, SaveOutcome::Failed)]);
    assert_eq!(answered.blocking_recv().unwrap(), None);
    driven.this.retry_at = Instant::now();
    let told = driven.serve(vec![save(1, "2")]);
    assert_eq!(told, [saved(1, SaveOutcome::Saved), StoreEvent::Recovered]);
    assert_eq!(driven.state.stats().profiles_not_saved, 1);
}

fn score(tick: u32) -> (StoreRequest, ScoreId) {
    let new = NewScore {
        player: PlayerId(7),
        account: "ann".to_owned(),
        name: "Ann".to_owned(),
        room_seed: 9,
        tick: Tick(tick),
        board: 0,
        score: 5,
    };
    let save = SaveScore { game: "dots", room: "bay".to_owned(), board: KILLS, new };
    let id = save.id();
    (StoreRequest::Score(Box::new(save)), id)
}

const KILLS: ScoreBoard = ScoreBoard::sum("kills");

fn look() -> (StoreRequest, oneshot::Receiver<Option<ScorePage>>) {
    let range = ScoreRange::Top { from: 0, count: 9 };
    let query = ScoreQuery { board: KILLS, period: ScorePeriod::Day, ago: 0, range };
    let (answer, answered) = oneshot::channel();
    (StoreRequest::FindScores(Box::new(FindScores { game: "dots", query, answer })), answered)
}

#[test]
fn a_score_is_told_once_it_is_on_disk_and_a_look_of_the_same_batch_finds_it() {
    let mut driven = DrivenThread::new(Duration::ZERO);
    let room = || "bay".to_owned();
    let (one, id) = score(3);
    let (wanted, mut answered) = look();
    let told = driven.serve(vec![wanted, one, keep(1)]);
    let scored = StoreEvent::Score { room: room(), score: id, outcome: SaveOutcome::Saved };
    assert_eq!(told, [scored, kept(1, true)]);
    let page = answered.try_recv().unwrap().unwrap();
    assert_eq!((page.accounts, page.lines[0].score), (1, 5));
    // The room was set back by a kill, and plays the tick again.
    let (again, id) = score(3);
    let stale = StoreEvent::Score { room: room(), score: id, outcome: SaveOutcome::Stale };
    assert_eq!(driven.serve(vec![again]), [stale]);
}

#[test]
fn while_the_disk_fails_a_score_is_told_as_not_saved_and_a_look_ends_without_lines() {
    let mut driven = DrivenThread::new(Duration::ZERO);
    driven.fail();
    driven.this.retry_at = Instant::now() + Duration::from_secs(60);
    let ((lost, id), (wanted, mut answered)) = (score(3), look());
    let outcome = SaveOutcome::Failed;
    let failed = StoreEvent::Score { room: "bay".to_owned(), score: id, outcome };
    assert_eq!(driven.serve(vec![lost, wanted]), [failed]);
    assert_eq!(answered.try_recv(), Ok(None));
    driven.this.retry_at = Instant::now();
    let ((again, id), (wanted, mut answered)) = (score(3), look());
    let saved =
        StoreEvent::Score { room: "bay".to_owned(), score: id, outcome: SaveOutcome::Saved };
    assert_eq!(driven.serve(vec![again, wanted]), [saved, StoreEvent::Recovered]);
    assert_eq!(answered.try_recv().unwrap().unwrap().lines[0].score, 5);
    let stats = driven.state.stats();
    assert_eq!((stats.scores_saved, stats.scores_not_saved, stats.scores_read), (1, 1, 2));
}
