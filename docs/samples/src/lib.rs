//! The code that the book shows.
//!
//! [`tag`] is the game that the tutorial builds, [`predict`] its prediction, [`bot`] a player without a person,
//! [`lobby`] what a client asks about rooms and chat, [`fields`] and [`echo`] games with fields of all types.

pub mod bot;
pub mod echo;
pub mod fields;
pub mod hunt;
pub mod lobby;
pub mod predict;
pub mod tag;
