//! The files of a page built into the game's binary.

use std::borrow::Cow;
use std::time::SystemTime;

/// One file of a page. Its extension gives its type.
#[derive(Clone, Debug)]
pub struct Asset {
    /// The content.
    pub bytes: Cow<'static, [u8]>,
    /// The time of its last change. Browsers keep their copy as long as this stays the same;
    /// without it the file is sent each time.
    pub modified: Option<SystemTime>,
}

/// The files of a page by their path without a leading slash: `index.html`, `assets/game.js`, ...
/// If `assets/game.js.br` or `assets/game.js.gz` exists as well, browsers that accept it get that
/// one.
pub type Page = fn(path: &str) -> Option<Asset>;
