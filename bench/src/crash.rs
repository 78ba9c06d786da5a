//! Kills an arena server with a journal and a store again and again, and measures how its players come back.

mod player;
mod server;

use std::process::ExitCode;
use std::time::{Duration, Instant};
use std::{collections::HashMap, path::PathBuf};

use anyhow::{Context as _, ensure};
use clap::Args;
use serde::Serialize;
use tickwire_arena::rules::Arena;
use tickwire_server::ServerConfig;
use tickwire_shared::Simulation;
use tickwire_shared::control::RequestId;
use tokio::time::MissedTickBehavior;

use crate::progress::Progress;
use crate::random::Splitmix;
use crate::stats::median;
use player::{Player, saved_texts};
use server::CrashServer;

/// Play between two kills, at least and at most.
const PLAY: (Duration, Duration) = (Duration::from_millis(500), Duration::from_millis(2500));
/// Longest wait for the players to come back, or for the answers at the end.
const PATIENCE: Duration = Duration::from_secs(30);

/// Arguments of the run.
#[derive(Clone, Debug, Args)]
pub(crate) struct CrashArguments {
    /// Kills, one after another.
    #[arg(long, default_value_t = 10)]
    kills: usize,
    /// Native clients over QUIC, in one room.
    #[arg(long, default_value_t = 10)]
    clients: usize,
    /// Time between a kill and the start of the next process.
    #[arg(long, default_value_t = 0)]
    down_ms: u64,
    /// The moments of the kills.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The arena's server; without it the `arena-server` beside this program.
    #[arg(long)]
    server: Option<PathBuf>,
    /// Print one JSON object and nothing else.
    #[arg(long)]
    json: bool,
}

/// The output of `--json`.
#[derive(Clone, Debug, Default, Serialize)]
struct Report {
    kills: usize,
    clients: usize,
    down_ms: u64,
    /// From the start of the process to the last client's first new snapshot.
    back_ms_p50: f64,
    back_ms_max: f64,
    /// From the kill to the same.
    outage_ms_p50: f64,
    outage_ms_max: f64,
    /// Ticks that a client had seen and the journal had not.
    ticks_lost_p50: f64,
    ticks_lost_max: u32,
    /// The same for one flush of the journal.
    ticks_per_flush: u32,
    /// Most attempts of one client to come back.
    attempts_max: u32,
    /// Players whose session ended, or who did not come back.
    seats_lost: usize,
    commands_sent: usize,
    /// Commands that were answered by `Done` and are not in the journal: those of lost ticks.
    commands_lost: usize,
    /// Commands that are in the journal more than once.
    commands_doubled: usize,
    commands_refused: usize,
    /// Commands without an answer at the end.
    commands_unanswered: usize,
    chats_sent: usize,
    /// Chat messages of the players that they were told are saved, and those of them that the room's history does not have.
    chats_acked: usize,
    acked_chat_lost: usize,
    /// Chat messages of the players that a player heard more than once: sent again, as the answer was lost.
    chats_doubled: usize,
    /// Profiles that were saved and told to the game as on disk, by the journal.
    saves_acknowledged: usize,
    /// Those of them that the store did not have after a kill, nor a later one.
    saves_lost: usize,
}

/// One kill and its outcome.
struct Kill {
    saves_lost: usize,
    back_ms: f64,
    outage_ms: f64,
    ticks_lost: u32,
}

