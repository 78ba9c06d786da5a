//! One room on its simulation thread: messages in, a step, datagrams and frames out.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use bytes::{BufMut as _, BytesMut};
use tickwire_shared::{NewRoom, PlayerId, RoomPolicy, Simulation};

use super::clock::MonotonicClock;
use super::mailbox::Mailbox;
use super::network_queue::{NetworkQueue, Outgoing, Snapshot};
use super::woken::WokenRooms;
use crate::config::RoomConfig;
use crate::journal::RoomJournal;
use crate::playback::PlaybackFeed;
use crate::room::{Finding, FromRoom, Replay, RestoredRoom, Room, ToRoom};
use crate::transport::DATAGRAM_HEADROOM_BYTES;

/// Snapshots share allocations of this size. For a client that takes none of its datagrams, only
/// the blocks of the few waiting ones are kept.
const SNAPSHOT_BLOCK_BYTES: usize = 16 * 1024;

/// A room before its thread takes it up.
pub(crate) struct StartRoom<S: Simulation> {
    pub(crate) mailbox: Arc<Mailbox<S::Input>>,
    pub(crate) config: RoomConfig,
    pub(crate) begin: RoomBegin<S>,
    /// The game's policy for the room's options.
    pub(crate) policy: RoomPolicy,
    /// The number of its first bot.
    pub(crate) first_bot: PlayerId,
    /// True if the room has a host.
    pub(crate) is_hosted: bool,
    /// Where it is kept, if it is.
    pub(crate) journal: Option<RoomJournal>,
    /// Its chat has higher numbers.
    pub(crate) chat_after: u64,
}

/// The beginning of a room.
pub(crate) enum RoomBegin<S: Simulation> {
    /// At tick 0.
    New { seed: u64, options: S::RoomOptions },
    /// As its journal tells of it.
    Restored(Box<Replay<S>>),
    /// A journal to be watched, from where the replay is.
    Replay(Box<Replay<S>>, Box<PlaybackFeed<S>>),
}

/// A room on its thread.
pub(super) struct Runner<S: Simulation> {
    mailbox: Arc<Mailbox<S::Input>>,
    /// `None` after a panic.
    room: Option<Room<S>>,
    /// What it shows, if that was recorded.
    playback: Option<Box<PlaybackFeed<S>>>,
    /// `None` if the room is not saved, or no more.
    journal: Option<RoomJournal>,
    /// The buffer of which snapshots are slices.
    buffer: BytesMut,
    /// Frames that did not fit the outbox.
    frames: Vec<FromRoom>,
    frames_max: usize,
    clock: MonotonicClock,
    /// The end of the last tick's step, when its encoding began.
    stepped_ns: u64,
    /// The part of [`Room::events_dropped`] that was counted so far.
    events_counted: u64,
}

/// The times of one tick.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TickTime {
    pub(crate) now: Instant,
    pub(crate) due: Instant,
    /// Milliseconds since 1970.
    pub(crate) time_ms: u64,
}

/// The outcome of a tick.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum TickOutcome {
    /// The room goes on; some snapshots may have found no place in the outbox.
    On { snapshots_dropped: usize },
    /// The empty room did not tick: it sleeps until its alarm rings.
    Asleep,
    /// The room has ended and can be dropped.
    Over,
}

impl<S: Simulation> Runner<S> {
    pub(super) fn new(
        new: StartRoom<S>,
        frames_max: usize,
        clock: MonotonicClock,
        now: Instant,
    ) -> Self {
        let StartRoom { mailbox, config, begin, policy, first_bot, is_hosted, .. } = new;
        let (journal, chat_after) = (new.journal, new.chat_after);
        let name = mailbox.name();
        let journal_lanes_ticks = journal.as_ref().map(RoomJournal::lanes_ticks);
        // The options are the game's own, and dropping them may panic.
        let mut playback = None;
        let room = catch_unwind(AssertUnwindSafe(|| match begin {
            RoomBegin::New { seed, options } => {
                let room = Room::with_options(&NewRoom { seed, name, options }, config);
                let mut room = room.with_policy(&policy, first_bot);
                if let Some(lanes_ticks) = journal_lanes_ticks {
                    room.start_journal(lanes_ticks);
                }
                if is_hosted { room } else { room.without_host() }
            }
            RoomBegin::Restored(replay) => {
                let policy = &policy;
                let settings = RestoredRoom {
                    name,
                    config,
                    policy,
                    first_bot,
                    is_hosted,
                    journal_lanes_ticks,
                };
                Room::restored(*replay, now, settings)
            }
            RoomBegin::Replay(replay, feed) => {
                playback = Some(feed);
                Room::of_replay(replay, name, config, &policy)
            }
        }));
        let room = room.ok().map(|room| room.with_chat_after(chat_after));
        let buffer = BytesMut::with_capacity(SNAPSHOT_BLOCK_BYTES);
        let frames = Vec::new();
        let (stepped_ns, events_counted) = (0, 0);
        Runner {
            mailbox,
            room,
            playback,
            journal,
            buffer,
            frames,
            frames_max,
            clock,
            stepped_ns,
            events_counted,
        }
    }

    /// The room; `None` after a panic of its game.
    pub(super) fn room(&self) -> Option<&Room<S>> {
        self.room.as_ref()
    }

    pub(super) fn name(&self) -> &str {
        self.mailbox.name()
    }

    /// The end of the last tick's step, when its encoding began, in the clock's nanoseconds.
    pub(super) fn stepped_ns(&self) -> u64 {
        self.stepped_ns
    }

    /// The next finding for the game's author.
    pub(super) fn poll_finding(&mut self) -> Option<Finding> {
        self.room.as_mut()?.poll_finding()
    }

