//! Counters of the network.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

macro_rules! counters {
    ($($(#[doc = $doc:literal])* $name:ident,)*) => {
        /// Counts since the server began, or since the last reset.
        #[derive(Debug, Default)]
        pub(crate) struct Counters {
            $($(#[doc = $doc])* pub(crate) $name: Counter,)*
        }

        /// [`Counters`] at one moment.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
        pub(crate) struct Counts {
            $($(#[doc = $doc])* pub(crate) $name: u64,)*
        }

        #[cfg(test)]
        impl Counts {
            /// Each count is another number.
            pub(crate) fn numbered() -> Self {
                let mut number = 1000;
                $(number += 1; let $name = number;)*
                Counts { $($name,)* }
            }
        }

        impl Counters {
            pub(crate) fn counts(&self) -> Counts {
                Counts { $($name: self.$name.get(),)* }
            }

            pub(crate) fn reset(&self) {
                $(self.$name.0.store(0, Ordering::Relaxed);)*
            }
        }
    };
}

counters! {
    /// Sessions that have said hello.
    sessions_started,
    /// Sessions that have ended, for any reason.
    sessions_ended,
    /// Sessions whose connection was lost and whose place was kept.
    sessions_lost,
    /// Sessions that went on over another connection.
    sessions_resumed,
    /// Attempts to resume a session that is over, or that is another client's.
    resumes_refused,
    /// Sessions refused because of a bad token, a missing token, or an account that is in use.
    sessions_unauthenticated,
    /// Sessions refused or ended because of a ban.
    sessions_banned,
    /// Sessions ended because their account connected elsewhere.
    sessions_replaced,
    /// Connection attempts without an answer: too many at once, or from one address.
    handshakes_ignored,
    /// Connection attempts that were asked to prove their address.
    handshakes_retried,
    /// Handshakes that failed or took too long.
    handshakes_failed,
    /// Handshake packets dropped because too many waited for their turn.
    handshake_packets_dropped,
    /// Times that the system could not deliver packets.
    udp_receive_failures,
    /// Sessions refused because their network has its share.
    sessions_over_share,
    /// Sessions ended because they were in no room.
    sessions_without_room,
    /// Connections refused because of the page's origin.
    origins_refused,
    /// Datagrams received and read.
    datagrams_in,
    /// Their bytes.
    datagram_bytes_in,
    /// Datagrams handed to the transport.
    datagrams_out,
    /// Their bytes.
    datagram_bytes_out,
    /// Input datagrams dropped unread because they came too fast.
    inputs_too_fast,
    /// Input datagrams dropped because their sender is in no room.
    inputs_without_room,
    /// Inputs dropped because the room did not keep up.
    inputs_room_behind,
    /// Bytes of static data that clients loaded.
    static_bytes_out,
    /// Commands that were refused, by the server or a room: no step had them.
    commands_refused,
    /// Messages published to topics.
    topics_published,
    /// Requests to publish or to subscribe that were refused, and those over HTTP.
    topics_refused,
    /// Messages to topics that came by datagram.
    topics_lossy_received,
    /// Those of them that came behind a newer one of their session, or twice, and were dropped.
    topics_lossy_late,
    /// Those that had not come when a newer one of their session did.
    topics_lossy_lost,
    /// Those that were refused.
    topics_lossy_refused,
    /// Bytes of topics streams that the transport took.
    topic_bytes_out,
    /// Bytes of topics over HTTP.
    topic_event_bytes_out,
    /// Messages that a receiver of webhooks took.
    webhooks_delivered,
    /// Attempts of webhooks that failed.
    webhooks_failed,
    /// Messages that webhooks gave up: dead letters.
    webhooks_dead,
    /// Messages that no webhook posted as their accounts had sessions.
    webhooks_skipped,
    /// Messages that were no longer kept when a webhook came to them, as far as their number is known.
    webhooks_missed,
    /// Snapshots larger than the path now allows.
    snapshots_too_large,
    /// Waiting snapshots of slow WebSockets that a newer one replaced.
    snapshots_replaced,
    /// Snapshots for members whose session was already over.
    snapshots_undeliverable,
    /// Sessions closed because they did not read their frames.
    sessions_too_slow,
    /// Rooms stopped by a fault in the game.
    rooms_failed,
}

/// One counter, without locks.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn increment(&self) {
        self.add(1);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
