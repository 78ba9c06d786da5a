//! What the rooms of one simulation thread want sent, on its way to the network.

use std::io::{self, PipeReader, PipeWriter, Write as _};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tickwire_shared::PlayerId;

use super::mailbox::Mailbox;
use super::queue::BoundedQueue;
use crate::room::FromRoom;

/// What one room wants sent after one tick.
#[derive(Debug)]
pub(crate) struct Outgoing<I> {
    /// Which room.
    pub(crate) room: Arc<Mailbox<I>>,
    /// Snapshots, at most one for each member.
    pub(crate) snapshots: Vec<Snapshot>,
    /// Reliable frames, closes and releases, in order.
    pub(crate) frames: Vec<FromRoom>,
    /// The room broke: everyone in it must be told, and it must not be entered again.
    pub(crate) failed: bool,
}

/// One datagram for one member.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) player: PlayerId,
    /// With the headroom of [`crate::transport::DATAGRAM_HEADROOM_BYTES`] before it.
    pub(crate) bytes: Bytes,
}

/// The queue from one simulation thread to the network, and the bell that wakes its reader.
///
/// The bell is a pipe: ringing it takes no lock of the network's runtime.
#[derive(Debug)]
pub(crate) struct Outbox<I> {
    queue: BoundedQueue<Outgoing<I>>,
    bell: PipeWriter,
    /// The end that hears it, until someone takes it.
    ear: Mutex<Option<PipeReader>>,
}

impl<I> Outbox<I> {
    pub(crate) fn new(ticks_max: usize) -> io::Result<Self> {
        let (ear, bell) = io::pipe()?;
        // A full pipe has been rung: the simulation must not wait for it to be emptied.
        rustix::io::ioctl_fionbio(&bell, true)?;
        Ok(Outbox { queue: BoundedQueue::new(ticks_max), bell, ear: Mutex::new(Some(ear)) })
    }

    /// Queues one room's tick, or gives it back when the network is far behind.
    pub(super) fn push(&self, outgoing: Outgoing<I>) -> Result<(), Outgoing<I>> {
        self.queue.push(outgoing)
    }

    /// Wakes the reader, if there is something for it.
    pub(super) fn ring(&self) {
        if self.queue.is_empty() {
            return;
        }
        // It fails only when the pipe is full, or when nobody hears it any more.
        let _ = (&self.bell).write(&[0]);
    }

    /// The end of the bell that hears it; the first caller gets it.
    pub(crate) fn take_ear(&self) -> Option<OwnedFd> {
        let ear = self.ear.lock().unwrap_or_else(PoisonError::into_inner).take();
        ear.map(OwnedFd::from)
    }

    /// Takes the first of what is queued.
    pub(crate) fn pop(&self) -> Option<Outgoing<I>> {
        self.queue.pop()
    }
}
