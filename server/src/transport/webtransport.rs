//! A browser's session: a CONNECT on an HTTP/3 connection, its streams, its datagrams.
//!
//! ```text
//! +------------------------------+---------+
//! | quarter session id: varint   | payload |   RFC 9297, section 2.1
//! +------------------------------+---------+
//!   session id / 4; zero for a browser's first session
//! ```
//!
//! One task watches the peer's streams while the session lasts. Datagrams bypass it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{BufMut, Bytes, BytesMut};
use tickwire_shared::control::CloseCode;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::{Mutex, Notify, watch};
use tokio::task::AbortHandle;
use tokio::time::timeout;

use super::driver::{Connection, DatagramSink, RecvStream, SendStream};
use super::http3::{
    Answer, Arrival, Capsules, Code, Ending, Http3, HttpError, Request, SessionClose, close_frame,
    put_varint, send_answer, session_of, split_varint,
};
use super::{Closed, DATAGRAM_HEADROOM_BYTES, EstablishError, Origins};
use crate::config::ServerConfig;

/// Stream ids are below 2^62, so a quarter of one is below this (RFC 9297, section 2.1).
const QUARTER_ID_MAX: u64 = (1 << 60) - 1;
/// Time for the end of a session's own stream after the peer has ended its side.
const ANSWER_TIME: Duration = Duration::from_millis(250);
/// Time for a peer to close the connection after it got the reason: several round trips of a long
/// path.
const TELL_TIME: Duration = Duration::from_secs(1);

/// One browser session, the only one on its connection.
#[derive(Debug)]
pub(crate) struct WebTransport {
    connection: Arc<Connection>,
    /// The quarter session id in front of every datagram.
    prefix: Bytes,
    /// The peer takes datagrams.
    takes_datagrams: bool,
    streams: Mutex<Receiver<(SendStream, RecvStream)>>,
    one_way: Mutex<Receiver<()>>,
    shared: Arc<WebTransportShared>,
    watcher: AbortHandle,
}

/// The state that a session and its watcher share.
#[derive(Debug)]
struct WebTransportShared {
    /// The reason why nothing more comes from the peer, once that is so.
    over: watch::Sender<Option<Closed>>,
    /// This side's close, once it closes.
    closing: watch::Sender<Option<(CloseCode, String)>>,
    /// A datagram came that HTTP/3 does not allow.
    bad_datagram: Notify,
}

impl WebTransportShared {
    /// Waits until this side is asked to close.
    async fn close_asked(&self) -> (CloseCode, String) {
        let mut closing = self.closing.subscribe();
        let asked = closing.wait_for(Option::is_some).await.ok().and_then(|asked| asked.clone());
        match asked {
            Some(asked) => asked,
            // The sender lives in this struct.
            None => std::future::pending().await,
        }
    }
}

impl WebTransport {
    /// Waits for the CONNECT of a new connection and accepts it. A page whose origin may not
    /// connect gets a close with the reason, which a refusal could not carry.
    pub(super) async fn accept(
        connection: Connection,
        origins: &Origins,
        limits: &ServerConfig,
    ) -> Result<WebTransport, EstablishError> {
        let connection = Arc::new(connection);
        let mut http = Http3::open(Arc::clone(&connection), limits).await?;
        let streams_max = limits.bidi_streams_max as usize;
        let (mut request, early) = match wait_for_request(&mut http, streams_max).await {
            Ok(asked) => asked,
            Err(error) => {
                close_by(&connection, &error);
                return Err(error.into());
            }
        };
        send_answer(&mut request.send, Answer::Ok).await?;
        let origin = request.wanted.origin.take();
        let refused = origin.filter(|origin| !origins.allow(origin, &request.wanted.authority));
        let session = Self::watched(connection, http, request, early, streams_max);
        if let Some(origin) = refused {
            session.close(CloseCode::OriginRefused, CloseCode::OriginRefused.text());
            session.gone().await;
            return Err(EstablishError::Origin { origin });
        }
        Ok(session)
    }

