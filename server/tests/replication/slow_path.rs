//! A client behind a slow link with a long queue.

use std::collections::VecDeque;

use tickwire_server::config::RoomConfig;
use tickwire_shared::control::ServerFrame;

use crate::balls::{CROWD, CROWD_BALLS, QUIET};
use crate::{Table, keyframe_bytes};

/// 100 kbit/s, in bytes a tick.
const LINK_BYTES_PER_TICK: usize = 208;
/// Bytes of a datagram besides its snapshot: headers of IP, UDP and QUIC.
const HEADERS_BYTES: usize = 28 + 30;
/// Bytes of a packet with stream data.
const PACKET_BYTES: usize = 1200;

enum Sent {
    Snapshot(Vec<u8>),
    Part(Box<ServerFrame>),
}

/// The link's queue, without losses.
#[derive(Default)]
struct Link {
    queue: VecDeque<(u32, usize, Sent)>,
    spare_bytes: usize,
    wait_ticks_max: u32,
}

impl Link {
    /// Queues one tick's data for the client, and returns what the link has carried meanwhile.
    fn tick(&mut self, now: u32, snapshots: &mut Vec<Vec<u8>>, parts: &mut VecDeque<ServerFrame>) {
        for snapshot in snapshots.drain(..) {
            let bytes = snapshot.len() + HEADERS_BYTES;
            self.queue.push_back((now, bytes, Sent::Snapshot(snapshot)));
        }
        for part in parts.drain(..) {
            let bytes = keyframe_bytes(&part);
            let packets = bytes.div_ceil(PACKET_BYTES);
            self.queue.push_back((
                now,
                bytes + packets * HEADERS_BYTES,
                Sent::Part(Box::new(part)),
            ));
        }
        self.spare_bytes += LINK_BYTES_PER_TICK;
        while let Some((sent, bytes, _)) = self.queue.front()
            && let Some(spare) = self.spare_bytes.checked_sub(*bytes)
        {
            self.spare_bytes = spare;
            self.wait_ticks_max = self.wait_ticks_max.max(now - sent);
            match self.queue.pop_front() {
                Some((_, _, Sent::Snapshot(snapshot))) => snapshots.push(snapshot),
                Some((_, _, Sent::Part(part))) => parts.push_back(*part),
                None => {}
            }
        }
        if self.queue.is_empty() {
            self.spare_bytes = 0;
        }
    }
}

/// Joins the crowd over the link. Returns the ticks until all of it is known, and the longest wait
/// of a packet in the first ten seconds.
fn join(keyframe_bytes_per_s_max: u32) -> (u32, u32) {
    let config = RoomConfig { keyframe_bytes_per_s_max, ..RoomConfig::default() };
    let mut table = Table::with_config(CROWD | QUIET | 3, 2, config);
    let (mut link, mut whole) = (Link::default(), None);
    for tick in 1..600 {
        table.hear(&mut || 3);
        table.step();
        let client = &mut table.clients[1];
        link.tick(tick, &mut client.in_flight, &mut client.stream);
        for client in &mut table.clients {
            client.receive(&mut || 3, table.room.tick());
        }
        if table.clients[1].replica.entities().len() >= CROWD_BALLS as usize - 20 {
            whole.get_or_insert(tick);
        }
    }
    (whole.expect("all of it comes"), link.wait_ticks_max)
}

#[test]
fn a_join_over_a_slow_path_is_not_held_up_by_its_own_keyframe() {
    let (whole, wait) = join(RoomConfig::default().keyframe_bytes_per_s_max);
    let (whole_without, wait_without) = join(0);
    println!("{whole} ticks, waits of {wait}; in snapshots alone {whole_without}, {wait_without}");
    assert!(whole <= whole_without + whole_without / 4);
    assert!(wait <= wait_without + wait_without / 4);
}
