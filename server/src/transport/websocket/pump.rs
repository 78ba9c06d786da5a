//! The task that moves the bytes of one WebSocket.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use tickwire_shared::control::CloseCode;
use tickwire_shared::websocket::{LANE_DATAGRAM, close_number};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::Notify;
use tokio::sync::mpsc::Receiver;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::channels::{ChannelInputs, ChannelMessage};
use super::idle::{IdleTimer, TimedOut};
use super::intake::{Intake, Unfinished};
use super::pace::Pace;
use super::{UpgradedStream, WebSocketShared};
use crate::config::ServerConfig;
use crate::transport::Closed;
use crate::transport::driver::DatagramSink;

pub(super) type WebSocketConnection = WebSocketStream<Intake<Box<dyn UpgradedStream>>>;

/// Reads and writes one WebSocket until it is closed.
pub(super) struct Pump {
    shared: Arc<WebSocketShared>,
    pace: Mutex<Pace>,
    /// A ping was answered.
    answered: Notify,
    unfinished: Unfinished,
    idle_time: Duration,
    keep_alive_time: Duration,
    goodbye_time: Duration,
}

/// The pump's connections to the rest of the session.
pub(super) struct PumpEnds {
    /// Messages to write.
    pub(super) pieces: Receiver<ChannelMessage>,
    /// Receives the streams' bytes.
    pub(super) incoming: ChannelInputs,
    /// Brings sinks of datagrams, the newest last.
    pub(super) sinks: Receiver<Box<dyn DatagramSink>>,
}

impl Pump {
    pub(super) fn new(
        shared: Arc<WebSocketShared>,
        unfinished: Unfinished,
        limits: &ServerConfig,
    ) -> Self {
        let millis = |ms: u32| Duration::from_millis(u64::from(ms));
        let unconfirmed_time = millis(limits.websocket_unconfirmed_ms);
        Pump {
            shared,
            pace: Mutex::new(Pace::new(unconfirmed_time, Instant::now())),
            answered: Notify::new(),
            unfinished,
            idle_time: millis(limits.idle_ms),
            keep_alive_time: millis(limits.keep_alive_ms),
            goodbye_time: limits.goodbye_time(),
        }
    }

    /// Runs until this side has closed as asked, or can write no more.
    pub(super) async fn run(self, socket: WebSocketConnection, ends: PumpEnds) {
        let (mut writer, mut reader) = socket.split();
        let PumpEnds { mut pieces, incoming, sinks } = ends;
        let overtime = async {
            self.shared.close_asked().await;
            tokio::time::sleep(self.goodbye_time).await;
        };
        {
            let reading = async {
                let why = self.read(&mut reader, incoming, sinks).await;
                self.shared.end(why);
                std::future::pending::<()>().await;
            };
            tokio::pin!(reading);
            tokio::select! {
                written = self.write(&mut writer, &mut pieces) => if written.is_err() {
                    // If the peer closed and went, writing may fail before its close is read.
                    let closed = async { tokio::select! {
                        () = &mut reading => {}
                        () = self.shared.is_over() => {}
                    } };
                    let _ = tokio::time::timeout(self.goodbye_time, closed).await;
                },
                () = &mut reading => {}
                () = overtime => {}
            }
        }
        // Waiting writers learn that nothing more is written.
        drop(pieces);
        self.shared.end(Closed::lost("the connection failed"));
        if let Ok(socket) = writer.reunite(reader) {
            let _ = tokio::time::timeout(self.goodbye_time, hang_up(socket)).await;
        }
        self.shared.gone.send_replace(true);
    }

    /// Writes what waits, the most important first, until it has written this side's close.
    async fn write(
        &self,
        writer: &mut SplitSink<WebSocketConnection, Message>,
        pieces: &mut Receiver<ChannelMessage>,
    ) -> Result<(), Error> {
        loop {
            let may_send = self.pace().allows(Instant::now());
            tokio::select! {
                biased;
                frame = self.shared.close_asked() => {
                    return writer.send(Message::Close(Some(frame))).await;
                }
                Some(piece) = pieces.recv() => {
                    writer.send(Message::Binary(piece.message)).await?;
                    // Fails only if the session is over.
                    let _ = piece.written.send(());
                }
                datagram = self.shared.newest(), if may_send => {
                    writer.feed(Message::Binary(datagram)).await?;
                    let ping = self.pace().ping_behind_datagram(Instant::now());
                    if let Some(payload) = ping {
                        writer.feed(ping_of(payload)).await?;
                    }
                    writer.flush().await?;
                }
                () = self.answered.notified() => {}
                () = tokio::time::sleep(self.keep_alive_time) => {
                    let ping = self.pace().ping_after(self.keep_alive_time, Instant::now());
                    if let Some(payload) = ping {
                        writer.send(ping_of(payload)).await?;
                    }
                }
            }
        }
    }

