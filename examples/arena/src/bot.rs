//! A bot: it knows what a client sees, and holds what a player may hold.

use std::borrow::Borrow;

use serde::{Deserialize, Serialize};
use tickwire_shared::glam::Vec2;
use tickwire_shared::{EntityId, PlayerId};

use crate::rules::motion::{SPEED_MAX, direction};
use crate::rules::{
    Asteroid, Controls, Entity, Random, SHIP_RADIUS, SHOT_SPEED, SHOT_TICKS, Ship, TICK_HZ,
    WORLD_HALF,
};

mod chatter;

/// Radians a ship turns in one tick at full rate.
const TURN_PER_TICK: f32 = std::f32::consts::TAU * 12.0 / 1024.0;
const SHOT_RANGE: f32 = SHOT_SPEED * SHOT_TICKS as f32 / TICK_HZ as f32;
/// Seconds that bots look ahead for rocks and walls.
const CAUTION_SECONDS: f32 = 1.1;
const CAUTION_GAP: f32 = 22.0;
/// A bot nearer than this to its enemy does not accelerate.
const FIGHT_DISTANCE: f32 = 260.0;
const GIFT_DISTANCE: f32 = 450.0;
const ROCK_PRACTICE_DISTANCE: f32 = 380.0;

/// One bot and its memory between ticks.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Bot {
    random: Random,
    /// Its destination while it sees nobody.
    goal: Vec2,
    goal_ticks: u32,
    /// Its aiming error, in radians; it changes a few times a second.
    wobble: f32,
    wobble_max: f32,
    quiet_ticks: u32,
    #[serde(skip)]
    sight: Sight,
}

/// The visible entities that matter; kept to reuse its memory.
#[derive(Clone, Debug, Default)]
struct Sight {
    enemies: Vec<Ship>,
    rocks: Vec<Asteroid>,
    gifts: Vec<Vec2>,
    rivals: Vec<Vec2>,
    own: Option<Ship>,
}

/// The decision for ship and gun in this tick.
struct Plan {
    /// The direction for the nose, of any length.
    towards: Vec2,
    speed_up: bool,
    slow_down: bool,
    /// Largest error of the nose for a shot, in radians; `None` holds fire.
    aim: Option<f32>,
}

impl Bot {
    /// Bots with different seeds have different skill.
    pub fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        Bot {
            goal: Vec2::ZERO,
            goal_ticks: 0,
            wobble: 0.0,
            wobble_max: random.between(0.02, 0.2),
            quiet_ticks: chatter::pause_ticks(&mut random),
            sight: Sight::default(),
            random,
        }
    }

    /// The display name of bot `number`; different numbers give different names.
    pub fn name(number: u32) -> String {
        chatter::name(number)
    }

    /// The input for the next tick, from the entities in sight.
    pub fn decide<E: Borrow<Entity>>(
        &mut self,
        me: PlayerId,
        entities: impl IntoIterator<Item = (EntityId, E)>,
    ) -> Controls {
        let mut sight = std::mem::take(&mut self.sight);
        sight.look(me, entities);
        let controls = match sight.own {
            Some(own) => self.fly(&own, &sight),
            None => Controls::default(),
        };
        self.sight = sight;
        controls
    }

    /// A chat message, about every half minute if asked at every tick.
    pub fn remark(&mut self) -> Option<&'static str> {
        self.quiet_ticks = self.quiet_ticks.saturating_sub(1);
        if self.quiet_ticks > 0 {
            return None;
        }
        self.quiet_ticks = chatter::pause_ticks(&mut self.random);
        Some(chatter::remark(&mut self.random))
    }

    fn fly(&mut self, own: &Ship, sight: &Sight) -> Controls {
        if self.random.below(15) == 0 {
            self.wobble = self.random.between(-self.wobble_max, self.wobble_max);
        }
        let plan = match sight.danger(own) {
            Some(escape) => Plan::escape(own, escape),
            None => self.plan(own, sight),
        };
        let nose = direction(own.heading);
        let error = nose.perp_dot(plan.towards).atan2(nose.dot(plan.towards));
        let wobbled = if plan.aim.is_some() { error + self.wobble } else { error };
        Controls {
            turn: (wobbled / TURN_PER_TICK).clamp(-1.0, 1.0),
            thrust: plan.speed_up && error.abs() < 1.0,
            brake: plan.slow_down,
            fire: plan.aim.is_some_and(|aim| wobbled.abs() < aim + self.wobble_max),
        }
    }

    fn plan(&mut self, own: &Ship, sight: &Sight) -> Plan {
        let enemy = sight.best_enemy(own);
        let gift = nearest(own.pos, sight.gifts.iter().copied());
        let gift = gift.filter(|gift| gift.distance(own.pos) < GIFT_DISTANCE);
        if let Some(gift) = gift
            && (enemy.is_none() || own.health < 60)
        {
            return Plan::go(own, gift);
        }
        if let Some(enemy) = enemy {
            return Plan::fight(own, enemy);
        }
        let place = nearest(own.pos, sight.rivals.iter().copied());
        let place = place.unwrap_or_else(|| self.wander(own.pos));
        let rocks = sight.rocks.iter();
        let in_reach = |rock: &&Asteroid| rock.pos.distance(own.pos) < ROCK_PRACTICE_DISTANCE;
        match rocks.filter(in_reach).min_by(|a, b| nearer(own.pos, a.pos, b.pos)) {
            Some(rock) if own.heat < 50 => Plan::mine(own, rock),
            _ => Plan::go(own, place),
        }
    }

    fn wander(&mut self, pos: Vec2) -> Vec2 {
        self.goal_ticks = self.goal_ticks.saturating_sub(1);
        if self.goal_ticks == 0 || self.goal.distance(pos) < 150.0 {
            self.goal = self.random.place(WORLD_HALF * 0.8);
            self.goal_ticks = 10 * TICK_HZ;
        }
        self.goal
    }
}

