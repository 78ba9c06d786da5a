//! Ids of used tokens: each token is used for one session, or for requests over HTTP until it has expired.

use std::collections::HashMap;

/// The ids of used tokens, each until its token has expired.
#[derive(Debug)]
pub(super) struct UsedTokens {
    /// The second from which on an id can be forgotten, and its use.
    until_s: HashMap<Box<str>, (u64, TokenUse)>,
    ids_max: usize,
    /// The second of the last sweep.
    swept_s: u64,
}

/// The use of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenUse {
    /// A session, which takes it once.
    Session,
    /// Requests over HTTP, which take it again and again.
    Requests,
}

/// The reason for not taking an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotTaken {
    /// It was used before, or for the other use.
    Used,
    /// The table is full of ids whose tokens have not expired.
    Full,
}

impl UsedTokens {
    pub(super) fn new(ids_max: usize) -> Self {
        UsedTokens { until_s: HashMap::new(), ids_max, swept_s: 0 }
    }

    /// Takes an id for a use and keeps it until `until_s`.
    pub(super) fn take(
        &mut self,
        (id, token_use): (&str, TokenUse),
        until_s: u64,
        now_s: u64,
    ) -> Result<(), NotTaken> {
        match self.until_s.get(id) {
            Some((until_s, earlier)) if *until_s > now_s => {
                return match (*earlier, token_use) {
                    (TokenUse::Requests, TokenUse::Requests) => Ok(()),
                    _ => Err(NotTaken::Used),
                };
            }
            _ => {}
        }
        if self.until_s.len() >= self.ids_max {
            self.sweep(now_s);
        }
        if self.until_s.len() >= self.ids_max {
            return Err(NotTaken::Full);
        }
        self.until_s.insert(id.into(), (until_s, token_use));
        Ok(())
    }

    /// Forgets expired ids. It visits all of them, so it runs at most once a second.
    fn sweep(&mut self, now_s: u64) {
        if self.swept_s != now_s {
            self.swept_s = now_s;
            self.until_s.retain(|_, (until_s, _)| *until_s > now_s);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(id: &str) -> (&str, TokenUse) {
        (id, TokenUse::Session)
    }

    #[test]
    fn an_id_is_for_one_session_or_for_many_requests() {
        let mut used = UsedTokens::new(8);
        let requests = |id| (id, TokenUse::Requests);
        assert_eq!(used.take(requests("a"), 100, 40), Ok(()));
        assert_eq!(used.take(requests("a"), 100, 99), Ok(()));
        assert_eq!(used.take(session("a"), 100, 99), Err(NotTaken::Used));
        assert_eq!(used.take(session("b"), 100, 40), Ok(()));
        assert_eq!(used.take(requests("b"), 100, 99), Err(NotTaken::Used));
        assert_eq!(used.until_s.len(), 2);
    }

    #[test]
    fn an_id_is_taken_once_until_its_token_has_expired() {
        let mut used = UsedTokens::new(8);
        assert_eq!(used.take(session("a"), 100, 40), Ok(()));
        assert_eq!(used.take(session("a"), 100, 40), Err(NotTaken::Used));
        assert_eq!(used.take(session("a"), 100, 99), Err(NotTaken::Used));
        assert_eq!(used.take(session("b"), 100, 99), Ok(()));
        assert_eq!(used.take(session("a"), 200, 100), Ok(()));
    }

    #[test]
    fn no_more_are_kept_than_allowed_and_the_expired_make_way() {
        let mut used = UsedTokens::new(3);
        for (id, until_s) in [("a", 10), ("b", 20), ("c", 30)] {
            assert_eq!(used.take(session(id), until_s, 1), Ok(()));
        }
        assert_eq!(used.take(session("d"), 30, 9), Err(NotTaken::Full));
        assert_eq!(used.take(session("d"), 30, 10), Ok(()));
        assert_eq!(used.until_s.len(), 3);
        assert_eq!(used.take(session("e"), 30, 19), Err(NotTaken::Full));
        assert_eq!(used.take(session("b"), 30, 19), Err(NotTaken::Used));
    }
}
