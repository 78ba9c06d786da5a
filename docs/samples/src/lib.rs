//! The code that the book shows.
//!
//! [`tag`] is the game that the tutorial builds, [`predict`] its prediction, [`bot`] a player without a person,
//! [`lobby`] what a client asks about rooms and chat, [`fields`] and [`echo`] games with fields of all types,
//! [`map`] a game with static data, [`notices`] what a server says to all, [`accounts`] who players are,
//! [`fallback`] a client with two ways to its server, [`profile`] what a game keeps of players, [`race`] a game whose state has changed, [`topics`] channels without a game.

pub mod accounts;
pub mod bot;
pub mod echo;
pub mod fallback;
pub mod fields;
pub mod hunt;
pub mod lobby;
pub mod map;
pub mod notices;
pub mod predict;
pub mod profile;
pub mod race;
pub mod tag;
pub mod topics;
