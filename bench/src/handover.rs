//! Hands a server over to a new process again and again while players play, and measures what they notice.

mod game;
mod player;
mod server;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::ensure;
use clap::Args;
use serde::Serialize;
use tickwire_arena::rules::Arena;
use tickwire_shared::Simulation;
use tokio::time::MissedTickBehavior;

use crate::progress::Progress;
use crate::random::Splitmix;
use crate::stats::median;
use game::{Crossing, First};
pub(crate) use game::{serve, served_version};
use player::{Played, Player, saved_texts};
use server::{HandoverServer, Program};

/// Play between two handovers, at least and at most.
const PLAY: (Duration, Duration) = (Duration::from_millis(500), Duration::from_millis(2000));
/// Longest wait for the players to come back, or for the answers at the end.
const PATIENCE: Duration = Duration::from_secs(30);
/// Play after a handover that was refused.
const AFTER_REFUSAL: Duration = Duration::from_secs(1);

/// Arguments of the run.
#[derive(Clone, Debug, Args)]
pub(crate) struct HandoverArguments {
    /// Handovers, one after another.
    #[arg(long, default_value_t = 10)]
    times: usize,
    /// Native clients over QUIC, in one room.
    #[arg(long, default_value_t = 10)]
    clients: usize,
    /// Hand over to another version of the game each time, which migrates the state: a small game in place of the arena.
    #[arg(long)]
    migrate: bool,
    /// The moments of the handovers.
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
    times: usize,
    clients: usize,
    migrate: bool,
    /// From a client's last snapshot before a handover to its first one after it.
    pause_ms_p50: f64,
    pause_ms_p99: f64,
    pause_ms_max: f64,
    /// From the request to the moment at which the last client plays on, with the start of the new process.
    whole_ms_p50: f64,
    whole_ms_max: f64,
    /// Most attempts of one client to come back.
    attempts_max: u32,
    /// Sessions that ended.
    sessions_lost: usize,
    /// Players who came back to another seat, or to none in time.
    seats_lost: usize,
    /// Ticks that a client had seen and the room had not after the handover.
    ticks_lost: u32,
    chats_sent: usize,
    chats_acked: usize,
    /// Chat that was told to be saved, and is not in the store.
    acked_chat_lost: usize,
    /// Chat without an answer at the end.
    chats_unanswered: usize,
    /// A new process that cannot read the state was refused, and no player noticed anything.
    refused_ok: bool,
}

