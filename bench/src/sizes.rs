//! The size of the arena's snapshots with simpler codings.
//!
//! In each tick with a snapshot, eight bots of a swarm code what they then see in three ways:
//! everything; the changes since [`AGE_TICKS`] before, the age of an acknowledged baseline; and
//! those changes packed by zstd. All use postcard, on lanes that are already quantised: raw values
//! would take more.

use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use clap::Args;
use serde::Serialize;
use tickwire_arena::rules::Arena;
use tickwire_client::Client;
use tickwire_shared::replica::Entity;
use tickwire_shared::{EntityId, Tick};

use crate::swarm::{self, SwarmArguments, Watch};

/// The age of a baseline on a near network.
const AGE_TICKS: u32 = 4;
const ZSTD_LEVEL: i32 = 3;

/// Arguments of the run.
#[derive(Clone, Debug, Args)]
pub(crate) struct SizesArguments {
    #[command(flatten)]
    swarm: SwarmArguments,
}

/// Bytes for each client and tick: the output of `--json`.
#[derive(Clone, Debug, Serialize)]
struct Report {
    clients: usize,
    entities_in_sight: f64,
    entities_changed: f64,
    /// Everything in sight.
    full_postcard: f64,
    /// Entities that are new or changed since the baseline; removed ones are not coded.
    changed_postcard: f64,
    /// The same packed by zstd; never more than unpacked.
    changed_zstd: f64,
    /// Tickwire's payload, including chat and control.
    tickwire: f64,
}

#[derive(Debug, Default)]
struct Sizes(Mutex<Sums>);

#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    ticks: u64,
    in_sight: u64,
    changed: u64,
    full_bytes: u64,
    changed_bytes: u64,
    zstd_bytes: u64,
}

/// One entity in the form to be coded.
#[derive(Serialize)]
struct OutboxEvent<'a> {
    id: EntityId,
    kind: u8,
    mine: bool,
    lanes: &'a [i32],
}

impl<'a> OutboxEvent<'a> {
    fn of(entity: &'a Entity, tick: Tick) -> Option<Self> {
        let lanes = entity.states.lanes(entity.states.at_or_before(tick)?);
        Some(OutboxEvent { id: entity.id, kind: entity.kind, mine: entity.mine, lanes })
    }
}

impl Watch for Sizes {
    fn look(
        &self,
        _viewer: u8,
        client: &Client<Arena>,
        from: Option<u32>,
    ) -> anyhow::Result<Option<u32>> {
        let Some(replica) = client.session().room().map(|room| room.replica()) else {
            return Ok(from);
        };
        let Some(newest) =
            replica.newest().filter(|newest| from.is_none_or(|from| newest.0 >= from))
        else {
            return Ok(from);
        };
        let before = newest.offset(-(AGE_TICKS as i32));
        let full: Vec<OutboxEvent<'_>> = replica
            .entities()
            .iter()
            .filter_map(|entity| OutboxEvent::of(entity, newest))
            .collect();
        let has_changed = |entity: &&Entity| {
            let then = OutboxEvent::of(entity, before);
            let now = OutboxEvent::of(entity, newest);
            then.map(|told| told.lanes) != now.map(|told| told.lanes)
        };
        let changed: Vec<OutboxEvent<'_>> = replica
            .entities()
            .iter()
            .filter(has_changed)
            .filter_map(|entity| OutboxEvent::of(entity, newest))
            .collect();
        let full_bytes = postcard::to_allocvec(&(newest, &full))?.len();
        let bytes = postcard::to_allocvec(&(newest, before, &changed))?;
        let packed = zstd::bulk::compress(&bytes, ZSTD_LEVEL)?;
        let mut sums = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sums.ticks += 1;
        sums.in_sight += full.len() as u64;
        sums.changed += changed.len() as u64;
        sums.full_bytes += full_bytes as u64;
        sums.changed_bytes += bytes.len() as u64;
        sums.zstd_bytes += packed.len().min(bytes.len()) as u64;
        Ok(Some(newest.0 + 1))
    }
}

pub(crate) fn run(arguments: &SizesArguments) -> anyhow::Result<ExitCode> {
    let sizes = Arc::new(Sizes::default());
    let swarm = SwarmArguments { watch: Some(sizes.clone()), ..arguments.swarm.clone() };
    let measured = swarm::measure(&swarm)?;
    let sums = *sizes.0.lock().unwrap_or_else(PoisonError::into_inner);
    if sums.ticks == 0 {
        anyhow::bail!("no bot saw anything; run it longer");
    }
    let each = |sum: u64| sum as f64 / sums.ticks as f64;
    let report = Report {
        clients: swarm.clients,
        entities_in_sight: each(sums.in_sight),
        entities_changed: each(sums.changed),
        full_postcard: each(sums.full_bytes),
        changed_postcard: each(sums.changed_bytes),
        changed_zstd: each(sums.zstd_bytes),
        tickwire: measured.down_bytes_per_client_tick,
    };
    if swarm.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        println!("{report:#?}");
    }
    Ok(measured.exit_code())
}
