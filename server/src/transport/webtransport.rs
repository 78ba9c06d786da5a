//! A browser's session: a CONNECT on an HTTP/3 connection, its streams, its datagrams.
//!
//! ```text
//! +------------------------------+---------+
//! | quarter session id: varint   | payload |   RFC 9297, section 2.1
//! +------------------------------+---------+
//!   session id / 4; zero for a browser's first session
//! ```
//!
//! One task watches the peer's streams while the session lasts. Datagrams do not pass through it.

use std::sync::Arc;
use std::time::Instant;

use bytes::{BufMut, Bytes, BytesMut};
use tokio::sync::Mutex;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::AbortHandle;
use wtransport_proto::error::ErrorCode;
use wtransport_proto::session::SessionResponse;

use super::driver::{Connection, DatagramSink, RecvStream, SendStream};
use super::http3::{Arrival, Http3, HttpError, Request, code_of, session_of};
use super::{DATAGRAM_HEADROOM_BYTES, EstablishError, Origins};

/// One browser session. The connection carries no other.
#[derive(Debug)]
pub(crate) struct WebTransport {
    connection: Arc<Connection>,
    /// The quarter session id as it stands before every datagram.
    prefix: Bytes,
    streams: Mutex<Receiver<(SendStream, RecvStream)>>,
    one_way: Mutex<Receiver<()>>,
    watcher: AbortHandle,
}

impl WebTransport {
    /// Waits for the CONNECT of a new connection and accepts it, if its origin may. At most
    /// `streams_max` of its streams wait to be taken.
    pub(super) async fn accept(
        connection: Connection,
        origins: &Origins,
        streams_max: usize,
    ) -> Result<WebTransport, EstablishError> {
        let connection = Arc::new(connection);
        let mut http = Http3::open(Arc::clone(&connection)).await?;
        let (mut request, early) = match wait_for_request(&mut http, streams_max).await {
            Ok(asked) => asked,
            Err(error) => {
                close_by(&connection, &error);
                return Err(error.into());
            }
        };
        if let Some(origin) = request.asked.origin()
            && !origins.allow(origin, request.asked.authority())
        {
            let origin = origin.to_owned();
            answer(&mut request.send, &SessionResponse::forbidden()).await?;
            request.send.finish().await;
            connection.close(code_of(ErrorCode::NoError), b"");
            return Err(EstablishError::Origin { origin });
        }
        answer(&mut request.send, &SessionResponse::ok()).await?;
        let id = session_of(request.send.id());
        http.watch(request.recv);
        let (stream_came, streams) = channel(streams_max);
        let (one_way_came, one_way) = channel(streams_max);
        let watcher = Watcher {
            connection: Arc::clone(&connection),
            http,
            id,
            stream_came,
            one_way_came,
            _connect: request.send,
        };
        for (session, send, recv) in early {
            watcher.sort(session, send, recv);
        }
        let watcher = tokio::spawn(watcher.run()).abort_handle();
        let (streams, one_way) = (Mutex::new(streams), Mutex::new(one_way));
        Ok(WebTransport { connection, prefix: varint(id / 4), streams, one_way, watcher })
    }

    pub(super) fn quic(&self) -> &Connection {
        &self.connection
    }

    pub(super) fn prefix_bytes(&self) -> usize {
        self.prefix.len()
    }

    /// The datagram as the browser must get it, from one with headroom.
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
        let prefix = self.prefix.clone();
        self.connection.set_sink(Box::new(OfSession { prefix, sink }));
    }

    pub(super) async fn accept_bi(&self) -> Option<(SendStream, RecvStream)> {
        self.streams.lock().await.recv().await
    }

    pub(super) async fn accept_uni(&self) -> Option<()> {
        self.one_way.lock().await.recv().await
    }
}

impl Drop for WebTransport {
    fn drop(&mut self) {
        self.watcher.abort();
    }
}

/// What goes on beside the session.
struct Watcher {
    connection: Arc<Connection>,
    http: Http3,
    id: u64,
    stream_came: Sender<(SendStream, RecvStream)>,
    one_way_came: Sender<()>,
    /// Ending it would end the session.
    _connect: SendStream,
}

