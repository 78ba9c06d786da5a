//! How many of something each network may hold, so that none holds all of them.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::prefix::Prefix;

/// How many of something each network holds.
#[derive(Debug)]
pub(super) struct Shares {
    held: Mutex<HashMap<Prefix, usize>>,
    each_max: usize,
}

/// One of what its network may hold, given back when dropped.
#[derive(Debug)]
pub(super) struct Share {
    shares: Arc<Shares>,
    address: IpAddr,
}

impl Shares {
    /// `each_max` for one IPv4 address and for a /64 of IPv6; twice as many for a /56, and four times for a
    /// /48: one customer may have as many addresses.
    pub(super) fn new(each_max: usize) -> Arc<Self> {
        Arc::new(Shares { held: Mutex::default(), each_max })
    }

    /// Takes one for `address`, if its networks have one left.
    pub(super) fn take(self: &Arc<Self>, address: IpAddr) -> Option<Share> {
        let mut held = self.held();
        for (prefix, factor) in Prefix::all(address).zip(FACTORS) {
            let max = self.each_max.saturating_mul(factor);
            if held.get(&prefix).is_some_and(|held| *held >= max) {
                return None;
            }
        }
        for prefix in Prefix::all(address) {
            *held.entry(prefix).or_default() += 1;
        }
        Some(Share { shares: Arc::clone(self), address })
    }

    fn held(&self) -> MutexGuard<'_, HashMap<Prefix, usize>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut held = self.shares.held();
        for prefix in Prefix::all(self.address) {
            if let Some(count) = held.get_mut(&prefix) {
                *count -= 1;
                if *count == 0 {
                    held.remove(&prefix);
                }
            }
        }
    }
}

/// How many shares the networks of [`Prefix::all`] hold.
const FACTORS: [usize; Prefix::IPV6_BITS.len()] = [1, 2, 4];

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_network_holds_its_share_and_a_larger_one_a_multiple_of_it() {
        let shares = Shares::new(2);
        let mut held = Vec::new();
        let mut take = |text: &str| {
            let share = shares.take(ip(text));
            let taken = share.is_some();
            held.extend(share);
            taken
        };
        assert!(take("192.0.2.1") && take("::ffff:192.0.2.1") && !take("192.0.2.1"));
        assert!(take("192.0.2.2"));
        // A /64 two, a /56 four, a /48 eight.
        let mut three = |part: u16| {
            let address = format!("2001:db8:0:{part:x}::1");
            (0..3).filter(|_| take(&address)).count()
        };
        assert_eq!([0, 1, 2].map(&mut three), [2, 2, 0]);
        assert_eq!([0x100, 0x101, 0x200, 0x201].map(&mut three), [2, 2, 0, 0]);
        assert!(take("2001:db8:1::1"));
        held.clear();
        assert!(shares.held().is_empty());
        assert!(shares.take(ip("2001:db8::1")).is_some());
    }
}
