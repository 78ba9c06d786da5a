//! The loop of one simulation thread.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use tickwire_shared::Simulation;

use super::clock::{MonotonicClock, tune_thread};
use super::network_queue::NetworkQueue;
use super::queue::BoundedQueue;
use super::runner::{Runner, StartRoom, TickOutcome, TickTime};
use super::timing::Timing;
use super::warnings::{ThreadLoad, Warnings};
use super::watch::TickWatch;
use super::woken::WokenRooms;

/// Longest age of the published counts.
const PUBLISH_NS: u64 = 250_000_000;
/// Longest sleep without a check for new rooms.
const LOOK_UP_NS: u64 = 20_000_000;

/// The state that a simulation thread shares with the rest of the server.
pub(super) struct ThreadShared<S: Simulation> {
    /// Rooms to take up.
    pub(super) intake: BoundedQueue<StartRoom<S>>,
    /// The alarm of sleeping rooms.
    pub(super) woken: Arc<WokenRooms>,
    /// Rooms on this thread, or on their way to it.
    pub(super) rooms: AtomicUsize,
    pub(super) outbox: Arc<NetworkQueue<S::Input>>,
    /// The current tick.
    pub(super) watch: TickWatch<S::Input>,
    /// The counts, at most [`PUBLISH_NS`] old.
    pub(super) timing: ArcSwap<Timing>,
    /// The number of resets of the counts.
    pub(super) generation: AtomicU64,
    pub(super) stop: AtomicBool,
}

/// The settings of the loop.
#[derive(Clone, Copy, Debug)]
pub(super) struct TickSettings {
    pub(super) period_ns: u64,
    pub(super) catch_up_ticks_max: u64,
    pub(super) frames_max: usize,
    pub(super) realtime: Option<u8>,
}

/// Runs rooms until it is told to stop.
pub(super) fn run<S: Simulation>(shared: &ThreadShared<S>, pace: TickSettings) {
    tune_thread(pace.realtime);
    shared.woken.wakes_this_thread();
    let clock = MonotonicClock::new();
    let mut rooms = DueRooms {
        clock,
        pace,
        slots: Vec::new(),
        free: Vec::new(),
        due: BinaryHeap::new(),
        load: ThreadLoad::default(),
        warnings: Warnings::new::<S>(),
    };
    let mut timing = Timing::new(0);
    let mut publish_at_ns = 0;
    while !shared.stop.load(Ordering::Acquire) {
        let now_ns = clock.now_ns();
        if now_ns >= publish_at_ns || timing.generation != shared.generation.load(Ordering::Acquire)
        {
            publish_at_ns = now_ns + PUBLISH_NS;
            publish(shared, &mut timing);
        }
        if rooms.is_due(now_ns) {
            rooms.run_due(now_ns, shared, &mut timing);
            shared.outbox.ring();
        }
        rooms.take_up_new(shared);
        match rooms.next_due_ns() {
            None => {
                publish(shared, &mut timing);
                std::thread::park();
            }
            Some(due_ns) => {
                let now_ns = clock.now_ns();
                if due_ns > now_ns {
                    clock.sleep_until(due_ns.min(now_ns + LOOK_UP_NS));
                }
            }
        }
    }
}

/// The rooms of one thread, by deadline. Sleeping rooms have none.
struct DueRooms<S: Simulation> {
    clock: MonotonicClock,
    pace: TickSettings,
    slots: Vec<Option<Runner<S>>>,
    free: Vec<usize>,
    due: BinaryHeap<Reverse<(u64, usize)>>,
    /// Since the last tick that was on time.
    load: ThreadLoad,
    warnings: Warnings,
}

impl<S: Simulation> DueRooms<S> {
    /// Takes up woken rooms, and new ones while none is due: rooms with members go first.
    fn take_up_new(&mut self, shared: &ThreadShared<S>) {
        for slot in shared.woken.drain() {
            self.due.push(Reverse((self.clock.now_ns(), slot)));
        }
        while let Some(new) = shared.intake.pop() {
            self.take_up(new, shared);
            if self.is_due(self.clock.now_ns()) {
                return;
            }
        }
    }

