//! Creators of rooms: bounds on the number of their rooms and on the rate of new ones.

use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroU32;

use governor::clock::{Clock, DefaultClock};
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};
use tickwire_shared::PlayerId;
use tickwire_shared::control::RefuseCode;

use super::RoomRefusal;
use crate::config::ServerConfig;
use crate::prefix::{Prefix, PrefixCounts};

/// The session and address that a room counts for until it is removed.
#[derive(Clone, Copy, Debug)]
pub(super) struct CreatedRoom {
    player: PlayerId,
    address: IpAddr,
}

/// The creators of all current rooms. Those whose rooms are gone are forgotten, so there are no
/// more than a few for each room.
pub(super) struct RoomCreators<C: Clock = DefaultClock> {
    by_session: HashMap<PlayerId, usize>,
    by_prefix: PrefixCounts,
    rates: RateLimiter<Prefix, DashMapStateStore<Prefix>, C, NoOpMiddleware<C::Instant>>,
}

impl RoomCreators {
    pub(super) fn new(config: &ServerConfig) -> Self {
        RoomCreators::with_clock(config, DefaultClock::default())
    }
}

impl<C: Clock> RoomCreators<C> {
    fn with_clock(config: &ServerConfig, clock: C) -> Self {
        let count = |value: u32| NonZeroU32::new(value).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::per_second(count(config.rooms_prefix_hz))
            .allow_burst(count(config.rooms_prefix_burst));
        let rates = RateLimiter::new(quota, DashMapStateStore::default(), clock);
        // A /56 may have made twice as many as a /64 or an IPv4 address, a /48 four times.
        let by_prefix = PrefixCounts::new(config.rooms_prefix_max, [1, 2, 4]);
        RoomCreators { by_session: HashMap::new(), by_prefix, rates }
    }

    /// Counts a room that the player `by`, at this address, makes.
    ///
    /// # Errors
    /// [`RefuseCode::TooManyRooms`]: it has made enough, or too many just now.
    pub(super) fn take(
        &mut self,
        config: &ServerConfig,
        (player, address): (PlayerId, IpAddr),
    ) -> Result<CreatedRoom, RoomRefusal> {
        let refused =
            |text: &str| Err(RoomRefusal { code: RefuseCode::TooManyRooms, text: text.to_owned() });
        let by_session = self.by_session.get(&player).copied().unwrap_or(0);
        if by_session >= config.rooms_session_max || !self.by_prefix.has_room(address) {
            return refused(
                "you or others at your address made as many rooms as one may; join one that is there",
            );
        }
        if self.rates.check_key(&Prefix::new(address, Prefix::IPV6_BITS[0])).is_err() {
            return refused("too many rooms were made from your address just now; wait a moment");
        }
        *self.by_session.entry(player).or_default() += 1;
        self.by_prefix.add(address);
        Ok(CreatedRoom { player, address })
    }

    /// Uncounts a room that was removed.
    pub(super) fn give_back(&mut self, made: CreatedRoom) {
        self.by_prefix.remove(made.address);
        if let Some(rooms) = self.by_session.get_mut(&made.player) {
            *rooms -= 1;
            if *rooms == 0 {
                self.by_session.remove(&made.player);
            }
        }
    }

    /// Forgets addresses that made none for a while. Called once a second.
    pub(super) fn sweep(&self) {
        self.rates.retain_recent();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use governor::clock::FakeRelativeClock;

    use super::*;

    fn config() -> ServerConfig {
        ServerConfig {
            rooms_session_max: 2,
            rooms_prefix_max: 3,
            rooms_prefix_burst: 8,
            ..ServerConfig::default()
        }
    }

    fn by(player: u32, address: &str) -> (PlayerId, IpAddr) {
        (PlayerId(player), address.parse().unwrap())
    }

    #[test]
    fn one_session_and_one_address_have_made_so_many_rooms_at_most() {
        let config = config();
        let mut creators = RoomCreators::new(&config);
        let first = creators.take(&config, by(1, "192.0.2.1")).unwrap();
        creators.take(&config, by(1, "192.0.2.1")).unwrap();
        assert_eq!(
            creators.take(&config, by(1, "192.0.2.1")).unwrap_err().code,
            RefuseCode::TooManyRooms
        );
        creators.take(&config, by(2, "192.0.2.1")).unwrap();
        assert!(creators.take(&config, by(3, "192.0.2.1")).is_err());
        creators.take(&config, by(4, "192.0.2.2")).unwrap();
        creators.give_back(first);
        creators.take(&config, by(3, "192.0.2.1")).unwrap();
    }

    #[test]
    fn the_networks_of_one_site_share_twice_as_many_and_those_of_a_customer_four_times() {
        let config = ServerConfig { rooms_prefix_burst: 100, ..config() };
        let mut creators = RoomCreators::new(&config);
        let mut made = |address: &str| {
            let tries = (0..100).map(|player| by(player, address));
            tries.filter(|by| creators.take(&config, *by).is_ok()).count()
        };
        assert_eq!(
            [made("2001:db8::1"), made("2001:db8:0:1::1"), made("2001:db8:0:2::1")],
            [3, 3, 0]
        );
        assert_eq!([made("2001:db8:0:100::1"), made("2001:db8:0:101::1")], [3, 3]);
        assert_eq!(made("2001:db8:0:200::1"), 0);
        assert_eq!(made("2001:db8:1::1"), 3);
    }

    #[test]
    fn rooms_are_made_at_a_bounded_rate_and_nothing_is_kept_of_those_that_are_gone() {
        let config = ServerConfig { rooms_prefix_hz: 1, rooms_prefix_burst: 2, ..config() };
        let clock = FakeRelativeClock::default();
        let mut creators = RoomCreators::with_clock(&config, clock.clone());
        let mut try_one = || {
            let made = creators.take(&config, by(1, "192.0.2.1")).ok();
            made.inspect(|made| creators.give_back(*made)).is_some()
        };
        assert_eq!([try_one(), try_one(), try_one()], [true, true, false]);
        clock.advance(Duration::from_secs(1));
        assert_eq!([try_one(), try_one()], [true, false]);
        clock.advance(Duration::from_secs(60));
        creators.sweep();
        assert_eq!(
            (creators.by_session.len(), creators.by_prefix.len(), creators.rates.len()),
            (0, 0, 0)
        );
    }
}
