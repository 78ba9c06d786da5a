//! A session without a socket: its peer is another part of the program, which hands bytes over and takes them. It has streams
//! and datagrams as QUIC has; delay, loss and order are up to that peer.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use tickwire_shared::control::CloseCode;
use tokio::sync::Notify;

use super::driver::{DatagramSink, UnsentDatagram};
use super::{Closed, DATAGRAM_HEADROOM_BYTES};

/// Datagrams that wait for the peer; beyond that the oldest is dropped.
const DATAGRAMS_MAX: usize = 4;

/// The server's end.
#[derive(Debug)]
pub(crate) struct Memory {
    wire: Arc<MemoryWire>,
    peer: SocketAddr,
}

/// The connection between both ends.
#[derive(Debug)]
pub(crate) struct MemoryWire {
    state: Mutex<WireState>,
    changed: Notify,
}

struct WireState {
    /// Why nothing more comes from the peer.
    over: Option<Closed>,
    /// This side's close, with its number.
    closed: Option<(CloseCode, String)>,
    sink: Option<Box<dyn DatagramSink>>,
    datagrams: VecDeque<Bytes>,
    datagram_bytes_max: usize,
    streams: Vec<Pipe>,
    /// Streams that the server has accepted.
    accepted: usize,
    window_bytes: usize,
}

/// One stream, both ways.
#[derive(Debug, Default)]
struct Pipe {
    to_server: VecDeque<u8>,
    to_peer: VecDeque<u8>,
    /// Nothing more follows from the peer.
    is_finished: bool,
}

/// The sending half of a stream.
#[derive(Debug)]
pub(crate) struct MemoryWriter {
    wire: Arc<MemoryWire>,
    stream: usize,
}

/// The receiving half of a stream.
#[derive(Debug)]
pub(crate) struct MemoryReader {
    wire: Arc<MemoryWire>,
    stream: usize,
}

/// The session is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the session is over")]
pub(crate) struct MemoryOver;

impl Memory {
    /// A connection from `peer`, of which each stream holds `window_bytes` in each direction.
    pub(crate) fn new(peer: SocketAddr, window_bytes: usize, datagram_bytes_max: usize) -> Self {
        let state = WireState {
            over: None,
            closed: None,
            sink: None,
            datagrams: VecDeque::new(),
            datagram_bytes_max,
            streams: Vec::new(),
            accepted: 0,
            window_bytes,
        };
        let wire = Arc::new(MemoryWire { state: Mutex::new(state), changed: Notify::new() });
        Memory { wire, peer }
    }

    /// The peer's end.
    pub(crate) fn wire(&self) -> Arc<MemoryWire> {
        Arc::clone(&self.wire)
    }

    pub(super) fn remote_address(&self) -> SocketAddr {
        self.peer
    }

    pub(super) fn datagram_bytes_max(&self) -> usize {
        self.wire.state().datagram_bytes_max
    }

    /// Takes a datagram with its headroom. Returns true if it replaced an unsent one.
    pub(crate) fn send_datagram(&self, datagram: Bytes) -> Result<bool, UnsentDatagram> {
        let mut state = self.wire.state();
        if state.over.is_some() {
            return Err(UnsentDatagram::Undeliverable);
        }
        if datagram.len() - DATAGRAM_HEADROOM_BYTES > state.datagram_bytes_max {
            return Err(UnsentDatagram::TooLarge);
        }
        let replaces = state.datagrams.len() == DATAGRAMS_MAX;
        if replaces {
            state.datagrams.pop_front();
        }
        state.datagrams.push_back(datagram.slice(DATAGRAM_HEADROOM_BYTES..));
        Ok(replaces)
    }

    pub(super) fn set_sink(&self, sink: Box<dyn DatagramSink>) {
        let mut state = self.wire.state();
        state.sink = Some(sink);
        release(state);
    }

    /// The peer's next stream; `None` once the session is over.
    pub(super) async fn accept_bi(&self) -> Option<(MemoryWriter, MemoryReader)> {
        let stream = self
            .wire
            .wait(|state| {
                if state.accepted < state.streams.len() {
                    state.accepted += 1;
                    return Some(Some(state.accepted - 1));
                }
                state.over.is_some().then_some(None)
            })
            .await?;
        let half = || Arc::clone(&self.wire);
        Some((MemoryWriter { wire: half(), stream }, MemoryReader { wire: half(), stream }))
    }

