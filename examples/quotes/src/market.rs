//! A market whose prices walk at random from a seed. It reads no clock: the time is an argument.

use std::collections::HashSet;

use crate::random::Random;

/// Steps a second.
pub(crate) const TICK_HZ: u32 = 10;
/// Where shares are traded: 1000 each, as many keys as a topic has by default.
pub(crate) const EXCHANGES: [&str; 5] = ["ALPS", "BALT", "DANU", "IBER", "NORD"];
const SHARES_OF_EACH: usize = 1000;
/// One share in so many is traded all the time: its price moves with every step.
const BUSY_ONE_IN: usize = 12;
/// Largest part of a step in which any other share moves.
const QUIET_PART_MAX: f64 = 0.02;
/// Points of a chart from before the opening, and seconds between them.
const PAST_POINTS: u32 = 300;
const PAST_STEP_S: u32 = 2;
/// Steps after which a share that stands still has another point.
const STILL_STEPS: usize = 100;
const CENTS_MIN: f64 = 100.0;
const CENTS_MAX: f64 = 900_000.0;

/// A message to publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) topic: String,
    pub(crate) key: String,
    pub(crate) payload: Vec<u8>,
}

/// A line of the board, twelve bytes: three numbers of four bytes, the lowest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Quote {
    pub(crate) cents: u32,
    /// At the opening.
    pub(crate) open_cents: u32,
    /// Shares traded since then.
    pub(crate) volume: u32,
}

/// A point of a chart, eight bytes: two numbers of four bytes, the lowest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Point {
    /// Seconds since 1970.
    pub(crate) time_s: u32,
    pub(crate) cents: u32,
}

/// All shares.
#[derive(Debug)]
pub(crate) struct Market {
    random: Random,
    shares: Vec<Share>,
    steps: usize,
}

#[derive(Debug)]
struct Share {
    symbol: String,
    name: String,
    exchange: &'static str,
    cents: f64,
    open_cents: f64,
    /// Where the price tends to.
    fair_cents: f64,
    volume: u32,
    /// The part of the steps in which it moves; 1 for all.
    moves: f64,
    /// The largest part of the price by which it moves.
    sway: f64,
}

impl Quote {
    pub(crate) fn to_bytes(self) -> Vec<u8> {
        [self.cents, self.open_cents, self.volume].map(u32::to_le_bytes).concat()
    }
}

impl Point {
    pub(crate) fn to_bytes(self) -> [u8; 8] {
        let [time_s, cents] = [self.time_s, self.cents].map(u32::to_le_bytes);
        let mut bytes = [0; 8];
        bytes[..4].copy_from_slice(&time_s);
        bytes[4..].copy_from_slice(&cents);
        bytes
    }
}

impl Market {
    /// The market of a seed, before its opening.
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let mut symbols = HashSet::new();
        let names = HEADS.iter().flat_map(|head| TAILS.iter().map(move |tail| (*head, *tail)));
        let mut names: Vec<(&str, &str)> = names.collect();
        for at in (1..names.len()).rev() {
            names.swap(at, (random.part() * (at + 1) as f64) as usize);
        }
        let count = EXCHANGES.len() * SHARES_OF_EACH;
        let shares = names.into_iter().take(count).enumerate().map(|(at, (head, tail))| {
            let cents = 10_f64.powf(3.0 + 2.2 * random.part());
            let is_busy = at % BUSY_ONE_IN == 0;
            Share {
                symbol: symbol_of(head, tail, &mut symbols),
                name: format!("{head} {tail}"),
                exchange: EXCHANGES[at % EXCHANGES.len()],
                cents,
                open_cents: cents,
                fair_cents: cents * (1.0 + 0.04 * random.sway()),
                volume: 0,
                moves: if is_busy { 1.0 } else { QUIET_PART_MAX * random.part() },
                sway: if is_busy { 0.0015 } else { 0.006 },
            }
        });
        let shares = shares.collect();
        Market { random, shares, steps: 0 }
    }

    /// What is published first: the names, how each price came about, and the board.
    pub(crate) fn open(&mut self, now_s: u32) -> Vec<Message> {
        let mut messages = Vec::with_capacity(3 * self.shares.len());
        for share in &mut self.shares {
            let name = share.name.clone().into_bytes();
            messages.push(share.message("names", name));
            let mut points = Vec::new();
            for step in (1..=PAST_POINTS).rev() {
                share.walk(&mut self.random, 3.0);
                let time_s = now_s.saturating_sub(step * PAST_STEP_S);
                points.extend(Point { time_s, cents: share.cents as u32 }.to_bytes());
            }
            messages.push(share.chart_message(points));
            messages.push(share.message("board", share.quote().to_bytes()));
        }
        messages
    }

    /// A step: what is published of the shares that moved.
    pub(crate) fn step(&mut self, now_s: u32) -> Vec<Message> {
        let mut messages = Vec::new();
        self.steps += 1;
        let turn = self.steps % TICK_HZ as usize;
        for (at, share) in self.shares.iter_mut().enumerate() {
            let is_busy = share.moves >= 1.0;
            if !is_busy && self.random.part() >= share.moves {
                // A chart has points of shares that stand still as well.
                if (self.steps + at).is_multiple_of(STILL_STEPS) {
                    messages.push(share.chart_message(share.point(now_s).to_bytes().to_vec()));
                }
                continue;
            }
            share.walk(&mut self.random, 1.0);
            messages.push(share.message("board", share.quote().to_bytes()));
            // One point a second is enough for a chart.
            if !is_busy || at / BUSY_ONE_IN % TICK_HZ as usize == turn {
                messages.push(share.chart_message(share.point(now_s).to_bytes().to_vec()));
            }
        }
        messages
    }
}

