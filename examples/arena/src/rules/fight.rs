//! Shots, crashes and pickups: all contacts of two things.

use std::mem;

use tickwire_shared::{Inputs, Outbox, PlayerId};

use super::asteroids::points;
use super::{
    Arena, Bullet, Crystal, Event, Hit, Kill, PICKUP_RADIUS, SHIP_RADIUS, SHOT_RADIUS, Taken,
};

const SHOT_DAMAGE: u8 = 12;
const KILL_POINTS: u16 = 10;
/// Impact speed, in units a second, that costs one point of health.
const CRASH_SPEED_PER_DAMAGE: f32 = 10.0;
const CRASH_DAMAGE_MAX: f32 = 45.0;
/// Slower impacts do no damage.
const CRASH_DAMAGE_MIN: f32 = 4.0;

impl Arena {
    /// Checks shots against ships, at the places where their pilots saw them, and against rocks.
    pub(super) fn strike(&mut self, inputs: &Inputs<Arena>, outbox: &mut Outbox<Arena>) {
        let mut shots = mem::take(&mut self.shots);
        shots.retain(|bullet| !self.stop_shot(bullet, inputs, outbox));
        self.shots = shots;
    }

    /// Checks ships against rocks.
    pub(super) fn crash(&mut self, outbox: &mut Outbox<Arena>) {
        for at in 0..self.pilots.len() {
            let pilot = &self.pilots[at];
            if !pilot.flying() {
                continue;
            }
            let Some(rock) = self.rock_touching(pilot.body.pos, SHIP_RADIUS) else { continue };
            let rock = &self.rocks[rock].asteroid;
            let body = &mut self.pilots[at].body;
            let impact = body.bounce_off_rock(rock.pos, rock.vel, rock.size.radius());
            let damage = (impact / CRASH_SPEED_PER_DAMAGE).min(CRASH_DAMAGE_MAX);
            if damage >= CRASH_DAMAGE_MIN {
                self.hurt(at, damage as u8, PlayerId(0), outbox);
            }
        }
    }

    /// Checks ships against pickups.
    pub(super) fn collect(&mut self, outbox: &mut Outbox<Arena>) {
        let mut crystals = mem::take(&mut self.crystals);
        crystals.retain(|Crystal { pickup, .. }| {
            let Some(at) = self.ship_touching(pickup.pos, PICKUP_RADIUS) else {
                return true;
            };
            let pilot = &mut self.pilots[at];
            pilot.collect(pickup.gift);
            let taken = Taken { pos: pickup.pos, player: pilot.player, gift: pickup.gift };
            outbox.to_place(pickup.pos, Event::Taken(taken));
            false
        });
        self.crystals = crystals;
    }

    /// Returns true if the shot struck something.
    fn stop_shot(
        &mut self,
        bullet: &Bullet,
        inputs: &Inputs<Arena>,
        outbox: &mut Outbox<Arena>,
    ) -> bool {
        let Bullet { owner, ref shot, .. } = *bullet;
        let pos = shot.pos;
        let seen_ago = inputs.view_delay_ticks(owner);
        if let Some(at) = self.target_touching(pos, shot.team, inputs.tick(), seen_ago) {
            let victim = self.pilots[at].player;
            outbox.to_place(pos, Event::Hit(Hit { pos, victim }));
            self.hurt(at, SHOT_DAMAGE, owner, outbox);
            return true;
        }
        let Some(at) = self.rock_touching(pos, SHOT_RADIUS) else { return false };
        let rock = &mut self.rocks[at];
        rock.hits_left = rock.hits_left.saturating_sub(1);
        if rock.hits_left == 0 {
            let earned = points(rock.asteroid.size);
            if let Ok(at) = self.pilot_at(owner) {
                self.pilots[at].score = self.pilots[at].score.saturating_add(earned);
            }
        }
        outbox.to_place(pos, Event::Hit(Hit { pos, victim: PlayerId(0) }));
        true
    }

    fn hurt(&mut self, at: usize, damage: u8, by: PlayerId, outbox: &mut Outbox<Arena>) {
        let pilot = &mut self.pilots[at];
        let Some(killer) = pilot.hurt(damage, by) else { return };
        let (pos, team, victim) = (pilot.body.pos, pilot.team, pilot.player);
        let kill = Event::Kill(Kill { pos, killer, victim });
        outbox.to_place(pos, kill);
        if killer == PlayerId(0) {
            return;
        }
        let kills = &mut self.team_kills[team.enemy() as usize];
        *kills = kills.saturating_add(1);
        if let Ok(at) = self.pilot_at(killer) {
            let pilot = &mut self.pilots[at];
            pilot.kills = pilot.kills.saturating_add(1);
            pilot.score = pilot.score.saturating_add(KILL_POINTS);
        }
    }
}