pub(crate) fn run(arguments: &CrashArguments) -> anyhow::Result<ExitCode> {
    ensure!(arguments.kills > 0 && arguments.clients > 0, "give at least one of everything");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let report = runtime.block_on(measure(arguments))?;
    match arguments.json {
        true => println!("{}", serde_json::to_string(&report)?),
        false => report.print(),
    }
    let lost = report.seats_lost + report.acked_chat_lost + report.saves_lost;
    let is_whole = lost == 0 && report.commands_doubled == 0;
    Ok(if is_whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn measure(arguments: &CrashArguments) -> anyhow::Result<Report> {
    let mut server = CrashServer::new(arguments.server.clone())?;
    server.start()?;
    let mut table = Table::seat(&server, arguments.clients).await?;
    let mut random = Splitmix::new(arguments.seed);
    let mut bar = Progress::new("kills", arguments.kills as u64, arguments.json);
    let mut kills = Vec::new();
    for at in 0..arguments.kills {
        let (least, most) = PLAY;
        let until = Instant::now() + least + (most - least).mul_f32(random.part());
        table.play_while(|_| Instant::now() < until).await;
        let kill = table.kill(&mut server, Duration::from_millis(arguments.down_ms)).await?;
        bar.show(at as u64 + 1, format!("back after {:.0} ms", kill.back_ms));
        kills.push(kill);
    }
    bar.finish();
    table.players.iter_mut().for_each(Player::fall_silent);
    let end = Instant::now() + PATIENCE;
    table.play_while(|players| Instant::now() < end && players.iter().any(Player::waits)).await;
    let history = saved_texts(&server.target(), &server.token("reader")?).await?;
    server.stop()?;
    let done = server.commands()?;
    let saved = (server.saves()?.acknowledged, server.lost_saves()?);
    server.remove();
    let mut report = table.report(arguments, &kills, &done);
    let acked = table.players.iter().flat_map(Player::saved_chats);
    report.chats_acked = acked.clone().count();
    report.acked_chat_lost = acked.filter(|text| !history.contains(*text)).count();
    let (saves_acknowledged, lost) = saved;
    let saves_lost = lost + kills.iter().map(|kill| kill.saves_lost).sum::<usize>();
    Ok(Report { saves_acknowledged, saves_lost, ..report })
}

/// All players, in one task.
struct Table {
    players: Vec<Player>,
    frames: u64,
    lost: usize,
}

impl Table {
    async fn seat(server: &CrashServer, clients: usize) -> anyhow::Result<Self> {
        let mut players = Vec::new();
        for number in 0..clients {
            let token = server.token(&format!("account-{number}"))?;
            players.push(Player::join(&server.target(), &token, number as u32).await?);
        }
        Ok(Table { players, frames: 0, lost: 0 })
    }

    /// Plays a frame after another, until `goes_on` is false.
    async fn play_while(&mut self, goes_on: impl Fn(&[Player]) -> bool) {
        let mut beat = tokio::time::interval(Duration::from_secs(1) / Arena::TICK_HZ);
        beat.set_missed_tick_behavior(MissedTickBehavior::Skip);
        while goes_on(&self.players) {
            beat.tick().await;
            self.frames += 1;
            self.players.iter_mut().for_each(|player| player.frame(self.frames));
            let before = self.players.len();
            self.players.retain(|player| !player.is_over());
            self.lost += before - self.players.len();
        }
    }

    /// Kills the server, starts it again after `down`, and plays until all are back.
    async fn kill(&mut self, server: &mut CrashServer, down: Duration) -> anyhow::Result<Kill> {
        let killed = Instant::now();
        server.kill()?;
        self.players.iter_mut().for_each(Player::expect_return);
        let kept = server.last_tick()?;
        let saves_lost = server.lost_saves()?;
        self.play_while(|_| killed.elapsed() < down).await;
        let started = Instant::now();
        server.start()?;
        let end = started + PATIENCE;
        self.play_while(|players| {
            Instant::now() < end && !players.iter().all(|player| player.back().is_some())
        })
        .await;
        let before = self.players.len();
        self.players.retain(|player| player.back().is_some());
        self.lost += before - self.players.len();
        let last = self.players.iter().filter_map(Player::back).max();
        let last = last.context("no player came back; the server's log is in its folder")?;
        let seen = self.players.iter().map(Player::newest_before).max().unwrap_or(0);
        let ms = |since: Instant| (last - since).as_secs_f64() * 1000.0;
        Ok(Kill {
            saves_lost,
            back_ms: ms(started),
            outage_ms: ms(killed),
            ticks_lost: seen.saturating_sub(kept),
        })
    }

    fn report(
        &self,
        arguments: &CrashArguments,
        kills: &[Kill],
        stepped: &HashMap<(u32, RequestId), u32>,
    ) -> Report {
        let most = |of: fn(&Kill) -> f64| kills.iter().map(of).fold(0.0, f64::max);
        let middle = |of: fn(&Kill) -> f64| median(kills.iter().map(of));
        let sum = |of: fn(&Player) -> usize| self.players.iter().map(of).sum();
        let flush_ms = ServerConfig::default().journal_flush_ms;
        let lost = |player: &Player| {
            let number = player.number();
            player.done().filter(|request| !stepped.contains_key(&(number, *request))).count()
        };
        Report {
            kills: kills.len(),
            clients: arguments.clients,
            down_ms: arguments.down_ms,
            back_ms_p50: middle(|kill| kill.back_ms),
            back_ms_max: most(|kill| kill.back_ms),
            outage_ms_p50: middle(|kill| kill.outage_ms),
            outage_ms_max: most(|kill| kill.outage_ms),
            ticks_lost_p50: middle(|kill| f64::from(kill.ticks_lost)),
            ticks_lost_max: kills.iter().map(|kill| kill.ticks_lost).max().unwrap_or(0),
            ticks_per_flush: Arena::TICK_HZ * flush_ms / 1000,
            attempts_max: self.players.iter().map(Player::attempts_max).max().unwrap_or(0),
            seats_lost: self.lost,
            commands_sent: sum(|player| player.commands_sent),
            commands_lost: self.players.iter().map(lost).sum(),
            commands_doubled: stepped.values().filter(|times| **times > 1).count(),
            commands_refused: sum(|player| player.commands_refused),
            commands_unanswered: sum(Player::unanswered),
            chats_sent: sum(|player| player.chats_sent),
            chats_doubled: self.players.iter().map(Player::chats_doubled).max().unwrap_or(0),
            ..Report::default()
        }
    }
}

impl Report {
    fn print(&self) {
        let Report { kills, clients, seats_lost, .. } = self;
        println!("{kills} kills, {clients} clients, {seats_lost} seats lost");
        println!(
            "back {:.0} ms after the start, at most {:.0}; {:.0} ms after the kill, at most {:.0}; at most {} attempts",
            self.back_ms_p50,
            self.back_ms_max,
            self.outage_ms_p50,
            self.outage_ms_max,
            self.attempts_max
        );
        println!(
            "ticks lost: {} in the median, at most {}; a flush has {}",
            self.ticks_lost_p50, self.ticks_lost_max, self.ticks_per_flush
        );
        println!(
            "{} commands: {} answered and lost, {} doubled, {} refused, {} unanswered; {} chats, {} of {} saved lost, {} doubled",
            self.commands_sent,
            self.commands_lost,
            self.commands_doubled,
            self.commands_refused,
            self.commands_unanswered,
            self.chats_sent,
            self.acked_chat_lost,
            self.chats_acked,
            self.chats_doubled
        );
        println!(
            "{} profiles saved and acknowledged: {} lost",
            self.saves_acknowledged, self.saves_lost
        );
    }
}
