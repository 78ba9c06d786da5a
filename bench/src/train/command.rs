//! `tickwire-bench train`: a model file from recorded traces.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::Args;
use tickwire_shared::bits::BitMeasure;
use tickwire_shared::delta::{Baseline, LaneTable};
use tickwire_shared::model::{MODEL_VERSION, Model};
use tickwire_shared::schema::Schema;

use super::{Effort, Sight, train_kind};
use crate::trace::{Trace, Track};

/// Ages of the baselines of a room's clients, from near to far away, in ticks.
const AGES: [u32; 6] = [2, 3, 4, 5, 7, 11];

/// Arguments of the run.
#[derive(Clone, Debug, Args)]
pub(crate) struct TrainArguments {
    /// Traces written by `record`, all of one game.
    #[arg(required = true)]
    traces: Vec<PathBuf>,
    /// Further traces on which to test the model.
    #[arg(long, num_args = 1..)]
    test: Vec<PathBuf>,
    /// The model file to write; an existing one is replaced.
    #[arg(long)]
    out: PathBuf,
    /// Most leaves of a site's tree.
    #[arg(long, default_value_t = 16)]
    leaves: usize,
    /// Bits over the whole training that a split must save.
    #[arg(long, default_value_t = 2000.0)]
    gain: f64,
}

pub(crate) fn run(arguments: &TrainArguments) -> anyhow::Result<ExitCode> {
    let mut schema: Option<Schema> = None;
    let mut load = |paths: &[PathBuf]| -> anyhow::Result<Vec<Track>> {
        let mut tracks = Vec::new();
        for path in paths {
            let trace = Trace::load(path)?;
            if schema.as_ref().is_some_and(|schema| *schema != trace.schema) {
                bail!(
                    "{}: is of other rules than the first trace; record it again",
                    path.display()
                );
            }
            schema = Some(trace.schema);
            tracks.extend(trace.tracks);
        }
        Ok(tracks)
    };
    let tracks = load(&arguments.traces)?;
    let tests = load(&arguments.test)?;
    let schema = schema.context("no trace; name at least one")?;
    let effort =
        Effort { leaves_max: arguments.leaves, gain_bits_min: arguments.gain, with_chances: false };
    let mut model = Model { version: MODEL_VERSION, kinds: Vec::new() };
    for (number, kind) in schema.entities.iter().enumerate() {
        let sights = |take: &mut dyn FnMut(&Sight<'_>)| {
            let of_kind = tracks.iter().filter(|track| usize::from(track.kind) == number);
            of_kind.for_each(|track| sights(track, take));
        };
        let report = |line: String| println!("{line}");
        model.kinds.push(train_kind(kind, schema.tick_hz, &sights, effort, &report));
    }
    model.validate(&schema)?;
    let bytes = model.to_bytes();
    compare("training", &schema, &bytes, &tracks)?;
    if !tests.is_empty() {
        compare("test", &schema, &bytes, &tests)?;
    }
    std::fs::write(&arguments.out, &bytes).with_context(|| {
        format!("{}: cannot be written; name another file", arguments.out.display())
    })?;
    println!("{}: {} bytes", arguments.out.display(), bytes.len());
    Ok(ExitCode::SUCCESS)
}

/// Prints the size of some tracks' deltas by the defaults and by the model.
fn compare(name: &str, schema: &Schema, model: &[u8], tracks: &[Track]) -> anyhow::Result<()> {
    let trained = Schema { model: model.to_vec(), ..schema.clone() };
    let tables = [schema, &trained].map(LaneTable::of_entities);
    for (number, kind) in schema.entities.iter().enumerate() {
        let (mut told, mut bits) = (0u64, [0usize; 2]);
        for track in tracks.iter().filter(|track| usize::from(track.kind) == number) {
            sights(track, &mut |sight| {
                let [plain, _] = &tables;
                if plain[number].is_predicted(&sight.baseline, sight.lanes, sight.owner) {
                    return;
                }
                told += 1;
                for (table, bits) in tables.iter().zip(&mut bits) {
                    let (mut measure, mut lanes) = (BitMeasure::default(), sight.lanes.to_vec());
                    let table = &table[number];
                    table
                        .delta(&mut measure, &sight.baseline, &mut lanes, sight.owner)
                        .expect("measuring never fails");
                    *bits += measure.len_bits();
                }
            });
        }
        let [plain, trained] = bits.map(|bits| bits as f64 / told.max(1) as f64);
        println!(
            "{name}: {}: {told} deltas, {plain:.2} bits each by the defaults, {trained:.2} by the model",
            kind.name
        );
    }
    Ok(())
}

fn sights(track: &Track, take: &mut dyn FnMut(&Sight<'_>)) {
    for (at, (tick, owner, lanes)) in track.states.iter().enumerate() {
        let age = AGES[(at + *tick as usize) % AGES.len()];
        let before = track.states[..at].iter().rev();
        let mut before = before.take_while(|(then, ..)| tick - then <= age);
        let Some((.., last)) = before.find(|(then, ..)| tick - then == age) else { continue };
        take(&Sight { baseline: Baseline::new(last, age), lanes, owner: *owner, recent: 0 });
    }
}
