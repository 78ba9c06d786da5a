//! A client that moves to another connection while its own carries the session.

use anyhow::Context as _;
use tickwire_client::session::MoveOutcome;

use super::{Incoming, SimClient};
use crate::sim::link::{CONTROL, SimLink};

impl SimClient {
    /// Whether it can open another connection now, to move to it.
    pub(crate) fn can_move(&self) -> bool {
        let is_ready = !self.is_asleep && self.link.is_some() && self.session.room().is_some();
        is_ready && self.next.is_none() && self.opening.is_none()
    }

    /// Asks the server to go on over a connection, or gives that up.
    pub(super) fn ask_to_move(&mut self, now_ms: u64, mut link: SimLink) {
        let now = self.now(now_ms);
        let Some(start) = self.session.begin_move(now) else { return self.retire(link) };
        link.waiting = [start.control, start.chat];
        self.next = Some(link);
    }

    /// Takes what arrived over the connection to which it moves.
    pub(super) fn take_of_next(&mut self, now_ms: u64, incoming: Incoming) -> anyhow::Result<()> {
        let now = self.now(now_ms);
        let outcome = match incoming {
            Incoming::Datagram(bytes) => {
                self.session.handle_datagram(now, &bytes);
                return Ok(());
            }
            Incoming::Piece(CONTROL, bytes) => {
                // They are of the process that the session talked to before.
                self.take_events(now_ms)?;
                let outcome = self.session.handle_move_control(now, &bytes);
                outcome.context("the control stream of a move")?
            }
            Incoming::Piece(_, bytes) => self.session.handle_move_chat(&bytes),
            Incoming::Closed(..) => {
                self.session.cancel_move();
                MoveOutcome::Failed
            }
        };
        match (outcome, self.next.take()) {
            (MoveOutcome::Moved, Some(next)) => {
                self.epoch = next.epoch;
                let old = self.link.replace(next);
                old.into_iter().for_each(|old| self.retire(old));
            }
            (MoveOutcome::Failed, Some(next)) => self.retire(next),
            (_, next) => self.next = next,
        }
        Ok(())
    }

    /// Leaves the connection of a move that its session has given up.
    pub(crate) fn leave_failed_move(&mut self) {
        if !self.session.is_moving()
            && let Some(next) = self.next.take()
        {
            self.retire(next);
        }
    }

    /// Leaves a connection, which the server may still hold.
    fn retire(&mut self, link: SimLink) {
        self.retired.push(link);
    }
}
