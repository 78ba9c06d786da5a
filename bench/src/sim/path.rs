//! One client's way to the server and back, by the seed and the faults of a plan.

use std::ops::Range;
use std::time::Duration;

use super::schedule::{Fault, Plan};
use crate::network::{Faults, Link, Weather};
use crate::random::Splitmix;

/// IP, UDP and QUIC around a datagram.
const HEADER_BYTES: usize = 60;

/// A direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bound {
    ToServer,
    ToClient,
}

/// Both directions.
pub(crate) struct SimPath {
    to_server: Link,
    to_client: Link,
    storms: Vec<(Range<u64>, u8)>,
    dark: Vec<(Range<u64>, [bool; 2])>,
    random: Splitmix,
    delay_ms: u64,
}

impl SimPath {
    pub(crate) fn new(plan: &Plan, client: usize) -> Self {
        let mut random = Splitmix::new(plan.seed ^ (client as u64 + 1) << 40);
        let delay_ms = 1.0 + 99.0 * random.part() * random.part();
        let weather = Weather {
            delay_ms,
            jitter_ms: delay_ms * random.part() * 0.9,
            loss: 0.08 * random.part() * random.part(),
            burst: 1.0 + 3.0 * random.part(),
            reorders: random.bits().is_multiple_of(2),
        };
        let faults = Faults { duplicate: 0.05 * random.part(), ..Faults::default() };
        let mut link = || Link::new(weather, random.bits()).with_faults(faults.clone());
        let (to_server, to_client) = (link(), link());
        let (mut storms, mut dark) = (Vec::new(), Vec::new());
        for it in &plan.faults {
            match &it.fault {
                Fault::Storm { client: of, during, loss_percent }
                    if of % plan.clients == client =>
                {
                    storms.push((during.clone(), *loss_percent));
                }
                Fault::Dark { client: of, during, up, down } if of % plan.clients == client => {
                    dark.push((during.clone(), [*up, *down]));
                }
                Fault::Partition { during } if !client.is_multiple_of(3) => {
                    dark.push((during.clone(), [true, true]));
                }
                _ => {}
            }
        }
        let delay_ms = delay_ms as u64 + 1;
        SimPath { to_server, to_client, storms, dark, random, delay_ms }
    }

    /// The arrivals of a packet sent at `now_ms`: none, one or two.
    pub(crate) fn send(&mut self, bound: Bound, now_ms: u64, bytes: usize) -> Vec<u64> {
        let link = match bound {
            Bound::ToServer => &mut self.to_server,
            Bound::ToClient => &mut self.to_client,
        };
        let arrivals = link.send(Duration::from_millis(now_ms), bytes, HEADER_BYTES);
        let arrivals: Vec<u64> =
            arrivals.map(|at| (at.as_micros() as u64).div_ceil(1000).max(now_ms + 1)).collect();
        let storm = self.storms.iter().find(|(during, _)| during.contains(&now_ms));
        let is_lost =
            storm.is_some_and(|(_, percent)| self.random.bits() % 100 < u64::from(*percent));
        if is_lost || self.is_dark(bound, now_ms) { Vec::new() } else { arrivals }
    }

    /// The mean delay of one direction.
    pub(crate) fn delay_ms(&self) -> u64 {
        self.delay_ms
    }

    /// Whether nothing arrives that is sent at `now_ms`.
    pub(crate) fn is_dark(&self, bound: Bound, now_ms: u64) -> bool {
        let way = usize::from(bound == Bound::ToClient);
        self.dark.iter().any(|(during, ways)| during.contains(&now_ms) && ways[way])
    }

    /// Whether a handshake at `now_ms` gets through.
    pub(crate) fn is_open(&self, now_ms: u64) -> bool {
        !self.is_dark(Bound::ToServer, now_ms) && !self.is_dark(Bound::ToClient, now_ms)
    }
}
