//! Trace files: what some clients of a room saw, tick by tick. `record` writes them, `train` reads
//! them.
//!
//! Packed by zstd: the version, the schema, then the [`TraceState`]s in turn, all in postcard.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};
use tickwire_arena::rules::Arena;
use tickwire_client::Client;
use tickwire_shared::schema::Schema;
use tickwire_shared::simulation::schema_of;
use tickwire_shared::{Simulation, Tick};

use crate::swarm::Watch;

const TRACE_VERSION: u8 = 1;
/// Most bytes of an unpacked trace; more would not improve the model.
const TRACE_BYTES_MAX: usize = 1 << 30;

/// A client's state of one entity at one tick.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct TraceState {
    viewer: u8,
    tick: u32,
    id: u32,
    kind: u8,
    mine: bool,
    lanes: Vec<i32>,
}

/// Writes a trace from several clients concurrently.
pub(crate) struct Recorder {
    out: Mutex<zstd::Encoder<'static, BufWriter<File>>>,
}

impl std::fmt::Debug for Recorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recorder").finish_non_exhaustive()
    }
}

impl Recorder {
    /// Creates a file for the game `S`.
    pub(crate) fn create<S: Simulation>(path: &Path) -> anyhow::Result<Self> {
        let file = File::create(path)
            .with_context(|| format!("{}: cannot be written; name another file", path.display()))?;
        let mut out = zstd::Encoder::new(BufWriter::new(file), 3)?;
        let schema = Schema { model: Vec::new(), ..schema_of::<S>() };
        out.write_all(&postcard::to_allocvec(&(TRACE_VERSION, schema))?)?;
        Ok(Recorder { out: Mutex::new(out) })
    }

    /// Completes the file.
    pub(crate) fn finish(self) -> anyhow::Result<()> {
        self.out.into_inner().unwrap_or_else(PoisonError::into_inner).finish()?.flush()?;
        Ok(())
    }
}

impl Watch for Recorder {
    fn look(
        &self,
        viewer: u8,
        client: &Client<Arena>,
        from: Option<u32>,
    ) -> anyhow::Result<Option<u32>> {
        let Some(replica) = client.session().room().map(|room| room.replica()) else {
            return Ok(from);
        };
        let Some(newest) = replica.newest() else { return Ok(from) };
        let mut bytes = Vec::new();
        for tick in from.unwrap_or(newest.0)..=newest.0 {
            for entity in replica.entities() {
                let Some(at) = entity.states.at(Tick(tick)) else { continue };
                let state = TraceState {
                    viewer,
                    tick,
                    id: entity.id.0,
                    kind: entity.kind,
                    mine: entity.mine,
                    lanes: entity.states.lanes(at).to_vec(),
                };
                bytes.extend(postcard::to_allocvec(&state)?);
            }
        }
        self.out.lock().unwrap_or_else(PoisonError::into_inner).write_all(&bytes)?;
        Ok(Some(newest.0 + 1))
    }
}

/// One client's states of one entity, by tick.
pub(crate) struct Track {
    pub(crate) kind: u8,
    /// Tick, whether the client owns it, lanes.
    pub(crate) states: Vec<(u32, bool, Vec<i32>)>,
}

/// A trace read back.
pub(crate) struct Trace {
    pub(crate) schema: Schema,
    pub(crate) tracks: Vec<Track>,
}

impl Trace {
    /// Reads a trace file.
    pub(crate) fn load(path: &Path) -> anyhow::Result<Self> {
        let shown = path.display();
        let file = File::open(path)
            .with_context(|| format!("{shown}: cannot be read; name a file that `record` wrote"))?;
        let mut bytes = Vec::new();
        let limit = TRACE_BYTES_MAX as u64 + 1;
        let unpacked = std::io::Read::take(zstd::Decoder::new(file)?, limit);
        std::io::copy(&mut { unpacked }, &mut bytes)
            .with_context(|| format!("{shown}: is not a trace; record it again"))?;
        if bytes.len() > TRACE_BYTES_MAX {
            bail!("{shown}: is longer than 1 GiB unpacked; record for a shorter time");
        }
        Self::parse(&bytes).with_context(|| format!("{shown}: is not a trace; record it again"))
    }

    fn parse(bytes: &[u8]) -> anyhow::Result<Self> {
        let (version, rest) = postcard::take_from_bytes::<u8>(bytes)?;
        if version != TRACE_VERSION {
            bail!("it has version {version}, this build reads version {TRACE_VERSION}");
        }
        let (schema, mut rest) = postcard::take_from_bytes::<Schema>(rest)?;
        schema.validate()?;
        let mut tracks: Vec<Track> = Vec::new();
        let mut places: HashMap<(u8, u32, u8), usize> = HashMap::new();
        while !rest.is_empty() {
            let (state, after) = postcard::take_from_bytes::<TraceState>(rest)?;
            rest = after;
            let kind = schema.entities.get(usize::from(state.kind));
            if kind.is_none_or(|kind| kind.lanes() != state.lanes.len()) {
                bail!("a state of kind {} does not fit the schema", state.kind);
            }
            let place = *places.entry((state.viewer, state.id, state.kind)).or_insert_with(|| {
                tracks.push(Track { kind: state.kind, states: Vec::new() });
                tracks.len() - 1
            });
            let states = &mut tracks[place].states;
            if states.last().is_some_and(|(tick, ..)| *tick >= state.tick) {
                bail!("ticks go back");
            }
            states.push((state.tick, state.mine, state.lanes));
        }
        Ok(Trace { schema, tracks })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_trace_is_refused_with_its_reason() {
        let schema = schema_of::<tickwire_arena::rules::Arena>();
        let state = |kind, tick, lanes: usize| TraceState {
            viewer: 0,
            tick,
            id: 7,
            kind,
            mine: false,
            lanes: vec![0; lanes],
        };
        let trace = |version: u8, states: &[TraceState]| {
            let mut bytes = postcard::to_allocvec(&(version, &schema)).unwrap();
            states.iter().for_each(|state| bytes.extend(postcard::to_allocvec(state).unwrap()));
            bytes
        };
        let lanes = schema.entities[0].lanes();
        let good = trace(TRACE_VERSION, &[state(0, 5, lanes), state(0, 6, lanes)]);
        let read = Trace::parse(&good).unwrap();
        assert_eq!((read.tracks.len(), read.tracks[0].states.len()), (1, 2));
        let refused = |bytes: &[u8]| Trace::parse(bytes).err().unwrap().to_string();
        assert_eq!(refused(&trace(9, &[])), "it has version 9, this build reads version 1");
        let short = trace(TRACE_VERSION, &[state(0, 5, lanes - 1)]);
        assert_eq!(refused(&short), "a state of kind 0 does not fit the schema");
        let kind = trace(TRACE_VERSION, &[state(60, 5, 3)]);
        assert_eq!(refused(&kind), "a state of kind 60 does not fit the schema");
        let back = trace(TRACE_VERSION, &[state(0, 5, lanes), state(0, 5, lanes)]);
        assert_eq!(refused(&back), "ticks go back");
        assert!(Trace::parse(&good[..good.len() - 1]).is_err(), "cut short");
    }
}
