//! The settings of both sides of a connection.

use super::code::Code;
use super::fields::SECTION_BYTES_MAX;
use super::frames::{put_varint, split_varint};

const QPACK_MAX_TABLE_CAPACITY: u64 = 0x01;
const MAX_FIELD_SECTION_SIZE: u64 = 0x06;
const QPACK_BLOCKED_STREAMS: u64 = 0x07;
const ENABLE_CONNECT_PROTOCOL: u64 = 0x08;
const H3_DATAGRAM: u64 = 0x33;
/// draft-ietf-webtrans-http3-02.
const ENABLE_WEBTRANSPORT: u64 = 0x2b60_3742;
/// draft-ietf-webtrans-http3-07.
const WEBTRANSPORT_MAX_SESSIONS: u64 = 0xc671_706a;
/// Settings of HTTP/2, which are forbidden (RFC 9114, section 11.2.2).
const OF_HTTP2: [u64; 5] = [0x00, 0x02, 0x03, 0x04, 0x05];

/// This side's settings, as the payload of a SETTINGS frame.
///
/// WebTransport is announced by the settings of two old drafts, which every browser knows. Later
/// drafts require flow control, which is missing here: their settings must not be sent.
pub(super) fn ours() -> Vec<u8> {
    let mut payload = Vec::new();
    for (id, value) in [
        (QPACK_MAX_TABLE_CAPACITY, 0),
        (MAX_FIELD_SECTION_SIZE, SECTION_BYTES_MAX as u64),
        (QPACK_BLOCKED_STREAMS, 0),
        (ENABLE_CONNECT_PROTOCOL, 1),
        (H3_DATAGRAM, 1),
        (ENABLE_WEBTRANSPORT, 1),
        (WEBTRANSPORT_MAX_SESSIONS, 1),
    ] {
        put_varint(id, &mut payload);
        put_varint(value, &mut payload);
    }
    payload
}

/// The peer's relevant settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PeerSettings {
    /// It takes HTTP datagrams.
    pub(super) datagrams: bool,
}

impl PeerSettings {
    /// Reads the payload of a SETTINGS frame.
    pub(super) fn read(mut payload: &[u8]) -> Result<Self, Code> {
        let mut seen = Vec::new();
        let mut datagrams = false;
        while !payload.is_empty() {
            let (id, rest) = split_varint(payload).ok_or(Code::FRAME_ERROR)?;
            let (value, rest) = split_varint(rest).ok_or(Code::FRAME_ERROR)?;
            payload = rest;
            let is_switch =
                [ENABLE_CONNECT_PROTOCOL, H3_DATAGRAM, ENABLE_WEBTRANSPORT].contains(&id);
            if seen.contains(&id) || OF_HTTP2.contains(&id) || (is_switch && value > 1) {
                return Err(Code::SETTINGS_ERROR);
            }
            seen.push(id);
            datagrams |= id == H3_DATAGRAM && value == 1;
        }
        Ok(PeerSettings { datagrams })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(settings: &[(u64, u64)]) -> Vec<u8> {
        let mut payload = Vec::new();
        settings
            .iter()
            .flat_map(|(id, value)| [id, value])
            .for_each(|it| put_varint(*it, &mut payload));
        payload
    }

    #[test]
    fn what_nobody_knows_is_passed_over() {
        let theirs =
            payload(&[(0x21, 7), (0x4d44, 1), (H3_DATAGRAM, 1), (0x1f * 99_999 + 0x21, 1 << 60)]);
        assert_eq!(PeerSettings::read(&theirs), Ok(PeerSettings { datagrams: true }));
        assert_eq!(
            PeerSettings::read(&payload(&[(H3_DATAGRAM, 0)])),
            Ok(PeerSettings { datagrams: false })
        );
        assert_eq!(PeerSettings::read(&[]), Ok(PeerSettings { datagrams: false }));
        assert_eq!(PeerSettings::read(&ours()), Ok(PeerSettings { datagrams: true }));
    }

    #[test]
    fn wrong_settings_end_the_connection() {
        for wrong in [
            &[(H3_DATAGRAM, 2)][..],
            &[(ENABLE_CONNECT_PROTOCOL, 7)],
            &[(ENABLE_WEBTRANSPORT, 2)],
            &[(H3_DATAGRAM, 1), (H3_DATAGRAM, 1)],
            &[(0x4d44, 1), (0x4d44, 2)],
            &[(0x00, 1)],
            &[(0x02, 1)],
            &[(0x05, 1)],
        ] {
            assert_eq!(PeerSettings::read(&payload(wrong)), Err(Code::SETTINGS_ERROR), "{wrong:?}");
        }
        assert_eq!(PeerSettings::read(&[0x33]), Err(Code::FRAME_ERROR));
        assert_eq!(PeerSettings::read(&[0x40]), Err(Code::FRAME_ERROR));
    }
}
