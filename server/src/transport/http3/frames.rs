//! Frames from a stream, and the kinds allowed on each.
//!
//! ```text
//! +--------------+----------------+---------+
//! | kind: varint | length: varint | payload |   RFC 9114, section 7.1
//! +--------------+----------------+---------+
//! ```

use std::sync::Arc;
use std::time::Duration;

use governor::{DefaultDirectRateLimiter, Quota};

use super::HttpError;
use super::code::Code;
use crate::config::ServerConfig;
use crate::transport::driver::RecvStream;

pub(super) const FRAME_DATA: u64 = 0x00;
pub(super) const FRAME_HEADERS: u64 = 0x01;
pub(super) const FRAME_CANCEL_PUSH: u64 = 0x03;
pub(super) const FRAME_SETTINGS: u64 = 0x04;
pub(super) const FRAME_PUSH_PROMISE: u64 = 0x05;
pub(super) const FRAME_GOAWAY: u64 = 0x07;
pub(super) const FRAME_MAX_PUSH_ID: u64 = 0x0d;
/// Begins a stream of a session: `WEBTRANSPORT_STREAM`, then the session's id, without a length.
pub(super) const FRAME_STREAM: u64 = 0x41;
/// Frame kinds of HTTP/2, which are forbidden (RFC 9114, section 7.2.8).
const OF_HTTP2: [u64; 4] = [0x02, 0x06, 0x08, 0x09];

/// The stream ended within a frame.
pub(super) const CUT: HttpError = HttpError::Rule(Code::FRAME_ERROR);
/// Bytes read ahead.
const HELD_BYTES: usize = 512;
/// Pause of a connection that has used up its allowance.
const TURN_PAUSE: Duration = Duration::from_millis(50);

/// How often one connection may open streams, and be read on streams of HTTP/3 itself: at the rate
/// of frames on a session's streams. Beyond that it waits, and so does the peer.
#[derive(Clone, Debug)]
pub(super) struct ReadAllowance(Arc<DefaultDirectRateLimiter>);

impl ReadAllowance {
    pub(super) fn new(limits: &ServerConfig) -> Self {
        let count = |value: u32| value.try_into().unwrap_or(std::num::NonZeroU32::MIN);
        let quota = Quota::per_second(count(limits.control_frames_hz));
        let quota = quota.allow_burst(count(limits.control_frames_burst));
        ReadAllowance(Arc::new(DefaultDirectRateLimiter::direct(quota)))
    }

    /// Waits until the allowance permits one more.
    pub(super) async fn next(&self) {
        while self.0.check().is_err() {
            tokio::time::sleep(TURN_PAUSE).await;
        }
    }
}

/// The bytes of one stream.
#[derive(Debug)]
pub(crate) struct Reader {
    recv: RecvStream,
    /// The bytes read ahead lie between `at` and `end`.
    held: Vec<u8>,
    at: usize,
    end: usize,
    turns: ReadAllowance,
}

impl Reader {
    /// Reads only what is asked for, so that another reader can continue.
    pub(super) fn new(recv: RecvStream, turns: ReadAllowance) -> Self {
        Reader { recv, held: vec![0; 1], at: 0, end: 0, turns }
    }

    /// From now on reads ahead, within the allowance: no other reader will continue.
    pub(super) fn read_ahead(&mut self) {
        if self.held.len() == 1 {
            self.held.resize(HELD_BYTES, 0);
        }
    }

    /// The stream itself; only if nothing was read ahead.
    pub(super) fn into_inner(self) -> RecvStream {
        debug_assert_eq!(self.at, self.end);
        self.recv
    }

    /// Tells the peer to stop sending.
    pub(super) fn stop(&mut self, code: Code) {
        self.recv.stop(code.number());
    }

    /// The next bytes, at most `bytes_max`; `None` at the stream's end.
    pub(super) async fn read(&mut self, bytes_max: u64) -> Result<Option<&[u8]>, HttpError> {
        if self.at == self.end {
            if self.held.len() > 1 {
                self.turns.next().await;
            }
            let Some(count) = self.recv.read(&mut self.held).await? else { return Ok(None) };
            (self.at, self.end) = (0, count);
        }
        let count = usize::try_from(bytes_max).unwrap_or(usize::MAX).min(self.end - self.at);
        self.at += count;
        Ok(Some(&self.held[self.at - count..self.at]))
    }

    pub(super) async fn byte(&mut self) -> Result<Option<u8>, HttpError> {
        Ok(self.read(1).await?.map(|bytes| bytes[0]))
    }

