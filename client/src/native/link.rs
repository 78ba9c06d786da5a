//! One connection: its tasks carry bytes between the transport and the session.

mod quic;
mod socket;
mod websocket;

use std::time::{Duration, Instant};

use bytes::Bytes;
use tickwire_shared::control::CloseCode;
use tokio::sync::mpsc;

use super::ConnectError;
use super::target::{Target, Transport};
use super::trust::Trust;
use crate::session::WireStats;
use quic::Quic;
use websocket::WebSocketLink;

/// Capacity of the queue of arrivals. When it is full, the stream readers wait and datagrams are
/// dropped.
const INCOMING_MAX: usize = 1024;
/// Capacity of a stream's write queue. When it is full, the server is not reading: the connection
/// is closed.
const OUTGOING_MAX: usize = 256;

/// An arrival.
#[derive(Debug)]
pub(super) enum Incoming {
    Datagram(Bytes),
    Control(Bytes),
    Chat(Bytes),
    Static(Bytes),
    Topics(Bytes),
    Closed { code: CloseCode, text: String },
}

/// The queue of arrivals, each with its time.
type Arrivals = mpsc::Sender<(Instant, Incoming)>;

/// Bytes to write to the streams, each from its first byte on. The first bytes of the static and of the topics
/// stream open it.
struct Queues {
    control: mpsc::Receiver<Vec<u8>>,
    chat: mpsc::Receiver<Vec<u8>>,
    static_data: mpsc::Receiver<Vec<u8>>,
    topics: mpsc::Receiver<Vec<u8>>,
}

/// An open connection with its two streams.
#[derive(Debug)]
pub(super) struct Link {
    transport: Transport,
    carrier: Carrier,
    incoming: mpsc::Receiver<(Instant, Incoming)>,
    /// The first of them, where somebody waited for it.
    first: Option<(Instant, Incoming)>,
    control: mpsc::Sender<Vec<u8>>,
    chat: mpsc::Sender<Vec<u8>>,
    static_data: mpsc::Sender<Vec<u8>>,
    topics: mpsc::Sender<Vec<u8>>,
}

#[derive(Debug)]
enum Carrier {
    Quic(Quic),
    WebSocket(WebSocketLink),
}

impl Link {
    pub(super) async fn open(target: &Target, trust: &Trust) -> Result<Link, ConnectError> {
        let (arrivals, incoming) = mpsc::channel(INCOMING_MAX);
        let (control, control_queue) = mpsc::channel(OUTGOING_MAX);
        let (chat, chat_queue) = mpsc::channel(OUTGOING_MAX);
        let (static_data, static_queue) = mpsc::channel(OUTGOING_MAX);
        let (topics, topics_queue) = mpsc::channel(OUTGOING_MAX);
        let queues = Queues {
            control: control_queue,
            chat: chat_queue,
            static_data: static_queue,
            topics: topics_queue,
        };
        let carrier = match target.transport {
            Transport::Quic | Transport::WebTransport => {
                Carrier::Quic(Quic::open(target, trust, queues, arrivals).await?)
            }
            Transport::WebSocket => {
                Carrier::WebSocket(WebSocketLink::open(target, trust, queues, arrivals).await?)
            }
        };
        let transport = target.transport;
        Ok(Link { transport, carrier, incoming, first: None, control, chat, static_data, topics })
    }

    pub(super) fn transport(&self) -> Transport {
        self.transport
    }

    pub(super) fn wire(&self) -> WireStats {
        match &self.carrier {
            Carrier::Quic(quic) => quic.wire(),
            Carrier::WebSocket(socket) => socket.wire(),
        }
    }

    /// The next arrival, if any.
    pub(super) fn poll(&mut self) -> Option<(Instant, Incoming)> {
        self.first.take().or_else(|| self.incoming.try_recv().ok())
    }

    /// Waits until there is an arrival to poll; for ever if none can come. Loses nothing if it is dropped while it waits.
    pub(super) async fn arrived(&mut self) {
        if self.first.is_none() {
            self.first = self.incoming.recv().await;
        }
        if self.first.is_none() {
            std::future::pending::<()>().await;
        }
    }

    /// Waits for the next arrival.
    pub(super) async fn next(&mut self) -> (Instant, Incoming) {
        if let Some(first) = self.first.take() {
            return first;
        }
        match self.incoming.recv().await {
            Some(next) => next,
            None => {
                let closed = Incoming::Closed { code: CloseCode::Normal, text: String::new() };
                (Instant::now(), closed)
            }
        }
    }

    pub(super) fn send_control(&self, bytes: Vec<u8>) {
        self.send_stream(&self.control, bytes);
    }

    pub(super) fn send_chat(&self, bytes: Vec<u8>) {
        self.send_stream(&self.chat, bytes);
    }

    pub(super) fn send_static(&self, bytes: Vec<u8>) {
        self.send_stream(&self.static_data, bytes);
    }

    pub(super) fn send_topics(&self, bytes: Vec<u8>) {
        self.send_stream(&self.topics, bytes);
    }

    fn send_stream(&self, stream: &mpsc::Sender<Vec<u8>>, bytes: Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        // A writer that is gone means that the connection is gone, which `incoming` reports.
        if let Err(mpsc::error::TrySendError::Full(_)) = stream.try_send(bytes) {
            self.close(CloseCode::TooSlow, "the server does not read; connect again");
        }
    }

    /// Sends a datagram, or drops it if the path cannot carry it: the next one repeats what
    /// matters.
    pub(super) fn send_datagram(&self, datagram: Vec<u8>) {
        match &self.carrier {
            Carrier::Quic(quic) => quic.send_datagram(datagram),
            Carrier::WebSocket(socket) => socket.send_datagram(datagram),
        }
    }

    pub(super) fn close(&self, code: CloseCode, text: &str) {
        match &self.carrier {
            Carrier::Quic(quic) => quic.close(code, text),
            Carrier::WebSocket(socket) => socket.close(code, text),
        }
    }

    /// Waits at most a second for the server to close, then closes.
    pub(super) async fn finish(&mut self) {
        let closed = async {
            match &self.carrier {
                Carrier::Quic(quic) => quic.closed().await,
                Carrier::WebSocket(socket) => socket.closed().await,
            }
        };
        if tokio::time::timeout(Duration::from_secs(1), closed).await.is_err() {
            self.close(CloseCode::Normal, CloseCode::Normal.text());
        }
    }
}

fn unreachable(target: &Target, error: &dyn std::error::Error) -> ConnectError {
    ConnectError::Unreachable { target: target.given.clone(), reason: error.to_string() }
}
