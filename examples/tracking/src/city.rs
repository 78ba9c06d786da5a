//! A city: crossings of streets, a river with bridges, and parks.

/// Width and height in metres.
pub(crate) const SIZE_M: [f64; 2] = [8000.0, 6000.0];
/// Crossings from west to east, and from north to south.
pub(crate) const COLUMNS: usize = 48;
pub(crate) const ROWS: usize = 36;
/// Every so many streets one is an avenue, with a bridge where it meets the river.
const AVENUE: usize = 6;
/// Parks: their middle, and half of their width and height, in metres.
const PARKS: [([f64; 2], [f64; 2]); 4] = [
    ([1900.0, 1500.0], [560.0, 430.0]),
    ([5900.0, 1250.0], [420.0, 520.0]),
    ([6500.0, 4750.0], [620.0, 380.0]),
    ([2350.0, 5000.0], [380.0, 300.0]),
];
/// Half of the river's width, in metres.
const RIVER_M: f64 = 95.0;
/// Points of the river's course.
const RIVER_POINTS: usize = 33;

/// A crossing's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Crossing(pub(crate) usize);

/// The crossings, and the streets between them.
#[derive(Debug)]
pub(crate) struct City {
    places: Vec<[f64; 2]>,
    neighbours: Vec<Vec<Crossing>>,
}

impl City {
    pub(crate) fn new() -> Self {
        let places: Vec<[f64; 2]> = (0..COLUMNS * ROWS).map(place).collect();
        let mut neighbours = vec![Vec::new(); places.len()];
        for from in 0..places.len() {
            for to in [from + 1, from + COLUMNS] {
                let is_row = to == from + 1;
                let is_beyond = to >= places.len() || is_row && to % COLUMNS == 0;
                if !is_beyond && is_street([places[from], places[to]], (from, is_row)) {
                    neighbours[from].push(Crossing(to));
                    neighbours[to].push(Crossing(from));
                }
            }
        }
        City { places, neighbours }
    }

    /// A crossing's place, in metres from the north-west.
    pub(crate) fn place(&self, crossing: Crossing) -> [f64; 2] {
        self.places[crossing.0]
    }

    /// Where streets lead to from a crossing; nowhere from one in a park.
    pub(crate) fn neighbours(&self, crossing: Crossing) -> &[Crossing] {
        &self.neighbours[crossing.0]
    }

    /// The map, which is published in parts: little-endian numbers of two bytes.
    ///
    /// ```text
    /// width, height                                  in metres
    /// count, then x1 y1 x2 y2 is_avenue of each      streets
    /// count, then x y of each                        the river's course
    /// half of the river's width
    /// count, then x y width height of each           parks: middles and halves
    /// ```
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut numbers = SIZE_M.to_vec();
        let streets = self.streets();
        numbers.push(streets.len() as f64);
        for (from, to) in streets {
            numbers.extend(self.place(from).into_iter().chain(self.place(to)));
            numbers.push(if is_avenue((from.0, to.0 == from.0 + 1)) { 1.0 } else { 0.0 });
        }
        numbers.push(RIVER_POINTS as f64);
        for at in 0..RIVER_POINTS {
            let x = SIZE_M[0] * at as f64 / (RIVER_POINTS - 1) as f64;
            numbers.extend([x, river_y(x)]);
        }
        numbers.extend([RIVER_M, PARKS.len() as f64]);
        numbers.extend(
            PARKS.iter().flat_map(|(middle, half)| [middle[0], middle[1], half[0], half[1]]),
        );
        numbers.iter().flat_map(|number| (number.round() as u16).to_le_bytes()).collect()
    }

    /// Each street once.
    fn streets(&self) -> Vec<(Crossing, Crossing)> {
        let of = |(from, to): (usize, &Vec<Crossing>)| {
            let later = to.iter().filter(move |to| to.0 > from);
            later.map(move |to| (Crossing(from), *to)).collect::<Vec<_>>()
        };
        self.neighbours.iter().enumerate().flat_map(of).collect()
    }
}

/// Where a crossing is: a grid that is bent a little.
fn place(number: usize) -> [f64; 2] {
    let [column, row] = [number % COLUMNS, number / COLUMNS];
    let x = SIZE_M[0] * (column as f64 + 0.5) / COLUMNS as f64;
    let y = SIZE_M[1] * (row as f64 + 0.5) / ROWS as f64;
    let bend = |along: f64, across: f64| 55.0 * (along / 900.0 + across / 2300.0).sin();
    [
        (x + bend(y, x)).clamp(0.0, SIZE_M[0]),
        (y + bend(x, y) + 25.0 * (x / 410.0).cos()).clamp(0.0, SIZE_M[1]),
    ]
}

/// The river's middle at this place.
fn river_y(x: f64) -> f64 {
    3250.0 + 520.0 * (x / 1500.0).sin() - 260.0 * (x / 700.0).cos()
}

/// True for streets that are wide, and cross the river.
fn is_avenue((from, is_row): (usize, bool)) -> bool {
    let street = if is_row { from / COLUMNS } else { from % COLUMNS };
    street % AVENUE == AVENUE / 2
}

fn is_street([from, to]: [[f64; 2]; 2], line: (usize, bool)) -> bool {
    let side = |[x, y]: [f64; 2]| (y - river_y(x)) / RIVER_M;
    let is_wet = side(from).abs() < 1.2 || side(to).abs() < 1.2 || side(from) * side(to) < 0.0;
    let is_green = |[x, y]: [f64; 2]| {
        PARKS.iter().any(|(middle, half)| {
            let [dx, dy] = [(x - middle[0]) / half[0], (y - middle[1]) / half[1]];
            dx * dx + dy * dy < 1.1
        })
    };
    // An avenue crosses the river, but does not run in it.
    let is_bridge = is_avenue(line) && !line.1;
    (is_bridge || !is_wet) && !is_green(from) && !is_green(to)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn all_streets_are_of_one_net_and_the_map_has_few_parts() {
        let city = City::new();
        let first = (0..COLUMNS * ROWS).map(Crossing).find(|it| !city.neighbours(*it).is_empty());
        let (mut seen, mut open) = (HashSet::new(), vec![first.unwrap()]);
        while let Some(at) = open.pop() {
            if seen.insert(at.0) {
                open.extend(city.neighbours(at));
            }
        }
        let with_streets =
            (0..COLUMNS * ROWS).filter(|it| !city.neighbours(Crossing(*it)).is_empty());
        let apart = with_streets.filter(|it| !seen.contains(it)).count();
        assert!(seen.len() > 1000 && apart < 12, "{} of one net, {apart} not", seen.len());
        let map = city.to_bytes();
        assert!((10_000..40_000).contains(&map.len()), "{}", map.len());
        assert_eq!(&map[..4], [8000_u16.to_le_bytes(), 6000_u16.to_le_bytes()].concat());
    }
}
