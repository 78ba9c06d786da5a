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

#[cfg(test)]
mod tests {
    use tickwire_shared::PlayerId;
    use tickwire_shared::glam::Vec2;

    use super::*;
    use crate::rules::entity::Team;
    use crate::rules::motion::Body;

    #[test]
    fn a_gun_that_fired_out_of_step_with_the_server_is_soon_in_step() {
        let body = Body::resting(Vec2::ZERO, Vec2::X);
        let mut server = Pilot::new(PlayerId(1), Team::Azure, body);
        let mut client = server.clone();
        let mut corrected_at = Vec::new();
        for tick in 0..90 {
            // The server has the first inputs too late.
            server.act(Controls { fire: tick >= 3, ..Controls::default() });
            let input = Controls { fire: true, ..Controls::default() };
            Arena::steer(&mut client, input, &Around::new(&|_| {}), &mut Vec::new());
            let sent = Entity::Ship(server.ship());
            if Arena::show(&client) != sent {
                corrected_at.push(tick);
                client = Arena::adopt(&sent, Some(&client)).unwrap();
            }
        }
        assert!(!corrected_at.is_empty());
        assert!(corrected_at.iter().all(|tick| *tick < 6), "put right at {corrected_at:?}");
    }
}
