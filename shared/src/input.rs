//! The input datagram, client to server.

use crate::quantize::Lanes;
use crate::schema::Schema;

/// What one input datagram says.
#[derive(Clone, Debug, PartialEq)]
pub struct InputDatagram<I> {
    /// Acknowledged snapshots: the low 16 bits of the newest tick received and, from bit 0, whether
    /// the tick 1, 2, … 32 before it was received as well. `None` before the first snapshot.
    pub ack: Option<SnapshotAck>,
    /// The low 16 bits of the newest input's tick; the others are for the ticks before it.
    pub newest_low16: u16,
    /// The last inputs, newest first; empty from a spectator. At most [`INPUTS_MAX`].
    pub inputs: Vec<I>,
}

/// Which snapshots a client has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotAck {
    /// Low 16 bits of the newest tick.
    pub newest_low16: u16,
    /// Bit `n`: the tick `n + 1` before it was received too.
    pub before: u32,
}

/// Most inputs in one datagram.
pub const INPUTS_MAX: usize = 32;

/// Reads and writes input datagrams of one game.
#[derive(Clone, Debug)]
pub struct InputCodec {}

/// Why a datagram could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a datagram that is not of this protocol; update the client")]
pub struct DatagramError;

impl InputCodec {
    /// The codec of the inputs in `schema`.
    pub fn new(schema: &Schema) -> Self {
        let _ = schema;
        InputCodec {}
    }

    /// Reads a datagram.
    ///
    /// # Errors
    /// [`DatagramError`] for anything but a whole datagram of this protocol.
    pub fn decode<I: Lanes>(&self, bytes: &[u8]) -> Result<InputDatagram<I>, DatagramError> {
        let _ = bytes;
        Err(DatagramError)
    }
}
