//! New connections for a session that lost its own.

use std::time::Duration;

use tickwire_shared::Simulation;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::link::Link;
use super::target::{Target, Transport};
use super::trust::Trust;
use super::{Client, ConnectError, ConnectOptions};

/// Time after which another handshake begins beside those without an answer. Retransmissions of a
/// handshake come ever more seldom: an old one would notice late that the network is back.
const FRESH: Duration = Duration::from_secs(1);

/// A client's connection settings and the attempt under way.
#[derive(Debug)]
pub(super) struct Reconnect {
    target: Target,
    trust: Trust,
    timeout: Duration,
    runtime: Handle,
    opening: Option<oneshot::Receiver<Result<Link, ConnectError>>>,
}

impl Reconnect {
    /// Must be called on the runtime that opens connections.
    pub(super) fn new(target: Target, options: &ConnectOptions) -> Self {
        let ConnectOptions { trust, timeout, .. } = options;
        let runtime = Handle::current();
        Reconnect { target, trust: trust.clone(), timeout: *timeout, runtime, opening: None }
    }

    /// Starts an attempt in its own task.
    fn open(&mut self) {
        self.opening = Some(self.open_to(self.target.clone()));
    }

    /// Opens a connection in its own task.
    pub(super) fn open_to(&self, target: Target) -> oneshot::Receiver<Result<Link, ConnectError>> {
        let (opened, opening) = oneshot::channel();
        let (trust, timeout) = (self.trust.clone(), self.timeout);
        self.runtime.spawn(async move {
            let open = open_any(&target, &trust);
            let link = tokio::time::timeout(timeout, open).await.unwrap_or_else(|_| {
                let reason = format!("no answer within {} s", timeout.as_secs_f32());
                Err(ConnectError::Unreachable { target: target.given.clone(), reason })
            });
            let _ = opened.send(link);
        });
        opening
    }

    /// The result of the attempt under way, once it is done.
    fn poll(&mut self) -> Option<Result<Link, ConnectError>> {
        let done = match self.opening.as_mut()?.try_recv() {
            Ok(done) => done,
            Err(oneshot::error::TryRecvError::Empty) => return None,
            Err(oneshot::error::TryRecvError::Closed) => {
                Err(ConnectError::Local("the runtime has ended".to_owned()))
            }
        };
        self.opening = None;
        Some(done)
    }
}

/// Opens a connection by the first handshake that is done: one each [`FRESH`]. Fails once all that
/// began have failed.
async fn open_any(target: &Target, trust: &Trust) -> Result<Link, ConnectError> {
    let mut handshakes = JoinSet::new();
    loop {
        let (target, trust) = (target.clone(), trust.clone());
        handshakes.spawn(async move { Link::open(&target, &trust).await });
        let fresh = tokio::time::sleep(FRESH);
        tokio::pin!(fresh);
        loop {
            tokio::select! {
                () = &mut fresh => break,
                Some(done) = handshakes.join_next() => match done {
                    Ok(Err(error)) if handshakes.is_empty() => return Err(error),
                    Ok(Err(_)) => {}
                    Ok(Ok(link)) => return Ok(link),
                    Err(error) => return Err(ConnectError::Local(error.to_string())),
                },
            }
        }
    }
}

impl<S: Simulation> Client<S> {
    /// Makes the next attempt at once, as the network is known to be back.
    pub fn reconnect_now(&mut self) {
        self.session.reconnect_now(self.now());
    }

    /// True while the session waits or tries to resume over another connection.
    pub fn is_reconnecting(&self) -> bool {
        self.session.is_reconnecting()
    }

    /// Opens a new connection when due, and resumes the session over it.
    pub(super) fn advance_reconnect(&mut self) {
        let now = self.now();
        match self.reconnect.poll() {
            Some(Ok(link)) if self.session.is_reconnecting() => {
                self.session.set_lossless(link.transport() == Transport::WebSocket);
                self.link = link;
                self.session.resume();
            }
            Some(Err(_)) => self.session.handle_connect_failed(now),
            Some(Ok(_)) | None => {}
        }
        if self.reconnect.opening.is_none() && self.session.poll_reconnect(now) {
            self.reconnect.open();
        }
    }
}
