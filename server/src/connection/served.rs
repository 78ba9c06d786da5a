//! The end of serving a connection, and the request to resume a session over it.

use subtle::ConstantTimeEq as _;
use tickwire_shared::control::{Received, ResumeSecret, ServerRun};
use tickwire_shared::{PlayerId, Simulation};

use super::link::SessionEnd;
use super::order::SentAgain;
use super::{ClientLink, ServerState};

/// The reason why serving a connection's streams ended.
#[derive(Debug)]
pub(super) enum Served {
    /// The session is over.
    Over(SessionEnd),
    /// The connection is over, and all requests that came on it are done.
    Lost,
    /// Another session, or the one of a restored seat, resumes over this connection.
    Resume(ResumeRequest),
}

/// A client's request to resume a session over this connection.
#[derive(Debug)]
pub(super) struct ResumeRequest {
    /// The number of the session.
    pub(super) player: PlayerId,
    /// Its secret, as the client says.
    pub(super) secret: ResumeSecret,
    /// The frames that its client has.
    pub(super) counted: CountedFrames,
    /// The requests that its client sends again to a server that was started again.
    pub(super) sent_again: SentAgain,
}

impl ResumeRequest {
    /// The answer to the request, as far as it is known now.
    pub(super) fn admit<S: Simulation>(self, host: &ServerState<S>) -> Served {
        match self.may_resume(host) {
            true => Served::Resume(self),
            false => Served::Over(host.resume_refusal()),
        }
    }

    /// Whether there is a restored seat or a session of this number, the secret is its own, and everything is kept that its
    /// client lacks.
    fn may_resume<S: Simulation>(&self, host: &ServerState<S>) -> bool {
        // In this order: a seat is taken and its session begins at once, so one of both is found.
        if host.restored.is_secret_of(self.player, self.secret) {
            return true;
        }
        let link = host.links.get(self.player);
        let own = link.as_ref().and_then(|link| link.secret());
        // The same work whether there is such a session or not.
        let is_own = own.unwrap_or(ResumeSecret([0; 16])).0.ct_eq(&self.secret.0);
        let is_known = own.is_some() && bool::from(is_own);
        let can_go_on =
            link.is_some_and(|link| !link.is_ending() && self.counted.can_go_on(host, &link));
        if !(is_known && can_go_on) {
            host.counters.resumes_refused.increment();
        }
        is_known && can_go_on
    }
}

/// The frames that a client has, and the run of a server that wrote them.
#[derive(Clone, Copy, Debug)]
pub(super) struct CountedFrames {
    run: ServerRun,
    received: Received,
}

impl CountedFrames {
    pub(super) fn new(run: ServerRun, received: Received) -> Self {
        CountedFrames { run, received }
    }

    /// Whether they are of another run than `this`: the client has not read `Restarted` yet.
    pub(super) fn is_before_restart(&self, this: ServerRun) -> bool {
        self.run != this
    }

    /// Those of the run `this`.
    pub(super) fn of_run(&self, this: ServerRun) -> Received {
        if self.is_before_restart(this) { Received::default() } else { self.received }
    }

    /// Whether everything is kept that the client lacks.
    pub(super) fn can_go_on<S: Simulation>(
        &self,
        host: &ServerState<S>,
        link: &ClientLink<S::Input>,
    ) -> bool {
        link.reliable.can_resume(self.of_run(host.run))
    }
}
