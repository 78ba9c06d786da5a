//! A client of bare `quinn`, `wtransport` or `tokio-tungstenite`: only its frames are tickwire's
//! own.

use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tickwire_shared::control::{
    ClientChat, ClientFrame, CloseCode, FrameReader, RefuseCode, RequestId, RoomChoice,
    STREAM_CHAT, STREAM_CONTROL, ServerChat, ServerFrame, write_frame,
};
use tickwire_shared::input::{InputCodec, InputHead};
use tickwire_shared::quantize::Lanes as _;
use tickwire_shared::replica::Replica;
use tickwire_shared::schema::Schema;
use tickwire_shared::simulation::schema_of;
use tickwire_shared::{PlayerId, Tick, websocket};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use crate::game::{Dots, Keys};
use crate::harness::{Running, soon};
use crate::laned::{Laned, connect_socket};

/// The client's transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Over {
    Quic,
    WebTransport,
    WebSocket,
}

impl Over {
    pub(crate) const ALL: [Over; 3] = [Over::Quic, Over::WebTransport, Over::WebSocket];
}

pub(crate) enum Connection {
    Quic(quinn::Connection),
    WebTransport(wtransport::Connection),
    WebSocket(Laned),
}

/// One stream.
pub(crate) struct Stream {
    pub(crate) send: Box<dyn AsyncWrite + Send + Sync + Unpin>,
    pub(crate) recv: Box<dyn AsyncRead + Send + Sync + Unpin>,
    frames: FrameReader,
}

pub(crate) struct Client {
    pub(crate) connection: Connection,
    /// Opened by [`Client::greet`].
    pub(crate) control: Option<Stream>,
    pub(crate) chat: Option<Stream>,
    /// Further streams, opened by tests.
    pub(crate) others: Vec<Stream>,
    pub(crate) player: PlayerId,
    /// The number of the last request.
    pub(crate) requests: u32,
    /// The number of answered requests, where a test counts them.
    pub(crate) requests_answered: u32,
    /// Present while in a room.
    pub(crate) replica: Option<Replica>,
    pub(crate) seat: u8,
    pub(crate) tick: Tick,
}

impl Client {
    pub(crate) async fn connect(server: &Running, over: Over) -> Client {
        let connection = match over {
            Over::Quic => {
                let config = quic_config(server, PROTOCOL, quinn::TransportConfig::default());
                Connection::Quic(connect_quic(server, config).await.unwrap())
            }
            Over::WebTransport => {
                let connected = connect_web(server, None).await;
                Connection::WebTransport(connected.unwrap())
            }
            Over::WebSocket => {
                let connected = connect_socket(server, None).await;
                Connection::WebSocket(Laned::on(connected.unwrap()))
            }
        };
        Client::on(connection)
    }

    pub(crate) fn on(connection: Connection) -> Client {
        Client {
            connection,
            control: None,
            chat: None,
            others: Vec::new(),
            player: PlayerId(0),
            requests: 0,
            requests_answered: 0,
            replica: None,
            seat: 0,
            tick: Tick(0),
        }
    }

    /// Opens both streams, says hello and waits for the welcome.
    pub(crate) async fn greet(&mut self) {
        self.open_both().await;
        self.say(&hello()).await;
        match self.hear().await {
            ServerFrame::Welcome { player, schema, .. } => {
                assert_eq!(schema, schema_of::<Dots>());
                self.player = player;
            }
            other => panic!("no welcome: {other:?}"),
        }
    }

    pub(crate) async fn open_both(&mut self) {
        self.control = Some(self.open(&[STREAM_CONTROL]).await);
        self.chat = Some(self.open(&[STREAM_CHAT]).await);
    }

    pub(crate) async fn join(&mut self, room: &str, name: &str) {
        let room = RoomChoice::Named(room.to_owned());
        self.ask_to_join(room, name).await;
        self.joined().await;
    }

    /// Asks for a seat, without options and password.
    pub(crate) async fn ask_to_join(&mut self, room: RoomChoice, name: &str) -> RequestId {
        let (name, options, password) = (name.to_owned(), "".into(), "".into());
        self.ask(|request| ClientFrame::Join { request, room, name, options, password }).await
    }

