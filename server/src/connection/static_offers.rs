//! The static data that a client was told of, until it is told of another in its place.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tickwire_shared::control::ContentHash;
use tokio::time::Instant;

use crate::room::StaticBlob;

/// How long a client may take to say whether it has what it was told of.
const ANSWER_TIME: Duration = Duration::from_secs(60);

/// The last offer of each key to one client. The bytes are the room's own, shared.
#[derive(Debug, Default)]
pub(crate) struct StaticOffers {
    offers: Mutex<Vec<StaticOffer>>,
}

#[derive(Debug)]
struct StaticOffer {
    key: u8,
    blob: StaticBlob,
    since: Instant,
    /// The client said that it has or lacks the bytes. Both may come again: over another connection,
    /// or as the answer to a later offer of the same bytes, which this one may be.
    is_answered: bool,
}

impl StaticOffers {
    /// The client is told of these bytes, in place of what it was told of before.
    pub(super) fn offer(&self, key: u8, blob: Option<StaticBlob>) {
        let mut offers = self.offers();
        offers.retain(|offer| offer.key != key);
        offers.extend(blob.map(|blob| StaticOffer {
            key,
            blob,
            since: Instant::now(),
            is_answered: false,
        }));
    }

    /// The client left the room.
    pub(super) fn clear(&self) {
        self.offers().clear();
    }

    /// The client has these bytes.
    pub(super) fn have(&self, hash: ContentHash) {
        self.answer(hash);
    }

    /// The client asks for these bytes. `None` for what it was told of no more.
    pub(super) fn fetch(&self, hash: ContentHash) -> Option<StaticBlob> {
        self.answer(hash)
    }

    /// Whether the client did not answer for too long.
    pub(super) fn are_overdue(&self) -> bool {
        self.offers().iter().any(|offer| !offer.is_answered && offer.since.elapsed() > ANSWER_TIME)
    }

    fn answer(&self, hash: ContentHash) -> Option<StaticBlob> {
        let mut offers = self.offers();
        let mut blob = None;
        for offer in offers.iter_mut().filter(|offer| offer.blob.hash == hash) {
            offer.is_answered = true;
            blob = Some(offer.blob.clone());
        }
        blob
    }

    fn offers(&self) -> MutexGuard<'_, Vec<StaticOffer>> {
        self.offers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_to_an_earlier_offer_of_the_same_bytes_leaves_the_later_one_open() {
        let blob = StaticBlob { hash: ContentHash([1; 32]), bytes: vec![7].into() };
        let offers = StaticOffers::default();
        (0..3).for_each(|_| offers.offer(4, Some(blob.clone())));
        offers.offer(5, Some(blob.clone()));
        offers.have(blob.hash);
        assert!(offers.fetch(blob.hash).is_some(), "the cache has it no more");
        assert!(offers.fetch(blob.hash).is_some(), "the answer to the last offer");
        assert!(offers.offers().iter().all(|offer| offer.is_answered));
        offers.offer(4, None);
        offers.offer(5, None);
        assert!(offers.fetch(blob.hash).is_none());
    }
}