    /// Reads until nothing more comes, or something forbidden. Returns the reason.
    async fn read(
        &self,
        reader: &mut SplitStream<WebSocketConnection>,
        mut incoming: ChannelInputs,
        mut sinks: Receiver<Box<dyn DatagramSink>>,
    ) -> Closed {
        let Some(mut sink) = sinks.recv().await else {
            return Closed::lost("nobody takes the datagrams");
        };
        let mut idle = IdleTimer::new(self.idle_time);
        loop {
            let message = match self.next_message(reader, &mut idle).await {
                Ok(message) => message,
                Err(closed) => return closed,
            };
            while let Ok(newer) = sinks.try_recv() {
                sink = newer;
            }
            match message {
                Message::Binary(message) => match message.first() {
                    Some(&LANE_DATAGRAM) => sink.take(message.slice(1..), Instant::now()),
                    Some(&lane) => {
                        if let Err(closed) = incoming.pass_on(lane, &message[1..]).await {
                            return closed;
                        }
                    }
                    None => return malformed("an empty WebSocket message names no lane"),
                },
                Message::Text(_) => return malformed("WebSocket messages here are binary"),
                Message::Pong(payload) => {
                    self.pace().pong(&payload);
                    self.answered.notify_one();
                }
                Message::Close(frame) => {
                    let closed = closed_with(frame);
                    self.shared.end(closed.clone());
                    // Reading on sends the answer.
                    let _ = reader.next().await;
                    return closed;
                }
                // The socket answers pings itself and never returns raw frames.
                Message::Ping(_) | Message::Frame(_) => {}
            }
        }
    }

    /// The next message, or the reason why none follows.
    async fn next_message(
        &self,
        reader: &mut SplitStream<WebSocketConnection>,
        idle: &mut IdleTimer,
    ) -> Result<Message, Closed> {
        loop {
            let began = Instant::now();
            let next = tokio::time::timeout(idle.look(), reader.next()).await;
            idle.looked(began.elapsed(), next.is_ok(), self.unfinished.number()).map_err(
                |why| match why {
                    TimedOut::Silence => Closed::lost("the peer has been silent for too long"),
                    TimedOut::Message => malformed("a WebSocket message did not end in time"),
                },
            )?;
            match next {
                Ok(Some(Ok(message))) => return Ok(message),
                Ok(Some(Err(error))) => return Err(closed_by(&error)),
                Ok(None) => return Err(Closed::lost("the connection ended")),
                Err(_) => {}
            }
        }
    }

    fn pace(&self) -> MutexGuard<'_, Pace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl WebSocketShared {
    /// Waits for the newest datagram and takes it. Safe to drop while waiting.
    async fn newest(&self) -> Bytes {
        loop {
            let came = self.newest_came.notified();
            if let Some(datagram) = self.take_newest() {
                return datagram;
            }
            came.await;
        }
    }
}

/// Shuts down writing and waits until the peer has ended as well. Closing with the peer's data
/// unread would make the system discard what the peer has not read yet.
async fn hang_up(socket: WebSocketConnection) {
    let mut wire = socket.into_inner();
    if wire.shutdown().await.is_err() {
        return;
    }
    let mut unread = [0; 4096];
    while wire.read(&mut unread).await.is_ok_and(|count| count > 0) {}
}

/// The close for a WebSocket that cannot be read.
fn closed_by(error: &Error) -> Closed {
    use tokio_tungstenite::tungstenite::error::ProtocolError::ResetWithoutClosingHandshake;
    match error {
        Error::Capacity(_) => {
            let text = format!("{error}; send less at once");
            Closed { code: CloseCode::FrameTooLarge, text }
        }
        Error::Protocol(ResetWithoutClosingHandshake) => Closed::lost("the connection ended"),
        Error::Protocol(_) | Error::Utf8(_) => malformed(&error.to_string()),
        other => Closed::lost(&other.to_string()),
    }
}

/// What a client's close says: that it goes, unless it names a lost connection.
fn closed_with(frame: Option<CloseFrame>) -> Closed {
    let lost = close_number(CloseCode::ConnectionLost);
    let is_lost = frame.as_ref().is_some_and(|frame| u16::from(frame.code) == lost);
    let code = if is_lost { CloseCode::ConnectionLost } else { CloseCode::Normal };
    let text = frame.map(|frame| frame.reason.to_string()).unwrap_or_default();
    Closed { code, text }
}

fn malformed(what: &str) -> Closed {
    Closed { code: CloseCode::MalformedFrame, text: format!("{what}; update the client") }
}

fn ping_of(payload: [u8; 8]) -> Message {
    Message::Ping(Bytes::copy_from_slice(&payload))
}
