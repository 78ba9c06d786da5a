//! Someone in the room.

use std::time::Instant;

use tickwire_shared::PlayerId;
use tickwire_shared::control::Member as MemberInfo;

use super::chat::ChatBucket;
use super::inputs::InputBuffer;
use super::replication::Replication;
use crate::config::RoomConfig;

/// A player or a spectator.
#[derive(Debug)]
pub(super) struct Member<I> {
    pub(super) player: PlayerId,
    pub(super) name: String,
    pub(super) seat: u8,
    /// `None` for a spectator.
    pub(super) inputs: Option<InputBuffer<I>>,
    pub(super) replication: Replication,
    pub(super) datagram_bytes_max: usize,
    pub(super) chat: ChatBucket,
}

impl<I: Copy + Default> Member<I> {
    pub(super) fn new(
        config: &RoomConfig,
        now: Instant,
        (player, name): (PlayerId, String),
        seat: u8,
        spectator: bool,
    ) -> Self {
        Member {
            player,
            name,
            seat,
            inputs: (!spectator).then(|| InputBuffer::new(config.input_window_ticks)),
            replication: Replication::new(config, player, seat),
            datagram_bytes_max: config.snapshot_bytes_max,
            chat: ChatBucket::new(config, now),
        }
    }

    pub(super) fn is_spectator(&self) -> bool {
        self.inputs.is_none()
    }

    pub(super) fn info(&self) -> MemberInfo {
        MemberInfo { player: self.player, name: self.name.clone(), spectator: self.is_spectator() }
    }
}
