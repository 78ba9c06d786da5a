//! Admission of connection attempts: a bound on all, and a share and a rate for each network.
//!
//! Anyone can write any address on a packet. So an address is counted only once it has proven to be
//! the sender's own. All unproven addresses share one rate and one bound; beyond it they are asked
//! for the proof, which costs no memory.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;

use governor::clock::{Clock, DefaultClock};
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

use crate::config::ServerConfig;
use crate::prefix_rates::PrefixRates;
use crate::shares::{Share, Shares};

/// Guards handshakes, which cost the server much and the peer little.
pub(crate) struct Admission<C: Clock = DefaultClock> {
    /// Handshakes of proven addresses.
    places: Arc<Shares>,
    /// Handshakes of unproven addresses.
    unproven_places: Arc<Shares>,
    unproven_rate: RateLimiter<NotKeyed, InMemoryState, C, NoOpMiddleware<C::Instant>>,
    /// Of proven addresses.
    rates: PrefixRates<C>,
}

/// The decision about a connection attempt.
#[derive(Debug)]
pub(crate) enum AdmissionDecision {
    /// Go on. The share is held until the peer has said hello.
    Admit(Share),
    /// Ask for a proof of its address first.
    Retry,
    /// Do not answer.
    Ignore,
}

impl Admission {
    pub(crate) fn new(config: &ServerConfig) -> Self {
        Admission::with_clock(config, &DefaultClock::default())
    }
}

impl<C: Clock + Clone> Admission<C> {
    fn with_clock(config: &ServerConfig, clock: &C) -> Self {
        let unproven_hz = NonZeroU32::new(config.handshakes_unproven_hz);
        let unproven = Quota::per_second(unproven_hz.unwrap_or(NonZeroU32::MIN));
        let rate = (config.handshakes_prefix_hz, config.handshakes_prefix_burst);
        let percent = config.prefix_share_percent;
        Admission {
            places: Arc::new(Shares::new(config.handshakes_max, percent)),
            unproven_places: Arc::new(Shares::new(config.handshakes_retry_above, percent)),
            unproven_rate: RateLimiter::direct_with_clock(unproven, clock.clone()),
            rates: PrefixRates::new(rate, config.handshakes_prefixes_max, clock),
        }
    }
}

impl<C: Clock> Admission<C> {
    /// Judges an attempt from `address`; `proven` if that is known to be the sender's own.
    pub(crate) fn judge(&self, address: IpAddr, proven: bool) -> AdmissionDecision {
        if !proven {
            let place = self.unproven_places.take(address);
            let is_few = place.is_ok() && self.unproven_rate.check().is_ok();
            return place
                .ok()
                .filter(|_| is_few)
                .map_or(AdmissionDecision::Retry, AdmissionDecision::Admit);
        }
        if !self.rates.take(address) {
            return AdmissionDecision::Ignore;
        }
        self.places.take(address).map_or(AdmissionDecision::Ignore, AdmissionDecision::Admit)
    }

