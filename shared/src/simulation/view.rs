//! What a viewer is shown.

use glam::{Vec2, Vec3};

use super::{Groups, PlayerId, Position};

/// Who sees a [`View`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Viewer {
    /// A player with a seat.
    Player(PlayerId),
    /// Someone who watches. The id is the session's; the game was never told of it.
    Spectator(PlayerId),
}

impl Viewer {
    /// The session's number.
    pub fn id(self) -> PlayerId {
        match self {
            Viewer::Player(id) | Viewer::Spectator(id) => id,
        }
    }

    /// The player, if it is one.
    pub fn player(self) -> Option<PlayerId> {
        match self {
            Viewer::Player(player) => Some(player),
            Viewer::Spectator(_) => None,
        }
    }
}

/// A part of the world, its edge included. Those of two dimensions lie where the third coordinate is 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Area {
    /// Places no farther than `radius` from `center`.
    Sphere {
        /// The middle, in the game's units.
        center: Vec3,
        /// In the game's units; may be infinite.
        radius: f32,
    },
    /// Places no farther than `half_size` from `center` along each axis.
    Cuboid {
        /// The middle, in the game's units.
        center: Vec3,
        /// Half of its sides, in the game's units; may be infinite.
        half_size: Vec3,
    },
}

impl Area {
    /// A circle of two dimensions.
    pub const fn circle(center: Vec2, radius: f32) -> Self {
        Area::Sphere { center: center.extend(0.0), radius }
    }

    /// A rectangle of two dimensions; `half_size` is half of its sides.
    pub const fn rectangle(center: Vec2, half_size: Vec2) -> Self {
        Area::Cuboid { center: center.extend(0.0), half_size: half_size.extend(0.0) }
    }

    /// A sphere.
    pub const fn sphere(center: Vec3, radius: f32) -> Self {
        Area::Sphere { center, radius }
    }

    /// A box; `half_size` is half of its sides. An infinite one has no bounds along its axis.
    pub const fn cuboid(center: Vec3, half_size: Vec3) -> Self {
        Area::Cuboid { center, half_size }
    }

    /// The middle.
    pub const fn center(self) -> Vec3 {
        match self {
            Area::Sphere { center, .. } | Area::Cuboid { center, .. } => center,
        }
    }

    /// The radius along each axis, or half of the sides.
    pub const fn half_size(self) -> Vec3 {
        match self {
            Area::Sphere { radius, .. } => Vec3::splat(radius),
            Area::Cuboid { half_size, .. } => half_size,
        }
    }

    /// Whether `place` is in it once its radius or sides are `scale` times as long. No number is nowhere.
    #[inline]
    pub fn contains(self, place: Vec3, scale: f32) -> bool {
        match self {
            Area::Sphere { center, radius } => {
                let reach = radius * scale;
                center.distance_squared(place) <= reach * reach
            }
            Area::Cuboid { center, half_size } => {
                (place - center).abs().cmple(half_size * scale).all()
            }
        }
    }

    /// Whether it is somewhere: its middle is finite, and no size of it is below zero or no number.
    pub fn is_valid(self) -> bool {
        self.center().is_finite() && self.half_size().cmpge(Vec3::ZERO).all()
    }
}

/// The part of the world that someone is shown: places, and the groups that the viewer is in.
///
/// What was captured without a place is in every area, and players see what they own wherever it is. An entity already
/// seen is kept until it is a tenth farther away than an area reaches.
///
/// ```
/// use tickwire_shared::glam::{Vec2, Vec3};
/// use tickwire_shared::{Area, Groups, View};
///
/// // A player of team 1, who sees as far as 60 units.
/// let _ = View::circle(Vec2::new(3.0, 4.0), 60.0).in_groups(Groups::of(1));
/// // Two halves of one screen.
/// let _ = View::circle(Vec2::ZERO, 60.0).and(Area::circle(Vec2::new(300.0, 0.0), 60.0));
/// // Everything but what is in the fog.
/// let _ = View::everything().except(Area::rectangle(Vec2::ZERO, Vec2::new(20.0, 10.0)));
/// // In three dimensions; a cylinder's place is taken by a box without bounds along one axis.
/// let _ = View::sphere(Vec3::ZERO, 80.0);
/// let _ = View::cuboid(Vec3::ZERO, Vec3::new(80.0, f32::INFINITY, 80.0));
/// ```
///
/// A place or an area that is not finite, or a size that is no number or below zero, hides what it would have shown; an
/// area like that which is excepted hides everything that has a place. Sizes may be infinite.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct View {
    is_everywhere: bool,
    areas: [Area; View::AREAS_MAX],
    count: u8,
    /// Bit `n` says that area `n` is excepted.
    excepted: u8,
    is_too_many: bool,
    groups: Groups,
}

