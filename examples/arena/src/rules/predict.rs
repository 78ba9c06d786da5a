//! The client's predicted steps: its own ship, its shots, and the pickups it flies over.

use tickwire_shared::predict::{Predict, PredictedStep};
use tickwire_shared::{EntityId, PlayerId};

use super::entity::{Controls, Entity};
use super::event::{Event, Taken};
use super::pilot::Pilot;
use super::{Arena, PICKUP_RADIUS, SHIP_RADIUS};

const TAKEN_KEPT: usize = 4;

// ANCHOR: predict
/// The state that a client predicts.
#[derive(Clone, Debug)]
pub struct Predicted {
    pilot: Pilot,
    /// The last pickups flown over, the newest last: the server still shows them for a while.
    taken: [EntityId; TAKEN_KEPT],
}

impl Predict for Arena {
    type State = Predicted;

    fn from_entity(id: EntityId, entity: &Entity, before: Option<&Predicted>) -> Option<Predicted> {
        let Entity::Ship(ship) = entity else { return None };
        let pilot = Pilot::of_ship(PlayerId(id.0), ship, before.map(|before| &before.pilot));
        let taken = before.map_or([EntityId(u32::MAX); TAKEN_KEPT], |before| before.taken);
        Some(Predicted { pilot, taken })
    }

    fn to_entity(state: &Predicted) -> Entity {
        Entity::Ship(state.pilot.ship())
    }

    fn predict_step(state: &mut Predicted, input: Controls, tick: &mut PredictedStep<'_, Arena>) {
        let Predicted { pilot, taken } = state;
        if let Some(mut shot) = pilot.act(input) {
            shot.advance();
            tick.spawn(Entity::Shot(shot));
        }
        let mut collected = Vec::new();
        tick.for_each_nearby(|id, entity| match entity {
            Entity::Asteroid(rock) => {
                let radius = rock.size.radius();
                if pilot.body.pos.distance_squared(rock.pos) < (radius + SHIP_RADIUS).powi(2) {
                    pilot.body.bounce_off_rock(rock.pos, rock.vel, radius);
                }
            }
            Entity::Pickup(pickup) => {
                let reach = SHIP_RADIUS + PICKUP_RADIUS;
                let touches = pilot.body.pos.distance_squared(pickup.pos) < reach * reach;
                if touches && !taken.contains(&id) {
                    taken.rotate_left(1);
                    taken[TAKEN_KEPT - 1] = id;
                    pilot.collect(pickup.gift);
                    let player = pilot.player;
                    collected.push(Taken { pos: pickup.pos, player, gift: pickup.gift });
                }
            }
            _ => {}
        });
        collected.into_iter().for_each(|taken| tick.emit(Event::Taken(taken)));
    }

    fn guess_input(entity: &Entity) -> Controls {
        let thrust = matches!(entity, Entity::Ship(ship) if ship.thrusting);
        Controls { thrust, ..Controls::default() }
    }
}
// ANCHOR_END: predict

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
        let id = EntityId(1);
        let ship = Entity::Ship(server.ship());
        let mut client = Arena::from_entity(id, &ship, None).unwrap();
        let mut corrected_at = Vec::new();
        for tick in 0..90 {
            // The first inputs reach the server too late.
            server.act(Controls { fire: tick >= 3, ..Controls::default() });
            let input = Controls { fire: true, ..Controls::default() };
            Arena::predict_step(&mut client, input, &mut PredictedStep::alone());
            let sent = Entity::Ship(server.ship());
            if Arena::to_entity(&client) != sent {
                corrected_at.push(tick);
                client = Arena::from_entity(id, &sent, Some(&client)).unwrap();
            }
        }
        assert!(!corrected_at.is_empty());
        assert!(corrected_at.iter().all(|tick| *tick < 6), "put right at {corrected_at:?}");
    }
}
