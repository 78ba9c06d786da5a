//! The arena's server: the rules, and the page if it was built.

use std::process::ExitCode;

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
    tickwire_server::main::<Arena>(Some(page))
}

fn page(path: &str) -> Option<Asset> {
    let file = Files::get(path)?;
    let content_type =
        mime_guess::from_path(path).first_raw().unwrap_or("application/octet-stream");
    Some(Asset { content_type, bytes: file.data })
}
