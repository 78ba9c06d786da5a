//! The games whose feel is measured.

use tickwire_arena::bot::Bot;
use tickwire_arena::rules::motion::POS_STEP;
use tickwire_arena::rules::{Arena, Controls, Entity, Event, Random};
use tickwire_shared::predict::Predict;
use tickwire_shared::quantize::Kinds as _;
use tickwire_shared::schema::{KindSchema, LANES_MAX};
use tickwire_shared::simulation::schema_of;
use tickwire_shared::{EntityId, PlayerId, replica};
use tickwire_sky::{Glider, Sky, Stick};

/// Decisions for which a glider's pilot holds the stick.
const HELD_DECISIONS: u32 = 10;

/// A game whose players fly.
pub(crate) trait Flown: Predict<Input: Copy> {
    /// The kind that is looked at; its first field is its place.
    const KIND: &'static str;
    /// Coordinates of a place.
    const AXES: usize;
    /// Units in a step of a place.
    const PLACE_STEP: f64;
    /// Smallest visible correction or error, in units.
    const SEEN_UNITS: f64;
    /// The field of that kind that a turn changes at once.
    const HEADING: &'static str;
    /// What decides for a player.
    type Pilot;

    /// The pilot with this seed.
    fn pilot(seed: u64) -> Self::Pilot;

    /// The pilot's next input, from the entities that its client has.
    fn decide(
        pilot: &mut Self::Pilot,
        me: PlayerId,
        seen: Vec<(EntityId, Self::Entity)>,
    ) -> Self::Input;

    /// True if the input turns the own entity.
    fn turns(input: &Self::Input) -> bool;

    /// The place and the speed of what is of [`Flown::KIND`], in units and units a second.
    fn flight(entity: &Self::Entity) -> Option<([f64; 3], f64)>;

    /// True if the event is a pickup by `me`.
    fn is_pickup(_event: &replica::Event, _me: PlayerId) -> bool {
        false
    }
}

/// The number and the schema of the kind that is looked at.
pub(crate) fn kind_of<G: Flown>() -> (u8, KindSchema) {
    let schema = schema_of::<G>();
    let mut kinds = (0..).zip(&schema.entities);
    let (number, kind) =
        kinds.find(|(_, kind)| kind.name == G::KIND).expect("the game has the kind");
    assert_eq!((kind.fields[0].name.as_str(), kind.fields[0].lanes()), ("pos", G::AXES));
    (number, kind.clone())
}

/// The lane of [`Flown::HEADING`] in the kind that is looked at.
pub(crate) fn heading_lane<G: Flown>(kind: &KindSchema) -> usize {
    let before = kind.fields.iter().take_while(|field| field.name != G::HEADING);
    before.map(|field| field.lanes()).sum()
}

impl Flown for Arena {
    const KIND: &'static str = "Ship";
    const AXES: usize = 2;
    const PLACE_STEP: f64 = POS_STEP as f64;
    const SEEN_UNITS: f64 = 1.0;
    const HEADING: &'static str = "heading";
    type Pilot = Bot;

    fn pilot(seed: u64) -> Bot {
        Bot::new(seed)
    }

    fn decide(bot: &mut Bot, me: PlayerId, seen: Vec<(EntityId, Entity)>) -> Controls {
        bot.decide(me, seen)
    }

    fn turns(controls: &Controls) -> bool {
        controls.turn != 0.0
    }

    fn flight(entity: &Entity) -> Option<([f64; 3], f64)> {
        let Entity::Ship(ship) = entity else { return None };
        Some((ship.pos.extend(0.0).to_array().map(f64::from), ship.vel.length().into()))
    }

    fn is_pickup(event: &replica::Event, me: PlayerId) -> bool {
        let mut lanes = [0; LANES_MAX];
        lanes[..event.lanes.len()].copy_from_slice(&event.lanes);
        matches!(Event::from_lanes(event.kind, &lanes), Some(Event::Taken(taken)) if taken.player == me)
    }
}

/// Holds the stick for half a second, and then otherwise.
pub(crate) struct GliderPilot {
    random: Random,
    decisions: u32,
    stick: Stick,
}

impl Flown for Sky {
    const KIND: &'static str = "Glider";
    const AXES: usize = 3;
    const PLACE_STEP: f64 = 1.0 / 64.0;
    const SEEN_UNITS: f64 = 0.1;
    const HEADING: &'static str = "yaw";
    type Pilot = GliderPilot;

    fn pilot(seed: u64) -> GliderPilot {
        GliderPilot { random: Random::new(seed), decisions: 0, stick: Stick::default() }
    }

    fn decide(pilot: &mut GliderPilot, _me: PlayerId, _seen: Vec<(EntityId, Glider)>) -> Stick {
        if pilot.decisions.is_multiple_of(HELD_DECISIONS) {
            let mut way = || pilot.random.between(-1.5, 1.5).round().clamp(-1.0, 1.0) as i8;
            pilot.stick = Stick { turn: way(), climb: way() };
        }
        pilot.decisions += 1;
        pilot.stick
    }

    fn turns(stick: &Stick) -> bool {
        stick.turn != 0
    }

    fn flight(glider: &Glider) -> Option<([f64; 3], f64)> {
        Some((glider.pos.to_array().map(f64::from), glider.vel.length().into()))
    }
}
