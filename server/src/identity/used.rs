//! Ids of used tokens: each token is used once.

use std::collections::HashMap;

/// The ids of used tokens, each until its token has expired.
#[derive(Debug)]
pub(super) struct UsedTokens {
    /// The second from which on an id can be forgotten.
    until_s: HashMap<Box<str>, u64>,
    ids_max: usize,
    /// The second of the last sweep.
    swept_s: u64,
}

/// The reason for not taking an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotTaken {
    /// It was used before.
    Used,
    /// The table is full of ids whose tokens have not expired.
    Full,
}

impl UsedTokens {
    pub(super) fn new(ids_max: usize) -> Self {
        UsedTokens { until_s: HashMap::new(), ids_max, swept_s: 0 }
    }

    /// Takes an id and keeps it until `until_s`.
    pub(super) fn take(&mut self, id: &str, until_s: u64, now_s: u64) -> Result<(), NotTaken> {
        if self.until_s.get(id).is_some_and(|until_s| *until_s > now_s) {
            return Err(NotTaken::Used);
        }
        if self.until_s.len() >= self.ids_max {
            self.sweep(now_s);
        }
        if self.until_s.len() >= self.ids_max {
            return Err(NotTaken::Full);
        }
        self.until_s.insert(id.into(), until_s);
        Ok(())
    }

    /// Forgets expired ids. It visits all of them, so it runs at most once a second.
    fn sweep(&mut self, now_s: u64) {
        if self.swept_s != now_s {
            self.swept_s = now_s;
            self.until_s.retain(|_, until_s| *until_s > now_s);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_taken_once_until_its_token_has_expired() {
        let mut used = UsedTokens::new(8);
        assert_eq!(used.take("a", 100, 40), Ok(()));
        assert_eq!(used.take("a", 100, 40), Err(NotTaken::Used));
        assert_eq!(used.take("a", 100, 99), Err(NotTaken::Used));
        assert_eq!(used.take("b", 100, 99), Ok(()));
        assert_eq!(used.take("a", 200, 100), Ok(()));
    }

    #[test]
    fn no_more_are_kept_than_allowed_and_the_expired_make_way() {
        let mut used = UsedTokens::new(3);
        for (id, until_s) in [("a", 10), ("b", 20), ("c", 30)] {
            assert_eq!(used.take(id, until_s, 1), Ok(()));
        }
        assert_eq!(used.take("d", 30, 9), Err(NotTaken::Full));
        assert_eq!(used.take("d", 30, 10), Ok(()));
        assert_eq!(used.until_s.len(), 3);
        assert_eq!(used.take("e", 30, 19), Err(NotTaken::Full));
        assert_eq!(used.take("b", 30, 19), Err(NotTaken::Used));
    }
}