    /// Sends a request on the control stream, with the next number.
    pub(crate) async fn ask(&mut self, frame: impl FnOnce(RequestId) -> ClientFrame) -> RequestId {
        let request = self.number();
        self.say(&frame(request)).await;
        request
    }

    /// The next number of a request.
    pub(crate) fn number(&mut self) -> RequestId {
        self.requests += 1;
        RequestId(self.requests)
    }

    /// Waits for the answer to a join.
    pub(crate) async fn joined(&mut self) {
        match self.hear().await {
            ServerFrame::Joined { seat, tick, .. } => {
                (self.seat, self.tick) = (seat, tick);
                self.replica = Some(Replica::new(&schema_of::<Dots>(), seat));
            }
            other => panic!("not joined: {other:?}"),
        }
    }

    /// Opens a stream and writes `bytes` to it.
    pub(crate) async fn open(&self, bytes: &[u8]) -> Stream {
        let mut stream = match &self.connection {
            Connection::Quic(quic) => {
                let (send, recv) = quic.open_bi().await.unwrap();
                Stream::new(send, recv)
            }
            Connection::WebTransport(web) => {
                let (send, recv) = web.open_bi().await.unwrap().await.unwrap();
                Stream::new(send, recv)
            }
            Connection::WebSocket(socket) => {
                let (send, recv) = socket.open(bytes[0]);
                Stream::new(send, recv)
            }
        };
        let _ = stream.send.write_all(bytes).await;
        stream
    }

    /// Opens a unidirectional stream.
    pub(crate) async fn open_one_way(&self) {
        match &self.connection {
            Connection::Quic(quic) => {
                quic.open_uni().await.unwrap().write_all(b"x").await.unwrap();
            }
            Connection::WebTransport(web) => {
                let mut send = web.open_uni().await.unwrap().await.unwrap();
                send.write_all(b"x").await.unwrap();
            }
            Connection::WebSocket(_) => panic!("a WebSocket has no such streams"),
        }
    }

    pub(crate) async fn say(&mut self, frame: &ClientFrame) {
        self.control.as_mut().unwrap().write(frame).await;
    }

    pub(crate) async fn say_chat(&mut self, text: &str) -> RequestId {
        let (request, text) = (self.number(), text.to_owned());
        self.chat.as_mut().unwrap().write(&ClientChat::Say { request, text }).await;
        request
    }

    /// The next control frame.
    pub(crate) async fn hear(&mut self) -> ServerFrame {
        self.control.as_mut().unwrap().read().await.expect("the control stream ended")
    }

    /// Reads control frames until `wanted` returns something.
    pub(crate) async fn hear_until<T>(&mut self, wanted: impl Fn(ServerFrame) -> Option<T>) -> T {
        loop {
            if let Some(found) = wanted(self.hear().await) {
                return found;
            }
        }
    }

    /// Waits for the next refusal.
    pub(crate) async fn refused(&mut self) -> RefuseCode {
        self.hear_until(|frame| match frame {
            ServerFrame::Refused { code, text, .. } => {
                assert!(!text.is_empty());
                Some(code)
            }
            _ => None,
        })
        .await
    }

    /// The next chat frame.
    pub(crate) async fn hear_chat(&mut self) -> ServerChat {
        self.chat.as_mut().unwrap().read().await.expect("the chat stream ended")
    }

    /// Sends a datagram. If the peer is gone, the reader finds out.
    pub(crate) fn send_datagram(&self, bytes: &[u8]) {
        match &self.connection {
            Connection::Quic(quic) => {
                let _ = quic.send_datagram(bytes::Bytes::copy_from_slice(bytes));
            }
            Connection::WebTransport(web) => {
                let _ = web.send_datagram(bytes);
            }
            Connection::WebSocket(socket) => socket.send_datagram(bytes),
        }
    }

    pub(crate) async fn recv_datagram(&self) -> Vec<u8> {
        soon("a datagram", async {
            match &self.connection {
                Connection::Quic(quic) => quic.read_datagram().await.unwrap().to_vec(),
                Connection::WebTransport(web) => {
                    web.receive_datagram().await.unwrap().payload().to_vec()
                }
                Connection::WebSocket(socket) => socket.recv_datagram().await,
            }
        })
        .await
    }

