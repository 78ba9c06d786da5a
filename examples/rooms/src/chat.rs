//! The rules of the chat: requests and the time go in, what is to be published comes out. No socket, no clock.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use subtle::ConstantTimeEq as _;

use crate::messages::{
    AccountMessage, AccountRecord, ChatRequest, Person, PlaceMessage, Publication,
    REQUEST_ID_BYTES_MAX, Refused, RefusedCode, Wish,
};
use crate::names::{account_of, channel_topic, is_channel_name, mentioned, sides};

/// Accounts at once. A page follows the presence of all.
pub(crate) const ACCOUNTS_MAX: usize = 200;
pub(crate) const CHANNELS_MAX: usize = 20;
/// Others with whom an account has direct messages.
pub(crate) const DIRECT_MAX: usize = 50;
pub(crate) const TEXT_CHARS_MAX: usize = 2000;
/// Accounts that a post tells of being named.
const MENTIONS_MAX: usize = 10;
const MUTE_MINUTES_MAX: u32 = 24 * 60;
/// Posts of a place that may be removed: as many as the server keeps of a topic.
const POSTS_MAX: usize = 5000;
/// Requests of an account that are known again.
const REQUESTS_MAX: usize = 64;
/// Requests at once, and the time for one more.
const BURST: u64 = 20;
const REFILL_MS: u64 = 500;
/// Channels that are there from the beginning.
pub(crate) const FIRST_CHANNELS: [&str; 3] = ["general", "help", "random"];

/// All that the rules depend on. It is rebuilt at a start from the topics that the server keeps: [`Chat::restore`].
#[derive(Debug, Default)]
pub(crate) struct Chat {
    moderators: BTreeSet<String>,
    accounts: BTreeMap<String, ChatAccount>,
    /// Channels and direct messages, by topic.
    places: BTreeMap<String, Place>,
}

#[derive(Debug)]
struct ChatAccount {
    name: String,
    key_hash: [u8; 32],
    muted_until_ms: u64,
    /// When its allowance of requests is whole again.
    whole_at_ms: u64,
    /// Its last requests, and what became of them.
    handled: VecDeque<(String, Option<Refused>)>,
    /// The last post that it has read of a place.
    marks: BTreeMap<String, u64>,
}

#[derive(Debug, Default)]
struct Place {
    last_id: u64,
    /// Of the posts that are there.
    authors: BTreeMap<u64, String>,
}

/// Why somebody does not get an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SignInRefusal {
    #[error("a name has 1 to 24 letters, digits, - and _, without accents; choose another one")]
    Name,
    #[error("this name is taken; choose another one")]
    Taken,
    #[error("this chat has as many people as it may have")]
    Full,
}

impl Chat {
    /// A chat of nobody. Names of moderators are those of accounts; they need not be there yet.
    pub(crate) fn new(moderators: impl IntoIterator<Item = String>) -> Self {
        Chat { moderators: moderators.into_iter().collect(), ..Chat::default() }
    }

    /// Gives the account of a name to the key that came first, and later to that key alone. A new account is to be published.
    ///
    /// # Errors
    /// [`SignInRefusal`].
    pub(crate) fn sign_in(
        &mut self,
        name: &str,
        key_hash: [u8; 32],
    ) -> Result<(String, Vec<Publication>), SignInRefusal> {
        let id = account_of(name).ok_or(SignInRefusal::Name)?;
        if let Some(account) = self.accounts.get(&id) {
            let is_same = bool::from(account.key_hash.ct_eq(&key_hash));
            return if is_same { Ok((id, Vec::new())) } else { Err(SignInRefusal::Taken) };
        }
        if self.accounts.len() >= ACCOUNTS_MAX {
            return Err(SignInRefusal::Full);
        }
        let record = AccountRecord { name: name.to_owned(), key_hash };
        let published = Publication::json("accounts", &id, &record);
        self.accounts.insert(id.clone(), ChatAccount::new(record));
        let person = self.person(&id).expect("just made");
        Ok((id, vec![published, person]))
    }

    /// Takes back an account that could not be published.
    pub(crate) fn forget(&mut self, account: &str) {
        self.accounts.remove(account);
    }

    /// What is published at each start: the channels that there are not yet, and who is who, as moderators may be others now.
    pub(crate) fn begin(&mut self) -> Vec<Publication> {
        let mut out = Vec::new();
        for channel in FIRST_CHANNELS {
            let topic = channel_topic(channel);
            if !self.places.contains_key(&topic) {
                self.places.insert(topic.clone(), Place::default());
                let (by, request) = (String::new(), String::new());
                out.push(Publication::json(topic, "", &PlaceMessage::Created { by, request }));
            }
        }
        out.extend(self.accounts.keys().filter_map(|id| self.person(id)));
        out
    }

