//! What a delta is coded against.

/// What a delta is coded against.
#[derive(Clone, Copy, Debug)]
pub struct Baseline<'a> {
    /// Its lanes.
    pub lanes: &'a [i32],
    /// How many ticks ago it was.
    pub ticks: u32,
    /// An older state, from which a [model](crate::model) tells how the entity moves.
    pub second: Option<SecondBaseline<'a>>,
}

/// An older state than the baseline.
#[derive(Clone, Copy, Debug)]
pub struct SecondBaseline<'a> {
    /// Its lanes.
    pub lanes: &'a [i32],
    /// How many ticks before the baseline it was.
    pub ticks: u32,
}

impl<'a> Baseline<'a> {
    /// One baseline, without a second.
    pub fn new(lanes: &'a [i32], ticks: u32) -> Self {
        Baseline { lanes, ticks, second: None }
    }
}
