//! Bans and mutes: who is not let in, and whose chat is refused.
//!
//! Pure: the time comes in as an argument.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::room::{NameKey, name_key};

/// Most bytes of a target: an account's id, a name or a range of addresses.
const TARGET_BYTES_MAX: usize = 128;
/// Most bytes of a reason.
const REASON_BYTES_MAX: usize = 400;
/// Most seconds of a sanction that has an end: ten years.
const SECONDS_MAX: u64 = 10 * 366 * 86_400;

/// What somebody may not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SanctionKind {
    /// Be on the server; for a name, join under it.
    Ban,
    /// Chat.
    Mute,
}

/// Whom a sanction is for. As text: `account ann`, `name Ann`, `address 203.0.113.0/24`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum SanctionTarget {
    /// An account's id.
    Account(String),
    /// A display name, and all that look like it.
    Name(String),
    /// Addresses.
    Address(AddressRange),
}

/// The addresses that begin with the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct AddressRange {
    address: IpAddr,
    bits: u8,
}

/// A ban or a mute.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sanction {
    /// Its end, in milliseconds since 1970; `None` for none.
    pub(crate) until_ms: Option<u64>,
    /// Told to the player.
    pub(crate) reason: String,
    /// When it was made, in milliseconds since 1970.
    pub(crate) made_ms: u64,
}

/// A ban or a mute with whom it is for.
pub(crate) type SanctionLine = ((SanctionKind, SanctionTarget), Sanction);

/// Who somebody is, as far as it is known.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SanctionSubject<'a> {
    pub(crate) account: Option<&'a str>,
    pub(crate) name: Option<&'a str>,
    pub(crate) address: IpAddr,
}

/// A mistake in a sanction's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct SanctionError(String);

/// All bans and mutes of a server.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sanctions {
    all: BTreeMap<(SanctionKind, SanctionTarget), Sanction>,
    /// The keys of the names among them.
    names: Vec<(NameKey, (SanctionKind, SanctionTarget))>,
    /// The lengths of the ranges among them.
    lengths: BTreeSet<u8>,
}

impl Sanctions {
    pub(crate) fn new(lines: impl IntoIterator<Item = SanctionLine>) -> Self {
        let mut sanctions = Sanctions::default();
        lines.into_iter().for_each(|(key, sanction)| sanctions.set(key, Some(sanction)));
        sanctions
    }

    /// Sets a sanction, or lifts it.
    pub(crate) fn set(&mut self, key: (SanctionKind, SanctionTarget), sanction: Option<Sanction>) {
        match &key.1 {
            SanctionTarget::Account(_) => {}
            SanctionTarget::Name(name) => {
                self.names.retain(|(_, other)| *other != key);
                if sanction.is_some() {
                    self.names.push((name_key(name), key.clone()));
                }
            }
            SanctionTarget::Address(range) => {
                self.lengths.insert(range.bits);
            }
        }
        match sanction {
            Some(sanction) => self.all.insert(key, sanction),
            None => self.all.remove(&key),
        };
    }

    /// All of them, also those that have ended.
    pub(crate) fn iter(
        &self,
    ) -> impl Iterator<Item = (&(SanctionKind, SanctionTarget), &Sanction)> {
        self.all.iter()
    }

    /// The sanction of this kind that holds for somebody at `now_ms`, in milliseconds since 1970.
    pub(crate) fn find(
        &self,
        kind: SanctionKind,
        subject: SanctionSubject<'_>,
        now_ms: u64,
    ) -> Option<&Sanction> {
        if self.all.is_empty() {
            return None;
        }
        let holds = |key: &(SanctionKind, SanctionTarget)| {
            self.all.get(key).filter(|it| it.until_ms.is_none_or(|until_ms| now_ms < until_ms))
        };
        let account = subject.account.map(|id| SanctionTarget::Account(id.to_owned()));
        let ranges = self.lengths.iter().map(|bits| AddressRange::of(subject.address, *bits));
        let targets = account.into_iter().chain(ranges.map(SanctionTarget::Address));
        let found = targets.map(|target| (kind, target)).find_map(|key| holds(&key));
        found.or_else(|| {
            let key = subject.name.map(name_key)?;
            let like = self.names.iter().filter(|(other, _)| other.is_like(&key));
            like.filter(|(_, (other, _))| *other == kind).find_map(|(_, key)| holds(key))
        })
    }
}

