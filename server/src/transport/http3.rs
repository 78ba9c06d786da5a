//! The part of HTTP/3 that one WebTransport session needs, over our own connections.
//!
//! This file identifies the peer's streams. Each is read by a task of its own, whose result is the
//! stream's purpose:
//!
//! - `frames` cuts streams into frames, `settings` reads what the peer can do;
//! - `fields` reads the field lines of a request, `request` judges them;
//! - `capsules` reads the session's own stream.
//!
//! Unknown things are skipped: browsers send some on purpose, so that nobody relies on their
//! absence. A broken rule ends a stream or the connection with the code that the rule names.

mod capsules;
mod code;
mod fields;
mod frames;
mod request;
mod settings;

use std::sync::Arc;

use quinn_proto::{ConnectionError, StreamId, VarInt};
use tokio::task::JoinSet;

use super::driver::{Connection, ReadError, RecvStream, SendStream, WriteError};
use crate::config::ServerConfig;
pub(super) use capsules::{Capsules, SessionClose, close_frame};
pub(super) use code::Code;
use fields::FieldsError;
use frames::{
    CUT, FRAME_CANCEL_PUSH, FRAME_GOAWAY, FRAME_HEADERS, FRAME_MAX_PUSH_ID, FRAME_SETTINGS,
    FRAME_STREAM, ReadAllowance, Reader, put_frame,
};
pub(super) use frames::{put_varint, split_varint};
pub(super) use request::{Answer, SessionRequest};
use request::{Malformed, RequestOutcome, judge};
use settings::{PeerSettings, ours};

const KIND_CONTROL: u64 = 0x00;
const KIND_PUSH: u64 = 0x01;
const KIND_ENCODER: u64 = 0x02;
const KIND_DECODER: u64 = 0x03;
/// The peer's own streams: control, and both of header compression.
const OWN_KINDS: [u64; 3] = [KIND_CONTROL, KIND_ENCODER, KIND_DECODER];
/// A unidirectional stream of a session.
const KIND_SESSION: u64 = 0x54;
/// Instruction that sets the capacity of the table to zero.
const CAPACITY_ZERO: u8 = 0x20;
/// Instruction before the id of a stream whose field section will not be read.
const CANCELLED: u8 = 0x40;
const CLOSED_CRITICAL: HttpError = HttpError::Rule(Code::CLOSED_CRITICAL_STREAM);
/// Bytes of the settings; a browser sends a dozen settings.
const SETTINGS_BYTES_MAX: u64 = 1024;
const VARINT_BYTES_MAX: u64 = 8;

/// The HTTP/3 side of one connection. Dropping it closes the connection.
#[derive(Debug)]
pub(super) struct Http3 {
    connection: Arc<Connection>,
    /// One task for each of the peer's streams being read.
    readers: JoinSet<Result<Sorted, HttpError>>,
    turns: ReadAllowance,
    /// Our control stream; the connection would end with it.
    control: SendStream,
    /// Which of the peer's own streams ([`OWN_KINDS`]) are open.
    opened: [bool; 3],
    theirs: Option<PeerSettings>,
}

/// An action of the peer.
#[derive(Debug)]
pub(super) enum Arrival {
    /// It sent its settings.
    Settings,
    /// It requests a session.
    Request(Request),
    /// It opened a bidirectional stream of session `session`.
    Stream { session: u64, send: SendStream, recv: RecvStream },
    /// It opened a unidirectional stream of session `session`.
    OneWay { session: u64, recv: RecvStream },
    /// It ended the session's own stream.
    Ended(Ending, Capsules),
}

/// The end of the session's own stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Said(SessionClose),
    /// It was given up.
    Reset,
    /// It carried something invalid.
    Malformed(Code),
}

/// A CONNECT that requests a session, and its stream.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) wanted: SessionRequest,
    pub(super) send: SendStream,
    pub(super) capsules: Capsules,
}

/// The reason why an exchange of HTTP/3 ends.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HttpError {
    #[error("the connection failed: {0}")]
    Connection(#[from] ConnectionError),
    #[error("the peer broke a rule of HTTP/3: {0}")]
    Rule(Code),
    #[error("a message of the peer cannot be: {0}")]
    Message(Code),
    #[error("a stream was given up")]
    Stream,
    #[error("the connection is over")]
    Over,
}

