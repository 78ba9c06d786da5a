//! Score boards: accounts by their scores, in the server's store.

/// A score board of a game, one of [`Simulation::SCORE_BOARDS`](super::Simulation::SCORE_BOARDS). The highest score comes
/// first, unless it is [`lowest_first`](ScoreBoard::lowest_first).
///
/// ```
/// use tickwire_shared::ScoreBoard;
///
/// /// Ships that an account shot down in all its rounds.
/// const KILLS: ScoreBoard = ScoreBoard::sum("kills");
/// /// Its fastest lap, in milliseconds.
/// const LAP: ScoreBoard = ScoreBoard::best("lap").lowest_first();
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ScoreBoard {
    name: &'static str,
    rule: ScoreRule,
    is_lowest_first: bool,
}

/// What a board keeps of the scores of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ScoreRule {
    /// The best one.
    Best,
    /// Their sum.
    Sum,
    /// The newest one.
    Newest,
}

impl ScoreBoard {
    /// Most boards of a game.
    pub const BOARDS_MAX: usize = 16;
    /// Most characters of a name.
    pub const NAME_CHARACTERS_MAX: usize = 32;
    /// The highest score, and without its sign the lowest: JavaScript counts as far without a gap. A score beyond it, and a
    /// sum, counts as this.
    pub const SCORE_MAX: i64 = (1 << 53) - 1;

    /// A board that keeps the best score of each account. Its name has 1 to 32 of the characters `a` to `z`, `0` to `9`, `-`
    /// and `_`: any other does not compile in a constant, and panics elsewhere. The store knows the board by it.
    pub const fn best(name: &'static str) -> Self {
        ScoreBoard::new(name, ScoreRule::Best)
    }

    /// A board that adds up the scores of each account. The name is as for [`ScoreBoard::best`].
    pub const fn sum(name: &'static str) -> Self {
        ScoreBoard::new(name, ScoreRule::Sum)
    }

    /// A board that keeps the newest score of each account. The name is as for [`ScoreBoard::best`].
    pub const fn newest(name: &'static str) -> Self {
        ScoreBoard::new(name, ScoreRule::Newest)
    }

    /// The same with the lowest score first, as for times.
    #[must_use]
    pub const fn lowest_first(self) -> Self {
        ScoreBoard { is_lowest_first: true, ..self }
    }

    const fn new(name: &'static str, rule: ScoreRule) -> Self {
        let bytes = name.as_bytes();
        assert!(
            !bytes.is_empty() && bytes.len() <= ScoreBoard::NAME_CHARACTERS_MAX,
            "the name of a score board has 1 to 32 characters"
        );
        let mut at = 0;
        while at < bytes.len() {
            assert!(
                matches!(bytes[at], b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'),
                "the name of a score board has a to z, 0 to 9, - and _ alone"
            );
            at += 1;
        }
        ScoreBoard { name, rule, is_lowest_first: false }
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        self.name
    }

    /// What it keeps of the scores of an account.
    pub const fn rule(self) -> ScoreRule {
        self.rule
    }

    /// True if the lowest score comes first.
    pub const fn is_lowest_first(self) -> bool {
        self.is_lowest_first
    }

    /// What it keeps of an account that has `before` and scores `new`.
    pub fn merge(self, before: i64, new: i64) -> i64 {
        let kept = match self.rule {
            ScoreRule::Best if self.is_lowest_first => before.min(new),
            ScoreRule::Best => before.max(new),
            ScoreRule::Sum => before.saturating_add(new),
            ScoreRule::Newest => new,
        };
        kept.clamp(-Self::SCORE_MAX, Self::SCORE_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_board_keeps_what_its_rule_says() {
        let lap = ScoreBoard::best("lap").lowest_first();
        for (board, kept) in [
            (ScoreBoard::best("score"), [7, 7, 9]),
            (lap, [7, 5, 5]),
            (ScoreBoard::sum("kills"), [7, 12, 21]),
            (ScoreBoard::newest("rank"), [7, 5, 9]),
        ] {
            let mut score = 7;
            let scores = [7, 5, 9].into_iter().enumerate().map(|(at, new)| {
                score = if at == 0 { new } else { board.merge(score, new) };
                score
            });
            assert_eq!(scores.collect::<Vec<_>>(), kept, "{}", board.name());
        }
        assert_eq!((lap.name(), lap.rule(), lap.is_lowest_first()), ("lap", ScoreRule::Best, true));
    }

    #[test]
    fn a_sum_ends_where_javascript_counts_no_further() {
        let board = ScoreBoard::sum("kills");
        assert_eq!(board.merge(i64::MAX, i64::MAX), ScoreBoard::SCORE_MAX);
        assert_eq!(board.merge(-ScoreBoard::SCORE_MAX, -1), -ScoreBoard::SCORE_MAX);
    }

    #[test]
    fn a_name_that_no_address_could_have_is_refused() {
        for name in ["", "Kills", "a board", "ümlaut", "123456789012345678901234567890123"] {
            assert!(std::panic::catch_unwind(|| ScoreBoard::best(name)).is_err(), "{name}");
        }
        ScoreBoard::best("12345678901234567890123456789012");
    }
}
