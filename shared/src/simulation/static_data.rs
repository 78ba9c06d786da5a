//! What all in a room need once: a map, a tile grid, a level.

/// Where a game puts its static data: [`Simulation::static_data`](super::Simulation::static_data) what there is when the room
/// begins, [`Outbox::static_data`](super::Outbox::static_data) what becomes of it in a step.
///
/// Each key, a number of the game's own, has bytes of any form. A client gets them once, beside the snapshots, and then
/// each change, in order and once.
#[derive(Debug, Default)]
pub struct StaticData {
    edits: Vec<StaticEdit>,
}

/// One edit of [`StaticData`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StaticEdit {
    /// These are the bytes of the key now; none for none.
    Set {
        /// Whose.
        key: u8,
        /// All of them.
        bytes: Vec<u8>,
    },
    /// A part of them is another now.
    Change {
        /// Whose.
        key: u8,
        /// Where the part begins.
        offset: usize,
        /// As many as are replaced.
        bytes: Vec<u8>,
    },
}

impl StaticData {
    /// Sets all bytes of `key`: every client loads them, or takes them from its cache.
    pub fn set(&mut self, key: u8, bytes: impl Into<Vec<u8>>) {
        self.edits.push(StaticEdit::Set { key, bytes: bytes.into() });
    }

    /// Replaces the bytes of `key` from `offset` on by as many others. A change that reaches beyond the end is passed over,
    /// and told in the log. Changes travel with the frames of the control stream: a few KiB a second are nothing, and
    /// for more than 32 KiB in a step clients load all of it anew.
    pub fn change(&mut self, key: u8, offset: usize, bytes: impl Into<Vec<u8>>) {
        self.edits.push(StaticEdit::Change { key, offset, bytes: bytes.into() });
    }

    /// Moves all edits of `other` behind these.
    pub fn append(&mut self, other: &mut StaticData) {
        self.edits.append(&mut other.edits);
    }

    /// Takes all edits out, in their order.
    pub fn drain(&mut self) -> impl Iterator<Item = StaticEdit> + '_ {
        self.edits.drain(..)
    }

    /// Nothing was edited.
    pub fn is_empty(&self) -> bool {
        self.edits.is_empty()
    }
}
