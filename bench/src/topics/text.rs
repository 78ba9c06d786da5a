//! The text protocols of NATS and Redis, as far as a publisher and a subscriber need them. No sockets here: bytes go in and out.
//!
//! Written from the protocols' own pages: docs.nats.io/reference/reference-protocols/nats-protocol and
//! redis.io/docs/latest/develop/reference/protocol-spec.

use anyhow::{Context as _, bail, ensure};

/// Bytes of a line at most.
const LINE_BYTES_MAX: usize = 64 * 1024;

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TextProtocol {
    Nats,
    Redis,
}

/// What a server says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TextFrame {
    /// The subscription is there.
    Subscribed,
    Message(Vec<u8>),
    /// It wants to be answered.
    Ping,
    /// An answer that needs nothing.
    Other,
}

/// Reads a server's frames from pieces of its stream.
#[derive(Clone, Debug)]
pub(super) struct TextReader {
    protocol: TextProtocol,
    bytes: Vec<u8>,
    /// Bytes of them that were read.
    read: usize,
}

impl TextProtocol {
    /// The first bytes of a subscriber.
    pub(super) fn subscribe(self, topic: &str) -> Vec<u8> {
        match self {
            // The answer to the ping comes after the subscription.
            TextProtocol::Nats => format!("{CONNECT}SUB {topic} 1\r\nPING\r\n").into_bytes(),
            TextProtocol::Redis => command(&[b"SUBSCRIBE", topic.as_bytes()]),
        }
    }

    /// The first bytes of a publisher.
    pub(super) fn connect(self) -> &'static [u8] {
        match self {
            TextProtocol::Nats => CONNECT.as_bytes(),
            TextProtocol::Redis => b"",
        }
    }

    pub(super) fn publish(self, topic: &str, payload: &[u8]) -> Vec<u8> {
        match self {
            TextProtocol::Nats => {
                let head = format!("PUB {topic} {}\r\n", payload.len());
                [head.as_bytes(), payload, b"\r\n"].concat()
            }
            TextProtocol::Redis => command(&[b"PUBLISH", topic.as_bytes(), payload]),
        }
    }

    /// The answer to a ping.
    pub(super) fn pong(self) -> &'static [u8] {
        match self {
            TextProtocol::Nats => b"PONG\r\n",
            TextProtocol::Redis => b"",
        }
    }
}

/// What a client of NATS says first: no answer to each message, no checks of names.
const CONNECT: &str = "CONNECT {\"verbose\":false,\"pedantic\":false,\"lang\":\"rust\"}\r\n";

/// A command of Redis: an array of strings.
fn command(words: &[&[u8]]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        bytes.extend_from_slice(word);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

impl TextReader {
    pub(super) fn new(protocol: TextProtocol) -> Self {
        TextReader { protocol, bytes: Vec::new(), read: 0 }
    }

    /// Takes bytes of the stream.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.drain(..std::mem::take(&mut self.read));
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole frame; `None` if there is none yet.
    ///
    /// # Errors
    /// If it is not of the protocol, or the server tells of an error.
    pub(super) fn poll(&mut self) -> anyhow::Result<Option<TextFrame>> {
        let mut rest = Rest { bytes: &self.bytes[self.read..], read: 0 };
        let frame = match self.protocol {
            TextProtocol::Nats => rest.nats()?,
            TextProtocol::Redis => rest.redis()?,
        };
        if frame.is_some() {
            self.read += rest.read;
        }
        Ok(frame)
    }
}

/// Bytes that are not read yet.
struct Rest<'a> {
    bytes: &'a [u8],
    read: usize,
}

impl<'a> Rest<'a> {
    fn nats(&mut self) -> anyhow::Result<Option<TextFrame>> {
        let Some(line) = self.line()? else { return Ok(None) };
        let mut words = line.split(' ');
        match words.next().unwrap_or_default() {
            "MSG" => {
                let length = words.next_back().context("a message without a length")?;
                let length = length.parse().context("the length of a message")?;
                Ok(self.block(length)?.map(|payload| TextFrame::Message(payload.to_vec())))
            }
            "PING" => Ok(Some(TextFrame::Ping)),
            "PONG" => Ok(Some(TextFrame::Subscribed)),
            "INFO" | "+OK" => Ok(Some(TextFrame::Other)),
            _ => bail!("NATS says {line:?}"),
        }
    }

    fn redis(&mut self) -> anyhow::Result<Option<TextFrame>> {
        let Some(line) = self.line()? else { return Ok(None) };
        match line.split_at_checked(1) {
            // The number of subscribers that a message went to.
            Some((":" | "+", _)) => Ok(Some(TextFrame::Other)),
            Some(("*", "3")) => {
                let (Some(kind), Some(_)) = (self.string()?, self.string()?) else {
                    return Ok(None);
                };
                match kind {
                    b"message" => {
                        let payload = self.string()?;
                        Ok(payload.map(|payload| TextFrame::Message(payload.to_vec())))
                    }
                    // A number follows.
                    b"subscribe" => Ok(self.line()?.map(|_| TextFrame::Subscribed)),
                    _ => bail!("Redis says {:?}", String::from_utf8_lossy(kind)),
                }
            }
            _ => bail!("Redis says {line:?}"),
        }
    }