pub(crate) fn run(arguments: &HandoverArguments) -> anyhow::Result<ExitCode> {
    ensure!(arguments.times > 0 && arguments.clients > 0, "give at least one of everything");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let report = match arguments.migrate {
        true => runtime.block_on(measure::<Crossing<First>>(arguments))?,
        false => runtime.block_on(measure::<Arena>(arguments))?,
    };
    match arguments.json {
        true => println!("{}", serde_json::to_string(&report)?),
        false => println!("{report:#?}"),
    }
    Ok(if report.is_whole() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn measure<G: Played>(arguments: &HandoverArguments) -> anyhow::Result<Report> {
    let programs = Program::of(arguments.migrate, arguments.server.clone())?;
    let mut server = HandoverServer::start(&programs[0])?;
    let mut table = Table::<G>::seat(&server, arguments.clients).await?;
    let mut random = Splitmix::new(arguments.seed);
    let mut bar = Progress::new("handovers", arguments.times as u64, arguments.json);
    let mut whole_ms = Vec::new();
    for at in 1..=arguments.times {
        let (least, most) = PLAY;
        let until = Instant::now() + least + (most - least).mul_f32(random.part());
        table.play_while(|_| Instant::now() < until).await;
        let ms = table.hand_over(&mut server, &programs[at % 2]).await?;
        bar.show(at as u64, format!("all play on after {ms:.0} ms"));
        whole_ms.push(ms);
    }
    bar.finish();
    let refused_ok = table.refuse(&mut server).await?;
    table.players.iter_mut().for_each(Player::fall_silent);
    let end = Instant::now() + PATIENCE;
    table.play_while(|players| Instant::now() < end && players.iter().any(Player::waits)).await;
    let saved = saved_texts::<G>(&server.target()).await?;
    server.stop()?;
    let mut report = table.report(|text| saved.contains(text));
    (report.times, report.clients) = (arguments.times, arguments.clients);
    (report.migrate, report.refused_ok) = (arguments.migrate, refused_ok);
    report.whole_ms_p50 = median(whole_ms.iter().copied());
    report.whole_ms_max = whole_ms.into_iter().fold(0.0, f64::max);
    Ok(report)
}

/// All players, in one task.
struct Table<G: Simulation> {
    players: Vec<Player<G>>,
    frames: u64,
    sessions_lost: usize,
    seats_lost: usize,
    pauses_ms: Vec<f64>,
}

impl<G: Played> Table<G> {
    async fn seat(server: &HandoverServer, clients: usize) -> anyhow::Result<Self> {
        let mut players = Vec::new();
        for number in 0..clients {
            players.push(Player::join(&server.target(), number as u32).await?);
        }
        let (frames, sessions_lost, seats_lost) = (0, 0, 0);
        Ok(Table { players, frames, sessions_lost, seats_lost, pauses_ms: Vec::new() })
    }

    /// Plays a frame after another, until `goes_on` is false.
    async fn play_while(&mut self, goes_on: impl Fn(&[Player<G>]) -> bool) {
        let mut beat = tokio::time::interval(Duration::from_secs(1) / G::TICK_HZ);
        beat.set_missed_tick_behavior(MissedTickBehavior::Skip);
        while goes_on(&self.players) {
            beat.tick().await;
            self.frames += 1;
            self.players.iter_mut().for_each(|player| player.frame(self.frames));
            let before = self.players.len();
            self.players.retain(|player| !player.is_over());
            self.sessions_lost += before - self.players.len();
        }
    }

    /// Has the server hand over to `program`, and plays until all play on. Returns the milliseconds of that.
    async fn hand_over(
        &mut self,
        server: &mut HandoverServer,
        program: &Program,
    ) -> anyhow::Result<f64> {
        self.players.iter_mut().for_each(Player::expect_handover);
        let began = Instant::now();
        server.hand_over(program)?;
        let end = began + PATIENCE;
        self.play_while(|players| {
            Instant::now() < end && !players.iter().all(|player| player.pause().is_some())
        })
        .await;
        let ms = began.elapsed().as_secs_f64() * 1000.0;
        server.note_process()?;
        let pauses = self.players.iter().filter_map(Player::pause);
        self.pauses_ms.extend(pauses.map(|pause| pause.as_secs_f64() * 1000.0));
        let has_seat = |player: &Player<G>| player.pause().is_some() && player.has_its_seat();
        let before = self.players.len();
        self.players.retain(has_seat);
        self.seats_lost += before - self.players.len();
        Ok(ms)
    }

    /// Asks for a handover to a program that cannot read the state. True if no player noticed it.
    async fn refuse(&mut self, server: &mut HandoverServer) -> anyhow::Result<bool> {
        let before = self.sessions_lost;
        self.players.iter_mut().for_each(Player::expect_handover);
        server.hand_over(&Program::unable()?)?;
        let end = Instant::now() + PATIENCE;
        self.play_while(|_| Instant::now() < end && !server.has_refused()).await;
        let snapshots: Vec<u64> = self.players.iter().map(Player::snapshots).collect();
        let until = Instant::now() + AFTER_REFUSAL;
        self.play_while(|_| Instant::now() < until).await;
        let plays_on = |(player, before): (&Player<G>, &u64)| {
            player.was_connected() && player.snapshots() > *before
        };
        let all_play = self.players.iter().zip(&snapshots).all(plays_on);
        Ok(server.has_refused() && self.sessions_lost == before && all_play)
    }

    fn report(&self, is_saved: impl Fn(&str) -> bool) -> Report {
        let mut pauses = self.pauses_ms.clone();
        pauses.sort_by(f64::total_cmp);
        let part = |part: f64| {
            let at = (part * pauses.len() as f64).ceil() as usize;
            pauses.get(at.saturating_sub(1)).copied().unwrap_or(0.0)
        };
        let sum = |of: fn(&Player<G>) -> usize| self.players.iter().map(of).sum();
        let acked = self.players.iter().flat_map(Player::saved_chats);
        Report {
            pause_ms_p50: part(0.5),
            pause_ms_p99: part(0.99),
            pause_ms_max: part(1.0),
            attempts_max: self.players.iter().map(Player::attempts_max).max().unwrap_or(0),
            sessions_lost: self.sessions_lost,
            seats_lost: self.seats_lost,
            ticks_lost: self.players.iter().map(Player::ticks_lost).max().unwrap_or(0),
            chats_sent: sum(|player| player.chats_sent),
            chats_acked: acked.clone().count(),
            acked_chat_lost: acked.filter(|text| !is_saved(text)).count(),
            chats_unanswered: sum(Player::unanswered),
            ..Report::default()
        }
    }
}

impl Report {
    fn is_whole(&self) -> bool {
        let lost = self.sessions_lost + self.seats_lost + self.acked_chat_lost;
        lost == 0 && self.ticks_lost == 0 && self.refused_ok
    }
}