impl View {
    /// Areas that a view has at most, those excepted included. With more of them it shows nothing that has a place.
    pub const AREAS_MAX: usize = 8;

    /// All places.
    pub const fn everything() -> Self {
        View { is_everywhere: true, ..View::nothing() }
    }

    /// No place: what has none is shown, and what the viewer owns.
    pub const fn nothing() -> Self {
        View {
            is_everywhere: false,
            areas: [Area::circle(Vec2::ZERO, 0.0); View::AREAS_MAX],
            count: 0,
            excepted: 0,
            is_too_many: false,
            groups: Groups::NONE,
        }
    }

    /// A circle of two dimensions.
    pub fn circle(center: Vec2, radius: f32) -> Self {
        Area::circle(center, radius).into()
    }

    /// A rectangle of two dimensions; `half_size` is half of its sides.
    pub fn rectangle(center: Vec2, half_size: Vec2) -> Self {
        Area::rectangle(center, half_size).into()
    }

    /// A sphere.
    pub fn sphere(center: Vec3, radius: f32) -> Self {
        Area::sphere(center, radius).into()
    }

    /// A box; `half_size` is half of its sides. An infinite one has no bounds along its axis.
    pub fn cuboid(center: Vec3, half_size: Vec3) -> Self {
        Area::cuboid(center, half_size).into()
    }

    /// And `area`, as in a split screen.
    #[must_use]
    pub fn and(self, area: Area) -> Self {
        self.with(area, 0)
    }

    /// But not what is in `area`, whatever else shows it. What is in it is hidden at once; what comes out is shown when it
    /// is a tenth farther away than the area reaches.
    #[must_use]
    pub fn except(self, area: Area) -> Self {
        self.with(area, 1)
    }

    /// By someone in all of `groups`, who sees what is [`only_for`](super::Captured::only_for) one of them.
    #[must_use]
    pub const fn in_groups(self, groups: Groups) -> Self {
        View { groups, ..self }
    }

    /// The groups that the viewer is in.
    pub const fn groups(&self) -> Groups {
        self.groups
    }

    /// Whether all places are shown, but for the [areas excepted](View::excepted_areas).
    pub const fn is_everywhere(&self) -> bool {
        self.is_everywhere
    }

    /// The areas that are shown.
    pub fn areas(&self) -> impl Iterator<Item = Area> + '_ {
        self.areas_of(0)
    }

    /// The areas that are not, whatever else shows them.
    pub fn excepted_areas(&self) -> impl Iterator<Item = Area> + '_ {
        self.areas_of(1)
    }

    /// Whether an area is no number, or there are more than [`View::AREAS_MAX`].
    pub fn is_faulty(&self) -> bool {
        let is_no_number = |area: &Area| area.center().is_nan() || area.half_size().is_nan();
        self.is_too_many || self.areas[..usize::from(self.count)].iter().any(is_no_number)
    }

    /// The same without areas that are nowhere. Where one of those is excepted, or there were too many, it is
    /// [`View::nothing`].
    #[must_use]
    pub fn without_faults(self) -> Self {
        let nothing = View::nothing().in_groups(self.groups);
        if self.is_too_many || !self.excepted_areas().all(Area::is_valid) {
            return nothing;
        }
        if self.areas().all(Area::is_valid) {
            return self;
        }
        let shown = self.areas().filter(|area| area.is_valid());
        let base = View { is_everywhere: self.is_everywhere, ..nothing };
        let view = shown.fold(base, View::and);
        self.excepted_areas().fold(view, View::except)
    }

    /// Whether someone who sees nothing yet sees `place`, groups aside.
    pub fn contains(&self, place: impl Into<Position>) -> bool {
        let (Position(place), view) = (place.into(), self.without_faults());
        let shown = place.is_finite() && view.areas().any(|area| area.contains(place, 1.0));
        let mut excepted = view.excepted_areas();
        let is_but = place.is_finite() || view.excepted == 0;
        (view.is_everywhere && is_but || shown) && !excepted.any(|area| area.contains(place, 1.0))
    }

    fn areas_of(&self, is_excepted: u8) -> impl Iterator<Item = Area> + '_ {
        let areas = self.areas[..usize::from(self.count)].iter().enumerate();
        areas
            .filter_map(move |(at, area)| (self.excepted >> at & 1 == is_excepted).then_some(*area))
    }

    fn with(mut self, area: Area, is_excepted: u8) -> Self {
        let Some(place) = self.areas.get_mut(usize::from(self.count)) else {
            return View { is_too_many: true, ..self };
        };
        *place = area;
        self.excepted |= is_excepted << self.count;
        self.count += 1;
        self
    }
}

