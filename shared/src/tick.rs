use serde::{Deserialize, Serialize};

/// Longest gap between two ticks that can be told from low bits, with some to spare. A client that
/// hears nothing of a room for longer starts afresh: see
/// [`ServerFrame::Resync`](crate::control::ServerFrame::Resync).
pub const GAP_TICKS_MAX: i32 = 30_000;

/// A step of the simulation, counted from the room's start. At 60 Hz a `u32` lasts 2.2 years; then
/// a room continues at 1. Compare two ticks with [`Tick::since`], which is right across that as
/// well.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Tick(pub u32);

impl Tick {
    /// The tick after this one.
    pub fn next(self) -> Tick {
        Tick(self.0.wrapping_add(1))
    }

    /// Ticks from `earlier` to this one; negative when `earlier` is later.
    pub fn since(self, earlier: Tick) -> i32 {
        self.0.wrapping_sub(earlier.0) as i32
    }

    /// This tick moved by `ticks`, which may be negative.
    pub fn offset(self, ticks: i32) -> Tick {
        Tick(self.0.wrapping_add_signed(ticks))
    }

    /// The low 16 bits, as sent in datagrams.
    pub fn low16(self) -> u16 {
        self.0 as u16
    }

    /// The tick nearest to `near` whose low 16 bits are `low`.
    ///
    /// Right if the two are less than 32768 ticks apart (nine minutes at 60 Hz).
    pub fn expand(low: u16, near: Tick) -> Tick {
        near.offset(i32::from(low.wrapping_sub(near.low16()) as i16))
    }
}

#[cfg(test)]
mod tests {
    use super::Tick;

    #[test]
    fn sixteen_bits_expand_to_the_nearest_tick() {
        for near in [0u32, 5, 40_000, 65_535, 65_536, 1 << 20, u32::MAX - 3] {
            for distance in [-32_768i32, -32_767, -128, -1, 0, 1, 128, 32_767] {
                let tick = Tick(near).offset(distance);
                assert_eq!(Tick::expand(tick.low16(), Tick(near)), tick);
            }
        }
    }
}
