//! The old process, as the new one sees it.

use std::io;
use std::net::{TcpListener, UdpSocket};
use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

use super::channel::HandoverChannel;
use super::{Begin, FromNew, FromOld, HandoverError, VARIABLE, VERSION};

/// Time for the old process to have its clients resume, after which the new one serves them anyhow.
const YOURS_TIME: Duration = Duration::from_secs(2);

/// The process that started this one, to be taken over by it.
#[derive(Debug)]
pub(crate) struct Predecessor {
    channel: HandoverChannel,
    begin: Begin,
}

/// The sockets of the old process.
#[derive(Debug)]
pub(crate) struct GivenSockets {
    pub(crate) udp: UdpSocket,
    pub(crate) http: Option<TcpListener>,
}

impl Predecessor {
    /// The process to take over. `None` if this one was started as any other.
    ///
    /// # Errors
    /// [`HandoverError`] if it speaks otherwise, or is gone.
    pub(crate) fn of_this_process() -> Result<Option<Self>, HandoverError> {
        match std::env::var(VARIABLE) {
            Err(_) => return Ok(None),
            Ok(version) if version == VERSION => {}
            Ok(_) => return Err(HandoverError::Unexpected),
        }
        let channel = HandoverChannel::new(io::stdin().as_fd().try_clone_to_owned()?);
        match channel.receive(None)? {
            (FromOld::Begin(begin), _) => Ok(Some(Predecessor { channel, begin })),
            _ => Err(HandoverError::Unexpected),
        }
    }

    /// What it plays.
    pub(crate) fn begin(&self) -> &Begin {
        &self.begin
    }

    /// Tells it why it is not taken over: it goes on.
    pub(crate) fn refuse(&self, reason: &str) {
        // If it does not hear, it notices the end of this process.
        let _ = self.channel.send(&FromNew::Refused(reason.to_owned()));
    }

    /// Has it write a checkpoint of each room.
    ///
    /// # Errors
    /// [`HandoverError`] if there is a room without one.
    pub(crate) fn ask_for_checkpoints(&self) -> Result<(), HandoverError> {
        self.channel.send(&FromNew::NeedsCheckpoints)?;
        match self.channel.receive(None)? {
            (FromOld::Checkpoints(written), _) => written.map_err(HandoverError::Refused),
            _ => Err(HandoverError::Unexpected),
        }
    }

    /// Says that this process can take over, and waits until the rooms have ended there: their files are this process's then,
    /// and the sockets its own as well.
    ///
    /// # Errors
    /// [`HandoverError`] if the old process is gone, or went on alone.
    pub(crate) fn take(&self, with_checkpoints: bool) -> Result<GivenSockets, HandoverError> {
        self.channel.send(&FromNew::Ready { with_checkpoints })?;
        let (message, sockets) = self.channel.receive(None)?;
        let (FromOld::Ended, mut sockets) = (message, sockets.into_iter()) else {
            return Err(HandoverError::Unexpected);
        };
        let udp = sockets.next().map(UdpSocket::from).ok_or(HandoverError::Unexpected)?;
        Ok(GivenSockets { udp, http: sockets.next().map(TcpListener::from) })
    }

    /// Says that this process goes on with all rooms, and waits until the old one reads the sockets no more.
    pub(crate) fn go_on(self) {
        let told = self.channel.send(&FromNew::Up);
        let until = Some(Instant::now() + YOURS_TIME);
        let yours = told.and_then(|()| self.channel.receive::<FromOld>(until));
        if !matches!(yours, Ok((FromOld::Yours, _))) {
            tracing::warn!(
                "the old process did not say that it has let go: going on without its word"
            );
        }
    }
}