    /// Sets the alarm that wakes the room from its sleep.
    pub(super) fn set_alarm(&self, woken: &Arc<WokenRooms>, number: usize) {
        self.mailbox.set_alarm(woken, number);
    }

    /// The last tick that was stepped.
    pub(super) fn newest_tick(&self) -> u32 {
        self.room.as_ref().map_or(0, |room| room.tick().0)
    }

    /// Runs one tick, if the room has members or had some in the tick before, and hands its results to `outbox`.
    pub(super) fn tick(
        &mut self,
        moment: TickTime,
        outbox: &NetworkQueue<S::Input>,
    ) -> TickOutcome {
        if self.mailbox.is_closed() {
            self.drop_room();
            if let Some(journal) = self.journal.take() {
                journal.close();
            }
            return TickOutcome::Over;
        }
        let stepped = catch_unwind(AssertUnwindSafe(|| self.step(moment)));
        if stepped.is_err() || self.room.is_none() {
            return self.fail(outbox);
        }
        let snapshots = stepped.unwrap_or_default();
        if snapshots.is_empty() && self.frames.is_empty() {
            let is_empty = self.room.as_ref().is_some_and(Room::is_empty);
            if is_empty && self.mailbox.fall_asleep() {
                return TickOutcome::Asleep;
            }
            return TickOutcome::On { snapshots_dropped: 0 };
        }
        let frames = std::mem::take(&mut self.frames);
        let room = Arc::clone(&self.mailbox);
        match outbox.push(Outgoing { room, snapshots, frames, failed: false }) {
            Ok(()) => TickOutcome::On { snapshots_dropped: 0 },
            Err(returned) => {
                self.frames = returned.frames;
                if self.frames.len() > self.frames_max {
                    return self.fail(outbox);
                }
                TickOutcome::On { snapshots_dropped: returned.snapshots.len() }
            }
        }
    }

    /// Events dropped since the last call.
    pub(super) fn take_events_dropped(&mut self) -> u64 {
        let dropped = self.room.as_ref().map_or(0, Room::events_dropped);
        let before = std::mem::replace(&mut self.events_counted, dropped);
        dropped.saturating_sub(before)
    }

    fn step(&mut self, moment: TickTime) -> Vec<Snapshot> {
        let Some(room) = &mut self.room else { return Vec::new() };
        for message in self.mailbox.drain() {
            room.handle(moment.now, moment.time_ms, message);
        }
        if room.is_empty() && !room.has_unrecorded_changes() && !room.has_unsaved_leaves() {
            // Without members the room stands still, once its journal has how the last one left, and the game may have
            // saved its profile.
            self.frames.extend(std::iter::from_fn(|| room.poll()));
            self.mailbox.publish(&room.info());
            return Vec::new();
        }
        if let Some(playback) = &mut self.playback {
            room.play(playback.next_step());
        }
        room.advance(moment.due);
        if let (Some(playback), Some((replay, failure))) = (&self.playback, room.shown_replay()) {
            playback.shown(replay, failure);
        }
        self.stepped_ns = self.clock.now_ns();
        room.encode();
        if let Some(journal) = &mut self.journal
            && !keep_record(room, journal, moment)
        {
            self.journal = None;
        }
        let info = room.info();
        let mut snapshots = Vec::with_capacity((info.players + info.spectators) as usize);
        for (player, datagram) in room.datagrams() {
            self.buffer.reserve(DATAGRAM_HEADROOM_BYTES + datagram.len());
            self.buffer.put_bytes(0, DATAGRAM_HEADROOM_BYTES);
            self.buffer.put_slice(datagram);
            snapshots.push(Snapshot { player, bytes: self.buffer.split().freeze() });
        }
        self.frames.extend(std::iter::from_fn(|| room.poll()));
        self.mailbox.publish(&info);
        snapshots
    }

    /// Ends a room after a fault; it is over once the network has the news.
    fn fail(&mut self, outbox: &NetworkQueue<S::Input>) -> TickOutcome {
        if self.room.is_some() {
            tracing::error!(room = self.mailbox.name(), "the room stopped because of a fault");
            self.keep_last_record();
        }
        self.drop_room();
        self.frames.clear();
        let room = Arc::clone(&self.mailbox);
        let outgoing = Outgoing { room, snapshots: Vec::new(), frames: Vec::new(), failed: true };
        match outbox.push(outgoing) {
            Ok(()) => TickOutcome::Over,
            Err(_) => TickOutcome::On { snapshots_dropped: 0 },
        }
    }

    /// Keeps what a step was given that panicked, if one did.
    fn keep_last_record(&mut self) {
        let (Some(room), Some(journal)) = (&mut self.room, &mut self.journal) else { return };
        let record = catch_unwind(AssertUnwindSafe(|| room.poll_journal()));
        if let Ok(Some(record)) = record {
            journal.append(room.tick(), record);
        }
    }

    /// Dropping the state left by a panic may panic again.
    fn drop_room(&mut self) {
        let room = self.room.take();
        let _ = catch_unwind(AssertUnwindSafe(|| drop(room)));
    }
}

/// Hands the record of the last tick over. `false` if the room is not saved any more: its members are told, and it goes on.
fn keep_record<S: Simulation>(
    room: &mut Room<S>,
    journal: &mut RoomJournal,
    moment: TickTime,
) -> bool {
    if let Some(record) = room.poll_journal() {
        journal.append(room.tick(), record);
    }
    let Some(why) = journal.failure() else { return true };
    let (name, tick) = (room.info().name, room.tick().0);
    let dir = journal.dir().display();
    tracing::error!(room = name, tick, "the room is not saved in {dir} any more: {why}");
    room.stop_journal();
    let text = format!("this room is not saved any more: {why}; play goes on");
    room.handle(moment.now, moment.time_ms, ToRoom::Notice { text });
    false
}
