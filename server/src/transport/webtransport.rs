//! A browser's session: HTTP/3 and CONNECT by `wtransport`, datagrams directly on the QUIC connection.
//!
//! ```text
//! +------------------------------+---------+
//! | quarter session id: varint   | payload |   RFC 9297, section 2.1
//! +------------------------------+---------+
//!   session id / 4; zero for a browser's first session
//! ```
//!
//! `wtransport` reads datagrams in its own task and hands them over a channel of one. Nobody takes
//! from that channel here, so its task reads one datagram of the connection and then never again:
//! at most one early datagram is lost, and all others are read without it. The version is pinned,
//! and a test holds this.

use bytes::{BufMut, Bytes, BytesMut};

use super::{DATAGRAM_HEADROOM_BYTES, EstablishError, Origins, RecvHalf, SendHalf};

/// One browser session. The connection carries no other.
#[derive(Debug)]
pub(crate) struct WebTransport {
    session: wtransport::Connection,
    /// The quarter session id as it stands before every datagram.
    prefix: Bytes,
}

impl WebTransport {
    /// Waits for the CONNECT of a new connection and accepts it, if its origin may.
    pub(super) async fn accept(
        connecting: quinn::Connecting,
        origins: &Origins,
    ) -> Result<WebTransport, EstablishError> {
        let incoming =
            wtransport::endpoint::IncomingSessionFuture::with_quic_connecting(connecting);
        let request = incoming.await?;
        if let Some(origin) = request.origin()
            && !origins.allow(origin, request.authority())
        {
            let origin = origin.to_owned();
            request.forbidden().await;
            return Err(EstablishError::Origin { origin });
        }
        let session = request.accept().await?;
        let quarter_id = session.session_id().into_u64() / 4;
        Ok(WebTransport { session, prefix: varint(quarter_id) })
    }

    pub(super) fn quic(&self) -> &quinn::Connection {
        self.session.quic_connection()
    }

    pub(super) fn prefix_bytes(&self) -> usize {
        self.prefix.len()
    }

    pub(super) fn send_datagram(&self, datagram: Bytes) -> Result<(), quinn::SendDatagramError> {
        if self.prefix.as_ref() == [0; DATAGRAM_HEADROOM_BYTES] {
            return self.quic().send_datagram(datagram);
        }
        let mut prefixed = BytesMut::with_capacity(self.prefix.len() + datagram.len());
        prefixed.put_slice(&self.prefix);
        prefixed.put_slice(&datagram[DATAGRAM_HEADROOM_BYTES..]);
        self.quic().send_datagram(prefixed.freeze())
    }

    pub(super) async fn recv_datagram(&self) -> Result<Bytes, quinn::ConnectionError> {
        loop {
            let mut datagram = self.quic().read_datagram().await?;
            // A datagram of another session is of one that was never accepted.
            if datagram.starts_with(&self.prefix) {
                return Ok(datagram.split_off(self.prefix.len()));
            }
        }
    }

    pub(super) async fn accept_bi(&self) -> Option<(SendHalf, RecvHalf)> {
        let (send, recv) = self.session.accept_bi().await.ok()?;
        Some((SendHalf::WebTransport(send), RecvHalf::WebTransport(recv)))
    }

    pub(super) async fn accept_uni(&self) -> Option<()> {
        self.session.accept_uni().await.ok().map(|_| ())
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
