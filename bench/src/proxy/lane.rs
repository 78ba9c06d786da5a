//! UDP datagrams in one direction of one client's path.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::net::UdpSocket;
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::network::Link;

/// Most datagrams on their way; more are lost, as at a router.
const ON_THE_WAY_MAX: usize = 4096;
/// Bytes of the IPv4 and UDP headers.
const HEADER_BYTES: usize = 28;

/// The socket from which datagrams leave; it may be replaced.
pub(super) type Outlet = Arc<Mutex<Arc<UdpSocket>>>;

/// One direction of a path.
#[derive(Debug)]
pub(super) struct Lane {
    link: Link,
    leaving: UnboundedSender<Leaving>,
    /// Limits the datagrams in `leaving` and beyond.
    room: Arc<Semaphore>,
}

#[derive(Debug)]
struct Leaving {
    at: Duration,
    bytes: Vec<u8>,
    _permit: tokio::sync::OwnedSemaphorePermit,
}

impl Lane {
    /// Ends once it is dropped and everything on its way has left.
    pub(super) fn new(link: Link, start: Instant, outlet: Outlet, to: SocketAddr) -> Self {
        let (leaving, arrivals) = unbounded_channel();
        tokio::spawn(release(arrivals, start, outlet, to));
        Lane { link, leaving, room: Arc::new(Semaphore::new(ON_THE_WAY_MAX)) }
    }

    pub(super) fn send(&mut self, now: Duration, bytes: &[u8]) {
        for at in self.link.send(now, bytes.len(), HEADER_BYTES) {
            let Ok(permit) = Arc::clone(&self.room).try_acquire_owned() else { return };
            // Fails only when the program ends.
            let _ = self.leaving.send(Leaving { at, bytes: bytes.to_vec(), _permit: permit });
        }
    }
}

/// Sends each datagram when it is due, in the order of their times.
async fn release(
    mut arrivals: UnboundedReceiver<Leaving>,
    start: Instant,
    outlet: Outlet,
    to: SocketAddr,
) {
    let mut waiting: BTreeMap<(Duration, u64), Leaving> = BTreeMap::new();
    let mut is_open = true;
    for number in 0_u64.. {
        let due = waiting.first_key_value().map(|((at, _), _)| start + *at);
        if due.is_none() && !is_open {
            return;
        }
        let due = due.unwrap_or_else(Instant::now);
        tokio::select! {
            arrival = arrivals.recv(), if is_open => match arrival {
                Some(leaving) => {
                    waiting.insert((leaving.at, number), leaving);
                }
                None => is_open = false,
            },
            () = tokio::time::sleep_until(due.into()), if !waiting.is_empty() => {
                let now = start.elapsed();
                while let Some(first) = waiting.first_entry().filter(|it| it.key().0 <= now) {
                    let leaving = first.remove();
                    let socket = Arc::clone(&outlet.lock().unwrap_or_else(PoisonError::into_inner));
                    // If the system does not accept it, it counts as lost.
                    let _ = socket.send_to(&leaving.bytes, to).await;
                }
            }
        }
    }
}
