//! Those who publish without a session: a number and a rate for each account, and for each network of guests.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use tickwire_shared::PlayerId;
use tickwire_shared::control::RefuseCode;

use super::TopicRefusal;
use crate::config::TopicsConfig;
use crate::prefix::Prefix;
use crate::token_bucket::TokenBucket;

/// Pause between two sweeps, each of which visits all.
const SWEEP_PAUSE: Duration = Duration::from_secs(1);

/// Somebody who publishes without a session.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum PublisherKey {
    /// An account.
    Account(String),
    /// Guests of one network.
    Guests(Prefix),
}

/// The publishers of the last seconds.
#[derive(Debug, Default)]
pub(super) struct Publishers {
    known: HashMap<PublisherKey, Publisher>,
    swept: Option<Instant>,
}

#[derive(Debug)]
struct Publisher {
    number: PlayerId,
    rate: TokenBucket,
    last: Instant,
}

impl Publishers {
    /// The number of a publisher that may publish another message now; `number` is that of a new one.
    ///
    /// # Errors
    /// It is too fast, or there are too many publishers.
    pub(super) fn take(
        &mut self,
        key: PublisherKey,
        now: Instant,
        number: impl FnOnce() -> PlayerId,
        limits: &TopicsConfig,
    ) -> Result<PlayerId, TopicRefusal> {
        if self.known.len() >= limits.http_publishers_max && !self.known.contains_key(&key) {
            self.sweep(now, limits);
        }
        let is_full = self.known.len() >= limits.http_publishers_max;
        if is_full && !self.known.contains_key(&key) {
            let text = "too many publish over HTTP at once; try again in a moment";
            return Err(TopicRefusal::new(RefuseCode::TopicTooFast, text));
        }
        let publisher = self.known.entry(key).or_insert_with(|| Publisher {
            number: number(),
            rate: TokenBucket::new(limits.publish_burst, limits.publish_hz, now),
            last: now,
        });
        publisher.last = now;
        match publisher.rate.take(now) {
            true => Ok(publisher.number),
            false => {
                let most = limits.publish_hz;
                let text = format!("at most {most} messages in a second; wait a moment");
                Err(TopicRefusal::new(RefuseCode::TopicTooFast, text))
            }
        }
    }

    /// Forgets those that have their whole burst again.
    fn sweep(&mut self, now: Instant, limits: &TopicsConfig) {
        if self.swept.is_some_and(|at| now.saturating_duration_since(at) < SWEEP_PAUSE) {
            return;
        }
        self.swept = Some(now);
        let refill_s = f64::from(limits.publish_burst) / f64::from(limits.publish_hz);
        let refill = Duration::from_secs_f64(refill_s);
        self.known.retain(|_, it| now.saturating_duration_since(it.last) < refill);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_a_rate_and_a_number_of_its_own_and_few_are_remembered() {
        let limits = TopicsConfig {
            publish_hz: 1,
            publish_burst: 2,
            http_publishers_max: 2,
            ..TopicsConfig::default()
        };
        let (mut publishers, start) = (Publishers::default(), Instant::now());
        let mut numbers = 0;
        let mut take = |name: &str, after_s: u64| {
            let new = || {
                numbers += 1;
                PlayerId(numbers)
            };
            let key = PublisherKey::Account(name.to_owned());
            publishers.take(key, start + Duration::from_secs(after_s), new, &limits)
        };
        let code = |result: Result<PlayerId, TopicRefusal>| result.unwrap_err().code;
        assert_eq!((take("ann", 0), take("ann", 0)), (Ok(PlayerId(1)), Ok(PlayerId(1))));
        assert_eq!(code(take("ann", 0)), RefuseCode::TopicTooFast);
        assert_eq!(take("bob", 0), Ok(PlayerId(2)));
        assert_eq!(code(take("eve", 0)), RefuseCode::TopicTooFast, "two are remembered");
        assert_eq!(take("ann", 1), Ok(PlayerId(1)));
        assert_eq!(take("eve", 2), Ok(PlayerId(3)), "in place of bob");
        assert_eq!(publishers.known.len(), 2);
    }
}
