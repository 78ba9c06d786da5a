//! Rooms: chat on the topics of a server without a game.
//!
//! | topic | key | message | written by |
//! | --- | --- | --- | --- |
//! | `say/ACCOUNT` | | what the account asks for: [`ChatRequest`](messages::ChatRequest) | the account |
//! | `here/ACCOUNT` | one for each page | `online`, `idle` or `away`, for as long as the session lasts | the account |
//! | `typing/ACCOUNT` | channel | for some seconds | the account |
//! | `channel/NAME` | | [`PlaceMessage`](messages::PlaceMessage) | the program |
//! | `dm/ANN/BOB` | | the same, between two accounts | the program |
//! | `account/ACCOUNT` | | [`AccountMessage`](messages::AccountMessage) | the program |
//! | `marks/ACCOUNT` | place | the id of the last post that the account has read | the program |
//! | `people` | account | [`Person`](messages::Person) | the program |
//! | `accounts`, `mutes`, `program` | | what the program needs after a restart; no account reads them | the program |
//!
//! A message's `from` is the number of a session, which says nothing of the account. So no account publishes where others read
//! posts: it asks by its own topic, and the program checks the rules and publishes under the account's name.

mod chat;
mod door;
mod messages;
mod names;
mod program;

use std::io::Write as _;
use std::process::ExitCode;

use chat::Chat;
use door::Door;
use program::Program;
use tickwire::NoGame;
use tickwire::server::config::ConfigError;
use tickwire::server::{Server, ServerConfig, start_log};
use tokio::signal::unix::{SignalKind, signal};

/// Names the moderators, separated by commas.
const MODERATORS: &str = "ROOMS_MODERATORS";

fn main() -> ExitCode {
    let config = match ServerConfig::load() {
        Ok(config) => config,
        Err(ConfigError::Usage(usage)) => usage.exit(),
        Err(error) => return failed(&error),
    };
    if let Err(error) = start_log(&config) {
        return failed(&error);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let served = match runtime {
        Ok(runtime) => runtime.block_on(serve(config, moderators())),
        Err(error) => return failed(&error),
    };
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&*error),
    }
}

fn failed(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::FAILURE
}

fn moderators() -> Vec<String> {
    let named = std::env::var(MODERATORS).unwrap_or_default();
    named.split(',').filter_map(|name| names::account_of(name.trim())).collect()
}

async fn serve(
    config: ServerConfig,
    moderators: Vec<String>,
) -> Result<(), Box<dyn std::error::Error>> {
    let server = Server::<NoGame>::bind(config).await?;
    // The store's topics are there, and nobody is connected yet.
    let program = Program::start(server.handle().topics(), Chat::new(moderators)).await?;
    let door = Door::new(program.clone());
    let work = tokio::spawn(program.run());
    if let Some(http) = server.http_addr() {
        let scheme = if server.is_https() { "https" } else { "http" };
        let place = if http.ip().is_unspecified() {
            format!("localhost:{}", http.port())
        } else {
            http.to_string()
        };
        // Nobody may read it.
        let _ = writeln!(
            std::io::stdout(),
            "listening udp={} http={scheme}://{place}/",
            server.local_addr()
        );
    }
    let ended = server.with_authenticator(door).run(stopped()).await;
    work.abort();
    Ok(ended?)
}

/// Until Ctrl-C or SIGTERM.
async fn stopped() {
    let mut terminate = signal(SignalKind::terminate()).expect("a signal that there is");
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}

#[cfg(test)]
mod tests;
