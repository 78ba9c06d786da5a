//! Two sides' field tables, compared and checked.

use super::*;
use crate::schema::{ChoiceSchema, SendRule};

fn kind(name: &str, fields: &[&str]) -> KindSchema {
    let field = |name: &&str| FieldSchema::new(*name, FieldType::Bool);
    KindSchema::new(name, fields.iter().map(field).collect())
}

#[test]
fn two_of_one_name_are_refused_and_named() {
    let schema = |entities| Schema {
        game: "test".to_owned(),
        tick_hz: 60,
        input: kind("Stick", &["fire"]),
        entities,
        events: Vec::new(),
        commands: Vec::new(),
        model: Vec::new(),
    };
    let apart = schema(vec![kind("Ship", &["fire", "turn"]), kind("Rock", &["fire"])]);
    assert_eq!(apart.validate(), Ok(()));
    let fields = schema(vec![kind("Ship", &["fire", "turn", "fire"])]).validate();
    let text = "Ship.fire cannot be coded: another field has the same name";
    assert_eq!(fields.unwrap_err().to_string(), text);
    let kinds = schema(vec![kind("Ship", &[]), kind("Rock", &[]), kind("Ship", &[])]);
    let text = "Ship cannot be coded: another kind has the same name";
    assert_eq!(kinds.validate().unwrap_err().to_string(), text);
}

fn team(variants: &[&str]) -> Schema {
    let mut flag = kind("Flag", &["team"]);
    flag.fields[0].ty = FieldType::Choice { variants: 2 };
    let variants = variants.iter().map(|&name| name.to_owned()).collect();
    flag.fields[0].choice = Some(ChoiceSchema { name: "Team".to_owned(), variants });
    Schema {
        game: "test".to_owned(),
        tick_hz: 60,
        input: kind("Input", &[]),
        entities: vec![flag],
        events: Vec::new(),
        commands: Vec::new(),
        model: Vec::new(),
    }
}

#[test]
fn variants_in_another_order_are_another_declaration_and_unknown_ones_are_none() {
    let server = team(&["Azure", "Amber"]);
    assert_eq!(server.accepts(&server), Ok(()));
    let error = server.accepts(&team(&["Amber", "Azure"])).unwrap_err().to_string();
    assert!(error.contains("Flag.team") && error.contains("(Azure, Amber) on the"), "{error}");
    let mut nameless = team(&["Azure", "Amber"]);
    nameless.entities[0].fields[0].choice = None;
    assert_eq!(server.accepts(&nameless), Ok(()));
}

#[test]
fn a_choice_has_a_name_for_each_variant_or_none() {
    assert_eq!(team(&["Azure", "Amber"]).validate(), Ok(()));
    let text = "Flag.team cannot be coded: it has not a name for each variant";
    for wrong in [&["Azure"][..], &[], &["Azure", "Amber", "Jade"]] {
        assert_eq!(team(wrong).validate().unwrap_err().to_string(), text);
    }
    let mut flag = team(&["Azure", "Amber"]);
    flag.entities[0].fields[0].ty = FieldType::Bool;
    assert_eq!(flag.validate().unwrap_err().to_string(), text);
}

