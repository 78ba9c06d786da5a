//! The input datagram, client to server.
//!
//! ```text
//!  8 bits   DATAGRAM_INPUT
//!  8        seat: that of the `Joined` frame
//!  1        an acknowledgement follows
//!   16        tick of the newest snapshot, low bits
//!   32        bit n: the snapshot n + 1 ticks before it came too
//!   1         keyframes follow
//!    8          parts of keyframes that were applied during this stay, low bits
//!  6        number of inputs, 0 to 32
//!  16       tick of the newest input, low bits (if there is one)
//!  8        how far the others that the player saw were behind that tick, in 1/4 ticks (if there is
//!           an input)
//!  inputs   newest first; the first whole, each other: 1 bit differs from the one before in this
//!           list; if set, whole
//! ```

use crate::bits::{BitError, BitReader, BitStream, BitWriter, INFALLIBLE};
use crate::delta::LaneTable;
use crate::quantize::Lanes;
use crate::schema::{LANES_MAX, Schema};

/// First byte of an input datagram.
pub const DATAGRAM_INPUT: u8 = 0x49;

/// Most inputs in one datagram.
pub const INPUTS_MAX: usize = 32;

/// Units of [`InputHead::view_delay`] in a tick.
pub const VIEW_DELAY_UNITS: u32 = 4;

/// What stands before the inputs of a datagram.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InputHead {
    /// The seat that the `Joined` frame gave; another one is of a room left before.
    pub seat: u8,
    /// Acknowledged snapshots; `None` before the first.
    pub ack: Option<SnapshotAck>,
    /// The low 8 bits of how many parts of keyframes were applied during this stay; told beside an
    /// acknowledgement only, and not in every datagram.
    pub keyframes: Option<u8>,
    /// The low 16 bits of the newest input's tick; the others are for the ticks before it.
    pub newest_low16: u16,
    /// When the newest input was sampled, the player saw others as they were so long before its tick,
    /// in 1/4 ticks: for lag compensation.
    pub view_delay: u8,
}

/// What one input datagram says.
#[derive(Clone, Debug, PartialEq)]
pub struct InputDatagram<I> {
    /// All but the inputs.
    pub head: InputHead,
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

/// Why a datagram could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a datagram that is not of this protocol; update the client")]
pub struct DatagramError;

impl From<BitError> for DatagramError {
    fn from(_: BitError) -> Self {
        DatagramError
    }
}

/// Reads and writes input datagrams of one game.
#[derive(Clone, Debug)]
pub struct InputCodec {
    table: LaneTable,
}

impl InputCodec {
    /// The codec of the inputs in `schema`, which must be valid.
    pub fn new(schema: &Schema) -> Self {
        InputCodec { table: LaneTable::new(&schema.input, schema.tick_hz) }
    }

    /// Lanes of an input.
    pub fn lanes(&self) -> usize {
        self.table.len()
    }

    /// Reads a datagram into the game's own inputs.
    ///
    /// # Errors
    /// [`DatagramError`] for anything but a whole datagram of this protocol.
    pub fn decode<I: Lanes>(&self, bytes: &[u8]) -> Result<InputDatagram<I>, DatagramError> {
        let mut reader = BitReader::new(bytes);
        let (mut head, mut count) = (InputHead::default(), 0);
        head.stream(&mut count, &mut reader)?;
        let mut lanes = [0; LANES_MAX];
        let mut inputs = Vec::with_capacity(count as usize);
        for at in 0..count {
            self.input(&mut reader, &mut lanes[..self.table.len()], at == 0, at == 0)?;
            inputs.push(I::from_lanes(&lanes));
        }
        reader.finish()?;
        Ok(InputDatagram { head, inputs })
    }

    /// Writes a datagram: `inputs` are lanes, newest first, one after the other.
    ///
    /// # Panics
    /// If `inputs` is not a whole number of inputs, or more than [`INPUTS_MAX`].
    pub fn encode(&self, mut head: InputHead, inputs: &[i32]) -> Vec<u8> {
        let width = self.table.len();
        let count = inputs.len().checked_div(width).unwrap_or(0);
        assert!(count <= INPUTS_MAX && count * width == inputs.len());
        let mut writer = BitWriter::default();
        head.stream(&mut (count as u32), &mut writer).expect(INFALLIBLE);
        let mut last: &[i32] = &[];
        for input in inputs.chunks_exact(width.max(1)) {
            let mut lanes = [0; LANES_MAX];
            lanes[..width].copy_from_slice(input);
            let first = last.is_empty();
            let differs = input != last;
            self.input(&mut writer, &mut lanes[..width], first, differs).expect(INFALLIBLE);
            last = input;
        }
        writer.into_bytes()
    }

    fn input<S: BitStream>(
        &self,
        stream: &mut S,
        lanes: &mut [i32],
        first: bool,
        mut differs: bool,
    ) -> Result<(), BitError> {
        if !first {
            stream.flag(&mut differs)?;
        }
        if first || differs {
            self.table.whole(stream, lanes, true)?;
        }
        Ok(())
    }
}

impl InputHead {
    fn stream<S: BitStream>(&mut self, inputs: &mut u32, stream: &mut S) -> Result<(), BitError> {
        let mut kind = u32::from(DATAGRAM_INPUT);
        stream.bits(&mut kind, 8)?;
        if kind != u32::from(DATAGRAM_INPUT) {
            return Err(BitError::Invalid);
        }
        let mut seat = u32::from(self.seat);
        stream.bits(&mut seat, 8)?;
        self.seat = seat as u8;
        let mut has_ack = self.ack.is_some();
        stream.flag(&mut has_ack)?;
        if has_ack {
            let ack = self.ack.get_or_insert(SnapshotAck { newest_low16: 0, before: 0 });
            low16(stream, &mut ack.newest_low16)?;
            stream.bits(&mut ack.before, 32)?;
            let mut has_keyframes = self.keyframes.is_some();
            stream.flag(&mut has_keyframes)?;
            if has_keyframes {
                let mut parts = u32::from(self.keyframes.unwrap_or(0));
                stream.bits(&mut parts, 8)?;
                self.keyframes = Some(parts as u8);
            }
        }
        stream.bits(inputs, 6)?;
        if *inputs > INPUTS_MAX as u32 {
            return Err(BitError::Invalid);
        }
        if *inputs > 0 {
            low16(stream, &mut self.newest_low16)?;
            let mut delay = u32::from(self.view_delay);
            stream.bits(&mut delay, 8)?;
            self.view_delay = delay as u8;
        }
        Ok(())
    }
}

fn low16<S: BitStream>(stream: &mut S, value: &mut u16) -> Result<(), BitError> {
    let mut bits = u32::from(*value);
    stream.bits(&mut bits, 16)?;
    *value = bits as u16;
    Ok(())
}