    fn take_up(&mut self, new: StartRoom<S>, shared: &ThreadShared<S>) {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        });
        shared.watch.set_room(slot, Some(Arc::clone(&new.mailbox)));
        shared.watch.begin(slot, 0, self.clock.now_ns());
        let runner = Runner::new(new, self.pace.frames_max, self.clock, Instant::now());
        shared.watch.end();
        runner.set_alarm(&shared.woken, slot);
        self.slots[slot] = Some(runner);
        self.due.push(Reverse((self.clock.now_ns() + self.pace.period_ns, slot)));
    }

    fn is_due(&self, now_ns: u64) -> bool {
        self.next_due_ns().is_some_and(|due_ns| due_ns <= now_ns)
    }

    fn next_due_ns(&self) -> Option<u64> {
        self.due.peek().map(|Reverse((due_ns, _))| *due_ns)
    }

    /// Runs one tick of every room due at `now_ns`.
    fn run_due(&mut self, now_ns: u64, shared: &ThreadShared<S>, timing: &mut Timing) {
        let time_ms = wall_ms();
        while self.is_due(now_ns) {
            let Some(Reverse((due_ns, slot))) = self.due.pop() else { return };
            let start_ns = self.clock.now_ns();
            let kept = keep_pace(due_ns, start_ns, self.pace);
            timing.skipped += kept.skipped;
            timing.overruns += u64::from(kept.overrun);
            if kept.skipped > 0 {
                self.warn_of_skips(start_ns, due_ns, kept.skipped);
            }
            if !kept.overrun {
                self.load = ThreadLoad::default();
            }
            let Some(runner) = &mut self.slots[slot] else { continue };
            let now = self.clock.instant(start_ns);
            let due = self.clock.instant(kept.due_ns);
            shared.watch.begin(slot, runner.newest_tick(), start_ns);
            let ran = runner.tick(TickTime { now, due, time_ms }, &shared.outbox);
            shared.watch.end();
            let end_ns = self.clock.now_ns();
            match ran {
                TickOutcome::On { snapshots_dropped } => {
                    timing.events_dropped += runner.take_events_dropped();
                    timing.snapshots_dropped += snapshots_dropped as u64;
                    let stepped_ns = runner.stepped_ns().max(start_ns);
                    let encode_ns = end_ns.saturating_sub(stepped_ns);
                    self.load.add(slot, stepped_ns - start_ns, encode_ns);
                    while let Some(finding) = runner.poll_finding() {
                        self.warnings.found(start_ns, runner.name(), &finding);
                    }
                    self.due.push(Reverse((kept.due_ns + self.pace.period_ns, slot)));
                }
                // No tick ran, so none is counted.
                TickOutcome::Asleep => continue,
                TickOutcome::Over => {
                    self.slots[slot] = None;
                    self.free.push(slot);
                    shared.watch.set_room(slot, None);
                    shared.rooms.fetch_sub(1, Ordering::Relaxed);
                }
            }
            timing.record(start_ns - due_ns.min(start_ns), end_ns - start_ns);
        }
    }

    /// Warns of skipped ticks, with their likely cause.
    fn warn_of_skips(&mut self, now_ns: u64, due_ns: u64, skipped: u64) {
        let why = self.load.why(now_ns.saturating_sub(due_ns));
        let longest = self.slots.get(self.load.slot()).and_then(Option::as_ref);
        let room = longest.map_or("", Runner::name);
        self.warnings.skipped(now_ns, skipped, why, (room, &self.load));
    }
}

/// The consequence of a late start for a tick.
#[derive(Debug, PartialEq, Eq)]
struct LateStart {
    /// The deadline that the tick counts for.
    due_ns: u64,
    /// Ticks that are skipped.
    skipped: u64,
    /// True if a whole tick late or more.
    overrun: bool,
}

/// Up to `catch_up_ticks_max` late ticks run one after another. Beyond that all but the newest are
/// skipped, so that a machine wakes from sleep without a burst.
fn keep_pace(due_ns: u64, now_ns: u64, pace: TickSettings) -> LateStart {
    let behind_ticks = now_ns.saturating_sub(due_ns) / pace.period_ns;
    let skipped = if behind_ticks > pace.catch_up_ticks_max { behind_ticks } else { 0 };
    LateStart { due_ns: due_ns + skipped * pace.period_ns, skipped, overrun: behind_ticks > 0 }
}

fn publish<S: Simulation>(shared: &ThreadShared<S>, timing: &mut Timing) {
    let generation = shared.generation.load(Ordering::Acquire);
    if timing.generation != generation {
        *timing = Timing::new(generation);
    }
    shared.timing.store(Arc::new(timing.clone()));
}

