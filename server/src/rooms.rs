//! The rooms of a server: finding, making, listing and removing them by name.

mod creators;
mod feed;
mod numbers;
mod registry;
mod replayed;
mod reservations;
mod restored;

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tickwire_shared::control::{
    Redacted, RefuseCode, RoomChoice, RoomInfo, RoomQuery, ServerFrame,
};
use tickwire_shared::{PlayerId, RoomPolicy, Simulation};

use crate::config::{RoomConfig, ServerConfig};
use crate::guard::guarded;
use crate::journal::{Journals, RoomJournal};
use crate::room::{JournalHead, SecretDigest, options};
use crate::scheduler::{Mailbox, RoomBegin, Scheduler, StartRoom};
use crate::store::ServerStore;
use creators::RoomCreators;
pub(crate) use feed::RoomsFeed;
pub(crate) use numbers::PlayerNumbers;
pub(crate) use registry::Membership;
use registry::{Entry, Registry};
use reservations::Reservations;
pub(crate) use reservations::{SeatReservation, SeatWish};
pub(crate) use restored::RestoredSeat;

/// All rooms of the server by name.
///
/// Only the network uses it; the simulation threads never do.
pub(crate) struct Rooms<S: Simulation> {
    scheduler: Scheduler<S>,
    config: Arc<ServerConfig>,
    registry: Mutex<Registry<S::Input>>,
    /// The numbers of sessions and bots.
    numbers: Arc<PlayerNumbers>,
    /// The lists of rooms that clients follow.
    pub(crate) feed: RoomsFeed,
    /// Where rooms are kept, if they are.
    pub(crate) journals: Option<Journals>,
    /// Where chat is kept, if it is.
    pub(crate) store: Option<ServerStore>,
    /// The seeds of new rooms follow from it; `None` draws them.
    pub(crate) seed: Option<u64>,
}

/// The reason why a session could not enter a room.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct RoomRefusal {
    pub(crate) code: RefuseCode,
    pub(crate) text: String,
}

impl RoomRefusal {
    fn new(code: RefuseCode, text: impl Into<String>) -> Self {
        RoomRefusal { code, text: text.into() }
    }
}

impl From<(RefuseCode, String)> for RoomRefusal {
    fn from((code, text): (RefuseCode, String)) -> Self {
        RoomRefusal { code, text }
    }
}

/// Who may find a room.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RoomAccess {
    /// It is missing from all lists.
    pub(crate) is_unlisted: bool,
    /// Quick matches may join it.
    pub(crate) is_quick: bool,
}

/// A room that the game would make.
struct RoomPlan<S: Simulation> {
    options: S::RoomOptions,
    /// The same as they came.
    given: Redacted,
    policy: RoomPolicy,
}

/// The settings of a room that starts.
struct RoomSettings {
    policy: RoomPolicy,
    first_bot: PlayerId,
    /// It was made by a quick match.
    is_quick: bool,
    config: RoomConfig,
    journal: Option<RoomJournal>,
}

impl<S: Simulation> Rooms<S> {
    pub(crate) fn new(
        scheduler: Scheduler<S>,
        config: Arc<ServerConfig>,
        (journals, store): (Option<Journals>, Option<ServerStore>),
    ) -> Self {
        let registry = Registry {
            entries: HashMap::new(),
            creators: RoomCreators::new(&config),
            reservations: Reservations::new(config.reservations_max, config.reservations_room_max),
        };
        let feed = RoomsFeed::new(config.rooms_queries_max);
        let numbers = Arc::default();
        let registry = Mutex::new(registry);
        Rooms { scheduler, config, registry, numbers, feed, journals, store, seed: None }
    }

    /// The numbers that sessions share with bots.
    pub(crate) fn numbers(&self) -> Arc<PlayerNumbers> {
        Arc::clone(&self.numbers)
    }

