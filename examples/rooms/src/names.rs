//! Names of accounts and channels, and the topics that are made of them.

/// Letters of a name.
pub(crate) const NAME_CHARS_MAX: usize = 24;

/// The account of a display name: its lower-case form. Names are of ASCII, so none looks like another one, and each is a level
/// of a topic's name.
pub(crate) fn account_of(name: &str) -> Option<String> {
    let is_short = (1..=NAME_CHARS_MAX).contains(&name.len());
    let is_plain =
        name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    (is_short && is_plain).then(|| name.to_ascii_lowercase())
}

/// Whether a text may name a channel: a name in lower case.
pub(crate) fn is_channel_name(name: &str) -> bool {
    account_of(name).is_some_and(|lower| lower == name)
}

/// The topic of a channel.
pub(crate) fn channel_topic(channel: &str) -> String {
    format!("channel/{channel}")
}

/// Both accounts of a topic of direct messages, `dm/ann/bob`, whose names are in order.
pub(crate) fn sides(topic: &str) -> Option<(&str, &str)> {
    let (one, other) = topic.strip_prefix("dm/")?.split_once('/')?;
    (one < other && is_channel_name(one) && is_channel_name(other)).then_some((one, other))
}

/// The accounts that a text names, such as `@ann`: in order, each once.
pub(crate) fn mentioned(text: &str) -> Vec<String> {
    let mut accounts = Vec::new();
    let mut before = None;
    for (at, letter) in text.char_indices() {
        let begins = letter == '@' && !before.is_some_and(char::is_alphanumeric);
        before = Some(letter);
        if !begins {
            continue;
        }
        let rest = &text[at + 1..];
        let end =
            rest.find(|letter: char| !(letter.is_ascii_alphanumeric() || "-_".contains(letter)));
        if let Some(account) = account_of(&rest[..end.unwrap_or(rest.len())])
            && !accounts.contains(&account)
        {
            accounts.push(account);
        }
    }
    accounts
}
