//! Journals of rooms on disk: written by a thread of their own, read, and run again.
//!
//! A room's journal is a folder of its own with segments `000000.journal`, `000001.journal` and so on. Each is
//!
//! ```text
//! "tickwire"  version (2 bytes)  block of its head  block of an entry  block of an entry ...
//! block: length (4)  CRC-32 of the length (4)  CRC-32 of the payload (4)  payload
//! ```
//!
//! Numbers are little-endian. A head is the segment's number and a [`JournalHead`](crate::room::JournalHead), an entry a
//! [`JournalEntry`](crate::room::JournalEntry), both in postcard. A file that ends within a block was cut there, by a crash;
//! anything else that does not fit its checksums is damage.

mod block;
mod checkpoint;
mod command;
mod corrections;
mod disk_sync;
mod error;
mod export;
mod followed;
mod follower;
mod migrate;
mod newest;
mod reader;
mod rerun;
mod restore;
mod retention;
mod room_log;
mod segment;
mod warm;
mod writer;

pub use checkpoint::{Checkpoint, CheckpointHead};
pub use corrections::{CorrectionsError, RecordedCorrections};
pub use error::JournalError;
pub use export::{ExportError, ExportedRange, export_range};
pub use newest::{NewestReplay, newest_replay};
pub use reader::{JournalEnd, JournalPosition, JournalReader};
pub use segment::SegmentWriter;

pub(crate) use command::{ReplayCommand, WatchRequest};
pub(crate) use follower::FollowerStats;
pub(crate) use newest::ReplayStart;
pub(crate) use restore::{RestoredJournal, close_if_let_go, restore, room_of};
pub(crate) use warm::WarmRooms;
pub(crate) use writer::{Journals, JournalsByHand, RoomJournal};
