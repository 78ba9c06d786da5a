//! The protocol chapter of the book describes what is on the wire.

use std::fmt::Debug;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tickwire_shared::bits::BitWriter;
use tickwire_shared::control::{
    ChatMessage, ClientChat, ClientFrame, ClientStatic, ClientTopics, CloseCode, Member, Received,
    RefuseCode, RoomChoice, RoomInfo, RoomOrder, RoomQuery, ServerChat, ServerFrame, ServerStatic,
    ServerTopics, StaticChange, TopicCursor, TopicDelivery, TopicMessage, TopicPosition,
    TopicStart,
};
use tickwire_shared::delta::{Baseline, LaneTable, class_code};
use tickwire_shared::glam::Vec2;
use tickwire_shared::model::{ChanceTree, KindModel, Leaf, Model, Site, Split};
use tickwire_shared::quantize::Lanes;
use tickwire_shared::schema::{
    ChoiceSchema, FieldSchema, FieldType, FieldValues, KindSchema, Schema, SendRule,
};
use tickwire_shared::snapshot::{
    Fragment, InputReport, Marks, RecordHead, SnapshotHeader, SnapshotWriter,
};
use tickwire_shared::{Replicate, Tick};

/// The pages of the chapter that tables are read from.
const CHAPTER: &str = concat!(
    include_str!("../../docs/src/protocol/streams.md"),
    include_str!("../../docs/src/protocol/field-tables.md"),
    include_str!("../../docs/src/protocol/datagrams.md"),
    include_str!("../../docs/src/protocol/models.md"),
    include_str!("../../docs/src/protocol/codes.md"),
);

#[test]
fn close_codes() {
    let wanted: Vec<_> = CloseCode::ALL
        .iter()
        .map(|code| [code.number().to_string(), format!("`{code:?}`"), code.text().to_owned()])
        .collect();
    assert_eq!(rows("## Close codes"), wanted);
    for code in CloseCode::ALL {
        assert_eq!(postcard::to_allocvec(&code).unwrap(), [code.number() as u8]);
    }
}

#[test]
fn refuse_codes() {
    variants::<RefuseCode>("## Refuse codes");
}

#[test]
fn frames() {
    variants::<ClientFrame>("## ClientFrame");
    variants::<RoomChoice>("## RoomChoice");
    variants::<RoomOrder>("## RoomOrder");
    variants::<ServerFrame>("## ServerFrame");
    variants::<ClientChat>("## ClientChat");
    variants::<ServerChat>("## ServerChat");
    variants::<ClientStatic>("## ClientStatic");
    variants::<ServerStatic>("## ServerStatic");
    variants::<ClientTopics>("## ClientTopics");
    variants::<ServerTopics>("## ServerTopics");
    variants::<TopicDelivery>("## TopicDelivery");
    variants::<TopicStart>("## TopicStart");
    variants::<FieldType>("## FieldType");
    variants::<FieldValues>("## FieldValues");
    variants::<SendRule>("## SendRule");
}

#[test]
fn structs() {
    let structs = [
        zero::<RoomInfo>(),
        zero::<RoomQuery>(),
        zero::<Member>(),
        zero::<StaticChange>(),
        zero::<ChatMessage>(),
        zero::<TopicPosition>(),
        zero::<TopicCursor>(),
        zero::<TopicMessage>(),
        zero::<Received>(),
        zero::<Schema>(),
        zero::<KindSchema>(),
        zero::<FieldSchema>(),
        zero::<ChoiceSchema>(),
    ];
    let told = rows("## Structs");
    assert_eq!(told.len(), structs.len());
    for (row, debug) in told.iter().zip(structs) {
        assert_eq!((row[0].trim_matches('`'), field_names(&row[1])), shape(&debug));
    }
}

#[test]
fn class_codes() {
    let told = rows("### Class codes");
    let wanted: Vec<_> = (0..=33u32)
        .map(|class| {
            let mut writer = BitWriter::default();
            let (code, bits) = class_code(class);
            writer.push(u64::from(code), bits);
            let count = writer.len_bits();
            writer.align();
            let bits =
                (0..count).map(|at| if writer.words()[0] >> at & 1 == 1 { '1' } else { '0' });
            [class.to_string(), format!("`{}`", bits.collect::<String>())]
        })
        .collect();
    assert_eq!(told, wanted);
}

/// The entity of `examples/minimal`.
#[derive(Replicate)]
struct Dot {
    #[replicate(range = -100.0..=100.0, step = 0.01, velocity = vel)]
    pos: Vec2,
    #[replicate(range = -20.0..=20.0, step = 0.01)]
    vel: Vec2,
}