impl Sanction {
    /// A sanction from `now_ms` on, for a time or without an end.
    ///
    /// # Errors
    /// Too long a reason, or too many seconds.
    pub(crate) fn new(
        seconds: Option<u64>,
        reason: &str,
        now_ms: u64,
    ) -> Result<Self, SanctionError> {
        if reason.len() > REASON_BYTES_MAX {
            return Err(SanctionError(format!("a reason has {REASON_BYTES_MAX} bytes at most")));
        }
        if seconds.is_some_and(|seconds| seconds == 0 || seconds > SECONDS_MAX) {
            let text = "a ban or mute lasts 1 s to 10 years, or has no end without a time";
            return Err(SanctionError(text.to_owned()));
        }
        let until_ms = seconds.map(|seconds| now_ms + 1000 * seconds);
        Ok(Sanction { until_ms, reason: reason.to_owned(), made_ms: now_ms })
    }

    /// What the player is told.
    pub(crate) fn told(&self, what: &str) -> String {
        let mut text = what.to_owned();
        if let Some(until_ms) = self.until_ms {
            text += &format!(" until {}", date(until_ms));
        }
        if !self.reason.is_empty() {
            text += &format!(": {}", self.reason);
        }
        text
    }
}

/// A time in milliseconds since 1970 as a date and a time of the day in UTC.
pub(crate) fn date(time_ms: u64) -> String {
    let seconds = i64::try_from(time_ms / 1000).unwrap_or(i64::MAX);
    let Ok(date) = OffsetDateTime::from_unix_timestamp(seconds) else {
        return "the end of time".to_owned();
    };
    let (year, month, day) = date.to_calendar_date();
    let (hour, minute, _) = date.to_hms();
    format!("{year:04}-{:02}-{day:02} {hour:02}:{minute:02} UTC", u8::from(month))
}

impl SanctionKind {
    /// The word for it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            SanctionKind::Ban => "ban",
            SanctionKind::Mute => "mute",
        }
    }

    /// The kind of this word.
    pub(crate) fn of_word(word: &str) -> Option<Self> {
        [SanctionKind::Ban, SanctionKind::Mute].into_iter().find(|kind| kind.word() == word)
    }
}

impl SanctionTarget {
    /// A target by its kind and its text: `("account", "ann")`.
    ///
    /// # Errors
    /// Another kind, nothing, too much, or no address.
    pub(crate) fn parse(kind: &str, text: &str) -> Result<Self, SanctionError> {
        if text.is_empty() || text.len() > TARGET_BYTES_MAX {
            let text = format!("give 1 to {TARGET_BYTES_MAX} bytes of whom it is for");
            return Err(SanctionError(text));
        }
        match kind {
            "account" => Ok(SanctionTarget::Account(text.to_owned())),
            "name" => Ok(SanctionTarget::Name(text.to_owned())),
            "address" => Ok(SanctionTarget::Address(text.parse()?)),
            _ => Err(SanctionError("give an account, a name or an address".to_owned())),
        }
    }
}

impl fmt::Display for SanctionTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SanctionTarget::Account(id) => write!(f, "account {id}"),
            SanctionTarget::Name(name) => write!(f, "name {name}"),
            SanctionTarget::Address(AddressRange { address, bits }) => {
                write!(f, "address {address}/{bits}")
            }
        }
    }
}

impl AddressRange {
    /// The range of `address` that is `bits` long; at most all of them.
    fn of(address: IpAddr, bits: u8) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => {
                let bits = bits.min(32);
                let kept = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
                AddressRange { address: Ipv4Addr::from_bits(v4.to_bits() & kept).into(), bits }
            }
            IpAddr::V6(v6) => {
                let bits = bits.min(128);
                let kept = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
                AddressRange { address: Ipv6Addr::from_bits(v6.to_bits() & kept).into(), bits }
            }
        }
    }
}

impl FromStr for AddressRange {
    type Err = SanctionError;

    /// An address, which stands for a household: all of IPv4, 64 bits of IPv6; or an address, `/` and a number of bits.
    fn from_str(text: &str) -> Result<Self, SanctionError> {
        let wrong = || {
            SanctionError(format!("{text:?} is no address, and no range such as 203.0.113.0/24"))
        };
        let (address, bits) = text.split_once('/').unwrap_or((text, ""));
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let address = address.to_canonical();
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            "" if address.is_ipv4() => 32,
            "" => 64,
            bits => bits.parse().map_err(|_| wrong())?,
        };
        if !(8..=most).contains(&bits) {
            return Err(SanctionError(format!("a range has 8 to {most} bits")));
        }
        Ok(AddressRange::of(address, bits))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_700_000_000_000;

