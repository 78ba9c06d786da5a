//! Teams, rounds, the score board, and the places of new ships.

use tickwire_shared::glam::Vec2;
use tickwire_shared::{Outbox, Tick};

use super::entity::{Leader, Round, Team};
use super::event::{Event, RoundOver};
use super::motion::Body;
use super::pilot::Pilot;
use super::{Arena, SHIP_RADIUS, TICK_HZ, WORLD_HALF};

/// Lines of the score board.
pub const LEADERS: usize = 8;

const LEADERS_EVERY_TICKS: u32 = 15;
const RESTOCK_EVERY_TICKS: u32 = 20;
/// Places tried for a new ship.
const LAUNCH_TRIES: u32 = 6;
/// Preferred distance of new ships from enemies and rocks.
const LAUNCH_CLEARANCE: f32 = 350.0;

impl Arena {
    /// Runs everything that depends on the clock.
    pub(super) fn referee(&mut self, tick: Tick, outbox: &mut Outbox<Arena>) {
        if tick.0.is_multiple_of(RESTOCK_EVERY_TICKS) {
            self.restock_rocks();
        }
        self.round_ticks_left = self.round_ticks_left.saturating_sub(1);
        if self.round_ticks_left == 0 {
            let [azure, amber] = self.team_kills;
            outbox.to_room(Event::RoundOver(RoundOver { azure, amber }));
            self.save_round(outbox);
            self.begin_round();
        }
        if tick.0.is_multiple_of(LEADERS_EVERY_TICKS) {
            self.rank();
        }
    }

    pub(super) fn round(&self) -> Round {
        let [azure, amber] = self.team_kills;
        let seconds_left = self.round_ticks_left.div_ceil(TICK_HZ) as u16;
        Round { azure, amber, seconds_left }
    }

    pub(super) fn best_pilot(&self) -> Option<&Pilot> {
        let best = self.leaders.first()?;
        let at = self.pilot_at(best.player).ok()?;
        Some(&self.pilots[at])
    }

    pub(super) fn smaller_team(&mut self) -> Team {
        let azure = self.members(Team::Azure);
        match azure.cmp(&(self.pilots.len() - azure)) {
            std::cmp::Ordering::Less => Team::Azure,
            std::cmp::Ordering::Greater => Team::Amber,
            std::cmp::Ordering::Equal if self.random.below(2) == 0 => Team::Azure,
            std::cmp::Ordering::Equal => Team::Amber,
        }
    }

    /// Balances the teams after a player left: the newest member of a team that is two ahead
    /// changes sides.
    pub(super) fn balance_teams(&mut self) {
        let azure = self.members(Team::Azure);
        let amber = self.pilots.len() - azure;
        if azure.abs_diff(amber) < 2 {
            return;
        }
        let larger = if azure > amber { Team::Azure } else { Team::Amber };
        let newest = self.pilots.iter_mut().rev().find(|pilot| pilot.team == larger);
        if let Some(pilot) = newest {
            pilot.team = larger.enemy();
            pilot.shield_ticks = super::SHIELD_TICKS;
        }
    }

    /// A place for a new ship: near the middle while there are few players, so that they meet.
    pub(super) fn launch_place(&mut self, team: Team) -> Body {
        let crowd = (self.pilots.len() as f32).sqrt() * 250.0;
        let half = crowd.clamp(500.0, WORLD_HALF - 2.0 * SHIP_RADIUS);
        let mut best = (f32::NEG_INFINITY, Vec2::ZERO);
        for _ in 0..LAUNCH_TRIES {
            let place = self.random.place(half);
            let clearance = self.clearance(place, team);
            if clearance > best.0 {
                best = (clearance, place);
            }
            if clearance >= LAUNCH_CLEARANCE {
                break;
            }
        }
        let middle = -best.1;
        Body::resting(best.1, middle)
    }

    /// Distance to the nearest enemy or rock.
    fn clearance(&self, place: Vec2, team: Team) -> f32 {
        let enemies = self.pilots.iter().filter(|pilot| pilot.flying() && pilot.team != team);
        let to_enemy = enemies.map(|pilot| pilot.body.pos.distance(place));
        let to_rock = self.rocks.iter().map(|rock| {
            // A rock is harmless from a short distance beyond its edge.
            let gap = rock.asteroid.pos.distance(place) - rock.asteroid.size.radius();
            if gap > 3.0 * SHIP_RADIUS { LAUNCH_CLEARANCE.max(gap) } else { gap - LAUNCH_CLEARANCE }
        });
        to_enemy.chain(to_rock).fold(f32::INFINITY, f32::min)
    }

    pub(super) fn members(&self, team: Team) -> usize {
        self.pilots.iter().filter(|pilot| pilot.team == team).count()
    }

    fn begin_round(&mut self) {
        self.round_ticks_left = self.round_seconds * TICK_HZ;
        self.team_kills = [0; 2];
        for pilot in &mut self.pilots {
            pilot.score = 0;
            pilot.kills = 0;
            pilot.deaths = 0;
        }
    }

    /// Rebuilds the score board in order of rank.
    pub(super) fn rank(&mut self) {
        let mut order: Vec<&Pilot> = self.pilots.iter().collect();
        let best_first = |pilot: &&Pilot| (std::cmp::Reverse(pilot.score), pilot.player);
        if order.len() > LEADERS {
            order.select_nth_unstable_by_key(LEADERS - 1, best_first);
            order.truncate(LEADERS);
        }
        order.sort_unstable_by_key(best_first);
        let leader = |(rank, pilot): (u8, &Pilot)| Leader {
            rank,
            player: pilot.player,
            team: pilot.team,
            score: pilot.score,
            pos: pilot.body.pos,
        };
        self.leaders = (0u8..).zip(order).map(leader).collect();
    }
}
