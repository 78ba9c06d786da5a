//! The game of these tests.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tickwire_shared::glam::Vec2;
use tickwire_shared::{
    Capture, EntityId, Input, Inputs, LeaveReason, NewPlayer, NewRoom, Outbox, PlayerId, Replicate,
    Simulation, View, Viewer,
};

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, Replicate)]
pub(crate) struct Ball {
    #[replicate(range = -500.0..=500.0, step = 0.0625, velocity = vel)]
    pub(crate) pos: Vec2,
    #[replicate(range = -100.0..=100.0, step = 0.25)]
    pub(crate) vel: Vec2,
    #[replicate(rare)]
    pub(crate) score: u16,
    #[replicate(owner)]
    pub(crate) secret: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, Replicate)]
pub(crate) struct Wall {
    #[replicate(range = -500.0..=500.0, step = 1.0, initial)]
    pub(crate) pos: Vec2,
}

#[derive(Replicate)]
pub(crate) enum Thing {
    Ball(Ball),
    Wall(Wall),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, Input)]
pub(crate) struct Push {
    #[replicate(range = -1..=1)]
    pub(crate) x: i8,
}

#[derive(Clone, Copy, Debug, PartialEq, Replicate)]
pub(crate) struct Ping {
    pub(crate) number: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Replicate)]
pub(crate) struct Flash {
    pub(crate) tick: u32,
}

#[derive(Replicate)]
pub(crate) enum BallEvent {
    Ping(Ping),
    Flash(Flash),
}

/// The seed of a world with nothing but the wall.
pub(crate) const STILL: u64 = 0;
/// The seed of a world with the wall and a ball that changes once, at tick [`ONCE_TICK`].
pub(crate) const ONCE: u64 = 1 << 40;
pub(crate) const ONCE_TICK: u32 = 70;
/// Bit in the seeds of worlds with far more balls than fit a snapshot, all at rest.
pub(crate) const CROWD: u64 = 1 << 63;
pub(crate) const CROWD_BALLS: u32 = 600;
/// Bit in the seeds of worlds without flashes.
pub(crate) const QUIET: u64 = 1 << 61;
/// Bit in the seeds of worlds where half of the balls have a higher send priority.
pub(crate) const URGENT: u64 = 1 << 62;
pub(crate) const URGENT_PRIORITY: u8 = 4;

/// Balls fly, appear and vanish by a seeded generator; some rest for a long time.
#[derive(Serialize, Deserialize)]
pub(crate) struct Balls {
    pub(crate) seed: u64,
    pub(crate) balls: BTreeMap<u32, (Ball, bool)>,
    pub(crate) players: Vec<PlayerId>,
    pub(crate) pings: u32,
    /// An unreliable event in every tick.
    pub(crate) flashes: u32,
    pub(crate) busy: u32,
    /// The comet moves into a narrow view or out of it every third tick.
    pub(crate) near: bool,
    urgent: bool,
    quiet: bool,
    /// Score of the ball that changes once.
    pub(crate) once: Option<u16>,
}

impl Balls {
    pub(crate) fn is_urgent(&self, id: u32) -> bool {
        self.urgent && id.is_multiple_of(2)
    }

    fn random(&mut self, below: u32) -> u32 {
        self.seed = self
            .seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.seed >> 33) as u32 % below
    }
}

#[tickwire_shared::game]
impl Simulation for Balls {
    const NAME: &'static str = "balls";
    type Input = Push;
    type Entity = Thing;
    type Event = BallEvent;

    fn new(room: &NewRoom<Self>) -> Self {
        let crowd = room.seed & CROWD != 0;
        let mut balls = BTreeMap::new();
        for id in (0..CROWD_BALLS).filter(|_| crowd) {
            let pos = Vec2::new((id % 25) as f32, (id / 25) as f32) * 15.0;
            let ball = Ball { pos, vel: Vec2::ZERO, score: 0, secret: id as u8 };
            balls.insert(id, (ball, false));
        }
        let busy = match room.seed {
            STILL | ONCE => 0,
            _ if crowd => CROWD_BALLS,
            _ => 20,
        };
        Balls {
            seed: room.seed,
            balls,
            players: Vec::new(),
            pings: 0,
            flashes: 0,
            busy,
            urgent: room.seed & URGENT != 0,
            quiet: room.seed & QUIET != 0,
            once: (room.seed == ONCE).then_some(0),
            near: true,
        }
    }

    fn join(&mut self, player: &NewPlayer<Self>) {
        self.players.push(player.id);
    }

    fn leave(&mut self, player: PlayerId, _reason: LeaveReason) {
        self.players.retain(|other| *other != player);
    }

    fn step(&mut self, inputs: &Inputs<Self>, outbox: &mut Outbox<Self>) {
        if self.random(4) == 0 && self.balls.len() < self.busy as usize {
            let id = self.random(60);
            let moving = self.random(3) != 0;
            let vel = Vec2::new(self.random(200) as f32 - 100.0, self.random(200) as f32 - 100.0);
            let ball = Ball { pos: Vec2::ZERO, vel, score: 0, secret: id as u8 };
            self.balls.entry(id).or_insert((ball, moving));
        }
        if self.random(6) == 0 {
            let id = self.random(60);
            self.balls.remove(&id);
        }
        if inputs.tick().0 == ONCE_TICK {
            self.once = self.once.map(|score| score + 1);
        }
        self.near = inputs.tick().0 / 3 % 2 == 0;
        let push: f32 = inputs.iter().map(|(_, input)| f32::from(input.x)).sum();
        let bump = self.random(60);
        for (id, (ball, moving)) in &mut self.balls {
            if *moving {
                ball.pos += ball.vel / 60.0;
                ball.vel.x = (ball.vel.x + push).clamp(-100.0, 100.0);
                if ball.pos.abs().max_element() > 480.0 {
                    ball.vel = -ball.vel;
                }
            }
            if *id == bump {
                ball.score += 1;
                ball.secret = ball.secret.wrapping_add(1);
            }
        }
        if self.busy > 0 && self.random(5) == 0 {
            self.pings += 1;
            outbox.to_room(BallEvent::Ping(Ping { number: self.pings }));
        }
        if self.busy > 0 && !self.quiet {
            self.flashes += 1;
            outbox.unreliable().to_room(BallEvent::Flash(Flash { tick: inputs.tick().0 }));
        }
    }

    fn capture(&self, world: &mut Capture<Thing>) {
        for (id, (ball, _)) in &self.balls {
            let shown = world.show(EntityId(*id), Thing::Ball(*ball)).at(ball.pos);
            if self.is_urgent(*id) {
                shown.priority(URGENT_PRIORITY);
            }
            if let Some(owner) = self.players.get(*id as usize % 4) {
                shown.owned_by(*owner);
            }
        }
        if self.busy > 0 {
            let pos = if self.near { Vec2::ZERO } else { Vec2::splat(400.0) };
            let comet = Ball { pos, vel: Vec2::ZERO, score: 0, secret: 0 };
            world.show(EntityId(2000), Thing::Ball(comet)).at(pos);
        }
        if let Some(score) = self.once {
            let ball = Ball { pos: Vec2::ZERO, vel: Vec2::ZERO, score, secret: 0 };
            world.show(EntityId(3000), Thing::Ball(ball)).at(Vec2::ZERO);
        }
        world.show(EntityId(1000), Thing::Wall(Wall { pos: Vec2::new(3.0, 4.0) }));
    }

    fn view(&self, viewer: Viewer) -> View {
        match viewer.id().0 % 2 {
            0 => View::everything(),
            _ => View::circle(Vec2::ZERO, 200.0),
        }
    }
}