/// The purpose of a peer's stream.
#[derive(Debug)]
enum Sorted {
    Arrived(Arrival),
    /// The peer's settings, and the stream they came on.
    Settings(PeerSettings, Reader),
    /// One of the peer's own streams, by [`OWN_KINDS`].
    Own(u64, Reader),
    /// Nothing of interest.
    Nothing,
}

impl Http3 {
    /// Sends this side's settings.
    pub(super) async fn open(
        connection: Arc<Connection>,
        limits: &ServerConfig,
    ) -> Result<Self, HttpError> {
        let mut control = connection.open_uni().ok_or(HttpError::Stream)?;
        let mut bytes = Vec::new();
        put_varint(KIND_CONTROL, &mut bytes);
        put_frame(FRAME_SETTINGS, &ours(), &mut bytes);
        control.write_all(&bytes).await?;
        Ok(Http3 {
            connection,
            readers: JoinSet::new(),
            turns: ReadAllowance::new(limits),
            control,
            opened: [false; 3],
            theirs: None,
        })
    }

    /// True if the peer takes datagrams; `None` before its settings came.
    pub(super) fn takes_datagrams(&self) -> Option<bool> {
        self.theirs.map(|theirs| theirs.datagrams)
    }

    /// The peer's next action. Safe to drop while waiting.
    ///
    /// # Errors
    /// The connection's failure, or the rule that the peer broke.
    pub(super) async fn next(&mut self) -> Result<Arrival, HttpError> {
        loop {
            tokio::select! {
                stream = self.connection.accept_bi() => {
                    let (send, recv) = stream?;
                    self.readers.spawn(read_both_ways(send, recv, self.turns.clone()));
                }
                stream = self.connection.accept_uni() => {
                    self.readers.spawn(read_one_way(stream?, self.turns.clone()));
                }
                Some(_) = self.control.stopped() => return Err(CLOSED_CRITICAL),
                Some(read) = self.readers.join_next() => match read {
                    Ok(Ok(Sorted::Arrived(arrival))) => return Ok(arrival),
                    Ok(Ok(Sorted::Own(kind, reader))) => self.keep_own(kind, reader)?,
                    Ok(Ok(Sorted::Settings(theirs, reader))) => {
                        self.theirs = Some(theirs);
                        self.readers.spawn(read_control(reader));
                        return Ok(Arrival::Settings);
                    }
                    Ok(Err(error @ (HttpError::Rule(_) | HttpError::Connection(_)))) => {
                        return Err(error);
                    }
                    // It concerned one stream only, or the connection's end follows.
                    Ok(Ok(Sorted::Nothing) | Err(_)) | Err(_) => {}
                },
            }
        }
    }

    /// Reads the stream of the accepted session, which leads to [`Arrival::Ended`].
    pub(super) fn watch(&mut self, connect: Capsules) {
        self.readers.spawn(read_session(connect));
    }

    /// Reads one of the peer's own streams, which it may open once and must never close.
    fn keep_own(&mut self, kind: u64, reader: Reader) -> Result<(), HttpError> {
        let place = OWN_KINDS.iter().position(|own| *own == kind).unwrap_or_default();
        if std::mem::replace(&mut self.opened[place], true) {
            return Err(HttpError::Rule(Code::STREAM_CREATION_ERROR));
        }
        match kind {
            KIND_CONTROL => self.readers.spawn(read_settings(reader)),
            KIND_ENCODER => self.readers.spawn(read_encoder(reader)),
            _ => self.readers.spawn(read_decoder(reader)),
        };
        Ok(())
    }
}

impl Drop for Http3 {
    fn drop(&mut self) {
        // The connection is closed already, unless its handshake took too long.
        let code = if self.theirs.is_some() { Code::NO_ERROR } else { Code::MISSING_SETTINGS };
        self.connection.close(code.number(), b"");
    }
}