impl Watcher {
    /// Sorts the peer's streams until the session is over, and closes the connection then.
    async fn run(mut self) {
        loop {
            match self.http.next().await {
                Ok(Arrival::Stream { session, send, recv }) => self.sort(session, send, recv),
                Ok(Arrival::OneWay) => {
                    // When it is full, someone is about to hear of one anyway.
                    let _ = self.one_way_came.try_send(());
                }
                Ok(Arrival::Request(mut second)) => {
                    second.recv.stop(code_of(ErrorCode::RequestRejected));
                }
                Ok(Arrival::Settings(control)) => self.http.keep_settings(control),
                Ok(Arrival::Ended) => {
                    return self.connection.close(code_of(ErrorCode::NoError), b"");
                }
                Ok(Arrival::Own(..) | Arrival::Nothing) => {}
                Err(error) => return close_by(&self.connection, &error),
            }
        }
    }

    /// Passes a stream of the session on; none of another, for there is none.
    fn sort(&self, session: u64, send: SendStream, recv: RecvStream) {
        if session != self.id {
            return refuse((send, recv));
        }
        if let Err(refused) = self.stream_came.try_send((send, recv)) {
            refuse(refused.into_inner());
        }
    }
}

/// Passes on the datagrams of one session, without what says so.
struct OfSession<T> {
    prefix: Bytes,
    sink: T,
}

impl<T: DatagramSink> DatagramSink for OfSession<T> {
    fn take(&mut self, mut datagram: Bytes, at: Instant) {
        // A datagram of another session is of one that was never accepted.
        if datagram.starts_with(&self.prefix) {
            self.sink.take(datagram.split_off(self.prefix.len()), at);
        }
    }
}

/// A stream, and the session it says it is of.
type OfSome = (u64, SendStream, RecvStream);

/// A session is asked for once both sides have said what they can do. Streams may overtake that: at
/// most `streams_max` of them are kept.
async fn wait_for_request(
    http: &mut Http3,
    streams_max: usize,
) -> Result<(Request, Vec<OfSome>), HttpError> {
    let (mut asked, mut early) = (None, Vec::new());
    let mut has_settings = false;
    loop {
        match http.next().await? {
            Arrival::Settings(control) => {
                http.keep_settings(control);
                has_settings = true;
            }
            Arrival::Request(request) if asked.is_none() => asked = Some(request),
            Arrival::Request(mut second) => {
                second.recv.stop(code_of(ErrorCode::RequestRejected));
            }
            Arrival::Stream { session, send, recv } if early.len() < streams_max => {
                early.push((session, send, recv));
            }
            Arrival::Stream { send, recv, .. } => refuse((send, recv)),
            Arrival::OneWay | Arrival::Ended | Arrival::Own(..) | Arrival::Nothing => {}
        }
        if has_settings && let Some(request) = asked.take() {
            return Ok((request, early));
        }
    }
}

async fn answer(send: &mut SendStream, response: &SessionResponse) -> Result<(), HttpError> {
    let mut bytes = Vec::new();
    response.headers().generate_frame().write(&mut bytes).expect("a vector grows");
    Ok(send.write_all(&bytes).await?)
}

fn refuse((mut send, mut recv): (SendStream, RecvStream)) {
    let code = code_of(ErrorCode::BufferedStreamRejected);
    send.reset(code);
    recv.stop(code);
}

/// Closes a connection whose peer broke a rule.
fn close_by(connection: &Connection, error: &HttpError) {
    if let HttpError::Rule(code) = error {
        connection.close(code_of(*code), b"");
    }
}

/// RFC 9000, section 16, in the shortest form.
fn varint(value: u64) -> Bytes {
    let mut bytes = BytesMut::with_capacity(8);
    match value {
        0..0x40 => bytes.put_u8(value as u8),
        0x40..0x4000 => bytes.put_u16(value as u16 | 0x4000),
        0x4000..0x4000_0000 => bytes.put_u32(value as u32 | 0x8000_0000),
        _ => bytes.put_u64(value | 0xC000_0000_0000_0000),
    }
    bytes.freeze()
}

#[cfg(test)]
mod tests {
    use super::varint;

    #[test]
    fn varints_are_those_of_the_rfc() {
        // The examples of RFC 9000, appendix A.1.
        assert_eq!(varint(37)[..], [0x25]);
        assert_eq!(varint(15_293)[..], [0x7b, 0xbd]);
        assert_eq!(varint(494_878_333)[..], [0x9d, 0x7f, 0x3e, 0x7d]);
        let long = [0xc2, 0x19, 0x7c, 0x5e, 0xff, 0x14, 0xe8, 0x8c];
        assert_eq!(varint(151_288_809_941_952_652)[..], long);
    }
}
