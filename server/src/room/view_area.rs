//! A client's view in one tick: which places it reaches.

use glam::Vec2;
use tickwire_shared::View;

/// An entity already seen is kept until it is so much farther away than the radius.
const HYSTERESIS: f32 = 1.1;

/// A client's view in one tick.
#[derive(Clone, Copy, Debug)]
pub(super) struct ViewArea {
    pub(super) center: Vec2,
    pub(super) radius_squared: f32,
    /// The same for what is seen already.
    pub(super) radius_seen_squared: f32,
    far_squared: f32,
}

impl ViewArea {
    /// Nothing but what has no place.
    const NOTHING: ViewArea = ViewArea {
        center: Vec2::ZERO,
        radius_squared: -1.0,
        radius_seen_squared: -1.0,
        far_squared: -1.0,
    };

    /// What is beyond `far_from_percent` of the view's radius is far.
    pub(super) fn new(view: View, far_from_percent: u32) -> Self {
        let (center, radius) = match view {
            View::Everything => (Vec2::ZERO, f32::INFINITY),
            View::Circle { center, radius } if center.is_finite() && radius >= 0.0 => {
                (center, radius)
            }
            View::Circle { .. } => return ViewArea::NOTHING,
        };
        let seen = radius * HYSTERESIS;
        let far = radius * far_from_percent as f32 / 100.0;
        ViewArea {
            center,
            radius_squared: radius * radius,
            radius_seen_squared: seen * seen,
            far_squared: far * far,
        }
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

    /// Whether something at that distance is near. What has no place always is.
    #[inline]
    pub(super) fn is_near(&self, distance_squared: f32) -> bool {
        distance_squared <= self.far_squared || distance_squared.is_nan()
    }
}

/// A place that is none, as a calculation that went wrong leaves it, is out of everybody's sight but theirs who
/// see everything.
pub(super) fn known_place(place: Vec2) -> Vec2 {
    if place.is_finite() { place } else { Vec2::INFINITY }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_seen_stays_a_little_beyond_the_edge() {
        let view_area = ViewArea::new(View::Circle { center: Vec2::ZERO, radius: 100.0 }, 50);
        let at = |x| view_area.distance_squared(Vec2::new(x, 0.0));
        assert!(view_area.reaches(at(99.0), false));
        assert!(!view_area.reaches(at(101.0), false));
        assert!(view_area.reaches(at(109.0), true));
        assert!(!view_area.reaches(at(111.0), true));
        assert!(view_area.reaches(at(f32::NAN), false), "what has no place is seen everywhere");
        assert!(view_area.is_near(at(49.0)) && !view_area.is_near(at(51.0)));
    }

    #[test]
    fn who_sees_everything_sees_it_at_any_distance() {
        let view_area = ViewArea::new(View::Everything, 50);
        let far = view_area.distance_squared(Vec2::splat(1e9));
        assert!(view_area.reaches(far, false));
    }
}
