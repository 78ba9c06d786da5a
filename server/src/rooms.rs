//! The rooms of a server: found, made, listed and let go by name.

mod creators;

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tickwire_shared::control::{RefuseCode, RoomChoice, RoomInfo};
use tickwire_shared::{PlayerId, Simulation};

use crate::config::ServerConfig;
use crate::scheduler::{Mailbox, Scheduler, StartRoom};
use creators::{CreatedRoom, RoomCreators};

/// Most characters of a room's name.
pub(crate) const ROOM_NAME_CHARACTERS_MAX: usize = 32;

/// Every room of the server by name.
///
/// Only the network asks here; the simulation threads never do.
pub(crate) struct Rooms<S: Simulation> {
    scheduler: Scheduler<S>,
    config: Arc<ServerConfig>,
    registry: Mutex<Registry<S::Input>>,
}

/// The rooms there are, and who made them.
struct Registry<I> {
    entries: HashMap<String, Arc<Entry<I>>>,
    creators: RoomCreators,
}

/// One room, and who is in it or on the way in.
#[derive(Debug)]
struct Entry<I> {
    mailbox: Arc<Mailbox<I>>,
    /// Made by a quick match: it has no host, and other quick matches lead to it.
    is_quick: bool,
    made: CreatedRoom,
    seats: AtomicUsize,
    watchers: AtomicUsize,
    /// Seconds since anyone was in it.
    empty_s: AtomicU32,
}

/// A session's place in a room, from asking for it to having left. Held while it lasts.
#[derive(Debug)]
pub(crate) struct Membership<I> {
    entry: Arc<Entry<I>>,
    spectator: bool,
}

/// Why a room was not entered.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) code: RefuseCode,
    pub(crate) text: String,
}

impl<S: Simulation> Rooms<S> {
    pub(crate) fn new(scheduler: Scheduler<S>, config: Arc<ServerConfig>) -> Self {
        let registry = Registry { entries: HashMap::new(), creators: RoomCreators::new(&config) };
        Rooms { scheduler, config, registry: Mutex::new(registry) }
    }

    /// A place in the room that the player `by`, at this address, chose; it is made if there is none. Whether there is
    /// a seat is for the room to say, but [`RoomChoice::Quick`] looks for one that has.
    pub(crate) fn play(
        &self,
        choice: &RoomChoice,
        by: (PlayerId, IpAddr),
    ) -> Result<Membership<S::Input>, Refusal> {
        let mut registry = self.registry();
        let entries = &registry.entries;
        let entry = match choice {
            RoomChoice::Quick => {
                let open = entries.values().filter(|entry| entry.is_quick && entry.has_seat());
                match open.max_by_key(|entry| entry.seats.load(Ordering::Relaxed)) {
                    Some(entry) => Arc::clone(entry),
                    None => self.make(&mut registry, None, by)?,
                }
            }
            RoomChoice::Named(name) => {
                check_name(name)?;
                match entries.get(name) {
                    Some(entry) => Arc::clone(entry),
                    None => self.make(&mut registry, Some(name), by)?,
                }
            }
        };
        Ok(Membership::new(entry, false))
    }

    /// A watcher's place in a room that is there.
    pub(crate) fn watch(&self, name: &str) -> Result<Membership<S::Input>, Refusal> {
        check_name(name)?;
        let registry = self.registry();
        let Some(entry) = registry.entries.get(name) else {
            let text = format!("there is no room {name:?}; ask for the list of rooms");
            return Err(Refusal { code: RefuseCode::NoSuchRoom, text });
        };
        Ok(Membership::new(Arc::clone(entry), true))
    }

    /// The fullest rooms, as many as the configuration allows in a list.
    pub(crate) fn list(&self) -> Vec<RoomInfo> {
        let registry = self.registry();
        let mut rooms: Vec<_> =
            registry.entries.values().map(|entry| entry.mailbox.info()).collect();
        drop(registry);
        rooms.sort_by(|a, b| b.players.cmp(&a.players).then_with(|| a.name.cmp(&b.name)));
        rooms.truncate(self.config.rooms_listed_max);
        rooms
    }