    pub(super) fn close(&self, code: CloseCode, text: &str) {
        let mut state = self.wire.state();
        state.closed.get_or_insert_with(|| (code, text.to_owned()));
        state.over.get_or_insert_with(|| Closed::lost("closed by this side"));
        release(state);
        self.wire.changed.notify_waiters();
    }

    pub(super) async fn closed(&self) -> Closed {
        self.wire.wait(|state| state.over.clone()).await
    }
}

impl Drop for Memory {
    /// As the transports with a socket do it.
    fn drop(&mut self) {
        self.close(CloseCode::Normal, "");
    }
}

impl MemoryWriter {
    /// Hands all of `bytes` over, waiting while the window is full.
    pub(super) async fn write_all(&mut self, mut bytes: &[u8]) -> Result<(), MemoryOver> {
        while !bytes.is_empty() {
            let stream = self.stream;
            let write = |state: &mut WireState| {
                if state.over.is_some() {
                    return Some(Err(MemoryOver));
                }
                let window_bytes = state.window_bytes;
                let to_peer = &mut state.streams[stream].to_peer;
                let count = bytes.len().min(window_bytes.saturating_sub(to_peer.len()));
                to_peer.extend(&bytes[..count]);
                (count > 0).then_some(Ok(count))
            };
            let count = self.wire.wait(write).await?;
            bytes = &bytes[count..];
        }
        Ok(())
    }

    /// Waits until the peer has taken all that was written, or never will.
    pub(super) async fn finish(&mut self) {
        let stream = self.stream;
        let is_taken = |state: &mut WireState| {
            (state.over.is_some() || state.streams[stream].to_peer.is_empty()).then_some(())
        };
        self.wire.wait(is_taken).await;
    }
}

impl MemoryReader {
    /// Reads available bytes into `buffer`; `None` at the stream's end. Safe to drop while waiting.
    pub(super) async fn read(&mut self, buffer: &mut [u8]) -> Result<Option<usize>, MemoryOver> {
        let stream = self.stream;
        let read = |state: &mut WireState| {
            let Pipe { to_server, is_finished, .. } = &mut state.streams[stream];
            if !to_server.is_empty() {
                let count = buffer.len().min(to_server.len());
                for (to, from) in buffer.iter_mut().zip(to_server.drain(..count)) {
                    *to = from;
                }
                return Some(Ok(Some(count)));
            }
            if *is_finished {
                return Some(Ok(None));
            }
            state.over.is_some().then_some(Err(MemoryOver))
        };
        let read = self.wire.wait(read).await;
        self.wire.changed.notify_waiters();
        read
    }
}

impl MemoryWire {
    /// Opens the next stream. Returns its number.
    pub(crate) fn open(&self) -> usize {
        let mut state = self.state();
        state.streams.push(Pipe::default());
        let number = state.streams.len() - 1;
        drop(state);
        self.changed.notify_waiters();
        number
    }

    /// Bytes that the stream to the server has space for.
    pub(crate) fn space(&self, stream: usize) -> usize {
        let state = self.state();
        state.window_bytes.saturating_sub(state.streams[stream].to_server.len())
    }

    /// Hands bytes of a stream to the server. Those after its end are lost.
    pub(crate) fn write(&self, stream: usize, bytes: &[u8]) {
        let mut state = self.state();
        if state.over.is_none() {
            state.streams[stream].to_server.extend(bytes);
        }
        drop(state);
        self.changed.notify_waiters();
    }

    /// Ends a stream to the server.
    pub(crate) fn finish(&self, stream: usize) {
        self.state().streams[stream].is_finished = true;
        self.changed.notify_waiters();
    }

    /// Takes what the server wrote to a stream, up to `bytes_max`.
    pub(crate) fn take(&self, stream: usize, bytes_max: usize) -> Vec<u8> {
        let mut state = self.state();
        let to_peer = &mut state.streams[stream].to_peer;
        let count = to_peer.len().min(bytes_max);
        let taken: Vec<u8> = to_peer.drain(..count).collect();
        drop(state);
        if !taken.is_empty() {
            self.changed.notify_waiters();
        }
        taken
    }

