//! The arena in a terminal, over plain QUIC.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use clap::Parser;
use corrections::CorrectionFile;
use mimalloc::MiMalloc;
use tickwire_arena::rules::Arena;
use tickwire_client::{Client, ClientEvent, ConnectOptions, Trust};
use tickwire_shared::control::{RoomChoice, ServerFrame};

mod app;
mod corrections;
mod field;
mod keys;
mod play;
mod scene;
mod screen;
mod terminal;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

const JOIN_TIMEOUT: Duration = Duration::from_secs(5);
const UPDATE_EVERY: Duration = Duration::from_millis(5);

/// Fly in the arena from a terminal.
///
/// Arrows or WASD fly, space fires, Enter opens the chat line, x changes the team, q quits.
/// Terminals that report released keys (kitty, foot, WezTerm, Ghostty, ...) steer best.
#[derive(Debug, Parser)]
#[command(name = "arena-terminal", version)]
struct Flags {
    /// The server: host:port, quic://host:port, https://host:port for WebTransport or, where UDP is
    /// blocked, ws://host:port/ws.
    #[arg(long, default_value = "localhost:4433", env = "TICKWIRE_SERVER")]
    server: String,
    /// Your name for others.
    #[arg(long, env = "USER", default_value = "pilot", hide_env_values = true)]
    name: String,
    /// The room, made if it does not exist; without it, any room with a free seat.
    #[arg(long)]
    room: Option<String>,
    /// Watch the room without a ship.
    #[arg(long, requires = "room")]
    watch: bool,
    /// SHA-256 of the server's certificate in hexadecimal, for a development server that is not
    /// on this machine; may be given several times.
    #[arg(long = "certificate", value_name = "HASH", value_parser = parse_hash)]
    certificates: Vec<[u8; 32]>,
    /// Write what the server corrects of the ship's prediction to this file, for
    /// `arena-server replay JOURNAL --corrections FILE`.
    #[arg(long, value_name = "FILE")]
    corrections: Option<PathBuf>,
}

fn main() -> ExitCode {
    let flags = Flags::parse();
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(1).enable_all().build();
    let runtime = runtime.context("the network thread cannot start");
    match runtime.and_then(|runtime| runtime.block_on(run(flags))) {
        Ok(farewell) => {
            println!("{farewell}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Connects, joins and plays. Returns a text to print at the end.
async fn run(flags: Flags) -> anyhow::Result<String> {
    let trust = if flags.certificates.is_empty() {
        Trust::default()
    } else {
        Trust::Hashes(flags.certificates.clone())
    };
    let client = concat!("arena-terminal ", env!("CARGO_PKG_VERSION")).to_owned();
    let options = ConnectOptions { trust, client, ..ConnectOptions::default() };
    let corrections = flags.corrections.as_deref().map(CorrectionFile::create).transpose()?;
    let mut client = Client::<Arena>::connect(&flags.server, options).await?;
    if corrections.is_some() {
        client.keep_corrections(corrections::KEPT_MAX);
    }
    join(&mut client, &flags).await?;
    play::play(client, flags.watch, corrections).await
}

/// Asks for a seat and waits for the answer.
async fn join(client: &mut Client<Arena>, flags: &Flags) -> anyhow::Result<()> {
    client.predict();
    match &flags.room {
        Some(room) if flags.watch => client.spectate(room, &flags.name),
        Some(room) => client.join(RoomChoice::Named(room.clone()), &flags.name),
        None => client.join(RoomChoice::Quick, &flags.name),
    };
    let asked = Instant::now();
    while asked.elapsed() < JOIN_TIMEOUT {
        client.update();
        while let Some(event) = client.poll_event() {
            match event {
                ClientEvent::Control(ServerFrame::Joined { .. }) => return Ok(()),
                ClientEvent::Control(ServerFrame::Refused { text, .. }) => {
                    bail!("you cannot play as \"{}\": {text}", flags.name)
                }
                ClientEvent::Over { text, .. } => bail!("the server ended the session: {text}"),
                _ => {}
            }
        }
        tokio::time::sleep(UPDATE_EVERY).await;
    }
    bail!("the server gave no seat within {} s; try again", JOIN_TIMEOUT.as_secs())
}

fn parse_hash(text: &str) -> Result<[u8; 32], String> {
    let digits: String = text.chars().filter(|char| *char != ':').collect();
    let wrong = || "a SHA-256 hash is 64 hexadecimal digits, with or without colons".to_owned();
    if digits.len() != 64 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(wrong());
    }
    let mut hash = [0; 32];
    for (at, byte) in hash.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).map_err(|_| wrong())?;
    }
    Ok(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificate_hashes_are_read_with_and_without_colons() {
        let plain = "00ff".repeat(16);
        let colons = ["00", "FF"].repeat(16).join(":");
        assert_eq!(parse_hash(&plain).unwrap()[..2], [0x00, 0xff]);
        assert_eq!(parse_hash(&plain), parse_hash(&colons));
        for wrong in ["", "00", &"zz".repeat(32), &"é".repeat(32), &"+1".repeat(32)] {
            parse_hash(wrong).unwrap_err();
        }
    }

    #[test]
    fn flags_are_consistent() {
        use clap::CommandFactory;
        Flags::command().debug_assert();
        Flags::try_parse_from(["arena-terminal", "--watch"]).unwrap_err();
    }
}
