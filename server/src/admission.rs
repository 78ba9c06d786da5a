//! Which connection attempts are answered: a bound on all, and a rate for each address.

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::Arc;

use governor::clock::{Clock, DefaultClock};
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::config::ServerConfig;

/// Guards the handshakes, which cost the server much and the peer little.
pub(crate) struct Admission<C: Clock = DefaultClock> {
    places: Arc<Semaphore>,
    places_max: usize,
    retry_above: usize,
    rates: RateLimiter<IpAddr, DashMapStateStore<IpAddr>, C, NoOpMiddleware<C::Instant>>,
    prefixes_max: usize,
}

/// What to do with a connection attempt.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// Go on; the permit is held until the peer said hello.
    Admit(OwnedSemaphorePermit),
    /// Let it prove its address first.
    Retry,
    /// Do not answer.
    Ignore,
}

impl Admission {
    pub(crate) fn new(config: &ServerConfig) -> Self {
        Admission::with_clock(config, DefaultClock::default())
    }
}

impl<C: Clock> Admission<C> {
    fn with_clock(config: &ServerConfig, clock: C) -> Self {
        let count = |value: u32| NonZeroU32::new(value).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::per_second(count(config.handshakes_prefix_hz))
            .allow_burst(count(config.handshakes_prefix_burst));
        Admission {
            places: Arc::new(Semaphore::new(config.handshakes_max)),
            places_max: config.handshakes_max,
            retry_above: config.handshakes_retry_above,
            rates: RateLimiter::new(quota, DashMapStateStore::default(), clock),
            prefixes_max: config.handshakes_prefixes_max,
        }
    }

    /// Judges an attempt from `address`. `proven` says that it is known to be the sender's own.
    pub(crate) fn judge(&self, address: IpAddr, proven: bool) -> Verdict {
        let pending = self.places_max - self.places.available_permits();
        if pending >= self.retry_above && !proven {
            return Verdict::Retry;
        }
        if !self.is_within_rate(address) {
            return Verdict::Ignore;
        }
        Arc::clone(&self.places).try_acquire_owned().map_or(Verdict::Ignore, Verdict::Admit)
    }

    /// Forgets addresses that have been quiet. Called once a second.
    pub(crate) fn sweep(&self) {
        self.rates.retain_recent();
    }

    fn is_within_rate(&self, address: IpAddr) -> bool {
        let prefix = prefix_of(address);
        if prefix.is_loopback() {
            return true;
        }
        if self.rates.len() >= self.prefixes_max {
            self.rates.retain_recent();
            if self.rates.len() >= self.prefixes_max {
                return false;
            }
        }
        self.rates.check_key(&prefix).is_ok()
    }
}

/// An IPv4 address as it is, the /64 of an IPv6 address: that is what one household is given.
fn prefix_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) if !v6.is_loopback() => {
            IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)))
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use governor::clock::FakeRelativeClock;

    use super::*;

    fn admission(clock: FakeRelativeClock) -> Admission<FakeRelativeClock> {
        let config = ServerConfig {
            handshakes_max: 8,
            handshakes_retry_above: 4,
            handshakes_prefix_hz: 1,
            handshakes_prefix_burst: 2,
            handshakes_prefixes_max: 16,
            ..ServerConfig::default()
        };
        Admission::with_clock(&config, clock)
    }

    fn is_admitted(verdict: &Verdict) -> bool {
        matches!(verdict, Verdict::Admit(_))
    }

    #[test]
    fn one_address_gets_its_burst_and_then_its_rate() {
        let clock = FakeRelativeClock::default();
        let admission = admission(clock.clone());
        let address: IpAddr = "192.0.2.1".parse().unwrap();
        let other: IpAddr = "192.0.2.2".parse().unwrap();
        assert!(is_admitted(&admission.judge(address, true)));
        assert!(is_admitted(&admission.judge(address, true)));
        assert!(matches!(admission.judge(address, true), Verdict::Ignore));
        assert!(is_admitted(&admission.judge(other, true)));
        clock.advance(Duration::from_secs(1));
        assert!(is_admitted(&admission.judge(address, true)));
        assert!(matches!(admission.judge(address, true), Verdict::Ignore));
    }

    #[test]
    fn addresses_of_one_ipv6_network_count_together() {
        let admission = admission(FakeRelativeClock::default());
        let judge = |text: &str| admission.judge(text.parse().unwrap(), true);
        assert!(is_admitted(&judge("2001:db8::1")));
        assert!(is_admitted(&judge("2001:db8::2")));
        assert!(matches!(judge("2001:db8::3"), Verdict::Ignore));
        assert!(is_admitted(&judge("2001:db8:0:1::3")));
    }

    #[test]
    fn pending_handshakes_ask_for_proof_and_are_bounded() {
        let admission = admission(FakeRelativeClock::default());
        let address: IpAddr = "::1".parse().unwrap();
        let mut held: Vec<Verdict> = (0..4).map(|_| admission.judge(address, false)).collect();
        assert!(held.iter().all(is_admitted));
        assert!(matches!(admission.judge(address, false), Verdict::Retry));
        held.extend((0..4).map(|_| admission.judge(address, true)));
        assert!(held.iter().all(is_admitted));
        assert!(matches!(admission.judge(address, true), Verdict::Ignore));
        held.clear();
        assert!(is_admitted(&admission.judge(address, false)));
    }

    #[test]
    fn remembered_addresses_are_bounded() {
        let admission = admission(FakeRelativeClock::default());
        let judge =
            |last: u32| admission.judge(IpAddr::from((0x0a00_0000 + last).to_be_bytes()), true);
        for last in 0..16 {
            let _ = judge(last);
        }
        assert!(matches!(judge(99), Verdict::Ignore));
    }
}