    fn line(kind: SanctionKind, what: &str, text: &str, seconds: Option<u64>) -> SanctionLine {
        let target = SanctionTarget::parse(what, text).unwrap();
        ((kind, target), Sanction::new(seconds, "spam", NOW).unwrap())
    }

    fn subject<'a>(
        account: Option<&'a str>,
        name: Option<&'a str>,
        address: &str,
    ) -> SanctionSubject<'a> {
        SanctionSubject { account, name, address: address.parse().unwrap() }
    }

    #[test]
    fn a_sanction_holds_for_its_kind_and_target_until_its_end() {
        use SanctionKind::{Ban, Mute};
        let mut sanctions = Sanctions::new([
            line(Ban, "account", "ann", Some(60)),
            line(Mute, "name", "Troll", None),
            line(Ban, "address", "203.0.113.77/24", None),
            line(Ban, "address", "2001:db8:1:2::9", None),
        ]);
        let has = |sanctions: &Sanctions, kind, account, name, address: &str, now_ms| {
            sanctions.find(kind, subject(account, name, address), now_ms).is_some()
        };
        let far = "192.0.2.1";
        assert!(has(&sanctions, Ban, Some("ann"), None, far, NOW));
        assert!(has(&sanctions, Ban, Some("ann"), None, far, NOW + 59_999));
        assert!(!has(&sanctions, Ban, Some("ann"), None, far, NOW + 60_000), "it has ended");
        assert!(!has(&sanctions, Mute, Some("ann"), None, far, NOW));
        assert!(!has(&sanctions, Ban, Some("Ann"), None, far, NOW), "accounts are exact");
        for name in ["Troll", "troll", "Tr\u{43e}ll", "T\u{200d}roll"] {
            assert!(has(&sanctions, Mute, None, Some(name), far, NOW), "{name}");
            assert!(!has(&sanctions, Ban, None, Some(name), far, NOW), "{name}");
        }
        assert!(!has(&sanctions, Mute, None, Some("Trolls"), far, NOW));
        for address in ["203.0.113.1", "::ffff:203.0.113.9", "2001:db8:1:2:ffff::1"] {
            assert!(has(&sanctions, Ban, None, None, address, NOW), "{address}");
        }
        for address in ["203.0.114.1", "2001:db8:1:3::9"] {
            assert!(!has(&sanctions, Ban, None, None, address, NOW), "{address}");
        }
        let keys: Vec<_> = sanctions.iter().map(|(key, _)| key.clone()).collect();
        keys.into_iter().for_each(|key| sanctions.set(key, None));
        assert!(!has(&sanctions, Mute, Some("ann"), Some("Troll"), "203.0.113.1", NOW));
        assert!(!has(&sanctions, Ban, Some("ann"), Some("Troll"), "203.0.113.1", NOW));
    }

    #[test]
    fn words_that_are_no_target_are_refused_and_targets_come_back_from_their_text() {
        let wrong = [
            ("account", ""),
            ("ip", "203.0.113.1"),
            ("address", "203.0.113"),
            ("address", "203.0.113.1/33"),
            ("address", "0.0.0.0/0"),
            ("address", "2001:db8::/x"),
        ];
        for (kind, text) in wrong {
            assert!(SanctionTarget::parse(kind, text).is_err(), "{kind} {text}");
        }
        assert!(SanctionTarget::parse("name", &"x".repeat(129)).is_err());
        for text in
            ["account a b", "name \u{e4} \"b\"", "address 203.0.113.0/24", "address 2001:db8::/48"]
        {
            let (kind, rest) = text.split_once(' ').unwrap();
            assert_eq!(SanctionTarget::parse(kind, rest).unwrap().to_string(), text);
        }
        assert!(Sanction::new(Some(0), "", NOW).is_err());
        assert!(Sanction::new(None, &"x".repeat(401), NOW).is_err());
    }

    #[test]
    fn a_player_is_told_until_when_and_why() {
        let told =
            |seconds, reason| Sanction::new(seconds, reason, NOW).unwrap().told("you are muted");
        assert_eq!(told(Some(60), "spam"), "you are muted until 2023-11-14 22:14 UTC: spam");
        assert_eq!(told(None, ""), "you are muted");
    }
}
