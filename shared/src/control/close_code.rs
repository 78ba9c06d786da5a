//! Every way a session can end.

use serde::{Deserialize, Serialize};

/// Why a session ended: the QUIC or WebTransport application error code, and the code of
/// [`ServerFrame::Goodbye`](super::ServerFrame::Goodbye). Public API: numbers never change meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[repr(u32)]
pub enum CloseCode {
    /// The peer said goodbye.
    Normal = 0,
    /// The server is stopping.
    ServerStopping = 1,
    /// Removed by the room's host, which ends a stay and no session, or by an operator.
    Kicked = 2,
    /// Frames or datagrams of another protocol version.
    VersionMismatch = 3,
    /// Schemas that do not fit.
    SchemaMismatch = 4,
    /// A frame that cannot be read.
    MalformedFrame = 5,
    /// A frame longer than 64 KiB.
    FrameTooLarge = 6,
    /// A datagram that cannot be read.
    MalformedDatagram = 7,
    /// Something sent before hello.
    TooEarly = 8,
    /// A second hello.
    SecondHello = 9,
    /// A stream beyond the two, of an unknown kind, or a second of the same kind.
    UnexpectedStream = 10,
    /// No hello, or no stream, within the deadline.
    HandshakeTimeout = 11,
    /// Every place on the server is taken.
    ServerFull = 12,
    /// Reliable messages were not read fast enough.
    TooSlow = 13,
    /// The room stopped because of a fault in the game.
    RoomFailed = 14,
    /// The peer vanished: nothing came for the idle time, or the transport failed.
    ConnectionLost = 15,
    /// The page's origin is not on the server's list.
    OriginRefused = 16,
    /// The server sent something this client cannot use.
    ServerMisbehaved = 17,
    /// In no room for too long.
    NoRoom = 18,
    /// The connection carries no datagrams, or none that are large enough.
    NoDatagrams = 19,
    /// The session that the client wants to resume is over, or is not its own.
    ResumeRefused = 20,
    /// No token, on a server that needs one.
    TokenMissing = 21,
    /// A token that this server never takes.
    TokenInvalid = 22,
    /// An expired token.
    TokenExpired = 23,
    /// A token that is not valid yet.
    TokenNotYet = 24,
    /// A token that was used before.
    TokenUsed = 25,
    /// The account has a session already.
    AccountInUse = 26,
    /// Another session of the same account replaced this one.
    AccountTaken = 27,
    /// The player cannot be identified now.
    AuthUnavailable = 28,
}

impl CloseCode {
    /// Every code, in the order of their numbers.
    pub const ALL: [CloseCode; 29] = [
        CloseCode::Normal,
        CloseCode::ServerStopping,
        CloseCode::Kicked,
        CloseCode::VersionMismatch,
        CloseCode::SchemaMismatch,
        CloseCode::MalformedFrame,
        CloseCode::FrameTooLarge,
        CloseCode::MalformedDatagram,
        CloseCode::TooEarly,
        CloseCode::SecondHello,
        CloseCode::UnexpectedStream,
        CloseCode::HandshakeTimeout,
        CloseCode::ServerFull,
        CloseCode::TooSlow,
        CloseCode::RoomFailed,
        CloseCode::ConnectionLost,
        CloseCode::OriginRefused,
        CloseCode::ServerMisbehaved,
        CloseCode::NoRoom,
        CloseCode::NoDatagrams,
        CloseCode::ResumeRefused,
        CloseCode::TokenMissing,
        CloseCode::TokenInvalid,
        CloseCode::TokenExpired,
        CloseCode::TokenNotYet,
        CloseCode::TokenUsed,
        CloseCode::AccountInUse,
        CloseCode::AccountTaken,
        CloseCode::AuthUnavailable,
    ];

    /// The number on the wire.
    pub fn number(self) -> u32 {
        self as u32
    }

    /// The code of a number on the wire; an unknown one is a lost connection.
    pub fn from_number(number: u64) -> CloseCode {
        let known = usize::try_from(number).ok().and_then(|at| Self::ALL.get(at));
        known.copied().unwrap_or(CloseCode::ConnectionLost)
    }

    /// What happened and what to do about it, for a person.
    pub fn text(self) -> &'static str {
        match self {
            CloseCode::Normal => "goodbye",
            CloseCode::ServerStopping => "the server is stopping; try again in a minute",
            CloseCode::Kicked => "you were removed from the room by its host",
            CloseCode::VersionMismatch => {
                "client and server speak different protocol versions; update the older one"
            }
            CloseCode::SchemaMismatch => {
                "client and server were built from different rules; update the client"
            }
            CloseCode::MalformedFrame => "a frame could not be read; update the client",
            CloseCode::FrameTooLarge => "a frame was longer than 64 KiB; send less at once",
            CloseCode::MalformedDatagram => "a datagram could not be read; update the client",
            CloseCode::TooEarly => "something came before hello; send hello first",
            CloseCode::SecondHello => "hello came twice; send it once for each connection",
            CloseCode::UnexpectedStream => {
                "an unexpected stream was opened; open one control and one chat stream"
            }
            CloseCode::HandshakeTimeout => {
                "hello did not come in time; open the control stream and send hello at once"
            }
            CloseCode::ServerFull => "the server is full; try again later or another server",
            CloseCode::TooSlow => "messages were not read fast enough; check the network",
            CloseCode::RoomFailed => {
                "the room stopped because of a fault, and the session with it; connect again to play on"
            }
            CloseCode::ConnectionLost => "the connection was lost; connect again",
            CloseCode::OriginRefused => {
                "this page's origin is not allowed; add it to the server's allowed origins"
            }
            CloseCode::ServerMisbehaved => {
                "the server sent something this client cannot use; update the client"
            }
            CloseCode::NoRoom => "you were in no room for too long; connect again to play",
            CloseCode::NoDatagrams => {
                "the connection carries no datagrams; allow them, or connect over a WebSocket"
            }
            CloseCode::ResumeRefused => "the session is over; connect again to begin a new one",
            CloseCode::TokenMissing => {
                "this server takes players who have signed in; sign in, and connect with a token"
            }
            CloseCode::TokenInvalid => "the token is not valid on this server; sign in again",
            CloseCode::TokenExpired => "the token has expired; get a new one and connect again",
            CloseCode::TokenNotYet => {
                "the token is not valid yet; wait a moment, or set the clocks right"
            }
            CloseCode::TokenUsed => "the token was used before; get a new one and connect again",
            CloseCode::AccountInUse => "the account is playing already; end that session first",
            CloseCode::AccountTaken => "the account connected elsewhere, which ended this session",
            CloseCode::AuthUnavailable => "players cannot be checked now; try again in a minute",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_end_of_a_session_is_told_as_if_it_went_on() {
        for code in CloseCode::ALL {
            let text = code.text();
            assert!(
                !text.contains("join"),
                "{code:?}: who joins needs a session, which is over: {text}"
            );
        }
        let text = CloseCode::RoomFailed.text();
        assert!(text.contains("and the session with it; connect again"), "{text}");
    }
}
