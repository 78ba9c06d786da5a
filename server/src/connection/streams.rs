//! The streams of one session: their identification, readers and writers.

use std::sync::Arc;

use tickwire_shared::Simulation;
use tickwire_shared::control::{CloseCode, STREAM_CHAT, STREAM_CONTROL};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use super::reliable::StreamKind;
use super::{ClientLink, ServerState, SessionEnd, chat, control};
use crate::transport::{RecvHalf, SendHalf, StreamOver};

/// The reading halves. They outlive [`serve`]: dropping one tells the client to stop sending, which
/// makes Firefox drop unread data of the other half, including the goodbye.
#[derive(Debug, Default)]
pub(super) struct Readers {
    control: Option<RecvHalf>,
    chat: Option<RecvHalf>,
}

/// Serves both streams until one of them decides how the session ends.
///
/// `permit` is given back after the hello.
pub(super) async fn serve<S: Simulation>(
    host: &Arc<ServerState<S>>,
    link: &Arc<ClientLink<S::Input>>,
    permit: super::Handshake,
    readers: &mut Readers,
) -> SessionEnd {
    let deadline = permit.deadline;
    let (control_opened, control_stream) = oneshot::channel();
    let (chat_opened, chat_stream) = oneshot::channel();
    let control = async {
        match control_stream.await {
            Ok(recv) => control::serve(host, link, readers.control.insert(recv), permit).await,
            Err(_) => std::future::pending().await,
        }
    };
    let chat = async {
        match chat_stream.await {
            Ok(recv) => chat::serve(&host.config, link, readers.chat.insert(recv)).await,
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        end = accept(link, control_opened, chat_opened, deadline) => end,
        end = control => end,
        end = chat => end,
    }
}

/// Accepts the two streams, each of which must identify itself within the deadline, and ends the
/// session if a third comes.
async fn accept<I: Send + 'static>(
    link: &Arc<ClientLink<I>>,
    control: oneshot::Sender<RecvHalf>,
    chat: oneshot::Sender<RecvHalf>,
    deadline: Instant,
) -> SessionEnd {
    let (mut control, mut chat) = (Some(control), Some(chat));
    while control.is_some() || chat.is_some() {
        let opened = timeout_at(deadline, open(link)).await;
        let (kind, send, recv) = match opened {
            Ok(Ok(stream)) => stream,
            Ok(Err(end)) => return end,
            Err(_) if control.is_some() => return CloseCode::HandshakeTimeout.into(),
            Err(_) => {
                let text = "the chat stream did not come in time; open it and send its first byte";
                return SessionEnd::new(CloseCode::HandshakeTimeout, text);
            }
        };
        let (name, reader) = match kind {
            STREAM_CONTROL => (StreamKind::Control, control.take()),
            STREAM_CHAT => (StreamKind::Chat, chat.take()),
            _ => (StreamKind::Control, None),
        };
        let Some(reader) = reader else { return CloseCode::UnexpectedStream.into() };
        link.reliable.open(name);
        tokio::spawn(write(Arc::clone(link), name, send));
        // Fails only if the session is over.
        let _ = reader.send(recv);
    }
    next_stream(link).await.map_or_else(|end| end, |_| CloseCode::UnexpectedStream.into())
}

/// Accepts the next stream and reads its first byte.
async fn open<I>(link: &ClientLink<I>) -> Result<(u8, SendHalf, RecvHalf), SessionEnd> {
    let (send, mut recv) = next_stream(link).await?;
    let mut kind = [0];
    match recv.read(&mut kind).await {
        Ok(Some(_)) => Ok((kind[0], send, recv)),
        // It ended, or was given up, before its first byte.
        Ok(None) | Err(StreamOver::GivenUp) => Err(CloseCode::UnexpectedStream.into()),
        Err(StreamOver::WithSession) => std::future::pending().await,
    }
}

async fn next_stream<I>(link: &ClientLink<I>) -> Result<(SendHalf, RecvHalf), SessionEnd> {
    tokio::select! {
        stream = link.session.accept_bi() => match stream {
            Some(stream) => Ok(stream),
            None => std::future::pending().await,
        },
        one_way = link.session.accept_uni() => match one_way {
            Some(()) => Err(CloseCode::UnexpectedStream.into()),
            None => std::future::pending().await,
        },
    }
}

async fn write<I: Send>(link: Arc<ClientLink<I>>, name: StreamKind, mut send: SendHalf) {
    let written = link.reliable.write(name, &mut send).await;
    link.end_if_failed(written);
}
