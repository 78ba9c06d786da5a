//! The driver as the rest of the server knows it.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use quinn_proto::{ConnectionHandle, ServerConfig, VarInt};
use tickwire_shared::control::CloseCode;
use tokio::sync::{oneshot, watch};

use super::{Driver, Service, WakeSignal};
use crate::transport::Bound;

/// The driver of a server. Dropping it ends the driver, and its connections without a word.
pub(crate) struct Endpoint {
    remote: Arc<DriverHandle>,
    over: watch::Receiver<bool>,
    /// Until it is opened.
    opening: Option<oneshot::Sender<Box<dyn Service>>>,
}

/// What other threads leave for the driver.
#[derive(Debug)]
pub(super) struct DriverHandle {
    pub(super) wake_signal: Arc<WakeSignal>,
    left: Mutex<DriverCommands>,
}

#[derive(Debug, Default)]
pub(super) struct DriverCommands {
    /// Connections that have something to send; each is here once at most.
    pub(super) dirty: Vec<ConnectionHandle>,
    /// For connections from now on; `None` in it for no more of them.
    pub(super) server: Option<Option<Arc<ServerConfig>>>,
    /// Close every connection, and be over when all are gone.
    pub(super) close: Option<(VarInt, Bytes)>,
    /// Be over now.
    pub(super) quit: bool,
}

impl Endpoint {
    /// Gives a bound socket its driver, on a thread of its own. Nobody is answered until
    /// [`Endpoint::open`]. `wake_signal` is rung when there is something to send.
    ///
    /// # Errors
    /// When the system gives no more threads, or lacks what QUIC needs of a socket.
    pub(crate) fn start(bound: Bound, wake_signal: Arc<WakeSignal>) -> io::Result<Self> {
        let remote = Arc::new(DriverHandle { wake_signal, left: Mutex::default() });
        let (tell, over) = watch::channel(false);
        let (opening, opened) = oneshot::channel::<Box<dyn Service>>();
        let driver = Driver::new(bound, Arc::clone(&remote))?;
        std::thread::Builder::new().name("net".to_owned()).spawn(move || {
            // Told when it is dropped as well: a fault must not go unheard.
            let _told = EndSignal(tell);
            if let Ok(service) = opened.blocking_recv() {
                driver.run(service);
            }
        })?;
        Ok(Endpoint { remote, over, opening: Some(opening) })
    }

    /// Answers connection attempts from now on, as `service` says.
    pub(crate) fn open(&mut self, service: impl Service + 'static) {
        if let Some(opening) = self.opening.take() {
            // It fails when the thread is gone, which whoever waits for its end hears.
            let _ = opening.send(Box::new(service));
        }
    }

    /// Changes what new connections are shown; without a configuration there are no new ones.
    pub(crate) fn set_server_config(&self, server: Option<Arc<ServerConfig>>) {
        self.remote.leave(|left| left.server = Some(server));
    }

    /// Closes every connection. The driver is over once their peers know.
    pub(crate) fn close(&self, code: CloseCode, text: &'static str) {
        let end = (VarInt::from_u32(code.number()), Bytes::from_static(text.as_bytes()));
        self.remote.leave(|left| left.close = Some(end));
    }

    /// Waits until the driver is over.
    pub(crate) async fn over(&self) {
        let mut over = self.over.clone();
        // An error says that nobody is left to tell.
        let _ = over.wait_for(|over| *over).await;
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.remote.leave(|left| left.quit = true);
    }
}

impl DriverHandle {
    pub(super) fn push_dirty(&self, handle: ConnectionHandle) {
        self.leave(|left| left.dirty.push(handle));
    }

    /// Takes what was left.
    pub(super) fn take(&self) -> DriverCommands {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut left)
    }

    fn leave(&self, leave: impl FnOnce(&mut DriverCommands)) {
        leave(&mut self.left.lock().unwrap_or_else(PoisonError::into_inner));
        self.wake_signal.ring();
    }
}

/// Says that the driver is over, however it ended.
struct EndSignal(watch::Sender<bool>);

impl Drop for EndSignal {
    fn drop(&mut self) {
        self.0.send_replace(true);
    }
}
