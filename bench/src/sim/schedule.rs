//! What happens in a run: which clients, how long, which faults. All of it follows from the seed; parts can be left out.

use std::ops::Range;

use crate::random::Splitmix;

/// Milliseconds at the end of a run without faults, in which everything heals.
pub(crate) const HEALING_MS: u64 = 16_000;

/// A run.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) clients: usize,
    /// With faults; [`HEALING_MS`] follow.
    pub(crate) fault_ms: u64,
    pub(crate) faults: Vec<NumberedFault>,
}

/// A fault with its number in the seed's list, by which it can be chosen.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct NumberedFault {
    pub(crate) number: usize,
    pub(crate) fault: Fault,
}

/// Something that goes wrong, at times in milliseconds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Fault {
    /// Many packets of a client are lost.
    Storm { client: usize, during: Range<u64>, loss_percent: u8 },
    /// All packets of a client are lost: those to the server, to the client, or both.
    Dark { client: usize, during: Range<u64>, up: bool, down: bool },
    /// Most clients are cut off at once.
    Partition { during: Range<u64> },
    /// A client's socket is gone; the server is told only if `both`.
    Cut { client: usize, at: u64, both: bool },
    /// A client neither reads nor runs.
    Asleep { client: usize, during: Range<u64> },
    /// A client does not read its streams.
    Slow { client: usize, during: Range<u64> },
    /// A client's clock goes ahead by as much.
    Jump { client: usize, at: u64, by_ms: u64 },
    /// A client gives its seat up and joins again.
    Rejoin { client: usize, at: u64 },
    /// A client moves to another connection.
    Move { client: usize, at: u64 },
    /// A client of its own sends what is not of the protocol.
    Hostile { at: u64, seed: u64 },
    /// The server is killed, while it writes if `cut` says after which part of its last write, in 1/256.
    Restart { at: u64, down_ms: u64, cut: u8 },
}

/// A range to choose seeds, and what replaces their own plans.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct PlanLimits {
    pub(crate) clients: Option<usize>,
    pub(crate) fault_ms: Option<u64>,
    /// Numbers of the faults that stay.
    pub(crate) only: Option<Vec<usize>>,
}

impl Plan {
    /// The plan of a seed, within `limits`.
    pub(crate) fn of_seed(seed: u64, limits: &PlanLimits) -> Self {
        let mut random = Splitmix::new(seed ^ 0x5eed);
        let clients = limits.clients.unwrap_or(2 + (random.bits() % 6) as usize);
        let mut random = Splitmix::new(seed ^ 0xfa17);
        let fault_ms = 6_000 + random.bits() % 18_000;
        let count = 2 + random.bits() % 9;
        let drawn = (0..count).map(|_| Fault::draw(&mut random, fault_ms));
        let mut faults: Vec<NumberedFault> = drawn
            .enumerate()
            .map(|(number, fault)| NumberedFault { number, fault })
            .filter(|it| limits.only.as_ref().is_none_or(|only| only.contains(&it.number)))
            .collect();
        let fault_ms = limits.fault_ms.unwrap_or(fault_ms);
        faults.retain(|it| it.fault.end_ms() <= fault_ms);
        Plan { seed, clients, fault_ms, faults }
    }

    /// Milliseconds of the whole run.
    pub(crate) fn length_ms(&self) -> u64 {
        self.fault_ms + HEALING_MS
    }

    /// The command that runs it.
    pub(crate) fn command(&self) -> String {
        let Plan { seed, clients, fault_ms, faults } = self;
        let numbers: Vec<String> = faults.iter().map(|it| it.number.to_string()).collect();
        let only = if numbers.is_empty() { "none".to_owned() } else { numbers.join(",") };
        format!(
            "tickwire-bench sim --seeds {seed}..{} --clients {clients} --fault-ms {fault_ms} --only {only}",
            seed + 1
        )
    }
}

impl Fault {
    fn draw(random: &mut Splitmix, fault_ms: u64) -> Fault {
        let kind = random.bits() % 23;
        // A client of a smaller number stands for one that a plan lacks.
        let client = (random.bits() % 8) as usize;
        let begin = 1_000 + random.bits() % (fault_ms - 2_000);
        let mut lasts = |most: u64| begin..(begin + 100 + random.bits() % most).min(fault_ms);
        match kind {
            0..=2 => {
                let during = lasts(6_000);
                Fault::Storm { client, during, loss_percent: 20 + (random.bits() % 75) as u8 }
            }
            3..=5 => {
                let during = lasts(8_000);
                let ways = random.bits() % 3;
                Fault::Dark { client, during, up: ways != 1, down: ways != 2 }
            }
            6 => Fault::Partition { during: lasts(6_000) },
            7..=9 => Fault::Cut { client, at: begin, both: random.bits().is_multiple_of(2) },
            10 | 11 => Fault::Asleep { client, during: lasts(6_000) },
            12 => Fault::Slow { client, during: lasts(6_000) },
            13 => Fault::Jump { client, at: begin, by_ms: 50 + random.bits() % 1_500 },
            14 => Fault::Rejoin { client, at: begin },
            15 | 16 => Fault::Hostile { at: begin, seed: random.bits() },
            17..=19 => Fault::Move { client, at: begin },
            _ => {
                let (down_ms, cut) = (100 + random.bits() % 2_000, random.bits() as u8);
                Fault::Restart { at: begin.min(fault_ms - 1_000), down_ms, cut }
            }
        }
    }

    /// The time after which nothing of it is left.
    pub(crate) fn end_ms(&self) -> u64 {
        match self {
            Fault::Storm { during, .. }
            | Fault::Dark { during, .. }
            | Fault::Partition { during }
            | Fault::Asleep { during, .. }
            | Fault::Slow { during, .. } => during.end,
            Fault::Cut { at, .. }
            | Fault::Jump { at, .. }
            | Fault::Rejoin { at, .. }
            | Fault::Move { at, .. }
            | Fault::Hostile { at, .. }
            | Fault::Restart { at, .. } => *at,
        }
    }

    /// The time at which it begins.
    pub(crate) fn begin_ms(&self) -> u64 {
        match self {
            Fault::Storm { during, .. }
            | Fault::Dark { during, .. }
            | Fault::Partition { during }
            | Fault::Asleep { during, .. }
            | Fault::Slow { during, .. } => during.start,
            _ => self.end_ms(),
        }
    }
}
