//! The thread that reads a journal ahead of the room that shows it, and seeks in it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use tickwire_shared::{PlayerId, Simulation, Tick};

use super::control::PlaybackControl;
use super::feed::{PlaybackFeed, Read, ReadPart};
use crate::guard::guarded;
use crate::journal::{JournalEnd, JournalError, JournalReader, ReplayStart};
use crate::room::{JournalHead, Replay, SeatChange};

/// Records that are read ahead: a few ticks at the highest speed.
const READ_AHEAD_MAX: usize = 64;
/// How often a full queue and the end of a journal are looked at.
const LOOK: Duration = Duration::from_millis(5);
/// How often a journal that may go on is read again.
const GROWTH_LOOKS: u32 = 20;

/// A journal that is to be shown.
pub(crate) struct OpenedReplay<S: Simulation> {
    /// The room as its journal begins.
    pub(crate) replay: Box<Replay<S>>,
    pub(crate) feed: PlaybackFeed<S>,
    pub(crate) control: Arc<PlaybackControl>,
    pub(crate) head: JournalHead,
    /// The highest number of all who ever came.
    pub(crate) newest_player: PlayerId,
}

struct PlaybackReader<S: Simulation> {
    folder: PathBuf,
    journal: JournalReader,
    control: Arc<PlaybackControl>,
    sender: SyncSender<Read<S>>,
    /// The number of the seek that it reads for.
    seek: u32,
    /// The journal cannot be read further from there.
    is_stuck: bool,
}

/// Reads the journal in `folder` once, for its length, and then ahead of the room that takes its records.
///
/// # Errors
/// [`JournalError`] if it is none of this game's, or damaged.
pub(crate) fn open<S: Simulation>(folder: &Path) -> Result<OpenedReplay<S>, JournalError> {
    let ReplayStart { replay, mut journal, from_tick, .. } = ReplayStart::<S>::first(folder)?;
    let (head, begin) = (journal.head().clone(), journal.position());
    let (mut newest_player, mut last_tick) = (replay.newest_player(), from_tick.0);
    while let Some(record) = journal.next_record()? {
        last_tick = record.tick.0;
        for change in &record.changes {
            if let SeatChange::Join { player, .. } = change {
                newest_player = newest_player.max(*player);
            }
        }
    }
    let journal = JournalReader::open_at(folder, begin)?;
    let control = PlaybackControl::new(&head.room, S::TICK_HZ, from_tick.0, last_tick);
    let control = Arc::new(control);
    let (sender, receiver) = sync_channel(READ_AHEAD_MAX);
    let (folder, of_reader) = (folder.to_owned(), Arc::clone(&control));
    let failed = {
        let path = folder.clone();
        |error| JournalError::Io { path, error }
    };
    let reader =
        PlaybackReader { folder, journal, control: of_reader, sender, seek: 0, is_stuck: false };
    let thread = std::thread::Builder::new().name("replay".to_owned());
    thread.spawn(move || reader.run()).map_err(failed)?;
    let feed = PlaybackFeed::new(Arc::clone(&control), receiver);
    Ok(OpenedReplay { replay: Box::new(replay), feed, control, head, newest_player })
}

impl<S: Simulation> PlaybackReader<S> {
    /// Reads until nobody shows it any more.
    fn run(mut self) {
        let mut next = None;
        let mut looks = 0;
        while !self.control.is_over() {
            let seek = self.control.seek();
            if seek.number != self.seek {
                (self.seek, self.is_stuck) = (seek.number, false);
                self.control.set_unreadable(None);
                next = self.go_to(Tick(seek.tick)).map(|replay| ReadPart::Jump(Box::new(replay)));
            }
            let part = next.take().or_else(|| self.next_record());
            let Some(part) = part else {
                looks += 1;
                if looks % GROWTH_LOOKS == 0 {
                    self.read_again();
                }
                std::thread::sleep(LOOK);
                continue;
            };
            match self.sender.try_send(Read { seek: self.seek, part }) {
                Ok(()) => {}
                Err(TrySendError::Full(Read { part, .. })) => {
                    next = Some(part);
                    std::thread::sleep(LOOK);
                }
                Err(TrySendError::Disconnected(_)) => return,
            }
        }
    }

    fn next_record(&mut self) -> Option<ReadPart<S>> {
        if self.is_stuck {
            return None;
        }
        let record = self.journal.next_record();
        let record = self.take(record)??;
        self.control.reached(record.tick.0);
        Some(ReadPart::Record(Box::new(record)))
    }

    /// Opens the journal again at its end, where a server may have written more.
    fn read_again(&mut self) {
        if self.is_stuck || self.journal.end() == JournalEnd::Closed {
            return;
        }
        if let Ok(journal) = JournalReader::open_at(&self.folder, self.journal.position()) {
            self.journal = journal;
        }
    }

    /// The replay at this tick. `None` if it cannot be made, or another one is wanted by now.
    fn go_to(&mut self, tick: Tick) -> Option<Replay<S>> {
        let start = ReplayStart::<S>::newest(&self.folder, tick)
            .or_else(|error| ReplayStart::first(&self.folder).map_err(|_| error));
        let start = self.take(start)?;
        self.journal = start.journal;
        let mut replay = start.replay;
        while replay.tick().0 < tick.0 {
            if self.control.seek().number != self.seek || self.control.is_over() {
                return None;
            }
            let read = self.journal.next_record();
            let Some(record) = self.take(read)? else { break };
            if guarded(|| replay.step(&record)).is_none_or(|stepped| stepped.is_err()) {
                // It is shown to the tick before, and fails where people see it.
                return self.go_to(Tick(record.tick.0.saturating_sub(1)));
            }
        }
        Some(replay)
    }

    /// What was read. `None` if nothing is read until the next seek: log and page are told of the reason once.
    fn take<T>(&mut self, read: Result<T, JournalError>) -> Option<T> {
        let error = match read {
            Ok(read) => return Some(read),
            Err(error) => error,
        };
        tracing::warn!("the replay cannot be read further: {error}");
        self.control.set_unreadable(Some(error.to_string()));
        self.is_stuck = true;
        None
    }
}
