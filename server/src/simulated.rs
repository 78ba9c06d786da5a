//! A server without sockets, threads and clocks: its caller moves the bytes, the time and the files.
//!
//! Sessions, rooms, journals and followers are the server's own, from the session's first byte to its last frame. They run in
//! the caller's thread, on a tokio runtime of that thread whose clock is paused: then the same calls give the same results.
//! `tickwire-bench sim` does that.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use tickwire_shared::control::CloseCode;
use tickwire_shared::{Simulation, Tick};
use tokio::sync::mpsc::Receiver;
use tokio::task::JoinSet;

use crate::config::ServerConfig;
use crate::connection::{self, Handshake, ServerState};
use crate::identity;
use crate::journal::{Journals, JournalsByHand, WarmRooms};
use crate::room::Room;
use crate::rooms::Rooms;
use crate::scheduler::{RoomsByHand, Scheduler, TickTime};
use crate::server::ServerError;
use crate::shares::Shares;
use crate::store::{ServerStore, StoreByHand, StoreEvent};
use crate::transport::{Closed, Memory, MemoryWire, TransportSession, UnsentDatagram, WakeSignal};

/// A server of one game. When it is dropped it is as if its process was killed: what waits is not written, and frames that were
/// not taken are lost.
///
/// Its rooms' seeds and its secrets follow from one seed, so that runs repeat: it is for tests.
pub struct SimulatedServer<S: Simulation> {
    host: Arc<ServerState<S>>,
    rooms: RoomsByHand<S>,
    journals: Option<JournalsByHand<S>>,
    store: Option<(StoreByHand, Receiver<StoreEvent>)>,
    handshakes: Arc<Shares>,
    sessions: JoinSet<()>,
    wires: Vec<Arc<MemoryWire>>,
}

/// The client's end of a connection to a [`SimulatedServer`].
#[derive(Clone, Debug)]
pub struct SimulatedConnection {
    wire: Arc<MemoryWire>,
}

impl<S: Simulation> SimulatedServer<S> {
    /// Starts a server, and restores the rooms of its journals. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// If journals or a store cannot be kept where `config` says.
    pub fn start(config: ServerConfig, seed: u64) -> Result<Self, ServerError> {
        let config = Arc::new(config);
        let bell = Arc::new(WakeSignal::new().map_err(ServerError::Threads)?);
        let (scheduler, rooms) = Scheduler::by_hand(&config, &bell);
        let journals = Journals::by_hand::<S>(&config).map_err(|error| ServerError::Journals {
            dir: config.journal.clone().unwrap_or_default(),
            error,
        })?;
        let (journals, by_hand) = journals.unzip();
        let (store, committed) = match ServerStore::by_hand(&config)? {
            Some((store, work, results)) => (Some(store), Some((work, results))),
            None => (None, None),
        };
        let mut all = Rooms::new(scheduler, Arc::clone(&config), (journals, store));
        all.seed = Some(seed);
        let handshakes = Arc::new(Shares::new(config.handshakes_max, 100));
        let host = ServerState::new(config, all, WarmRooms::default()).with_seed(seed);
        host.authenticate_by(identity::choose(None, None));
        let host = Arc::new(host);
        let (sessions, wires) = (JoinSet::new(), Vec::new());
        let (journals, store) = (by_hand, committed);
        Ok(SimulatedServer { host, rooms, journals, store, handshakes, sessions, wires })
    }

    /// Opens a connection from `peer`, on whose path datagrams have `datagram_bytes_max`. `None` if too many have not said
    /// hello yet.
    pub fn connect(
        &mut self,
        peer: SocketAddr,
        datagram_bytes_max: usize,
    ) -> Option<SimulatedConnection> {
        while self.sessions.try_join_next().is_some() {}
        self.wires.retain(|wire| Arc::strong_count(wire) > 1);
        let permit = self.handshakes.take(peer.ip()).ok()?;
        let config = &self.host.config;
        let deadline = tokio::time::Instant::now() + config.handshake_time();
        let memory = Memory::new(peer, config.stream_window_bytes as usize, datagram_bytes_max);
        let wire = memory.wire();
        self.wires.push(Arc::clone(&wire));
        let hello = Handshake { deadline, _permit: permit };
        let transport = TransportSession::Memory(memory);
        self.sessions.spawn(connection::serve(Arc::clone(&self.host), transport, hello));
        Some(SimulatedConnection { wire })
    }

    /// Runs one tick of every room and hands its output to the connections. `time_ms` is the time since 1970.
    pub fn tick(&mut self, time_ms: u64) {
        let now = now();
        self.rooms.tick(TickTime { now, due: now, time_ms });
        self.host.deliver(
            self.rooms.outbox(),
            &mut |session: &TransportSession, datagram: Bytes| match session {
                TransportSession::Memory(memory) => memory.send_datagram(datagram),
                _ => Err(UnsentDatagram::Undeliverable),
            },
        );
    }

