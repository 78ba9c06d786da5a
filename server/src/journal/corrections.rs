//! What a room's journal has of the ticks in which a client's prediction was wrong.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use tickwire_shared::correction::{CorrectionRecord, lane_value};
use tickwire_shared::{Simulation, Tick};

use super::error::JournalError;
use super::newest::ReplayStart;
use crate::guard::guarded;
use crate::room::{EntityLanes, Replay, ReplayDifference};

/// Most bytes of a file of corrections.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Corrections of one room, and what its journal has of them.
#[derive(Debug, Default)]
pub struct RecordedCorrections {
    /// Those of the room, by tick.
    pub corrections: Vec<CorrectionRecord>,
    /// Of each, and of each of its fields: what the room showed after that tick. `None` where it had no such entity or field, or
    /// where the tick is not in the journal.
    pub shown: Vec<Vec<Option<f64>>>,
    /// Corrections of other rooms, which are left out.
    pub elsewhere: usize,
    /// The first tick in which this build's rules differ from those that recorded: what was shown is of this build.
    pub difference: Option<ReplayDifference>,
}

/// An unusable file of corrections.
#[derive(Debug, thiserror::Error)]
pub enum CorrectionsError {
    /// It cannot be read.
    #[error("{}: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The reason, in words.
        reason: String,
    },
    /// A line that is none.
    #[error("line {line} of {} is no correction: {reason}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Its number, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// The journal cannot be run again.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

impl RecordedCorrections {
    /// The corrections of a file: one object of JSON in each line, as a client writes them.
    ///
    /// # Errors
    /// [`CorrectionsError`], with the line.
    pub fn read(path: &Path) -> Result<Vec<CorrectionRecord>, CorrectionsError> {
        let failed = |reason: String| CorrectionsError::File { path: path.to_owned(), reason };
        let file = File::open(path).map_err(|error| failed(error.to_string()))?;
        let bytes = file.metadata().map_err(|error| failed(error.to_string()))?.len();
        if bytes > FILE_BYTES_MAX {
            return Err(failed(format!("it has {bytes} bytes, more than {FILE_BYTES_MAX}")));
        }
        let mut corrections = Vec::new();
        for (at, line) in BufReader::new(file).lines().enumerate() {
            let line = line.map_err(|error| failed(error.to_string()))?;
            let read = serde_json::from_str(&line).map_err(|error| CorrectionsError::Line {
                path: path.to_owned(),
                line: at + 1,
                reason: error.to_string(),
            });
            corrections.push(read?);
        }
        Ok(corrections)
    }

    /// Runs the room in `folder` again, up to the last of these corrections, and looks at what it shows after the tick of each.
    ///
    /// # Errors
    /// [`CorrectionsError::Journal`].
    pub fn beside<S: Simulation>(
        folder: &Path,
        mut corrections: Vec<CorrectionRecord>,
    ) -> Result<Self, CorrectionsError> {
        corrections.sort_by_key(|correction| correction.tick);
        let first = corrections.first().map_or(1, |correction| correction.tick);
        let before = Tick(first.saturating_sub(1));
        let start = ReplayStart::<S>::newest(folder, before).or_else(|error| {
            // The beginning of the journal may have been removed.
            ReplayStart::first(folder).map_err(|_| error)
        })?;
        let ReplayStart { mut replay, mut journal, .. } = start;
        let room = journal.head().room.clone();
        let all = corrections.len();
        corrections.retain(|correction| correction.room == room);
        let elsewhere = all - corrections.len();
        let mut by_tick: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        for (at, correction) in corrections.iter().enumerate() {
            by_tick.entry(correction.tick).or_default().push(at);
        }
        let mut shown: Vec<Vec<Option<f64>>> =
            corrections.iter().map(|correction| vec![None; correction.fields.len()]).collect();
        while let Some((&last, _)) = by_tick.last_key_value()
            && replay.tick().0 < last
            && let Some(record) = journal.next_record()?
        {
            let wanted = by_tick.get(&record.tick.0);
            replay.set_keeps_lanes(wanted.is_some());
            let (path, tick) = (|| folder.to_owned(), record.tick.0);
            match guarded(|| replay.step(&record)) {
                // As it did when it was recorded.
                None if record.hash.is_none() => break,
                None => return Err(JournalError::Panic { path: path(), tick }.into()),
                Some(Err(error)) => return Err(JournalError::Replay { path: path(), error }.into()),
                Some(Ok(())) => {}
            }
            for at in wanted.into_iter().flatten() {
                shown[*at] = shown_of(&replay, &corrections[*at]);
            }
        }
        let difference = replay.difference().cloned();
        Ok(RecordedCorrections { corrections, shown, elsewhere, difference })
    }
}

/// What the room shows of the fields of a correction.
fn shown_of<S: Simulation>(replay: &Replay<S>, correction: &CorrectionRecord) -> Vec<Option<f64>> {
    let is_it = |entity: &&EntityLanes| entity.id.0 == correction.entity;
    let entity = replay.lanes().and_then(|lanes| lanes.iter().find(is_it));
    let kinds = &replay.schema().entities;
    let lanes: BTreeMap<String, f64> = entity
        .and_then(|entity| Some((entity, kinds.get(usize::from(entity.kind))?)))
        .filter(|(_, kind)| kind.name == correction.kind)
        .into_iter()
        .flat_map(|(entity, kind)| {
            let lanes = entity.lanes.iter().enumerate();
            lanes.map(|(lane, value)| lane_value(kind, lane, *value))
        })
        .collect();
    correction.fields.iter().map(|field| lanes.get(&field.name).copied()).collect()
}

/// For a person. What a client wrote is escaped.
impl std::fmt::Display for RecordedCorrections {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = |value: &Option<f64>| value.map_or("none".to_owned(), |it| it.to_string());
        for (correction, values) in self.corrections.iter().zip(&self.shown) {
            writeln!(f, "{correction}")?;
            for (field, value) in correction.fields.iter().zip(values) {
                let (name, predicted) = (field.name.escape_debug(), shown(&field.predicted));
                let (server, journal) = (field.server, shown(value));
                writeln!(f, "  {name}: predicted {predicted}, server {server}, journal {journal}")?;
            }
            let inputs: Vec<_> = correction.inputs.iter().map(ToString::to_string).collect();
            writeln!(f, "  inputs: {}", inputs.join("; "))?;
        }
        if self.elsewhere > 0 {
            writeln!(f, "{} corrections of other rooms are left out", self.elsewhere)?;
        }
        if let Some(difference) = &self.difference {
            writeln!(f, "the journal is of other rules than this build's: {difference}")?;
        }
        write!(f, "{} corrections", self.corrections.len())
    }
}
