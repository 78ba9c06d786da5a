//! Measures what a room's journal costs, beside the same room's ticks without one.
//!
//! One room plays, and its journal is kept in every other block of ticks: both halves see the same fight on the same machine.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use clap::Args;
use serde::Serialize;
use tickwire_arena::rules::Arena;
use tickwire_bench::rooms::arena::{WARM_UP_TICKS, arena};
use tickwire_bench::rooms::thread_time;
use tickwire_server::config::{RoomConfig, ServerConfig};
use tickwire_server::journal::SegmentWriter;
use tickwire_server::room::{JournalEntry, JournalHead};

/// Arguments of the run.
#[derive(Clone, Debug, Args)]
pub(crate) struct JournalArguments {
    /// Bots in the room.
    #[arg(long, default_value_t = 200)]
    players: u32,
    /// Pairs of blocks, one with a journal and one without.
    #[arg(long, default_value_t = 50)]
    pairs: u32,
    /// Ticks of a block.
    #[arg(long, default_value_t = 60)]
    block_ticks: u32,
    /// Print one JSON object and nothing else.
    #[arg(long)]
    json: bool,
}

/// The output of `--json`. Times are of processor, of one tick.
#[derive(Clone, Debug, Serialize)]
struct Report {
    players: u32,
    ticks: u32,
    tick_us: f64,
    tick_with_journal_us: f64,
    /// Of the thread that writes, with checksums and the system's part; without waiting for the disk.
    write_us: f64,
    /// Both together against a tick without a journal.
    cost_percent: f64,
    bytes_per_tick: f64,
}

pub(crate) fn run(arguments: &JournalArguments) -> anyhow::Result<ExitCode> {
    let JournalArguments { players, pairs, block_ticks, json } = *arguments;
    ensure!(players > 0 && pairs > 0 && block_ticks > 0, "give at least one of everything");
    let config = ServerConfig::default();
    let flush_ticks = (60 * config.journal_flush_ms / 1000).max(1);
    let mut table = arena(players).play(WARM_UP_TICKS);
    let dir = std::env::temp_dir().join(format!("tickwire-journal-{}", std::process::id()));
    let head = JournalHead::new::<Arena>(("bench", 1), &"".into(), &RoomConfig::default());
    let mut writer = SegmentWriter::new(dir.clone(), head, u64::MAX);
    let [mut without, mut with, mut write] = [Duration::ZERO; 3];
    let mut bytes = 0;
    for _ in 0..pairs {
        for _ in 0..block_ticks {
            let spent = table.tick();
            without += spent.inputs + spent.step;
        }
        table.room_mut().start_journal(config.journal_lanes_ticks);
        for tick in 1..=block_ticks {
            let spent = table.tick();
            let start = thread_time();
            let record = table.room_mut().poll_journal().context("no record")?;
            with += spent.inputs + spent.step + (thread_time() - start);
            bytes += record.len();
            let entry = JournalEntry::from_bytes(&record)?;
            let start = thread_time();
            writer.append(&entry);
            if tick % flush_ticks == 0 {
                writer.flush(false)?;
            }
            write += thread_time() - start;
        }
        table.room_mut().stop_journal();
    }
    std::fs::remove_dir_all(&dir)?;
    let ticks = pairs * block_ticks;
    let us = |time: Duration| time.as_secs_f64() * 1e6 / f64::from(ticks);
    let [tick_us, tick_with_journal_us, write_us] = [without, with, write].map(us);
    let cost_percent = 100.0 * ((tick_with_journal_us + write_us) / tick_us - 1.0);
    let bytes_per_tick = bytes as f64 / f64::from(ticks);
    let report = Report {
        players,
        ticks,
        tick_us,
        tick_with_journal_us,
        write_us,
        cost_percent,
        bytes_per_tick,
    };
    match json {
        true => println!("{}", serde_json::to_string(&report)?),
        false => println!(
            "{players} players, {ticks} ticks each: {tick_us:.0} us without a journal, {tick_with_journal_us:.0} us with, \
             {write_us:.1} us to write it: {cost_percent:.1} % more; {bytes_per_tick:.0} bytes a tick"
        ),
    }
    Ok(ExitCode::SUCCESS)
}
