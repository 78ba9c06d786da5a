//! The queue of a simulation thread's output to the network.

use std::sync::Arc;

use bytes::Bytes;
use tickwire_shared::PlayerId;

use super::mailbox::Mailbox;
use super::queue::BoundedQueue;
use crate::room::FromRoom;
use crate::transport::WakeSignal;

/// The output of one room after one tick.
#[derive(Debug)]
pub(crate) struct Outgoing<I> {
    /// The room.
    pub(crate) room: Arc<Mailbox<I>>,
    /// Snapshots, at most one for each member.
    pub(crate) snapshots: Vec<Snapshot>,
    /// Reliable frames, closes and releases, in order.
    pub(crate) frames: Vec<FromRoom>,
    /// The room's game panicked: all members must be told, and nobody may join any more.
    pub(crate) failed: bool,
}

/// One datagram for one member.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) player: PlayerId,
    /// With a headroom of [`crate::transport::DATAGRAM_HEADROOM_BYTES`] before it.
    pub(crate) bytes: Bytes,
}

/// The queue from one simulation thread to the network, and the bell that wakes its reader.
#[derive(Debug)]
pub(crate) struct NetworkQueue<I> {
    queue: BoundedQueue<Outgoing<I>>,
    bell: Arc<WakeSignal>,
}

impl<I> NetworkQueue<I> {
    pub(crate) fn new(ticks_max: usize, bell: Arc<WakeSignal>) -> Self {
        NetworkQueue { queue: BoundedQueue::new(ticks_max), bell }
    }

    /// Queues the output of a room's tick, or returns it if the network is far behind.
    pub(super) fn push(&self, outgoing: Outgoing<I>) -> Result<(), Outgoing<I>> {
        self.queue.push(outgoing)
    }

    /// Wakes the reader, if the queue has an entry.
    pub(super) fn ring(&self) {
        if !self.queue.is_empty() {
            self.bell.ring();
        }
    }

    /// Takes the first entry.
    pub(crate) fn pop(&self) -> Option<Outgoing<I>> {
        self.queue.pop()
    }
}
