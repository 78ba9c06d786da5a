//! Reads a WebSocket, counts its frames, and keeps to an agreed rate.
//!
//! Every message, ping or empty fragment costs the server a little. Whatever comes faster than the
//! rate stays with the system, whose window then makes the peer wait.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::{Buf as _, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use crate::token_bucket::TokenBucket;

const HEAD_BYTES_MAX: usize = 14;
/// Cost of one frame, in bytes, on top of its own bytes.
const COST_BYTES: u64 = 1024;
/// Burst in seconds: a path that stalled this long delivers everything sent meanwhile at once.
const BURST_S: f64 = 2.0;
/// Longest pause, in seconds. A frame announced longer than any allowed one is refused after it.
const DEBT_S_MAX: f64 = 10.0;

/// A connection read frame by frame at a limited rate.
pub(super) struct Intake<W> {
    wire: W,
    /// Bytes that came after the request.
    early: Bytes,
    frames: FramePosition,
    /// An excess becomes a debt.
    rate: TokenBucket,
    pause: Option<Pin<Box<Sleep>>>,
    unfinished: Unfinished,
}

/// The number of the incomplete message, from 1; 0 if there is none.
#[derive(Clone, Debug, Default)]
pub(super) struct Unfinished(Arc<AtomicU64>);

impl Unfinished {
    pub(super) fn number(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl<W> Intake<W> {
    /// `early` are the bytes before those of `wire`; `messages_hz` small messages are read each
    /// second.
    pub(super) fn new(wire: W, early: Bytes, messages_hz: u32) -> Self {
        Intake {
            wire,
            early,
            frames: FramePosition::default(),
            rate: TokenBucket::new(f64::from(messages_hz) * BURST_S, messages_hz, Instant::now()),
            pause: None,
            unfinished: Unfinished::default(),
        }
    }

    pub(super) fn unfinished(&self) -> Unfinished {
        self.unfinished.clone()
    }
}

impl<W: AsyncRead + Unpin> AsyncRead for Intake<W> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if let Some(pause) = &mut this.pause {
            ready!(pause.as_mut().poll(context));
            this.pause = None;
        }
        let before = buffer.filled().len();
        if this.early.is_empty() {
            ready!(Pin::new(&mut this.wire).poll_read(context, buffer))?;
        } else {
            let count = this.early.len().min(buffer.remaining());
            buffer.put_slice(&this.early[..count]);
            this.early.advance(count);
        }
        let cost = this.frames.take(&buffer.filled()[before..]);
        this.unfinished.0.store(this.frames.unfinished(), Ordering::Relaxed);
        let debt = this.rate.charge(cost, DEBT_S_MAX, Instant::now());
        if !debt.is_zero() {
            this.pause = Some(Box::pin(tokio::time::sleep(debt)));
        }
        Poll::Ready(Ok(()))
    }
}

impl<W: AsyncWrite + Unpin> AsyncWrite for Intake<W> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.wire).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_shutdown(context)
    }
}

/// The position of a byte stream in its frames (RFC 6455, section 5.2):
///
/// ```text
/// | end 1 | 3 | opcode 4 | masked 1 | length 7 | more length 0, 16, 64 | mask 0, 32 | payload
/// ```
#[derive(Debug, Default)]
struct FramePosition {
    head: [u8; HEAD_BYTES_MAX],
    head_bytes: usize,
    payload_left: u64,
    /// A message has begun whose last frame has not.
    goes_on: bool,
    /// The number of messages begun.
    begun: u64,
}

impl FramePosition {
    /// Advances over received bytes and returns their cost: one for each frame, and one for each
    /// KiB announced.
    fn take(&mut self, mut bytes: &[u8]) -> u64 {
        let mut cost = 0;
        while !bytes.is_empty() {
            if self.payload_left > 0 {
                let count = self.payload_left.min(bytes.len() as u64);
                self.payload_left -= count;
                bytes = &bytes[count as usize..];
                continue;
            }
            if self.head_bytes == 0 && !self.goes_on {
                self.begun += 1;
            }
            self.head[self.head_bytes] = bytes[0];
            self.head_bytes += 1;
            bytes = &bytes[1..];
            if self.head_bytes >= 2 && self.head_bytes == head_bytes(self.head[1]) {
                self.payload_left = payload_bytes(&self.head);
                cost += 1 + self.payload_left / COST_BYTES;
                let is_last = self.head[0] & 0x80 != 0;
                let is_control = self.head[0] & 0x08 != 0;
                self.goes_on = if is_control { self.goes_on } else { !is_last };
                self.head_bytes = 0;
            }
        }
        cost
    }

    /// The number of the incomplete message, 0 for none.
    fn unfinished(&self) -> u64 {
        let is_between = self.head_bytes == 0 && self.payload_left == 0 && !self.goes_on;
        if is_between { 0 } else { self.begun }
    }
}

/// Bytes of a frame's head, from its second byte.
fn head_bytes(second: u8) -> usize {
    let length = match second & 0x7f {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    let mask = if second & 0x80 == 0 { 0 } else { 4 };
    2 + length + mask
}

fn payload_bytes(head: &[u8; HEAD_BYTES_MAX]) -> u64 {
    match head[1] & 0x7f {
        126 => u64::from(u16::from_be_bytes([head[2], head[3]])),
        127 => {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&head[2..10]);
            u64::from_be_bytes(bytes)
        }
        short => u64::from(short),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A masked frame of a client.
    fn frame(first: u8, payload: usize) -> Vec<u8> {
        let mut bytes = vec![first];
        match payload {
            0..=125 => bytes.push(0x80 | payload as u8),
            126..=0xffff => {
                bytes.push(0xfe);
                bytes.extend((payload as u16).to_be_bytes());
            }
            _ => {
                bytes.push(0xff);
                bytes.extend((payload as u64).to_be_bytes());
            }
        }
        bytes.extend([0; 4]);
        bytes.extend(vec![0x81; payload]);
        bytes
    }

    const BINARY: u8 = 0x82;
    const PING: u8 = 0x89;

    #[test]
    fn frames_cost_the_same_however_they_are_cut() {
        let lengths = [0, 1, 125, 126, 1023, 1024, 65_535, 65_536];
        let stream: Vec<u8> = lengths.iter().flat_map(|length| frame(BINARY, *length)).collect();
        for cut in [1, 2, 3, 7, 4096, stream.len()] {
            let mut frames = FramePosition::default();
            let cost: u64 = stream.chunks(cut).map(|bytes| frames.take(bytes)).sum();
            assert_eq!(cost, 8 + 1 + 63 + 64, "{cut}");
            assert_eq!((frames.unfinished(), frames.begun), (0, 8));
        }
        // A server's frames are not masked.
        assert_eq!(FramePosition::default().take(&[0x82, 1, 9, 0x82, 0]), 2);
    }

    #[test]
    fn a_message_is_unfinished_from_its_first_byte_to_its_last_whatever_comes_between() {
        let mut frames = FramePosition::default();
        frames.take(&frame(BINARY, 3));
        assert_eq!(frames.unfinished(), 0);
        let parts = [frame(0x02, 5), frame(PING, 0), frame(0x00, 0), frame(PING, 9)].concat();
        for byte in parts {
            frames.take(&[byte]);
            assert_eq!(frames.unfinished(), 2);
        }
        frames.take(&frame(0x80, 1));
        assert_eq!(frames.unfinished(), 0);
        frames.take(&frame(PING, 2)[..3]);
        assert_eq!(frames.unfinished(), 3);
    }
}