    /// The session of a granted request. `early` are streams that came before the request.
    fn watched(
        connection: Arc<Connection>,
        mut http: Http3,
        request: Request,
        early: Vec<SessionStream>,
        streams_max: usize,
    ) -> WebTransport {
        let id = session_of(request.send.id());
        let takes_datagrams = http.takes_datagrams().unwrap_or_default();
        http.watch(request.capsules);
        let (stream_came, streams) = channel(streams_max);
        let (one_way_came, one_way) = channel(streams_max);
        let shared = Arc::new(WebTransportShared {
            over: watch::Sender::new(None),
            closing: watch::Sender::new(None),
            bad_datagram: Notify::new(),
        });
        let watcher = SessionWatcher {
            connection: Arc::clone(&connection),
            http,
            id,
            stream_came,
            one_way_came,
            connect: request.send,
            shared: Arc::clone(&shared),
        };
        for (session, send, recv) in early {
            watcher.sort(session, send, recv);
        }
        let watcher = tokio::spawn(watcher.run()).abort_handle();
        let (streams, one_way) = (Mutex::new(streams), Mutex::new(one_way));
        let mut prefix = Vec::new();
        put_varint(id / 4, &mut prefix);
        let prefix = prefix.into();
        WebTransport { connection, prefix, takes_datagrams, streams, one_way, shared, watcher }
    }

    pub(super) fn quic(&self) -> &Connection {
        &self.connection
    }

    /// Most bytes of a datagram on the path now, without the session prefix; 0 if the peer takes
    /// none.
    pub(super) fn datagram_bytes_max(&self) -> usize {
        let bytes = if self.takes_datagrams { self.connection.datagram_bytes_max() } else { 0 };
        bytes.saturating_sub(self.prefix.len())
    }

    /// The datagram with the session's prefix, from one with headroom.
    pub(super) fn with_prefix(&self, datagram: Bytes) -> Bytes {
        if self.prefix.as_ref() == [0; DATAGRAM_HEADROOM_BYTES] {
            return datagram;
        }
        let mut prefixed = BytesMut::with_capacity(self.prefix.len() + datagram.len());
        prefixed.put_slice(&self.prefix);
        prefixed.put_slice(&datagram[DATAGRAM_HEADROOM_BYTES..]);
        prefixed.freeze()
    }

    pub(super) fn set_sink(&self, sink: impl DatagramSink + 'static) {
        let (prefix, shared) = (self.prefix.clone(), Arc::clone(&self.shared));
        self.connection.set_sink(Box::new(SessionDatagrams { prefix, sink, shared }));
    }

    pub(super) async fn accept_bi(&self) -> Option<(SendStream, RecvStream)> {
        self.streams.lock().await.recv().await
    }

    pub(super) async fn accept_uni(&self) -> Option<()> {
        self.one_way.lock().await.recv().await
    }

    /// Closes the session with a code and a text that a page can read, and then the connection with
    /// the same.
    pub(super) fn close(&self, code: CloseCode, text: &str) {
        self.shared.closing.send_if_modified(|closing| {
            let first = closing.is_none();
            closing.get_or_insert_with(|| (code, text.to_owned()));
            first
        });
    }

    /// True once this side closes the session.
    pub(super) fn is_closing(&self) -> bool {
        self.shared.closing.borrow().is_some()
    }

    /// Waits until nothing more comes from the peer.
    pub(super) async fn closed(&self) -> Closed {
        let mut over = self.shared.over.subscribe();
        let closed = over.wait_for(Option::is_some).await;
        closed.ok().and_then(|closed| closed.clone()).unwrap_or_else(|| Closed::lost("it is over"))
    }

    /// After a close, waits until the connection is over.
    pub(super) async fn gone(&self) {
        self.connection.closed().await;
    }
}

impl Drop for WebTransport {
    fn drop(&mut self) {
        // Nobody waits for the peer to end its side any longer.
        if let Some((code, text)) = &*self.shared.closing.borrow() {
            self.connection.close(code.number().into(), text.as_bytes());
        }
        self.watcher.abort();
    }
}

