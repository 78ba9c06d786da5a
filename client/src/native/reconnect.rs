//! New connections for a session that lost its own, or whose connection is silent.

use std::time::Duration;

use tickwire_shared::Simulation;
use tickwire_shared::control::CloseCode;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::link::Link;
use super::moving::ELSEWHERE;
use super::target::{Target, Transport};
use super::trust::Trust;
use super::{Client, ConnectError, ConnectOptions};
use crate::session::ConnectionEvent;

/// Time after which another handshake begins beside those without an answer. Retransmissions of a
/// handshake come ever more seldom: an old one would notice late that the network is back.
const FRESH: Duration = Duration::from_secs(1);
/// Most handshakes of an attempt at a time.
const HANDSHAKES_MAX: usize = 4;
/// Time for which an open connection to the fallback waits for one to the target.
const HOLD: Duration = Duration::from_secs(1);
/// Time for a silent connection to speak again once another one is open.
const LAST_CHANCE: Duration = Duration::from_secs(1);
/// Pause after an opening beside a silent connection that did not come about.
const PAUSE: Duration = Duration::from_secs(1);

/// A client's connection settings, and the connections that it opens.
#[derive(Debug)]
pub(super) struct Reconnect {
    target: Target,
    fallback: Option<Target>,
    trust: Trust,
    timeout: Duration,
    runtime: Handle,
    opening: Option<oneshot::Receiver<Result<Link, ConnectError>>>,
    /// A connection that is open beside one that is silent, and since when.
    spare: Option<(Link, Duration)>,
    /// The earliest time of the next opening beside one that is silent.
    detour_at: Duration,
    /// The connection was given up: what still comes over it is not for the session.
    is_off: bool,
    /// The transport of the connection that was lost.
    from: Option<Transport>,
    /// The session resumed over another transport, which is not told yet.
    tells_moved: bool,
}

impl Reconnect {
    /// Must be called on the runtime that opens connections.
    pub(super) fn new(target: Target, options: &ConnectOptions) -> Result<Self, ConnectError> {
        let ConnectOptions { trust, timeout, fallback, .. } = options;
        Ok(Reconnect {
            target,
            fallback: fallback.as_deref().map(Target::parse).transpose()?,
            trust: trust.clone(),
            timeout: *timeout,
            runtime: Handle::current(),
            opening: None,
            spare: None,
            detour_at: Duration::ZERO,
            is_off: false,
            from: None,
            tells_moved: false,
        })
    }

    /// Opens the session's first connection.
    pub(super) async fn open_first(&self) -> Result<Link, ConnectError> {
        let fallback = self.fallback.as_ref().map(|fallback| Link::open(fallback, &self.trust));
        either(Link::open(&self.target, &self.trust), fallback, HOLD).await
    }

    /// Starts an attempt in its own task.
    fn open(&mut self) {
        self.opening = Some(self.open_in_task(self.target.clone(), self.fallback.clone()));
    }

    /// Opens a connection in its own task.
    pub(super) fn open_to(&self, target: Target) -> oneshot::Receiver<Result<Link, ConnectError>> {
        self.open_in_task(target, None)
    }

    fn open_in_task(
        &self,
        target: Target,
        fallback: Option<Target>,
    ) -> oneshot::Receiver<Result<Link, ConnectError>> {
        let (opened, opening) = oneshot::channel();
        let (trust, timeout) = (self.trust.clone(), self.timeout);
        self.runtime.spawn(async move {
            let open = |target: Target| {
                let trust = trust.clone();
                first_open(FRESH, move || {
                    let (target, trust) = (target.clone(), trust.clone());
                    async move { Link::open(&target, &trust).await }
                })
            };
            let given = target.given.clone();
            let open = either(open(target), fallback.map(open), HOLD);
            let link = tokio::time::timeout(timeout, open).await.unwrap_or_else(|_| {
                let reason = format!("no answer within {} s", timeout.as_secs_f32());
                Err(ConnectError::Unreachable { target: given, reason })
            });
            let _ = opened.send(link);
        });
        opening
    }

    /// The result of the opening under way, once it is done.
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

    /// False if the connection was given up, and there is no other one yet.
    pub(super) fn hears(&self) -> bool {
        !self.is_off
    }

    /// Notes what the session tells; `to` is the transport that carries it.
    pub(super) fn note(&mut self, event: ConnectionEvent, to: Transport) {
        if let ConnectionEvent::Resumed { .. } = event {
            self.tells_moved = self.from.take().is_some_and(|from| from != to);
        }
    }

    /// After `Resumed`: `Moved`, if the session goes over another transport than before.
    pub(super) fn poll_moved(&mut self) -> Option<ConnectionEvent> {
        std::mem::take(&mut self.tells_moved).then_some(ConnectionEvent::Moved)
    }
}

