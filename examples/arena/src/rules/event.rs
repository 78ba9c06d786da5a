use tickwire_shared::glam::Vec2;
use tickwire_shared::{PlayerId, Replicate};

use super::entity::{AsteroidSize, Gift, Team};

/// The events of the game.
#[derive(Clone, Copy, Debug, PartialEq, Replicate)]
pub enum Event {
    /// A shot struck something.
    Hit(Hit),
    /// A ship was lost.
    Kill(Kill),
    /// A rock broke.
    Crack(Crack),
    /// A ship flew over a pickup.
    Taken(Taken),
    /// The round is over and the next one begins.
    RoundOver(RoundOver),
    /// A pilot asked to change sides.
    TeamChange(TeamChange),
}

/// A shot struck something.
#[derive(Clone, Copy, Debug, PartialEq, Replicate)]
pub struct Hit {
    /// The place.
    #[replicate(range = -2048.0..=2048.0, step = 1.0)]
    pub pos: Vec2,
    /// The player struck, 0 for a rock.
    pub victim: PlayerId,
}

/// A ship was lost.
#[derive(Clone, Copy, Debug, PartialEq, Replicate)]
pub struct Kill {
    /// The place.
    #[replicate(range = -2048.0..=2048.0, step = 1.0)]
    pub pos: Vec2,
    /// The player who did it, 0 for a rock.
    pub killer: PlayerId,
    /// The player who lost the ship.
    pub victim: PlayerId,
}

/// A rock broke.
#[derive(Clone, Copy, Debug, PartialEq, Replicate)]
pub struct Crack {
    /// The place.
    #[replicate(range = -2048.0..=2048.0, step = 1.0)]
    pub pos: Vec2,
    /// Its size.
    pub size: AsteroidSize,
}

/// A ship flew over a pickup.
#[derive(Clone, Copy, Debug, PartialEq, Replicate)]
pub struct Taken {
    /// The place.
    #[replicate(range = -2048.0..=2048.0, step = 1.0)]
    pub pos: Vec2,
    /// The player.
    pub player: PlayerId,
    /// The item's effect.
    pub gift: Gift,
}

/// The round is over.
#[derive(Clone, Copy, Debug, PartialEq, Replicate)]
pub struct RoundOver {
    /// Ships shot down by the blue team.
    pub azure: u16,
    /// Ships shot down by the orange team.
    pub amber: u16,
}

/// A pilot asked to change sides. All players get the event if it is granted, only the pilot if
/// not.
#[derive(Clone, Copy, Debug, PartialEq, Replicate)]
pub struct TeamChange {
    /// The pilot.
    pub player: PlayerId,
    /// The team it flies for from now on.
    pub team: Team,
    /// True if the team has changed.
    pub is_granted: bool,
}