    /// Lets rooms go that nobody has been in for long enough. Called once a second.
    pub(crate) fn sweep(&self) {
        let Registry { entries, creators } = &mut *self.registry();
        creators.sweep();
        entries.retain(|name, entry| {
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
            creators.give_back(entry.made);
            false
        });
    }

    /// Lets a room go that broke.
    pub(crate) fn forget(&self, broken: &Arc<Mailbox<S::Input>>) {
        broken.close();
        let Registry { entries, creators } = &mut *self.registry();
        if let Some(entry) = entries.get(broken.name())
            && Arc::ptr_eq(&entry.mailbox, broken)
        {
            creators.give_back(entry.made);
            entries.remove(broken.name());
        }
    }

    /// Every room there is.
    pub(crate) fn mailboxes(&self) -> Vec<Arc<Mailbox<S::Input>>> {
        self.registry().entries.values().map(|entry| Arc::clone(&entry.mailbox)).collect()
    }

    /// The threads they run on.
    pub(crate) fn scheduler(&self) -> &Scheduler<S> {
        &self.scheduler
    }

    /// A new room: of this name, or for quick matches.
    fn make(
        &self,
        Registry { entries, creators }: &mut Registry<S::Input>,
        name: Option<&str>,
        by: (PlayerId, IpAddr),
    ) -> Result<Arc<Entry<S::Input>>, Refusal> {
        let full = || Refusal {
            code: RefuseCode::TooManyRooms,
            text: format!(
                "the server has {} rooms and takes no more; join one of them",
                self.config.rooms_max
            ),
        };
        if entries.len() >= self.config.rooms_max {
            return Err(full());
        }
        let made = creators.take(&self.config, by)?;
        let is_quick = name.is_none();
        let name = name.map_or_else(|| free_name(entries), str::to_owned);
        let mailbox = Arc::new(Mailbox::new(name.clone(), &self.config));
        let room = StartRoom {
            mailbox: Arc::clone(&mailbox),
            seed: RandomState::new().hash_one(&name),
            config: self.config.room.clone(),
            is_hosted: !is_quick,
        };
        if !self.scheduler.add(room) {
            creators.give_back(made);
            return Err(full());
        }
        tracing::info!(room = name, "room made");
        let entry = Arc::new(Entry {
            mailbox,
            is_quick,
            made,
            seats: AtomicUsize::new(0),
            watchers: AtomicUsize::new(0),
            empty_s: AtomicU32::new(0),
        });
        entries.insert(name, Arc::clone(&entry));
        Ok(entry)
    }

    fn registry(&self) -> MutexGuard<'_, Registry<S::Input>> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<I> Entry<I> {
    fn has_seat(&self) -> bool {
        self.seats.load(Ordering::Relaxed) < self.mailbox.players_max() as usize
    }

    fn is_occupied(&self) -> bool {
        self.seats.load(Ordering::Relaxed) + self.watchers.load(Ordering::Relaxed) > 0
    }
}

impl<I> Membership<I> {
    fn new(entry: Arc<Entry<I>>, spectator: bool) -> Self {
        let membership = Membership { entry, spectator };
        membership.places().fetch_add(1, Ordering::Relaxed);
        membership
    }

    pub(crate) fn room(&self) -> &Arc<Mailbox<I>> {
        &self.entry.mailbox
    }

    pub(crate) fn spectator(&self) -> bool {
        self.spectator
    }

    fn places(&self) -> &AtomicUsize {
        if self.spectator { &self.entry.watchers } else { &self.entry.seats }
    }
}

impl<I> Drop for Membership<I> {
    fn drop(&mut self) {
        self.places().fetch_sub(1, Ordering::Relaxed);
    }
}

fn check_name(name: &str) -> Result<(), Refusal> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if (1..=ROOM_NAME_CHARACTERS_MAX).contains(&name.len()) && name.bytes().all(allowed) {
        return Ok(());
    }
    let text = format!(
        "a room's name is 1 to {ROOM_NAME_CHARACTERS_MAX} letters, digits, - or _; choose another"
    );
    Err(Refusal { code: RefuseCode::RoomNameInvalid, text })
}

fn free_name<I>(entries: &HashMap<String, Arc<Entry<I>>>) -> String {
    // One more number than there are rooms: one of them is free.
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
