//! An authoritative fixed-tick game state server.

pub mod config;
pub mod room;
