use serde::{Deserialize, Serialize};
use tickwire_shared::PlayerId;

use super::entity::{Controls, Gift, Ship, Shot, Team};
use super::motion::{Body, DRIFT_STEP, POS_STEP, snap};
use super::{SHIP_RADIUS, TICK_HZ};

/// Ticks between a death and the next ship.
pub const RESPAWN_TICKS: u16 = 3 * TICK_HZ as u16;
/// Ticks for which a new ship cannot be hurt; its first shot ends them.
pub const SHIELD_TICKS: u16 = 2 * TICK_HZ as u16;
/// Units a second of a shot, on top of the ship's own.
pub const SHOT_SPEED: f32 = 660.0;
/// A whole ship's health.
pub const HEALTH_MAX: u8 = 100;

const OVERDRIVE_TICKS: u16 = 8 * TICK_HZ as u16;
const COOLDOWN_TICKS: u16 = 12;
/// Heat decreases by one a tick.
const HEAT_MAX: u16 = 200;
const SHOT_HEAT: u16 = 26;
const REGEN_AFTER_TICKS: u16 = 4 * TICK_HZ as u16;
const REGEN_EVERY_TICKS: u16 = 6;
const REPAIR: u8 = 50;
const PICKUP_POINTS: u16 = 2;

/// A player and its ship, also while waiting for the next one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Pilot {
    pub(super) player: PlayerId,
    pub(super) team: Team,
    pub(super) score: u16,
    pub(super) kills: u16,
    pub(super) deaths: u16,
    pub(super) body: Body,
    pub(super) health: u8,
    /// Ticks until the next ship; 0 while flying.
    pub(super) dead_ticks: u16,
    pub(super) shield_ticks: u16,
    overdrive_ticks: u16,
    cooldown_ticks: u16,
    heat: u16,
    /// Ticks since the last damage; later it stays around `REGEN_AFTER_TICKS`.
    calm_ticks: u16,
    thrusting: bool,
    hurt_by: PlayerId,
}

impl Pilot {
    pub(super) fn new(player: PlayerId, team: Team, body: Body) -> Self {
        let mut pilot = Pilot {
            player,
            team,
            score: 0,
            kills: 0,
            deaths: 0,
            body,
            health: HEALTH_MAX,
            dead_ticks: 0,
            shield_ticks: 0,
            overdrive_ticks: 0,
            cooldown_ticks: 0,
            heat: 0,
            calm_ticks: 0,
            thrusting: false,
            hurt_by: PlayerId(0),
        };
        pilot.launch(body);
        pilot
    }

    /// Starts with a fresh ship.
    pub(super) fn launch(&mut self, body: Body) {
        self.body = body;
        self.health = HEALTH_MAX;
        self.dead_ticks = 0;
        self.shield_ticks = SHIELD_TICKS;
        self.overdrive_ticks = 0;
        self.cooldown_ticks = 0;
        self.heat = 0;
        self.calm_ticks = REGEN_AFTER_TICKS;
        self.thrusting = false;
        self.hurt_by = PlayerId(0);
    }

    pub(super) fn flying(&self) -> bool {
        self.dead_ticks == 0
    }

    /// Plays one tick: flies, cools and mends. Returns the shot if one was fired.
    pub(super) fn act(&mut self, controls: Controls) -> Option<Shot> {
        self.thrusting = controls.thrust;
        self.body.fly(controls);
        self.shield_ticks = self.shield_ticks.saturating_sub(1);
        self.overdrive_ticks = self.overdrive_ticks.saturating_sub(1);
        self.heat = self.heat.saturating_sub(1);
        self.mend();
        if self.cooldown_ticks > 0 {
            self.cooldown_ticks -= 1;
            return None;
        }
        if !controls.fire || self.heat + SHOT_HEAT > HEAT_MAX {
            return None;
        }
        Some(self.fire())
    }

    /// Takes away health. Returns the player responsible if that destroyed the ship.
    pub(super) fn hurt(&mut self, damage: u8, by: PlayerId) -> Option<PlayerId> {
        if !self.flying() || self.shield_ticks > 0 {
            return None;
        }
        // A crash soon after a hit counts for the shooter.
        if by != PlayerId(0) || self.calm_ticks >= REGEN_AFTER_TICKS {
            self.hurt_by = by;
        }
        self.calm_ticks = 0;
        self.health = self.health.saturating_sub(damage);
        if self.health > 0 {
            return None;
        }
        self.dead_ticks = RESPAWN_TICKS;
        self.deaths = self.deaths.saturating_add(1);
        Some(self.hurt_by)
    }

    /// Collects a pickup.
    pub(super) fn collect(&mut self, gift: Gift) {
        self.score = self.score.saturating_add(PICKUP_POINTS);
        match gift {
            Gift::Repair => self.health = (self.health + REPAIR).min(HEALTH_MAX),
            Gift::Overdrive => self.overdrive_ticks = OVERDRIVE_TICKS,
        }
    }

