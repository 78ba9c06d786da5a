//! Likely mistakes of the game that the room noticed, gathered until they are polled.

use std::collections::BTreeMap;

use tickwire_shared::schema::{FieldType, KindSchema, Schema};
use tickwire_shared::{PlayerId, View};

/// Seconds of play without an entity of a player's own after which that is reported.
const UNOWNED_S: u32 = 10;

/// Likely mistakes of a game.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// A value of an entity is out of its range, or not a number.
    EntityField {
        /// Number of the kind of entity.
        kind: u8,
        /// Place in the kind's field table.
        field: u8,
    },
    /// An entity's place is not a number.
    EntityPlace {
        /// Number of the kind of entity.
        kind: u8,
    },
    /// Two entities with the same id in one tick.
    SameId {
        /// Number of the second one's kind.
        kind: u8,
    },
    /// An entity beyond the room's limit.
    BeyondLimit {
        /// Number of the kind of entity.
        kind: u8,
    },
    /// A value of an event is out of its range, or not a number.
    EventField {
        /// Number of the kind of event.
        kind: u8,
        /// Place in the kind's field table.
        field: u8,
    },
    /// An event was dropped before a client acknowledged it.
    EventDropped {
        /// Number of the kind of event.
        kind: u8,
    },
    /// A change of static data beyond its end.
    StaticChange {
        /// The key of the data.
        key: u8,
    },
    /// More static data than a room may have.
    StaticTooLarge {
        /// The key of the rejected data.
        key: u8,
    },
    /// A player's view is not a number, or has too many areas.
    View,
    /// A score for a board that the game does not name.
    ScoreBoard,
    /// Players play, and no entity was ever owned by a player.
    NothingOwned,
}

/// A fault and its count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The fault.
    pub fault: Fault,
    /// The first occurrence: the number of an entity; of a player for [`Fault::EventDropped`],
    /// [`Fault::View`] and [`Fault::NothingOwned`]; a tick for [`Fault::EventField`],
    /// [`Fault::StaticChange`], [`Fault::StaticTooLarge`] and [`Fault::ScoreBoard`].
    pub first: u32,
    /// Occurrences since the last poll.
    pub count: u64,
}

/// Faults not yet polled. The game's field tables bound their number.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// The first occurrence and the count of each fault.
    found: BTreeMap<Fault, (u32, u64)>,
}

impl Findings {
    /// Counts a fault; `first` is kept from its first occurrence.
    #[cold]
    pub(super) fn note(&mut self, fault: Fault, first: u32) {
        self.found.entry(fault).or_insert((first, 0)).1 += 1;
    }

    pub(super) fn poll(&mut self) -> Option<Finding> {
        let (fault, (first, count)) = self.found.pop_first()?;
        Some(Finding { fault, first, count })
    }
}

/// The time that players have steered while no entity was their own.
#[derive(Debug, Default)]
pub(super) struct Unowned {
    ticks: u32,
}

impl Unowned {
    /// Counts one tick with these inputs.
    pub(super) fn stepped<I: Default + PartialEq>(
        &mut self,
        inputs: &[(PlayerId, I)],
        tick_hz: u32,
        findings: &mut Findings,
    ) {
        let playing = inputs.iter().find(|(_, input)| *input != I::default());
        let Some((player, _)) = playing else { return };
        self.ticks = self.ticks.saturating_add(1);
        if self.ticks == UNOWNED_S * tick_hz {
            findings.note(Fault::NothingOwned, player.0);
        }
    }
}

