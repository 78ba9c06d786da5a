//! Delivers the rooms' output to the sessions.

use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;
use tickwire_shared::control::{CloseCode, FRAME_BYTES_MAX, ServerFrame, write_frame};
use tickwire_shared::{PlayerId, Simulation};

use super::reliable::{StreamKind, frame_bytes};
use super::{ClientLink, ServerState};
use crate::room::FromRoom;
use crate::scheduler::{Mailbox, NetworkQueue, Outgoing, Snapshot};
use crate::store::SaveId;
use crate::transport::{DATAGRAM_HEADROOM_BYTES, TransportSession, UnsentDatagram};

/// Sends a datagram of a session. Returns true if it replaced an unsent one.
pub(crate) trait SendDatagram:
    FnMut(&TransportSession, Bytes) -> Result<bool, UnsentDatagram>
{
}

impl<F: FnMut(&TransportSession, Bytes) -> Result<bool, UnsentDatagram>> SendDatagram for F {}

impl<S: Simulation> ServerState<S> {
    /// Delivers everything that waits in `outbox`; `send` sends a datagram with its headroom. Called on the driver's thread.
    pub(crate) fn deliver(&self, outbox: &NetworkQueue<S::Input>, send: &mut impl SendDatagram) {
        while let Some(outgoing) = outbox.pop() {
            self.deliver_one(outgoing, send);
        }
    }

    /// Delivers one room's output of one tick.
    fn deliver_one(&self, outgoing: Outgoing<S::Input>, send: &mut impl SendDatagram) {
        let Outgoing { room, snapshots, frames, failed } = outgoing;
        if failed {
            return self.tell_failed(&room);
        }
        self.send_snapshots(snapshots, send);
        for frame in frames {
            self.deliver_frame(&room, frame);
        }
    }

    fn send_snapshots(&self, snapshots: Vec<Snapshot>, send: &mut impl SendDatagram) {
        let (mut sent, mut sent_bytes) = (0, 0);
        let links = self.links.read();
        for Snapshot { player, bytes } in snapshots {
            let Some(link) = links.get(&player) else {
                self.counters.snapshots_undeliverable.increment();
                continue;
            };
            let count = bytes.len() - DATAGRAM_HEADROOM_BYTES;
            match send(&link.transport(), bytes) {
                Ok(replaced) => {
                    sent += 1;
                    sent_bytes += count as u64;
                    self.counters.snapshots_replaced.add(u64::from(replaced));
                }
                Err(UnsentDatagram::TooLarge) => {
                    self.counters.snapshots_too_large.increment();
                    link.path_shrank.notify_one();
                }
                Err(UnsentDatagram::Undeliverable) => {
                    self.counters.snapshots_undeliverable.increment();
                }
            }
        }
        self.counters.datagrams_out.add(sent);
        self.counters.datagram_bytes_out.add(sent_bytes);
    }

    fn deliver_frame(&self, room: &Arc<Mailbox<S::Input>>, frame: FromRoom) {
        match frame {
            FromRoom::Control { player, frame } => {
                self.end_reservation(room, (player, &frame));
                let has_joined =
                    matches!(frame, ServerFrame::Joined { .. } | ServerFrame::Rejoined { .. });
                if let Some(link) = self.links.get(player) {
                    link.send_from_room(frame);
                    if has_joined {
                        self.recall_newest(room.name(), player);
                    }
                }
            }
            FromRoom::ControlAll { players, frame } => {
                self.deliver_all(&players, StreamKind::Control, &frame);
            }
            FromRoom::ChatAll { players, chat } => {
                self.deliver_all(&players, StreamKind::Chat, &chat);
                self.keep_chat(room.listing(), chat);
            }
            FromRoom::Chat { player, chat } => {
                if let Some(link) = self.links.get(player) {
                    link.send_chat(&chat);
                }
            }
            FromRoom::StaticData { players, key, tick, blob } => {
                let links = self.links.read();
                for link in players.iter().filter_map(|player| links.get(player)) {
                    link.offer_static((key, tick), blob.clone());
                }
            }
            FromRoom::CommandRefused { player, frame } => {
                self.counters.commands_refused.increment();
                if let Some(link) = self.links.get(player) {
                    link.send_from_room(frame);
                }
            }
            FromRoom::Save(new) => self.save_profile(room, *new),
            FromRoom::Unsaved { player, fence, tick, what } => {
                self.refuse_profile(room, SaveId { player, fence, tick }, &what);
            }
            FromRoom::Score(new) => self.save_score(room, *new),
            FromRoom::Released { player } => {
                if let Some(link) = self.links.get(player) {
                    link.release(room);
                }
            }
        }
    }

    /// One frame for every session that was welcomed.
    pub(crate) fn tell_all(&self, frame: &ServerFrame) {
        let welcomed = |link: &&Arc<ClientLink<_>>| link.is_welcomed();
        let players: Vec<PlayerId> =
            self.links.read().values().filter(welcomed).map(|link| link.player).collect();
        self.deliver_all(&players, StreamKind::Control, frame);
    }

    /// Sends the changes of lists of rooms to their subscribers.
    pub(crate) fn push_rooms(&self) {
        let is_behind = |player| {
            let waiting = |link: Arc<ClientLink<_>>| link.reliable.waiting_bytes();
            self.links.get(player).map_or(0, waiting) > ROOMS_BEHIND_BYTES
        };
        self.rooms.push(is_behind, |players, frame| {
            self.deliver_all(players, StreamKind::Control, frame);
        });
    }

    /// Sends one frame to many, coded once.
    fn deliver_all<T: Serialize>(&self, players: &[PlayerId], lane: StreamKind, frame: &T) {
        let bytes = frame_bytes(frame);
        if bytes > FRAME_BYTES_MAX {
            return tracing::error!(bytes, "a frame for a room's members was not sent: too large");
        }
        let mut bytes = Vec::new();
        write_frame(frame, &mut bytes);
        let links = self.links.read();
        for link in players.iter().filter_map(|player| links.get(player)) {
            link.send_coded(lane, &bytes);
        }
    }

    /// Reports a failed room: nobody can enter it any more, and its members are told.
    fn tell_failed(&self, room: &Arc<Mailbox<S::Input>>) {
        self.counters.rooms_failed.increment();
        self.rooms.forget(room);
        for link in self.links.read().values().filter(|link| link.is_in(room)) {
            link.end(CloseCode::RoomFailed);
        }
    }
}

/// Unread bytes of a client beyond which it gets no updates of lists of rooms.
const ROOMS_BEHIND_BYTES: usize = 32 * 1024;
