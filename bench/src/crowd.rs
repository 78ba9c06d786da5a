//! A world of thousands of moving entities that everyone sees.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};
use tickwire_client::{Client, ClientEvent, ConnectOptions};
use tickwire_shared::control::{RoomChoice, ServerFrame};
use tickwire_shared::glam::Vec2;
use tickwire_shared::{
    Capture, EntityId, Input, Inputs, LeaveReason, NewPlayer, NewRoom, Outbox, PlayerId, Replicate,
    Simulation,
};
use tokio::time::timeout;

use crate::random::Splitmix;
use crate::serve;

/// Duration after which a join has failed.
pub(crate) const JOIN_TIME: Duration = Duration::from_secs(30);
/// The number of entities.
pub(crate) const MOVERS: u32 = 5000;
/// Half the side of their square, in units.
const HALF: f32 = 500.0;
/// Speed in units a second.
const SPEED: f32 = 12.0;
/// Each turns once in about this many ticks.
const TURN_TICKS: u64 = 8;

/// An entity of the crowd.
#[derive(Clone, Debug, Serialize, Deserialize, Replicate)]
pub(crate) struct Mover {
    #[replicate(range = -512.0..=512.0, step = 0.015625, velocity = vel)]
    pos: Vec2,
    #[replicate(range = -16.0..=16.0, step = 0.0625)]
    vel: Vec2,
}

/// An input without content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, Input)]
pub(crate) struct Nothing {
    idle: bool,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Crowd {
    movers: Vec<Mover>,
    random: Splitmix,
}

#[tickwire_shared::game]
impl Simulation for Crowd {
    const NAME: &'static str = "crowd";
    type Input = Nothing;
    type Entity = Mover;

    fn new(_room: &NewRoom<Self>) -> Self {
        let mut crowd = Crowd { movers: Vec::new(), random: Splitmix::new(1) };
        for _ in 0..MOVERS {
            let pos = Vec2::new(crowd.random.part(), crowd.random.part()) * 2.0 * HALF - HALF;
            crowd.movers.push(Mover { pos, vel: Vec2::ZERO });
        }
        crowd
    }

    fn join(&mut self, _player: &NewPlayer<Self>) {}

    fn leave(&mut self, _player: PlayerId, _reason: LeaveReason) {}

    fn step(&mut self, _inputs: &Inputs<Self>, _outbox: &mut Outbox<Self>) {
        for at in 0..self.movers.len() {
            if self.random.bits().is_multiple_of(TURN_TICKS) {
                let angle = self.random.part() * std::f32::consts::TAU;
                self.movers[at].vel = Vec2::from_angle(angle) * SPEED;
            }
            let mover = &mut self.movers[at];
            mover.pos = (mover.pos + mover.vel / Self::TICK_HZ as f32)
                .clamp(Vec2::splat(-HALF), Vec2::splat(HALF));
        }
    }

    fn capture(&self, world: &mut Capture<Mover>) {
        for (id, mover) in (0..).zip(&self.movers) {
            world.show(EntityId(id), mover.clone()).at(mover.pos);
        }
    }
}

pub(crate) fn serve(arguments: &serve::ServeArguments) -> anyhow::Result<ExitCode> {
    serve::run::<Crowd>(arguments)
}

/// Connects a client and joins the crowd.
pub(crate) async fn enter(target: &str, name: &str) -> anyhow::Result<Client<Crowd>> {
    let options = ConnectOptions { timeout: JOIN_TIME, ..ConnectOptions::default() };
    let mut client = Client::connect(target, options).await?;
    client.join(RoomChoice::Named(Crowd::NAME.to_owned()), name);
    timeout(JOIN_TIME, seat(&mut client)).await.context("no seat in time")??;
    Ok(client)
}

async fn seat(client: &mut Client<Crowd>) -> anyhow::Result<()> {
    loop {
        client.update();
        while let Some(event) = client.poll_event() {
            match event {
                ClientEvent::Control(ServerFrame::Joined { .. }) => return Ok(()),
                ClientEvent::Control(ServerFrame::Refused { code, text, .. }) => {
                    bail!("no seat: {code:?}: {text}")
                }
                ClientEvent::Over { code, text } => bail!("the session ended: {code:?}: {text}"),
                _ => {}
            }
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Handles what has arrived.
pub(crate) fn look(client: &mut Client<Crowd>) -> anyhow::Result<()> {
    client.update();
    while let Some(event) = client.poll_event() {
        if let ClientEvent::Over { code, text } = event {
            bail!("the session ended: {code:?}: {text}");
        }
    }
    Ok(())
}
