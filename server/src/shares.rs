//! Places with a largest share for each network.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::prefix::{Prefix, PrefixCounts};

/// A number of places, and the count that each network holds.
#[derive(Debug)]
pub(crate) struct Shares {
    places_max: usize,
    /// Loopback addresses may have them all.
    loopback_is_free: bool,
    held: Mutex<Held>,
}

#[derive(Debug)]
struct Held {
    places: usize,
    by_prefix: PrefixCounts,
}

/// A place, given back when dropped.
#[derive(Debug)]
pub(crate) struct Share {
    shares: Arc<Shares>,
    address: IpAddr,
}

/// The reason why there is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoPlace {
    /// All are taken.
    Full,
    /// The address's network has its share.
    ShareTaken,
}

impl Shares {
    /// `places_max` places. An IPv4 address or a /64 of IPv6 may have `prefix_percent` of them, at
    /// least one; a /56 twice as many, a /48 three times.
    pub(crate) fn new(places_max: usize, prefix_percent: u32) -> Self {
        let prefix_places_max = places_max.saturating_mul(prefix_percent as usize) / 100;
        Shares::with_prefix_max(places_max, prefix_places_max.max(1), [1, 2, 3])
    }

    /// `places_max` places. An IPv4 address may have `prefix_places_max`, and each IPv6 prefix that
    /// many times its factor.
    pub(crate) fn with_prefix_max(
        places_max: usize,
        prefix_places_max: usize,
        factors: [usize; Prefix::IPV6_BITS.len()],
    ) -> Self {
        let by_prefix = PrefixCounts::new(prefix_places_max, factors);
        let held = Mutex::new(Held { places: 0, by_prefix });
        Shares { places_max, loopback_is_free: false, held }
    }

    /// Lifts the share for loopback addresses, which may have all places: players may come through
    /// a proxy on this machine.
    pub(crate) fn free_for_loopback(self) -> Self {
        Shares { loopback_is_free: true, ..self }
    }

    /// A place for `address`.
    ///
    /// # Errors
    /// [`NoPlace::ShareTaken`] if another network would still get a place.
    pub(crate) fn take(self: &Arc<Self>, address: IpAddr) -> Result<Share, NoPlace> {
        let mut held = self.lock();
        if held.places >= self.places_max {
            return Err(NoPlace::Full);
        }
        let is_free = self.loopback_is_free && address.to_canonical().is_loopback();
        if !is_free && !held.by_prefix.has_room(address) {
            return Err(NoPlace::ShareTaken);
        }
        held.places += 1;
        held.by_prefix.add(address);
        Ok(Share { shares: Arc::clone(self), address })
    }

    /// The number of taken places.
    pub(crate) fn taken(&self) -> usize {
        self.lock().places
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut held = self.shares.lock();
        held.places -= 1;
        held.by_prefix.remove(self.address);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(shares: &Arc<Shares>, address: &str) -> Result<Share, NoPlace> {
        shares.take(address.parse().unwrap())
    }

    #[test]
    fn one_address_leaves_places_for_others() {
        let shares = Arc::new(Shares::new(8, 25));
        let held: Vec<_> = (0..2).map(|_| take(&shares, "192.0.2.1").unwrap()).collect();
        assert_eq!(take(&shares, "192.0.2.1").unwrap_err(), NoPlace::ShareTaken);
        assert_eq!(take(&shares, "::ffff:192.0.2.1").unwrap_err(), NoPlace::ShareTaken);
        take(&shares, "192.0.2.2").unwrap();
        drop(held);
        take(&shares, "192.0.2.1").unwrap();
        assert_eq!(shares.taken(), 0);
    }

    #[test]
    fn a_proxy_on_this_machine_may_have_all_places_where_players_come_by_it() {
        let shares = Arc::new(Shares::new(8, 25).free_for_loopback());
        let held: Vec<_> = (0..8).map(|_| take(&shares, "::ffff:127.0.0.1").unwrap()).collect();
        assert_eq!(take(&shares, "::1").unwrap_err(), NoPlace::Full);
        drop(held);
        let held: Vec<_> = (0..8).map(|_| take(&shares, "192.0.2.1")).collect();
        assert_eq!(held.iter().flatten().count(), 2);
    }

    #[test]
    fn however_many_networks_one_site_has_it_leaves_places_for_others() {
        let shares = Arc::new(Shares::new(8, 25));
        let mut held = Vec::new();
        for network in 0..0x1_0000_u32 {
            let address = format!("2001:db8:0:{network:x}::1");
            held.extend(take(&shares, &address));
        }
        // Two in a /64, four in a /56, six in a /48.
        assert_eq!(held.len(), 6);
        held.push(take(&shares, "2001:db8:1::1").unwrap());
        held.push(take(&shares, "192.0.2.1").unwrap());
        assert_eq!(take(&shares, "192.0.2.2").unwrap_err(), NoPlace::Full);
    }

    #[test]
    fn what_is_remembered_goes_with_the_places() {
        let shares = Arc::new(Shares::new(100, 1));
        let held: Vec<_> =
            (0..100).map(|last| take(&shares, &format!("192.0.2.{last}")).unwrap()).collect();
        assert_eq!(shares.lock().by_prefix.len(), 100);
        drop(held);
        assert_eq!(shares.lock().by_prefix.len(), 0);
    }
}
