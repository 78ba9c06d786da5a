//! The part of an address that counts as one peer.

use std::net::{IpAddr, Ipv6Addr};

/// An IPv4 address as it is, or the first bits of an IPv6 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Prefix {
    address: IpAddr,
    bits: u8,
}

impl Prefix {
    /// The lengths of IPv6 prefixes that are given to one household, to one site, and to one customer
    /// of a data centre.
    pub(crate) const IPV6_BITS: [u8; 3] = [64, 56, 48];

    /// The prefix of `address`, `ipv6_bits` long if that is an IPv6 address. An IPv4 address that is
    /// written as an IPv6 one is IPv4.
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

    /// The prefixes that an address counts for, the narrowest first: one for IPv4, three for IPv6.
    pub(crate) fn all(address: IpAddr) -> impl Iterator<Item = Prefix> {
        let address = address.to_canonical();
        let count = if address.is_ipv6() { Self::IPV6_BITS.len() } else { 1 };
        Self::IPV6_BITS.into_iter().take(count).map(move |bits| Prefix::new(address, bits))
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
}
