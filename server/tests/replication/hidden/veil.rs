//! A game of secrets: things for groups, checked, owned, with or without a place, and players whose
//! groups and views change, all by a seeded generator. It repeats in plain code which things each
//! player may see; the test holds the room to that.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tickwire_shared::glam::Vec3;
use tickwire_shared::{
    Area, Capture, EntityId, Groups, Inputs, LeaveReason, NewPlayer, NewRoom, Outbox, PlayerId,
    Replicate, Simulation, View, Viewer,
};

use crate::balls::Push;

/// From this tick on only the things' marks change.
pub(super) const CALM_TICK: u32 = 60;
/// Set in the seeds of rooms whose hidden things have other marks.
pub(super) const TWIST: u64 = 1 << 63;
/// Set in the seeds of worlds in three dimensions.
const DEEP: u64 = 1 << 62;
/// The member from whom those things are hidden.
pub(super) const VICTIM: PlayerId = PlayerId(1);

const THINGS: u32 = 24;
/// Groups in use, besides one with a high number.
const GROUPS: u32 = 4;

#[derive(Clone, Copy, Debug, PartialEq, Replicate)]
pub(super) struct Mote {
    pub(super) mark: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Replicate)]
pub(super) struct Rumour {
    pub(super) number: u32,
    mark: u32,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Thing {
    place: [f32; 3],
    velocity: [f32; 3],
    has_place: bool,
    /// One bit for each group; `None` for everybody.
    groups: Option<u64>,
    is_checked: bool,
    owner: Option<PlayerId>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Patch {
    center: [f32; 3],
    size: [f32; 3],
    is_round: bool,
}

/// A player's view, in the game's own terms.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Eyesight {
    groups: u64,
    sees_all: bool,
    seen: Vec<Patch>,
    excepted: Vec<Patch>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum Hearers {
    All,
    One(PlayerId),
    Near([f32; 3]),
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Whisper {
    hearers: Hearers,
    groups: Option<u64>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Veil {
    random: u64,
    is_twisted: bool,
    is_deep: bool,
    tick: u32,
    phase: u32,
    things: BTreeMap<u32, Thing>,
    players: BTreeMap<PlayerId, Eyesight>,
    spectators: Eyesight,
    /// The number of the last rumour, and the rumours of this tick.
    rumours: u32,
    whispers: Vec<(u32, Whisper)>,
}

/// The relation of a member to a thing in a tick.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Standing {
    /// It owns the thing.
    pub(super) is_own: bool,
    /// Groups and the game's own rule show the thing, and it is not in an excepted part.
    pub(super) is_allowed: bool,
    /// The thing is far enough from excepted parts to be shown anew.
    pub(super) is_clear: bool,
    /// The thing is within the view.
    pub(super) is_in_area: bool,
    /// The thing is within the view or a tenth beyond.
    pub(super) is_near_area: bool,
}

impl Veil {
    fn below(&mut self, below: u32) -> u32 {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(0xB5);
        (self.random >> 33) as u32 % below
    }

    fn is_one_in(&mut self, of: u32) -> bool {
        self.below(of) == 0
    }

    fn number(&mut self, half: u32) -> f32 {
        self.below(2 * half * 8) as f32 / 8.0 - half as f32
    }

    fn place(&mut self) -> [f32; 3] {
        let place = [self.number(100), self.number(100), self.number(100)];
        match (self.is_one_in(40), self.is_deep) {
            (true, _) => [f32::NAN, 0.0, 0.0],
            (false, true) => place,
            (false, false) => [place[0], place[1], 0.0],
        }
    }

    fn groups(&mut self) -> u64 {
        let groups = u64::from(self.below(1 << GROUPS) & self.below(1 << GROUPS));
        if self.is_one_in(8) { groups | 1 << 63 } else { groups }
    }

    fn thing(&mut self) -> Thing {
        Thing {
            place: self.place(),
            velocity: [self.number(2), self.number(2), 0.0],
            has_place: !self.is_one_in(6),
            groups: (!self.is_one_in(3)).then(|| self.groups()),
            is_checked: self.is_one_in(3),
            owner: self.is_one_in(5).then(|| PlayerId(1 + self.below(6))),
        }
    }

    fn patch(&mut self) -> Patch {
        let center = self.place();
        let size = [0; 3].map(|_| match self.below(30) {
            0 => f32::NAN,
            1 => -1.0,
            2 => f32::INFINITY,
            more => more as f32 * 4.0,
        });
        Patch { center, size, is_round: self.is_one_in(2) }
    }

    fn eyesight(&mut self) -> Eyesight {
        let groups = self.groups();
        let seen = (0..self.below(3)).map(|_| self.patch()).collect();
        let excepted = (0..self.below(5).saturating_sub(2)).map(|_| self.patch()).collect();
        Eyesight { groups, sees_all: self.is_one_in(3), seen, excepted }
    }

    /// Makes one random change other than motion.
    fn change(&mut self) {
        let id = self.below(THINGS);
        let players: Vec<PlayerId> = self.players.keys().copied().collect();
        match self.below(10) {
            0 => drop(self.things.remove(&id)),
            1 => {
                let thing = self.thing();
                self.things.insert(id, thing);
            }
            2 => self.phase += 1,
            3 => self.spectators = self.eyesight(),
            4..=6 if !players.is_empty() => {
                let player = players[self.below(players.len() as u32) as usize];
                let eyesight = self.eyesight();
                self.players.insert(player, eyesight);
            }
            kind => {
                let new = self.thing();
                let Some(thing) = self.things.get_mut(&id) else { return };
                match kind {
                    7 => thing.groups = new.groups,
                    8 => thing.is_checked = new.is_checked,
                    9 => (thing.place, thing.has_place) = (new.place, new.has_place),
                    _ => thing.owner = new.owner,
                }
            }
        }
    }

    fn whisper(&mut self) {
        let hearers = match self.below(3) {
            0 => Hearers::All,
            1 => Hearers::One(PlayerId(1 + self.below(6))),
            _ => Hearers::Near(self.place()),
        };
        let groups = (!self.is_one_in(3)).then(|| self.groups());
        self.rumours += 1;
        self.whispers.push((self.rumours, Whisper { hearers, groups }));
    }

    fn eyesight_of(&self, viewer: Viewer) -> &Eyesight {
        let player = viewer.player().and_then(|player| self.players.get(&player));
        player.unwrap_or(&self.spectators)
    }

    /// The game's own rule for checked things.
    fn rule(&self, viewer: Viewer, id: u32) -> bool {
        !(id * 7 + viewer.id().0 * 3 + self.phase).is_multiple_of(3)
    }

    /// The ids of the current things.
    pub(super) fn ids(&self) -> impl Iterator<Item = EntityId> + '_ {
        self.things.keys().copied().map(EntityId)
    }

    /// Derived from the state alone, without the server's or the view's code.
    pub(super) fn standing(&self, viewer: Viewer, id: EntityId) -> Option<Standing> {
        let thing = self.things.get(&id.0)?;
        let eyes = self.eyesight_of(viewer);
        let is_own = viewer.player().is_some() && thing.owner == viewer.player();
        let in_group = thing.groups.is_none_or(|groups| groups & eyes.groups != 0);
        let passes = !thing.is_checked || self.rule(viewer, id.0);
        let place = thing.has_place.then_some(thing.place);
        Some(Standing {
            is_own,
            is_allowed: in_group && passes && !eyes.is_excepted(place, 0.99),
            is_clear: !eyes.is_excepted(place, 1.11),
            is_in_area: eyes.sees(place, 0.999),
            is_near_area: eyes.sees(place, 1.101),
        })
    }

    /// The numbers of this tick's rumours that a member may hear.
    pub(super) fn heard(&self, viewer: Viewer) -> impl Iterator<Item = u32> + '_ {
        let eyes = self.eyesight_of(viewer);
        let hears = move |whisper: &Whisper| {
            let in_group = whisper.groups.is_none_or(|groups| groups & eyes.groups != 0);
            in_group
                && match whisper.hearers {
                    Hearers::All => true,
                    Hearers::One(player) => player == viewer.id(),
                    Hearers::Near(at) => {
                        eyes.sees(Some(at), 1.001) && !eyes.is_excepted(Some(at), 1.0)
                    }
                }
        };
        self.whispers.iter().filter(move |(_, whisper)| hears(whisper)).map(|(number, _)| *number)
    }

    fn is_secret_from_victim(&self, id: u32) -> bool {
        let standing = self.standing(Viewer::Player(VICTIM), EntityId(id));
        standing.is_some_and(|standing| !standing.is_own && !standing.is_allowed)
    }

    /// A value that a member cannot guess.
    fn mark(&self, of: u32, is_secret: bool) -> u32 {
        let twist = u64::from(self.is_twisted && is_secret);
        let seed = u64::from(of) << 32 | u64::from(self.tick) | twist << 60;
        let mixed = (seed ^ seed >> 31).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        ((mixed ^ mixed >> 29).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 32) as u32
    }
}

impl Patch {
    fn is_somewhere(&self) -> bool {
        let sizes = if self.is_round { &self.size[..1] } else { &self.size[..] };
        self.center.iter().all(|at| at.is_finite()) && sizes.iter().all(|size| *size >= 0.0)
    }