/// Reads the beginning of a bidirectional stream. A request is judged, and answered if it is not
/// for a session.
async fn read_both_ways(
    mut send: SendStream,
    recv: RecvStream,
    turns: ReadAllowance,
) -> Result<Sorted, HttpError> {
    turns.next().await;
    let mut reader = Reader::new(recv, turns);
    let kind = reader.varint().await;
    if let Ok(Some(FRAME_STREAM)) = kind {
        let session = session_id(reader.varint().await?.ok_or(CUT)?)?;
        let recv = reader.into_inner();
        return Ok(Sorted::Arrived(Arrival::Stream { session, send, recv }));
    }
    reader.read_ahead();
    let asked = match kind {
        Ok(Some(kind)) => read_request(kind, &mut reader).await,
        Ok(None) => Err(HttpError::Message(Code::REQUEST_INCOMPLETE)),
        Err(error) => Err(error),
    };
    match asked {
        Ok(RequestOutcome::Session(wanted)) => {
            let capsules = Capsules::new(reader);
            return Ok(Sorted::Arrived(Arrival::Request(Request { wanted, send, capsules })));
        }
        Ok(RequestOutcome::Other(answer)) => {
            // Nothing more comes of this stream, whether the peer takes the answer or not.
            let _ = send_answer(&mut send, answer).await;
            reader.stop(Code::NO_ERROR);
        }
        Err(HttpError::Message(code)) => {
            send.reset(code.number());
            reader.stop(code);
        }
        Err(HttpError::Stream) => send.reset(Code::REQUEST_CANCELLED.number()),
        Err(error) => return Err(error),
    }
    Ok(Sorted::Nothing)
}

/// Reads a request whose first frame is of `kind`.
async fn read_request(kind: u64, reader: &mut Reader) -> Result<RequestOutcome, HttpError> {
    match reader.frame_of(kind).await? {
        Some((FRAME_HEADERS, length)) if length > fields::SECTION_BYTES_MAX as u64 => {
            Ok(RequestOutcome::Other(Answer::FieldsTooLarge))
        }
        Some((FRAME_HEADERS, length)) => match fields::decode(&reader.payload(length).await?) {
            Ok(fields) => {
                judge(&fields).map_err(|Malformed| HttpError::Message(Code::MESSAGE_ERROR))
            }
            Err(FieldsError::TooLarge) => Ok(RequestOutcome::Other(Answer::FieldsTooLarge)),
            Err(FieldsError::Undecodable) => Err(HttpError::Rule(Code::DECOMPRESSION_FAILED)),
        },
        Some(_) => Err(HttpError::Rule(Code::FRAME_UNEXPECTED)),
        None => Err(HttpError::Message(Code::REQUEST_INCOMPLETE)),
    }
}

/// Answers a request with only a status.
pub(super) async fn send_answer(send: &mut SendStream, answer: Answer) -> Result<(), HttpError> {
    let mut bytes = Vec::new();
    put_frame(FRAME_HEADERS, &fields::encode(answer.fields()), &mut bytes);
    Ok(send.write_all(&bytes).await?)
}

async fn read_one_way(recv: RecvStream, turns: ReadAllowance) -> Result<Sorted, HttpError> {
    turns.next().await;
    let mut reader = Reader::new(recv, turns);
    // It may end at any byte of its kind (RFC 9114, section 6.2).
    let Ok(Some(kind)) = reader.varint().await else { return Ok(Sorted::Nothing) };
    match kind {
        KIND_SESSION => {
            let Ok(Some(id)) = reader.varint().await else { return Ok(Sorted::Nothing) };
            let (session, recv) = (session_id(id)?, reader.into_inner());
            Ok(Sorted::Arrived(Arrival::OneWay { session, recv }))
        }
        KIND_PUSH => Err(HttpError::Rule(Code::STREAM_CREATION_ERROR)),
        _ if OWN_KINDS.contains(&kind) => {
            reader.read_ahead();
            Ok(Sorted::Own(kind, reader))
        }
        _ => {
            reader.stop(Code::STREAM_CREATION_ERROR);
            Ok(Sorted::Nothing)
        }
    }
}

/// Checks a session's id: the id of the stream on which a client requested it.
fn session_id(id: u64) -> Result<u64, HttpError> {
    if id.is_multiple_of(4) { Ok(id) } else { Err(HttpError::Rule(Code::ID_ERROR)) }
}

