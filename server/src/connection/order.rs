//! The order of a client's requests on its two streams.

use std::time::Duration;

use tickwire_shared::control::RequestId;
use tokio::sync::watch;

use crate::config::ServerConfig;

/// The requests of one client. They are numbered across both streams, which may overtake each
/// other: each request waits until the earlier ones are done.
#[derive(Debug)]
pub(crate) struct RequestOrder {
    /// The first request that is not done.
    next: watch::Sender<RequestId>,
    wait: Duration,
}

/// The turn of one request; dropping it starts the next one's.
#[derive(Debug)]
pub(crate) struct RequestTurn<'a> {
    order: &'a RequestOrder,
    request: RequestId,
}

impl RequestOrder {
    pub(crate) fn new(config: &ServerConfig) -> Self {
        RequestOrder::from(RequestId(1), config)
    }

    /// The order of a client whose next request is `next`.
    pub(crate) fn from(next: RequestId, config: &ServerConfig) -> Self {
        let wait = Duration::from_millis(u64::from(config.request_wait_ms));
        RequestOrder { next: watch::Sender::new(next), wait }
    }

    /// The first request that is not done.
    pub(crate) fn next(&self) -> RequestId {
        *self.next.borrow()
    }

    /// Whether `request` was done before: a client that lost its connection may send it again.
    pub(crate) fn is_done(&self, request: RequestId) -> bool {
        is_before(request, self.next())
    }

    /// Waits for the turn of `request`. After too long without progress the turn comes anyway: an
    /// earlier request may never arrive.
    pub(crate) async fn turn(&self, request: RequestId) -> RequestTurn<'_> {
        let mut next = self.next.subscribe();
        while is_before(*next.borrow_and_update(), request) {
            if tokio::time::timeout(self.wait, next.changed()).await.is_err() {
                break;
            }
        }
        RequestTurn { order: self, request }
    }
}

impl Drop for RequestTurn<'_> {
    fn drop(&mut self) {
        let after = RequestId(self.request.0.wrapping_add(1));
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
pub(super) fn is_before(a: RequestId, b: RequestId) -> bool {
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
        drop(order.turn(RequestId(9)).await);
        // A skipped request is handled at once when it comes, and so is the next.
        assert!(turn(&order, 4).is_some());
        assert!(turn(&order, 10).is_some());
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
