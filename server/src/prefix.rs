//! The part of an address that counts as one peer, and counts for each.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};

/// A whole IPv4 address, or the first bits of an IPv6 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Prefix {
    address: IpAddr,
    bits: u8,
}

impl Prefix {
    /// IPv6 prefix lengths usual for one household, one site, and one customer of a data centre.
    pub(crate) const IPV6_BITS: [u8; 3] = [64, 56, 48];

    /// The prefix of `address`, `ipv6_bits` long for an IPv6 address. An IPv4-mapped IPv6 address
    /// counts as IPv4.
    pub(crate) fn new(address: IpAddr, ipv6_bits: u8) -> Self {
        match address.to_canonical() {
            IpAddr::V6(v6) => {
                let shift = u32::from(128 - ipv6_bits.min(128));
                let kept = u128::MAX.checked_shl(shift).unwrap_or(0);
                let address = IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & kept));
                Prefix { address, bits: ipv6_bits }
            }
            address @ IpAddr::V4(_) => Prefix { address, bits: 32 },
        }
    }

    /// The prefixes that an address belongs to, the narrowest first: one for IPv4, three for IPv6.
    pub(crate) fn all(address: IpAddr) -> impl Iterator<Item = Prefix> {
        let address = address.to_canonical();
        let count = if address.is_ipv6() { Self::IPV6_BITS.len() } else { 1 };
        Self::IPV6_BITS.into_iter().take(count).map(move |bits| Prefix::new(address, bits))
    }
}

/// Counts of something for each prefix, with their limits.
#[derive(Debug)]
pub(crate) struct PrefixCounts {
    each_max: usize,
    /// The factor of the limit for each of [`Prefix::all`].
    factors: [usize; Prefix::IPV6_BITS.len()],
    /// Only prefixes with a count above zero.
    held: HashMap<Prefix, usize>,
}

impl PrefixCounts {
    /// The limit is `each_max` for an IPv4 address, and that times its factor for an IPv6 prefix.
    pub(crate) fn new(each_max: usize, factors: [usize; Prefix::IPV6_BITS.len()]) -> Self {
        PrefixCounts { each_max, factors, held: HashMap::new() }
    }

    /// True if every prefix of `address` may have one more.
    pub(crate) fn has_room(&self, address: IpAddr) -> bool {
        Prefix::all(address).zip(self.factors).all(|(prefix, factor)| {
            let held = self.held.get(&prefix).copied().unwrap_or(0);
            held < self.each_max.saturating_mul(factor)
        })
    }

    /// Adds one to each prefix of `address`.
    pub(crate) fn add(&mut self, address: IpAddr) {
        for prefix in Prefix::all(address) {
            *self.held.entry(prefix).or_default() += 1;
        }
    }

    /// Takes one away from each prefix of `address`.
    pub(crate) fn remove(&mut self, address: IpAddr) {
        for prefix in Prefix::all(address) {
            if let Some(held) = self.held.get_mut(&prefix) {
                *held -= 1;
                if *held == 0 {
                    self.held.remove(&prefix);
                }
            }
        }
    }

    /// The number of prefixes with a count above zero.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.held.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(text: &str, bits: u8) -> Prefix {
        Prefix::new(text.parse().unwrap(), bits)
    }

    #[test]
    fn an_ipv6_prefix_holds_what_begins_alike() {
        assert_eq!(prefix("2001:db8::1", 64), prefix("2001:db8::ffff:0:0:2", 64));
        assert_ne!(prefix("2001:db8::1", 64), prefix("2001:db8:0:1::1", 64));
        assert_eq!(prefix("2001:db8::1", 56), prefix("2001:db8:0:ff::1", 56));
        assert_ne!(prefix("2001:db8::1", 56), prefix("2001:db8:0:100::1", 56));
        assert_eq!(prefix("2001:db8::1", 48), prefix("2001:db8:0:ffff::1", 48));
        assert_ne!(prefix("2001:db8::1", 48), prefix("2001:db8::1", 64));
    }

    #[test]
    fn an_ipv4_address_is_itself_however_it_is_written() {
        assert_eq!(prefix("192.0.2.1", 48), prefix("::ffff:192.0.2.1", 64));
        assert_ne!(prefix("192.0.2.1", 64), prefix("192.0.2.2", 64));
        assert_eq!(Prefix::all("::ffff:192.0.2.1".parse().unwrap()).count(), 1);
        assert_eq!(Prefix::all("2001:db8::1".parse().unwrap()).count(), 3);
    }

    #[test]
    fn a_prefix_has_its_share_and_a_wider_one_a_multiple_of_it() {
        let mut counts = PrefixCounts::new(2, [1, 2, 4]);
        let mut added = Vec::new();
        let mut add = |text: &str| {
            let address = text.parse().unwrap();
            let room = counts.has_room(address);
            if room {
                counts.add(address);
                added.push(address);
            }
            room
        };
        assert!(add("192.0.2.1") && add("::ffff:192.0.2.1") && !add("192.0.2.1"));
        assert!(add("192.0.2.2"));
        // Two in a /64, four in a /56, eight in a /48.
        let mut three = |part: u16| {
            let address = format!("2001:db8:0:{part:x}::1");
            (0..3).filter(|_| add(&address)).count()
        };
        assert_eq!([0, 1, 2].map(&mut three), [2, 2, 0]);
        assert_eq!([0x100, 0x101, 0x200, 0x201].map(&mut three), [2, 2, 0, 0]);
        assert!(add("2001:db8:1::1"));
        added.into_iter().for_each(|address| counts.remove(address));
        assert_eq!(counts.len(), 0);
        assert!(counts.has_room("2001:db8::1".parse().unwrap()));
    }

    #[test]
    fn a_limit_that_is_no_limit_is_none_for_wider_prefixes_either() {
        let mut counts = PrefixCounts::new(usize::MAX, [1, 2, 4]);
        let address = "2001:db8::1".parse().unwrap();
        counts.add(address);
        assert!(counts.has_room(address));
    }
}
