//! As much of HTTP/3 as one WebTransport session needs, over our own connections.
//!
//! The parts of messages are those of `wtransport-proto`: settings, header compression, requests,
//! codes. What is here tells the peer's streams apart, each in a task of its own that ends with what
//! the stream turned out to be. What no standard of ours knows is skipped: browsers send such things
//! on purpose, so that nobody relies on their absence.

use std::borrow::Cow;
use std::sync::Arc;

use quinn_proto::{ConnectionError, StreamId, VarInt};
use tokio::task::JoinSet;
use wtransport_proto::capsule::Capsule;
use wtransport_proto::error::ErrorCode;
use wtransport_proto::frame::Frame;
use wtransport_proto::headers::Headers;
use wtransport_proto::session::{HeadersParseError, SessionRequest};
use wtransport_proto::settings::Settings;
use wtransport_proto::stream_header::StreamHeader;

use super::driver::{Connection, ReadError, RecvStream, SendStream, WriteError};

/// The HTTP/3 side of one connection.
#[derive(Debug)]
pub(super) struct Http3 {
    connection: Arc<Connection>,
    /// One for each of the peer's streams that are being read.
    readers: JoinSet<Result<Arrival, HttpError>>,
    /// Our control stream: closing it would end the connection.
    _settings: SendStream,
    /// Of the control stream and the two of header compression: which the peer opened.
    opened: [bool; 3],
}

/// What a stream of the peer turned out to be.
#[derive(Debug)]
pub(super) enum Arrival {
    /// The peer's settings, and the stream they came on.
    Settings(RecvStream),
    /// A CONNECT that asks for a session.
    Request(Request),
    /// A stream of session `session`, both ways.
    Stream { session: u64, send: SendStream, recv: RecvStream },
    /// A stream of a session, one way.
    OneWay,
    /// The session's own stream ended.
    Ended,
    /// One of the peer's own, by [`OWN_KINDS`].
    Own(u64, RecvStream),
    /// Nothing of interest.
    Nothing,
}

/// A CONNECT and the stream it came on.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) asked: SessionRequest,
    pub(super) send: SendStream,
    pub(super) recv: RecvStream,
}

/// Why there is no session on a connection, or no more.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HttpError {
    #[error("the connection failed: {0}")]
    Connection(#[from] ConnectionError),
    #[error("the peer broke a rule: {0}")]
    Rule(ErrorCode),
    #[error("a stream was given up")]
    Stream,
}

impl Http3 {
    /// Says what this side can do.
    pub(super) async fn open(connection: Arc<Connection>) -> Result<Self, HttpError> {
        let mut settings = connection.open_uni().ok_or(HttpError::Stream)?;
        let (zero, one) = (wt_varint(0), wt_varint(1));
        let ours = Settings::builder()
            .qpack_max_table_capacity(zero)
            .qpack_blocked_streams(zero)
            .enable_connect_protocol()
            .enable_webtransport()
            .enable_h3_datagrams()
            .webtransport_max_sessions(one)
            .build();
        let mut bytes = Vec::new();
        let written = StreamHeader::new_control().write(&mut bytes);
        written.and_then(|()| ours.generate_frame().write(&mut bytes)).expect("a vector grows");
        settings.write_all(&bytes).await?;
        let readers = JoinSet::new();
        Ok(Http3 { connection, readers, _settings: settings, opened: [false; 3] })
    }

    /// What the peer did next. Safe to drop while waiting.
    ///
    /// # Errors
    /// How the connection failed, or what the peer did wrong.
    pub(super) async fn next(&mut self) -> Result<Arrival, HttpError> {
        loop {
            tokio::select! {
                stream = self.connection.accept_bi() => {
                    let (send, recv) = stream?;
                    self.readers.spawn(read_both_ways(send, recv));
                }
                stream = self.connection.accept_uni() => {
                    self.readers.spawn(read_one_way(stream?));
                }
                Some(read) = self.readers.join_next() => match read {
                    Ok(Ok(Arrival::Own(kind, recv))) => self.keep_own(kind, recv)?,
                    Ok(Ok(Arrival::Nothing) | Err(HttpError::Stream)) | Err(_) => {}
                    Ok(arrived) => return arrived,
                },
            }
        }
    }

    /// Goes on reading the stream that the peer's settings came on.
    pub(super) fn keep_settings(&mut self, control: RecvStream) {
        self.readers.spawn(read_control(control));
    }

