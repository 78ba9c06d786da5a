//! A journal shown as a room: a thread reads it ahead and seeks in it, the room runs the records, members watch.

mod control;
mod feed;
mod reader;

pub(crate) use control::{PlaybackControl, PlaybackWish};
pub(crate) use feed::PlaybackFeed;
pub(crate) use reader::{OpenedReplay, open};
