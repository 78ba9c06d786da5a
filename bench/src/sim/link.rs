//! One connection of a client: its streams as bytes in order, with what is on the way.

use tickwire_server::simulated::SimulatedConnection;
use tickwire_shared::control::CloseCode;

/// Streams of a connection: control and chat.
pub(crate) const STREAMS: usize = 2;
pub(crate) const CONTROL: usize = 0;

/// A connection between a client and the server.
pub(crate) struct SimLink {
    /// Counts all connections of a run.
    pub(crate) id: u64,
    pub(crate) wire: SimulatedConnection,
    /// The number of the server's process.
    pub(crate) epoch: u32,
    /// The server's numbers of the streams.
    pub(crate) streams: [usize; STREAMS],
    /// Bytes that wait for their way to the server.
    pub(crate) waiting: [Vec<u8>; STREAMS],
    /// A piece is on its way to the server.
    pub(crate) is_up: [bool; STREAMS],
    /// A piece is on its way to the client.
    pub(crate) is_down: [bool; STREAMS],
    /// That piece has come to a client that does not run.
    pub(crate) is_unread: [bool; STREAMS],
    /// When the client last heard the server.
    pub(crate) client_heard_ms: u64,
    /// When the server last heard the client.
    pub(crate) server_heard_ms: u64,
    /// When the last packets left that only keep the connection alive.
    pub(crate) pinged_ms: u64,
    pub(crate) server_end: ServerEnd,
    /// The server's close or its reset is on its way.
    pub(crate) is_closing: bool,
}

/// What a connection is to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ServerEnd {
    Open,
    /// The server has closed it: what it wrote before still comes.
    Closed,
    /// It was silent for too long, or the server was killed: nothing more comes.
    Lost,
}

impl SimLink {
    pub(crate) fn new(id: u64, wire: SimulatedConnection, epoch: u32, now_ms: u64) -> Self {
        let streams = [wire.open(), wire.open()];
        SimLink {
            id,
            wire,
            epoch,
            streams,
            waiting: [Vec::new(), Vec::new()],
            is_up: [false; STREAMS],
            is_down: [false; STREAMS],
            is_unread: [false; STREAMS],
            client_heard_ms: now_ms,
            server_heard_ms: now_ms,
            pinged_ms: now_ms,
            server_end: ServerEnd::Open,
            is_closing: false,
        }
    }

    /// The server loses it, and what waits to be sent over it.
    pub(crate) fn lose(&mut self) {
        self.wire.end(CloseCode::ConnectionLost);
        (self.server_end, self.is_closing) = (ServerEnd::Lost, false);
    }

    /// The client runs again, and reads what has come.
    pub(crate) fn read_on(&mut self) {
        for (is_down, is_unread) in self.is_down.iter_mut().zip(&mut self.is_unread) {
            *is_down &= !std::mem::take(is_unread);
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.server_end == ServerEnd::Open
    }
}
