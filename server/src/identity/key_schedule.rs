//! When a document of keys is requested again, and for how long its keys hold while that fails.
//!
//! Times are milliseconds of one steady clock.

/// A server's requirements for keys that are fetched.
#[derive(Clone, Copy, Debug)]
pub(super) struct ScheduleRules {
    /// Least milliseconds from the start of one request to the start of the next.
    pub(super) pause_ms: u64,
    /// Most milliseconds from an answer to the next request.
    pub(super) refresh_ms: u64,
    /// Milliseconds for which keys hold after their last confirmation.
    pub(super) stale_ms: u64,
}

/// The times of requests.
#[derive(Debug)]
pub(super) struct KeySchedule {
    rules: ScheduleRules,
    /// Requests begun so far.
    begun: u64,
    /// The start of the last one.
    begun_ms: u64,
    /// When the next one begins, unless a token asks for it before.
    due_ms: u64,
    /// A token named an unknown key since the last one began.
    is_wanted: bool,
    /// When the keys in force were confirmed last; `None` while there are none.
    confirmed_ms: Option<u64>,
    /// Requests that failed since the last that did not.
    failures: u32,
}

impl KeySchedule {
    /// Nothing was fetched yet, and the first request is due at once.
    pub(super) fn new(rules: ScheduleRules) -> Self {
        KeySchedule {
            rules,
            begun: 0,
            begun_ms: 0,
            due_ms: 0,
            is_wanted: false,
            confirmed_ms: None,
            failures: 0,
        }
    }

    /// A token names an unknown key: the next request begins as soon as the pause is over. Returns the number of the request
    /// that will have seen the key if there is one; `None` while requests fail, which an eager client does not hasten.
    pub(super) fn want(&mut self) -> Option<u64> {
        if self.failures > 0 {
            return None;
        }
        self.is_wanted = true;
        Some(self.begun + 1)
    }

    /// When something is to be done next: a request, or giving up the keys.
    pub(super) fn wake_ms(&self) -> u64 {
        let stale_ms = self.confirmed_ms.map_or(u64::MAX, |at| at + self.rules.stale_ms);
        self.request_ms().min(stale_ms)
    }

    fn request_ms(&self) -> u64 {
        match self.is_wanted && self.failures == 0 && self.begun > 0 {
            true => self.due_ms.min(self.begun_ms + self.rules.pause_ms),
            false => self.due_ms,
        }
    }

    /// Begins a request if it is time. Returns its number, from 1.
    pub(super) fn begin(&mut self, now_ms: u64) -> Option<u64> {
        if now_ms < self.request_ms() {
            return None;
        }
        self.begun += 1;
        (self.begun_ms, self.is_wanted) = (now_ms, false);
        Some(self.begun)
    }

    /// The request was answered by usable keys, good for `max_age_s` by its own word.
    pub(super) fn succeed(&mut self, now_ms: u64, max_age_s: Option<u64>) {
        let ScheduleRules { pause_ms, refresh_ms, .. } = self.rules;
        let good_ms = max_age_s.map_or(refresh_ms, |age_s| age_s.saturating_mul(1000));
        self.due_ms = now_ms + good_ms.min(refresh_ms).max(pause_ms);
        (self.confirmed_ms, self.failures) = (Some(now_ms), 0);
    }

    /// The request failed. Pauses double from one failure to the next, half of each drawn by `random`, so that servers
    /// that failed together do not all come back together. Returns the milliseconds until the next request.
    pub(super) fn fail(&mut self, now_ms: u64, random: u64) -> u64 {
        self.failures += 1;
        let ScheduleRules { pause_ms, refresh_ms, .. } = self.rules;
        let doubled_ms = pause_ms.saturating_mul(1 << self.failures.min(DOUBLINGS_MAX));
        let half_ms = doubled_ms.min(refresh_ms.max(2 * pause_ms)) / 2;
        let wait_ms = half_ms + random % (half_ms + 1);
        self.due_ms = now_ms + wait_ms;
        wait_ms
    }

    /// True once the keys have not been confirmed for too long: they are in force no more.
    pub(super) fn give_up(&mut self, now_ms: u64) -> bool {
        let is_stale = self.confirmed_ms.is_some_and(|at| now_ms >= at + self.rules.stale_ms);
        if is_stale {
            self.confirmed_ms = None;
        }
        is_stale
    }

    /// For how long the keys hold from now on if no request succeeds; `None` if there are none.
    pub(super) fn left_ms(&self, now_ms: u64) -> Option<u64> {
        Some((self.confirmed_ms? + self.rules.stale_ms).saturating_sub(now_ms))
    }
}