    /// Does what an account asks for in a message to its topic `say/ACCOUNT`, or refuses it. A request that was handled before
    /// has its result again, and nothing else.
    pub(crate) fn handle_request(
        &mut self,
        account: &str,
        bytes: &[u8],
        now_ms: u64,
    ) -> Vec<Publication> {
        let Some(asking) = self.accounts.get_mut(account) else { return Vec::new() };
        let parsed = serde_json::from_slice(bytes).ok();
        let is_known = |it: &ChatRequest| (1..=REQUEST_ID_BYTES_MAX).contains(&it.request.len());
        let Some(ChatRequest { request, wish }) = parsed.filter(is_known) else {
            let refused = Refused::new(RefusedCode::Malformed, "this is no request");
            return vec![result(account, "", Some(refused))];
        };
        if let Wish::Read { place, id } = wish {
            return self.read(account, &place, id).into_iter().collect();
        }
        if let Some((_, refused)) = asking.handled.iter().find(|(id, _)| *id == request) {
            return vec![result(account, &request, refused.clone())];
        }
        let done = match asking.take_allowance(now_ms) {
            true => self.grant(account, &request, wish, now_ms),
            false => Err(Refused::new(RefusedCode::TooFast, "too fast; wait a few seconds")),
        };
        let (mut out, refused) = match done {
            Ok(out) => (out, None),
            Err(refused) => (Vec::new(), Some(refused)),
        };
        self.remember(account, &request, refused.clone());
        out.push(result(account, &request, refused));
        out
    }

    fn grant(
        &mut self,
        account: &str,
        request: &str,
        wish: Wish,
        now_ms: u64,
    ) -> Result<Vec<Publication>, Refused> {
        match wish {
            Wish::Post { place, text } => self.post(account, request, (&place, &text), now_ms),
            Wish::Remove { place, id } => self.remove(account, request, (&place, id)),
            Wish::Mute { account: other, minutes } => self.mute(account, &other, minutes, now_ms),
            Wish::Create { channel } => self.create(account, request, &channel),
            Wish::Read { .. } => Ok(Vec::new()),
        }
    }

    fn post(
        &mut self,
        account: &str,
        request: &str,
        (place, text): (&str, &str),
        now_ms: u64,
    ) -> Result<Vec<Publication>, Refused> {
        let text: String =
            text.trim().chars().filter(|letter| *letter == '\n' || !letter.is_control()).collect();
        let muted_ms = self.accounts[account].muted_until_ms.saturating_sub(now_ms);
        if muted_ms > 0 {
            let minutes = muted_ms.div_ceil(60_000);
            let text = format!("you are muted for {minutes} more min");
            return Err(Refused::new(RefusedCode::Muted, text));
        }
        if text.is_empty() {
            return Err(Refused::new(RefusedCode::Empty, "a message needs a text"));
        }
        if text.chars().count() > TEXT_CHARS_MAX {
            let text = format!("a message has {TEXT_CHARS_MAX} letters at most");
            return Err(Refused::new(RefusedCode::TooLong, text));
        }
        self.check_place(account, place)?;
        let other = other_side(place, account);
        let mut mentions = mentioned(&text);
        mentions.retain(|it| self.accounts.contains_key(it));
        mentions.truncate(MENTIONS_MAX);
        let id = self.places.get(place).map_or(0, |place| place.last_id) + 1;
        let (by, name) = (account.to_owned(), self.accounts[account].name.clone());
        let told = mentions.iter().filter(|it| *it != account);
        // Whoever cannot read the place is told nothing of it.
        let told = told.filter(|it| place.starts_with("channel/") || other == Some(it));
        let told = told.map(|it| {
            let (place, by) = (place.to_owned(), by.clone());
            let (name, text) = (name.clone(), text.clone());
            let mention = AccountMessage::Mention { place, id, by, name, text };
            Publication::json(format!("account/{it}"), "", &mention)
        });
        let told: Vec<Publication> = told.collect();
        let request = request.to_owned();
        let post = PlaceMessage::Post { id, by, name, text, mentions, request };
        let mut out = vec![Publication::json(place, "", &post)];
        self.take_post(place, id, account);
        out.extend(told);
        // Whoever writes has read what is above.
        out.extend(self.read(account, place, id));
        Ok(out)
    }

