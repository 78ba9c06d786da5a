//! Offers of static data to a client, each valid until another takes its place.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tickwire_shared::control::ContentHash;
use tokio::time::Instant;

use crate::room::StaticBlob;

/// Longest time for a client to answer an offer.
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
    /// The client said that it has or lacks the bytes. Both may come again: over another
    /// connection, or as the answer to another offer of the same bytes.
    is_answered: bool,
}

impl StaticOffers {
    /// Offers these bytes to the client, in place of the last offer of the key; `None` withdraws
    /// it.
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

    /// Withdraws all offers: the client left the room.
    pub(super) fn clear(&self) {
        self.offers().clear();
    }

    /// The client has these bytes.
    pub(super) fn have(&self, hash: ContentHash) {
        self.answer(hash);
    }

    /// The client asks for these bytes. `None` without a valid offer of them.
    pub(super) fn fetch(&self, hash: ContentHash) -> Option<StaticBlob> {
        self.answer(hash)
    }

    /// True if an offer has waited too long for its answer.
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
