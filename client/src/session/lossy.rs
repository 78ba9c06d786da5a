//! Messages to topics that may be lost: each is one datagram.

use std::collections::VecDeque;

use tickwire_shared::lossy::{LossyError, LossyMessage};

use super::Session;

/// Datagrams that wait for a caller that does not poll them; then the oldest go.
const WAITING_MAX: usize = 64;

/// The publish datagrams of a session.
#[derive(Debug, Default)]
pub(super) struct LossyOut {
    /// The last message's number, over all connections.
    sequence: u32,
    waiting: VecDeque<Vec<u8>>,
}

impl LossyOut {
    pub(super) fn poll(&mut self) -> Option<Vec<u8>> {
        self.waiting.pop_front()
    }

    /// The connection is lost, and what was not sent with it.
    pub(super) fn lose(&mut self) {
        self.waiting.clear();
    }
}

impl Session {
    /// Publishes a message that may be lost, such as a position or a value of a sensor: by one datagram, without an answer and
    /// without another try. A message that comes behind a newer one of this session is dropped, so no old value ever follows a
    /// newer one. Returns its number among those of the session, from 1. While there is no connection it is lost.
    ///
    /// # Errors
    /// [`LossyError`] for a message that does not fit a datagram. What the server refuses is not told.
    pub fn publish_lossy(
        &mut self,
        topic: &str,
        key: &str,
        payload: &[u8],
    ) -> Result<u32, LossyError> {
        let sequence = self.topics.lossy.sequence.saturating_add(1);
        let datagram = LossyMessage { sequence, topic, key, payload }.encode()?;
        let lossy = &mut self.topics.lossy;
        lossy.sequence = sequence;
        // Nothing may come before the answer to the hello.
        if self.welcome.is_some() && self.resume.is_connected() {
            if lossy.waiting.len() == WAITING_MAX {
                lossy.waiting.pop_front();
            }
            lossy.waiting.push_back(datagram);
        }
        Ok(sequence)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tickwire_shared::control::{RequestId, ServerFrame};

    use super::*;
    use crate::session::tests::{bytes_of, resumable_within, resume_anew};

    /// The numbers of the datagrams that the session has to send.
    fn sent(session: &mut Session) -> Vec<u32> {
        let datagrams: Vec<_> = std::iter::from_fn(|| session.poll_datagram()).collect();
        datagrams.iter().map(|bytes| LossyMessage::decode(bytes).unwrap().sequence).collect()
    }

    #[test]
    fn numbers_go_on_over_another_connection_and_what_is_lost_has_one() {
        let mut session = resumable_within(1000);
        assert_eq!(session.publish_lossy("a", "", b"x"), Ok(1));
        assert_eq!(sent(&mut session), [1]);
        assert_eq!(session.publish_lossy("a", "", b"x"), Ok(2));
        resume_anew(&mut session);
        assert_eq!(session.publish_lossy("a", "", b"x"), Ok(3));
        assert_eq!(sent(&mut session), [0; 0], "no datagram goes before the answer");
        let resumed = ServerFrame::Resumed { next: RequestId(1) };
        session.handle_control(Duration::ZERO, &bytes_of(&[resumed])).unwrap();
        assert_eq!(session.publish_lossy("a", "", b"x"), Ok(4));
        assert_eq!(sent(&mut session), [4]);
    }

    #[test]
    fn a_caller_that_polls_no_datagrams_has_the_newest() {
        let mut session = resumable_within(1000);
        for _ in 0..100 {
            session.publish_lossy("a", "k", b"x").unwrap();
        }
        assert_eq!(sent(&mut session), (37..=100).collect::<Vec<_>>());
    }

    #[test]
    fn a_message_that_does_not_fit_has_no_number() {
        let mut session = resumable_within(1000);
        let error = session.publish_lossy("a", "", &[0; 1132]).unwrap_err();
        assert_eq!(error, LossyError::TooLong { bytes: 1132, bytes_max: 1131 });
        assert!(error.to_string().contains("publish it reliably"), "{error}");
        assert_eq!(session.publish_lossy("a", "", &[0; 1131]), Ok(1));
    }
}
