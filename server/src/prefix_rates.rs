//! A rate for each network.

use std::net::IpAddr;
use std::num::NonZeroU32;

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};

use crate::prefix::Prefix;

/// A rate for each network of proven addresses. Loopback addresses have none.
pub(crate) struct PrefixRates<C: Clock> {
    /// One for each prefix length, the narrowest first.
    rates: Vec<PrefixRate<C>>,
    prefixes_max: usize,
}

/// A rate for each prefix of one length.
type PrefixRate<C> =
    RateLimiter<Prefix, DashMapStateStore<Prefix>, C, NoOpMiddleware<<C as Clock>::Instant>>;

impl<C: Clock + Clone> PrefixRates<C> {
    /// Of `hz` a second and `burst` at once for an IPv4 address or a /64 of IPv6; a /56 has twice the rate, a /48 three times.
    /// While `prefixes_max` of one length are remembered, others have no place.
    pub(crate) fn new((hz, burst): (u32, u32), prefixes_max: usize, clock: &C) -> Self {
        let count = |value: u32| NonZeroU32::new(value).unwrap_or(NonZeroU32::MIN);
        let rate = |wider: u32| {
            let burst = count(burst.saturating_mul(wider));
            let quota = Quota::per_second(count(hz.saturating_mul(wider))).allow_burst(burst);
            RateLimiter::new(quota, DashMapStateStore::default(), clock.clone())
        };
        let rates = Prefix::IPV6_BITS.iter().zip(1..).map(|(_, wider)| rate(wider)).collect();
        PrefixRates { rates, prefixes_max }
    }
}

impl<C: Clock> PrefixRates<C> {
    /// True if `address` may go on now, which counts.
    pub(crate) fn take(&self, address: IpAddr) -> bool {
        if address.to_canonical().is_loopback() {
            return true;
        }
        // The widest first: a network above its rate adds no entries for narrower prefixes.
        let prefixes: Vec<_> = Prefix::all(address).zip(&self.rates).collect();
        prefixes
            .iter()
            .rev()
            .all(|(prefix, rate)| self.has_room(rate) && rate.check_key(prefix).is_ok())
    }

    /// Forgets networks that were quiet.
    pub(crate) fn sweep(&self) {
        self.rates.iter().for_each(PrefixRate::<C>::retain_recent);
    }

    fn has_room(&self, rate: &PrefixRate<C>) -> bool {
        if rate.len() >= self.prefixes_max {
            rate.retain_recent();
        }
        rate.len() < self.prefixes_max
    }
}
