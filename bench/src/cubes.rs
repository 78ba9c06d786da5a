//! Measures the codec on recorded cube scenes, for comparison with published results.
//!
//! A frame is coded against the frame six before it and, for motion, the one twelve before. Each
//! packet stands alone: the set of changed cubes, then their deltas, as a room would send them.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context as _, bail};
use clap::Args;
use serde::Serialize;
use tickwire_shared::bits::{BitReader, BitWriter};
use tickwire_shared::delta::{Baseline, LaneTable, SecondBaseline};
use tickwire_shared::model::told::{self, RecentlySent};
use tickwire_shared::model::{Chances, KindModel, MODEL_VERSION, Model};
use tickwire_shared::schema::{FieldSchema, FieldType, KindSchema};

use crate::train::{Effort, Sight, train_kind};

const CUBES: usize = 901;
const LANES: usize = 8;
const FRAME_HZ: u32 = 60;
/// Frames from the baseline to the coded frame, and from the second baseline to the first.
const AGE: usize = 6;

/// Arguments of the run.
#[derive(Clone, Debug, Args)]
pub(crate) struct CubesArguments {
    /// Traces to train on; without them the default codes are used.
    #[arg(long, num_args = 1..)]
    train: Vec<PathBuf>,
    /// The trace to code.
    #[arg(long)]
    test: PathBuf,
    /// Most leaves of a site's tree.
    #[arg(long, default_value_t = 64)]
    leaves: usize,
    /// Bits over the whole training that a split must save.
    #[arg(long, default_value_t = 150.0)]
    gain: f64,
    /// Print one JSON object and nothing else.
    #[arg(long)]
    json: bool,
}

/// The output of `--json`.
#[derive(Clone, Debug, Serialize)]
struct Report {
    frames: usize,
    changed_per_frame: f64,
    bytes_per_frame: f64,
    /// The part that codes the set of changed cubes.
    set_bytes_per_frame: f64,
    kbps: f64,
    encode_ns_per_changed_cube: f64,
    decode_ns_per_changed_cube: f64,
    /// Every packet was decoded and gave the original frame.
    verified: bool,
    model_bytes: usize,
}

/// Recorded frames, each with every cube's lanes in our order.
struct Trace {
    lanes: Vec<i32>,
}

impl Trace {
    fn load(path: &Path) -> anyhow::Result<Self> {
        let packed = std::fs::read(path)
            .with_context(|| format!("{}: cannot be read; name a trace file", path.display()))?;
        let bytes = zstd::decode_all(&packed[..])
            .with_context(|| format!("{}: is not a zstd file", path.display()))?;
        if bytes.is_empty() || bytes.len() % (CUBES * LANES * 4) != 0 {
            bail!("{}: does not hold whole frames of {CUBES} cubes", path.display());
        }
        let mut lanes = Vec::with_capacity(bytes.len() / 4);
        for cube in bytes.chunks_exact(LANES * 4) {
            let mut words = cube.chunks_exact(4);
            let mut next = || {
                let word = words.next().and_then(|word| word.first_chunk().copied());
                i32::from_le_bytes(word.unwrap_or_default())
            };
            let orientation = [(); 4].map(|()| next());
            let position = [(); 3].map(|()| next());
            lanes.extend(position);
            lanes.extend(orientation);
            lanes.push(next());
        }
        Ok(Trace { lanes })
    }

    fn frames(&self) -> usize {
        self.lanes.len() / (CUBES * LANES)
    }

    fn cube(&self, frame: usize, cube: usize) -> &[i32] {
        let first = (frame * CUBES + cube) * LANES;
        &self.lanes[first..first + LANES]
    }
}

/// The baselines of a cube in frame `frame`.
fn baseline(trace: &Trace, frame: usize, cube: usize) -> Baseline<'_> {
    let older = frame.checked_sub(2 * AGE);
    Baseline {
        lanes: trace.cube(frame - AGE, cube),
        ticks: AGE as u32,
        second: older
            .map(|older| SecondBaseline { lanes: trace.cube(older, cube), ticks: AGE as u32 }),
    }
}

