//! Addresses and transports to connect to.

use tickwire_shared::websocket;
use url::{Host, Url};

use super::ConnectError;

/// The transport that carries a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Plain QUIC, protocol `tickwire/1`.
    Quic,
    /// WebTransport over HTTP/3.
    WebTransport,
    /// A WebSocket, for networks that block UDP.
    WebSocket,
}

impl std::fmt::Display for Transport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Transport::Quic => "QUIC",
            Transport::WebTransport => "WebTransport",
            Transport::WebSocket => "WebSocket",
        })
    }
}

/// A parsed address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) given: String,
    pub(super) transport: Transport,
    /// A name or an IP address, without brackets.
    pub(super) host: String,
    pub(super) port: u16,
    /// The path that a WebSocket requests.
    pub(super) path: String,
    /// A WebSocket with TLS. The other transports always have it.
    pub(super) tls: bool,
}

impl Target {
    pub(super) fn parse(given: &str) -> Result<Target, ConnectError> {
        let wrong = |reason: &str| ConnectError::Target {
            target: given.to_owned(),
            reason: format!(
                "{reason}; write quic://host:port, https://host:port or ws://host:port/ws"
            ),
        };
        let text = if given.contains("://") { given.to_owned() } else { format!("quic://{given}") };
        let url = Url::parse(&text).map_err(|error| wrong(&error.to_string()))?;
        let transport = match url.scheme() {
            "quic" => Transport::Quic,
            "https" => Transport::WebTransport,
            "ws" | "wss" => Transport::WebSocket,
            other => return Err(wrong(&format!("\"{other}\" is not a transport"))),
        };
        let host = match url.host() {
            Some(Host::Ipv6(address)) => address.to_string(),
            Some(host) => host.to_string(),
            None => return Err(wrong("it names no host")),
        };
        let port = url.port_or_known_default().ok_or_else(|| wrong("it names no port"))?;
        let path = match url.path() {
            "" | "/" => websocket::PATH.to_owned(),
            path => path.to_owned(),
        };
        let tls = url.scheme() != "ws";
        Ok(Target { given: given.to_owned(), transport, host, port, path, tls })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemes_choose_the_transport() {
        let parse = |text| Target::parse(text).map(|t| (t.transport, t.host, t.port));
        let quic = |host: &str| (Transport::Quic, host.to_owned(), 4433);
        assert_eq!(parse("localhost:4433").unwrap(), quic("localhost"));
        assert_eq!(parse("quic://[::1]:4433").unwrap(), quic("::1"));
        let web = (Transport::WebTransport, "game.example".to_owned(), 443);
        assert_eq!(parse("https://game.example/").unwrap(), web);
        for (text, port, path, tls) in [
            ("ws://[::1]:4433/ws", 4433, "/ws", false),
            ("ws://[::1]:4433", 4433, "/ws", false),
            ("wss://[::1]/game/ws", 443, "/game/ws", true),
        ] {
            let target = Target::parse(text).unwrap();
            assert_eq!(target.transport, Transport::WebSocket);
            assert_eq!((target.host.as_str(), target.port), ("::1", port));
            assert_eq!((target.path.as_str(), target.tls), (path, tls));
        }
    }

    #[test]
    fn a_wrong_address_says_what_to_write() {
        for wrong in ["", "quic://localhost", "ftp://localhost:1", "localhost:99999"] {
            let error = Target::parse(wrong).unwrap_err().to_string();
            assert!(error.contains("write quic://host:port"), "{wrong}: {error}");
        }
    }
}