/// The work beside the session.
struct SessionWatcher {
    connection: Arc<Connection>,
    http: Http3,
    id: u64,
    stream_came: Sender<(SendStream, RecvStream)>,
    one_way_came: Sender<()>,
    /// Our side of the session's own stream; ending it ends the session.
    connect: SendStream,
    shared: Arc<WebTransportShared>,
}

/// How the peer ended the session, or broke it.
enum SessionOver {
    Ended(Ending, Capsules),
    /// It no longer reads the session's own stream.
    Stopped,
    Failed(HttpError),
}

impl SessionWatcher {
    /// Sorts the peer's streams until the session is over, then closes the connection.
    async fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        tokio::select! {
            over = self.until_over() => {
                shared.over.send_replace(Some(closed_by(&over)));
                self.answer(over).await;
            }
            (code, text) = shared.close_asked() => {
                self.tell(code, &text).await;
                shared.over.send_replace(Some(Closed { code, text }));
            }
        }
    }

    /// Sorts the peer's streams until the peer has ended the session or broken a rule.
    async fn until_over(&mut self) -> SessionOver {
        loop {
            let arrival = tokio::select! {
                arrival = self.http.next() => arrival,
                Some(_) = self.connect.stopped() => return SessionOver::Stopped,
                () = self.shared.bad_datagram.notified() => {
                    return SessionOver::Failed(HttpError::Rule(Code::DATAGRAM_ERROR));
                }
            };
            match arrival {
                Ok(Arrival::Stream { session, send, recv }) => self.sort(session, send, recv),
                Ok(Arrival::OneWay { session, .. }) if session == self.id => {
                    // If it is full, the receiver is about to learn of one anyway.
                    let _ = self.one_way_came.try_send(());
                }
                Ok(Arrival::OneWay { recv, .. }) => refuse_one_way(recv),
                Ok(Arrival::Request(second)) => reject(second),
                Ok(Arrival::Settings) => {}
                Ok(Arrival::Ended(ending, capsules)) => {
                    return SessionOver::Ended(ending, capsules);
                }
                Err(error) => return SessionOver::Failed(error),
            }
        }
    }

    /// Ends this side as the peer ended its own.
    async fn answer(&mut self, over: SessionOver) {
        match over {
            SessionOver::Ended(Ending::Malformed(code), mut capsules) => {
                capsules.stop(code);
                self.give_up(code).await;
            }
            SessionOver::Ended(ending, mut capsules) => {
                let said_last = matches!(ending, Ending::Said(SessionClose::Close(..)));
                let is_clean =
                    !said_last || timeout(ANSWER_TIME, capsules.is_over()).await.unwrap_or(true);
                if is_clean {
                    let _ = timeout(ANSWER_TIME, self.connect.finish()).await;
                } else {
                    capsules.stop(Code::MESSAGE_ERROR);
                    self.give_up(Code::MESSAGE_ERROR).await;
                }
            }
            SessionOver::Stopped => self.give_up(Code::NO_ERROR).await,
            SessionOver::Failed(error) => close_by(&self.connection, &error),
        }
        self.connection.close(Code::NO_ERROR.number(), b"");
    }

    /// Gives up this side of the session's own stream, and leaves time to send that.
    async fn give_up(&mut self, code: Code) {
        self.connect.reset(code.number());
        let _ = timeout(ANSWER_TIME, self.connection.closed()).await;
    }

    /// Closes the session and lets the peer close the connection. A browser that has ended its side
    /// may not have told its page the reason yet; if the connection closed first, the page would
    /// only see a lost one.
    async fn tell(&mut self, code: CloseCode, text: &str) {
        let told = async {
            if self.connect.write_all(&close_frame(code.number(), text)).await.is_ok() {
                self.connect.finish().await;
            }
            self.until_over().await;
            self.connection.closed().await;
        };
        let _ = timeout(TELL_TIME, told).await;
        self.connection.close(code.number().into(), text.as_bytes());
    }

    /// Passes on a stream of this session; refuses one of any other, which does not exist.
    fn sort(&self, session: u64, send: SendStream, recv: RecvStream) {
        if session != self.id {
            return refuse((send, recv));
        }
        if let Err(refused) = self.stream_came.try_send((send, recv)) {
            refuse(refused.into_inner());
        }
    }
}

