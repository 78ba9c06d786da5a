//! A small game in several versions, whose states differ.

use std::collections::BTreeMap;
use std::process::ExitCode;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tickwire_shared::glam::Vec2;
use tickwire_shared::{
    Capture, EntityId, Input, Inputs, LeaveReason, MigrateError, NewPlayer, NewRoom, Outbox,
    PlayerId, Replicate, Simulation, read_state,
};

use super::server::VERSION_VARIABLE;

const SIDE: f32 = 100.0;
const SPEED: f32 = 10.0;

#[derive(Clone, Copy, Default, PartialEq, Input)]
pub(crate) struct Steps {
    #[replicate(range = -1..=1)]
    pub(crate) right: i8,
    #[replicate(range = -1..=1)]
    pub(crate) up: i8,
}

#[derive(Clone, Replicate)]
pub(crate) struct Pawn {
    #[replicate(range = 0.0..=100.0, step = 0.01)]
    pos: Vec2,
}

/// The rules and the state of a room: pawns that walk about, and what an edition has beside them.
#[derive(Serialize, Deserialize)]
#[serde(bound = "E: Edition")]
pub(crate) struct Crossing<E: Edition> {
    more: E,
    pawns: BTreeMap<PlayerId, Vec2>,
}

/// A version of the game.
pub(crate) trait Edition: Serialize + DeserializeOwned + Default + Send + 'static {
    /// Its number.
    const NUMBER: u32;

    /// One more tick.
    fn count(&mut self) {}

    /// The same from a state of another version, with the pawns.
    fn migrate(from: u32, bytes: &[u8]) -> Result<Crossing<Self>, MigrateError> {
        let _ = bytes;
        Err(MigrateError::version(from))
    }
}

#[derive(Default, Serialize, Deserialize)]
pub(crate) struct First;

#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Second {
    ticks: u64,
}

/// A version that reads no other's state.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Third;

impl Edition for First {
    const NUMBER: u32 = 1;

    fn migrate(from: u32, bytes: &[u8]) -> Result<Crossing<Self>, MigrateError> {
        match from {
            Second::NUMBER => {
                let Crossing { pawns, .. } = read_state::<Crossing<Second>>(bytes)?;
                Ok(Crossing { more: First, pawns })
            }
            _ => Err(MigrateError::version(from)),
        }
    }
}

impl Edition for Second {
    const NUMBER: u32 = 2;

    fn count(&mut self) {
        self.ticks += 1;
    }

    fn migrate(from: u32, bytes: &[u8]) -> Result<Crossing<Self>, MigrateError> {
        match from {
            First::NUMBER => {
                let Crossing { pawns, .. } = read_state::<Crossing<First>>(bytes)?;
                Ok(Crossing { more: Second::default(), pawns })
            }
            _ => Err(MigrateError::version(from)),
        }
    }
}

impl Edition for Third {
    const NUMBER: u32 = 3;
}

#[tickwire_shared::game]
impl<E: Edition> Simulation for Crossing<E> {
    const NAME: &'static str = "crossing";
    const VERSION: u32 = E::NUMBER;
    type Input = Steps;
    type Entity = Pawn;

    fn new(_room: &NewRoom<Self>) -> Self {
        Crossing { more: E::default(), pawns: BTreeMap::new() }
    }

    fn migrate(from: u32, bytes: &[u8]) -> Result<Self, MigrateError> {
        E::migrate(from, bytes)
    }

    fn join(&mut self, player: &NewPlayer<Self>) {
        self.pawns.insert(player.id, Vec2::splat(SIDE / 2.0));
    }

    fn leave(&mut self, player: PlayerId, _reason: LeaveReason) {
        self.pawns.remove(&player);
    }

    fn step(&mut self, inputs: &Inputs<Self>, _outbox: &mut Outbox<Self>) {
        self.more.count();
        for (player, steps) in inputs.iter() {
            let Some(pos) = self.pawns.get_mut(&player) else { continue };
            let way = Vec2::new(steps.right.into(), steps.up.into());
            *pos =
                (*pos + way * (SPEED / Self::TICK_HZ as f32)).clamp(Vec2::ZERO, Vec2::splat(SIDE));
        }
    }

    fn capture(&self, world: &mut Capture<Pawn>) {
        for (player, pos) in &self.pawns {
            let pawn = Pawn { pos: *pos };
            world.show(EntityId::of_player(*player), pawn).owned_by(*player).at(*pos);
        }
    }
}

/// The version of the game that this process is to serve, if it is one of the servers.
pub(crate) fn served_version() -> Option<String> {
    std::env::var(VERSION_VARIABLE).ok()
}

/// Serves that version, by this process's command line.
pub(crate) fn serve(version: &str) -> ExitCode {
    match version {
        "1" => tickwire_server::run::<Crossing<First>>(),
        "2" => tickwire_server::run::<Crossing<Second>>(),
        "3" => tickwire_server::run::<Crossing<Third>>(),
        _ => {
            eprintln!("error: there is no version {version} of this game");
            ExitCode::FAILURE
        }
    }
}
