//! Fencing tokens of profiles: which stay of an account is its newest.

use std::collections::{BTreeMap, HashMap};

/// The numbers of the stays that began last, and have perhaps not saved yet. Of those that have, the profile itself has it.
#[derive(Debug)]
pub(super) struct ProfileFences {
    /// The last number that was given.
    last: u64,
    newest: HashMap<String, u64>,
    accounts: BTreeMap<u64, String>,
    /// Most accounts.
    most: usize,
}

impl ProfileFences {
    /// Numbers are given beyond `after`; those of the last `most` accounts are remembered.
    pub(super) fn new(after: u64, most: usize) -> Self {
        ProfileFences { last: after, newest: HashMap::new(), accounts: BTreeMap::new(), most }
    }

    /// Begins a stay of `account`, whose last save was of the stay `stored`: a number higher than all before.
    pub(super) fn begin(&mut self, account: &str, stored: u64) -> u64 {
        self.last = self.last.max(stored) + 1;
        if let Some(before) = self.newest.insert(account.to_owned(), self.last) {
            self.accounts.remove(&before);
        }
        self.accounts.insert(self.last, account.to_owned());
        if self.accounts.len() > self.most
            && let Some((_, oldest)) = self.accounts.pop_first()
        {
            self.newest.remove(&oldest);
        }
        self.last
    }

    /// True if a later stay of `account` has begun.
    pub(super) fn is_stale(&self, account: &str, fence: u64) -> bool {
        self.newest.get(account).is_some_and(|newest| fence < *newest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stay_is_stale_once_a_later_one_has_begun() {
        let mut fences = ProfileFences::new(100, 2);
        let first = fences.begin("ann", 0);
        assert!(first > 100 && !fences.is_stale("ann", first));
        let beyond = fences.begin("bob", 500);
        assert!(beyond > 500, "of a store that was written by another server");
        let second = fences.begin("ann", first);
        assert!(second > beyond && fences.is_stale("ann", first));
        assert!(!fences.is_stale("ann", second) && !fences.is_stale("bob", beyond));
    }

    #[test]
    fn the_accounts_that_came_last_are_remembered() {
        let mut fences = ProfileFences::new(0, 2);
        for _ in 0..10 {
            fences.begin("ann", 0);
        }
        fences.begin("bob", 0);
        assert!(fences.is_stale("ann", 1) && fences.is_stale("bob", 1));
        fences.begin("cid", 0);
        assert!(!fences.is_stale("ann", 1) && fences.is_stale("bob", 1));
        assert_eq!((fences.newest.len(), fences.accounts.len()), (2, 2));
    }
}
