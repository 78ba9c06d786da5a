//! Places of which no network may have more than its share.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::prefix::Prefix;

/// So many places, and who has how many of them.
#[derive(Debug)]
pub(crate) struct Shares {
    places_max: usize,
    /// Of an IPv4 address or a /64 of IPv6; a /56 may have twice as many, a /48 three times.
    prefix_places_max: usize,
    /// This machine may have them all.
    loopback_is_free: bool,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    places: usize,
    /// No prefix is here without a place.
    by_prefix: HashMap<Prefix, usize>,
}

/// A place, given back when dropped.
#[derive(Debug)]
pub(crate) struct Share {
    shares: Arc<Shares>,
    address: IpAddr,
}

/// Why there is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoPlace {
    /// All are taken.
    Full,
    /// The network of this address has its share.
    ShareTaken,
}

impl Shares {
    /// `places_max` places, of which one network may have `prefix_percent`, and one at least.
    pub(crate) fn new(places_max: usize, prefix_percent: u32) -> Self {
        let prefix_places_max = places_max.saturating_mul(prefix_percent as usize) / 100;
        Shares {
            places_max,
            prefix_places_max: prefix_places_max.max(1),
            loopback_is_free: false,
            held: Mutex::default(),
        }
    }

    /// The same, but for this machine, which may have all of them: players may come by way of a proxy
    /// on it.
    pub(crate) fn free_for_loopback(self) -> Self {
        Shares { loopback_is_free: true, ..self }
    }

    /// A place for `address`.
    ///
    /// # Errors
    /// Whether anyone else would get one.
    pub(crate) fn take(self: &Arc<Self>, address: IpAddr) -> Result<Share, NoPlace> {
        let mut held = self.lock();
        if held.places >= self.places_max {
            return Err(NoPlace::Full);
        }
        let is_taken = |(prefix, wider): (Prefix, usize)| {
            let taken = held.by_prefix.get(&prefix).copied().unwrap_or(0);
            taken >= self.prefix_places_max.saturating_mul(wider)
        };
        let is_free = self.loopback_is_free && address.to_canonical().is_loopback();
        if !is_free && Prefix::all(address).zip(1..).any(is_taken) {
            return Err(NoPlace::ShareTaken);
        }
        held.places += 1;
        for prefix in Prefix::all(address) {
            *held.by_prefix.entry(prefix).or_default() += 1;
        }
        Ok(Share { shares: Arc::clone(self), address })
    }

    /// How many places are taken.
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
        for prefix in Prefix::all(self.address) {
            let Some(taken) = held.by_prefix.get_mut(&prefix) else { continue };
            *taken -= 1;
            if *taken == 0 {
                held.by_prefix.remove(&prefix);
            }
        }
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
        assert!(shares.lock().by_prefix.is_empty());
    }
}