#[test]
fn a_velocity_is_a_number_of_the_same_shape_and_rules() {
    let whole = |max| FieldType::Int { min: 0, max };
    let (vec2, vec3) = {
        let (min, max, step) = (-9.0, 9.0, 0.5);
        (FieldType::Vec2 { min, max, step }, FieldType::Vec3 { min, max, step })
    };
    let schema = |place, rate, change: fn(&mut [FieldSchema])| {
        let mut ship = kind("Ship", &["place", "rate", "more"]);
        (ship.fields[0].ty, ship.fields[1].ty, ship.fields[2].ty) = (place, rate, rate);
        ship.fields[0].velocity = Some("rate".to_owned());
        change(&mut ship.fields);
        Schema {
            game: "test".to_owned(),
            tick_hz: 60,
            input: kind("Input", &[]),
            entities: vec![ship],
            events: Vec::new(),
            commands: Vec::new(),
            model: Vec::new(),
        }
    };
    let angle = FieldType::Angle { bits: 8 };
    for (place, rate) in [(vec2, vec2), (angle, whole(9)), (whole(9), whole(i64::from(i32::MAX)))] {
        assert_eq!(schema(place, rate, |_| ()).validate(), Ok(()), "{place:?}, {rate:?}");
        let own = schema(place, rate, |fields| fields[0].owner_only = true);
        assert_eq!(own.validate(), Ok(()), "others have no use for it, and may have it");
    }
    let text =
        "Ship.place cannot be coded: its velocity names no field of the same shape and rules";
    let (quat, choice) = (FieldType::Quat { bits: 9 }, FieldType::Choice { variants: 9 });
    let long = whole(i64::from(u32::MAX));
    for (place, rate) in [
        (vec2, vec3),
        (quat, quat),
        (choice, whole(9)),
        (whole(9), choice),
        (FieldType::Bool, whole(9)),
        (angle, angle),
        // Their lanes are not the number from 2^31 on.
        (long, whole(9)),
        (whole(9), long),
    ] {
        let error = schema(place, rate, |_| ()).validate().unwrap_err();
        assert_eq!(error.to_string(), text, "{place:?}, {rate:?}");
    }
    let changes: [fn(&mut [FieldSchema]); 4] = [
        |fields| fields[0].velocity = Some("place".to_owned()),
        |fields| fields[1].velocity = Some("more".to_owned()),
        |fields| fields[1].owner_only = true,
        |fields| fields[1].rule = SendRule::Rare,
    ];
    for change in changes {
        assert!(schema(vec2, vec2, change).validate().is_err());
    }
}

#[test]
fn a_difference_names_the_kind_and_the_field() {
    let schema = |entities| Schema {
        game: "test".to_owned(),
        tick_hz: 60,
        input: kind("Input", &["fire"]),
        entities,
        events: Vec::new(),
        commands: Vec::new(),
        model: Vec::new(),
    };
    let own = schema(vec![kind("Ship", &["fire", "turn"]), kind("Rock", &[])]);
    assert_eq!(own.difference(&own.clone()), None);
    let with = |entities| own.difference(&schema(entities)).unwrap();
    let more = with(vec![kind("Ship", &["fire", "turn", "heat"]), kind("Rock", &[])]);
    assert_eq!(more, "Ship.heat is not the same there");
    let less = with(vec![kind("Ship", &["fire"]), kind("Rock", &[])]);
    assert_eq!(less, "Ship.turn is not the same there");
    let order = with(vec![kind("Ship", &["turn", "fire"]), kind("Rock", &[])]);
    assert_eq!(order, "Ship is not the same there");
    assert_eq!(with(vec![kind("Rock", &[])]), "Ship is Rock there");
    let fewer = with(vec![kind("Ship", &["fire", "turn"])]);
    assert_eq!(fewer, "it has other kinds of entity");
    let other = own.difference(&Schema { tick_hz: 30, ..own.clone() }).unwrap();
    assert!(other.contains("30 Hz"), "{other}");
}

#[test]
fn a_schema_that_no_frame_holds_is_refused_with_its_size() {
    let fields: Vec<String> = (0..LANES_MAX).map(|n| format!("a_telling_name_{n}")).collect();
    let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
    let schema = |kinds: usize, model: usize| Schema {
        game: "big".into(),
        tick_hz: 60,
        input: kind("Input", &[]),
        entities: (0..kinds).map(|n| kind(&format!("Kind{n}"), &fields)).collect(),
        events: vec![],
        commands: vec![],
        model: vec![0; model],
    };
    assert_eq!(schema(40, 0).validate(), Ok(()));
    let too_large = schema(KINDS_MAX, 0).validate().unwrap_err();
    let SchemaError::TooLarge { bytes, model: 0 } = too_large else { panic!("{too_large}") };
    assert!(too_large.to_string().contains(&bytes.to_string()), "{too_large}");
    let model = schema(1, SCHEMA_BYTES_MAX).validate();
    assert!(matches!(model, Err(SchemaError::TooLarge { model: SCHEMA_BYTES_MAX, .. })));
}