impl Sight {
    fn look<E: Borrow<Entity>>(
        &mut self,
        me: PlayerId,
        entities: impl IntoIterator<Item = (EntityId, E)>,
    ) {
        self.own = None;
        self.enemies.clear();
        self.rocks.clear();
        self.gifts.clear();
        self.rivals.clear();
        let mut leaders = [None; crate::rules::LEADERS];
        for (id, entity) in entities {
            match *entity.borrow() {
                Entity::Ship(ship) if id == EntityId::of_player(me) => self.own = Some(ship),
                Entity::Ship(ship) => self.enemies.push(ship),
                Entity::Asteroid(rock) => self.rocks.push(rock),
                Entity::Pickup(pickup) => self.gifts.push(pickup.pos),
                Entity::Leader(leader) => leaders[usize::from(leader.rank)] = Some(leader),
                Entity::Shot(_) | Entity::Round(_) => {}
            }
        }
        let Some(own) = self.own else { return };
        self.enemies.retain(|ship| ship.team != own.team && !ship.shielded);
        let rivals = leaders.into_iter().flatten().filter(|leader| leader.team != own.team);
        self.rivals.extend(rivals.map(|leader| leader.pos));
    }

    /// The direction of escape, if a rock or a wall is about to be hit.
    fn danger(&self, own: &Ship) -> Option<Vec2> {
        let ahead = own.pos + own.vel * CAUTION_SECONDS;
        if ahead.abs().max_element() > WORLD_HALF - 3.0 * SHIP_RADIUS {
            return Some(-own.pos - own.vel);
        }
        let mut soonest = (CAUTION_SECONDS, None);
        for rock in &self.rocks {
            let (apart, closing) = (rock.pos - own.pos, rock.vel - own.vel);
            let speed_squared = closing.length_squared().max(1.0);
            let seconds = (-apart.dot(closing) / speed_squared).max(0.0);
            let miss = apart + closing * seconds;
            let gap = rock.size.radius() + SHIP_RADIUS + CAUTION_GAP;
            if seconds < soonest.0 && miss.length_squared() < gap * gap {
                let aside = if miss.length_squared() > 1.0 { -miss } else { apart.perp() };
                soonest = (seconds, Some(aside.normalize() - apart.normalize_or_zero() * 0.3));
            }
        }
        soonest.1
    }

    /// The enemy that is near and ahead.
    fn best_enemy(&self, own: &Ship) -> Option<&Ship> {
        let nose = direction(own.heading);
        let cost = |enemy: &Ship| {
            let apart = enemy.pos - own.pos;
            let weak = f32::from(enemy.health) * 1.5;
            apart.length() + weak - 150.0 * nose.dot(apart.normalize_or_zero())
        };
        self.enemies.iter().min_by(|a, b| cost(a).total_cmp(&cost(b)))
    }
}

impl Plan {
    fn escape(own: &Ship, way: Vec2) -> Plan {
        let leaving = own.vel.dot(way) > 0.0;
        Plan { towards: way, speed_up: true, slow_down: !leaving, aim: None }
    }

    fn go(own: &Ship, place: Vec2) -> Plan {
        // Steers against the ship's sideways drift.
        let towards = place - own.pos - own.vel * 0.5;
        Plan { towards, speed_up: true, slow_down: false, aim: None }
    }

    fn fight(own: &Ship, enemy: &Ship) -> Plan {
        let distance = enemy.pos.distance(own.pos);
        let towards = lead(enemy.pos - own.pos, enemy.vel - own.vel);
        let closing = (own.vel - enemy.vel).dot((enemy.pos - own.pos).normalize_or_zero());
        Plan {
            towards,
            speed_up: distance > FIGHT_DISTANCE && closing < SPEED_MAX * 0.7,
            slow_down: distance < FIGHT_DISTANCE && closing > 80.0,
            aim: (distance < SHOT_RANGE * 0.9).then(|| (SHIP_RADIUS / distance).max(0.03)),
        }
    }

    fn mine(own: &Ship, rock: &Asteroid) -> Plan {
        let distance = rock.pos.distance(own.pos);
        Plan {
            towards: lead(rock.pos - own.pos, rock.vel - own.vel),
            speed_up: distance > FIGHT_DISTANCE,
            slow_down: distance < FIGHT_DISTANCE,
            aim: Some(rock.size.radius() / distance),
        }
    }
}

/// The direction in which to shoot at a target `apart` from here, with relative velocity `vel`:
/// towards the place where shot and target meet, by the smaller root of |apart + vel t| =
/// SHOT_SPEED t.
fn lead(apart: Vec2, vel: Vec2) -> Vec2 {
    let a = SHOT_SPEED * SHOT_SPEED - vel.length_squared();
    let half_b = apart.dot(vel);
    let root = (half_b * half_b + a * apart.length_squared()).max(0.0).sqrt();
    let seconds = if a > 1.0 { (half_b + root) / a } else { 0.0 };
    apart + vel * seconds.clamp(0.0, 2.0)
}

fn nearest(pos: Vec2, places: impl Iterator<Item = Vec2>) -> Option<Vec2> {
    places.min_by(|a, b| nearer(pos, *a, *b))
}

fn nearer(pos: Vec2, a: Vec2, b: Vec2) -> std::cmp::Ordering {
    a.distance_squared(pos).total_cmp(&b.distance_squared(pos))
}
