//! Couriers who ride through a city. They read no clock: each step is a fixed time.

use crate::city::{City, Crossing, SIZE_M};
use crate::dice::Dice;

/// Couriers.
pub(crate) const COURIERS: usize = 1000;
/// Steps a second.
pub(crate) const STEP_HZ: u32 = 20;
/// A courier tells of its place at every so many steps: twice a second.
const TELL_STEPS: usize = 10;
/// Edge of a tile, in metres.
const TILE_M: f64 = 1000.0;
/// A unit of a told place is so much of a metre: two bytes hold the city.
const UNITS_PER_M: f64 = 8.0;
/// Metres a second, the slowest and the fastest.
const SPEED_M: [f64; 2] = [3.5, 8.5];
/// The part of crossings at which a courier hands over or takes something, and waits.
const STOP_PART: f64 = 0.04;
const STOP_STEPS: f64 = 300.0;

/// What becomes of a courier in a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    /// The topic of its tile.
    pub(crate) topic: String,
    /// The courier.
    pub(crate) key: String,
    /// Where it is: `x`, `y` in eighths of a metre, two bytes each with the lowest first; then its state.
    pub(crate) payload: Vec<u8>,
    /// The tile that it has left.
    pub(crate) left: Option<String>,
}

/// All couriers.
#[derive(Debug)]
pub(crate) struct Fleet {
    city: City,
    dice: Dice,
    couriers: Vec<Courier>,
    steps: usize,
}

#[derive(Debug)]
struct Courier {
    from: Crossing,
    to: Crossing,
    /// Metres from `from`.
    ridden_m: f64,
    speed_m: f64,
    /// Steps until it goes on.
    stop: usize,
    has_parcel: bool,
    tile: Option<[u32; 2]>,
}

impl Fleet {
    pub(crate) fn new(city: City, seed: u64) -> Self {
        let mut fleet = Fleet { city, dice: Dice::new(seed), couriers: Vec::new(), steps: 0 };
        while fleet.couriers.len() < COURIERS {
            let courier = fleet.courier();
            fleet.couriers.extend(courier);
        }
        fleet
    }

    pub(crate) fn city(&self) -> &City {
        &self.city
    }

    /// One on any street.
    fn courier(&mut self) -> Option<Courier> {
        use crate::city::{COLUMNS, ROWS};
        let from = Crossing(self.dice.one_of(COLUMNS * ROWS));
        let streets = self.city.neighbours(from);
        // Those of a street that leads nowhere else could only turn about.
        let to = *streets.get(self.dice.one_of(streets.len()))?;
        let speed_m = SPEED_M[0] + (SPEED_M[1] - SPEED_M[0]) * self.dice.part();
        let (ridden_m, has_parcel) = (0.0, self.dice.part() < 0.6);
        Some(Courier { from, to, ridden_m, speed_m, stop: 0, has_parcel, tile: None })
    }

    /// One step of all couriers. Returns what those say whose turn it is.
    pub(crate) fn step(&mut self) -> Vec<Told> {
        self.steps += 1;
        let turn = self.steps % TELL_STEPS;
        let mut told = Vec::new();
        for number in 0..self.couriers.len() {
            self.ride(number);
            if number % TELL_STEPS == turn {
                told.push(self.tell(number));
            }
        }
        told
    }

    fn ride(&mut self, number: usize) {
        let Fleet { city, dice, couriers, .. } = self;
        let courier = &mut couriers[number];
        if courier.stop > 0 {
            courier.stop -= 1;
            return;
        }
        courier.ridden_m += courier.speed_m / f64::from(STEP_HZ);
        let [from, to] = [courier.from, courier.to].map(|it| city.place(it));
        let length_m = (to[0] - from[0]).hypot(to[1] - from[1]);
        if courier.ridden_m < length_m {
            return;
        }
        if dice.part() < STOP_PART {
            courier.stop = (STOP_STEPS * dice.part()) as usize;
            courier.has_parcel = !courier.has_parcel;
        }
        courier.ridden_m -= length_m;
        let ahead: Vec<Crossing> =
            city.neighbours(courier.to).iter().copied().filter(|it| *it != courier.from).collect();
        // Straight on is likelier than a turn.
        let straight = Crossing((2 * courier.to.0).wrapping_sub(courier.from.0));
        let next = match ahead.len() {
            0 => courier.from,
            _ if ahead.contains(&straight) && dice.part() < 0.6 => straight,
            count => ahead[dice.one_of(count)],
        };
        (courier.from, courier.to) = (courier.to, next);
    }

    fn tell(&mut self, number: usize) -> Told {
        let courier = &mut self.couriers[number];
        let [from, to] = [courier.from, courier.to].map(|it| self.city.place(it));
        let length_m = (to[0] - from[0]).hypot(to[1] - from[1]).max(1.0);
        let part = (courier.ridden_m / length_m).clamp(0.0, 1.0);
        let at = [0, 1].map(|axis| from[axis] + (to[axis] - from[axis]) * part);
        let tile = [0, 1].map(|axis| (at[axis].min(SIZE_M[axis] - 1.0) / TILE_M) as u32);
        let left = courier.tile.replace(tile).filter(|before| *before != tile).map(topic_of);
        let state = u8::from(courier.has_parcel) | u8::from(courier.stop > 0) << 1;
        let [x, y] = at.map(|at| ((at * UNITS_PER_M) as u16).to_le_bytes());
        let payload = [x[0], x[1], y[0], y[1], state].to_vec();
        Told { topic: topic_of(tile), key: format!("c{number:03}"), payload, left }
    }
}

fn topic_of([x, y]: [u32; 2]) -> String {
    format!("couriers/{x}/{y}")
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn each_courier_is_in_one_tile_and_rides_no_faster_than_it_can() {
        let mut fleet = Fleet::new(City::new(), 1);
        let mut tiles: HashMap<String, String> = HashMap::new();
        let mut places: HashMap<String, [f64; 2]> = HashMap::new();
        let (mut moves, mut crossed) = (0, 0);
        for _ in 0..STEP_HZ * 60 {
            for Told { topic, key, payload, left } in fleet.step() {
                assert_eq!(
                    left,
                    tiles.insert(key.clone(), topic.clone()).filter(|it| *it != topic)
                );
                crossed += usize::from(left.is_some());
                let number =
                    |at: usize| f64::from(u16::from_le_bytes([payload[at], payload[at + 1]]));
                let place = [number(0) / UNITS_PER_M, number(2) / UNITS_PER_M];
                if let Some(before) = places.insert(key, place) {
                    let metres = (place[0] - before[0]).hypot(place[1] - before[1]);
                    assert!(metres <= SPEED_M[1] / 2.0 + 0.5, "{metres} m in half a second");
                    moves += usize::from(metres > 1.0);
                }
            }
        }
        assert_eq!(tiles.len(), COURIERS);
        assert!(moves > 80_000 && crossed > 300, "{moves} moves, {crossed} to other tiles");
    }
}
