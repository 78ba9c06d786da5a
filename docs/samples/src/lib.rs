//! The code that the book shows.
//!
//! [`tag`] is the game that the tutorial builds, [`predict`] its prediction, [`bot`] a player without a person,
//! [`lobby`] what a client asks about rooms and chat.

pub mod bot;
pub mod fields;
pub mod hunt;
pub mod lobby;
pub mod predict;
pub mod tag;