fn wall_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tickwire_shared::control::{RequestId, RoomInfo};
    use tickwire_shared::{
        Capture, EntityId, Inputs, LeaveReason, NewPlayer, NewRoom, Outbox as Events, PlayerId,
        RoomPolicy,
    };

    use super::*;
    use crate::config::{RoomConfig, ServerConfig};
    use crate::logged::LogText;
    use crate::room::ToRoom;
    use crate::scheduler::RoomBegin;
    use crate::scheduler::mailbox::Mailbox;
    use crate::transport::WakeSignal;

    const PACE: TickSettings =
        TickSettings { period_ns: 10, catch_up_ticks_max: 5, frames_max: 1, realtime: None };

    #[test]
    fn a_few_late_ticks_are_caught_up() {
        let kept = |now_ns| keep_pace(100, now_ns, PACE);
        assert_eq!(kept(100), LateStart { due_ns: 100, skipped: 0, overrun: false });
        assert_eq!(kept(109), LateStart { due_ns: 100, skipped: 0, overrun: false });
        assert_eq!(kept(110), LateStart { due_ns: 100, skipped: 0, overrun: true });
        assert_eq!(kept(159), LateStart { due_ns: 100, skipped: 0, overrun: true });
    }

    /// A game with a mistake in its first tick, slow ticks after it, and more events than may wait for a client.
    #[derive(serde::Serialize, serde::Deserialize)]
    struct Wrong(u32);

    #[derive(Clone, Copy, Default, PartialEq, tickwire_shared::Input)]
    struct Nothing {}

    #[derive(tickwire_shared::Replicate)]
    struct Tower {
        #[replicate(range = 0..=9)]
        floors: u8,
    }

    #[tickwire_shared::game]
    impl Simulation for Wrong {
        const NAME: &'static str = "wrong";
        const TICK_HZ: u32 = 1000;
        type Input = Nothing;
        type Entity = Tower;
        type Event = Tower;

        fn new(_room: &NewRoom<Self>) -> Self {
            Wrong(0)
        }

        fn join(&mut self, _player: &NewPlayer<Self>) {}

        fn leave(&mut self, _player: PlayerId, _reason: LeaveReason) {}

        fn step(&mut self, _inputs: &Inputs<Self>, outbox: &mut Events<Self>) {
            self.0 += 1;
            outbox.to_room(Tower { floors: 1 });
            if self.0 == 2 {
                // A hundred ticks, however fast the machine is.
                std::thread::sleep(std::time::Duration::from_millis(100));
            }
        }

        fn capture(&self, world: &mut Capture<Tower>) {
            world.show(EntityId(7), Tower { floors: 10 });
        }
    }

    /// A thread's own state, with place for this many new rooms.
    fn thread_shared<S: Simulation>(rooms_max: usize) -> ThreadShared<S> {
        ThreadShared {
            intake: BoundedQueue::new(rooms_max),
            woken: Arc::new(WokenRooms::new(rooms_max)),
            rooms: AtomicUsize::new(1),
            outbox: Arc::new(NetworkQueue::new(4, Arc::new(WakeSignal::new().unwrap()))),
            watch: TickWatch::default(),
            timing: ArcSwap::from_pointee(Timing::new(0)),
            generation: AtomicU64::new(0),
            stop: AtomicBool::new(false),
        }
    }

    /// A room of this name, which a player is about to join if `is_played`: an empty one stands still.
    fn start_room<S: Simulation<RoomOptions = ()>>(name: &str, is_played: bool) -> StartRoom<S> {
        let config = ServerConfig::default();
        let listing = RoomInfo { name: name.to_owned(), ..RoomInfo::default() };
        let mailbox = Arc::new(Mailbox::new(listing, &config));
        let join = ToRoom::Join {
            request: RequestId(1),
            player: PlayerId(1),
            name: "Ann".to_owned(),
            account: None,
            profile: None,
            spectator: false,
            options: "".into(),
            datagram_bytes_max: 1200,
            resume: None,
            last_seat: 0,
        };
        assert!(!is_played || mailbox.try_message(join).is_ok());
        StartRoom {
            mailbox,
            config: RoomConfig { events_queued_max: 3, ..config.room },
            begin: RoomBegin::New { seed: 0, options: () },
            policy: RoomPolicy::default(),
            first_bot: PlayerId(2),
            is_hosted: true,
            journal: None,
            chat_after: 0,
        }
    }

    /// The longest wait for another thread: only a hang takes this long.
    fn soon(what: &str, mut is_so: impl FnMut() -> bool) {
        let begin = std::time::Instant::now();
        while !is_so() {
            assert!(begin.elapsed().as_secs() < 60, "{what} did not happen");
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
    }

    #[test]
    fn mistakes_of_a_game_are_in_the_log_by_default() {
        let config = ServerConfig::default();
        let log = LogText::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_env_filter(tracing_subscriber::EnvFilter::new(&config.log))
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        let shared = Arc::new(thread_shared::<Wrong>(1));
        assert!(shared.intake.push(start_room("tower \n", true)).is_ok());
        let of_thread = Arc::clone(&shared);
        let pace = TickSettings { period_ns: 1_000_000, catch_up_ticks_max: 5, ..PACE };
        let thread = std::thread::spawn(move || {
            tracing::subscriber::with_default(subscriber, || run(&of_thread, pace));
        });
        let step_is_slow = "ticks are skipped because the game's step is slow";
        let dropped = "an event Tower was dropped before player 1 acknowledged it";
        let is_told = |text: &str| text.contains(step_is_slow) && text.contains(dropped);
        soon("a word of slow steps and of dropped events", || is_told(&log.text()));
        soon("a count of dropped events", || shared.timing.load().events_dropped > 0);
        shared.stop.store(true, Ordering::Release);
        thread.join().unwrap();
        let text = log.text();
        let range = "Tower.floors of entity 7 is not within 0 to 9";
        let lines: Vec<&str> = text.lines().filter(|line| line.contains(range)).collect();
        assert_eq!(lines.len(), 1, "once, whatever comes after it: {text}");
        assert!(lines[0].contains("WARN") && lines[0].contains(r#"room="tower \n""#), "{text}");
    }

    /// A game of which a room takes two ticks to make.
    #[derive(serde::Serialize, serde::Deserialize)]
    struct Costly {
        is_played: bool,
    }

    /// What simulation threads did with rooms of [`Costly`].
    static DONE: Mutex<Vec<&str>> = Mutex::new(Vec::new());

    #[tickwire_shared::game]
    impl Simulation for Costly {
        const NAME: &'static str = "costly";
        const TICK_HZ: u32 = 1000;
        type Input = Nothing;
        type Entity = Tower;

        fn new(room: &NewRoom<Self>) -> Self {
            std::thread::sleep(std::time::Duration::from_millis(2));
            let is_played = room.name == "played";
            if !is_played {
                DONE.lock().unwrap().push("made");
            }
            Costly { is_played }
        }

        fn join(&mut self, _player: &NewPlayer<Self>) {}

        fn leave(&mut self, _player: PlayerId, _reason: LeaveReason) {}

        fn step(&mut self, _inputs: &Inputs<Self>, _outbox: &mut Events<Self>) {
            assert!(self.is_played, "a room without members ticks");
            DONE.lock().unwrap().push("stepped");
        }

        fn capture(&self, _world: &mut Capture<Tower>) {}
    }

    #[test]
    fn rooms_with_members_tick_before_new_ones_are_made() {
        let shared = Arc::new(thread_shared::<Costly>(21));
        assert!(shared.intake.push(start_room("played", true)).is_ok());
        let of_thread = Arc::clone(&shared);
        let pace = TickSettings { period_ns: 1_000_000, catch_up_ticks_max: 5, ..PACE };
        let thread = std::thread::spawn(move || run(&of_thread, pace));
        let count = |what| DONE.lock().unwrap().iter().filter(|done| **done == what).count();
        soon("a tick", || count("stepped") > 0);
        for _ in 0..20 {
            assert!(shared.intake.push(start_room("new", false)).is_ok());
        }
        soon("twenty rooms", || count("made") == 20);
        shared.stop.store(true, Ordering::Release);
        thread.join().unwrap();
        // Each was made for longer than a tick, so the played room was due after it.
        let done = DONE.lock().unwrap();
        let in_a_row = done.windows(2).filter(|two| *two == ["made", "made"]).count();
        assert_eq!(in_a_row, 0, "{done:?}");
    }

    #[test]
    fn after_a_long_pause_there_is_no_burst() {
        let kept = keep_pace(100, 100 + 10_007, PACE);
        assert_eq!(kept, LateStart { due_ns: 100 + 10_000, skipped: 1000, overrun: true });
        // The next one is due within a tick from then.
        assert!(kept.due_ns + PACE.period_ns > 100 + 10_007);
    }
}
