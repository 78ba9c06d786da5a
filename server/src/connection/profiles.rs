//! Profiles: read for a join before it reaches its room, and saved as the room asks.

use std::any::TypeId;
use std::sync::Arc;
use std::time::Duration;

use tickwire_shared::control::RefuseCode;
use tickwire_shared::{SaveOutcome, Simulation};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::{ClientLink, ServerState};
use crate::room::{JoinProfile, NewProfile, ToRoom};
use crate::rooms::RoomRefusal;
use crate::scheduler::Mailbox;
use crate::store::{LoadProfile, SaveId, SaveProfile};

/// Said to an account whose profile cannot be read.
const UNREAD: &str = "your saved profile cannot be read now; try again in a moment";

impl<S: Simulation> ServerState<S> {
    /// The profile with which a client joins under a name; `None` for a guest, without a store, if the game keeps none, and for a client
    /// that is in a room.
    pub(super) async fn load_profile(
        &self,
        link: &ClientLink<S::Input>,
        name: &str,
    ) -> Result<Option<Box<JoinProfile>>, RoomRefusal> {
        self.check_name(link, name)?;
        let keeps_profiles = TypeId::of::<S::Profile>() != TypeId::of::<()>();
        let is_wanted = keeps_profiles && link.membership().is_none();
        let (Some(store), Some(account), true) =
            (&self.rooms.store, &link.identity().account, is_wanted)
        else {
            return Ok(None);
        };
        let (answer, answered) = oneshot::channel();
        let is_asked =
            store.load(LoadProfile { game: S::NAME, account: account.id.clone(), answer });
        let time = Duration::from_millis(u64::from(self.config.profile_load_ms));
        let loaded = match is_asked {
            true => timeout(time, answered).await.ok().and_then(Result::ok).flatten(),
            false => None,
        };
        match loaded {
            Some(profile) => Ok(Some(Box::new(profile))),
            None if S::JOINS_WITHOUT_PROFILE => {
                tracing::warn!(player = link.player.0, "an account joins without its profile");
                Ok(None)
            }
            None => Err(RoomRefusal { code: RefuseCode::Busy, text: UNREAD.to_owned() }),
        }
    }

    /// Saves a profile of a room.
    pub(super) fn save_profile(&self, room: &Arc<Mailbox<S::Input>>, new: NewProfile) {
        let save = SaveProfile { game: S::NAME, room: room.name().to_owned(), new };
        let id = save.id();
        if !self.rooms.store.as_ref().is_some_and(|store| store.save(save)) {
            tracing::warn!(room = room.name(), "a profile is not saved: the store is full or gone");
            tell_saved(room, id, SaveOutcome::Failed);
        }
    }

    /// Tells a room that a profile of its step cannot be saved.
    pub(super) fn refuse_profile(&self, room: &Arc<Mailbox<S::Input>>, save: SaveId, what: &str) {
        tracing::error!(room = room.name(), "a profile is not saved: {what}");
        tell_saved(room, save, SaveOutcome::Failed);
    }

    /// Tells a room what became of a profile that it saved.
    pub(super) fn deliver_saved(&self, room: &str, save: SaveId, outcome: SaveOutcome) {
        if outcome != SaveOutcome::Saved {
            let player = save.player.0;
            tracing::warn!(room, player, ?outcome, "a profile is not saved");
        }
        if let Some(room) = self.rooms.mailbox(room) {
            tell_saved(&room, save, outcome);
        }
    }
}

/// A room that is behind is not told: what it hears of saves comes at most once.
fn tell_saved<I>(room: &Mailbox<I>, SaveId { player, fence, tick }: SaveId, outcome: SaveOutcome) {
    if room.try_message(ToRoom::Saved { player, fence, tick, outcome }).is_err() {
        tracing::debug!(room = room.name(), "a room is behind, and not told of a save");
    }
}
