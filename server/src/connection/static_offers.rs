//! The static data that a client was told of, until it says that it has it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tickwire_shared::control::ContentHash;
use tokio::time::Instant;

use crate::room::StaticBlob;

/// How long a client may take to say whether it has what it was told of.
const ANSWER_TIME: Duration = Duration::from_secs(60);

/// What one client was told of and has not answered. They are the room's own bytes, shared.
#[derive(Debug, Default)]
pub(crate) struct StaticOffers {
    offers: Mutex<Vec<StaticOffer>>,
}

#[derive(Debug)]
struct StaticOffer {
    key: u8,
    blob: StaticBlob,
    since: Instant,
    /// The client asked for the bytes. It may do so again, over another connection.
    fetched: bool,
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
            fetched: false,
        }));
    }

    /// The client left the room.
    pub(super) fn clear(&self) {
        self.offers().clear();
    }

    /// The client has these bytes.
    pub(super) fn take(&self, hash: ContentHash) {
        self.offers().retain(|offer| offer.blob.hash != hash);
    }

    /// The client asks for these bytes. `None` for what it was told of no more.
    pub(super) fn fetch(&self, hash: ContentHash) -> Option<StaticBlob> {
        let mut offers = self.offers();
        let offer = offers.iter_mut().find(|offer| offer.blob.hash == hash)?;
        offer.fetched = true;
        Some(offer.blob.clone())
    }

    /// Whether the client did not answer for too long.
    pub(super) fn are_overdue(&self) -> bool {
        self.offers().iter().any(|offer| !offer.fetched && offer.since.elapsed() > ANSWER_TIME)
    }

    fn offers(&self) -> MutexGuard<'_, Vec<StaticOffer>> {
        self.offers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
