//! The streams of one connection, with their readers and writers.

use std::future::pending;
use std::sync::Arc;

use tickwire_shared::Simulation;
use tickwire_shared::control::{
    CloseCode, STREAM_CHAT, STREAM_CONTROL, STREAM_STATIC, STREAM_TOPICS,
};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use super::frames::FrameStream;
use super::reliable::{ReliableError, StreamKind};
use super::served::Served;
use super::topics::TopicsStream;
use super::{
    ClientLink, Handshake, ServerState, SessionEnd, SessionScope, chat, control, static_data,
};
use crate::transport::{RecvHalf, SendHalf, StreamOver, TransportSession};

/// One connection with the streams opened so far.
///
/// The reading halves outlive [`serve`]: dropping one tells the client to stop sending. Firefox
/// then drops unread data of the other half, the goodbye included.
#[derive(Debug)]
pub(crate) struct Streams {
    /// The connection's number: see [`Returns::number`](super::Returns::number).
    pub(super) number: u64,
    pub(super) transport: Arc<TransportSession>,
    /// Held until the hello.
    pub(super) handshake: Option<Handshake>,
    /// The deadline for both streams.
    deadline: Instant,
    opening: Opening,
    control: Reading,
    chat: Reading,
    static_data: OptionalStream<(FrameStream, SendHalf)>,
    topics: OptionalStream<TopicsStream>,
}

/// The streams not opened yet, and the writers of the others.
#[derive(Debug)]
struct Opening {
    /// A stream without its first byte yet.
    unnamed: Option<(SendHalf, RecvHalf)>,
    control: Option<oneshot::Sender<RecvHalf>>,
    chat: Option<oneshot::Sender<RecvHalf>>,
    static_data: Option<oneshot::Sender<(SendHalf, RecvHalf)>>,
    topics: Option<oneshot::Sender<(SendHalf, RecvHalf)>>,
    writers: Vec<(StreamKind, JoinHandle<SendHalf>)>,
    /// Writing halves handed over by another session, without a writer yet.
    unwritten: Vec<(StreamKind, SendHalf)>,
    /// It was handed over by another session: it may be lost, and the session go on.
    is_resumed: bool,
}

/// A stream that a client need not open.
#[derive(Debug)]
struct OptionalStream<T> {
    coming: oneshot::Receiver<(SendHalf, RecvHalf)>,
    opened: Option<T>,
}

/// The reading half of a stream, once opened.
#[derive(Debug)]
struct Reading {
    coming: Option<oneshot::Receiver<RecvHalf>>,
    frames: Option<FrameStream>,
}

impl Streams {
    pub(super) fn new(number: u64, transport: Arc<TransportSession>, handshake: Handshake) -> Self {
        let (control_opened, control) = Reading::new();
        let (chat_opened, chat) = Reading::new();
        let (static_opened, static_data) = OptionalStream::new();
        let (topics_opened, topics) = OptionalStream::new();
        let opening = Opening {
            unnamed: None,
            control: Some(control_opened),
            chat: Some(chat_opened),
            static_data: Some(static_opened),
            topics: Some(topics_opened),
            writers: Vec::new(),
            unwritten: Vec::new(),
            is_resumed: false,
        };
        let deadline = handshake.deadline;
        Streams {
            number,
            transport,
            handshake: Some(handshake),
            deadline,
            opening,
            control,
            chat,
            static_data,
            topics,
        }
    }

    /// Takes the writing halves from their writers, for another session.
    pub(super) async fn release<I>(mut self, link: &ClientLink<I>) -> Self {
        link.reliable.release();
        self.handshake = None;
        self.opening.is_resumed = true;
        for (name, writer) in self.opening.writers.drain(..) {
            if let Ok(send) = writer.await {
                self.opening.unwritten.push((name, send));
            }
        }
        self
    }