    fn holds(&self, place: [f32; 3], scale: f32) -> bool {
        let away: [f64; 3] =
            std::array::from_fn(|axis| f64::from(place[axis]) - f64::from(self.center[axis]));
        let size = self.size.map(|size| f64::from(size) * f64::from(scale));
        if self.is_round {
            away.iter().map(|away| away * away).sum::<f64>().sqrt() <= size[0]
        } else {
            (0..3).all(|axis| away[axis].abs() <= size[axis])
        }
    }
}

impl Eyesight {
    fn sees(&self, place: Option<[f32; 3]>, scale: f32) -> bool {
        let Some(place) = place else { return true };
        let is_nowhere = place.iter().any(|at| !at.is_finite());
        if is_nowhere {
            return self.sees_all && self.excepted.is_empty();
        }
        let is_blind = self.excepted.iter().any(|patch| !patch.is_somewhere());
        let seen = || self.seen.iter().filter(|patch| patch.is_somewhere());
        !is_blind && (self.sees_all || seen().any(|patch| patch.holds(place, scale)))
    }

    fn is_excepted(&self, place: Option<[f32; 3]>, scale: f32) -> bool {
        place.is_some_and(|place| self.excepted.iter().any(|patch| patch.holds(place, scale)))
    }
}

#[tickwire_shared::game]
impl Simulation for Veil {
    const NAME: &'static str = "veil";
    type Input = Push;
    type Entity = Mote;
    type Event = Rumour;

