//! Frames on their way to one client: two streams, one bound.
//!
//! For a client that can resume its session, written frames are kept until the client reports them:
//! see [`kept`].

mod kept;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use tickwire_shared::control::{
    FRAME_BYTES_MAX, FRAME_LENGTH_BYTES, Received, ServerFrame, write_frame,
};
use tokio::sync::Notify;

use crate::config::ServerConfig;
use crate::transport::{SendHalf, StreamOver};
use kept::KeptFrames;

/// Bytes of the version in each frame.
const VERSION_BYTES: usize = 1;

/// The frames that wait for one client's streams.
#[derive(Debug)]
pub(crate) struct Reliable {
    control: StreamQueue,
    chat: StreamQueue,
    /// Bytes of both streams that the transport has not accepted yet.
    waiting_bytes: AtomicUsize,
    bytes_max: usize,
    time_max: Duration,
    /// The client can resume its session: written frames are kept until it has them.
    keeps: AtomicBool,
}

/// The frames of one stream.
#[derive(Debug, Default)]
struct StreamQueue {
    state: Mutex<StreamState>,
    /// Notified of new frames, of the end and of a release.
    changed: Notify,
    /// Notified when the writer has ended.
    done: Notify,
}

#[derive(Debug, Default)]
struct StreamState {
    /// Written before everything else, and counted nowhere.
    prefix: Vec<u8>,
    frames: Vec<u8>,
    /// Frames in `frames`.
    count: u32,
    kept: KeptFrames,
    /// Asks the writer to give the stream back.
    released: bool,
    /// True while a writer serves the stream.
    open: bool,
    /// No frames follow.
    finished: bool,
}

/// One of the two streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StreamKind {
    Control,
    Chat,
}

/// The reason why frames do not reach a client.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ReliableError {
    #[error("more than {bytes_max} bytes of messages wait for the client; check the network")]
    TooMany { bytes_max: usize },
    #[error("messages waited {time_max_ms} ms for the client; check the network")]
    TooLong { time_max_ms: u128 },
    #[error("a frame of {bytes} bytes cannot be sent; {FRAME_BYTES_MAX} are allowed")]
    FrameTooLarge { bytes: usize },
    #[error("the client gave the stream up")]
    GivenUp,
}

impl Reliable {
    pub(crate) fn new(config: &ServerConfig) -> Self {
        Reliable {
            control: StreamQueue::default(),
            chat: StreamQueue::default(),
            waiting_bytes: AtomicUsize::new(0),
            bytes_max: config.reliable_bytes_max,
            time_max: Duration::from_millis(u64::from(config.reliable_ms)),
            keeps: AtomicBool::new(false),
        }
    }

    /// Keeps frames written from now on until the client has them.
    pub(crate) fn keep(&self) {
        self.keeps.store(true, Ordering::Relaxed);
    }

    /// Takes the client's report of received frames. Returns false for frames that were never
    /// written.
    pub(crate) fn acknowledge(&self, received: Received) -> bool {
        self.each(received).all(|(stream, count)| stream.state().kept.acknowledge(count))
    }

    /// True if all frames after `received` are still here.
    pub(crate) fn can_resume(&self, received: Received) -> bool {
        self.keeps.load(Ordering::Relaxed)
            && self.each(received).all(|(stream, count)| stream.state().kept.reaches(count))
    }

    /// Prepares two new streams: `answer` comes first and is in no count, then the frames that the client lacks. No writer
    /// may be running.
    pub(crate) fn resume(&self, received: Received, answer: &ServerFrame) {
        for (stream, count) in self.each(received) {
            let mut state = stream.state();
            // Of a connection that was lost before its first byte.
            state.prefix.clear();
            let (mut frames, again) = state.kept.take_after(count);
            self.waiting_bytes.fetch_add(frames.len(), Ordering::Relaxed);
            frames.append(&mut state.frames);
            state.frames = frames;
            state.count += again;
        }
        write_frame(answer, &mut self.control.state().prefix);
    }