    /// Resumes writing after [`Streams::release`].
    pub(super) fn write_again<I: Send + 'static>(&mut self, link: &Arc<ClientLink<I>>) {
        link.reliable.hold_again();
        for (name, send) in std::mem::take(&mut self.opening.unwritten) {
            self.opening.write(link, name, send);
        }
    }

    /// Ends the writers of a lost connection; frames wait for the next one.
    pub(super) async fn end_writers<I>(&mut self, link: &ClientLink<I>) {
        link.reliable.release();
        for (_, writer) in self.opening.writers.drain(..) {
            let _ = writer.await;
        }
        link.reliable.hold_again();
    }
}

impl<T> OptionalStream<T> {
    fn new() -> (oneshot::Sender<(SendHalf, RecvHalf)>, Self) {
        let (sender, coming) = oneshot::channel();
        (sender, OptionalStream { coming, opened: None })
    }

    /// The stream as `make` makes it, once it is opened.
    async fn opened(&mut self, make: impl FnOnce((SendHalf, RecvHalf)) -> T) -> &mut T {
        if self.opened.is_none() {
            let Ok(halves) = (&mut self.coming).await else { return pending().await };
            self.opened = Some(make(halves));
        }
        match &mut self.opened {
            Some(opened) => opened,
            None => pending().await,
        }
    }
}

impl Reading {
    fn new() -> (oneshot::Sender<RecvHalf>, Self) {
        let (opened, coming) = oneshot::channel();
        (opened, Reading { coming: Some(coming), frames: None })
    }

    /// The frames, once the stream is open; `None` if the connection ends before.
    async fn frames(
        &mut self,
        transport: &TransportSession,
        time_max: std::time::Duration,
    ) -> Option<&mut FrameStream> {
        if let Some(coming) = &mut self.coming {
            let recv = tokio::select! {
                biased;
                recv = coming => recv.ok()?,
                _ = transport.closed() => return None,
            };
            self.coming = None;
            self.frames = Some(FrameStream::new(recv, time_max));
        }
        self.frames.as_mut()
    }
}

/// Serves the streams until the session or the connection is over. Completes requests already
/// begun, even on a lost connection.
pub(super) async fn serve<S: Simulation>(
    host: &Arc<ServerState<S>>,
    link: &Arc<ClientLink<S::Input>>,
    session: &mut SessionScope<S>,
    streams: &mut Streams,
) -> Served {
    let Streams {
        transport, handshake, deadline, opening, control, chat, static_data, topics, ..
    } = streams;
    let (connection, transport) = (&*transport, &**transport);
    let idle = host.config.idle_time();
    let accept = accept(link, transport, opening, *deadline);
    let control = async {
        match control.frames(transport, idle).await {
            Some(frames) => {
                control::serve(host, link, session, (transport, frames), handshake).await
            }
            None => Served::Lost,
        }
    };
    let chat = async {
        match chat.frames(transport, idle).await {
            Some(frames) => chat::serve(host, link, transport, frames).await,
            None => Served::Lost,
        }
    };
    let static_data = async {
        let frames = |recv| FrameStream::new(recv, idle);
        let (frames, send) = static_data.opened(|(send, recv)| (frames(recv), send)).await;
        let end = static_data::serve(host, link, (frames, send)).await;
        if transport.is_closing() { pending().await } else { end }
    };
    let topics = async {
        let topics = topics.opened(|halves| TopicsStream::new(host, halves)).await;
        let end = topics.serve(host, link, connection).await;
        if transport.is_closing() { pending().await } else { end }
    };
    tokio::pin!(accept, control, chat, static_data, topics);
    let (mut control_lost, mut chat_lost) = (false, false);
    while !(control_lost && chat_lost) {
        let served = tokio::select! {
            biased;
            end = &mut accept => return Served::Over(end),
            end = &mut static_data => return Served::Over(end),
            end = &mut topics => return Served::Over(end),
            served = &mut control, if !control_lost => {
                control_lost = true;
                served
            }
            served = &mut chat, if !chat_lost => {
                chat_lost = true;
                served
            }
        };
        if !matches!(served, Served::Lost) {
            return served;
        }
    }
    Served::Lost
}

