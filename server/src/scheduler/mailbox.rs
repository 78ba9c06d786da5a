//! A room as the network knows it: its name, how full it is, and the way into it.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use tickwire_shared::control::RoomInfo;

use super::queue::BoundedQueue;
use crate::config::ServerConfig;
use crate::room::ToRoom;

/// The network's end of one room.
#[derive(Debug)]
pub(crate) struct Mailbox<I> {
    name: String,
    players_max: u32,
    /// Inputs; dropped when the room does not keep up.
    inputs: BoundedQueue<ToRoom<I>>,
    /// Everything else; its senders wait when the room does not keep up.
    commands: BoundedQueue<ToRoom<I>>,
    /// As of the room's last tick.
    players: AtomicU32,
    spectators: AtomicU32,
    /// The registry let it go: its thread drops it.
    closed: AtomicBool,
}

impl<I> Mailbox<I> {
    pub(crate) fn new(name: String, config: &ServerConfig) -> Self {
        Mailbox {
            name,
            players_max: u32::try_from(config.room.players_max).unwrap_or(u32::MAX),
            inputs: BoundedQueue::new(config.mailbox_inputs_max),
            commands: BoundedQueue::new(config.mailbox_commands_max),
            players: AtomicU32::new(0),
            spectators: AtomicU32::new(0),
            closed: AtomicBool::new(false),
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn players_max(&self) -> u32 {
        self.players_max
    }

    /// Its line in the list of rooms.
    pub(crate) fn info(&self) -> RoomInfo {
        RoomInfo {
            name: self.name.clone(),
            players: self.players.load(Ordering::Relaxed),
            players_max: self.players_max,
            spectators: self.spectators.load(Ordering::Relaxed),
        }
    }

    /// Hands over an input, or says that it was dropped.
    pub(crate) fn try_input(&self, input: ToRoom<I>) -> bool {
        self.inputs.push(input).is_ok()
    }

    /// Hands over anything else, or gives it back when the room is behind.
    pub(crate) fn try_command(&self, command: ToRoom<I>) -> Result<(), ToRoom<I>> {
        self.commands.push(command)
    }

    /// Lets the room go.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }

    /// Whether the room is gone or going: nothing sent to it will be answered.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// What came since the last tick, commands first.
    pub(super) fn drain(&self) -> impl Iterator<Item = ToRoom<I>> + '_ {
        self.commands.drain().chain(self.inputs.drain())
    }

    pub(super) fn publish(&self, info: &RoomInfo) {
        self.players.store(info.players, Ordering::Relaxed);
        self.spectators.store(info.spectators, Ordering::Relaxed);
    }
}
