//! The numbers of messages that a session publishes by datagram.

/// Numbers that one gap counts at most: a client names them as it likes.
const GAP_MAX: u32 = 65_536;

/// How far a session's publish datagrams have come, over all its connections.
#[derive(Debug)]
pub(crate) struct LossySequence {
    /// The highest number so far; `None` in a session that began before the server did.
    highest: Option<u32>,
}

/// What a publish datagram is to those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LossyArrival {
    /// It is newer than all others; `lost` numbers between are not here.
    Newer { lost: u32 },
    /// A newer one came before, or the same.
    Late,
}

impl LossySequence {
    /// That of a new session, whose first number is 1.
    pub(crate) fn new() -> Self {
        LossySequence { highest: Some(0) }
    }

    /// That of a session that goes on after a restart of the server: its next number is the first one known.
    pub(crate) fn restored() -> Self {
        LossySequence { highest: None }
    }

    pub(crate) fn take(&mut self, sequence: u32) -> LossyArrival {
        let before = self.highest.unwrap_or(sequence.saturating_sub(1));
        if sequence <= before {
            return LossyArrival::Late;
        }
        self.highest = Some(sequence);
        LossyArrival::Newer { lost: (sequence - before - 1).min(GAP_MAX) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_gap_has_a_bound_and_a_restored_session_begins_without_one() {
        let mut new = LossySequence::new();
        assert_eq!(new.take(3), LossyArrival::Newer { lost: 2 });
        assert_eq!(new.take(3), LossyArrival::Late);
        assert_eq!(new.take(u32::MAX), LossyArrival::Newer { lost: GAP_MAX });
        assert_eq!(new.take(u32::MAX), LossyArrival::Late);
        let mut restored = LossySequence::restored();
        assert_eq!(restored.take(700), LossyArrival::Newer { lost: 0 });
        assert_eq!(restored.take(699), LossyArrival::Late);
        assert_eq!(restored.take(702), LossyArrival::Newer { lost: 1 });
    }

    proptest! {
        /// Each message is lost, doubled, or held back behind later ones.
        #[test]
        fn what_is_published_rises_and_the_counts_add_up(
            fates in prop::collection::vec((0u8..4, 0u32..6), 1..200),
        ) {
            let mut arrivals = Vec::new();
            for (sequence, (copies, delay)) in (1u32..).zip(fates) {
                for copy in 0..u32::from(copies.min(2)) {
                    arrivals.push((sequence + delay + copy, sequence));
                }
            }
            arrivals.sort_by_key(|(at, _)| *at);
            let (mut numbers, mut published) = (LossySequence::new(), Vec::new());
            let (mut late, mut lost) = (0, 0);
            for (_, sequence) in &arrivals {
                match numbers.take(*sequence) {
                    LossyArrival::Newer { lost: gap } => {
                        published.push(*sequence);
                        lost += gap as usize;
                    }
                    LossyArrival::Late => late += 1,
                }
            }
            prop_assert!(published.is_sorted_by(|a, b| a < b));
            prop_assert_eq!(published.len() + late, arrivals.len());
            let highest = arrivals.iter().map(|(_, sequence)| *sequence).max().unwrap_or(0);
            prop_assert_eq!(published.last().copied().unwrap_or(0), highest);
            prop_assert_eq!(published.len() + lost, highest as usize);
        }
    }
}