/// What `main` opens, or `other` if `main` does not come about within `hold` after it. The one that is not needed is dropped, which
/// closes it.
async fn either<T>(
    main: impl Future<Output = Result<T, ConnectError>>,
    other: Option<impl Future<Output = Result<T, ConnectError>>>,
    hold: Duration,
) -> Result<T, ConnectError> {
    let Some(other) = other else { return main.await };
    let (mut main, mut other) = (std::pin::pin!(main), std::pin::pin!(other));
    let held = tokio::select! {
        biased;
        opened = &mut main => match opened {
            Ok(opened) => return Ok(opened),
            Err(error) => return other.await.map_err(|_| error),
        },
        opened = &mut other => opened,
    };
    match held {
        Ok(held) => match tokio::time::timeout(hold, main).await {
            Ok(Ok(opened)) => Ok(opened),
            Ok(Err(_)) | Err(_) => Ok(held),
        },
        Err(_) => main.await,
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
                // If it began beside a silent connection, it is the attempt that is due.
                self.session.reconnect_now(now);
                self.session.poll_reconnect(now);
                self.go_on_over(link);
            }
            Some(Ok(link)) => self.reconnect.spare = Some((link, now)),
            Some(Err(_)) => {
                self.reconnect.detour_at = now + PAUSE;
                self.session.handle_connect_failed(now);
            }
            None => {}
        }
        self.advance_stall(now);
        if self.reconnect.opening.is_none() && self.session.poll_reconnect(now) {
            match self.reconnect.spare.take() {
                Some((link, _)) => self.go_on_over(link),
                None => self.reconnect.open(),
            }
        }
    }

    /// Opens another connection beside one that is silent, and leaves that one if it still says nothing then.
    fn advance_stall(&mut self, now: Duration) {
        let is_stalled = self.session.is_stalled();
        if self.session.is_reconnecting() {
            // A new connection on which the server does not answer is as none.
            if is_stalled {
                self.reconnect.is_off = true;
                self.session.handle_lost(now, "");
            }
            return;
        }
        let is_over =
            |(_, since): &mut (Link, Duration)| !is_stalled || now - *since >= LAST_CHANCE;
        if let Some((link, _)) = self.reconnect.spare.take_if(is_over) {
            if is_stalled && self.next_link.is_none() {
                self.leave_for(link, now);
            } else {
                link.close(CloseCode::Normal, ELSEWHERE);
            }
            return;
        }
        let has_none = self.reconnect.opening.is_none() && self.reconnect.spare.is_none();
        let may_open = self.session.can_resume() && self.next_link.is_none();
        if is_stalled && has_none && may_open && now >= self.reconnect.detour_at {
            self.reconnect.open();
        }
    }

    /// Leaves the connection, as if it were lost, for one that is open.
    fn leave_for(&mut self, link: Link, now: Duration) {
        // The first attempt is due at once: it is this one.
        if self.session.handle_lost(now, "") && self.session.poll_reconnect(now) {
            self.go_on_over(link);
        }
    }

    fn go_on_over(&mut self, link: Link) {
        self.reconnect.from.get_or_insert(self.link.transport());
        self.reconnect.is_off = false;
        self.go_over(link);
        self.session.resume();
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

    type Opened = Result<&'static str, ConnectError>;

    fn refused(what: &str) -> ConnectError {
        ConnectError::Local(format!("{what} refused"))
    }

    /// Opens once others had their turn.
    async fn soon(opened: Opened) -> Opened {
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        opened
    }

    #[tokio::test]
    async fn the_fallback_carries_the_session_only_where_the_target_does_not_come_about() {
        const LONG: Duration = Duration::from_secs(3600);
        const SHORT: Duration = Duration::from_millis(1);
        let open = std::future::ready::<Opened>;
        let other = |opened: Opened| Some(std::future::ready(opened));
        let won = |opened: Opened| opened.map_err(|error| error.to_string());
        assert_eq!(
            won(either(open(Ok("target")), other(Ok("fallback")), LONG).await),
            Ok("target")
        );
        // It waits a while for the target, so that a session is on datagrams where they pass.
        let late = soon(Ok("target"));
        assert_eq!(won(either(late, other(Ok("fallback")), LONG).await), Ok("target"));
        let never = std::future::pending::<Opened>();
        assert_eq!(won(either(never, other(Ok("fallback")), SHORT).await), Ok("fallback"));
        let late = soon(Err(refused("target")));
        assert_eq!(won(either(late, other(Ok("fallback")), LONG).await), Ok("fallback"));
        let late = soon(Ok("target"));
        assert_eq!(won(either(late, other(Err(refused("fallback"))), SHORT).await), Ok("target"));
        let both = either(open(Err(refused("target"))), other(Err(refused("fallback"))), SHORT);
        let told = won(both.await).unwrap_err();
        assert!(told.contains("target refused"), "the target's error is told: {told}");
    }
}