    /// Hands a datagram to the server. It is lost if nobody takes it.
    pub(crate) fn datagram(&self, bytes: Bytes, at: Instant) {
        let mut state = self.state();
        if state.over.is_some() {
            return;
        }
        let Some(mut sink) = state.sink.take() else { return };
        drop(state);
        sink.take(bytes, at);
        let mut state = self.state();
        state.sink.get_or_insert(sink);
        release(state);
    }

    /// Takes the datagrams that wait for the peer.
    pub(crate) fn take_datagrams(&self) -> Vec<Bytes> {
        self.state().datagrams.drain(..).collect()
    }

    /// Ends the connection, as the server sees it. What waits for the peer is lost.
    pub(crate) fn end(&self, why: Closed) {
        let mut state = self.state();
        state.over.get_or_insert(why);
        state.datagrams.clear();
        state.streams.iter_mut().for_each(|pipe| pipe.to_peer.clear());
        release(state);
        self.changed.notify_waiters();
    }

    /// The server's close, once it has closed.
    pub(crate) fn closed(&self) -> Option<(CloseCode, String)> {
        self.state().closed.clone()
    }

    /// Waits until `poll` finds something.
    async fn wait<T>(&self, mut poll: impl FnMut(&mut WireState) -> Option<T>) -> T {
        loop {
            let changed = self.changed.notified();
            if let Some(found) = poll(&mut self.state()) {
                return found;
            }
            changed.await;
        }
    }

    fn state(&self) -> MutexGuard<'_, WireState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Unlocks a connection. If it is over, its sink is dropped then: the sink holds the server, and the server the connection.
fn release(mut state: MutexGuard<'_, WireState>) {
    let sink = if state.over.is_some() { state.sink.take() } else { None };
    drop(state);
    drop(sink);
}

impl std::fmt::Debug for WireState {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let WireState { over, closed, streams, .. } = self;
        formatter
            .debug_struct("WireState")
            .field("over", over)
            .field("closed", closed)
            .field("streams", &streams.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Weak;

    use super::*;

    /// A sink that holds its own connection, as that of a session does.
    struct Held {
        memory: Arc<Memory>,
        ends: bool,
    }

    impl DatagramSink for Held {
        fn take(&mut self, _datagram: Bytes, _at: Instant) {
            if self.ends {
                self.memory.close(CloseCode::Normal, "");
            }
        }
    }

    fn memory(ends: bool) -> (Arc<MemoryWire>, Weak<Memory>, Box<Held>) {
        let memory = Arc::new(Memory::new(SocketAddr::from(([10, 0, 0, 1], 1)), 100, 1200));
        let weak = Arc::downgrade(&memory);
        (memory.wire(), weak, Box::new(Held { memory, ends }))
    }

    #[test]
    fn a_connection_that_is_over_keeps_no_sink() {
        let (wire, memory, sink) = memory(false);
        memory.upgrade().unwrap().set_sink(sink);
        wire.datagram(Bytes::new(), Instant::now());
        assert!(memory.upgrade().is_some(), "it is still open");
        wire.end(Closed::from(CloseCode::ConnectionLost));
        assert!(memory.upgrade().is_none(), "the peer ended it");

        let (wire, memory, sink) = self::memory(false);
        wire.end(Closed::from(CloseCode::ConnectionLost));
        memory.upgrade().unwrap().set_sink(sink);
        assert!(memory.upgrade().is_none(), "it was over before");

        let (wire, memory, sink) = self::memory(true);
        memory.upgrade().unwrap().set_sink(sink);
        wire.datagram(Bytes::new(), Instant::now());
        assert!(memory.upgrade().is_none(), "this side closed it while the sink had a datagram");
    }

    #[tokio::test]
    async fn what_waits_for_the_peer_is_lost_with_the_connection() {
        let (wire, _, sink) = memory(false);
        let stream = wire.open();
        let (mut writer, _reader) = sink.memory.accept_bi().await.unwrap();
        writer.write_all(b"answer").await.unwrap();
        assert_eq!(wire.take(stream, 2), b"an");
        wire.end(Closed::from(CloseCode::ConnectionLost));
        assert!(wire.take(stream, 100).is_empty());
    }
}
