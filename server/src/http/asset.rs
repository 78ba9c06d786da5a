//! The files of a page that the game's binary brings along.

use std::borrow::Cow;
use std::time::SystemTime;

/// One file of a page. Its type is told by the end of its name.
#[derive(Clone, Debug)]
pub struct Asset {
    /// What it holds.
    pub bytes: Cow<'static, [u8]>,
    /// When it was made: browsers are told that they have it already as long as this stays. Without one it
    /// is sent anew each time.
    pub modified: Option<SystemTime>,
}

/// The files of a page by their path without a leading slash: `index.html`, `assets/game.js`, ... Where there
/// is `assets/game.js.br` or `assets/game.js.gz` as well, browsers that take it get that one.
pub type Page = fn(path: &str) -> Option<Asset>;
