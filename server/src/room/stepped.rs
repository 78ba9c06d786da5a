//! The commands of a player that a step had, by their numbers.

use serde::{Deserialize, Serialize};
use tickwire_shared::control::RequestId;

/// Words of the window: as many requests as a client can have sent in the time in which a connection is found to be lost.
const WORDS: usize = 16;

/// The last commands of a player that a step had. A client whose answers were lost with its server sends commands again, and
/// none may be stepped twice.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SteppedCommands {
    /// `None` before the first.
    newest: Option<RequestId>,
    /// Of each request before the newest a bit, that of the nearest first: set if it was a command that a step had.
    before: [u64; WORDS],
}

/// The outcome of a command that the server took before it was started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CommandFate {
    /// A step had it, or it is so old that this is not known any more.
    Stepped,
    /// None had it: a later one was stepped, so it was refused.
    Refused,
}

impl SteppedCommands {
    /// Notes a command that a step had.
    pub(super) fn note(&mut self, request: RequestId) {
        let Some(newest) = self.newest else {
            self.newest = Some(request);
            return;
        };
        let ahead = request.0.wrapping_sub(newest.0);
        match ahead as i32 {
            0 => {}
            1.. => {
                self.newest = Some(request);
                self.shift(ahead as usize);
                self.set(ahead as usize - 1);
            }
            // It came after a later one, which had waited for it in vain.
            _ => self.set(newest.0.wrapping_sub(request.0) as usize - 1),
        }
    }

    /// The outcome of `request`; `None` if it came after all of these, or never.
    pub(crate) fn fate(&self, request: RequestId) -> Option<CommandFate> {
        let behind = self.newest?.0.wrapping_sub(request.0);
        let at = match behind as i32 {
            0 => return Some(CommandFate::Stepped),
            1.. => behind as usize - 1,
            _ => return None,
        };
        let is_refused = self.before.get(at / 64).is_some_and(|word| word >> (at % 64) & 1 == 0);
        Some(if is_refused { CommandFate::Refused } else { CommandFate::Stepped })
    }

    fn set(&mut self, at: usize) {
        if let Some(word) = self.before.get_mut(at / 64) {
            *word |= 1 << (at % 64);
        }
    }

    /// Moves all bits away from the newest by `count`.
    fn shift(&mut self, count: usize) {
        let (words, bits) = (count / 64, count % 64);
        for at in (0..WORDS).rev() {
            let from = |back: usize| at.checked_sub(back).map_or(0, |from| self.before[from]);
            let carried = if bits == 0 { 0 } else { from(words + 1) >> (64 - bits) };
            self.before[at] = from(words) << bits | carried;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever the numbers, also where they wrap around, each of the window has its own outcome.
        #[test]
        fn each_command_of_the_window_has_its_own_outcome(
            begin: u32,
            steps in prop::collection::vec((1u32..200, 0u32..3), 1..60),
        ) {
            let (mut stepped, mut noted) = (SteppedCommands::default(), BTreeSet::new());
            let mut newest = 0u64;
            for (ahead, late) in steps {
                newest += u64::from(ahead);
                stepped.note(RequestId(begin.wrapping_add(newest as u32)));
                noted.insert(newest);
                if late > 0 && newest > u64::from(late) {
                    stepped.note(RequestId(begin.wrapping_add(newest as u32 - late)));
                    noted.insert(newest - u64::from(late));
                }
            }
            for back in 0..=(64 * WORDS as u64).min(newest) {
                let number = newest - back;
                let fate = stepped.fate(RequestId(begin.wrapping_add(number as u32)));
                let is_stepped = noted.contains(&number);
                let expected = if is_stepped { CommandFate::Stepped } else { CommandFate::Refused };
                prop_assert_eq!(fate, Some(expected), "{} before the newest", back);
            }
            prop_assert_eq!(stepped.fate(RequestId(begin.wrapping_add(newest as u32 + 1))), None);
        }
    }

    #[test]
    fn a_command_from_before_the_window_is_not_stepped_again() {
        let mut stepped = SteppedCommands::default();
        assert_eq!(stepped.fate(RequestId(1)), None);
        stepped.note(RequestId(5000));
        assert_eq!(stepped.fate(RequestId(1)), Some(CommandFate::Stepped));
        assert_eq!(stepped.fate(RequestId(4999)), Some(CommandFate::Refused));
    }
}