    /// Applies the next snapshot and answers it with `keys`.
    pub(crate) async fn play(&mut self, keys: Keys) {
        let snapshot = self.recv_datagram().await;
        let replica = self.replica.as_mut().expect("in a room");
        if let Ok(applied) = replica.apply(&snapshot, self.tick) {
            self.tick = applied.tick;
        }
        self.set_input(keys);
    }

    /// Sends `keys` for a tick a little ahead.
    pub(crate) fn set_input(&self, keys: Keys) {
        let ack = self.replica.as_ref().expect("in a room").ack();
        let mut lanes = vec![0; Keys::LANES];
        keys.to_lanes(&mut lanes);
        let codec = InputCodec::new(&schema_of::<Dots>());
        let aimed = self.tick.offset(3);
        let head = InputHead {
            seat: self.seat,
            ack,
            newest_low16: aimed.low16(),
            view_delay: 12,
            keyframes: None,
        };
        self.send_datagram(&codec.encode(head, &lanes));
    }

    /// The last known steps of the own dot.
    pub(crate) fn steps(&self) -> Option<i32> {
        self.steps_of(self.player)
    }

    /// The steps of a player's dot, as last seen.
    pub(crate) fn steps_of(&self, player: PlayerId) -> Option<i32> {
        let replica = self.replica.as_ref().expect("in a room");
        let own = replica.entities().iter().find(|entity| entity.id.0 == player.0)?;
        own.states.state(own.states.len() - 1).next()
    }

    /// Closes the connection, with this code as the reason.
    pub(crate) async fn close(&self, code: CloseCode) {
        match &self.connection {
            Connection::Quic(quic) => quic.close(code.number().into(), b""),
            Connection::WebTransport(web) => web.close(code.number().into(), b""),
            Connection::WebSocket(socket) => {
                let code = websocket::close_number(code).into();
                let close = CloseFrame { code, reason: "".into() };
                socket.send(Message::Close(Some(close))).await;
            }
        }
    }

    /// Waits until the connection ends; returns its code and text.
    pub(crate) async fn closed(&self) -> (CloseCode, String) {
        let quic = match &self.connection {
            Connection::Quic(quic) => quic,
            Connection::WebTransport(web) => return session_closed(web).await,
            Connection::WebSocket(socket) => {
                let (number, text) = soon("the close", socket.closed()).await;
                let code = websocket::close_code(number);
                return (code.unwrap_or_else(|| panic!("closed with {number}, {text}")), text);
            }
        };
        match soon("the close", quic.closed()).await {
            quinn::ConnectionError::ApplicationClosed(close) => {
                let code = CloseCode::from_number(close.error_code.into_inner());
                (code, String::from_utf8_lossy(&close.reason).into_owned())
            }
            other => panic!("not closed by the server: {other}"),
        }
    }

    /// Waits for the goodbye, and for the close that must follow with the same code.
    pub(crate) async fn goodbye(&mut self) -> (CloseCode, String) {
        let told = loop {
            match self.control.as_mut().unwrap().read().await {
                Some(ServerFrame::Goodbye { code, text }) => break (code, text),
                Some(_) => {}
                None => panic!("the control stream ended without a goodbye"),
            }
        };
        let closed = self.closed().await;
        let mut shown = told.clone();
        if let Connection::WebSocket(_) = self.connection {
            shown.1 = websocket::close_text(&told.1).to_owned();
        }
        assert_eq!(closed, shown);
        told
    }
}

impl Stream {
    fn new(
        send: impl AsyncWrite + Send + Sync + Unpin + 'static,
        recv: impl AsyncRead + Send + Sync + Unpin + 'static,
    ) -> Self {
        Stream { send: Box::new(send), recv: Box::new(recv), frames: FrameReader::default() }
    }

    /// Writes a frame. If the peer is gone, the reader finds out.
    pub(crate) async fn write<T: Serialize>(&mut self, frame: &T) {
        let mut bytes = Vec::new();
        write_frame(frame, &mut bytes);
        let _ = self.send.write_all(&bytes).await;
    }