    /// Asks the writers to give their streams back.
    pub(crate) fn release(&self) {
        for stream in [&self.control, &self.chat] {
            stream.state().released = true;
            stream.changed.notify_one();
        }
    }

    /// Ends the release: writers keep their streams.
    pub(crate) fn hold_again(&self) {
        for stream in [&self.control, &self.chat] {
            stream.state().released = false;
        }
    }

    fn each(&self, received: Received) -> impl Iterator<Item = (&StreamQueue, u32)> {
        [(&self.control, received.control), (&self.chat, received.chat)].into_iter()
    }

    /// Queues a frame. Never waits.
    ///
    /// # Errors
    /// If too much waits already, or the frame is too large; then nothing is queued.
    pub(crate) fn push<T: Serialize>(
        &self,
        name: StreamKind,
        frame: &T,
    ) -> Result<(), ReliableError> {
        let bytes = frame_bytes(frame);
        if bytes > FRAME_BYTES_MAX {
            return Err(ReliableError::FrameTooLarge { bytes });
        }
        self.admit(bytes)?;
        self.append(name, |frames| write_frame(frame, frames));
        Ok(())
    }

    /// Queues a coded frame with its length in front. Never waits.
    ///
    /// # Errors
    /// If too much waits already; then nothing is queued.
    pub(crate) fn push_coded(&self, name: StreamKind, frame: &[u8]) -> Result<(), ReliableError> {
        self.admit(frame.len() - FRAME_LENGTH_BYTES)?;
        self.append(name, |frames| frames.extend_from_slice(frame));
        Ok(())
    }

    /// Bytes of both streams that the transport has not accepted yet.
    pub(crate) fn waiting_bytes(&self) -> usize {
        self.waiting_bytes.load(Ordering::Relaxed)
    }

    /// True if a page of history of that many bytes leaves a quarter of the place for other frames.
    pub(super) fn has_place_for_page(&self, bytes: usize) -> bool {
        self.waiting_bytes() + bytes <= self.bytes_max - self.bytes_max / 4
    }

    fn admit(&self, bytes: usize) -> Result<(), ReliableError> {
        if self.waiting_bytes() + bytes > self.bytes_max {
            return Err(ReliableError::TooMany { bytes_max: self.bytes_max });
        }
        Ok(())
    }

    /// Queues the session's last frame if there is one, regardless of the bound, and finishes both streams.
    pub(crate) fn finish(&self, goodbye: Option<&ServerFrame>) {
        if let Some(goodbye) = goodbye
            && frame_bytes(goodbye) <= FRAME_BYTES_MAX
        {
            self.append(StreamKind::Control, |frames| write_frame(goodbye, frames));
        }
        for lane in [&self.control, &self.chat] {
            lane.state().finished = true;
            lane.changed.notify_one();
        }
    }

    /// Waits until both streams have ended and the client has received all of them.
    pub(crate) async fn flushed(&self) {
        for lane in [&self.control, &self.chat] {
            loop {
                let done = lane.done.notified();
                if !lane.state().open {
                    break;
                }
                done.await;
            }
        }
    }

    /// Announces a writer for this stream.
    pub(crate) fn open(&self, name: StreamKind) {
        self.lane(name).state().open = true;
    }

    /// Writes one stream until the session ends or the stream is released.
    ///
    /// # Errors
    /// If the client did not take its frames in time, or takes no more.
    pub(crate) async fn write(
        &self,
        name: StreamKind,
        send: &mut SendHalf,
    ) -> Result<(), ReliableError> {
        let lane = self.lane(name);
        let result = self.write_lane(lane, send).await;
        lane.state().open = false;
        lane.done.notify_waiters();
        result
    }