    /// Takes up rooms that were made or restored, without a tick.
    pub fn take_up_rooms(&mut self) {
        self.rooms.take_up(now());
    }

    /// Gives up empty rooms and the seats of restored rooms whose players stay away. To be called once a second.
    pub async fn sweep(&self) {
        self.host.rooms.sweep();
        self.host.sweep_restored().await;
    }

    /// Sends the changes of lists of rooms.
    pub fn push_rooms(&self) {
        self.host.push_rooms();
    }

    /// Writes what waits for the journals. To be called every `journal_flush_ms`.
    pub fn flush_journals(&mut self) {
        if let Some(journals) = &mut self.journals {
            journals.flush();
        }
    }

    /// Runs again what is written in the journals, and makes checkpoints that are due.
    pub fn follow_journals(&mut self) {
        if let Some(journals) = &mut self.journals {
            journals.follow();
        }
    }

    /// Saves the chat that waits, and delivers the news of it. To be called every `store_commit_ms`.
    pub fn commit_store(&mut self) {
        if let Some((work, results)) = &mut self.store {
            while work.commit() {
                while let Ok(event) = results.try_recv() {
                    self.host.deliver_stored(event);
                }
            }
        }
    }

    /// Loses a record that waits for the journals, as a faulty writer would: for tests of what finds that. Returns true if
    /// one waited.
    pub fn lose_journal_record(&mut self) -> bool {
        self.journals.as_mut().is_some_and(JournalsByHand::lose_record)
    }

    /// Rooms whose game the followers found not deterministic, and rooms that they do not follow for another reason.
    pub fn rooms_not_followed(&self) -> (u64, u64) {
        let stats = self.host.rooms.journals.as_ref().map(Journals::follower_stats);
        let stats = stats.unwrap_or_default();
        (stats.rooms_not_deterministic, stats.rooms_not_followed)
    }

    /// The rooms, without those whose game panicked.
    pub fn rooms(&self) -> impl Iterator<Item = &Room<S>> {
        self.rooms.rooms()
    }

    /// The tick that each room has reached.
    pub fn ticks(&self) -> impl Iterator<Item = (&str, Tick)> {
        self.rooms.ticks()
    }

    /// Sessions that have said hello and have not ended.
    pub fn sessions(&self) -> usize {
        self.host.sessions()
    }

    /// Most bytes of frames that wait for one client, and the bound of that.
    pub fn waiting_bytes(&self) -> (usize, usize) {
        let links = self.host.links.read();
        let most = links.values().map(|link| link.waiting_bytes()).max().unwrap_or(0);
        (most, self.host.config.reliable_bytes_max)
    }
}

impl<S: Simulation> Drop for SimulatedServer<S> {
    fn drop(&mut self) {
        for wire in &self.wires {
            wire.end(Closed::from(CloseCode::ConnectionLost));
        }
    }
}

impl<S: Simulation> std::fmt::Debug for SimulatedServer<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SimulatedServer({} sessions)", self.sessions())
    }
}

impl SimulatedConnection {
    /// Opens the next stream. Returns its number.
    pub fn open(&self) -> usize {
        self.wire.open()
    }

    /// Bytes that the stream to the server has space for.
    pub fn space(&self, stream: usize) -> usize {
        self.wire.space(stream)
    }

    /// Hands bytes of a stream to the server, in order.
    pub fn write(&self, stream: usize, bytes: &[u8]) {
        self.wire.write(stream, bytes);
    }

    /// Ends a stream to the server.
    pub fn finish(&self, stream: usize) {
        self.wire.finish(stream);
    }

    /// Takes what the server wrote to a stream, up to `bytes_max`.
    pub fn take(&self, stream: usize, bytes_max: usize) -> Vec<u8> {
        self.wire.take(stream, bytes_max)
    }

    /// Hands a datagram to the server.
    pub fn datagram(&self, bytes: Vec<u8>) {
        self.wire.datagram(Bytes::from(bytes), now());
    }

    /// Takes the datagrams that the server sent; the connection keeps few.
    pub fn take_datagrams(&self) -> Vec<Bytes> {
        self.wire.take_datagrams()
    }

    /// Ends the connection, as the server sees it: by [`CloseCode::ConnectionLost`] it was lost, by another code the client
    /// closed it.
    pub fn end(&self, code: CloseCode) {
        self.wire.end(Closed::from(code));
    }

    /// The server's close, once it has closed the connection.
    pub fn closed(&self) -> Option<(CloseCode, String)> {
        self.wire.closed()
    }
}

#[cfg(test)]
mod connections;

fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

#[cfg(test)]
mod tests;