    /// The next line, without its end.
    fn line(&mut self) -> anyhow::Result<Option<&'a str>> {
        let rest = &self.bytes[self.read..];
        let Some(end) = rest.windows(2).position(|two| two == b"\r\n") else {
            ensure!(rest.len() <= LINE_BYTES_MAX, "a line without an end");
            return Ok(None);
        };
        self.read += end + 2;
        Ok(Some(std::str::from_utf8(&rest[..end]).context("a line that is no text")?))
    }

    /// So many bytes and the end of their line.
    fn block(&mut self, length: usize) -> anyhow::Result<Option<&'a [u8]>> {
        let rest = &self.bytes[self.read..];
        let end = length.checked_add(2).context("the length of a message")?;
        let Some(block) = rest.get(..end) else { return Ok(None) };
        ensure!(block.ends_with(b"\r\n"), "a message is longer than it says");
        self.read += end;
        Ok(Some(&block[..length]))
    }

    /// A string of Redis.
    fn string(&mut self) -> anyhow::Result<Option<&'a [u8]>> {
        let Some(line) = self.line()? else { return Ok(None) };
        let length = line.strip_prefix('$').with_context(|| format!("Redis says {line:?}"))?;
        self.block(length.parse().context("the length of a string")?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The frames of bytes that come one by one, or all at once.
    fn frames(protocol: TextProtocol, bytes: &[u8], piece: usize) -> Vec<TextFrame> {
        let mut reader = TextReader::new(protocol);
        let mut frames = Vec::new();
        for piece in bytes.chunks(piece) {
            reader.push(piece);
            frames.extend(std::iter::from_fn(|| reader.poll().unwrap()));
        }
        frames
    }

    #[test]
    fn frames_are_read_however_their_bytes_come() {
        let nats =
            b"INFO {\"version\":\"2\"}\r\nPING\r\nPONG\r\nMSG bench/prices 1 4\r\na\r\nb\r\n\
            MSG bench/prices 1 inbox.7 0\r\n\r\n+OK\r\n";
        let redis = b"*3\r\n$9\r\nsubscribe\r\n$1\r\nx\r\n:1\r\n*3\r\n$7\r\nmessage\r\n$1\r\nx\r\n\
            $4\r\na\r\nb\r\n:12\r\n*3\r\n$7\r\nmessage\r\n$1\r\nx\r\n$0\r\n\r\n";
        use TextFrame::{Message, Other, Ping, Subscribed};
        let (some, none) = (Message(b"a\r\nb".to_vec()), Message(Vec::new()));
        for piece in [1, 2, 7, 1000] {
            let found = frames(TextProtocol::Nats, nats, piece);
            assert_eq!(found, [Other, Ping, Subscribed, some.clone(), none.clone(), Other]);
            let found = frames(TextProtocol::Redis, redis, piece);
            assert_eq!(found, [Subscribed, some.clone(), Other, none.clone()]);
        }
    }

    #[test]
    fn what_is_not_of_the_protocol_is_an_error() {
        for (protocol, bytes) in [
            (TextProtocol::Nats, &b"-ERR 'Unknown Protocol Operation'\r\n"[..]),
            (TextProtocol::Nats, b"MSG x 1 1\r\nabc"),
            (TextProtocol::Nats, b"MSG x 1 18446744073709551615\r\n"),
            (TextProtocol::Redis, b"-ERR unknown command\r\n"),
            (TextProtocol::Redis, b"*2\r\n"),
            (TextProtocol::Redis, b"*3\r\n:7\r\n"),
            (TextProtocol::Redis, b"\xff\r\n"),
        ] {
            let mut reader = TextReader::new(protocol);
            reader.push(bytes);
            assert!(reader.poll().is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn requests_are_as_the_protocols_say() {
        let (nats, redis) = (TextProtocol::Nats, TextProtocol::Redis);
        assert_eq!(nats.publish("a", b"hi"), b"PUB a 2\r\nhi\r\n");
        assert_eq!(redis.publish("a", b"hi"), b"*3\r\n$7\r\nPUBLISH\r\n$1\r\na\r\n$2\r\nhi\r\n");
        assert_eq!(redis.subscribe("a"), b"*2\r\n$9\r\nSUBSCRIBE\r\n$1\r\na\r\n");
        assert!(nats.subscribe("a").ends_with(b"SUB a 1\r\nPING\r\n"));
    }
}