impl Finding {
    /// Describes the fault and its remedy for the game's author, with the names of the field
    /// tables.
    pub fn describe(&self, schema: &Schema) -> String {
        let entity = |kind: u8| name(&schema.entities, kind);
        let first = self.first;
        match self.fault {
            Fault::EntityField { kind, field } => {
                let (field, range) = field_of(&schema.entities, kind, field);
                format!("{field} of entity {first} is not {range}: the nearest value was sent")
            }
            Fault::EntityPlace { kind } => {
                let kind = entity(kind);
                format!("{kind}, entity {first}, is at a place that is no number")
            }
            Fault::SameId { kind } => {
                let kind = entity(kind);
                format!(
                    "{kind}, entity {first}, was shown twice in one tick: the second is not sent"
                )
            }
            Fault::BeyondLimit { kind } => {
                let kind = entity(kind);
                format!(
                    "{kind}, entity {first}, is beyond room.entities_max and not sent; raise it, or show fewer"
                )
            }
            Fault::EventField { kind, field } => {
                let (field, range) = field_of(&schema.events, kind, field);
                format!(
                    "{field} of an event of tick {first} is not {range}: the nearest value was sent"
                )
            }
            Fault::EventDropped { kind } => {
                let kind = name(&schema.events, kind);
                format!(
                    "an event {kind} was dropped before player {first} acknowledged it: more than \
                     room.events_queued_max wait; tell fewer, or those of no use later by Outbox::unreliable"
                )
            }
            Fault::StaticChange { key } => format!(
                "static data {key} was changed beyond its end in tick {first}: the change was passed over"
            ),
            Fault::StaticTooLarge { key } => format!(
                "static data {key} of tick {first} is more than room.static_bytes_max with the rest of it, and was \
                 passed over; raise it, or send less"
            ),
            Fault::View => format!(
                "the view of player {first} is no number, or has more than {} areas: it hides what is not certain",
                View::AREAS_MAX
            ),
            Fault::ScoreBoard => format!(
                "a score of tick {first} is for a board that SCORE_BOARDS of the game does not name, and was passed over; \
                 add the board there"
            ),
            Fault::NothingOwned => format!(
                "player {first} and others have played for {UNOWNED_S} s, and no entity was ever shown as \
                 owned_by anyone: nothing can be predicted, and nobody sees owner-only fields"
            ),
        }
    }
}

fn name(kinds: &[KindSchema], kind: u8) -> &str {
    kinds.get(usize::from(kind)).map_or("an unknown kind", |kind| &kind.name)
}

