//! The state that the driver and the tasks of one QUIC connection share.
//!
//! The driver feeds packets and deadlines to the state machine and sends its output; tasks read and
//! write streams. Both do so under one lock that nobody holds while waiting.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::{Duration, Instant};

use bytes::Bytes;
use quinn_proto::{
    ConnectionError, ConnectionEvent, ConnectionHandle, Event, SendDatagramError, StreamEvent,
    StreamId, VarInt,
};
use tokio::sync::Notify;

use super::DriverHandle;
use super::proof::{AddressProof, ProofReceived};
use super::timers::TimerEntry;

/// Time for which a connection counts as stirred: several round trips of a long path.
const STIR_TIME: Duration = Duration::from_secs(1);

/// Receives the datagrams of a connection, on the driver's thread and under the connection's lock:
/// it must neither wait nor call the connection.
pub(crate) trait DatagramSink: Send {
    /// Takes one datagram and its arrival time.
    fn take(&mut self, datagram: Bytes, at: Instant);
}

/// The state that the driver, the connection and its streams share.
#[derive(Debug)]
pub(super) struct ConnectionShared {
    state: Mutex<ConnectionState>,
    /// The handshake has progressed, or the connection is over.
    progress: Notify,
    /// A task has something to send that the driver has not been told of.
    pub(super) dirty: AtomicBool,
    remote: Arc<DriverHandle>,
    pub(super) handle: ConnectionHandle,
}

/// A connection under its lock.
pub(super) struct ConnectionState {
    pub(super) proto: quinn_proto::Connection,
    pub(super) alarm: TimerEntry,
    /// In the list of connections that got packets.
    pub(super) listed: bool,
    /// In the list of connections with more to send than one turn allows.
    pub(super) held_up: bool,
    /// In the list of connections whose acknowledgements may wait.
    pub(super) ack_delayed: bool,
    /// An acknowledgement is still owed.
    pub(super) ack_owed: bool,
    /// It is over, and kept only until its peer knows.
    pub(super) draining: bool,
    /// Nothing of it waits until this time, because more than datagrams is going on.
    stirred_until: Instant,
    pub(super) proof: AddressProof,
    /// The reason why it is over, once it is.
    pub(super) over: Option<ConnectionError>,
    pub(super) waiting: Wakers,
    sink: Option<Box<dyn DatagramSink>>,
    /// The datagram to send next, while the path is full; a newer one replaces it.
    next_datagram: Option<Bytes>,
    /// Free space of the send buffer while no datagram waits.
    datagram_space: usize,
    pub(super) named: bool,
    pub(super) connected: bool,
}

/// The tasks that wait for a connection's events: one for each.
#[derive(Debug, Default)]
pub(super) struct Wakers {
    pub(super) readers: HashMap<StreamId, Waker>,
    pub(super) writers: HashMap<StreamId, Waker>,
    /// For the peer to have all of a stream, or to give it up.
    pub(super) finishers: HashMap<StreamId, Waker>,
    /// For streams that the peer opens, by direction.
    pub(super) acceptors: [Option<Waker>; 2],
}

