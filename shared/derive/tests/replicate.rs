//! What `#[derive(Replicate)]` makes of structs and enums.

#![deny(warnings, reason = "what the derive writes must not warn in a game")]

use std::f32::consts::{FRAC_PI_2, PI};

use tickwire_shared::glam::{Quat, Vec2, Vec3};
use tickwire_shared::quantize::{Choice, Kinds, Lanes};
use tickwire_shared::schema::{
    ChoiceSchema, FieldSchema, FieldType, FieldValues, KindSchema, Schema, SendRule,
};
use tickwire_shared::{EntityId, Input, PlayerId, Replicate, Text};

const HALF_WIDTH: f32 = 2048.0;

#[derive(Clone, Debug, PartialEq, Replicate)]
struct Ship {
    #[replicate(range = -HALF_WIDTH..=HALF_WIDTH, step = 1.0 / 32.0, velocity = vel)]
    pos: Vec2,
    #[replicate(range = -512.0..=512.0, step = 0.25)]
    vel: Vec2,
    #[replicate(range = -64.0..=64.0, step = Self::LIFT_STEP)]
    lift: Vec3,
    #[replicate(angle, bits = 10, velocity = spin)]
    heading: f32,
    #[replicate(range = -10.0..=10.0, step = 0.5)]
    spin: f32,
    #[replicate(quat, bits = 9)]
    turret: Quat,
    #[replicate(bits = 4 + 5, initial)]
    mount: Quat,
    #[replicate(range = 0..=Self::HEALTH_MAX, owner, rare)]
    health: u8,
    #[replicate(range = -1..=1)]
    r#type: i8,
    #[replicate(rare)]
    team: Team,
    #[replicate(initial)]
    #[replicate(owner)]
    captain: PlayerId,
    target: EntityId,
    score: i32,
    boosting: bool,
}

impl Ship {
    const HEALTH_MAX: u8 = 100;
    const LIFT_STEP: f32 = 0.125;
}

#[derive(Clone, Copy, Debug, PartialEq, Replicate)]
enum Team {
    Red,
    Blue = 7,
    Green,
}

#[derive(Clone, Debug, PartialEq, Replicate)]
struct Flash {}

macro_rules! marker {
    ($name:ident { $field:ident: $ty:ty, $max:expr }) => {
        #[derive(Debug, PartialEq, Replicate)]
        struct $name {
            #[replicate(range = 0..=$max)]
            $field: $ty,
            #[replicate(range = -1.0..=1.0, step = 0.5)]
            side: f32,
        }
    };
}

marker!(Marker { stage: u16, 9 });

#[derive(Clone, Debug, PartialEq, Replicate)]
enum Entity {
    Ship(Ship),
    Flash(Flash),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Input)]
struct Pilot {
    #[replicate(range = -1..=1)]
    turn: i8,
    thrust: bool,
    #[replicate(angle, bits = 8)]
    aim: f32,
}

const SLOTS: usize = 4;

/// Fields that are optional, arrays, texts, and several of it.
#[derive(Clone, Debug, PartialEq, Replicate)]
struct Crew {
    name: Text<10>,
    call: Name,
    #[replicate(range = -8.0..=8.0, step = 0.5)]
    aim: Option<Vec3>,
    team: Option<Team>,
    #[replicate(range = 5..=9)]
    slots: [u8; SLOTS],
    #[replicate(range = -8.0..=8.0, step = 0.5, rare)]
    path: [Vec2; 2],
    flags: std::option::Option<[bool; 3]>,
    teams: [Team; 2],
    title: Option<Text<4>>,
    names: [Text<4>; 2],
    #[replicate(bits = 9)]
    turned: Option<Quat>,
}

type Name = Text<8>;