    fn new(room: &NewRoom<Self>) -> Self {
        let mut veil = Veil {
            random: room.seed & !TWIST,
            is_twisted: room.seed & TWIST != 0,
            is_deep: room.seed & DEEP != 0,
            tick: 0,
            phase: 0,
            things: BTreeMap::new(),
            players: BTreeMap::new(),
            spectators: Eyesight::default(),
            rumours: 0,
            whispers: Vec::new(),
        };
        for id in 0..THINGS {
            let thing = veil.thing();
            veil.things.insert(id, thing);
        }
        veil
    }

    fn join(&mut self, player: &NewPlayer<Self>) {
        let eyesight = self.eyesight();
        self.players.insert(player.id, eyesight);
    }

    fn leave(&mut self, player: PlayerId, _reason: LeaveReason) {
        self.players.remove(&player);
    }

    fn step(&mut self, inputs: &Inputs<Self>, outbox: &mut Outbox<Self>) {
        self.tick = inputs.tick().0;
        self.whispers.clear();
        if self.tick >= CALM_TICK {
            return;
        }
        for thing in self.things.values_mut() {
            (0..3).for_each(|axis| thing.place[axis] += thing.velocity[axis]);
        }
        (0..self.below(4)).for_each(|_| self.change());
        (0..self.below(3)).for_each(|_| self.whisper());
        for (number, whisper) in &self.whispers {
            let is_heard = self.heard(Viewer::Player(VICTIM)).any(|heard| heard == *number);
            let rumour = || Rumour { number: *number, mark: self.mark(1000 + number, !is_heard) };
            let groups = whisper.groups.map(Groups::from_bits);
            if number % 2 == 0 {
                let event = match whisper.hearers {
                    Hearers::All => outbox.to_room(rumour()),
                    Hearers::One(player) => outbox.to_player(player, rumour()),
                    Hearers::Near(at) => outbox.to_place(Vec3::from_array(at), rumour()),
                };
                groups.map(|groups| event.only_for(groups));
                continue;
            }
            let once = outbox.unreliable();
            let once = match groups {
                Some(groups) => once.only_for(groups),
                None => once,
            };
            match whisper.hearers {
                Hearers::All => once.to_room(rumour()),
                Hearers::One(player) => once.to_player(player, rumour()),
                Hearers::Near(at) => once.to_place(Vec3::from_array(at), rumour()),
            }
        }
    }

    fn capture(&self, world: &mut Capture<Mote>) {
        for (&id, thing) in &self.things {
            let mark = self.mark(id, self.is_secret_from_victim(id));
            let shown = world.show(EntityId(id), Mote { mark });
            if thing.has_place {
                shown.at(Vec3::from_array(thing.place));
            }
            if let Some(groups) = thing.groups {
                shown.only_for(Groups::from_bits(groups));
            }
            if thing.is_checked {
                shown.checked();
            }
            if let Some(owner) = thing.owner {
                shown.owned_by(owner);
            }
        }
    }

    fn view(&self, viewer: Viewer) -> View {
        let eyes = self.eyesight_of(viewer);
        let base = if eyes.sees_all { View::everything() } else { View::nothing() };
        let area = |patch: &Patch| match patch.is_round {
            true => Area::sphere(Vec3::from_array(patch.center), patch.size[0]),
            false => Area::cuboid(Vec3::from_array(patch.center), Vec3::from_array(patch.size)),
        };
        let view = eyes.seen.iter().map(area).fold(base, View::and);
        let view = eyes.excepted.iter().map(area).fold(view, View::except);
        view.in_groups(Groups::from_bits(eyes.groups))
    }

    fn can_see(&self, viewer: Viewer, entity: EntityId) -> bool {
        self.rule(viewer, entity.0)
    }
}
