//! The new process, as the old one sees it.

use std::ffi::OsString;
use std::future::pending;
use std::io;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::channel::HandoverChannel;
use super::service::tell_main;
use super::{Begin, FromNew, FromOld, HandoverError, ServerSockets, VARIABLE, VERSION};

/// Time for a process that let go of the talk to end.
const END_TIME: Duration = Duration::from_secs(1);
const END_LOOK: Duration = Duration::from_millis(5);

/// Requests to hand over: SIGUSR2.
#[derive(Debug)]
pub(crate) struct HandoverSignal {
    /// `None` where nobody asks.
    signal: Option<(Signal, Launch)>,
}

/// The command of the new process.
#[derive(Clone, Debug)]
pub(crate) struct Launch {
    program: PathBuf,
    args: Vec<OsString>,
}

/// A process that was started to take over. Dropping it before it has ends it.
#[derive(Debug)]
pub(crate) struct Successor {
    child: Child,
    channel: HandoverChannel,
    /// It asked for checkpoints at the end of the rooms.
    with_checkpoints: bool,
    has_taken_over: bool,
}

impl HandoverSignal {
    /// Nobody asks.
    pub(crate) fn none() -> Self {
        HandoverSignal { signal: None }
    }

    /// # Errors
    /// If the system does not let the signal be caught.
    pub(crate) fn user2(launch: Launch) -> io::Result<Self> {
        let signal = signal(SignalKind::user_defined2())?;
        Ok(HandoverSignal { signal: Some((signal, launch)) })
    }

    /// Waits for the next request. Safe to drop while waiting.
    pub(crate) async fn asked(&mut self) -> Launch {
        let Some((signal, launch)) = &mut self.signal else { return pending().await };
        match signal.recv().await {
            Some(()) => launch.clone(),
            None => pending().await,
        }
    }
}

impl std::fmt::Display for Launch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.program.display())
    }
}

impl Launch {
    /// This process's own command, with the program of its path as it is on disk then, or `program` in its place.
    ///
    /// # Errors
    /// If the system does not tell the path.
    pub(crate) fn of_this_process(program: Option<&Path>) -> io::Result<Self> {
        let mut args = std::env::args_os();
        let own = args.next().map(PathBuf::from).unwrap_or_default();
        let program = match program {
            Some(program) => program.to_owned(),
            // A name without a folder was looked up in PATH.
            None if own.components().count() > 1 => own,
            None => std::env::current_exe()?,
        };
        Ok(Launch { program: std::path::absolute(program)?, args: args.collect() })
    }
}

impl Successor {
    /// Starts the process.
    ///
    /// # Errors
    /// [`HandoverError::Start`].
    pub(crate) fn start(launch: &Launch) -> Result<Self, HandoverError> {
        let failed = |error| HandoverError::Start { program: launch.program.clone(), error };
        let (channel, other) = HandoverChannel::pair().map_err(failed)?;
        let mut command = Command::new(&launch.program);
        command.args(&launch.args).env(VARIABLE, VERSION).stdin(Stdio::from(other));
        let child = command.spawn().map_err(failed)?;
        // The end of the talk in this process would keep it from noticing the other's.
        drop(command);
        Ok(Successor { child, channel, with_checkpoints: false, has_taken_over: false })
    }

    /// Waits until it can take over. `checkpoints` writes one of each room, when it asks for that.
    ///
    /// # Errors
    /// [`HandoverError`]; nothing has changed then.
    pub(crate) fn prepare(
        &mut self,
        begin: Begin,
        checkpoints: impl Fn(Instant) -> Result<(), String>,
        until: Instant,
    ) -> Result<(), HandoverError> {
        let prepared = self.talk(begin, checkpoints, until);
        match prepared {
            Err(HandoverError::Ended(_)) => Err(HandoverError::Ended(self.status())),
            prepared => prepared,
        }
    }

    fn talk(
        &mut self,
        begin: Begin,
        checkpoints: impl Fn(Instant) -> Result<(), String>,
        until: Instant,
    ) -> Result<(), HandoverError> {
        self.channel.send(&FromOld::Begin(begin))?;
        loop {
            match self.channel.receive(Some(until))?.0 {
                FromNew::NeedsCheckpoints => {
                    self.channel.send(&FromOld::Checkpoints(checkpoints(until)))?;
                }
                FromNew::Ready { with_checkpoints } => {
                    self.with_checkpoints = with_checkpoints;
                    return Ok(());
                }
                FromNew::Refused(reason) => return Err(HandoverError::Refused(reason)),
                FromNew::Up => return Err(HandoverError::Unexpected),
            }
        }
    }

    /// True if the rooms are to end with a checkpoint.
    pub(crate) fn needs_checkpoints(&self) -> bool {
        self.with_checkpoints
    }

    /// Hands the sockets over, once the rooms have ended and their files are closed; waits until it goes on with them. From
    /// here on the process is not ended by this one.
    ///
    /// # Errors
    /// [`HandoverError`].
    pub(crate) fn give(
        &mut self,
        sockets: &ServerSockets,
        until: Instant,
    ) -> Result<(), HandoverError> {
        let http = sockets.http.as_ref().map(|http| http.as_fd());
        let descriptors: Vec<_> = [sockets.udp.as_fd()].into_iter().chain(http).collect();
        self.channel.send_with(&FromOld::Ended, &descriptors)?;
        match self.channel.receive(Some(until))?.0 {
            FromNew::Up => {
                self.has_taken_over = true;
                Ok(())
            }
            FromNew::Refused(reason) => Err(HandoverError::Refused(reason)),
            _ => Err(HandoverError::Unexpected),
        }
    }

    /// Says that this process reads the sockets no more, and that the other is the service.
    pub(crate) fn let_go(&self) {
        if let Err(error) = self.channel.send(&FromOld::Yours) {
            tracing::error!("the new process is gone: {error}");
        }
        tell_main(self.child.id());
    }

    /// How it ended.
    fn status(&mut self) -> String {
        let until = Instant::now() + END_TIME;
        while Instant::now() < until {
            if let Ok(Some(status)) = self.child.try_wait() {
                return format!(" ({status})");
            }
            std::thread::sleep(END_LOOK);
        }
        String::new()
    }
}

impl Drop for Successor {
    fn drop(&mut self) {
        if !self.has_taken_over {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