    /// A place in the room chosen by the player `by`, at this address; makes the room if there is
    /// none. The room itself checks for a seat, but [`RoomChoice::Quick`] looks for a room with a
    /// free one. A seat that is reserved for `account` is its own, with no password.
    pub(crate) fn play(
        &self,
        choice: &RoomChoice,
        password: &Redacted,
        by: (PlayerId, IpAddr),
        account: Option<&str>,
    ) -> Result<Membership<S::Input>, RoomRefusal> {
        let (RoomChoice::Named(name) | RoomChoice::Create { name, .. }) = choice else {
            return self.play_quick(by);
        };
        check_name(name)?;
        let find = |registry: &mut Registry<S::Input>| match choice {
            RoomChoice::Create { .. } => registry.make_way(name).map(|()| None),
            _ => registry.find_seat(name, password, (account, now())),
        };
        if let Some(found) = find(&mut self.registry())? {
            return Ok(found);
        }
        // A session with a password wants a locked room; it would not know that it sits in an open
        // one.
        if matches!(choice, RoomChoice::Named(_)) && !password.is_empty() {
            let text =
                "there is no room of this name; make it with this password, or join without one";
            return Err(RoomRefusal { code: RefuseCode::WrongPassword, text: text.to_owned() });
        }
        let empty = Redacted::default();
        let plan = self.plan(match choice {
            RoomChoice::Create { options, .. } => options,
            _ => &empty,
        })?;
        let mut registry = self.registry();
        // The game was asked without the lock: the room may exist by now.
        match find(&mut registry)? {
            Some(found) => Ok(found),
            None => self.make(&mut registry, Some(name), plan, Some(by)),
        }
    }

    /// A place in the fullest room for quick matches, or in a new one.
    fn play_quick(&self, by: (PlayerId, IpAddr)) -> Result<Membership<S::Input>, RoomRefusal> {
        if let Some(found) = self.registry().find_quick() {
            return Ok(found);
        }
        let plan = self.plan(&Redacted::default())?;
        let mut registry = self.registry();
        match registry.find_quick() {
            Some(found) => Ok(found),
            None => self.make(&mut registry, None, plan, Some(by)),
        }
    }

    /// A spectator's place in an existing room.
    pub(crate) fn watch(
        &self,
        name: &str,
        password: &Redacted,
    ) -> Result<Membership<S::Input>, RoomRefusal> {
        check_name(name)?;
        let found = self.registry().find_place(name, password)?;
        found.ok_or_else(|| {
            let text = format!("there is no room {name:?} any more; ask for the list of rooms");
            RoomRefusal::new(RefuseCode::NoSuchRoom, text)
        })
    }

    /// The game's plan for a room of these options. A panic of the game is a refusal.
    fn plan(&self, given: &Redacted) -> Result<RoomPlan<S>, RoomRefusal> {
        let asked = guarded(|| -> Result<RoomPlan<S>, RoomRefusal> {
            let options = options::parse::<S::RoomOptions>(&self.config.room, given)?;
            let policy = S::room_policy(&options).map_err(options::told)?;
            Ok(RoomPlan { options, given: given.clone(), policy })
        });
        let plan = asked.unwrap_or_else(|| {
            tracing::error!("the game failed over the options of a room: it was not made");
            let text = "the game failed over these options; choose others";
            Err(RoomRefusal::new(RefuseCode::OptionsInvalid, text))
        })?;
        if let Err(what) = options::check_policy(&self.config.room, &plan.policy) {
            tracing::warn!("a room was not made, as the game's policy for it cannot be: {what}");
            let text = format!("the game cannot make a room of these options: {what}");
            return Err(RoomRefusal::new(RefuseCode::OptionsInvalid, text));
        }
        Ok(plan)
    }

    /// The first rooms by `query`, as many as a list holds, and the number of all that match.
    pub(crate) fn list(&self, query: &RoomQuery) -> (Vec<RoomInfo>, u32) {
        self.pick(&self.listed(), query)
    }

    /// Pushes changes of the lists to their followers; see [`RoomsFeed::push`].
    pub(crate) fn push(
        &self,
        is_behind: impl Fn(PlayerId) -> bool,
        send: impl FnMut(&[PlayerId], &ServerFrame),
    ) {
        if self.feed.is_followed() {
            let listed = self.listed();
            self.feed.push(|query| self.pick(&listed, query), is_behind, send);
        }
    }

