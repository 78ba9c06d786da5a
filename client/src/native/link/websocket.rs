//! A WebSocket: both streams and the datagrams in one TCP connection.
//! [`tickwire_shared::websocket`] shows its lanes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use rustls::pki_types::ServerName;
use tickwire_shared::control::{
    CloseCode, STREAM_CHAT, STREAM_CONTROL, STREAM_STATIC, STREAM_TOPICS,
};
use tickwire_shared::websocket::{self, LANE_DATAGRAM, MESSAGE_BYTES_MAX};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::{Arrivals, Incoming, Queues, unreachable};
use crate::native::ConnectError;
use crate::native::target::Target;
use crate::native::trust::{Trust, client_tls};
use crate::session::WireStats;

/// Silence after which the connection counts as lost; a server pings every few seconds.
const IDLE_TIME: Duration = Duration::from_secs(15);
/// Time that a server has to end a closed connection.
const CLOSE_TIME: Duration = Duration::from_secs(1);
/// Bytes of a stream in one message, at most.
const PIECE_BYTES_MAX: usize = 16 * 1024;
/// Bytes of one read.
const READ_BYTES: usize = 16 * 1024;

type ClientWebSocket = WebSocketStream<Box<dyn RawStream>>;

/// A TCP connection, with or without TLS.
trait RawStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> RawStream for T {}

/// A connection that one task reads and writes.
#[derive(Debug)]
pub(super) struct WebSocketLink {
    /// The newest datagram; it replaces one that was not sent yet, which is obsolete.
    datagram: watch::Sender<Vec<u8>>,
    closing: watch::Sender<Option<(CloseCode, String)>>,
    over: watch::Receiver<bool>,
    counts: Arc<MessageCounts>,
}

/// Messages and their bytes, in both directions.
#[derive(Debug, Default)]
struct MessageCounts {
    messages_in: AtomicU64,
    bytes_in: AtomicU64,
    messages_out: AtomicU64,
    bytes_out: AtomicU64,
}

impl WebSocketLink {
    pub(super) async fn open(
        target: &Target,
        trust: &Trust,
        queues: Queues,
        arrivals: Arrivals,
    ) -> Result<WebSocketLink, ConnectError> {
        let (writer, reader) = connect(target, trust).await?.split();
        let (datagram, datagrams) = watch::channel(Vec::new());
        let (closing, close_asked) = watch::channel(None);
        let (ended, over) = watch::channel(false);
        let counts = Arc::new(MessageCounts::default());
        let writing = Writer { writer, datagrams, close_asked, counts: Arc::clone(&counts) };
        let counted = Arc::clone(&counts);
        tokio::spawn(async move {
            let mut reading = std::pin::pin!(read(reader, &arrivals, &counted));
            let why = tokio::select! {
                why = &mut reading => why,
                // The connection closed, or writing failed: the reader ends by itself.
                () = writing.run(queues) => {
                    let end = tokio::time::timeout(CLOSE_TIME, reading).await;
                    end.unwrap_or_else(|_| closed(CloseCode::Normal, String::new()))
                }
            };
            ended.send_replace(true);
            // Fails if the caller is gone, which needs no report.
            let _ = arrivals.send((Instant::now(), why)).await;
        });
        Ok(WebSocketLink { datagram, closing, over, counts })
    }

    pub(super) fn wire(&self) -> WireStats {
        let get = |count: &AtomicU64| count.load(Ordering::Relaxed);
        WireStats {
            datagrams_in: get(&self.counts.messages_in),
            bytes_in: get(&self.counts.bytes_in),
            datagrams_out: get(&self.counts.messages_out),
            bytes_out: get(&self.counts.bytes_out),
        }
    }

    pub(super) fn send_datagram(&self, datagram: Vec<u8>) {
        self.datagram.send_replace(datagram);
    }

    pub(super) fn close(&self, code: CloseCode, text: &str) {
        self.closing.send_replace(Some((code, text.to_owned())));
    }

