//! The arena: a top-down fight between two teams of small ships among drifting asteroids.
//!
//! [`rules`] is the whole game, a [`Simulation`](tickwire_shared::Simulation) that depends only on
//! `tickwire-shared` and builds for wasm32. [`bot`] plays it from a client's view, and [`script`]
//! without any player, to compare machines.

pub mod bot;
pub mod rules;
pub mod script;
#[cfg(all(target_arch = "wasm32", feature = "web"))]
pub mod web;
