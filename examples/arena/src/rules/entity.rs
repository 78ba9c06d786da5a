use serde::{Deserialize, Serialize};
use tickwire_shared::glam::Vec2;
use tickwire_shared::{Input, PlayerId, Replicate};

/// A player's input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, Input)]
pub struct Controls {
    /// 1 turns from the x axis towards y at full rate, -1 the other way, less turns slower.
    #[replicate(range = -1.0..=1.0, step = 0.125)]
    pub turn: f32,
    /// The engine pushes the ship forward.
    pub thrust: bool,
    /// The ship slows down.
    pub brake: bool,
    /// The gun fires as fast as it can.
    pub fire: bool,
}

/// The side of a ship.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Replicate)]
pub enum Team {
    /// The blue team.
    Azure,
    /// The orange team.
    Amber,
}

impl Team {
    /// The opposing team.
    pub fn enemy(self) -> Team {
        match self {
            Team::Azure => Team::Amber,
            Team::Amber => Team::Azure,
        }
    }
}

/// Everything that clients see.
#[derive(Clone, Copy, Debug, PartialEq, Replicate)]
pub enum Entity {
    /// A player's ship; its entity id is the player's number. Absent while the player is dead.
    Ship(Ship),
    /// A rock.
    Asteroid(Asteroid),
    /// A shot in flight.
    Shot(Shot),
    /// An item to fly over.
    Pickup(Pickup),
    /// A line of the score board, always seen.
    Leader(Leader),
    /// The round, always seen.
    Round(Round),
}

/// A ship as others see it. Lengths are in units, times in seconds, angles in radians from the x
/// axis towards y.
#[derive(Clone, Copy, Debug, PartialEq, Replicate)]
pub struct Ship {
    /// The middle.
    #[replicate(range = -2048.0..=2048.0, step = 0.0625, velocity = vel)]
    pub pos: Vec2,
    /// Units a second.
    #[replicate(range = -400.0..=400.0, step = 0.25)]
    pub vel: Vec2,
    /// Angle of the nose.
    #[replicate(angle, bits = 10)]
    pub heading: f32,
    /// The engine burns.
    pub thrusting: bool,
    /// Nothing can hurt it: it has just appeared.
    #[replicate(rare)]
    pub shielded: bool,
    /// Its gun fires twice as fast and stays cool.
    #[replicate(rare)]
    pub overdrive: bool,
    /// 100 is whole.
    #[replicate(range = 0..=100, rare)]
    pub health: u8,
    /// Its side.
    #[replicate(rare)]
    pub team: Team,
    /// Points in this round.
    #[replicate(rare)]
    pub score: u16,
    /// Ships shot down in this round.
    #[replicate(rare)]
    pub kills: u16,
    /// Ships lost in this round.
    #[replicate(rare)]
    pub deaths: u16,
    /// Heat of the gun: at 100 it does not fire.
    #[replicate(range = 0..=100, owner)]
    pub heat: u8,
}

/// A drifting rock: a circle of [`AsteroidSize::radius`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, Replicate)]
pub struct Asteroid {
    /// The middle.
    #[replicate(range = -2048.0..=2048.0, step = 0.0625, velocity = vel)]
    pub pos: Vec2,
    /// Units a second, in multiples of 3.75: a whole number of steps of `pos` each tick.
    #[replicate(range = -150.0..=150.0, step = 3.75)]
    pub vel: Vec2,
    /// Its size.
    #[replicate(initial)]
    pub size: AsteroidSize,
    /// Rotation of the picture, in radians a second; the rules do not need it.
    #[replicate(range = -2.0..=2.0, step = 0.125, initial)]
    pub spin: f32,
}

/// The size of a rock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Replicate)]
pub enum AsteroidSize {
    /// Breaks into two medium ones.
    Large,
    /// Breaks into two small ones.
    Medium,
    /// Breaks into dust.
    Small,
}

impl AsteroidSize {
    /// The radius in units.
    pub fn radius(self) -> f32 {
        match self {
            AsteroidSize::Large => 60.0,
            AsteroidSize::Medium => 36.0,
            AsteroidSize::Small => 20.0,
        }
    }
}

/// A shot in flight: a point.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, Replicate)]
pub struct Shot {
    /// Its position.
    #[replicate(range = -2048.0..=2048.0, step = 0.0625, velocity = vel)]
    pub pos: Vec2,
    /// Units a second, in multiples of 3.75: a whole number of steps of `pos` each tick.
    #[replicate(range = -1200.0..=1200.0, step = 3.75)]
    pub vel: Vec2,
    /// The team that it does not hurt.
    #[replicate(initial)]
    pub team: Team,
}

impl Shot {
    /// One tick of flight.
    pub(super) fn advance(&mut self) {
        self.pos += self.vel / super::TICK_HZ as f32;
    }
}

/// An item that a broken rock left behind, to be flown over.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, Replicate)]
pub struct Pickup {
    /// The middle; it does not move.
    #[replicate(range = -2048.0..=2048.0, step = 1.0, initial)]
    pub pos: Vec2,
    /// Its effect.
    #[replicate(initial)]
    pub gift: Gift,
}

/// The effect of a pickup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Replicate)]
pub enum Gift {
    /// Mends the ship.
    Repair,
    /// Makes the gun fire twice as fast for a while.
    Overdrive,
}

/// One of the best players of the round. Its entity id is its place on the board.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, Replicate)]
pub struct Leader {
    /// 0 is the best.
    #[replicate(range = 0..=7, initial)]
    pub rank: u8,
    /// The player's number.
    pub player: PlayerId,
    /// The player's side.
    pub team: Team,
    /// Points in this round.
    pub score: u16,
    /// Approximate position, for the map.
    #[replicate(range = -2048.0..=2048.0, step = 32.0)]
    pub pos: Vec2,
}

/// The round that is being played.
#[derive(Clone, Copy, Debug, PartialEq, Replicate)]
pub struct Round {
    /// Ships shot down by the blue team.
    pub azure: u16,
    /// Ships shot down by the orange team.
    pub amber: u16,
    /// Seconds until it is decided.
    pub seconds_left: u16,
}