impl From<Area> for View {
    fn from(area: Area) -> Self {
        View::nothing().and(area)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_shows_its_areas_but_for_those_excepted() {
        let view = View::circle(Vec2::ZERO, 10.0)
            .and(Area::rectangle(Vec2::new(100.0, 0.0), Vec2::new(20.0, 5.0)))
            .except(Area::circle(Vec2::new(110.0, 0.0), 3.0));
        let shown = [(0.0, 10.0), (80.0, -5.0), (114.0, 0.0)];
        let hidden = [(0.0, 10.1), (79.9, 0.0), (100.0, 5.1), (110.0, 0.0), (f32::NAN, 0.0)];
        for (is_shown, places) in [(true, &shown[..]), (false, &hidden[..])] {
            for &(x, y) in places {
                assert_eq!(view.contains(Vec2::new(x, y)), is_shown, "{x} {y}");
            }
        }
        assert!(!view.contains(Vec3::new(0.0, 0.0, 11.0)), "a circle is a sphere there");
    }

    #[test]
    fn a_box_without_bounds_along_an_axis_is_a_column() {
        let view = View::cuboid(Vec3::ZERO, Vec3::new(5.0, f32::INFINITY, 5.0));
        assert!(view.contains(Vec3::new(5.0, 1e30, -5.0)));
        assert!(!view.contains(Vec3::new(5.1, 0.0, 0.0)));
    }

    #[test]
    fn what_is_nowhere_shows_nothing() {
        let nan = Vec2::new(f32::NAN, 0.0);
        let nowhere = [
            Area::circle(nan, 5.0),
            Area::circle(Vec2::INFINITY, 5.0),
            Area::circle(Vec2::ZERO, f32::NAN),
            Area::circle(Vec2::ZERO, -5.0),
            Area::rectangle(Vec2::ZERO, nan),
            Area::rectangle(Vec2::ZERO, Vec2::new(-1.0, 5.0)),
        ];
        for area in nowhere {
            assert!(!View::from(area).contains(Vec2::ZERO), "{area:?}");
            let beside = View::circle(Vec2::ZERO, 1.0).and(area);
            assert!(beside.contains(Vec2::ZERO), "the other one stands: {area:?}");
            let but = View::everything().except(area);
            assert!(!but.contains(Vec2::ZERO), "what is not known is not shown: {area:?}");
        }
    }

    #[test]
    fn more_areas_than_fit_show_nothing() {
        let of = |count: usize| {
            let areas = (0..count).map(|_| Area::circle(Vec2::ZERO, 5.0));
            areas.fold(View::nothing(), View::and)
        };
        assert!(of(View::AREAS_MAX).contains(Vec2::ZERO) && !of(View::AREAS_MAX).is_faulty());
        assert!(
            !of(View::AREAS_MAX + 1).contains(Vec2::ZERO) && of(View::AREAS_MAX + 1).is_faulty()
        );
        let but = (0..=View::AREAS_MAX)
            .map(|at| Area::circle(Vec2::splat(at as f32), 0.1))
            .fold(View::everything(), View::except);
        assert!(!but.contains(Vec2::splat(90.0)));
    }
}