    /// Watches the stream of the session that was accepted: [`Arrival::Ended`] comes of it.
    pub(super) fn watch(&mut self, connect: RecvStream) {
        self.readers.spawn(read_session(connect));
    }

    /// Reads one of the peer's own streams, each of which may be opened once and never closed.
    fn keep_own(&mut self, kind: u64, recv: RecvStream) -> Result<(), HttpError> {
        let place = OWN_KINDS.iter().position(|own| *own == kind).unwrap_or_default();
        if std::mem::replace(&mut self.opened[place], true) {
            return Err(HttpError::Rule(ErrorCode::StreamCreation));
        }
        match kind {
            KIND_CONTROL => self.readers.spawn(read_settings(recv)),
            _ => self.readers.spawn(read_compression(recv)),
        };
        Ok(())
    }
}

/// Reads a stream up to what says whose it is.
async fn read_both_ways(send: SendStream, mut recv: RecvStream) -> Result<Arrival, HttpError> {
    match next_frame(&mut recv).await? {
        Some((FRAME_HEADERS, payload)) => Ok(read_request(payload, send, recv)?),
        Some((FRAME_STREAM, session)) => {
            let session = session.into_iter().fold(0, |id, byte| id << 8 | u64::from(byte));
            Ok(Arrival::Stream { session, send, recv })
        }
        Some(_) => Err(HttpError::Rule(ErrorCode::FrameUnexpected)),
        None => Ok(Arrival::Nothing),
    }
}

fn read_request(
    payload: Vec<u8>,
    send: SendStream,
    mut recv: RecvStream,
) -> Result<Arrival, HttpError> {
    let frame = Frame::new_headers(Cow::Owned(payload));
    let headers = Headers::with_frame(&frame).map_err(HttpError::Rule)?;
    let code = match SessionRequest::try_from(headers) {
        Ok(asked) => return Ok(Arrival::Request(Request { asked, send, recv })),
        Err(HeadersParseError::MethodNotConnect) => ErrorCode::RequestRejected,
        Err(_) => ErrorCode::Message,
    };
    recv.stop(code_of(code));
    Ok(Arrival::Nothing)
}

async fn read_one_way(mut recv: RecvStream) -> Result<Arrival, HttpError> {
    match next_varint(&mut recv).await? {
        Some(KIND_SESSION) => Ok(Arrival::OneWay),
        Some(kind) if OWN_KINDS.contains(&kind) => Ok(Arrival::Own(kind, recv)),
        // Dropping it tells the peer that nobody reads it.
        _ => Ok(Arrival::Nothing),
    }
}

async fn read_settings(mut recv: RecvStream) -> Result<Arrival, HttpError> {
    match critical(next_frame(&mut recv).await)? {
        (FRAME_SETTINGS, payload) => {
            let frame = Frame::new_settings(Cow::Owned(payload));
            Settings::with_frame(&frame).map_err(HttpError::Rule)?;
            Ok(Arrival::Settings(recv))
        }
        _ => Err(HttpError::Rule(ErrorCode::MissingSettings)),
    }
}

/// After its settings, a peer has nothing to say here that concerns a session.
async fn read_control(mut recv: RecvStream) -> Result<Arrival, HttpError> {
    critical(next_frame(&mut recv).await)?;
    Err(HttpError::Rule(ErrorCode::FrameUnexpected))
}

/// Header compression is told to keep no table, so nothing here matters.
async fn read_compression(mut recv: RecvStream) -> Result<Arrival, HttpError> {
    let mut ignored = [0; SKIP_BYTES];
    loop {
        critical(recv.read(&mut ignored).await.map_err(HttpError::from))?;
    }
}

/// Waits until the session's own stream ends, or says that the session does.
async fn read_session(mut recv: RecvStream) -> Result<Arrival, HttpError> {
    loop {
        match next_frame(&mut recv).await {
            Ok(Some((FRAME_DATA, payload))) if is_close(&payload) => return Ok(Arrival::Ended),
            Ok(Some(_)) => {}
            Ok(None) => return Ok(Arrival::Ended),
            Err(HttpError::Stream) => return Err(HttpError::Rule(ErrorCode::ClosedCriticalStream)),
            Err(error) => return Err(error),
        }
    }
}

/// Whether a frame holds the capsule that closes a session (draft-ietf-webtrans-http3, section 6).
fn is_close(payload: &[u8]) -> bool {
    Capsule::with_frame(&Frame::new_data(Cow::Borrowed(payload))).is_some()
}

