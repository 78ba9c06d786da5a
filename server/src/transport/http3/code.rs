//! The error codes of HTTP/3 and its extensions.

use std::fmt;

use quinn_proto::VarInt;

/// The reason why a stream or a connection is given up (RFC 9114, section 8.1, unless noted).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Code(u32);

impl Code {
    /// RFC 9297, section 5.2.
    pub(crate) const DATAGRAM_ERROR: Code = Code(0x33);
    pub(crate) const NO_ERROR: Code = Code(0x100);
    pub(crate) const STREAM_CREATION_ERROR: Code = Code(0x103);
    pub(crate) const CLOSED_CRITICAL_STREAM: Code = Code(0x104);
    pub(crate) const FRAME_UNEXPECTED: Code = Code(0x105);
    pub(crate) const FRAME_ERROR: Code = Code(0x106);
    pub(crate) const EXCESSIVE_LOAD: Code = Code(0x107);
    pub(crate) const ID_ERROR: Code = Code(0x108);
    pub(crate) const SETTINGS_ERROR: Code = Code(0x109);
    pub(crate) const MISSING_SETTINGS: Code = Code(0x10a);
    pub(crate) const REQUEST_REJECTED: Code = Code(0x10b);
    pub(crate) const REQUEST_CANCELLED: Code = Code(0x10c);
    pub(crate) const REQUEST_INCOMPLETE: Code = Code(0x10d);
    pub(crate) const MESSAGE_ERROR: Code = Code(0x10e);
    /// RFC 9204, section 6.
    pub(crate) const DECOMPRESSION_FAILED: Code = Code(0x200);
    pub(crate) const ENCODER_STREAM_ERROR: Code = Code(0x201);
    pub(crate) const DECODER_STREAM_ERROR: Code = Code(0x202);
    /// draft-ietf-webtrans-http3-16, section 9.5.
    pub(crate) const BUFFERED_STREAM_REJECTED: Code = Code(0x3994_bd84);

    /// The code in a QUIC frame.
    pub(crate) fn number(self) -> VarInt {
        VarInt::from_u32(self.0)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:#x}", self.0)
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}