impl Share {
    fn walk(&mut self, random: &mut Random, scale: f64) {
        let pull = (self.fair_cents / self.cents - 1.0) * 0.002;
        let change = 1.0 + scale * (self.sway * random.sway() + pull);
        self.cents = (self.cents * change).clamp(CENTS_MIN, CENTS_MAX);
        self.fair_cents *= 1.0 + scale * 0.0004 * random.sway();
        let traded = 1.0 + 400.0 * random.part() * random.part();
        self.volume = self.volume.saturating_add(traded as u32);
    }

    fn point(&self, now_s: u32) -> Point {
        Point { time_s: now_s, cents: self.cents as u32 }
    }

    fn quote(&self) -> Quote {
        let (cents, open_cents) = (self.cents as u32, self.open_cents as u32);
        Quote { cents, open_cents, volume: self.volume }
    }

    fn message(&self, of: &str, payload: Vec<u8>) -> Message {
        let topic = format!("{of}/{}", self.exchange);
        Message { topic, key: self.symbol.clone(), payload }
    }

    fn chart_message(&self, payload: Vec<u8>) -> Message {
        let topic = format!("chart/{}", self.symbol);
        Message { topic, key: String::new(), payload }
    }
}

/// Four letters of the name, the last one another where those are taken.
fn symbol_of(head: &str, tail: &str, taken: &mut HashSet<String>) -> String {
    let first: String = head.chars().take(2).chain(tail.chars().take(1)).collect();
    let more = tail.chars().skip(1).chain(head.chars().skip(2)).chain('a'..='z');
    let symbols = more.map(|last| format!("{first}{last}").to_uppercase());
    let free = symbols.into_iter().find(|symbol| !taken.contains(symbol));
    // There are fewer names with the same three letters than letters.
    let symbol = free.unwrap_or_else(|| format!("{first}{}", taken.len()).to_uppercase());
    taken.insert(symbol.clone());
    symbol
}

const HEADS: [&str; 72] = [
    "Adler", "Amber", "Arctic", "Argent", "Aurora", "Avalon", "Azure", "Baltic", "Beacon", "Birch",
    "Boreal", "Bright", "Canyon", "Cedar", "Cobalt", "Copper", "Coral", "Crest", "Delta", "Drift",
    "Eagle", "Elm", "Ember", "Falcon", "Fjord", "Flint", "Forest", "Garnet", "Glacier", "Granite",
    "Harbor", "Hazel", "Heron", "Horizon", "Indigo", "Iris", "Ivory", "Jade", "Juniper", "Kestrel",
    "Lagoon", "Larch", "Linden", "Lumen", "Maple", "Marlin", "Meadow", "Mistral", "Moss", "Nimbus",
    "Nordic", "Oak", "Ocean", "Onyx", "Opal", "Orchard", "Osprey", "Pearl", "Pine", "Polar",
    "Quartz", "Raven", "Ridge", "River", "Rowan", "Saffron", "Sierra", "Silver", "Solar", "Tidal",
    "Umber", "Willow",
];
const TAILS: [&str; 72] = [
    "Air",
    "Analytics",
    "Apparel",
    "Automation",
    "Bank",
    "Batteries",
    "Beverages",
    "Biotech",
    "Bridges",
    "Cables",
    "Capital",
    "Cargo",
    "Cement",
    "Ceramics",
    "Chemicals",
    "Clinics",
    "Cloud",
    "Dairy",
    "Data",
    "Design",
    "Diagnostics",
    "Energy",
    "Engines",
    "Estates",
    "Farms",
    "Ferries",
    "Films",
    "Foods",
    "Foundry",
    "Freight",
    "Furniture",
    "Gaming",
    "Gas",
    "Glass",
    "Grid",
    "Holdings",
    "Hotels",
    "Insurance",
    "Lighting",
    "Logistics",
    "Marine",
    "Materials",
    "Media",
    "Metals",
    "Mills",
    "Mining",
    "Mobility",
    "Motors",
    "Networks",
    "Optics",
    "Packaging",
    "Paper",
    "Pharma",
    "Power",
    "Rail",
    "Recycling",
    "Renewables",
    "Retail",
    "Robotics",
    "Shipping",
    "Software",
    "Steel",
    "Storage",
    "Systems",
    "Telecom",
    "Textiles",
    "Timber",
    "Tools",
    "Travel",
    "Trust",
    "Vaccines",
    "Water",
];