    fn remove(
        &mut self,
        account: &str,
        request: &str,
        (place, id): (&str, u64),
    ) -> Result<Vec<Publication>, Refused> {
        self.check_place(account, place)?;
        let none = || Refused::new(RefusedCode::NoMessage, "this message is not there any more");
        let found = self.places.get_mut(place).ok_or_else(none)?;
        let author = found.authors.get(&id).ok_or_else(none)?;
        // Nobody moderates what two people say to each other.
        let moderates = self.moderators.contains(account) && place.starts_with("channel/");
        if author != account && !moderates {
            return Err(Refused::new(RefusedCode::NotYours, "this message is not yours"));
        }
        found.authors.remove(&id);
        let (by, request, last) = (account.to_owned(), request.to_owned(), found.last_id);
        let removed = PlaceMessage::Removed { id, by, request, last };
        Ok(vec![Publication::json(place, "", &removed)])
    }

    fn mute(
        &mut self,
        account: &str,
        other: &str,
        minutes: u32,
        now_ms: u64,
    ) -> Result<Vec<Publication>, Refused> {
        self.check_moderator(account)?;
        if self.moderators.contains(other) {
            return Err(Refused::new(RefusedCode::NotYours, "moderators are not muted"));
        }
        let none = || Refused::new(RefusedCode::NoAccount, "there is no such person");
        let muted = self.accounts.get_mut(other).ok_or_else(none)?;
        let minutes = minutes.min(MUTE_MINUTES_MAX);
        let until_ms =
            if minutes == 0 { 0 } else { now_ms.saturating_add(u64::from(minutes) * 60_000) };
        muted.muted_until_ms = until_ms;
        let told = AccountMessage::Muted { until_ms, by: account.to_owned() };
        Ok(vec![
            Publication::json("mutes", other, &until_ms),
            Publication::json(format!("account/{other}"), "", &told),
        ])
    }

    fn create(
        &mut self,
        account: &str,
        request: &str,
        channel: &str,
    ) -> Result<Vec<Publication>, Refused> {
        self.check_moderator(account)?;
        let topic = channel_topic(channel);
        if !is_channel_name(channel) || self.places.contains_key(&topic) {
            let text = "a channel needs a new name of 1 to 24 small letters, digits, - and _";
            return Err(Refused::new(RefusedCode::NoPlace, text));
        }
        if self.places.keys().filter(|it| it.starts_with("channel/")).count() >= CHANNELS_MAX {
            return Err(Refused::new(RefusedCode::Full, "there are as many channels as may be"));
        }
        self.places.insert(topic.clone(), Place::default());
        let (by, request) = (account.to_owned(), request.to_owned());
        Ok(vec![Publication::json(topic, "", &PlaceMessage::Created { by, request })])
    }

    /// A mark, if it is further than the one before. Nobody waits for a result.
    fn read(&mut self, account: &str, place: &str, id: u64) -> Option<Publication> {
        let last_id = self.places.get(place).filter(|_| self.may_read(account, place))?.last_id;
        let marks = &mut self.accounts.get_mut(account)?.marks;
        let mark = marks.get(place).copied().unwrap_or_default();
        if id <= mark || id > last_id {
            return None;
        }
        marks.insert(place.to_owned(), id);
        Some(Publication::json(format!("marks/{account}"), place, &id))
    }

    fn may_read(&self, account: &str, place: &str) -> bool {
        place.starts_with("channel/") || other_side(place, account).is_some()
    }

    /// Whether the account may post there: in channels that there are, and to people that there are.
    fn check_place(&self, account: &str, place: &str) -> Result<(), Refused> {
        let is_there = self.places.contains_key(place);
        if is_there && self.may_read(account, place) {
            return Ok(());
        }
        let none = || Refused::new(RefusedCode::NoPlace, "there is no such channel or person");
        let other = other_side(place, account).ok_or_else(none)?;
        if !self.accounts.contains_key(other) {
            return Err(none());
        }
        let talks = |account: &str| {
            self.places.keys().filter(|it| other_side(it, account).is_some()).count()
        };
        if talks(account) >= DIRECT_MAX || talks(other) >= DIRECT_MAX {
            let text = "one of you talks to as many people as anyone may";
            return Err(Refused::new(RefusedCode::Full, text));
        }
        Ok(())
    }

