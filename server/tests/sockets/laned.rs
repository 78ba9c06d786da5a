//! A client's WebSocket with bare `tokio-tungstenite`, and its lanes separated.

use std::collections::HashMap;
use std::sync::Mutex;

use futures_util::{SinkExt as _, StreamExt as _};
use tickwire_shared::control::{STREAM_CHAT, STREAM_CONTROL, STREAM_TOPICS};
use tickwire_shared::websocket::LANE_DATAGRAM;
use tokio::io::{
    AsyncReadExt as _, AsyncWriteExt as _, ReadHalf, SimplexStream, WriteHalf, simplex,
};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::harness::{Running, soon};

/// A WebSocket with a task that sorts its messages.
pub(crate) struct Laned {
    out: mpsc::Sender<Message>,
    lanes: Mutex<HashMap<u8, ReadHalf<SimplexStream>>>,
    datagrams: tokio::sync::Mutex<mpsc::Receiver<Vec<u8>>>,
    closed: watch::Receiver<Option<(u16, String)>>,
    /// While this is set, nothing is read from the socket.
    pub(crate) deaf: watch::Sender<bool>,
}

/// Requests a WebSocket, with an origin if given.
pub(crate) async fn connect_socket(
    server: &Running,
    origin: Option<&str>,
) -> Result<WebSocketStream<TcpStream>, Error> {
    let url = format!("ws://localhost:{}/ws", server.http.port());
    let mut request = url.into_client_request()?;
    if let Some(origin) = origin {
        request.headers_mut().insert("origin", origin.parse().unwrap());
    }
    let stream = TcpStream::connect(server.http).await?;
    let (socket, _) = soon("a WebSocket", client_async(request, stream)).await?;
    Ok(socket)
}

impl Laned {
    pub(crate) fn on(socket: WebSocketStream<TcpStream>) -> Laned {
        let (mut writer, mut reader) = socket.split();
        let (out, mut queue) = mpsc::channel(64);
        let (datagram_came, datagrams) = mpsc::channel(4096);
        let (told, closed) = watch::channel(None);
        let (deaf, mut deafness) = watch::channel(false);
        let (mut lanes, mut pipes) = (HashMap::new(), HashMap::new());
        for lane in [STREAM_CONTROL, STREAM_CHAT, STREAM_TOPICS] {
            let (recv, pipe) = simplex(1 << 20);
            lanes.insert(lane, recv);
            pipes.insert(lane, pipe);
        }
        let mut dropped = deafness.clone();
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    Some(message) = queue.recv() => {
                        if writer.send(message).await.is_err() {
                            return;
                        }
                    }
                    () = async { while dropped.changed().await.is_ok() {} } => break,
                }
            }
            let _ = writer.close().await;
        });
        tokio::spawn(async move {
            while let Some(Ok(message)) = reader.next().await {
                let _ = deafness.wait_for(|deaf| !deaf).await;
                match message {
                    Message::Binary(message) if message[0] == LANE_DATAGRAM => {
                        let _ = datagram_came.try_send(message[1..].to_vec());
                    }
                    Message::Binary(message) => {
                        let pipe: &mut WriteHalf<_> = pipes.get_mut(&message[0]).unwrap();
                        let _ = pipe.write_all(&message[1..]).await;
                    }
                    Message::Close(Some(frame)) => {
                        told.send_replace(Some((frame.code.into(), frame.reason.to_string())));
                    }
                    _ => {}
                }
            }
            for pipe in pipes.values_mut() {
                let _ = pipe.shutdown().await;
            }
        });
        let (lanes, datagrams) = (Mutex::new(lanes), tokio::sync::Mutex::new(datagrams));
        Laned { out, lanes, datagrams, closed, deaf }
    }

    /// A bidirectional stream of the lane `lane`.
    pub(crate) fn open(&self, lane: u8) -> (WriteHalf<SimplexStream>, ReadHalf<SimplexStream>) {
        let taken = self.lanes.lock().unwrap().remove(&lane);
        let recv = taken.unwrap_or_else(|| simplex(1).0);
        let (mut written, send) = simplex(4096);
        let out = self.out.clone();
        tokio::spawn(async move {
            let (mut buffer, mut first) = ([0; 4096], true);
            while let Ok(count) = written.read(&mut buffer).await
                && count > 0
            {
                let lane = if first { &[][..] } else { &[lane][..] };
                first = false;
                let message = [lane, &buffer[..count]].concat();
                if out.send(Message::binary(message)).await.is_err() {
                    return;
                }
            }
        });
        (send, recv)
    }

    /// Sends any message.
    pub(crate) async fn send(&self, message: Message) {
        let _ = self.out.send(message).await;
    }

    pub(crate) fn send_datagram(&self, bytes: &[u8]) {
        let _ = self.out.try_send(Message::binary([&[LANE_DATAGRAM], bytes].concat()));
    }

    pub(crate) async fn recv_datagram(&self) -> Vec<u8> {
        self.datagrams.lock().await.recv().await.expect("the WebSocket ended")
    }

    /// The number and text of the server's close.
    pub(crate) async fn closed(&self) -> (u16, String) {
        let mut closed = self.closed.clone();
        let told = closed.wait_for(Option::is_some).await;
        told.expect("the WebSocket ended without a close").clone().unwrap()
    }
}
