//! Names of players and entities.

use serde::{Deserialize, Serialize};

/// A session's number, unique in a server's life. Zero is the server itself.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct PlayerId(pub u32);

/// A game's own name for an entity: any number that no other entity has at the same time. [`EntityId::of_player`] and
/// [`EntityIds`] give ones that differ.
///
/// An id may be used again once its entity is gone; clients then see the old one vanish and a new
/// one appear. From one tick to the next an entity of the same id is another one if its kind, its owner or a field
/// marked `initial` is another; else it is the same, and moved.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct EntityId(pub u32);

/// The highest bit: ids that [`EntityIds`] gave.
const GIVEN: u32 = 1 << 31;

impl EntityId {
    /// The id of a player's one entity, such as its avatar: the player's own number, so that a page finds its name by it. No
    /// id of [`EntityIds`] is the same.
    pub const fn of_player(player: PlayerId) -> Self {
        EntityId(player.0 & !GIVEN)
    }

    /// The player whose [`EntityId::of_player`] it is; none for one of [`EntityIds`].
    pub const fn player(self) -> Option<PlayerId> {
        if self.0 & GIVEN == 0 { Some(PlayerId(self.0)) } else { None }
    }
}

/// Gives ids to the entities of a room, each another one. Keep it in the state: it is part of checkpoints, and the same steps
/// take the same ids.
///
/// An id comes again after [`EntityIds::PERIOD`] others, which takes twelve days at a thousand a second. Take the ids of
/// what is there all the time, such as a score board, in [`Simulation::new`](super::Simulation::new), and keep them. On the wire the first
/// ids are the shortest.
///
/// ```
/// use tickwire_shared::{EntityId, EntityIds, PlayerId};
///
/// let mut ids = EntityIds::default();
/// let (rock, bullet) = (ids.take(), ids.take());
/// assert_ne!(rock, bullet);
/// assert_ne!(rock, EntityId::of_player(PlayerId(1)));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntityIds {
    taken: u32,
}

impl EntityIds {
    /// Ids until one comes again.
    pub const PERIOD: u32 = 1 << 30;

    /// One that no entity has.
    pub const fn take(&mut self) -> EntityId {
        let id = EntityId(GIVEN | self.taken);
        self.taken = (self.taken + 1) % EntityIds::PERIOD;
        id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_comes_again_after_a_period_and_is_never_a_players() {
        let mut ids = EntityIds { taken: EntityIds::PERIOD - 2 };
        let last = [ids.take(), ids.take(), ids.take(), ids.take()];
        let mut first = EntityIds::default();
        assert_eq!(last[2..], [first.take(), first.take()]);
        for id in last {
            assert_eq!(id.player(), None);
            for number in [0, 1, id.0, id.0 & !GIVEN, u32::MAX] {
                assert_ne!(EntityId::of_player(PlayerId(number)), id);
            }
        }
        assert_eq!(EntityId::of_player(PlayerId(7)).player(), Some(PlayerId(7)));
    }

    #[test]
    fn a_checkpoint_goes_on_where_it_was() {
        let mut ids = EntityIds::default();
        for _ in 0..5 {
            ids.take();
        }
        let mut bytes = [0; 8];
        let bytes = postcard::to_slice(&ids, &mut bytes).unwrap();
        let mut restored: EntityIds = postcard::from_bytes(bytes).unwrap();
        assert_eq!(restored.take(), ids.take());
    }
}
