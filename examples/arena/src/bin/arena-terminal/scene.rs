use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tickwire_arena::rules::{
    Asteroid, AsteroidSize, Entity, Event, LEADERS, Leader, Pickup, RESPAWN_TICKS, Round, Ship,
    Shot, TICK_HZ, Team,
};
use tickwire_shared::glam::Vec2;
use tickwire_shared::{EntityId, PlayerId};

const BLAST: Duration = Duration::from_millis(600);
const BLASTS_MAX: usize = 200;

/// The part of the arena that the screen shows.
#[derive(Debug, Default)]
pub(crate) struct Scene {
    pub(crate) me: PlayerId,
    pub(crate) own: Option<Ship>,
    /// The middle of the picture.
    pub(crate) camera: Vec2,
    pub(crate) ships: Vec<(PlayerId, Ship)>,
    pub(crate) asteroids: Vec<(EntityId, Asteroid)>,
    pub(crate) shots: Vec<Shot>,
    pub(crate) pickups: Vec<Pickup>,
    pub(crate) leaders: Vec<Leader>,
    pub(crate) round: Option<Round>,
    pub(crate) names: BTreeMap<PlayerId, String>,
    pub(crate) blasts: Vec<Blast>,
    /// The player who shot this one down, and when, while waiting for the next ship.
    pub(crate) lost: Option<(PlayerId, Instant)>,
}

/// An explosion.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Blast {
    pub(crate) pos: Vec2,
    /// Its final radius, in units.
    pub(crate) radius: f32,
    pub(crate) since: Instant,
}

impl Blast {
    /// Its progress, from 0 to 1.
    pub(crate) fn phase(&self, now: Instant) -> f32 {
        now.duration_since(self.since).as_secs_f32() / BLAST.as_secs_f32()
    }
}

impl Scene {
    /// Takes the entities that the client sees now.
    pub(crate) fn look(
        &mut self,
        entities: impl IntoIterator<Item = (EntityId, Entity)>,
        now: Instant,
    ) {
        self.ships.clear();
        self.asteroids.clear();
        self.shots.clear();
        self.pickups.clear();
        self.leaders.clear();
        for (id, entity) in entities {
            match entity {
                Entity::Ship(ship) => self.ships.push((PlayerId(id.0), ship)),
                Entity::Asteroid(asteroid) => self.asteroids.push((id, asteroid)),
                Entity::Shot(shot) => self.shots.push(shot),
                Entity::Pickup(pickup) => self.pickups.push(pickup),
                Entity::Leader(leader) => self.leaders.push(leader),
                Entity::Round(round) => self.round = Some(round),
            }
        }
        self.leaders.sort_unstable_by_key(|leader| leader.rank);
        self.leaders.truncate(LEADERS);
        self.own = self.ship(self.me);
        if let Some(own) = self.own {
            self.lost = None;
            self.camera = own.pos;
        } else if self.lost.is_none() {
            self.follow_leader();
        }
        self.blasts.retain(|blast| blast.phase(now) < 1.0);
    }

    /// Handles an event. Returns a line to read, if the event deserves one.
    pub(crate) fn happen(&mut self, event: Event, now: Instant) -> Option<String> {
        match event {
            Event::Hit(hit) => self.burst(hit.pos, 12.0, now),
            Event::Crack(crack) => self.burst(crack.pos, blast_radius(crack.size), now),
            Event::Taken(taken) => self.burst(taken.pos, 30.0, now),
            Event::Kill(kill) => {
                self.burst(kill.pos, 90.0, now);
                if kill.victim == self.me {
                    self.lost = Some((kill.killer, now));
                }
                let victim = self.name(kill.victim);
                return Some(match kill.killer {
                    PlayerId(0) => format!("{victim} flew into a rock"),
                    killer => format!("{} shot down {victim}", self.name(killer)),
                });
            }
            Event::RoundOver(over) => {
                let winner = match over.azure.cmp(&over.amber) {
                    std::cmp::Ordering::Greater => "azure wins",
                    std::cmp::Ordering::Less => "amber wins",
                    std::cmp::Ordering::Equal => "a draw",
                };
                return Some(format!("Round over, {winner} {} : {}", over.azure, over.amber));
            }
            Event::TeamChange(change) => {
                let team = match change.team {
                    Team::Azure => "azure",
                    Team::Amber => "amber",
                };
                return Some(match change.is_granted {
                    true => format!("{} flies for {team} now", self.name(change.player)),
                    false => format!("Stay with {team}: the other team is larger"),
                });
            }
        }
        None
    }

    pub(crate) fn name(&self, player: PlayerId) -> String {
        match self.names.get(&player) {
            Some(name) => name.clone(),
            None => format!("#{}", player.0),
        }
    }

    /// This player's team, while it has a ship.
    pub(crate) fn team(&self) -> Option<Team> {
        self.own.map(|own| own.team)
    }

    /// Seconds until the next ship, rounded up.
    pub(crate) fn seconds_to_respawn(&self, now: Instant) -> Option<u64> {
        let (_, since) = self.lost?;
        let wait = Duration::from_millis(u64::from(RESPAWN_TICKS) * 1000 / u64::from(TICK_HZ));
        let left = wait.saturating_sub(now.duration_since(since));
        Some(left.as_millis().div_ceil(1000) as u64)
    }

    fn ship(&self, player: PlayerId) -> Option<Ship> {
        let found = self.ships.iter().find(|(other, _)| *other == player);
        found.map(|(_, ship)| *ship)
    }

    fn follow_leader(&mut self) {
        if let Some(leader) = self.leaders.first() {
            self.camera = self.ship(leader.player).map_or(leader.pos, |ship| ship.pos);
        }
    }

    fn burst(&mut self, pos: Vec2, radius: f32, now: Instant) {
        if self.blasts.len() < BLASTS_MAX {
            self.blasts.push(Blast { pos, radius, since: now });
        }
    }
}

fn blast_radius(size: AsteroidSize) -> f32 {
    size.radius() * 1.2
}
