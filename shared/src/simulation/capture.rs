//! What a game shows in one tick.

use glam::{Vec2, Vec3};

use super::{EntityId, Groups, PlayerId};

/// A place in the world, in the game's units. One of two dimensions has 0 for its third coordinate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Position(pub Vec3);

impl From<Vec2> for Position {
    fn from(place: Vec2) -> Self {
        Position(place.extend(0.0))
    }
}

impl From<Vec3> for Position {
    fn from(place: Vec3) -> Self {
        Position(place)
    }
}

/// Where [`Simulation::capture`](super::Simulation::capture) shows its entities.
#[derive(Debug)]
pub struct Capture<E> {
    entities: Vec<Captured<E>>,
}

/// One entity of a [`Capture`].
#[derive(Debug)]
pub struct Captured<E> {
    /// The game's id.
    pub id: EntityId,
    /// Whose it is.
    pub owner: Option<PlayerId>,
    /// Where it is, for the areas of a [`View`](super::View); without a place it is in all of them.
    pub place: Option<Vec3>,
    /// The groups that it is shown to; `None` for everybody.
    pub groups: Option<Groups>,
    /// [`Simulation::can_see`](super::Simulation::can_see) is asked.
    pub is_checked: bool,
    /// How much it matters where not everything fits a client's snapshots.
    pub priority: u8,
    /// Its state.
    pub entity: E,
}

impl<E> Default for Capture<E> {
    fn default() -> Self {
        Capture { entities: Vec::new() }
    }
}

impl<E> Capture<E> {
    /// Shows an entity. Refine the result by the calls of [`Captured`].
    pub fn show(&mut self, id: EntityId, entity: E) -> &mut Captured<E> {
        let at = self.entities.len();
        self.entities.push(Captured {
            id,
            owner: None,
            place: None,
            groups: None,
            is_checked: false,
            priority: 1,
            entity,
        });
        &mut self.entities[at]
    }

    /// Takes all entities out.
    pub fn drain(&mut self) -> impl Iterator<Item = Captured<E>> + '_ {
        self.entities.drain(..)
    }
}

impl<E> Captured<E> {
    /// `player` owns it: sees its owner-only fields, and always sees it.
    pub fn owned_by(&mut self, player: PlayerId) -> &mut Self {
        self.owner = Some(player);
        self
    }

    /// It is at `place`, a [`Vec2`] or a [`Vec3`]. Where that is not finite, it is seen by its owner and those who see
    /// everything.
    pub fn at(&mut self, place: impl Into<Position>) -> &mut Self {
        let Position(place) = place.into();
        self.place = Some(place);
        self
    }

    /// Nobody sees it but its owner and viewers in one of `groups` in whose area it is. It is in no byte that anyone else
    /// is sent. A second call takes the place of the first.
    pub fn only_for(&mut self, groups: Groups) -> &mut Self {
        self.groups = Some(groups);
        self
    }

    /// Nobody sees it but its owner and those of whom [`Simulation::can_see`](super::Simulation::can_see) says so. It is
    /// asked in each tick, for each viewer whom area and groups let see it.
    pub fn checked(&mut self) -> &mut Self {
        self.is_checked = true;
        self
    }

    /// Relative send priority; 1 is the lowest. Where not everything fits a client's snapshots, an entity of priority 3 is
    /// sent three times as often as one of priority 1.
    pub fn priority(&mut self, priority: u8) -> &mut Self {
        self.priority = priority;
        self
    }
}