    pub(super) fn ship(&self) -> Ship {
        Ship {
            pos: self.body.pos,
            vel: self.body.vel,
            heading: self.body.heading(),
            thrusting: self.thrusting,
            shielded: self.shield_ticks > 0,
            overdrive: self.overdrive_ticks > 0,
            health: self.health,
            team: self.team,
            score: self.score,
            kills: self.kills,
            deaths: self.deaths,
            heat: shown_heat(self.heat),
        }
    }

    /// A client's copy of its pilot: the fields that were sent, and the predicted values of all
    /// others.
    pub(super) fn of_ship(player: PlayerId, ship: &Ship, before: Option<&Pilot>) -> Self {
        let body = Body::of_ship(ship, before.map(|before| &before.body));
        let fresh = || Pilot::new(player, ship.team, body);
        let mut pilot = before.cloned().unwrap_or_else(fresh);
        pilot.body = body;
        pilot.team = ship.team;
        pilot.take_health(ship.health);
        (pilot.score, pilot.kills, pilot.deaths) = (ship.score, ship.kills, ship.deaths);
        pilot.thrusting = ship.thrusting;
        if ship.shielded != (pilot.shield_ticks > 0) {
            pilot.shield_ticks = if ship.shielded { SHIELD_TICKS } else { 0 };
        }
        if ship.overdrive != (pilot.overdrive_ticks > 0) {
            pilot.overdrive_ticks = if ship.overdrive { OVERDRIVE_TICKS } else { 0 };
        }
        pilot.take_heat(ship.heat);
        pilot
    }

    /// Takes the received health. It shows when the ship was hurt last, which is not sent, and
    /// thereby when it mends.
    fn take_health(&mut self, sent: u8) {
        let (predicted, mends) = (self.health, self.calm_ticks >= REGEN_AFTER_TICKS);
        self.health = sent;
        if sent == predicted + 1 {
            self.calm_ticks = REGEN_AFTER_TICKS;
        } else if sent + 1 == predicted && mends {
            // The prediction mended too early.
            self.calm_ticks = REGEN_AFTER_TICKS + REGEN_EVERY_TICKS - 1;
        } else if sent < predicted {
            self.calm_ticks = 0;
        }
    }

    /// Takes the received heat. It shows the cooldown, which is not sent: a shot heats the gun by
    /// far more than a tick cools it.
    fn take_heat(&mut self, sent: u8) {
        let (predicted, shot) = (shown_heat(self.heat), shown_heat(SHOT_HEAT));
        if predicted == sent {
            return;
        }
        self.heat = (u16::from(sent) * HEAT_MAX).div_ceil(100);
        if sent > predicted + shot / 2 {
            self.cooldown_ticks = self.cooldown_after_shot();
        } else if predicted > sent + shot / 2 {
            self.cooldown_ticks = 0;
        }
    }

    fn cooldown_after_shot(&self) -> u16 {
        if self.overdrive_ticks > 0 { COOLDOWN_TICKS / 2 - 1 } else { COOLDOWN_TICKS - 1 }
    }

    fn mend(&mut self) {
        self.calm_ticks += 1;
        if self.calm_ticks == REGEN_AFTER_TICKS + REGEN_EVERY_TICKS {
            self.calm_ticks = REGEN_AFTER_TICKS;
            self.health = (self.health + 1).min(HEALTH_MAX);
        }
    }

    fn fire(&mut self) -> Shot {
        self.shield_ticks = 0;
        self.cooldown_ticks = self.cooldown_after_shot();
        if self.overdrive_ticks == 0 {
            self.heat += SHOT_HEAT;
        }
        let nose = self.body.nose();
        Shot {
            pos: snap(self.body.pos + nose * SHIP_RADIUS, POS_STEP),
            vel: snap(self.body.vel + nose * SHOT_SPEED, DRIFT_STEP),
            team: self.team,
        }
    }
}

/// Heat in percent of its maximum.
fn shown_heat(heat: u16) -> u8 {
    (heat * 100 / HEAT_MAX) as u8
}

#[cfg(test)]
mod tests {
    use tickwire_shared::glam::Vec2;

    use super::*;

    #[test]
    fn a_client_that_saw_a_hit_knows_when_the_ship_mends() {
        let mut pilot = Pilot::new(PlayerId(1), Team::Azure, Body::resting(Vec2::ZERO, Vec2::X));
        pilot.shield_ticks = 0;
        let mut predicted = Pilot::of_ship(PlayerId(1), &pilot.ship(), Some(&pilot));
        for _ in 0..100 {
            pilot.act(Controls::default());
            predicted.act(Controls::default());
        }
        pilot.hurt(30, PlayerId(2));
        let mut corrections = 0;
        for _ in 0..600 {
            if predicted.ship() != pilot.ship() {
                predicted = Pilot::of_ship(PlayerId(1), &pilot.ship(), Some(&predicted));
                corrections += 1;
            }
            pilot.act(Controls::default());
            predicted.act(Controls::default());
        }
        assert!(pilot.health > 100 - 30 + 20, "it mends");
        assert_eq!(corrections, 1, "the hit");
    }
}