    /// The next frame, or `None` at the end of the stream.
    pub(crate) async fn read<T: DeserializeOwned>(&mut self) -> Option<T> {
        soon("a frame", async {
            loop {
                if let Some(frame) = self.frames.poll().unwrap() {
                    return Some(frame);
                }
                let mut bytes = [0; 4096];
                match self.recv.read(&mut bytes).await {
                    Ok(0) | Err(_) => return None,
                    Ok(count) => self.frames.push(&bytes[..count]),
                }
            }
        })
        .await
    }
}

/// The code and text of a session's end, read from its own stream.
pub(crate) async fn session_closed(web: &wtransport::Connection) -> (CloseCode, String) {
    match soon("the close", web.accept_uni()).await {
        Err(wtransport::error::ConnectionError::ApplicationClosed(close)) => {
            let code = CloseCode::from_number(close.code().into_inner());
            (code, String::from_utf8_lossy(close.reason()).into_owned())
        }
        Err(other) => panic!("not closed by the server: {other}"),
        Ok(_) => panic!("the server opened a stream"),
    }
}

pub(crate) fn hello() -> ClientFrame {
    // The server ignores a client's model.
    let schema = Schema { model: vec![9; 40], ..schema_of::<Dots>() };
    ClientFrame::Hello {
        client: "test 1".to_owned(),
        schema: Some(schema),
        resumable: false,
        token: "".into(),
    }
}

/// The ALPN of native clients.
pub(crate) const PROTOCOL: &str = "tickwire/1";

/// A native client in a room whose runtime is gone with all its tasks: it reads no packets and says
/// no goodbye.
pub(crate) async fn vanished(server: &Running, room: &str, name: &'static str) -> Client {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let config = quic_config(server, PROTOCOL, quinn::TransportConfig::default());
    let (udp, room) = (server.udp, room.to_owned());
    let joining = runtime.spawn(async move {
        let endpoint = quinn::Endpoint::client("[::1]:0".parse().unwrap()).unwrap();
        let quic = endpoint.connect_with(config, udp, "localhost").unwrap().await.unwrap();
        let mut client = Client::on(Connection::Quic(quic));
        client.greet().await;
        client.join(&room, name).await;
        std::mem::forget(endpoint);
        client
    });
    let client = joining.await.unwrap();
    runtime.shutdown_background();
    client
}

/// A client's settings: the server's certificate and the protocol's ALPN.
pub(crate) fn quic_config(
    server: &Running,
    protocol: &str,
    mut transport: quinn::TransportConfig,
) -> quinn::ClientConfig {
    let mut roots = rustls::RootCertStore::empty();
    let pem = server.certs_dir().join("current.pem");
    for certificate in CertificateDer::pem_file_iter(pem).unwrap() {
        roots.add(certificate.unwrap()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    tls.alpn_protocols = vec![protocol.into()];
    let crypto = quinn::crypto::rustls::QuicClientConfig::try_from(tls).unwrap();
    let mut config = quinn::ClientConfig::new(Arc::new(crypto));
    transport.keep_alive_interval(Some(Duration::from_secs(1)));
    config.transport_config(Arc::new(transport));
    config
}

pub(crate) async fn connect_quic(
    server: &Running,
    config: quinn::ClientConfig,
) -> Result<quinn::Connection, quinn::ConnectionError> {
    let endpoint = quinn::Endpoint::client("[::1]:0".parse().unwrap()).unwrap();
    let connecting = endpoint.connect_with(config, server.udp, "localhost").unwrap();
    soon("a QUIC connection", connecting).await
}

/// Connects as a browser, with an origin if given.
pub(crate) async fn connect_web(
    server: &Running,
    origin: Option<&str>,
) -> Result<wtransport::Connection, wtransport::error::ConnectingError> {
    let hashes = server.hashes.iter().map(|hash| wtransport::tls::Sha256Digest::new(*hash));
    let config = wtransport::ClientConfig::builder()
        .with_bind_default()
        .with_server_certificate_hashes(hashes)
        .build();
    let endpoint = wtransport::Endpoint::client(config).unwrap();
    let url = format!("https://localhost:{}/", server.udp.port());
    let mut options = wtransport::endpoint::ConnectOptions::builder(url);
    if let Some(origin) = origin {
        options = options.add_header("origin", origin);
    }
    soon("a WebTransport session", endpoint.connect(options.build())).await
}