/// What a stream gave that must not end.
fn critical<T>(read: Result<Option<T>, HttpError>) -> Result<T, HttpError> {
    match read {
        Ok(Some(read)) => Ok(read),
        Ok(None) | Err(HttpError::Stream) => Err(HttpError::Rule(ErrorCode::ClosedCriticalStream)),
        Err(error) => Err(error),
    }
}

/// The next frame of a kind that is known here, or `None` at the end of the stream. Of
/// [`FRAME_STREAM`], which has no payload, the session's id in place of it.
///
/// ```text
/// +--------------+----------------+---------+
/// | kind: varint | length: varint | payload |   RFC 9114, section 7.1
/// +--------------+----------------+---------+
/// ```
async fn next_frame(recv: &mut RecvStream) -> Result<Option<(u64, Vec<u8>)>, HttpError> {
    while let Some(kind) = next_varint(recv).await? {
        let cut = HttpError::Rule(ErrorCode::Frame);
        let length = next_varint(recv).await?.ok_or(cut)?;
        match kind {
            FRAME_STREAM => return Ok(Some((kind, length.to_be_bytes().to_vec()))),
            FRAME_DATA | FRAME_HEADERS | FRAME_SETTINGS => {
                if length > FRAME_BYTES_MAX {
                    return Err(HttpError::Rule(ErrorCode::ExcessiveLoad));
                }
                let mut payload = vec![0; length as usize];
                read_exact(recv, &mut payload).await?;
                return Ok(Some((kind, payload)));
            }
            _ => skip(recv, length).await?,
        }
    }
    Ok(None)
}

async fn next_varint(recv: &mut RecvStream) -> Result<Option<u64>, HttpError> {
    let mut bytes = [0; 8];
    if recv.read(&mut bytes[..1]).await?.is_none() {
        return Ok(None);
    }
    let length = 1 << (bytes[0] >> 6);
    read_exact(recv, &mut bytes[1..length]).await?;
    bytes[0] &= 0x3f;
    let value = bytes[..length].iter().fold(0, |value, byte| value << 8 | u64::from(*byte));
    Ok(Some(value))
}

async fn skip(recv: &mut RecvStream, length: u64) -> Result<(), HttpError> {
    let mut left = length;
    let mut ignored = [0; SKIP_BYTES];
    while left > 0 {
        let part = left.min(SKIP_BYTES as u64) as usize;
        read_exact(recv, &mut ignored[..part]).await?;
        left -= part as u64;
    }
    Ok(())
}

async fn read_exact(recv: &mut RecvStream, bytes: &mut [u8]) -> Result<(), HttpError> {
    let mut filled = 0;
    while filled < bytes.len() {
        let read = recv.read(&mut bytes[filled..]).await?;
        filled += read.ok_or(HttpError::Rule(ErrorCode::Frame))?;
    }
    Ok(())
}

/// The id of the session that a stream carries the CONNECT of.
pub(super) fn session_of(id: StreamId) -> u64 {
    VarInt::from(id).into_inner()
}

pub(super) fn code_of(code: ErrorCode) -> VarInt {
    VarInt::from_u64(code.to_code().into_inner()).unwrap_or(VarInt::MAX)
}

fn wt_varint(value: u32) -> wtransport_proto::varint::VarInt {
    wtransport_proto::varint::VarInt::from_u32(value)
}

impl From<ReadError> for HttpError {
    fn from(_: ReadError) -> Self {
        HttpError::Stream
    }
}

impl From<WriteError> for HttpError {
    fn from(_: WriteError) -> Self {
        HttpError::Stream
    }
}

const FRAME_DATA: u64 = 0x00;
const FRAME_HEADERS: u64 = 0x01;
const FRAME_SETTINGS: u64 = 0x04;
/// Begins a stream of a session: `WEBTRANSPORT_STREAM`, then the session's id.
const FRAME_STREAM: u64 = 0x41;
const KIND_CONTROL: u64 = 0x00;
/// The streams a peer has for itself: control, and both of header compression.
const OWN_KINDS: [u64; 3] = [KIND_CONTROL, 0x02, 0x03];
/// A stream of a session, one way.
const KIND_SESSION: u64 = 0x54;
/// Payload of a frame that is read: a request of a browser is a few hundred bytes.
const FRAME_BYTES_MAX: u64 = 4096;
/// So much of what nobody wants is read at once.
const SKIP_BYTES: usize = 256;