    /// The rooms that lists may show.
    fn listed(&self) -> Vec<Arc<Mailbox<S::Input>>> {
        let registry = self.registry();
        let listed = registry.entries.values().filter(|entry| !entry.unlisted);
        listed.map(|entry| Arc::clone(&entry.mailbox)).collect()
    }

    fn pick(&self, listed: &[Arc<Mailbox<S::Input>>], query: &RoomQuery) -> (Vec<RoomInfo>, u32) {
        let counted = listed.iter().map(|mailbox| (mailbox.seats_taken(), mailbox));
        let mut matching: Vec<_> =
            counted.filter(|(players, room)| query.matches(room.listing(), *players)).collect();
        let found = u32::try_from(matching.len()).unwrap_or(u32::MAX);
        matching.sort_unstable_by(|(a_players, a), (b_players, b)| {
            query.order.compare((*a_players, a.name()), (*b_players, b.name()))
        });
        let first = matching.into_iter().take(self.config.rooms_listed_max);
        let infos = first.map(|(players, mailbox)| RoomInfo { players, ..mailbox.info() });
        let mut left_bytes = feed::LIST_BYTES_MAX;
        let fitting = infos.take_while(|room| {
            let bytes = feed::info_bytes_max(room);
            let fits = bytes <= left_bytes;
            left_bytes = left_bytes.saturating_sub(bytes);
            fits
        });
        (fitting.collect(), found)
    }

    /// Removes rooms that have been empty for long enough. Called once a second.
    pub(crate) fn sweep(&self) {
        let Registry { entries, creators, reservations } = &mut *self.registry();
        creators.sweep();
        reservations.sweep(now());
        entries.retain(|name, entry| {
            entry.mailbox.set_reserved(reservations.open(name, now()));
            if entry.is_occupied() {
                entry.empty_s.store(0, Ordering::Relaxed);
                return true;
            }
            let empty_s = entry.empty_s.fetch_add(1, Ordering::Relaxed) + 1;
            if empty_s < self.config.room_empty_s {
                return true;
            }
            tracing::info!(room = name, "nobody is in the room: removed");
            entry.mailbox.close();
            entry.made.into_iter().for_each(|made| creators.give_back(made));
            false
        });
    }

    /// Removes a room whose game panicked.
    pub(crate) fn forget(&self, broken: &Arc<Mailbox<S::Input>>) {
        broken.close();
        let Registry { entries, creators, reservations } = &mut *self.registry();
        if let Some(entry) = entries.get(broken.name())
            && Arc::ptr_eq(&entry.mailbox, broken)
        {
            entry.made.into_iter().for_each(|made| creators.give_back(made));
            entries.remove(broken.name());
            reservations.forget(broken.name());
        }
    }

    /// The room of this name.
    pub(crate) fn mailbox(&self, name: &str) -> Option<Arc<Mailbox<S::Input>>> {
        self.registry().entries.get(name).map(|entry| Arc::clone(&entry.mailbox))
    }

    /// All rooms.
    pub(crate) fn mailboxes(&self) -> Vec<Arc<Mailbox<S::Input>>> {
        self.registry().entries.values().map(|entry| Arc::clone(&entry.mailbox)).collect()
    }

    /// All rooms, each with who may find it.
    pub(crate) fn all(&self) -> Vec<(Arc<Mailbox<S::Input>>, RoomAccess)> {
        let all = self.registry();
        let access = |entry: &Entry<_>| RoomAccess {
            is_unlisted: entry.unlisted,
            is_quick: entry.quick_join,
        };
        all.entries.values().map(|it| (Arc::clone(&it.mailbox), access(it))).collect()
    }

    /// The threads of the rooms.
    pub(crate) fn scheduler(&self) -> &Scheduler<S> {
        &self.scheduler
    }

