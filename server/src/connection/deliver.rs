//! What the rooms want sent, given to the sessions.

use std::sync::Arc;

use tickwire_shared::Simulation;
use tickwire_shared::control::CloseCode;
use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe;

use super::{End, Host};
use crate::room::FromRoom;
use crate::scheduler::{Mailbox, Outbox, Outgoing, Snapshot};

/// Delivers everything of one simulation thread, until it is dropped.
///
/// # Errors
/// When the runtime cannot watch the outbox.
pub(crate) async fn deliver<S: Simulation>(
    host: Arc<Host<S>>,
    outbox: Arc<Outbox<S::Input>>,
) -> std::io::Result<()> {
    let Some(ear) = outbox.take_ear() else { return Ok(()) };
    let mut bell = pipe::Receiver::from_owned_fd(ear)?;
    let mut rung = [0; RINGS_AT_ONCE];
    // The bell is silenced first: what is queued after that rings it again.
    while bell.read(&mut rung).await? > 0 {
        while let Some(outgoing) = outbox.pop() {
            host.deliver_one(outgoing);
            tokio::task::coop::consume_budget().await;
        }
    }
    Ok(())
}

/// More rings than this are read one after another.
const RINGS_AT_ONCE: usize = 64;

impl<S: Simulation> Host<S> {
    /// Delivers what one room wants sent after one tick.
    fn deliver_one(&self, outgoing: Outgoing<S::Input>) {
        let Outgoing { room, snapshots, frames, failed } = outgoing;
        if failed {
            return self.tell_failed(&room);
        }
        self.send_snapshots(snapshots);
        for frame in frames {
            self.deliver_frame(&room, frame);
        }
    }

    fn send_snapshots(&self, snapshots: Vec<Snapshot>) {
        let (mut sent, mut sent_bytes) = (0, 0);
        let links = self.links.read();
        for Snapshot { player, bytes } in snapshots {
            let Some(link) = links.get(&player) else {
                self.counters.snapshots_undeliverable.increment();
                continue;
            };
            let count = bytes.len() - crate::transport::DATAGRAM_HEADROOM_BYTES;
            match link.session.send_datagram(bytes) {
                Ok(()) => {
                    sent += 1;
                    sent_bytes += count as u64;
                }
                Err(quinn::SendDatagramError::TooLarge) => {
                    self.counters.snapshots_too_large.increment();
                    link.path_shrank.notify_one();
                }
                Err(_) => self.counters.snapshots_undeliverable.increment(),
            }
        }
        self.counters.datagrams_out.add(sent);
        self.counters.datagram_bytes_out.add(sent_bytes);
    }

    fn deliver_frame(&self, room: &Arc<Mailbox<S::Input>>, frame: FromRoom) {
        match frame {
            FromRoom::Control { player, frame } => {
                if let Some(link) = self.links.get(player) {
                    link.send_control(frame);
                }
            }
            FromRoom::Chat { player, chat } => {
                if let Some(link) = self.links.get(player) {
                    link.send_chat(&chat);
                }
            }
            FromRoom::Close { player, code, text } => {
                if let Some(link) = self.links.get(player) {
                    link.release(room);
                    link.end(End::new(code, text));
                }
            }
            FromRoom::Released { player } => {
                if let Some(link) = self.links.get(player) {
                    link.release(room);
                }
            }
        }
    }

    /// The room broke: nobody enters it any more, and everyone in it is told.
    fn tell_failed(&self, room: &Arc<Mailbox<S::Input>>) {
        self.counters.rooms_failed.increment();
        self.rooms.forget(room);
        for link in self.links.read().values().filter(|link| link.is_in(room)) {
            link.end(CloseCode::RoomFailed);
        }
    }
}
