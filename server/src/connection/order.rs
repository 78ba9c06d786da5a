//! The order of a client's requests on its two streams.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tickwire_shared::control::RequestId;
use tokio::sync::watch;

use crate::config::ServerConfig;

/// Requests that have not come in time and are remembered; of more, the newest.
const SKIPPED_MAX: usize = 64;

/// The requests of one client. They are numbered across both streams, which may overtake each
/// other: each request waits until the earlier ones are done.
#[derive(Debug)]
pub(crate) struct RequestOrder {
    /// The first request that is not done.
    next: watch::Sender<RequestId>,
    /// Of a client that sends requests again, until all are done.
    again: Mutex<Option<SentAgain>>,
    /// Earlier requests that are not waited for and have not come, in order.
    skipped: Mutex<VecDeque<RequestId>>,
    wait: Duration,
}

/// The requests that a client sends again to a server that was started again. The others before its next new one were
/// answered by the last server, and never come.
#[derive(Clone, Debug)]
pub(crate) struct SentAgain {
    /// In order.
    requests: VecDeque<RequestId>,
    /// The first new one.
    new: RequestId,
}

impl SentAgain {
    pub(super) fn new(requests: Vec<RequestId>, new: RequestId) -> Self {
        SentAgain { requests: requests.into(), new }
    }

    fn first(&self) -> RequestId {
        self.requests.front().copied().unwrap_or(self.new)
    }
}

/// The turn of one request; dropping it starts the next one's.
#[derive(Debug)]
pub(crate) struct RequestTurn<'a> {
    order: &'a RequestOrder,
    request: RequestId,
}

impl RequestOrder {
    pub(crate) fn new(config: &ServerConfig) -> Self {
        RequestOrder::from(RequestId(1), None, config)
    }

    /// The order of a client that sends requests again.
    pub(crate) fn again(sent_again: SentAgain, config: &ServerConfig) -> Self {
        RequestOrder::from(sent_again.first(), Some(sent_again), config)
    }

    fn from(next: RequestId, again: Option<SentAgain>, config: &ServerConfig) -> Self {
        let wait = Duration::from_millis(u64::from(config.request_wait_ms));
        let (next, again) = (watch::Sender::new(next), Mutex::new(again));
        RequestOrder { next, again, skipped: Mutex::default(), wait }
    }

    /// The first request that is not done.
    pub(crate) fn next(&self) -> RequestId {
        let skipped = self.lock_skipped().front().copied();
        skipped.unwrap_or_else(|| *self.next.borrow())
    }

    /// Whether `request` was done before: a client that lost its connection may send it again.
    pub(crate) fn is_done(&self, request: RequestId) -> bool {
        is_before(request, *self.next.borrow()) && !self.lock_skipped().contains(&request)
    }

    /// Waits for the turn of `request`. After too long without progress the turn comes anyway: an
    /// earlier request may come much later, or over the next connection, or never.
    pub(crate) async fn turn(&self, request: RequestId) -> RequestTurn<'_> {
        let mut next = self.next.subscribe();
        while is_before(*next.borrow_and_update(), request) {
            if tokio::time::timeout(self.wait, next.changed()).await.is_err() {
                self.skip_to(request);
                break;
            }
        }
        RequestTurn { order: self, request }
    }

    /// The request to wait for after those before `after`: a gap that nothing fills is skipped.
    fn following(&self, after: RequestId) -> RequestId {
        let mut again = self.lock_again();
        let Some(sent) = &mut *again else { return after };
        while sent.requests.front().is_some_and(|first| is_before(*first, after)) {
            sent.requests.pop_front();
        }
        let (first, is_last) = (sent.first(), sent.requests.is_empty());
        if is_last {
            *again = None;
        }
        if is_before(after, first) { first } else { after }
    }

    /// Notes the requests before `request` that are not done: those that are under way are done soon.
    fn skip_to(&self, request: RequestId) {
        let next = *self.next.borrow();
        let missing = request.0.wrapping_sub(next.0);
        let mut skipped = self.lock_skipped();
        for back in (1..=missing.min(SKIPPED_MAX as u32)).rev() {
            let missing = RequestId(request.0.wrapping_sub(back));
            if !skipped.contains(&missing) {
                skipped.push_back(missing);
            }
        }
        while skipped.len() > SKIPPED_MAX {
            skipped.pop_front();
        }
    }

    fn lock_skipped(&self) -> MutexGuard<'_, VecDeque<RequestId>> {
        self.skipped.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_again(&self) -> MutexGuard<'_, Option<SentAgain>> {
        self.again.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for RequestTurn<'_> {
    fn drop(&mut self) {
        self.order.lock_skipped().retain(|skipped| *skipped != self.request);
        let after = self.order.following(RequestId(self.request.0.wrapping_add(1)));
        self.order.next.send_if_modified(|next| {
            let advances = is_before(*next, after);
            if advances {
                *next = after;
            }
            advances
        });
    }
}

