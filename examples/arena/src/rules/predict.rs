//! What a client steps by itself: its own ship, and the shots it fires.

use tickwire_shared::predict::{Around, Predict};

use super::entity::{Controls, Entity};
use super::pilot::Pilot;
use super::{Arena, SHIP_RADIUS};

impl Predict for Arena {
    type Own = Pilot;

    fn adopt(entity: &Entity, before: Option<&Pilot>) -> Option<Pilot> {
        match entity {
            Entity::Ship(ship) => Some(Pilot::of_ship(ship, before)),
            _ => None,
        }
    }

    fn show(own: &Pilot) -> Entity {
        Entity::Ship(own.ship())
    }

    fn steer(
        own: &mut Pilot,
        input: Controls,
        around: &Around<'_, Entity>,
        spawned: &mut Vec<Entity>,
    ) {
        if let Some(mut shot) = own.act(input) {
            shot.advance();
            spawned.push(Entity::Shot(shot));
        }
        around.for_each(|_, entity| {
            if let Entity::Asteroid(rock) = entity {
                let radius = rock.size.radius();
                if own.body.pos.distance_squared(rock.pos) < (radius + SHIP_RADIUS).powi(2) {
                    own.body.bounce_off_rock(rock.pos, rock.vel, radius);
                }
            }
        });
    }
}