    /// Waits until either side has closed.
    pub(super) async fn closed(&self) {
        let mut over = self.over.clone();
        // An error means the same: the connection is closed.
        let _ = over.wait_for(|over| *over).await;
    }
}

async fn connect(target: &Target, trust: &Trust) -> Result<ClientWebSocket, ConnectError> {
    let stream = TcpStream::connect((target.host.as_str(), target.port)).await;
    let stream = stream.map_err(|error| unreachable(target, &error))?;
    let local = |error: std::io::Error| ConnectError::Local(error.to_string());
    stream.set_nodelay(true).map_err(local)?;
    let address = stream.peer_addr().map_err(local)?;
    let wire: Box<dyn RawStream> = if target.tls {
        let name = ServerName::try_from(target.host.clone())
            .map_err(|error| unreachable(target, &error))?;
        let tls = client_tls(trust, address, b"http/1.1")?;
        let connected = TlsConnector::from(Arc::new(tls)).connect(name, stream).await;
        Box::new(connected.map_err(|error| unreachable(target, &error))?)
    } else {
        Box::new(stream)
    };
    let host =
        if target.host.contains(':') { format!("[{}]", target.host) } else { target.host.clone() };
    let scheme = if target.tls { "wss" } else { "ws" };
    let url = format!("{scheme}://{host}:{}{}", target.port, target.path);
    let config = WebSocketConfig::default()
        .max_message_size(Some(MESSAGE_BYTES_MAX))
        .max_frame_size(Some(MESSAGE_BYTES_MAX))
        .read_buffer_size(READ_BYTES)
        .write_buffer_size(0)
        .max_write_buffer_size(2 * MESSAGE_BYTES_MAX);
    let connected = client_async_with_config(url, wire, Some(config)).await;
    let (socket, _) = connected.map_err(|error| unreachable(target, &error))?;
    Ok(socket)
}

/// The writing half.
struct Writer {
    writer: SplitSink<ClientWebSocket, Message>,
    datagrams: watch::Receiver<Vec<u8>>,
    close_asked: watch::Receiver<Option<(CloseCode, String)>>,
    counts: Arc<MessageCounts>,
}

impl Writer {
    /// Writes what is queued until it should close, or until all senders are gone.
    async fn run(mut self, queues: Queues) {
        let Queues { mut control, mut chat, mut static_data, mut topics } = queues;
        let (mut control_began, mut chat_began) = (false, false);
        let (mut static_began, mut topics_began) = (false, false);
        loop {
            let sent = tokio::select! {
                biased;
                _ = self.close_asked.changed() => return self.close().await,
                bytes = next(&mut control) => {
                    self.send_stream(STREAM_CONTROL, &mut control_began, &bytes).await
                }
                bytes = next(&mut chat) => {
                    self.send_stream(STREAM_CHAT, &mut chat_began, &bytes).await
                }
                bytes = next(&mut static_data) => {
                    self.send_stream(STREAM_STATIC, &mut static_began, &bytes).await
                }
                bytes = next(&mut topics) => {
                    self.send_stream(STREAM_TOPICS, &mut topics_began, &bytes).await
                }
                Ok(()) = self.datagrams.changed() => {
                    let datagram = self.datagrams.borrow_and_update().clone();
                    self.send([&[LANE_DATAGRAM], &datagram[..]].concat()).await
                }
            };
            // The reader finds the reason.
            if sent.is_err() {
                return;
            }
        }
    }

    /// Sends bytes of a stream. The stream's first byte is its lane; later messages repeat it.
    async fn send_stream(&mut self, lane: u8, began: &mut bool, bytes: &[u8]) -> Result<(), Error> {
        for part in bytes.chunks(PIECE_BYTES_MAX) {
            let prefix = if *began { &[lane][..] } else { &[] };
            *began = true;
            self.send([prefix, part].concat()).await?;
        }
        Ok(())
    }

