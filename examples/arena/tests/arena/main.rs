//! The arena: its rules, its server and its clients, one file for each behaviour.

mod support;
mod table;

mod book;
mod bots;
mod gap;
mod handover;
mod journal;
mod losses;
mod modes;
mod predict;
mod presence;
mod resume;
mod rooms;
mod sight;
mod silent;
mod soak;
mod space;
mod suspend;
mod terminal;
mod watch;
mod websocket;