/// The name of a field, with its kind's, and a description of its values.
fn field_of(kinds: &[KindSchema], kind: u8, field: u8) -> (String, String) {
    let schema = kinds.get(usize::from(kind)).and_then(|kind| kind.fields.get(usize::from(field)));
    let kind = name(kinds, kind);
    let Some(schema) = schema else { return (format!("a field of {kind}"), "known".to_owned()) };
    let is = match schema.ty {
        FieldType::Angle { .. } => "a finite number".to_owned(),
        FieldType::Quat { .. } => "a rotation".to_owned(),
        ty => {
            let (min, max) = ty.range();
            format!("within {min} to {max}")
        }
    };
    (format!("{kind}.{}", schema.name), is)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use serde::{Deserialize, Serialize};
    use tickwire_shared::control::RequestId;
    use tickwire_shared::glam::{Vec2, Vec3};
    use tickwire_shared::input::{InputDatagram, InputHead};
    use tickwire_shared::simulation::schema_of;
    use tickwire_shared::{
        Capture, EntityId, Input, Inputs, LeaveReason, NewPlayer, NewRoom, Outbox, Replicate,
        Simulation, Viewer,
    };

    use super::*;
    use crate::config::RoomConfig;
    use crate::room::recorder::RecordedGame;
    use crate::room::{Room, ToRoom};

    #[derive(Clone, Copy, Default, PartialEq, Input)]
    struct Keys {
        go: bool,
    }

    #[derive(Replicate)]
    struct Tower {
        #[replicate(range = 0..=9)]
        floors: u8,
        #[replicate(range = -1.0..=1.0, step = 0.1)]
        lean: f32,
    }

    #[derive(Replicate)]
    struct Tree {
        #[replicate(angle, bits = 8)]
        heading: f32,
    }

    #[derive(Replicate)]
    enum Thing {
        Tower(Tower),
        Tree(Tree),
    }

    #[derive(Replicate)]
    struct Bang {
        #[replicate(range = 1..=3)]
        size: u8,
    }

    /// A game that shows the values of a test.
    #[derive(Default, Serialize, Deserialize)]
    struct Wrong {
        floors: Vec<u8>,
        lean: f32,
        headings: Vec<f32>,
        place: Option<Vec3>,
        owner: Option<PlayerId>,
        bangs: Vec<u8>,
        radius: f32,
    }

    #[tickwire_shared::game]
    impl Simulation for Wrong {
        const NAME: &'static str = "wrong";
        type Input = Keys;
        type Entity = Thing;
        type Event = Bang;

        fn new(_room: &NewRoom<Self>) -> Self {
            Wrong { radius: 1.0, ..Wrong::default() }
        }

        fn join(&mut self, _player: &NewPlayer<Self>) {}

        fn leave(&mut self, _player: PlayerId, _reason: LeaveReason) {}

        fn step(&mut self, _inputs: &Inputs<Self>, outbox: &mut Outbox<Self>) {
            for size in &self.bangs {
                outbox.to_room(Bang { size: *size });
            }
        }

        fn capture(&self, world: &mut Capture<Thing>) {
            for (id, &floors) in (10..).zip(&self.floors) {
                let tower = Thing::Tower(Tower { floors, lean: self.lean });
                let shown = world.show(EntityId(id), tower);
                shown.owner = self.owner;
                shown.place = self.place;
            }
            for &heading in &self.headings {
                world.show(EntityId(10), Thing::Tree(Tree { heading }));
            }
        }

        fn view(&self, _viewer: Viewer) -> View {
            View::circle(Vec2::ZERO, self.radius)
        }
    }

    /// The findings while a player plays `wrong` for `ticks` ticks.
    fn found(wrong: Wrong, ticks: u32, go: bool) -> Vec<(Finding, String)> {
        let config = RoomConfig { entities_max: 3, events_queued_max: 4, ..RoomConfig::default() };
        let (now, player, name) = (Instant::now(), PlayerId(5), "p".to_owned());
        let mut room = Room::<Wrong>::new("room".into(), 0, config);
        room.handle(
            now,
            0,
            ToRoom::Join {
                request: RequestId(1),
                player,
                name,
                account: None,
                profile: None,
                spectator: false,
                options: "".into(),
                datagram_bytes_max: 1200,
                resume: None,
                last_seat: 0,
            },
        );
        room.simulation = RecordedGame::new(wrong);
        for _ in 0..ticks {
            let newest_low16 = room.tick().next().0 as u16;
            let seat = room.members[&player].seat;
            let head = InputHead { seat, newest_low16, ..InputHead::default() };
            let datagram = InputDatagram { head, inputs: vec![Keys { go }] };
            room.handle(now, 0, ToRoom::Input { player, at: now, datagram });
            room.step(now);
        }
        let schema = schema_of::<Wrong>();
        let found = std::iter::from_fn(|| room.poll_finding());
        found.map(|finding| (finding, finding.describe(&schema))).collect()
    }

    fn only(wrong: Wrong, ticks: u32) -> (Finding, String) {
        let [one] = found(wrong, ticks, false).try_into().unwrap();
        one
    }

    #[test]
    fn a_game_that_does_nothing_wrong_is_told_nothing() {
        let owner = Some(PlayerId(5));
        let bangs = vec![1, 3];
        let right = Wrong {
            floors: vec![0, 9],
            lean: 1.0,
            bangs,
            owner,
            ..Wrong::new(&NewRoom::with_seed(0))
        };
        // Too few ticks for an event to be dropped.
        assert_eq!(found(right, 2, true), []);
        let still = Wrong { headings: vec![100.0], ..Wrong::new(&NewRoom::with_seed(0)) };
        assert_eq!(found(still, 60 * UNOWNED_S, false), [], "nobody plays");
    }

    #[test]
    fn a_value_that_does_not_fit_is_told_with_its_field_the_first_entity_and_how_often() {
        let (finding, text) =
            only(Wrong { floors: vec![9, 10, 11], ..Wrong::new(&NewRoom::with_seed(0)) }, 7);
        assert_eq!((finding.first, finding.count), (11, 14));
        let expected = "Tower.floors of entity 11 is not within 0 to 9: the nearest value was sent";
        assert_eq!(text, expected);
        let (_, text) = only(
            Wrong { floors: vec![0], lean: f32::NAN, ..Wrong::new(&NewRoom::with_seed(0)) },
            1,
        );
        assert!(text.starts_with("Tower.lean of entity 10 is not within -1 to 1"), "{text}");
        let (_, text) =
            only(Wrong { headings: vec![f32::NAN], ..Wrong::new(&NewRoom::with_seed(0)) }, 1);
        assert!(text.starts_with("Tree.heading of entity 10 is not a finite number"), "{text}");
    }

    #[test]
    fn an_event_whose_value_does_not_fit_is_told_with_its_tick() {
        let (finding, text) =
            only(Wrong { bangs: vec![2, 4], ..Wrong::new(&NewRoom::with_seed(0)) }, 1);
        assert_eq!(finding, Finding { fault: finding.fault, first: 1, count: 1 });
        assert!(text.starts_with("Bang.size of an event of tick 1 is not within 1 to 3"), "{text}");
    }

    #[test]
    fn a_place_and_a_view_that_are_no_numbers_are_told() {
        let place = Some(Vec3::new(0.0, f32::NAN, 0.0));
        let (_, text) =
            only(Wrong { floors: vec![1], place, ..Wrong::new(&NewRoom::with_seed(0)) }, 1);
        assert_eq!(text, "Tower, entity 10, is at a place that is no number");
        let (_, text) = only(Wrong { radius: f32::NAN, ..Wrong::new(&NewRoom::with_seed(0)) }, 1);
        assert_eq!(
            text,
            "the view of player 5 is no number, or has more than 8 areas: it hides what is not certain"
        );
    }

    #[test]
    fn two_entities_with_one_id_are_told_with_the_kind_of_the_second() {
        let twins =
            Wrong { floors: vec![1], headings: vec![0.0], ..Wrong::new(&NewRoom::with_seed(0)) };
        let (finding, text) = only(twins, 3);
        assert_eq!(finding, Finding { fault: Fault::SameId { kind: 1 }, first: 10, count: 3 });
        assert!(text.starts_with("Tree, entity 10, was shown twice in one tick"), "{text}");
    }

    #[test]
    fn entities_beyond_the_limit_are_told_and_counted() {
        let (finding, text) =
            only(Wrong { floors: vec![1; 5], ..Wrong::new(&NewRoom::with_seed(0)) }, 2);
        assert_eq!(finding, Finding { fault: Fault::BeyondLimit { kind: 0 }, first: 13, count: 4 });
        assert!(text.contains("beyond room.entities_max"), "{text}");
    }

    #[test]
    fn events_dropped_before_they_were_acknowledged_are_told_and_counted() {
        let (finding, text) =
            only(Wrong { bangs: vec![1; 3], ..Wrong::new(&NewRoom::with_seed(0)) }, 3);
        assert_eq!(finding, Finding { fault: Fault::EventDropped { kind: 0 }, first: 5, count: 5 });
        assert!(text.starts_with("an event Bang was dropped before player 5"), "{text}");
    }

    #[test]
    fn play_with_nothing_of_the_players_own_is_told_once() {
        let game = || Wrong { floors: vec![1], ..Wrong::new(&NewRoom::with_seed(0)) };
        assert_eq!(found(game(), 60 * UNOWNED_S - 1, true), []);
        let [(finding, text)] = found(game(), 60 * UNOWNED_S * 3, true).try_into().unwrap();
        assert_eq!(finding, Finding { fault: Fault::NothingOwned, first: 5, count: 1 });
        assert!(text.contains("owned_by"), "{text}");
    }

    #[test]
    fn a_poll_resets_the_count() {
        let mut findings = Findings::default();
        (0..3).for_each(|first| findings.note(Fault::View, first));
        assert_eq!(findings.poll(), Some(Finding { fault: Fault::View, first: 0, count: 3 }));
        assert_eq!(findings.poll(), None);
        findings.note(Fault::View, 7);
        assert_eq!(findings.poll(), Some(Finding { fault: Fault::View, first: 7, count: 1 }));
    }
}
