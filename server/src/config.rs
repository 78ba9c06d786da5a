//! Every limit and setting of the server, with its unit in its name.

use serde::{Deserialize, Serialize};

/// Limits and settings of one room.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RoomConfig {
    /// Seats in a room.
    pub players_max: usize,
    /// Watchers in a room.
    pub spectators_max: usize,
    /// Entities in a room; what a game shows beyond it is not sent.
    pub entities_max: usize,
    /// Most bytes of a snapshot datagram, also bounded by each connection's path.
    pub snapshot_bytes_max: usize,
    /// Inputs are accepted for this many ticks before and after the current one.
    pub input_window_ticks: u32,
    /// Events kept for a client that does not acknowledge them; older ones are dropped beyond it.
    pub events_queued_max: usize,
    /// Characters of a chat message.
    pub chat_characters_max: usize,
    /// Chat messages at once.
    pub chat_burst_messages: u32,
    /// Seconds until the whole burst is available again.
    pub chat_refill_s: u32,
    /// Characters of a display name.
    pub name_characters_max: usize,
}

impl Default for RoomConfig {
    fn default() -> Self {
        RoomConfig {
            players_max: 1000,
            spectators_max: 100,
            entities_max: 65_535,
            snapshot_bytes_max: 1200,
            input_window_ticks: 32,
            events_queued_max: 256,
            chat_characters_max: 500,
            chat_burst_messages: 5,
            chat_refill_s: 5,
            name_characters_max: 32,
        }
    }
}