    /// A varint (RFC 9000, section 16); `None` at the stream's end.
    pub(super) async fn varint(&mut self) -> Result<Option<u64>, HttpError> {
        let Some(first) = self.byte().await? else { return Ok(None) };
        let mut value = u64::from(first & 0x3f);
        for _ in 1..1 << (first >> 6) {
            value = value << 8 | u64::from(self.byte().await?.ok_or(CUT)?);
        }
        Ok(Some(value))
    }

    /// The kind and length of the next known frame; `None` at the stream's end. Unknown frames are
    /// skipped; forbidden kinds are errors.
    pub(super) async fn frame(&mut self) -> Result<Option<(u64, u64)>, HttpError> {
        match self.varint().await? {
            Some(kind) => self.frame_of(kind).await,
            None => Ok(None),
        }
    }

    /// Like [`Reader::frame`], after the kind of the next frame was already read.
    pub(super) async fn frame_of(&mut self, first: u64) -> Result<Option<(u64, u64)>, HttpError> {
        let mut kind = first;
        loop {
            if kind == FRAME_STREAM {
                // It may only begin a stream, where it is handled.
                return Err(HttpError::Rule(Code::FRAME_ERROR));
            }
            let length = self.varint().await?.ok_or(CUT)?;
            match kind {
                FRAME_DATA..=FRAME_HEADERS
                | FRAME_CANCEL_PUSH..=FRAME_PUSH_PROMISE
                | FRAME_GOAWAY
                | FRAME_MAX_PUSH_ID => return Ok(Some((kind, length))),
                _ if OF_HTTP2.contains(&kind) => {
                    return Err(HttpError::Rule(Code::FRAME_UNEXPECTED));
                }
                _ => self.skip(length).await?,
            }
            let Some(next) = self.varint().await? else { return Ok(None) };
            kind = next;
        }
    }

    /// The payload of a frame. Memory grows with the received bytes, not with the announced length.
    pub(super) async fn payload(&mut self, length: u64) -> Result<Vec<u8>, HttpError> {
        let mut payload = Vec::new();
        while payload.len() as u64 != length {
            let left = length - payload.len() as u64;
            payload.extend_from_slice(self.read(left).await?.ok_or(CUT)?);
        }
        Ok(payload)
    }

    /// Skips the payload of a frame.
    pub(super) async fn skip(&mut self, length: u64) -> Result<(), HttpError> {
        let mut left = length;
        while left > 0 {
            left -= self.read(left).await?.ok_or(CUT)?.len() as u64;
        }
        Ok(())
    }
}

/// Appends a varint in its shortest form (RFC 9000, section 16).
pub(crate) fn put_varint(value: u64, out: &mut Vec<u8>) {
    let bytes = value.to_be_bytes();
    let (skipped, mark) = match value {
        0..0x40 => (7, 0x00),
        0x40..0x4000 => (6, 0x40),
        0x4000..0x4000_0000 => (4, 0x80),
        _ => (0, 0xc0),
    };
    out.push(bytes[skipped] | mark);
    out.extend_from_slice(&bytes[skipped + 1..]);
}

/// The varint at the beginning of `bytes`, and the rest.
pub(crate) fn split_varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let first = *bytes.first()?;
    let (rest_of_it, rest) = bytes[1..].split_at_checked((1 << (first >> 6)) - 1)?;
    let high = u64::from(first & 0x3f);
    Some((rest_of_it.iter().fold(high, |value, byte| value << 8 | u64::from(*byte)), rest))
}

/// Appends a frame.
pub(super) fn put_frame(kind: u64, payload: &[u8], out: &mut Vec<u8>) {
    put_varint(kind, out);
    put_varint(payload.len() as u64, out);
    out.extend_from_slice(payload);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_are_those_of_the_rfc() {
        // The examples of RFC 9000, appendix A.1.
        for (value, expected) in [
            (37, &[0x25][..]),
            (15_293, &[0x7b, 0xbd]),
            (494_878_333, &[0x9d, 0x7f, 0x3e, 0x7d]),
            (151_288_809_941_952_652, &[0xc2, 0x19, 0x7c, 0x5e, 0xff, 0x14, 0xe8, 0x8c]),
        ] {
            let mut bytes = Vec::new();
            put_varint(value, &mut bytes);
            assert_eq!(bytes, expected);
            assert_eq!(split_varint(&bytes), Some((value, &[][..])));
        }
        assert_eq!(split_varint(&[0x40, 0x25, 7]), Some((37, &[7][..])), "longer than it needs");
        assert_eq!(split_varint(&[0x40]), None);
        assert_eq!(split_varint(&[]), None);
    }
}
