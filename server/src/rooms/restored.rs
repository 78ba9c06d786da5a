//! Rooms that go on where their journals ended, and the seats that wait for their players.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use tickwire_shared::{Account, PlayerId, Simulation};

use super::{Membership, RoomPlan, RoomSettings, Rooms};
use crate::config::RoomConfig;
use crate::identity::Identity;
use crate::journal::{self, Journals, RestoredJournal, WarmRooms};
use crate::room::{ReplayMember, ResumeRight, SeatRole, SteppedCommands, options};
use crate::scheduler::RoomBegin;

/// A place in a restored room. It waits for its player.
#[derive(Debug)]
pub(crate) struct RestoredSeat<I> {
    pub(crate) player: PlayerId,
    /// Its display name.
    pub(crate) name: String,
    pub(crate) account: Option<Account>,
    /// By which its player resumes the session.
    pub(crate) resume: Option<ResumeRight>,
    /// The player's last commands that a step had.
    pub(crate) stepped: SteppedCommands,
    pub(crate) membership: Membership<I>,
}

impl<I> RestoredSeat<I> {
    /// The identity of its player, as far as the token that it showed holds for longer than its hello.
    pub(crate) fn identity(&self) -> Identity {
        let holds = |right: fn(&ResumeRight) -> bool| self.resume.as_ref().is_some_and(right);
        let room = self.membership.room().name();
        Identity {
            account: self.account.clone(),
            name: holds(|right| right.is_named).then(|| self.name.clone()),
            room: holds(|right| right.is_bound).then(|| room.to_owned()),
            // The journal does not have them.
            topics: None,
        }
    }
}

impl<S: Simulation> Rooms<S> {
    /// Starts the rooms whose journals are open, each at the tick that it reached. Returns the seats of their members, those
    /// of the room that was written last first. A room that cannot go on is left out and logged; its files stay as they are,
    /// times included: those say which of two rooms of one name goes on.
    pub(crate) fn restore(&self, mut warm: WarmRooms<S>) -> Vec<RestoredSeat<S::Input>> {
        let Some(journals) = &self.journals else { return Vec::new() };
        let began = Instant::now();
        let folders = journals.folders().unwrap_or_else(|error| {
            tracing::error!("no room is restored, as the journals cannot be read: {error}");
            Vec::new()
        });
        let left_out = |folder: &Path, what: String| {
            let folder = folder.display();
            tracing::error!(
                "the room of {folder} is not restored: {what}; its journal stays for `replay`, move it away"
            );
        };
        let (mut restored, mut names) = (Vec::new(), HashSet::new());
        for folder in folders {
            // Nothing is run, or held in memory, of what has no place.
            let name = journal::room_of(&folder).ok();
            let no_place = name.and_then(|name| self.no_place(&names, &name));
            if let Some(what) = no_place {
                if !journal::close_if_let_go(&folder).unwrap_or(false) {
                    left_out(&folder, what);
                }
                continue;
            }
            match journal::restore(&folder, &mut warm) {
                Ok(journal) => {
                    names.extend(journal.iter().map(|journal| journal.head.room.clone()));
                    restored.extend(journal);
                }
                Err(error) => left_out(&folder, error.to_string()),
            }
        }
        // None plays on while others are still run again, and nobody can join.
        let (mut rooms, mut seats) = (0, Vec::new());
        for journal in restored {
            let folder = journal.folder.clone();
            match self.restore_room(journals, journal, &warm) {
                Ok(members) => {
                    rooms += 1;
                    seats.extend(members);
                }
                Err(what) => left_out(&folder, what),
            }
        }
        journals.all_restored();
        if rooms > 0 {
            let ms = began.elapsed().as_millis();
            tracing::info!(rooms, seats = seats.len(), ms, "rooms go on from their journals");
        }
        seats
    }

    /// The reason why a room of this name has no place beside those of the other names, if it has none.
    fn no_place(&self, names: &HashSet<String>, name: &str) -> Option<String> {
        if names.contains(name) {
            return Some(format!("another room {name:?} was played later"));
        }
        let most = self.config.rooms_max;
        (names.len() >= most).then(|| format!("the server has {most} rooms and takes no more"))
    }

    /// Starts the room of a journal.
    fn restore_room(
        &self,
        journals: &Journals,
        RestoredJournal { folder, head, replay, tail }: RestoredJournal<S>,
        warm: &WarmRooms<S>,
    ) -> Result<Vec<RestoredSeat<S::Input>>, String> {
        let mut registry = self.registry();
        let RoomPlan { policy, .. } = self.plan(&head.options).map_err(|refusal| refusal.text)?;
        let config = RoomConfig {
            rewind_ticks_max: head.rewind_ticks_max,
            static_bytes_max: usize::try_from(head.static_bytes_max).unwrap_or(usize::MAX),
            ..self.config.room.clone()
        };
        let bots = options::bots(&config, &policy);
        self.numbers.pass(PlayerId(head.first_bot.0.saturating_add(bots)));
        self.numbers.pass(replay.newest_player());
        let members = replay.all_members().filter(|member| member.role != SeatRole::Bot);
        let members: Vec<_> = members.cloned().collect();
        let (name, first_bot, is_quick) = (head.room.clone(), head.first_bot, head.is_quick);
        let (tick, count) = (replay.tick().0, members.len());
        // The process that wrote it has had it synced, where it ended in order.
        let cut_off = tail.cut_off(self.config.journal_sync && !warm.is_handover());
        let next_segment =
            cut_off.map_err(|error| format!("its files cannot be changed: {error}"))?;
        let journal = Some(journals.go_on(folder, head, next_segment));
        let settings = RoomSettings { policy, first_bot, is_quick, config, journal };
        let entry = self.start(&name, RoomBegin::Restored(Box::new(replay)), settings);
        let entry = Arc::new(entry.ok_or("no thread takes it")?);
        registry.entries.insert(name.clone(), Arc::clone(&entry));
        tracing::info!(room = name, tick, seats = count, "the room goes on");
        let seat = |member: ReplayMember| RestoredSeat {
            player: member.player,
            name: member.name,
            account: member.account,
            resume: member.resume.filter(|_| warm.are_clients_same()),
            stepped: member.stepped,
            membership: Membership::new(Arc::clone(&entry), member.role == SeatRole::Spectator),
        };
        Ok(members.into_iter().map(seat).collect())
    }
}
