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
/// Most handshakes of an attempt at a time.
const HANDSHAKES_MAX: usize = 4;

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
            let open = first_open(FRESH, || {
                let (target, trust) = (target.clone(), trust.clone());
                async move { Link::open(&target, &trust).await }
            });
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

/// The connection of the first handshake that is done: another one begins each `fresh`, while few are under way. Fails
/// once all that began have failed.
async fn first_open<T: Send + 'static, F>(
    fresh: Duration,
    open: impl Fn() -> F,
) -> Result<T, ConnectError>
where
    F: Future<Output = Result<T, ConnectError>> + Send + 'static,
{
    let mut handshakes = JoinSet::new();
    loop {
        handshakes.spawn(open());
        let next = tokio::time::sleep(fresh);
        tokio::pin!(next);
        loop {
            let has_place = handshakes.len() < HANDSHAKES_MAX;
            tokio::select! {
                () = &mut next, if has_place => break,
                Some(done) = handshakes.join_next() => match done {
                    Ok(Err(error)) if handshakes.is_empty() => return Err(error),
                    Ok(Err(_)) => {}
                    Ok(Ok(opened)) => return Ok(opened),
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

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// Waits until `count` handshakes have begun.
    async fn until_begun(begun: &Mutex<Vec<oneshot::Sender<bool>>>, count: usize) {
        while begun.lock().unwrap().len() < count {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    #[tokio::test]
    async fn few_handshakes_are_under_way_at_a_time_and_one_that_fails_makes_place_for_another() {
        // Each handshake ends as the test says.
        let begun = Arc::new(Mutex::new(Vec::<oneshot::Sender<bool>>::new()));
        let ends = Arc::clone(&begun);
        let opened = tokio::spawn(first_open(Duration::from_millis(1), move || {
            let (end, ended) = oneshot::channel();
            ends.lock().unwrap().push(end);
            async move {
                let refused = || ConnectError::Local("refused".to_owned());
                ended.await.unwrap().then_some("a link").ok_or_else(refused)
            }
        }));
        for more in 0..3 {
            until_begun(&begun, 4 + more).await;
            // Time for many others, if there were no bound.
            tokio::time::sleep(Duration::from_millis(30)).await;
            let mut begun = begun.lock().unwrap();
            assert_eq!(begun.len(), 4 + more);
            let (end, _) = oneshot::channel();
            std::mem::replace(&mut begun[more], end).send(false).unwrap();
        }
        until_begun(&begun, 7).await;
        begun.lock().unwrap().pop().unwrap().send(true).unwrap();
        assert_eq!(opened.await.unwrap().unwrap(), "a link");
    }
}
