//! The arena's server: the rules and, with the feature `page`, the built page.

use std::process::ExitCode;

use mimalloc::MiMalloc;
use tickwire_arena::rules::Arena;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    #[cfg(feature = "page")]
    return tickwire_server::run_with_page::<Arena>(page::asset);
    #[cfg(not(feature = "page"))]
    return tickwire_server::run::<Arena>();
}

#[cfg(feature = "page")]
mod page {
    use std::time::{Duration, SystemTime};

    use rust_embed::RustEmbed;
    use tickwire_server::Asset;

    /// `cargo xtask web` builds the page. A release build embeds it; a debug build reads it from
    /// this folder.
    #[derive(RustEmbed)]
    #[folder = "web/dist"]
    #[allow_missing = true]
    struct Files;

    pub(super) fn asset(path: &str) -> Option<Asset> {
        let file = Files::get(path)?;
        let made = file.metadata.last_modified().map(Duration::from_secs);
        Some(Asset { bytes: file.data, modified: made.map(|made| SystemTime::UNIX_EPOCH + made) })
    }
}