/// The close that other parts of the server see. A peer that says in any way that it goes has left
/// normally.
fn closed_by(over: &SessionOver) -> Closed {
    let left = |text: &str| Closed { code: CloseCode::Normal, text: text.to_owned() };
    let wrong = |text: String| Closed { code: CloseCode::MalformedFrame, text };
    match over {
        SessionOver::Ended(Ending::Said(SessionClose::Close(_, text)), _) => left(text),
        SessionOver::Ended(Ending::Said(SessionClose::Nothing), _) => {
            left("the client ended the session")
        }
        SessionOver::Ended(Ending::Reset, _) | SessionOver::Stopped => {
            left("the client gave the session up")
        }
        SessionOver::Ended(Ending::Malformed(code), _) => {
            wrong(HttpError::Message(*code).to_string())
        }
        SessionOver::Failed(HttpError::Connection(error)) => error.clone().into(),
        SessionOver::Failed(error) => wrong(error.to_string()),
    }
}

/// Passes on one session's datagrams, without their prefix.
struct SessionDatagrams<T> {
    prefix: Bytes,
    sink: T,
    shared: Arc<WebTransportShared>,
}

impl<T: DatagramSink> DatagramSink for SessionDatagrams<T> {
    fn take(&mut self, mut datagram: Bytes, at: Instant) {
        if datagram.starts_with(&self.prefix) {
            return self.sink.take(datagram.split_off(self.prefix.len()), at);
        }
        let Some((quarter, rest)) = split_varint(&datagram).filter(|it| it.0 <= QUARTER_ID_MAX)
        else {
            return self.shared.bad_datagram.notify_one();
        };
        // A varint may also have a longer form. Any other session was never accepted.
        if split_varint(&self.prefix).is_some_and(|own| own.0 == quarter) {
            let start = datagram.len() - rest.len();
            self.sink.take(datagram.split_off(start), at);
        }
    }
}

/// A stream and the session id on it.
type SessionStream = (u64, SendStream, RecvStream);

/// Waits for the request, which follows both sides' settings. Streams may overtake it; at most
/// `streams_max` of them are kept.
async fn wait_for_request(
    http: &mut Http3,
    streams_max: usize,
) -> Result<(Request, Vec<SessionStream>), HttpError> {
    let (mut asked, mut early) = (None, Vec::new());
    loop {
        match http.next().await? {
            Arrival::Request(request) if asked.is_none() => asked = Some(request),
            Arrival::Request(second) => reject(second),
            Arrival::Stream { session, send, recv } if early.len() < streams_max => {
                early.push((session, send, recv));
            }
            Arrival::Stream { send, recv, .. } => refuse((send, recv)),
            Arrival::OneWay { recv, .. } => refuse_one_way(recv),
            Arrival::Settings | Arrival::Ended(..) => {}
        }
        if http.takes_datagrams().is_some()
            && let Some(request) = asked.take()
        {
            return Ok((request, early));
        }
    }
}

/// Refuses a stream of an unknown session.
fn refuse((mut send, recv): (SendStream, RecvStream)) {
    send.reset(Code::BUFFERED_STREAM_REJECTED.number());
    refuse_one_way(recv);
}

fn refuse_one_way(mut recv: RecvStream) {
    recv.stop(Code::BUFFERED_STREAM_REJECTED.number());
}

/// Refuses a second session.
fn reject(mut second: Request) {
    second.send.reset(Code::REQUEST_REJECTED.number());
    second.capsules.stop(Code::REQUEST_REJECTED);
}

/// Closes a connection whose peer has broken a rule.
fn close_by(connection: &Connection, error: &HttpError) {
    if let HttpError::Rule(code) = error {
        connection.close(code.number(), b"");
    }
}