    /// A place in a new room, of this name or for quick matches, which counts for the player `by`.
    fn make(
        &self,
        registry: &mut Registry<S::Input>,
        name: Option<&str>,
        RoomPlan { options, given, policy }: RoomPlan<S>,
        by: Option<(PlayerId, IpAddr)>,
    ) -> Result<Membership<S::Input>, RoomRefusal> {
        let Registry { entries, creators, .. } = registry;
        let most = self.config.rooms_max;
        let full = || {
            let text = format!("the server has {most} rooms and takes no more; join one of them");
            RoomRefusal::new(RefuseCode::TooManyRooms, text)
        };
        if entries.len() >= most {
            return Err(full());
        }
        let made = by.map(|by| creators.take(&self.config, by)).transpose()?;
        let is_quick = name.is_none();
        let name = name.map_or_else(|| free_name(entries), str::to_owned);
        let seed = self.seed.unwrap_or_else(|| RandomState::new().hash_one(&name));
        let first_bot = self.numbers.take(options::bots(&self.config.room, &policy));
        let journal = self.journals.as_ref().map(|journals| {
            let head = JournalHead::new::<S>((&name, seed), &given, &self.config.room);
            journals.of_room(JournalHead { first_bot, is_quick, ..head })
        });
        let config = self.config.room.clone();
        let begin = RoomBegin::New { seed, options };
        let entry =
            self.start(&name, begin, RoomSettings { policy, first_bot, is_quick, config, journal });
        let Some(mut entry) = entry else {
            made.into_iter().for_each(|made| creators.give_back(made));
            return Err(full());
        };
        entry.made = made;
        tracing::info!(room = name, "room made");
        let entry = Arc::new(entry);
        entries.insert(name, Arc::clone(&entry));
        Ok(Membership::new(entry, false))
    }

    /// Hands a room to a thread. `None` if none takes it.
    fn start(
        &self,
        name: &str,
        begin: RoomBegin<S>,
        settings: RoomSettings,
    ) -> Option<Entry<S::Input>> {
        let RoomSettings { policy, first_bot, is_quick, config, journal } = settings;
        let listing = options::listing(name, &config, &policy);
        let mailbox = Arc::new(Mailbox::new(listing, &self.config));
        let given = policy.password.as_str().as_bytes();
        let password = (!given.is_empty()).then(|| SecretDigest::of(given));
        let entry = Entry {
            mailbox: Arc::clone(&mailbox),
            quick_join: password.is_none() && policy.quick_join.unwrap_or(is_quick),
            unlisted: policy.unlisted,
            password,
            made: None,
            seats: AtomicUsize::new(0),
            watchers: AtomicUsize::new(0),
            empty_s: AtomicU32::new(0),
        };
        let is_hosted = !is_quick;
        let chat_after = self.store.as_ref().map_or(0, ServerStore::highest_id);
        let room =
            StartRoom { mailbox, config, begin, policy, first_bot, is_hosted, journal, chat_after };
        self.scheduler.add(room).then_some(entry)
    }

    fn registry(&self) -> MutexGuard<'_, Registry<S::Input>> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The time by the runtime's clock.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

fn check_name(name: &str) -> Result<(), RoomRefusal> {
    if options::is_word(name) {
        return Ok(());
    }
    let most = options::WORD_CHARACTERS_MAX;
    let text = format!("a room's name is 1 to {most} letters, digits, - or _; choose another");
    Err(RoomRefusal::new(RefuseCode::RoomNameInvalid, text))
}

fn free_name<I>(entries: &HashMap<String, Arc<Entry<I>>>) -> String {
    // One more number than rooms: one of them is free.
    let names = (1..=entries.len() + 1).map(|number| format!("room-{number}"));
    names.into_iter().find(|name| !entries.contains_key(name)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::check_name;

    #[test]
    fn room_names_are_short_and_plain() {
        for name in ["a", "Room_1-b", &"x".repeat(32)] {
            assert_eq!(check_name(name), Ok(()), "{name}");
        }
        for name in ["", &"x".repeat(33), "a b", "a/b", "ä", "a\n", "\u{202e}a"] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }
}