/// Reads the peer's settings: the first frame of its control stream.
async fn read_settings(mut reader: Reader) -> Result<Sorted, HttpError> {
    if critical(reader.varint().await)? != FRAME_SETTINGS {
        return Err(HttpError::Rule(Code::MISSING_SETTINGS));
    }
    let length = critical(reader.varint().await)?;
    if length > SETTINGS_BYTES_MAX {
        return Err(HttpError::Rule(Code::EXCESSIVE_LOAD));
    }
    let payload = reader.payload(length).await?;
    let theirs = PeerSettings::read(&payload).map_err(HttpError::Rule)?;
    Ok(Sorted::Settings(theirs, reader))
}

/// Checks the rest of the peer's control stream. Nothing there concerns a session, but it must
/// follow the rules.
async fn read_control(mut reader: Reader) -> Result<Sorted, HttpError> {
    let (mut going, mut pushes) = (u64::MAX, 0);
    loop {
        let (kind, length) = critical(reader.frame().await)?;
        match kind {
            FRAME_GOAWAY | FRAME_MAX_PUSH_ID if length <= VARINT_BYTES_MAX => {
                let payload = reader.payload(length).await?;
                let Some((id, [])) = split_varint(&payload) else { return Err(CUT) };
                let is_in_order = if kind == FRAME_GOAWAY { id <= going } else { id >= pushes };
                if !is_in_order {
                    return Err(HttpError::Rule(Code::ID_ERROR));
                }
                if kind == FRAME_GOAWAY { going = id } else { pushes = id }
            }
            FRAME_GOAWAY | FRAME_MAX_PUSH_ID => return Err(CUT),
            // There are no pushes that it could cancel.
            FRAME_CANCEL_PUSH => return Err(HttpError::Rule(Code::ID_ERROR)),
            _ => return Err(HttpError::Rule(Code::FRAME_UNEXPECTED)),
        }
    }
}

/// Checks the peer's encoder stream. The peer must keep no table; it may only say so (RFC 9204,
/// section 4.3).
async fn read_encoder(mut reader: Reader) -> Result<Sorted, HttpError> {
    while critical(reader.byte().await)? == CAPACITY_ZERO {}
    Err(HttpError::Rule(Code::ENCODER_STREAM_ERROR))
}

/// Checks the peer's decoder stream. Our sections use no table, so there is nothing to acknowledge:
/// a peer may only cancel a stream (RFC 9204, section 4.4).
async fn read_decoder(mut reader: Reader) -> Result<Sorted, HttpError> {
    loop {
        let first = critical(reader.byte().await)?;
        if first & 0xc0 != CANCELLED {
            return Err(HttpError::Rule(Code::DECODER_STREAM_ERROR));
        }
        let mut goes_on = first & 0x3f == 0x3f;
        while goes_on {
            goes_on = critical(reader.byte().await)? & 0x80 != 0;
        }
    }
}

/// Waits until the session's own stream ends, or closes the session.
async fn read_session(mut capsules: Capsules) -> Result<Sorted, HttpError> {
    let ending = match capsules.end().await {
        Ok(said) => Ending::Said(said),
        Err(HttpError::Stream) => Ending::Reset,
        Err(HttpError::Message(code)) => Ending::Malformed(code),
        Err(error) => return Err(error),
    };
    Ok(Sorted::Arrived(Arrival::Ended(ending, capsules)))
}

/// The result of reading a stream that must not end.
fn critical<T>(read: Result<Option<T>, HttpError>) -> Result<T, HttpError> {
    match read {
        Ok(Some(read)) => Ok(read),
        Ok(None) | Err(HttpError::Stream) => Err(CLOSED_CRITICAL),
        Err(error) => Err(error),
    }
}

/// The id of the session whose CONNECT a stream carries.
pub(super) fn session_of(id: StreamId) -> u64 {
    VarInt::from(id).into_inner()
}

impl From<ReadError> for HttpError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Reset(_) => HttpError::Stream,
            ReadError::Over => HttpError::Over,
        }
    }
}

impl From<WriteError> for HttpError {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Stopped(_) => HttpError::Stream,
            WriteError::Over => HttpError::Over,
        }
    }
}
