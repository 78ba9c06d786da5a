//! Every kind of field in one game's entities.

use tickwire::glam::{Quat, Vec2, Vec3};
use tickwire::{Capture, EntityId, PlayerId, Replicate};

// ANCHOR: fields
/// A kind of entity.
#[derive(Clone, Debug, Replicate)]
pub struct Tank {
    /// A number or vector names its rate of change a second: the codec predicts from it.
    #[replicate(range = -512.0..=512.0, step = 0.03125, velocity = vel)]
    pub pos: Vec3,
    /// Values between steps are rounded.
    #[replicate(range = -64.0..=64.0, step = 0.125)]
    pub vel: Vec3,
    /// A rotation, in 9 bits for each of three components.
    #[replicate(bits = 9)]
    pub hull: Quat,
    /// Radians, in 1024 steps of a turn.
    #[replicate(angle, bits = 10)]
    pub turret: f32,
    /// A whole number takes 7 bits here.
    #[replicate(range = 0..=100)]
    pub health: u8,
    /// Only the owner receives it.
    #[replicate(range = 0..=500, owner)]
    pub shells: u16,
    /// Seldom changes: all rare fields together cost one bit while none does.
    #[replicate(rare)]
    pub team: Team,
    /// Sent once; a tank of another class is another entity.
    #[replicate(range = 1..=8, initial)]
    pub class: u8,
    /// A flag.
    pub burning: bool,
}

/// An enum without fields is a field.
#[derive(Clone, Copy, Debug, PartialEq, Replicate)]
pub enum Team {
    /// Attacks.
    Red,
    /// Defends.
    Blue,
}

/// Another kind.
#[derive(Clone, Debug, Replicate)]
pub struct Crate {
    /// Where it stands.
    #[replicate(range = -512.0..=512.0, step = 0.25, initial)]
    pub pos: Vec2,
}

/// The kinds of entity of the game.
#[derive(Clone, Debug, Replicate)]
pub enum Entity {
    /// Steered by a player.
    Tank(Tank),
    /// Stands around.
    Crate(Crate),
}
// ANCHOR_END: fields

// ANCHOR: capture
/// Shows a tank with owner, place and send priority.
pub fn show(world: &mut Capture<Entity>, owner: PlayerId, tank: &Tank) {
    world
        .show(EntityId::of_player(owner), Entity::Tank(tank.clone()))
        .owned_by(owner)
        .at(tank.pos)
        .priority(4);
}
// ANCHOR_END: capture

#[cfg(test)]
mod tests {
    use tickwire::shared::quantize::Kinds;
    use tickwire::shared::schema::{FieldType, SendRule};

    use super::*;

    #[test]
    fn the_fields_have_the_bits_and_rules_that_the_book_tells() {
        let [tank, _] = Entity::schemas().try_into().unwrap();
        let field = |name: &str| tank.fields.iter().find(|field| field.name == name).unwrap();
        assert_eq!(field("hull").ty, FieldType::Quat { bits: 9 });
        assert_eq!(field("turret").ty, FieldType::Angle { bits: 10 });
        assert!(field("shells").owner_only);
        assert_eq!(field("team").rule, SendRule::Rare);
        assert_eq!(field("class").rule, SendRule::Initial);
    }
}