fn crew() -> Crew {
    Crew {
        name: "Zoë".parse().unwrap(),
        call: "Ann".parse().unwrap(),
        aim: Some(Vec3::new(1.0, -8.0, 0.5)),
        team: Some(Team::Blue),
        slots: [5, 6, 7, 9],
        path: [Vec2::new(1.0, 2.0), Vec2::new(3.0, -4.0)],
        flags: Some([true, false, true]),
        teams: [Team::Green, Team::Red],
        title: Text::new("Dr").ok(),
        names: ["a", "bcde"].map(|name| name.parse().unwrap()),
        turned: Some(Quat::IDENTITY),
    }
}

fn ship() -> Ship {
    Ship {
        pos: Vec2::new(-2048.0, 1.03125),
        vel: Vec2::new(511.75, -0.25),
        lift: Vec3::new(0.125, -64.0, 64.0),
        heading: FRAC_PI_2,
        spin: -9.5,
        turret: Quat::IDENTITY,
        mount: Quat::from_xyzw(1.0, 0.0, 0.0, 0.0),
        health: 100,
        r#type: -1,
        team: Team::Blue,
        captain: PlayerId(u32::MAX),
        target: EntityId(0x8000_0000),
        score: i32::MIN,
        boosting: true,
    }
}

#[test]
fn a_struct_on_its_steps_survives_the_lanes() {
    let mut lanes = [77; 64];
    Lanes::to_lanes(&ship(), &mut lanes);
    assert_eq!(<Ship as Lanes>::from_lanes(&lanes), ship());
    assert_eq!(Ship::LANES, 24);
    assert_eq!(lanes[Ship::LANES..], [77; 64 - 24], "it keeps to its own lanes");
}

#[test]
fn optional_fields_arrays_and_texts_survive_the_lanes() {
    let gone = Crew { aim: None, team: None, flags: None, title: None, turned: None, ..crew() };
    for crew in [crew(), gone] {
        let mut lanes = [77; 64];
        assert!(Lanes::to_lanes(&crew, &mut lanes).is_empty());
        assert_eq!(<Crew as Lanes>::from_lanes(&lanes), crew);
        assert_eq!(lanes[Crew::LANES..], [77; 64 - 39], "it keeps to its own lanes");
    }
    let schema = Crew::schema();
    let values = schema.fields.iter().map(|field| (field.values, field.lanes()));
    let expected = [
        (FieldValues::One, 4),
        (FieldValues::One, 3),
        (FieldValues::Optional, 4),
        (FieldValues::Optional, 2),
        (FieldValues::Array(4), 4),
        (FieldValues::Array(2), 4),
        (FieldValues::OptionalArray(3), 4),
        (FieldValues::Array(2), 2),
        (FieldValues::Optional, 3),
        (FieldValues::Array(2), 4),
        (FieldValues::Optional, 5),
    ];
    assert_eq!(values.collect::<Vec<_>>(), expected);
    assert_eq!(schema.lanes(), Crew::LANES);
    assert_eq!(schema.fields[0].ty, FieldType::Text { bytes: 10 });
    let teams = [3, 7].map(|at: usize| schema.fields[at].choice.as_ref().unwrap().name.clone());
    assert_eq!(teams, ["Team", "Team"]);
    let mut lanes = [0; 64];
    let misfits = Lanes::to_lanes(&Crew { slots: [5, 6, 70, 9], ..crew() }, &mut lanes);
    assert_eq!(misfits.fields().collect::<Vec<_>>(), [4], "the field of a value that does not fit");
}

#[test]
fn lanes_stand_in_the_order_of_the_fields() {
    let mut lanes = [0; Ship::LANES];
    Lanes::to_lanes(&ship(), &mut lanes);
    let expected = [
        [-65_536, 33].as_slice(),
        &[2047, -1],
        &[1, -512, 512],
        &[256],
        &[-19],
        &[3, 255, 255, 255],
        &[0, 255, 255, 255],
        &[100],
        &[-1],
        &[1],
        &[-1],
        &[i32::MIN],
        &[i32::MIN],
        &[1],
    ];
    assert_eq!(lanes, expected.concat()[..]);
}

