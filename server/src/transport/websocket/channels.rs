//! The streams of a WebSocket: lanes of its messages.

use bytes::{BufMut as _, Bytes, BytesMut};
use tokio::io::{
    AsyncReadExt as _, AsyncWriteExt as _, ReadHalf, SimplexStream, WriteHalf, simplex,
};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::oneshot;

use tickwire_shared::control::{
    CloseCode, STREAM_CHAT, STREAM_CONTROL, STREAM_STATIC, STREAM_TOPICS,
};

use crate::transport::Closed;

/// Lanes that are streams: control, chat, static data and topics.
const LANES: usize = 4;
/// Bytes of a stream in one message: a slow path carries them in a fraction of a second.
const PIECE_BYTES_MAX: usize = 8192;

/// A lane, both ways.
pub(super) type Channel = (ChannelWriter, ChannelReader);

/// The session that a lane belongs to is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the session is over")]
pub(crate) struct ChannelOver;

/// An outgoing message of a lane.
#[derive(Debug)]
pub(super) struct ChannelMessage {
    /// The bytes, with the lane in front.
    pub(super) message: Bytes,
    /// Signalled once the system has it.
    pub(super) written: oneshot::Sender<()>,
}

/// The sending half of a lane.
#[derive(Debug)]
pub(crate) struct ChannelWriter {
    lane: u8,
    pieces: Sender<ChannelMessage>,
}

/// The receiving half of a lane.
#[derive(Debug)]
pub(crate) struct ChannelReader(ReadHalf<SimplexStream>);

/// Receives the lanes' messages and sorts them; a lane opens with its first message.
#[derive(Debug)]
pub(super) struct ChannelInputs {
    channels: [Option<WriteHalf<SimplexStream>>; LANES],
    opened: Sender<Channel>,
    pieces: Sender<ChannelMessage>,
    lane_bytes_max: usize,
}

impl ChannelWriter {
    /// Hands all of `bytes` to the system, waiting while it takes no more. It writes them in
    /// pieces, so that snapshots can go between.
    pub(crate) async fn write_all(&mut self, bytes: &[u8]) -> Result<(), ChannelOver> {
        for part in bytes.chunks(PIECE_BYTES_MAX) {
            let mut message = BytesMut::with_capacity(1 + part.len());
            message.put_u8(self.lane);
            message.put_slice(part);
            let (written, done) = oneshot::channel();
            let piece = ChannelMessage { message: message.freeze(), written };
            self.pieces.send(piece).await.map_err(|_| ChannelOver)?;
            done.await.map_err(|_| ChannelOver)?;
        }
        Ok(())
    }
}

impl ChannelReader {
    /// Reads available bytes into `buffer`. Safe to drop while waiting.
    pub(crate) async fn read(&mut self, buffer: &mut [u8]) -> Result<Option<usize>, ChannelOver> {
        match self.0.read(buffer).await {
            // A lane does not end before the session.
            Ok(0) | Err(_) => Err(ChannelOver),
            Ok(count) => Ok(Some(count)),
        }
    }
}

impl ChannelInputs {
    /// At most `lane_bytes_max` bytes of each lane wait to be read. Also returns the lanes as they
    /// open, and the messages written to them.
    pub(super) fn new(
        lane_bytes_max: usize,
    ) -> (Self, Receiver<Channel>, Receiver<ChannelMessage>) {
        // One of each lane at a time.
        let (opened, streams) = channel(LANES);
        let (pieces, written) = channel(LANES);
        let incoming =
            ChannelInputs { channels: [const { None }; LANES], opened, pieces, lane_bytes_max };
        (incoming, streams, written)
    }

    /// Passes on a lane's bytes, waiting while too many of them are unread.
    ///
    /// # Errors
    /// If there is no such lane.
    pub(super) async fn pass_on(&mut self, lane: u8, bytes: &[u8]) -> Result<(), Closed> {
        let at = match lane {
            STREAM_CONTROL => 0,
            STREAM_CHAT => 1,
            STREAM_STATIC => 2,
            STREAM_TOPICS => 3,
            _ => return Err(CloseCode::UnexpectedStream.into()),
        };
        if self.channels[at].is_none() {
            let (recv, mut writer) = simplex(self.lane_bytes_max);
            // The stream's first byte is its kind, as on QUIC.
            let _ = writer.write_all(&[lane]).await;
            let send = ChannelWriter { lane, pieces: self.pieces.clone() };
            // There is space for all lanes; it fails only if the session is over.
            let _ = self.opened.try_send((send, ChannelReader(recv)));
            self.channels[at] = Some(writer);
        }
        if let Some(writer) = &mut self.channels[at] {
            // Fails if nobody reads any more: the session is over.
            let _ = writer.write_all(bytes).await;
        }
        Ok(())
    }
}
