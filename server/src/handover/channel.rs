//! The talk of two processes over a Unix socket: messages, and file descriptors with some of them.
//!
//! ```text
//! length of the payload (4 bytes, little-endian)   payload: postcard of a message
//! ```
//!
//! Descriptors travel with the first byte of the length.

use std::io::{self, IoSlice, IoSliceMut, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Instant;

use rustix::cmsg_space;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Most bytes of a payload: the names of all rooms, and a schema.
const PAYLOAD_BYTES_MAX: usize = 16 << 20;
/// Most descriptors of a message.
const DESCRIPTORS_MAX: usize = 2;
const LENGTH_BYTES: usize = size_of::<u32>();

/// One end of the talk.
#[derive(Debug)]
pub(super) struct HandoverChannel(UnixStream);

impl HandoverChannel {
    /// Both ends: one for this process, one for the standard input of another.
    pub(super) fn pair() -> io::Result<(HandoverChannel, OwnedFd)> {
        let (own, other) = UnixStream::pair()?;
        Ok((HandoverChannel(own), other.into()))
    }

    /// The end that this process got.
    pub(super) fn new(socket: OwnedFd) -> Self {
        HandoverChannel(UnixStream::from(socket))
    }

    pub(super) fn send(&self, message: &impl Serialize) -> io::Result<()> {
        self.send_with(message, &[])
    }

    /// Sends a message and descriptors, at most [`DESCRIPTORS_MAX`].
    pub(super) fn send_with(
        &self,
        message: &impl Serialize,
        descriptors: &[BorrowedFd<'_>],
    ) -> io::Result<()> {
        let payload = postcard::to_allocvec(message).map_err(io::Error::other)?;
        let length = u32::try_from(payload.len()).map_err(io::Error::other)?;
        let mut frame = length.to_le_bytes().to_vec();
        frame.extend_from_slice(&payload);
        let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if !descriptors.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(descriptors))
        {
            return Err(io::Error::other("too many descriptors for one message"));
        }
        let sent = sendmsg(&self.0, &[IoSlice::new(&frame)], &mut ancillary, SendFlags::NOSIGNAL)?;
        (&self.0).write_all(&frame[sent..])
    }

    /// The next message and its descriptors. Waits until then, at most, or for ever.
    ///
    /// # Errors
    /// [`io::ErrorKind::TimedOut`] if none came in time, [`io::ErrorKind::UnexpectedEof`] if the other process is gone, and
    /// [`io::ErrorKind::InvalidData`] for what is no message.
    pub(super) fn receive<M: DeserializeOwned>(
        &self,
        until: Option<Instant>,
    ) -> io::Result<(M, Vec<OwnedFd>)> {
        let mut length = [0; LENGTH_BYTES];
        self.wait_until(until)?;
        let (read, descriptors) = self.receive_first(&mut length)?;
        self.read_exact(&mut length[read..], until)?;
        let length = u32::from_le_bytes(length) as usize;
        if length > PAYLOAD_BYTES_MAX {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut payload = vec![0; length];
        self.read_exact(&mut payload, until)?;
        let message = postcard::from_bytes(&payload);
        Ok((message.map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?, descriptors))
    }

    /// Reads the beginning of a frame, with its descriptors.
    fn receive_first(&self, length: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
        let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let mut parts = [IoSliceMut::new(length)];
        let received = loop {
            match recvmsg(&self.0, &mut parts, &mut ancillary, RecvFlags::CMSG_CLOEXEC) {
                Err(rustix::io::Errno::INTR) => {}
                received => break received,
            }
        };
        let bytes = received.map_err(|error| timed_out(error.into()))?.bytes;
        if bytes == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let rights = ancillary.drain().filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(rights) => Some(rights),
            _ => None,
        });
        Ok((bytes, rights.flatten().collect()))
    }

    fn read_exact(&self, bytes: &mut [u8], until: Option<Instant>) -> io::Result<()> {
        self.wait_until(until)?;
        (&self.0).read_exact(bytes).map_err(timed_out)
    }

    /// Bounds the reads that follow.
    fn wait_until(&self, until: Option<Instant>) -> io::Result<()> {
        let left = until.map(|until| until.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left.is_zero()) {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.0.set_read_timeout(left)
    }
}

/// The system says of a read that took too long that it would block.
fn timed_out(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::WouldBlock => io::ErrorKind::TimedOut.into(),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;
    use std::os::fd::AsFd as _;
    use std::time::Duration;

    use super::*;

    fn soon() -> Option<Instant> {
        Some(Instant::now() + Duration::from_secs(60))
    }

    #[test]
    fn messages_come_in_order_with_their_descriptors() {
        let (ours, theirs) = HandoverChannel::pair().unwrap();
        let theirs = HandoverChannel::new(theirs);
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        ours.send(&"first").unwrap();
        ours.send_with(&"second", &[socket.as_fd()]).unwrap();
        ours.send(&"third").unwrap();
        let (text, none) = theirs.receive::<String>(soon()).unwrap();
        assert_eq!((text.as_str(), none.len()), ("first", 0));
        let (text, mut descriptors) = theirs.receive::<String>(soon()).unwrap();
        assert_eq!((text.as_str(), descriptors.len()), ("second", 1));
        let same = UdpSocket::from(descriptors.remove(0));
        assert_eq!(same.local_addr().unwrap(), socket.local_addr().unwrap());
        assert_eq!(theirs.receive::<String>(soon()).unwrap().0, "third");
    }

    #[test]
    fn silence_an_end_and_nonsense_are_told_apart() {
        let (ours, theirs) = HandoverChannel::pair().unwrap();
        let theirs = HandoverChannel::new(theirs);
        let until = Some(Instant::now() + Duration::from_millis(10));
        let silent = theirs.receive::<String>(until).unwrap_err();
        assert_eq!(silent.kind(), io::ErrorKind::TimedOut);
        ours.send(&u8::MAX).unwrap();
        let nonsense = theirs.receive::<(u64, String)>(soon()).unwrap_err();
        assert_eq!(nonsense.kind(), io::ErrorKind::InvalidData);
        (&ours.0).write_all(&u32::MAX.to_le_bytes()).unwrap();
        let large = theirs.receive::<String>(soon()).unwrap_err();
        assert_eq!(large.kind(), io::ErrorKind::InvalidData);
        drop(ours);
        let end = theirs.receive::<String>(soon()).unwrap_err();
        assert_eq!(end.kind(), io::ErrorKind::UnexpectedEof);
    }
}