/// Accepts the two streams, each of which must identify itself within the deadline, and then the
/// static and the topics stream, if the client opens them. Any other stream ends the session.
async fn accept<I: Send + 'static>(
    link: &Arc<ClientLink<I>>,
    transport: &TransportSession,
    opening: &mut Opening,
    deadline: Instant,
) -> SessionEnd {
    for (name, send) in std::mem::take(&mut opening.unwritten) {
        opening.write(link, name, send);
    }
    while opening.control.is_some() || opening.chat.is_some() {
        let opened = timeout_at(deadline, opening.open(transport)).await;
        let (kind, send, recv) = match opened {
            Ok(Ok(stream)) => stream,
            Ok(Err(end)) => return end,
            Err(_) if opening.control.is_some() => return CloseCode::HandshakeTimeout.into(),
            Err(_) => {
                let text = "the chat stream did not come in time; open it and send its first byte";
                if opening.is_resumed {
                    transport.close(CloseCode::ConnectionLost, text);
                    return pending().await;
                }
                return SessionEnd::new(CloseCode::HandshakeTimeout, text);
            }
        };
        let (name, reader) = match kind {
            STREAM_CONTROL => (StreamKind::Control, opening.control.take()),
            STREAM_CHAT => (StreamKind::Chat, opening.chat.take()),
            _ => (StreamKind::Control, None),
        };
        let Some(reader) = reader else { return CloseCode::UnexpectedStream.into() };
        opening.write(link, name, send);
        // Its reader is gone only if the session is over.
        let _ = reader.send(recv);
    }
    while opening.static_data.is_some() || opening.topics.is_some() {
        let (kind, send, recv) = match opening.open(transport).await {
            Ok(stream) => stream,
            Err(end) => return end,
        };
        let opened = match kind {
            STREAM_STATIC => opening.static_data.take(),
            STREAM_TOPICS => opening.topics.take(),
            _ => None,
        };
        let Some(opened) = opened else { return CloseCode::UnexpectedStream.into() };
        // Who serves it is gone only if the session is over.
        let _ = opened.send((send, recv));
    }
    next_stream(transport).await.map_or_else(|end| end, |_| CloseCode::UnexpectedStream.into())
}

impl Opening {
    /// The next stream and its first byte. Loses nothing if dropped while waiting.
    async fn open(
        &mut self,
        transport: &TransportSession,
    ) -> Result<(u8, SendHalf, RecvHalf), SessionEnd> {
        if self.unnamed.is_none() {
            self.unnamed = Some(next_stream(transport).await?);
        }
        let mut kind = [0];
        let read = match &mut self.unnamed {
            Some((_, recv)) => recv.read(&mut kind).await,
            None => Err(StreamOver::WithSession),
        };
        match (read, self.unnamed.take()) {
            (Ok(Some(_)), Some((send, recv))) => Ok((kind[0], send, recv)),
            // It ended, or was given up, without its first byte.
            (Ok(_) | Err(StreamOver::GivenUp), _) => Err(CloseCode::UnexpectedStream.into()),
            (Err(StreamOver::WithSession), _) => pending().await,
        }
    }

    /// Starts the writer of a stream.
    fn write<I: Send + 'static>(
        &mut self,
        link: &Arc<ClientLink<I>>,
        name: StreamKind,
        send: SendHalf,
    ) {
        link.reliable.open(name);
        self.writers.push((name, tokio::spawn(write(Arc::clone(link), name, send))));
    }
}

async fn next_stream(transport: &TransportSession) -> Result<(SendHalf, RecvHalf), SessionEnd> {
    tokio::select! {
        biased;
        stream = transport.accept_bi() => match stream {
            Some(stream) => Ok(stream),
            None => pending().await,
        },
        one_way = transport.accept_uni() => match one_way {
            Some(()) => Err(CloseCode::UnexpectedStream.into()),
            None => pending().await,
        },
    }
}

async fn write<I: Send>(
    link: Arc<ClientLink<I>>,
    name: StreamKind,
    mut send: SendHalf,
) -> SendHalf {
    let written = link.reliable.write(name, &mut send).await;
    // A browser gives its streams up when this side closes the connection.
    if !(matches!(written, Err(ReliableError::GivenUp)) && link.transport().is_closing()) {
        link.end_if_failed(written);
    }
    send
}
