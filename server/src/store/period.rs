//! The periods of score boards, in UTC.

use tickwire_shared::ScoreBoard;
use time::OffsetDateTime;

const DAY_MS: u64 = 86_400_000;
/// Days from a Monday to 1970-01-01, a Thursday.
const MONDAY_DAYS: u64 = 3;
const LOWEST_FIRST_BIT: u32 = 40;

/// How long the scores of a board count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub(crate) enum ScorePeriod {
    /// Without an end.
    All,
    Day,
    /// From Monday on.
    Week,
    Month,
}

/// A period in the store: in bits 0 to 31 its number, which grows by 1 from one to the next, in bits 32 to 39 its kind, and bit
/// 40 is set for boards whose lowest score comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PeriodKey(pub(super) u64);

impl ScorePeriod {
    pub(crate) const EACH: [ScorePeriod; 4] =
        [ScorePeriod::All, ScorePeriod::Day, ScorePeriod::Week, ScorePeriod::Month];

    /// Its word in commands and addresses.
    pub(crate) fn word(self) -> &'static str {
        match self {
            ScorePeriod::All => "all",
            ScorePeriod::Day => "day",
            ScorePeriod::Week => "week",
            ScorePeriod::Month => "month",
        }
    }

    /// The period of a word.
    pub(crate) fn of_word(word: &str) -> Option<Self> {
        Self::EACH.into_iter().find(|period| period.word() == word)
    }

    /// The one that goes on at `time_ms`, in milliseconds since 1970.
    pub(super) fn at(self, time_ms: u64) -> PeriodKey {
        let days = time_ms / DAY_MS;
        let number = match self {
            ScorePeriod::All => 0,
            ScorePeriod::Day => days,
            ScorePeriod::Week => (days + MONDAY_DAYS) / 7,
            ScorePeriod::Month => months(time_ms),
        };
        PeriodKey((self as u64) << 32 | number & u64::from(u32::MAX))
    }
}

impl PeriodKey {
    /// The one of the same kind that was `ago` before it; `None` before the first one.
    pub(super) fn before(self, ago: u32) -> Option<Self> {
        let number = self.0 as u32;
        Some(PeriodKey(self.0 - u64::from(number) + u64::from(number.checked_sub(ago)?)))
    }

    /// The same for a board. One whose order is another one has other periods, and begins anew.
    pub(super) fn of_board(self, board: ScoreBoard) -> Self {
        PeriodKey(self.0 | u64::from(board.is_lowest_first()) << LOWEST_FIRST_BIT)
    }

    /// True if it is one of the last `most` of its kind at `time_ms`. The next one is too: clocks go back a little.
    pub(super) fn is_kept(self, time_ms: u64, most: u32) -> bool {
        let kind = ScorePeriod::EACH.into_iter().find(|kind| *kind as u64 == self.0 >> 32 & 0xff);
        kind.is_some_and(|kind| {
            let (now, number) = (kind.at(time_ms).0 as u32, self.0 as u32);
            number <= now.saturating_add(1) && now.saturating_sub(number) < most
        })
    }
}

/// Months since the year 0.
fn months(time_ms: u64) -> u64 {
    let seconds = i64::try_from(time_ms / 1000).unwrap_or(i64::MAX);
    let date = OffsetDateTime::from_unix_timestamp(seconds);
    date.map_or(0, |date| {
        u64::try_from(date.year()).unwrap_or(0) * 12 + u64::from(u8::from(date.month()) - 1)
    })
}

#[cfg(test)]
mod tests {
    use time::Date;

    use super::*;

    /// The beginning of a day, in milliseconds since 1970.
    fn at(year: i32, month: u8, day: u8) -> u64 {
        let date = Date::from_calendar_date(year, month.try_into().unwrap(), day).unwrap();
        u64::try_from(date.midnight().assume_utc().unix_timestamp()).unwrap() * 1000
    }

    #[test]
    fn a_period_ends_at_midnight_on_sunday_and_at_the_end_of_the_month_in_utc() {
        for (period, next) in [
            (ScorePeriod::Day, at(2026, 11, 30)),
            (ScorePeriod::Week, at(2026, 11, 30)),
            (ScorePeriod::Month, at(2028, 3, 1)),
            (ScorePeriod::Month, at(2027, 1, 1)),
        ] {
            let last = next - 1;
            assert_eq!(period.at(next).before(1), Some(period.at(last)), "{period:?}");
            assert_eq!(period.at(next + DAY_MS - 1), period.at(next), "{period:?}");
        }
        let all = ScorePeriod::All;
        assert_eq!(all.at(0), all.at(at(2100, 1, 1)));
        assert_eq!(all.at(0).before(1), None);
        // A week is seven days, a month is that of the calendar.
        let (week, month) = (ScorePeriod::Week, ScorePeriod::Month);
        assert_eq!(week.at(at(2026, 12, 7) - 1), week.at(at(2026, 11, 30)));
        assert_eq!(month.at(at(2028, 3, 1) - 1), month.at(at(2028, 2, 1)));
    }

    #[test]
    fn the_last_periods_are_kept_and_the_next_one() {
        let now = at(2026, 11, 30);
        for period in [ScorePeriod::Day, ScorePeriod::Week, ScorePeriod::Month] {
            let key = period.at(now);
            let kept = [0, 1, 2].map(|ago| key.before(ago).unwrap().is_kept(now, 2));
            assert_eq!(kept, [true, true, false], "{period:?}");
            assert!(PeriodKey(key.0 + 1).is_kept(now, 2) && !PeriodKey(key.0 + 2).is_kept(now, 2));
        }
        assert!(ScorePeriod::All.at(now).is_kept(now, 1));
        assert!(!PeriodKey(9 << 32).is_kept(now, 2), "of no kind");
        assert!(ScorePeriod::Day.at(u64::MAX).is_kept(u64::MAX, 1));
    }
}