/// True if `a` was written before `b`; numbers wrap around.
fn is_before(a: RequestId, b: RequestId) -> bool {
    (b.0.wrapping_sub(a.0) as i32) > 0
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    /// The turn of this number, if it comes without waiting.
    fn turn(order: &RequestOrder, number: u32) -> Option<RequestTurn<'_>> {
        order.turn(RequestId(number)).now_or_never()
    }

    #[tokio::test]
    async fn what_overtook_waits_until_what_was_written_before_is_done() {
        let order = RequestOrder::new(&ServerConfig::default());
        assert!(turn(&order, 3).is_none());
        assert!(turn(&order, 2).is_none());
        let first = turn(&order, 1).expect("the first");
        assert!(turn(&order, 2).is_none(), "the first is not done");
        drop(first);
        drop(turn(&order, 2).expect("the second"));
        drop(turn(&order, 3).expect("the third"));
        assert!(turn(&order, 5).is_none());
    }

    #[tokio::test]
    async fn a_number_that_never_comes_is_not_waited_for_without_end() {
        let order =
            RequestOrder::new(&ServerConfig { request_wait_ms: 1, ..ServerConfig::default() });
        drop(order.turn(RequestId(3)).await);
        // The next one is handled at once, and those that were skipped are once they come.
        drop(turn(&order, 4).expect("the next"));
        assert_eq!(order.next(), RequestId(1), "the client sends it again after a loss");
        for number in [2, 1] {
            assert!(!order.is_done(RequestId(number)), "{number} was not handled");
            drop(turn(&order, number).expect("its turn was before"));
            assert!(order.is_done(RequestId(number)));
        }
        assert_eq!(order.next(), RequestId(5));
        // Of many the newest are remembered.
        drop(order.turn(RequestId(1000)).await);
        assert_eq!(order.next(), RequestId(1000 - SKIPPED_MAX as u32));
    }

    #[tokio::test]
    async fn a_request_under_way_is_not_skipped() {
        let order =
            RequestOrder::new(&ServerConfig { request_wait_ms: 1, ..ServerConfig::default() });
        let first = turn(&order, 1).expect("the first");
        drop(order.turn(RequestId(2)).await);
        assert!(!order.is_done(RequestId(1)));
        drop(first);
        assert!(order.is_done(RequestId(1)));
        assert_eq!(order.next(), RequestId(3));
    }

    #[tokio::test]
    async fn a_gap_in_what_is_sent_again_is_skipped_at_once() {
        let config = ServerConfig::default();
        let sent = |requests: &[u32], new| {
            let requests = requests.iter().map(|request| RequestId(*request)).collect();
            RequestOrder::again(SentAgain::new(requests, RequestId(new)), &config)
        };
        let order = sent(&[5, 8, 9, 12], 20);
        assert!(turn(&order, 8).is_none(), "5 is sent again");
        for number in [5, 8, 9, 12, 20, 21] {
            assert!(order.is_done(RequestId(number - 1)), "{number}");
            drop(turn(&order, number).unwrap_or_else(|| panic!("{number} waits")));
        }
        assert!(turn(&order, 23).is_none(), "22 is new, and may be late");

        let order = sent(&[], 7);
        assert!(turn(&order, 8).is_none());
        assert!(turn(&order, 7).is_some());

        // The numbers of a client that misbehaves: out of order, twice, and beyond its next one.
        let order = sent(&[9, 3, 3, u32::MAX, 4], 2);
        for number in [9, 10, 11] {
            assert!(turn(&order, number).is_some(), "{number}");
        }

        let order = sent(&[u32::MAX - 1, 1], 3);
        for number in [u32::MAX - 1, 1, 3] {
            assert!(turn(&order, number).is_some(), "{number}");
        }
    }

    #[tokio::test]
    async fn numbers_begin_anew_after_the_last() {
        let order = RequestOrder::new(&ServerConfig::default());
        order.next.send_replace(RequestId(u32::MAX));
        assert!(turn(&order, 0).is_none());
        for number in [u32::MAX, 0, 1] {
            assert!(turn(&order, number).is_some(), "{number}");
        }
    }
}
