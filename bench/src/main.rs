//! Measures tickwire over real sockets, and what players feel over simulated links.

mod attack;
mod budget;
mod busy;
mod child;
mod core;
mod crash;
mod crowd;
mod cubes;
mod feel;
mod field;
mod floor;
mod handover;
mod join;
mod journal;
mod metronome;
mod network;
mod progress;
mod proxy;
mod random;
mod reconnect;
mod record;
mod seat;
mod serve;
mod sim;
mod sizes;
mod stats;
mod swarm;
mod topics;
mod trace;
mod train;
mod wasm_speed;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use mimalloc::MiMalloc;
use tickwire_arena::rules::Arena;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Measures tickwire over real sockets.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Plays the arena with many bots and reports on them and the server.
    Swarm(swarm::SwarmArguments),
    /// Compares the arena server's CPU time with a bare quinn server's for the same datagrams.
    Floor(floor::FloorArguments),
    /// Measures many players who all see each other, for comparison with other servers.
    Field(field::FieldArguments),
    /// Plays as `swarm` does, and records what eight of the bots see.
    Record(record::RecordArguments),
    /// Trains a model of a game on recordings of it.
    Train(train::TrainArguments),
    /// Plays as `swarm` does, and compares the snapshots with simpler codings of the same data.
    Sizes(sizes::SizesArguments),
    /// Measures a world far larger than its clients' send budget.
    Budget(budget::BudgetArguments),
    /// Measures the cost of floods for the players.
    Attack(attack::AttackArguments),
    /// Measures joins into a room of thousands of entities.
    Join(join::JoinArguments),
    /// Measures what players feel of a bad network, in virtual time.
    Feel(feel::FeelArguments),
    /// Measures what players lose when their network is away.
    Reconnect(reconnect::ReconnectArguments),
    /// Measures what a room's journal costs.
    Journal(journal::JournalArguments),
    /// Kills a server with a journal again and again, and measures how its players come back.
    Crash(crash::CrashArguments),
    /// Hands a server over to new processes under play, and measures what its players notice.
    Handover(handover::HandoverArguments),
    /// Measures what a message of a topic costs for each subscriber, beside other servers.
    Topics(topics::TopicsArguments),
    /// Runs servers and clients under many seeds of faults, in virtual time.
    Sim(sim::SimArguments),
    /// Puts a bad network before a real server.
    Proxy(proxy::ProxyArguments),
    /// Codes recorded cube scenes, and counts the bytes.
    Cubes(cubes::CubesArguments),
    /// Compares applying snapshots natively and in a browser; `cargo xtask wasm-speed` builds what
    /// it needs.
    WasmSpeed(wasm_speed::WasmSpeedArguments),
    /// The arena server that the other commands start.
    #[command(hide = true)]
    ServeArena(serve::ServeArguments),
    /// The server of `budget` and `join`.
    #[command(hide = true)]
    ServeCrowd(serve::ServeArguments),
    /// The server of `field`.
    #[command(hide = true)]
    ServeField(field::ServeFieldArguments),
    /// The server of `topics`.
    #[command(hide = true)]
    ServeTopics(serve::ServeArguments),
    /// The bare quinn server of `floor`.
    #[command(hide = true)]
    ServeBare(floor::BareArguments),
}

fn main() -> ExitCode {
    // This program is also the servers that `handover` starts, whose command line is a server's.
    if let Some(version) = handover::served_version() {
        return handover::serve(&version);
    }
    let run = match Arguments::parse().command {
        Command::Swarm(arguments) => swarm::run(&arguments),
        Command::Floor(arguments) => floor::run(&arguments),
        Command::Field(arguments) => field::run(&arguments),
        Command::Record(arguments) => record::run(&arguments),
        Command::Train(arguments) => train::run(&arguments),
        Command::Sizes(arguments) => sizes::run(&arguments),
        Command::Budget(arguments) => budget::run(&arguments),
        Command::Attack(arguments) => attack::run(&arguments),
        Command::Join(arguments) => join::run(&arguments),
        Command::Feel(arguments) => feel::run(&arguments),
        Command::Reconnect(arguments) => reconnect::run(&arguments),
        Command::Journal(arguments) => journal::run(&arguments),
        Command::Crash(arguments) => crash::run(&arguments),
        Command::Handover(arguments) => handover::run(&arguments),
        Command::Topics(arguments) => topics::run(&arguments),
        Command::Sim(arguments) => sim::run(&arguments),
        Command::Proxy(arguments) => proxy::run(&arguments),
        Command::Cubes(arguments) => cubes::run(&arguments),
        Command::WasmSpeed(arguments) => wasm_speed::run(&arguments),
        Command::ServeArena(arguments) => serve::run::<Arena>(&arguments),
        Command::ServeCrowd(arguments) => crowd::serve(&arguments),
        Command::ServeField(arguments) => field::serve(&arguments),
        Command::ServeTopics(arguments) => topics::serve(&arguments),
        Command::ServeBare(arguments) => floor::serve_bare(&arguments),
    };
    match run {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
