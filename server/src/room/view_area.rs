//! A client's view in one tick, as areas.

use glam::Vec3;
use tickwire_shared::{Area, EntityId, Groups, PlayerId, View, Viewer};

use super::slot_summary::SlotSummary;

/// An entity in view stays in view up to this multiple of an area's reach.
pub(super) const HYSTERESIS: f32 = 1.1;
/// A move or a change in size by more than this share of an area makes another view.
const ANOTHER: f32 = 0.1;

/// A client's view in one tick.
#[derive(Clone, Copy, Debug)]
pub(super) struct ViewArea {
    is_everywhere: bool,
    /// The shown areas first, then the excepted ones; the rest is unused.
    areas: [Area; View::AREAS_MAX],
    shown: u8,
    count: u8,
    /// Places beyond this share of an area's reach are far.
    far_from: f32,
}

/// The relation of a place to a view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    Hidden,
    Far,
    Near,
}

/// The limits of one member's sight in one tick: areas for places, groups and the game for
/// restricted entities.
pub(super) struct MemberView<'a> {
    pub(super) viewer: Viewer,
    pub(super) area: &'a ViewArea,
    pub(super) groups: Groups,
    /// The game's answer for a checked entity.
    pub(super) can_see: &'a dyn Fn(EntityId) -> bool,
}

impl MemberView<'_> {
    /// The owner of the member's own entities; 0 for a spectator, which the game may know as a
    /// player that left.
    pub(super) fn owner(&self) -> PlayerId {
        self.viewer.player().unwrap_or_default()
    }

    /// True if an entity is the member's own.
    pub(super) fn owns(&self, summary: &SlotSummary) -> bool {
        summary.owner != 0 && summary.owner == self.owner().0
    }
}

impl ViewArea {
    /// Places beyond `far_from_percent` of an area's reach are far.
    pub(super) fn new(view: View, far_from_percent: u32) -> Self {
        let view = view.without_faults();
        let mut area = ViewArea {
            is_everywhere: view.is_everywhere(),
            areas: [Area::sphere(Vec3::ZERO, 0.0); View::AREAS_MAX],
            shown: view.areas().count() as u8,
            count: 0,
            far_from: far_from_percent as f32 / 100.0,
        };
        for of_view in view.areas().chain(view.excepted_areas()) {
            area.areas[usize::from(area.count)] = of_view;
            area.count += 1;
        }
        area
    }

    /// True if every place is in view, and near.
    #[inline]
    pub(super) fn is_everything(&self) -> bool {
        self.is_everywhere && !self.has_excepted()
    }

    /// True if all places but the excepted ones are in view.
    pub(super) fn is_everywhere(&self) -> bool {
        self.is_everywhere
    }

    /// True if some places are excepted.
    #[inline]
    pub(super) fn has_excepted(&self) -> bool {
        self.shown < self.count
    }

    /// The shown areas.
    #[inline]
    pub(super) fn areas(&self) -> &[Area] {
        &self.areas[..usize::from(self.shown)]
    }

    /// The relation of `place` to the view. NaN, an entity without a place, is near everywhere; an
    /// infinite place is visible only in a view of everything.
    #[inline]
    pub(super) fn reach(&self, place: Vec3, seen_before: bool) -> Reach {
        if place.x.is_nan() || self.is_everything() {
            return Reach::Near;
        }
        if place.x == f32::INFINITY || self.has_excepted() && self.excepts(place, seen_before) {
            return Reach::Hidden;
        }
        if self.is_everywhere {
            return Reach::Near;
        }
        let scale = if seen_before { HYSTERESIS } else { 1.0 };
        let mut reach = Reach::Hidden;
        for area in self.areas().iter().filter(|area| area.contains(place, scale)) {
            if area.contains(place, self.far_from) {
                return Reach::Near;
            }
            reach = Reach::Far;
        }
        reach
    }

    /// True if the view differs so much from `other` that another look is due.
    pub(super) fn is_another(&self, other: &ViewArea) -> bool {
        let mut areas = self.areas().iter().zip(other.areas());
        (self.is_everywhere, self.shown) != (other.is_everywhere, other.shown)
            || areas.any(|(now, then)| differ(*now, *then))
    }

    /// An entity that leaves an excepted area is shown only some way beyond it.
    fn excepts(&self, place: Vec3, seen_before: bool) -> bool {
        let scale = if seen_before { 1.0 } else { HYSTERESIS };
        let excepted = &self.areas[usize::from(self.shown)..usize::from(self.count)];
        excepted.iter().any(|area| area.contains(place, scale))
    }
}