    /// Forgets addresses that were quiet. Called once a second.
    pub(crate) fn sweep(&self) {
        self.rates.sweep();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use governor::clock::FakeRelativeClock;

    use super::*;

    fn admission(clock: &FakeRelativeClock) -> Admission<FakeRelativeClock> {
        let config = ServerConfig {
            handshakes_max: 8,
            handshakes_retry_above: 4,
            handshakes_unproven_hz: 10,
            handshakes_prefix_hz: 1,
            handshakes_prefix_burst: 2,
            handshakes_prefixes_max: 16,
            prefix_share_percent: 50,
            ..ServerConfig::default()
        };
        Admission::with_clock(&config, clock)
    }

    fn is_admitted(verdict: &AdmissionDecision) -> bool {
        matches!(verdict, AdmissionDecision::Admit(_))
    }

    /// The address with this number.
    fn v4(number: u32) -> IpAddr {
        IpAddr::from((0x0a00_0000 + number).to_be_bytes())
    }

    #[test]
    fn one_address_gets_its_burst_and_then_its_rate() {
        let clock = FakeRelativeClock::default();
        let admission = admission(&clock);
        assert!(is_admitted(&admission.judge(v4(1), true)));
        assert!(is_admitted(&admission.judge(v4(1), true)));
        assert!(matches!(admission.judge(v4(1), true), AdmissionDecision::Ignore));
        assert!(is_admitted(&admission.judge(v4(2), true)));
        clock.advance(Duration::from_secs(1));
        assert!(is_admitted(&admission.judge(v4(1), true)));
        assert!(matches!(admission.judge(v4(1), true), AdmissionDecision::Ignore));
    }

    #[test]
    fn addresses_of_one_ipv6_network_count_together() {
        let admission = admission(&FakeRelativeClock::default());
        let judge = |text: &str| admission.judge(text.parse().unwrap(), true);
        assert!(is_admitted(&judge("2001:db8::1")));
        assert!(is_admitted(&judge("2001:db8::2")));
        assert!(matches!(judge("2001:db8::3"), AdmissionDecision::Ignore));
        assert!(is_admitted(&judge("2001:db8:0:1::3")));
    }

    #[test]
    fn a_site_with_many_networks_has_three_times_the_rate_of_one() {
        let admission = admission(&FakeRelativeClock::default());
        let judge = |network: u32| {
            admission.judge(format!("2001:db8:0:{network:x}::1").parse().unwrap(), true)
        };
        let admitted = (0..0x1_0000).step_by(0x100).filter(|at| is_admitted(&judge(*at))).count();
        assert_eq!(admitted, 6);
        assert!(is_admitted(&admission.judge("2001:db8:1::1".parse().unwrap(), true)));
    }

    #[test]
    fn pending_handshakes_ask_for_proof_and_are_bounded() {
        let admission = admission(&FakeRelativeClock::default());
        let mut held: Vec<AdmissionDecision> =
            (0..4).map(|at| admission.judge(v4(at), false)).collect();
        assert!(held.iter().all(is_admitted));
        assert!(matches!(admission.judge(v4(4), false), AdmissionDecision::Retry));
        held.extend((0..8).map(|at| admission.judge(v4(at), true)));
        assert!(held.iter().all(is_admitted));
        assert!(matches!(admission.judge(v4(8), true), AdmissionDecision::Ignore));
        held.clear();
        assert!(is_admitted(&admission.judge(v4(9), false)));
    }

    #[test]
    fn one_address_leaves_places_for_handshakes_of_others() {
        let admission = admission(&FakeRelativeClock::default());
        let own: IpAddr = "::1".parse().unwrap();
        let held: Vec<AdmissionDecision> = (0..9).map(|_| admission.judge(own, true)).collect();
        assert_eq!(held.iter().filter(|it| is_admitted(it)).count(), 4);
        assert!(is_admitted(&admission.judge(v4(1), true)));
    }

    #[test]
    fn many_attempts_without_proof_are_asked_for_it_though_none_is_pending() {
        let clock = FakeRelativeClock::default();
        let admission = admission(&clock);
        // Each fails at once and gives its place back.
        let judge = |at| admission.judge(v4(at), false);
        let admitted = (0..1000).filter(|at| is_admitted(&judge(*at))).count();
        assert_eq!(admitted, 10);
        assert!(matches!(judge(1000), AdmissionDecision::Retry));
        clock.advance(Duration::from_secs(1));
        assert!(is_admitted(&judge(1001)));
    }

    #[test]
    fn attempts_without_proof_take_nothing_from_those_with_it() {
        let admission = admission(&FakeRelativeClock::default());
        let held: Vec<AdmissionDecision> =
            (0..10_000).map(|at| admission.judge(v4(at), false)).collect();
        assert!(!held.iter().any(|verdict| matches!(verdict, AdmissionDecision::Ignore)));
        // An address that others named keeps its place, its rate and its memory.
        assert!(is_admitted(&admission.judge(v4(0), true)));
        assert!(is_admitted(&admission.judge(v4(0), true)));
        assert!(is_admitted(&admission.judge(v4(20_000), true)));
    }

    #[test]
    fn remembered_addresses_are_bounded() {
        let admission = admission(&FakeRelativeClock::default());
        for last in 0..16 {
            let _ = admission.judge(v4(last), true);
        }
        assert!(matches!(admission.judge(v4(99), true), AdmissionDecision::Ignore));
    }
}