#[test]
fn commands_are_checked_and_compared_as_events_are() {
    let with = |commands| Schema { commands, ..team(&["Azure", "Amber"]) };
    let server = with(vec![kind("Ready", &[]), kind("Buy", &["item"])]);
    assert_eq!(server.validate(), Ok(()));
    // A field of only one side is no difference, nor is the order.
    assert_eq!(
        server.accepts(&with(vec![kind("Buy", &["item", "count"]), kind("Sell", &[])])),
        Ok(())
    );
    let mut other = server.clone();
    other.commands[1].fields[0].ty = FieldType::Int { min: 0, max: 9 };
    let error = server.accepts(&other).unwrap_err().to_string();
    assert!(error.starts_with("Buy.item is Bool on the server"), "{error}");
    let twice = with(vec![kind("Ready", &[]), kind("Ready", &[])]).validate().unwrap_err();
    assert_eq!(twice.to_string(), "Ready cannot be coded: another kind has the same name");
    let many = (0..=KINDS_MAX).map(|number| kind(&format!("Kind{number}"), &[])).collect();
    assert!(with(many).validate().unwrap_err().to_string().contains("more than 64 kinds"));
}

#[test]
fn how_many_values_a_field_has_is_checked_and_compared() {
    let with = |ty, values| {
        let mut schema = team(&["Azure", "Amber"]);
        let at = FieldType::Vec2 { min: -8.0, max: 8.0, step: 0.5 };
        let field = FieldSchema { values, ..FieldSchema::new("values", ty) };
        schema.entities[0].fields.extend([field, FieldSchema::new("vel", at)]);
        schema
    };
    let byte = FieldType::Int { min: 0, max: 255 };
    let optional = with(byte, FieldValues::Optional);
    assert_eq!(optional.accepts(&optional), Ok(()));
    let error = optional.accepts(&with(byte, FieldValues::Array(4))).unwrap_err().to_string();
    let words = "is Int { min: 0, max: 255 }, optional on the server and 4 values of Int";
    assert!(error.contains(words), "{error}");
    for length in [1, 32] {
        assert_eq!(with(FieldType::Bool, FieldValues::Array(length)).validate(), Ok(()));
        assert_eq!(with(FieldType::Bool, FieldValues::OptionalArray(length)).validate(), Ok(()));
    }
    for values in [FieldValues::Array(0), FieldValues::OptionalArray(33)] {
        let error = with(FieldType::Bool, values).validate().unwrap_err().to_string();
        assert_eq!(error, "Flag.values cannot be coded: an array has 1 to 32 values");
    }
    for (bytes, is_valid) in [(0, false), (1, true), (64, true), (65, false)] {
        let schema = with(FieldType::Text { bytes }, FieldValues::One);
        assert_eq!(schema.validate().is_ok(), is_valid, "{bytes} bytes");
    }
    assert!(
        with(FieldType::Text { bytes: 64 }, FieldValues::Array(4)).validate().is_err(),
        "lanes"
    );
    let place = FieldType::Vec2 { min: -8.0, max: 8.0, step: 0.5 };
    for (values, is_valid) in
        [(FieldValues::One, true), (FieldValues::Optional, false), (FieldValues::Array(1), false)]
    {
        let mut schema = with(place, values);
        schema.entities[0].fields[1].velocity = Some("vel".into());
        assert_eq!(schema.validate().is_ok(), is_valid, "{values:?}");
    }
}