/// The cubes, and the player's larger one.
fn kinds() -> [KindSchema; 2] {
    let position = FieldType::Vec3 { min: -32.0, max: 32.0, step: 1.0 / 512.0 };
    ["Cube", "Player"].map(|name| {
        let fields = vec![
            FieldSchema::new("position", position),
            FieldSchema::new("orientation", FieldType::Quat { bits: 9 }),
            FieldSchema::new("interacting", FieldType::Bool),
        ];
        KindSchema::new(name, fields)
    })
}

fn kind_of(cube: usize) -> usize {
    usize::from(cube == 0)
}

/// Runs the measurement.
pub(crate) fn run(arguments: &CubesArguments) -> anyhow::Result<ExitCode> {
    let kinds = kinds();
    let test = Trace::load(&arguments.test)?;
    let mut model = Model { version: MODEL_VERSION, kinds: Vec::new() };
    if !arguments.train.is_empty() {
        let traces: anyhow::Result<Vec<Trace>> =
            arguments.train.iter().map(|path| Trace::load(path)).collect();
        let traces = traces?;
        let effort = Effort {
            leaves_max: arguments.leaves,
            gain_bits_min: arguments.gain,
            with_chances: true,
        };
        for (number, kind) in kinds.iter().enumerate() {
            let sights = |take: &mut dyn FnMut(&Sight<'_>)| sights(&traces, number, take);
            let quiet = arguments.json;
            let report = |line: String| {
                if !quiet {
                    println!("{line}");
                }
            };
            model.kinds.push(train_kind(kind, FRAME_HZ, &sights, effort, &report));
        }
    }
    let report = code(&test, &kinds, &model)?;
    if arguments.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        println!("{report:#?}");
    }
    Ok(if report.verified { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn sights(traces: &[Trace], kind: usize, take: &mut dyn FnMut(&Sight<'_>)) {
    for trace in traces {
        for frame in AGE..trace.frames() {
            let mut recent = RecentlySent::default();
            for cube in 0..CUBES {
                let baseline = baseline(trace, frame, cube);
                let lanes = trace.cube(frame, cube);
                let told = lanes != baseline.lanes;
                if kind_of(cube) == kind {
                    take(&Sight { baseline, lanes, owner: true, recent: recent.count() });
                }
                recent.push(told);
            }
        }
    }
}

/// The chances that each cube is coded, if the model has them.
fn chances(trace: &Trace, frame: usize, tables: &[LaneTable]) -> Option<Vec<Chances>> {
    let each =
        (0..CUBES).map(|cube| tables[kind_of(cube)].chances(&baseline(trace, frame, cube), true));
    each.collect()
}

/// Encodes and decodes every frame.
fn code(trace: &Trace, kinds: &[KindSchema; 2], model: &Model) -> anyhow::Result<Report> {
    let tables: Result<Vec<LaneTable>, &str> = kinds
        .iter()
        .enumerate()
        .map(|(number, kind)| {
            let default = KindModel::default();
            LaneTable::with_model(kind, FRAME_HZ, model.kinds.get(number).unwrap_or(&default))
        })
        .collect();
    let tables = tables.map_err(|reason| anyhow::anyhow!("the model does not fit: {reason}"))?;
    let mut decoded = Trace { lanes: trace.lanes[..AGE * CUBES * LANES].to_vec() };
    let (mut bytes, mut set_bits, mut changed) = (0, 0, 0usize);
    let (mut encode_ns, mut decode_ns) = (0, 0);
    let mut verified = true;
    let packets = trace.frames() - AGE;
    for frame in AGE..trace.frames() {
        let start = Instant::now();
        let mut writer = BitWriter::default();
        let set: Vec<bool> = (0..CUBES)
            .map(|cube| trace.cube(frame, cube) != trace.cube(frame - AGE, cube))
            .collect();
        told::write(&mut writer, &set, chances(trace, frame, &tables).as_deref());
        set_bits += writer.len_bits();
        let mut lanes = [0; LANES];
        for cube in (0..CUBES).filter(|&cube| set[cube]) {
            lanes.copy_from_slice(trace.cube(frame, cube));
            let table = &tables[kind_of(cube)];
            table.delta(&mut writer, &baseline(trace, frame, cube), &mut lanes, true)?;
        }
        let packet = writer.into_bytes();
        encode_ns += start.elapsed().as_nanos();
        bytes += packet.len();
        changed += set.iter().filter(|told| **told).count();

        let start = Instant::now();
        let first = (frame - AGE) * CUBES * LANES;
        decoded.lanes.extend_from_within(first..first + CUBES * LANES);
        let mut reader = BitReader::new(&packet);
        let mut set_read = [false; CUBES];
        told::read(&mut reader, &mut set_read, chances(&decoded, frame, &tables).as_deref())?;
        for cube in (0..CUBES).filter(|&cube| set_read[cube]) {
            tables[kind_of(cube)].delta(
                &mut reader,
                &baseline(&decoded, frame, cube),
                &mut lanes,
                true,
            )?;
            let first = (frame * CUBES + cube) * LANES;
            decoded.lanes[first..first + LANES].copy_from_slice(&lanes);
        }
        reader.finish()?;
        decode_ns += start.elapsed().as_nanos();
        let frame = frame * CUBES * LANES..(frame + 1) * CUBES * LANES;
        verified &= decoded.lanes[frame.clone()] == trace.lanes[frame];
    }
    let bytes_per_frame = bytes as f64 / packets as f64;
    Ok(Report {
        frames: packets,
        changed_per_frame: changed as f64 / packets as f64,
        bytes_per_frame,
        set_bytes_per_frame: set_bits as f64 / 8.0 / packets as f64,
        kbps: bytes_per_frame * 8.0 * f64::from(FRAME_HZ) / 1000.0,
        encode_ns_per_changed_cube: encode_ns as f64 / changed.max(1) as f64,
        decode_ns_per_changed_cube: decode_ns as f64 / changed.max(1) as f64,
        verified,
        model_bytes: model.to_bytes().len(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A scene in which every ninth cube flies, turns and wakes at its own time.
    fn scene(seed: i32) -> Trace {
        let mut lanes = Vec::new();
        for frame in 0..60 {
            for cube in 0..CUBES as i32 {
                let phase = (cube * 7 + seed) % 23;
                let time = if cube % 9 == 0 { (frame - phase).max(0) } else { 0 };
                let bounce = (cube + seed) % 5 + time * (40 - time) / 8;
                lanes.extend([cube * 16 + time * (phase - 11), time * phase, bounce]);
                lanes.extend([3, 256 + time * (phase % 4), 256, 256 - time * 2 % 40]);
                lanes.push(i32::from(time > 20));
            }
        }
        Trace { lanes }
    }

    #[test]
    fn a_trained_model_codes_another_scene_exactly_and_in_fewer_bytes() {
        let kinds = kinds();
        let train = [scene(0), scene(5)];
        let effort = Effort { leaves_max: 8, gain_bits_min: 150.0, with_chances: true };
        let trained = kinds.iter().enumerate().map(|(number, kind)| {
            let sights = |take: &mut dyn FnMut(&Sight<'_>)| sights(&train, number, take);
            train_kind(kind, FRAME_HZ, &sights, effort, &|_| {})
        });
        let model = Model { version: MODEL_VERSION, kinds: trained.collect() };
        assert_eq!(Model::from_bytes(&model.to_bytes()), Ok(model.clone()));
        let other = scene(3);
        let by_model = code(&other, &kinds, &model).unwrap();
        let none = Model { version: MODEL_VERSION, kinds: Vec::new() };
        let by_defaults = code(&other, &kinds, &none).unwrap();
        assert!(by_model.verified && by_defaults.verified);
        let ratio = by_model.bytes_per_frame / by_defaults.bytes_per_frame;
        assert!(ratio < 0.6, "{by_model:?} {by_defaults:?}");
        let set = by_model.set_bytes_per_frame / by_defaults.set_bytes_per_frame;
        assert!(set < 0.6, "{by_model:?} {by_defaults:?}");
    }
}