const DOUBLINGS_MAX: u32 = 20;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RULES: ScheduleRules =
        ScheduleRules { pause_ms: 2000, refresh_ms: 300_000, stale_ms: 3_600_000 };

    /// A schedule whose first request was answered at time 100.
    fn answered(max_age_s: Option<u64>) -> KeySchedule {
        let mut schedule = KeySchedule::new(RULES);
        assert_eq!(schedule.begin(0), Some(1), "the first is due at once");
        schedule.succeed(100, max_age_s);
        schedule
    }

    #[test]
    fn the_age_of_an_answer_is_honoured_within_bounds() {
        for (max_age_s, due_ms) in [
            (None, 300_100),
            (Some(60), 60_100),
            (Some(0), 2100),
            (Some(86_400), 300_100),
            (Some(u64::MAX), 300_100),
        ] {
            let mut schedule = answered(max_age_s);
            assert_eq!(schedule.wake_ms(), due_ms);
            assert_eq!(schedule.begin(due_ms - 1), None);
            assert_eq!(schedule.begin(due_ms), Some(2));
        }
    }

    #[test]
    fn an_unknown_key_is_asked_for_at_once_but_not_more_often_than_the_pause() {
        let mut schedule = answered(None);
        assert_eq!(schedule.want(), Some(2));
        assert_eq!(schedule.wake_ms(), 2000, "a pause after the start of the first");
        assert_eq!(schedule.begin(2000), Some(2));
        // It may have read the document before the key was in it.
        assert_eq!(schedule.want(), Some(3));
        schedule.succeed(2100, None);
        assert_eq!((schedule.begin(3999), schedule.begin(4000)), (None, Some(3)));
        schedule.succeed(4100, None);
        assert_eq!(schedule.want(), Some(4));
        assert_eq!(schedule.begin(100_000), Some(4), "long after the last one: at once");
    }

    #[test]
    fn failures_are_repeated_ever_later_and_no_client_hastens_them() {
        let mut schedule = answered(None);
        let mut now_ms = 300_100;
        let mut waits = Vec::new();
        for _ in 0..12 {
            schedule.begin(now_ms).unwrap();
            waits.push(schedule.fail(now_ms, 0));
            assert_eq!(schedule.want(), None);
            assert_eq!(schedule.begin(now_ms + waits[waits.len() - 1] - 1), None);
            now_ms += waits[waits.len() - 1];
        }
        assert_eq!(waits[..4], [2000, 4000, 8000, 16_000]);
        assert_eq!(waits[11], 150_000, "half of the longest pause");
        schedule.begin(now_ms).unwrap();
        schedule.succeed(now_ms, None);
        assert!(schedule.want().is_some());
    }

    #[test]
    fn keys_hold_while_requests_fail_until_they_are_too_old() {
        let mut schedule = answered(None);
        let stale_ms = 100 + RULES.stale_ms;
        let mut now_ms = 0;
        loop {
            now_ms = schedule.wake_ms().max(now_ms);
            if schedule.give_up(now_ms) {
                break;
            }
            assert!(schedule.left_ms(now_ms).is_some());
            if schedule.begin(now_ms).is_some() {
                schedule.fail(now_ms, 7);
            }
        }
        assert_eq!(now_ms, stale_ms, "not a moment later");
        assert!(schedule.left_ms(now_ms).is_none() && !schedule.give_up(now_ms), "told once");
    }

    proptest! {
        #[test]
        fn no_order_of_events_makes_requests_more_often_than_the_pause(
            events in prop::collection::vec((0u64..5000, 0u8..4, any::<u64>()), 1..200),
        ) {
            let mut schedule = KeySchedule::new(RULES);
            let (mut now_ms, mut last_ms, mut is_open) = (0, None, false);
            for (later_ms, event, random) in events {
                now_ms += later_ms;
                match event {
                    0 => { schedule.want(); }
                    1 if !is_open && schedule.begin(now_ms).is_some() => {
                        prop_assert!(last_ms.is_none_or(|last_ms| now_ms >= last_ms + RULES.pause_ms));
                        (last_ms, is_open) = (Some(now_ms), true);
                    }
                    2 if is_open => {
                        schedule.succeed(now_ms, Some(random % 10));
                        is_open = false;
                    }
                    3 if is_open => {
                        schedule.fail(now_ms, random);
                        is_open = false;
                    }
                    _ => {}
                }
            }
        }
    }
}
