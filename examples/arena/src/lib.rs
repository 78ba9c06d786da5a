//! The arena: a top-down fight between two teams of small ships among drifting asteroids.
//!
//! [`rules`] is the whole game, a [`Simulation`](tickwire_shared::Simulation) that depends on
//! nothing but `tickwire-shared` and builds for wasm32. [`bot`] plays it through what a client sees,
//! and [`script`] without anybody, to compare machines.

pub mod bot;
pub mod rules;
pub mod script;
#[cfg(all(target_arch = "wasm32", feature = "web"))]
pub mod web;
