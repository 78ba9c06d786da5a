//! Who sees what.

use glam::Vec2;
use tickwire_shared::View;

/// An entity already seen is kept until it is so much farther away than the radius.
const HYSTERESIS: f32 = 1.1;

/// A client's view in one tick.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sight {
    center: Vec2,
    radius_squared: f32,
    radius_seen_squared: f32,
}

impl Sight {
    pub(super) fn new(view: View) -> Self {
        let (center, radius) = match view {
            View::Everything => (Vec2::ZERO, f32::INFINITY),
            View::Circle { center, radius } => (center, radius),
        };
        let seen = radius * HYSTERESIS;
        Sight { center, radius_squared: radius * radius, radius_seen_squared: seen * seen }
    }

    /// The square of the distance of `place`; not a number for no place.
    #[inline]
    pub(super) fn distance_squared(&self, place: Vec2) -> f32 {
        self.center.distance_squared(place)
    }

    /// Whether something at that distance is seen. What has no place always is.
    #[inline]
    pub(super) fn reaches(&self, distance_squared: f32, seen_before: bool) -> bool {
        let reach = if seen_before { self.radius_seen_squared } else { self.radius_squared };
        distance_squared <= reach || distance_squared.is_nan()
    }

    /// How much something at that distance matters, from 1 at the centre to a half at the edge.
    pub(super) fn nearness(&self, distance_squared: f32) -> f32 {
        let part = (distance_squared / self.radius_squared.max(1.0)).sqrt();
        if part.is_nan() { 1.0 } else { 1.0 / (1.0 + part) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_seen_stays_a_little_beyond_the_edge() {
        let sight = Sight::new(View::Circle { center: Vec2::ZERO, radius: 100.0 });
        let at = |x| sight.distance_squared(Vec2::new(x, 0.0));
        assert!(sight.reaches(at(99.0), false));
        assert!(!sight.reaches(at(101.0), false));
        assert!(sight.reaches(at(109.0), true));
        assert!(!sight.reaches(at(111.0), true));
        assert!(sight.reaches(at(f32::NAN), false), "what has no place is seen everywhere");
        assert!(sight.nearness(at(0.0)) > sight.nearness(at(90.0)));
    }

    #[test]
    fn who_sees_everything_sees_it_at_any_distance() {
        let sight = Sight::new(View::Everything);
        let far = sight.distance_squared(Vec2::splat(1e9));
        assert!(sight.reaches(far, false));
        assert_eq!(sight.nearness(far), 1.0);
    }
}