    async fn send(&mut self, message: Vec<u8>) -> Result<(), Error> {
        self.counts.messages_out.fetch_add(1, Ordering::Relaxed);
        self.counts.bytes_out.fetch_add(message.len() as u64, Ordering::Relaxed);
        self.writer.send(Message::binary(message)).await
    }

    async fn close(&mut self) {
        let asked = self.close_asked.borrow().clone();
        let (code, text) = asked.unwrap_or((CloseCode::Normal, String::new()));
        let reason = websocket::close_text(&text).into();
        let frame = CloseFrame { code: websocket::close_number(code).into(), reason };
        // Fails only if the connection is already gone.
        let _ = self.writer.send(Message::Close(Some(frame))).await;
    }
}

/// The next bytes of a queue; never returns once the queue is closed.
async fn next(queue: &mut mpsc::Receiver<Vec<u8>>) -> Vec<u8> {
    match queue.recv().await {
        Some(bytes) => bytes,
        None => std::future::pending().await,
    }
}

/// Distributes messages until the connection ends. Returns the reason.
async fn read(
    mut reader: SplitStream<ClientWebSocket>,
    arrivals: &Arrivals,
    counts: &MessageCounts,
) -> Incoming {
    loop {
        let message = match tokio::time::timeout(IDLE_TIME, reader.next()).await {
            Ok(Some(Ok(message))) => message,
            _ => return closed(CloseCode::ConnectionLost, String::new()),
        };
        let message = match message {
            Message::Binary(message) => message,
            Message::Close(frame) => {
                // Reading once more answers the close and waits for the server to end the
                // connection.
                let _ = tokio::time::timeout(CLOSE_TIME, reader.next()).await;
                return closed_by(frame);
            }
            // The socket answers pings itself; other messages come only from a server that breaks
            // the protocol.
            _ if arrivals.is_closed() => return closed(CloseCode::Normal, String::new()),
            Message::Text(_) => return misbehaved(),
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => continue,
        };
        counts.messages_in.fetch_add(1, Ordering::Relaxed);
        counts.bytes_in.fetch_add(message.len() as u64, Ordering::Relaxed);
        let Some(&lane) = message.first() else { return misbehaved() };
        let bytes = message.slice(1..);
        let passed_on = match lane {
            LANE_DATAGRAM => {
                // If the caller does not keep up, the newest is lost; the statistics show it as
                // lost snapshots.
                let _ = arrivals.try_send((Instant::now(), Incoming::Datagram(bytes)));
                !arrivals.is_closed()
            }
            STREAM_CONTROL => pass_on(arrivals, Incoming::Control(bytes)).await,
            STREAM_CHAT => pass_on(arrivals, Incoming::Chat(bytes)).await,
            STREAM_STATIC => pass_on(arrivals, Incoming::Static(bytes)).await,
            STREAM_TOPICS => pass_on(arrivals, Incoming::Topics(bytes)).await,
            _ => return misbehaved(),
        };
        if !passed_on {
            return closed(CloseCode::Normal, String::new());
        }
    }
}

/// Returns true while the caller is still there to receive.
async fn pass_on(arrivals: &Arrivals, incoming: Incoming) -> bool {
    arrivals.send((Instant::now(), incoming)).await.is_ok()
}

fn closed(code: CloseCode, text: String) -> Incoming {
    Incoming::Closed { code, text }
}

fn closed_by(frame: Option<CloseFrame>) -> Incoming {
    let Some(frame) = frame else { return closed(CloseCode::ConnectionLost, String::new()) };
    let code = websocket::close_code(frame.code.into()).unwrap_or(CloseCode::ConnectionLost);
    closed(code, frame.reason.to_string())
}

fn misbehaved() -> Incoming {
    let code = CloseCode::ServerMisbehaved;
    closed(code, code.text().to_owned())
}