impl ConnectionShared {
    pub(super) fn new(
        handle: ConnectionHandle,
        mut proto: quinn_proto::Connection,
        proof: AddressProof,
        remote: Arc<DriverHandle>,
    ) -> Self {
        let datagram_space = proto.datagrams().send_buffer_space();
        let state = ConnectionState {
            proto,
            alarm: TimerEntry::default(),
            listed: false,
            held_up: false,
            ack_delayed: false,
            ack_owed: false,
            draining: false,
            stirred_until: Instant::now() + STIR_TIME,
            proof,
            over: None,
            waiting: Wakers::default(),
            sink: None,
            next_datagram: None,
            datagram_space,
            named: false,
            connected: false,
        };
        ConnectionShared {
            state: Mutex::new(state),
            progress: Notify::new(),
            dirty: AtomicBool::new(false),
            remote,
            handle,
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, ConnectionState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the driver that there is something to send.
    pub(super) fn mark_dirty(self: &Arc<Self>) {
        if !self.dirty.swap(true, Ordering::AcqRel) {
            self.remote.push_dirty(self.handle);
        }
    }

    pub(super) fn close(self: &Arc<Self>, code: VarInt, text: Bytes) {
        let mut state = self.lock();
        if state.over.is_some() {
            return;
        }
        state.proto.close(Instant::now(), code, text);
        state.finish(ConnectionError::LocallyClosed, self);
        release(state);
        self.mark_dirty();
    }

    /// Waits until `reached`, or until the connection is over.
    pub(super) async fn when(
        &self,
        reached: impl Fn(&ConnectionState) -> bool,
    ) -> Result<(), ConnectionError> {
        loop {
            let progress = self.progress.notified();
            {
                let state = self.lock();
                if let Some(error) = &state.over {
                    return Err(error.clone());
                }
                if reached(&state) {
                    return Ok(());
                }
            }
            progress.await;
        }
    }
}

impl ConnectionState {
    /// Queues a datagram. While one waits for the path, only the newest other one is kept. Returns
    /// true if this one replaced another.
    ///
    /// # Errors
    /// If it will never be sent.
    pub(super) fn push_datagram(&mut self, datagram: Bytes) -> Result<bool, SendDatagramError> {
        if self.proto.datagrams().send_buffer_space() == self.datagram_space {
            // An older waiting one would be sent after this one.
            let replaced = self.next_datagram.take().is_some();
            return self.proto.datagrams().send(datagram, true).map(|()| replaced);
        }
        let bytes_max = self.proto.datagrams().max_size();
        if datagram.len() > bytes_max.ok_or(SendDatagramError::UnsupportedByPeer)? {
            return Err(SendDatagramError::TooLarge);
        }
        Ok(self.next_datagram.replace(datagram).is_some())
    }

    /// Queues the waiting datagram once no other waits in the connection.
    pub(super) fn advance_datagrams(&mut self) {
        if self.next_datagram.is_some()
            && self.proto.datagrams().send_buffer_space() == self.datagram_space
            && let Some(next) = self.next_datagram.take()
            && let Err(error) = self.proto.datagrams().send(next, true)
        {
            tracing::debug!(%error, "a datagram that waited for the path was dropped");
        }
    }

    /// Passes a packet of the peer to the state machine. `datagram` matters only until the address
    /// is proven.
    pub(super) fn take_in(&mut self, event: ConnectionEvent, datagram: ProofReceived) {
        if self.proof.is_proven() {
            return self.proto.handle_event(event);
        }
        let read_before = self.frames_read();
        self.proto.handle_event(event);
        self.proof.received(datagram, self.frames_read() > read_before);
    }

    /// The number of handshake frames that could be read.
    fn frames_read(&self) -> u64 {
        let read = self.proto.stats().frame_rx;
        read.acks + read.crypto + read.ping
    }

    /// Notes that more than datagrams is going on: for a while nothing waits.
    pub(super) fn stir(&mut self, now: Instant) {
        self.stirred_until = now + STIR_TIME;
    }

    /// True if nothing but datagrams has gone on for a while.
    pub(super) fn is_calm(&self, now: Instant) -> bool {
        now >= self.stirred_until
    }

    /// Passes on the state machine's events.
    pub(super) fn pass_on_events(&mut self, shared: &ConnectionShared, now: Instant) {
        while let Some(event) = self.proto.poll() {
            if let Event::DatagramReceived = event {
                self.hand_over_datagrams(now);
                continue;
            }
            self.stir(now);
            match event {
                Event::Stream(event) => self.waiting.wake(event),
                Event::HandshakeDataReady => {
                    self.named = true;
                    shared.progress.notify_waiters();
                }
                Event::Connected => {
                    self.connected = true;
                    self.proof.prove();
                    shared.progress.notify_waiters();
                }
                Event::ConnectionLost { reason } => self.finish(reason, shared),
                // Nobody waits for space: new datagrams push older ones out.
                Event::DatagramsUnblocked | Event::DatagramReceived => {}
            }
        }
    }

    /// Ends the connection and wakes every task that waits for it.
    pub(super) fn finish(&mut self, why: ConnectionError, shared: &ConnectionShared) {
        self.over.get_or_insert(why);
        std::mem::take(&mut self.waiting).wake_all();
        shared.progress.notify_waiters();
    }

    /// Hands waiting and later datagrams to `sink`.
    pub(super) fn set_sink(&mut self, sink: Box<dyn DatagramSink>, now: Instant) {
        if self.over.is_none() {
            self.sink = Some(sink);
            self.hand_over_datagrams(now);
        }
    }

    /// Hands received datagrams to the sink.
    fn hand_over_datagrams(&mut self, at: Instant) {
        let Some(sink) = self.sink.as_mut().filter(|_| self.over.is_none()) else { return };
        while let Some(datagram) = self.proto.datagrams().recv() {
            sink.take(datagram, at);
        }
    }
}

/// Unlocks a connection. If it is over, its sink is dropped only then: the sink may hold the last
/// handle of the connection, and dropping that closes it.
pub(super) fn release(mut state: MutexGuard<'_, ConnectionState>) {
    let sink = if state.over.is_some() { state.sink.take() } else { None };
    drop(state);
    drop(sink);
}

impl Wakers {
    fn wake(&mut self, event: StreamEvent) {
        let waker = match event {
            StreamEvent::Readable { id } => self.readers.remove(&id),
            StreamEvent::Writable { id } => self.writers.remove(&id),
            StreamEvent::Finished { id } => self.finishers.remove(&id),
            StreamEvent::Stopped { id, .. } => {
                if let Some(writer) = self.writers.remove(&id) {
                    writer.wake();
                }
                self.finishers.remove(&id)
            }
            StreamEvent::Opened { dir } => self.acceptors[dir as usize].take(),
            // No task waits to open a stream.
            StreamEvent::Available { .. } => None,
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn wake_all(self) {
        let Wakers { readers, writers, finishers, acceptors } = self;
        let by_stream = [readers, writers, finishers].into_iter().flat_map(HashMap::into_values);
        by_stream.chain(acceptors.into_iter().flatten()).for_each(Waker::wake);
    }
}

impl std::fmt::Debug for ConnectionState {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("State").field("over", &self.over).finish_non_exhaustive()
    }
}
