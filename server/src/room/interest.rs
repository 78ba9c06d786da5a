//! Who sees what.

use glam::Vec2;
use tickwire_shared::View;

/// An entity already seen is kept until it is so much farther away than the radius.
const HYSTERESIS: f32 = 1.1;

/// A client's view in one tick.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sight {
    view: View,
}

impl Sight {
    pub(super) fn new(view: View) -> Self {
        Sight { view }
    }

    /// How much an entity at `place` matters, from 1 at the centre to a half at the edge; `None` when
    /// it is not seen.
    #[inline]
    pub(super) fn nearness(&self, place: Option<Vec2>, seen_before: bool) -> Option<f32> {
        let (View::Circle { center, radius }, Some(place)) = (self.view, place) else {
            return Some(1.0);
        };
        let squared = center.distance_squared(place);
        let reach = if seen_before { radius * HYSTERESIS } else { radius };
        (squared <= reach * reach).then(|| 1.0 / (1.0 + squared.sqrt() / radius.max(1.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_seen_stays_a_little_beyond_the_edge() {
        let sight = Sight::new(View::Circle { center: Vec2::ZERO, radius: 100.0 });
        let at = |x| Some(Vec2::new(x, 0.0));
        assert!(sight.nearness(at(99.0), false).is_some());
        assert!(sight.nearness(at(101.0), false).is_none());
        assert!(sight.nearness(at(109.0), true).is_some());
        assert!(sight.nearness(at(111.0), true).is_none());
        assert!(sight.nearness(None, false).is_some());
        assert!(sight.nearness(at(0.0), false) > sight.nearness(at(90.0), false));
    }
}