#[test]
fn the_worked_example() {
    let table = LaneTable::new(&Dot::schema(), 60);
    let (mut before, mut now) = ([0; 4], [0; 4]);
    Dot { pos: Vec2::new(10.0, -5.0), vel: Vec2::new(20.0, 0.0) }.to_lanes(&mut before);
    Dot { pos: Vec2::new(11.02, -5.0), vel: Vec2::new(20.0, 0.0) }.to_lanes(&mut now);

    let header = SnapshotHeader { tick_low16: 1000, seat: 7, ..SnapshotHeader::default() };
    let head = RecordHead::Whole { kind: 0, mine: true, id: 5 };
    let mut lanes = BitWriter::default();
    table.whole(&mut lanes, &mut before, true).unwrap();
    let first = snapshot(header, Some(head), lanes);

    let header = SnapshotHeader {
        tick_low16: Tick(1003).low16(),
        input: Some(InputReport { newest_ticks: 2, margin_eighth_ms: 100, dip_eighth_ms: 0 }),
        baseline_age: 3,
        ..header
    };
    let mut lanes = BitWriter::default();
    table.delta(&mut lanes, &Baseline::new(&before, 3), &mut now, true).unwrap();
    let second = snapshot(header, None, lanes);

    let (_, example) = CHAPTER.split_once("## A worked example").unwrap();
    let (example, _) = example.split_once("\n# ").unwrap();
    let told: Vec<(&str, &str)> = example
        .split("```text\n")
        .skip(1)
        .map(|part| part.split_once("\n```\n").unwrap())
        .collect();
    assert_eq!(told.len(), 2);
    for ((told_hex, told_bits), bytes) in told.into_iter().zip([first, second]) {
        assert_eq!(told_hex, hex(&bytes));
        let mut writer = BitWriter::default();
        for row in table_rows(told_bits) {
            writer.push(row[1].parse().unwrap(), row[0].parse().unwrap());
        }
        assert_eq!(hex(&writer.into_bytes()), told_hex, "the table is of other bits");
    }
}

/// A snapshot of slot 0: a record, or a delta against the common baseline.
fn snapshot(header: SnapshotHeader, head: Option<RecordHead>, mut lanes: BitWriter) -> Vec<u8> {
    let bits = lanes.len_bits();
    lanes.align();
    let lanes = Fragment { words: lanes.words(), bits };
    let mut writer = SnapshotWriter::default();
    writer.begin(header, std::iter::empty());
    match head {
        Some(head) => {
            writer.others(1);
            writer.record(0, head, lanes);
        }
        None => {
            writer.marks(&mut Marks { coded: vec![1], predicted: vec![0] }, &[1]);
            writer.delta(lanes);
            writer.others(0);
        }
    }
    let mut bytes = Vec::new();
    writer.finish(&mut bytes);
    bytes
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}

/// The first table below a heading, without its head.
fn rows(heading: &str) -> Vec<Vec<String>> {
    let (_, below) = CHAPTER.split_once(&format!("\n{heading}\n")).expect(heading);
    table_rows(below)
}

fn table_rows(text: &str) -> Vec<Vec<String>> {
    let lines = text.lines().skip_while(|line| !line.starts_with("| --- ")).skip(1);
    let lines = lines.take_while(|line| line.starts_with('|'));
    let cells = |line: &str| {
        let line = line.strip_prefix('|').unwrap().strip_suffix('|').unwrap();
        line.split('|').map(|cell| cell.trim().to_owned()).collect()
    };
    lines.map(cells).collect()
}

/// Checks that the table below `heading` names every variant of `T` by its number on the wire, with
/// the fields in their order.
fn variants<T: Serialize + DeserializeOwned + Debug>(heading: &str) {
    let told = rows(heading);
    for (number, row) in told.iter().enumerate() {
        let debug = numbered::<T>(number as u8).expect(&row[1]);
        let (name, fields) = shape(&debug);
        assert_eq!((&row[0], row[1].trim_matches('`')), (&number.to_string(), name));
        // A newtype's field, or none, has no name; codes and rules are explained instead.
        if !fields.is_empty() {
            assert_eq!(field_names(&row[2]), fields, "{name}");
        }
    }
    assert_eq!(numbered::<T>(told.len() as u8), None, "{heading} leaves some out");
}

/// The variant of this number, everything in it zero or empty.
fn numbered<T: DeserializeOwned + Debug>(number: u8) -> Option<String> {
    let mut bytes = [0; 256];
    bytes[0] = number;
    let (value, _) = postcard::take_from_bytes::<T>(&bytes).ok()?;
    Some(format!("{value:?}"))
}

fn zero<T: DeserializeOwned + Debug>() -> String {
    numbered::<T>(0).unwrap()
}

/// The name of a value and of its fields, from how it shows itself.
fn shape(debug: &str) -> (&str, Vec<&str>) {
    let name = debug.split([' ', '(']).next().unwrap();
    let Some((_, inner)) = debug.split_once(" {") else { return (name, Vec::new()) };
    if debug[name.len()..].starts_with('(') {
        return (name, Vec::new());
    }
    let (mut depth, mut start, mut fields) = (0, 0, Vec::new());
    for (at, letter) in inner.char_indices() {
        match letter {
            '{' | '(' | '[' => depth += 1,
            '}' | ')' | ']' => depth -= 1,
            ':' if depth == 0 => fields.push(inner[start..at].trim()),
            ',' if depth == 0 => start = at + 1,
            _ => {}
        }
    }
    (name, fields)
}

/// The names a cell gives to fields: `name` type; `name` type.
fn field_names(cell: &str) -> Vec<&str> {
    cell.split("; ").filter_map(|field| field.strip_prefix('`')?.split('`').next()).collect()
}

#[test]
fn model_structs() {
    let structs = [
        zero::<Model>(),
        zero::<KindModel>(),
        zero::<Site>(),
        zero::<Split>(),
        zero::<Leaf>(),
        zero::<ChanceTree>(),
    ];
    let told = rows("## Model structs");
    assert_eq!(told.len(), structs.len());
    for (row, debug) in told.iter().zip(structs) {
        assert_eq!((row[0].trim_matches('`'), field_names(&row[1])), shape(&debug));
    }
}