    async fn write_lane(
        &self,
        lane: &StreamQueue,
        send: &mut SendHalf,
    ) -> Result<(), ReliableError> {
        loop {
            let Taken { prefix, frames, finished, released } =
                lane.take(self.keeps.load(Ordering::Relaxed).then_some(self.bytes_max));
            if released {
                return Ok(());
            }
            if !frames.is_empty() || !prefix.is_empty() {
                let write = async {
                    send.write_all(&prefix).await?;
                    send.write_all(&frames).await
                };
                let written = tokio::time::timeout(self.time_max, write).await;
                let too_long = ReliableError::TooLong { time_max_ms: self.time_max.as_millis() };
                match written.map_err(|_| too_long)? {
                    Ok(()) => {}
                    Err(StreamOver::GivenUp) => return Err(ReliableError::GivenUp),
                    // The session's own end gives the reason.
                    Err(StreamOver::WithSession) => return Ok(()),
                }
                self.waiting_bytes.fetch_sub(frames.len(), Ordering::Relaxed);
            } else if finished {
                send.finish().await;
                return Ok(());
            } else {
                tokio::select! {
                    biased;
                    () = lane.changed.notified() => {}
                    () = send.given_up() => return Err(ReliableError::GivenUp),
                }
            }
        }
    }

    fn append(&self, name: StreamKind, write: impl FnOnce(&mut Vec<u8>)) {
        let lane = self.lane(name);
        let mut state = lane.state();
        let before = state.frames.len();
        write(&mut state.frames);
        state.count += 1;
        self.waiting_bytes.fetch_add(state.frames.len() - before, Ordering::Relaxed);
        drop(state);
        lane.changed.notify_one();
    }

    fn lane(&self, name: StreamKind) -> &StreamQueue {
        match name {
            StreamKind::Control => &self.control,
            StreamKind::Chat => &self.chat,
        }
    }
}

/// The next work of a writer.
struct Taken {
    prefix: Vec<u8>,
    frames: Bytes,
    finished: bool,
    released: bool,
}

impl StreamQueue {
    /// Takes the waiting frames; keeps them, within a bound of bytes, if one is given.
    fn take(&self, kept_bytes_max: Option<usize>) -> Taken {
        let mut state = self.state();
        let frames = Bytes::from(std::mem::take(&mut state.frames));
        let count = std::mem::take(&mut state.count);
        state.kept.wrote(count, frames.clone(), kept_bytes_max);
        Taken {
            prefix: std::mem::take(&mut state.prefix),
            frames,
            finished: state.finished,
            released: state.released,
        }
    }

    fn state(&self) -> MutexGuard<'_, StreamState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The size of a frame in bytes, without its length prefix.
pub(super) fn frame_bytes<T: Serialize>(frame: &T) -> usize {
    let size = postcard::ser_flavors::Size::default();
    let body = postcard::serialize_with_flavor(frame, size).expect("frames are plain data");
    body + VERSION_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reliable(bytes_max: usize) -> Reliable {
        Reliable::new(&ServerConfig { reliable_bytes_max: bytes_max, ..ServerConfig::default() })
    }

    #[test]
    fn both_lanes_share_one_bound() {
        let reliable = reliable(100);
        let notice = ServerFrame::Notice("x".repeat(40));
        assert_eq!(reliable.push(StreamKind::Control, &notice), Ok(()));
        assert_eq!(reliable.push(StreamKind::Chat, &notice), Ok(()));
        let full = Err(ReliableError::TooMany { bytes_max: 100 });
        assert_eq!(reliable.push(StreamKind::Control, &notice), full);
        assert_eq!(reliable.push(StreamKind::Chat, &notice), full);
    }

    #[test]
    fn a_frame_that_no_client_would_take_is_not_sent() {
        let reliable = reliable(1 << 20);
        let largest = "x".repeat(FRAME_BYTES_MAX - 5);
        assert_eq!(frame_bytes(&ServerFrame::Notice(largest.clone())), FRAME_BYTES_MAX);
        assert_eq!(reliable.push(StreamKind::Control, &ServerFrame::Notice(largest)), Ok(()));
        let larger = ServerFrame::Notice("x".repeat(FRAME_BYTES_MAX));
        let refused = reliable.push(StreamKind::Control, &larger);
        assert!(matches!(refused, Err(ReliableError::FrameTooLarge { .. })));
        reliable.finish(Some(&larger));
    }
}