impl Reach {
    pub(super) fn is_seen(self) -> bool {
        self != Reach::Hidden
    }

    pub(super) fn is_near(self) -> bool {
        self == Reach::Near
    }
}

fn differ(now: Area, then: Area) -> bool {
    let (was, is) = (then.half_size(), now.half_size());
    let moved = (now.center() - then.center()).abs();
    // Two infinite sizes are the same, though their difference is NaN.
    let grown = (is - was).abs();
    moved.cmpgt(was * ANOTHER).any() || (grown.cmpgt(was * ANOTHER) & is.cmpne(was)).any()
}

/// The place, or infinity if any number of it is invalid: only views of everything show an entity
/// there.
pub(super) fn known_place(place: Vec3) -> Vec3 {
    if place.is_finite() { place } else { Vec3::INFINITY }
}

#[cfg(test)]
mod tests {
    use glam::Vec2;

    use super::*;

    fn at(x: f32) -> Vec3 {
        Vec3::new(x, 0.0, 0.0)
    }

    #[test]
    fn an_entity_in_view_stays_so_a_little_beyond_the_edge() {
        let circle = View::circle(Vec2::ZERO, 100.0);
        let rectangle = View::rectangle(Vec2::ZERO, Vec2::new(100.0, 7.0));
        for view in [circle, rectangle] {
            let area = ViewArea::new(view, 50);
            assert_eq!(area.reach(at(99.0), false), Reach::Far);
            assert_eq!(area.reach(at(101.0), false), Reach::Hidden);
            assert_eq!(area.reach(at(-109.0), true), Reach::Far);
            assert_eq!(area.reach(at(111.0), true), Reach::Hidden);
            assert_eq!(area.reach(Vec3::NAN, false), Reach::Near, "it has no place");
            assert_eq!(area.reach(at(49.0), false), Reach::Near);
            assert_eq!(area.reach(at(51.0), false), Reach::Far);
            assert_eq!(area.reach(Vec3::INFINITY, true), Reach::Hidden);
        }
    }

    #[test]
    fn an_excepted_area_hides_at_once_and_shows_again_a_little_beyond_its_edge() {
        let fog = Area::circle(Vec2::ZERO, 100.0);
        let area = ViewArea::new(View::everything().except(fog), 50);
        assert_eq!(area.reach(at(99.0), true), Reach::Hidden);
        assert_eq!(area.reach(at(101.0), true), Reach::Near);
        assert_eq!(area.reach(at(109.0), false), Reach::Hidden);
        assert_eq!(area.reach(at(111.0), false), Reach::Near);
        assert_eq!(area.reach(Vec3::INFINITY, true), Reach::Hidden);
    }

    #[test]
    fn of_several_areas_the_nearest_counts() {
        let other = Area::circle(Vec2::new(120.0, 0.0), 100.0);
        let area = ViewArea::new(View::circle(Vec2::ZERO, 100.0).and(other), 50);
        assert_eq!(area.reach(at(80.0), false), Reach::Near, "far from one, near the other");
        assert_eq!(area.reach(at(60.0), false), Reach::Far);
        assert_eq!(area.reach(at(221.0), false), Reach::Hidden);
        let too = ViewArea::new(View::everything().and(other), 50);
        assert_eq!(too.reach(at(60.0), false), Reach::Near);
    }

    #[test]
    fn a_view_of_everything_has_no_edge() {
        let area = ViewArea::new(View::everything(), 50);
        assert_eq!(area.reach(Vec3::splat(1e9), false), Reach::Near);
        assert_eq!(area.reach(Vec3::INFINITY, false), Reach::Near);
    }

    #[test]
    fn a_view_that_moves_by_a_tenth_or_zooms_is_another_one() {
        let view = |x: f32, radius: f32| ViewArea::new(View::sphere(at(x), radius), 50);
        let before = view(0.0, 100.0);
        assert!(!view(9.0, 105.0).is_another(&before));
        assert!(view(11.0, 100.0).is_another(&before));
        assert!(view(0.0, 120.0).is_another(&before));
        assert!(ViewArea::new(View::everything(), 50).is_another(&before));
        let column = |x: f32| {
            let half = Vec3::new(50.0, f32::INFINITY, 50.0);
            ViewArea::new(View::cuboid(at(x), half), 50)
        };
        assert!(!column(4.0).is_another(&column(0.0)));
        assert!(column(6.0).is_another(&column(0.0)));
    }
}