#[test]
fn the_field_table_says_what_the_attributes_say() {
    let field = |name: &str, ty| FieldSchema::new(name, ty);
    let int = |min: i64, max: i64| FieldType::Int { min, max };
    let expected = KindSchema {
        name: "Ship".into(),
        fields: vec![
            FieldSchema {
                velocity: Some("vel".into()),
                ..field("pos", FieldType::Vec2 { min: -2048.0, max: 2048.0, step: 0.03125 })
            },
            field("vel", FieldType::Vec2 { min: -512.0, max: 512.0, step: 0.25 }),
            field("lift", FieldType::Vec3 { min: -64.0, max: 64.0, step: 0.125 }),
            FieldSchema {
                velocity: Some("spin".into()),
                ..field("heading", FieldType::Angle { bits: 10 })
            },
            field("spin", FieldType::Float { min: -10.0, max: 10.0, step: 0.5 }),
            field("turret", FieldType::Quat { bits: 9 }),
            FieldSchema { rule: SendRule::Initial, ..field("mount", FieldType::Quat { bits: 9 }) },
            FieldSchema { rule: SendRule::Rare, owner_only: true, ..field("health", int(0, 100)) },
            field("type", int(-1, 1)),
            FieldSchema {
                rule: SendRule::Rare,
                choice: Some(ChoiceSchema {
                    name: "Team".into(),
                    variants: ["Red", "Blue", "Green"].map(str::to_owned).into(),
                }),
                ..field("team", FieldType::Choice { variants: 3 })
            },
            FieldSchema {
                rule: SendRule::Initial,
                owner_only: true,
                ..field("captain", int(0, u32::MAX.into()))
            },
            field("target", int(0, u32::MAX.into())),
            field("score", int(i32::MIN.into(), i32::MAX.into())),
            field("boosting", FieldType::Bool),
        ],
    };
    assert_eq!(Ship::schema(), expected);
    assert_eq!(expected.lanes(), Ship::LANES);
}

#[test]
fn a_derived_schema_is_valid() {
    let game = Schema {
        game: "test".into(),
        tick_hz: 60,
        input: Pilot::schema(),
        entities: Entity::schemas(),
        events: Ship::schemas(),
        commands: Crew::schemas(),
        model: Vec::new(),
    };
    assert_eq!(game.validate(), Ok(()));
}

#[test]
fn kinds_are_numbered_in_the_order_of_their_variants() {
    let schemas = Entity::schemas();
    assert_eq!(schemas, [Ship::schema(), Flash::schema()]);
    assert_eq!(schemas[1], KindSchema { name: "Flash".into(), fields: vec![] });
    for (number, entity) in [(0, Entity::Ship(ship())), (1, Entity::Flash(Flash {}))] {
        assert_eq!(entity.kind(), number);
        let mut lanes = [0; Ship::LANES];
        Kinds::to_lanes(&entity, &mut lanes);
        assert_eq!(<Entity as Kinds>::from_lanes(number, &lanes), Some(entity));
    }
    assert_eq!(<Entity as Kinds>::from_lanes(2, &[0; 64]), None);
}

#[test]
fn what_was_rounded_is_refined_by_fields_of_the_same_lanes_alone() {
    let predicted = Ship { pos: Vec2::new(1.01, 2.0), spin: 3.1, health: 9, ..ship() };
    let mut lanes = [0; Ship::LANES];
    Lanes::to_lanes(&Ship { health: 7, lift: Vec3::ZERO, ..predicted.clone() }, &mut lanes);
    let mut sent = <Ship as Lanes>::from_lanes(&lanes);
    assert_eq!((sent.pos, sent.spin), (Vec2::new(1.0, 2.0), 3.0));
    Lanes::refine(&mut sent, &predicted);
    assert_eq!(sent, Ship { health: 7, lift: Vec3::ZERO, ..predicted.clone() });
    let mut other = Entity::Flash(Flash {});
    Kinds::refine(&mut other, &Entity::Ship(predicted.clone()));
    assert_eq!(other, Entity::Flash(Flash {}));
    let mut same = Entity::Ship(<Ship as Lanes>::from_lanes(&lanes));
    Kinds::refine(&mut same, &Entity::Ship(predicted));
    assert_eq!(same, Entity::Ship(sent));
}

