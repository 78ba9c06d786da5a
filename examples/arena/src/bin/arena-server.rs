//! The arena's server: the rules, and the page if it was built.

use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use mimalloc::MiMalloc;
use rust_embed::RustEmbed;
use tickwire_arena::rules::Arena;
use tickwire_server::Asset;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// `cargo xtask web` builds it. A release build holds it, a debug build reads it from there.
#[derive(RustEmbed)]
#[folder = "web/dist"]
#[allow_missing = true]
struct Files;

fn main() -> ExitCode {
    tickwire_server::run_with_page::<Arena>(page)
}

fn page(path: &str) -> Option<Asset> {
    let file = Files::get(path)?;
    let made = file.metadata.last_modified().map(Duration::from_secs);
    Some(Asset { bytes: file.data, modified: made.map(|made| SystemTime::UNIX_EPOCH + made) })
}