    fn check_moderator(&self, account: &str) -> Result<(), Refused> {
        let text = "this is for moderators";
        let is_one = self.moderators.contains(account);
        is_one.then_some(()).ok_or_else(|| Refused::new(RefusedCode::NotModerator, text))
    }

    fn take_post(&mut self, place: &str, id: u64, by: &str) {
        let place = self.places.entry(place.to_owned()).or_default();
        place.last_id = place.last_id.max(id);
        place.authors.insert(id, by.to_owned());
        if place.authors.len() > POSTS_MAX {
            place.authors.pop_first();
        }
    }

    fn remember(&mut self, account: &str, request: &str, refused: Option<Refused>) {
        let Some(account) = self.accounts.get_mut(account) else { return };
        if request.is_empty() || account.handled.iter().any(|(id, _)| id == request) {
            return;
        }
        account.handled.push_back((request.to_owned(), refused));
        if account.handled.len() > REQUESTS_MAX {
            account.handled.pop_front();
        }
    }

    fn person(&self, id: &str) -> Option<Publication> {
        let name = self.accounts.get(id)?.name.clone();
        let moderator = self.moderators.contains(id);
        Some(Publication::json("people", id, &Person { name, moderator }))
    }
}

/// Rebuilding.
impl Chat {
    /// Takes a message that was published before: first those of `accounts`, then the others in any order, each topic's own in theirs.
    pub(crate) fn restore(&mut self, topic: &str, key: &str, payload: &[u8]) {
        match topic.split_once('/').unwrap_or((topic, "")) {
            ("accounts", _) => {
                if let Ok(record) = serde_json::from_slice(payload) {
                    self.accounts.insert(key.to_owned(), ChatAccount::new(record));
                }
            }
            ("mutes", _) => {
                if let (Some(it), Ok(until_ms)) =
                    (self.accounts.get_mut(key), serde_json::from_slice(payload))
                {
                    it.muted_until_ms = until_ms;
                }
            }
            ("marks", account) => {
                if let (Some(it), Ok(id)) =
                    (self.accounts.get_mut(account), serde_json::from_slice(payload))
                {
                    it.marks.insert(key.to_owned(), id);
                }
            }
            ("account", account) => {
                if let Ok(AccountMessage::Result { request, refused }) =
                    serde_json::from_slice(payload)
                {
                    self.remember(account, &request, refused);
                }
            }
            ("channel" | "dm", _) => self.restore_place(topic, payload),
            _ => {}
        }
    }

    fn restore_place(&mut self, topic: &str, payload: &[u8]) {
        let Ok(message) = serde_json::from_slice(payload) else { return };
        let (by, request) = match message {
            PlaceMessage::Post { id, by, request, .. } => {
                self.take_post(topic, id, &by);
                (by, request)
            }
            PlaceMessage::Removed { id, by, request, last } => {
                let place = self.places.entry(topic.to_owned()).or_default();
                place.authors.remove(&id);
                place.last_id = place.last_id.max(last);
                (by, request)
            }
            PlaceMessage::Created { by, request } => {
                self.places.entry(topic.to_owned()).or_default();
                (by, request)
            }
        };
        // It was done, though the server may have ended before it said so.
        self.remember(&by, &request, None);
    }
}

impl ChatAccount {
    fn new(AccountRecord { name, key_hash }: AccountRecord) -> Self {
        let (handled, marks) = (VecDeque::new(), BTreeMap::new());
        ChatAccount { name, key_hash, muted_until_ms: 0, whole_at_ms: 0, handled, marks }
    }

    /// Whether one more request is within the rate.
    fn take_allowance(&mut self, now_ms: u64) -> bool {
        // A clock that was set back makes nobody wait for longer than that.
        let whole_ms = self.whole_at_ms.saturating_sub(now_ms).min(BURST * REFILL_MS) + REFILL_MS;
        let (is_within, whole_at_ms) = (whole_ms <= BURST * REFILL_MS, now_ms + whole_ms);
        if is_within {
            self.whole_at_ms = whole_at_ms;
        }
        is_within
    }
}

fn result(account: &str, request: &str, refused: Option<Refused>) -> Publication {
    let message = AccountMessage::Result { request: request.to_owned(), refused };
    Publication::json(format!("account/{account}"), "", &message)
}

/// Whom an account talks to in a topic of direct messages, if that is one of its own.
fn other_side<'a>(place: &'a str, account: &str) -> Option<&'a str> {
    match sides(place)? {
        (one, other) if one == account => Some(other),
        (one, other) if other == account => Some(one),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