#[test]
fn a_struct_alone_is_the_one_kind() {
    assert_eq!(Ship::schemas(), [Ship::schema()]);
    assert_eq!(ship().kind(), 0);
    assert_eq!(<Flash as Kinds>::from_lanes(0, &[]), Some(Flash {}));
    assert_eq!(<Flash as Kinds>::from_lanes(1, &[]), None);
}

#[test]
fn a_choice_is_numbered_by_place_and_not_by_discriminant() {
    assert_eq!(Team::VARIANTS, 3);
    assert_eq!([Team::Red, Team::Blue, Team::Green].map(Choice::index), [0, 1, 2]);
    for index in 0..3 {
        assert_eq!(Team::from_index(index).index(), index);
    }
    assert_eq!(Team::from_index(u16::MAX), Team::Green, "past the end: the last");
}

#[test]
fn an_input_has_lanes_too() {
    let pilot = Pilot { turn: -1, thrust: true, aim: -FRAC_PI_2 };
    let mut lanes = [0; 3];
    Lanes::to_lanes(&pilot, &mut lanes);
    assert_eq!(lanes, [-1, 1, 192]);
    assert_eq!(<Pilot as Lanes>::from_lanes(&lanes), pilot);
}

#[test]
fn the_fields_that_do_not_fit_are_told_by_their_place() {
    let mut lanes = [0; Ship::LANES];
    assert!(Lanes::to_lanes(&ship(), &mut lanes).is_empty());
    let wrong = Ship { vel: Vec2::new(0.0, f32::NAN), health: 101, r#type: 2, ..ship() };
    let misfits = Kinds::to_lanes(&Entity::Ship(wrong), &mut lanes);
    assert_eq!(misfits.fields().collect::<Vec<_>>(), [1, 7, 8]);
    let schema = Ship::schema();
    assert!(misfits.fields().map(|at| &*schema.fields[at].name).eq(["vel", "health", "type"]));
    assert!(Lanes::to_lanes(&Flash {}, &mut lanes).is_empty());
}

#[test]
fn every_attribute_stands_in_the_documentation() {
    let documentation = include_str!("../src/lib.rs");
    let reader = include_str!("../src/attributes.rs");
    let keys = reader.lines().filter_map(|line| {
        line.trim().strip_prefix('"')?.split_once("\" => set(").map(|(key, _)| key)
    });
    let keys: Vec<&str> = keys.collect();
    assert_eq!(keys.len(), 9, "{keys:?}");
    let fields = documentation.split("/// # Fields").nth(1).unwrap();
    for key in keys {
        let is_shown = ["`", " ", ","].iter().any(|end| fields.contains(&format!("`{key}{end}")))
            || fields.contains(&format!(", {key} = "));
        assert!(is_shown, "`{key}` is not documented");
    }
}

#[test]
fn a_macro_may_write_the_struct() {
    let marker = Marker { stage: 9, side: -0.5 };
    let mut lanes = [0; 2];
    Lanes::to_lanes(&marker, &mut lanes);
    assert_eq!(lanes, [9, -1]);
    assert_eq!(<Marker as Lanes>::from_lanes(&lanes), marker);
}

#[test]
fn lanes_that_no_value_has_become_the_nearest_value() {
    let wild = [i32::MAX; Ship::LANES];
    let ship = <Ship as Lanes>::from_lanes(&wild);
    assert_eq!((ship.pos, ship.health, ship.r#type), (Vec2::splat(2048.0), 100, 1));
    assert_eq!((ship.team, ship.boosting), (Team::Green, true));
    assert!(ship.turret.is_normalized() && ship.heading.abs() <= PI);
    let ship = <Ship as Lanes>::from_lanes(&[i32::MIN; Ship::LANES]);
    assert_eq!((ship.pos, ship.health, ship.r#type), (Vec2::splat(-2048.0), 0, -1));
    assert_eq!(ship.team, Team::Red);
    assert!(ship.turret.is_normalized() && ship.heading.abs() <= PI);
}
