use super::*;
use crate::bits::{BitMeasure, BitReader, BitWriter};
use crate::model::Features;
use crate::model::{ChanceTree, Child, Leaf, Site, Split};
use crate::quantize::{Field, OwnType};
use crate::schema::{FieldSchema, FieldType, FieldValues};
use crate::text::Text;
use proptest::prelude::*;

fn field(name: &str, ty: FieldType, rule: SendRule, owner_only: bool) -> FieldSchema {
    FieldSchema { rule, owner_only, ..FieldSchema::new(name, ty) }
}

/// A kind with every field type and every send rule.
fn kind() -> KindSchema {
    let vec2 = FieldType::Vec2 { min: -1000.0, max: 1000.0, step: 0.0625 };
    let count = FieldType::Int { min: 3, max: 40 };
    let speed = FieldType::Vec2 { min: -100.0, max: 100.0, step: 0.25 };
    let mut home = field("home", vec2, SendRule::Rare, false);
    home.velocity = Some("homing".into());
    let mut position = field("pos", vec2, SendRule::Always, false);
    position.velocity = Some("vel".into());
    KindSchema {
        name: "Thing".into(),
        fields: vec![
            position,
            field("vel", speed, SendRule::Always, false),
            field("heading", FieldType::Angle { bits: 8 }, SendRule::Always, false),
            field("alive", FieldType::Bool, SendRule::Always, false),
            field("ammo", FieldType::Int { min: 0, max: 40 }, SendRule::Always, true),
            field(
                "score",
                FieldType::Int { min: 0, max: i64::from(u32::MAX) },
                SendRule::Rare,
                false,
            ),
            field("hue", FieldType::Choice { variants: 5 }, SendRule::Initial, false),
            field("turn", FieldType::Quat { bits: 9 }, SendRule::Always, false),
            field("homing", speed, SendRule::Rare, false),
            home,
            FieldSchema {
                values: FieldValues::Optional,
                ..field("aim", vec2, SendRule::Always, false)
            },
            FieldSchema {
                values: FieldValues::Array(3),
                ..field("teeth", count, SendRule::Always, false)
            },
            FieldSchema {
                values: FieldValues::OptionalArray(2),
                ..field("marks", FieldType::Angle { bits: 4 }, SendRule::Rare, false)
            },
            FieldSchema {
                values: FieldValues::Optional,
                ..field("nick", FieldType::Text { bytes: 6 }, SendRule::Always, false)
            },
        ],
    }
}

fn lanes() -> impl Strategy<Value = Vec<i32>> {
    let fields: Vec<_> = kind().fields.iter().map(field_lanes).collect();
    fields.prop_map(|fields| fields.concat())
}

/// Any lanes that a value of the field has.
fn field_lanes(field: &FieldSchema) -> BoxedStrategy<Vec<i32>> {
    let zeros = KindSchema::new("Zero", vec![field.clone()]).zero_lanes();
    if let FieldType::Text { .. } = field.ty {
        return proptest::option::of(".{0,7}")
            .prop_map(move |text| {
                let mut lanes = zeros.clone();
                text.map(|text| Text::<6>::cut(&text)).quantize(Text::<6>::TYPE, &mut lanes);
                lanes
            })
            .boxed();
    }
    let ranges = (0..field.lanes()).map(|lane| field.lane_range(lane));
    let lanes = ranges.map(|(min, max)| (min..=max).prop_map(|v| v as i32)).collect::<Vec<_>>();
    let is_optional = field.values.is_optional();
    lanes
        .prop_map(move |lanes| if is_optional && lanes[0] == 0 { zeros.clone() } else { lanes })
        .boxed()
}

/// `now`, but where `pick` says so a field as it is in `before`.
fn mixed(before: &[i32], now: &mut [i32], pick: u32) {
    let mut first = 0;
    for (number, field) in kind().fields.iter().enumerate() {
        // A text, and a value that may be absent, are one thing; of the others any lane may stay.
        let whole = field.values.is_optional() || matches!(field.ty, FieldType::Text { .. });
        for at in first..first + field.lanes() {
            let bit = if whole { number } else { at };
            if pick >> (bit % 32) & 1 == 1 {
                now[at] = before[at];
            }
        }
        first += field.lanes();
    }
}

const AMMO: usize = 6;
const HUE: usize = 8;
/// The first lane of the fields of parts.
const OPTIONAL: usize = 17;

proptest! {
    #[test]
    fn a_delta_decodes_to_exactly_the_lanes(
        before in lanes(), mut now in lanes(), ticks in 1u32..200, owner: bool, same in any::<u32>(),
    ) {
        mixed(&before, &mut now, same);
        let table = LaneTable::new(&kind(), 60);
        let baseline = Baseline::new(&before, ticks);
        let mut writer = BitWriter::default();
        let mut measure = BitMeasure::default();
        table.delta(&mut writer, &baseline, &mut now.clone(), owner).unwrap();
        table.delta(&mut measure, &baseline, &mut now.clone(), owner).unwrap();
        prop_assert_eq!(writer.len_bits(), measure.len_bits());
        let bytes = writer.into_bytes();
        let mut read = vec![0; table.len()];
        let mut reader = BitReader::new(&bytes);
        table.delta(&mut reader, &baseline, &mut read, owner).unwrap();
        prop_assert!(reader.finish().is_ok());
        now[HUE] = before[HUE];
        if !owner {
            now[AMMO] = 0;
        }
        prop_assert_eq!(read, now);
    }

    #[test]
    fn whole_lanes_round_trip(mut now in lanes(), owner: bool) {
        let table = LaneTable::new(&kind(), 60);
        let mut writer = BitWriter::default();
        table.whole(&mut writer, &mut now, owner).unwrap();
        let bytes = writer.into_bytes();
        let mut read = vec![9; table.len()];
        table.whole(&mut BitReader::new(&bytes), &mut read, owner).unwrap();
        if !owner {
            now[AMMO] = 0;
        }
        prop_assert_eq!(read, now);
    }

    #[test]
    fn any_bits_decode_to_lanes_in_range_or_an_error(
        before in lanes(), bytes: Vec<u8>, ticks: u32, owner: bool,
    ) {
        let table = LaneTable::new(&kind(), 60);
        let mut read = vec![0; table.len()];
        let baseline = Baseline::new(&before, ticks);
        if table.delta(&mut BitReader::new(&bytes), &baseline, &mut read, owner).is_ok() {
            for (lane, value) in table.layout.lanes.iter().zip(&read).filter(|(_, v)| **v != 0) {
                let offset = i64::from(value.wrapping_sub(lane.min) as u32);
                prop_assert!(offset <= i64::from(lane.span));
            }
        }
    }
}

/// A model of [`kind`] whose trees split on features drawn by `seed`, with flat codes.
fn model(seed: u64) -> KindModel {
    let kind = kind();
    let mut state = seed;
    let mut draw = |below: u64| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) % below
    };
    let chunks = crate::model::chunks(&kind);
    let common: Vec<u8> = chunks.iter().map(|chunk| draw(1 << chunk.len()) as u8).collect();
    let sites = (0..common.len() + kind.lanes()).map(|site| {
        let needed = KindModel::symbols(&kind, &common, site);
        let count = needed.iter().filter(|needed| **needed).count();
        if count == 0 {
            return Site::default();
        }
        let bits = count.next_power_of_two().ilog2().max(1) as u8;
        let lengths: Vec<u8> = needed.iter().map(|&needed| if needed { bits } else { 0 }).collect();
        let pairs = lengths.chunks(2).map(|pair| pair[0] | pair.get(1).map_or(0, |next| next << 4));
        let pairs: Vec<u8> = pairs.collect();
        let splits = (0..3u8).map(|at| Split {
            feature: draw(Features::count(&kind) as u64) as u16,
            threshold: draw(9) as i32 - 4,
            children: [Child::Leaf(at), if at < 2 { Child::Split(at + 1) } else { Child::Leaf(3) }],
        });
        let splits = splits.collect();
        let leaves = (0..4).map(|_| Leaf {
            weight: draw(40) as i8 - 8,
            bias: draw(200) as i16 - 100,
            lengths: pairs.clone(),
        });
        Site { splits, leaves: leaves.collect() }
    });
    let sites = sites.collect();
    KindModel { common, sites, chances: ChanceTree::default() }
}

proptest! {
    #[test]
    fn a_delta_by_a_model_decodes_to_exactly_the_lanes(
        older in lanes(), before in lanes(), mut now in lanes(), ticks in 1u32..200, gap in 0u32..200,
        owner: bool, same: u32, steady: u32, seed: u64,
    ) {
        mixed(&before, &mut now, same);
        for at in 0..OPTIONAL {
            if steady >> at & 1 == 1 {
                now[at] = now[at].wrapping_sub(now[at].wrapping_sub(before[at]) / 64 * 64);
            }
        }
        for (value, lane) in now.iter_mut().zip(&LaneTable::new(&kind(), 60).layout.lanes) {
            *value = i64::from(*value).clamp(i64::from(lane.min), i64::from(lane.min) + i64::from(lane.span)) as i32;
        }
        let table = LaneTable::with_model(&kind(), 60, &model(seed)).unwrap();
        let second = (gap > 0).then_some(SecondBaseline { lanes: &older, ticks: gap });
        let baseline = Baseline { lanes: &before, ticks, second };
        let mut writer = BitWriter::default();
        let mut measure = BitMeasure::default();
        table.delta(&mut writer, &baseline, &mut now.clone(), owner).unwrap();
        table.delta(&mut measure, &baseline, &mut now.clone(), owner).unwrap();
        prop_assert_eq!(writer.len_bits(), measure.len_bits());
        let bytes = writer.into_bytes();
        // Others have zeros in owner-only lanes.
        let (mut before, mut older) = (before.clone(), older.clone());
        now[HUE] = before[HUE];
        if !owner {
            (before[AMMO], older[AMMO], now[AMMO]) = (0, 0, 0);
        }
        let second = (gap > 0).then_some(SecondBaseline { lanes: &older, ticks: gap });
        let baseline = Baseline { lanes: &before, ticks, second };
        let mut read = vec![0; table.len()];
        let mut reader = BitReader::new(&bytes);
        table.delta(&mut reader, &baseline, &mut read, owner).unwrap();
        prop_assert!(reader.finish().is_ok());
        prop_assert_eq!(read, now);
    }

    #[test]
    fn any_bits_decode_by_a_model_to_lanes_in_range_or_an_error(
        older in lanes(), before in lanes(), bytes: Vec<u8>, ticks: u32, gap: u32, seed: u64,
    ) {
        let table = LaneTable::with_model(&kind(), 60, &model(seed)).unwrap();
        let second = Some(SecondBaseline { lanes: &older, ticks: gap });
        let baseline = Baseline { lanes: &before, ticks, second };
        let mut read = vec![0; table.len()];
        if table.delta(&mut BitReader::new(&bytes), &baseline, &mut read, true).is_ok() {
            for (lane, value) in table.layout.lanes.iter().zip(&read).filter(|(_, v)| **v != 0) {
                let offset = i64::from(value.wrapping_sub(lane.min) as u32);
                prop_assert!(offset <= i64::from(lane.span));
            }
        }
    }
}

#[test]
fn a_model_that_does_not_fit_is_refused() {
    let good = model(1);
    let refused = |change: &dyn Fn(&mut KindModel)| {
        let mut model = good.clone();
        change(&mut model);
        LaneTable::with_model(&kind(), 60, &model).unwrap_err()
    };
    assert!(LaneTable::with_model(&kind(), 60, &good).is_ok());
    assert!(LaneTable::with_model(&kind(), 60, &KindModel::default()).is_ok(), "the defaults");
    let other = "it was trained for other fields";
    assert_eq!(refused(&|model| model.sites.truncate(3)), other);
    assert_eq!(refused(&|model| model.common.clear()), other);
    let nowhere = "a split leads nowhere";
    let site = good.sites.iter().position(|site| !site.splits.is_empty()).unwrap();
    assert_eq!(
        refused(&|model| model.sites[site].splits[1].children[0] = Child::Split(1)),
        nowhere
    );
    assert_eq!(refused(&|model| model.sites[site].splits[0].children[0] = Child::Leaf(4)), nowhere);
    assert_eq!(refused(&|model| model.sites[site].splits[0].feature = 999), nowhere);
    let code = "a symbol has no code, or one that is never sent has";
    let lane = KindModel::chunks(&kind());
    assert_eq!(refused(&|model| model.sites[lane].leaves[0].lengths[0] = 0), code);
    assert_eq!(
        refused(&|model| model.sites[lane].leaves[0].lengths.fill(0x11)),
        "a leaf's lengths are of no prefix code"
    );
    assert_eq!(
        refused(&|model| model.sites[lane].leaves[0].lengths.clear()),
        "a leaf has other symbols"
    );
    let wide = "a usual pattern has fields that its chunk has not";
    assert_eq!(refused(&|model| *model.common.last_mut().unwrap() |= 0b10), wide);
    let trees = "a tree has no leaves, or too many";
    assert_eq!(refused(&|model| model.sites[lane].leaves.clear()), trees);
}

#[test]
fn a_rotation_that_is_never_coded_has_no_symbols() {
    let mut kind = kind();
    let turn = kind.fields.iter().position(|field| field.name == "turn").unwrap();
    let lane: usize = kind.fields[..turn].iter().map(|field| field.ty.lanes()).sum();
    let symbols = |kind: &KindSchema| {
        let chunks = KindModel::chunks(kind);
        KindModel::symbols(kind, &vec![0; chunks], chunks + lane)
    };
    assert_eq!(symbols(&kind).iter().filter(|needed| **needed).count(), 65 + 3);
    kind.fields[turn].rule = SendRule::Initial;
    assert!(!symbols(&kind).contains(&true));
}

#[test]
fn a_rare_position_that_moves_as_predicted_arrives() {
    let table = LaneTable::new(&kind(), 60);
    let (homing, home) = (13, 15);
    let mut before = kind().zero_lanes();
    before[homing] = 240;
    let mut now = before.clone();
    now[home] = 16;
    let mut writer = BitWriter::default();
    let baseline = Baseline::new(&before, 1);
    table.delta(&mut writer, &baseline, &mut now, true).unwrap();
    let bytes = writer.into_bytes();
    let mut read = vec![0; table.len()];
    table.delta(&mut BitReader::new(&bytes), &baseline, &mut read, true).unwrap();
    assert_eq!(read, now);
}

#[test]
fn steady_motion_costs_one_bit_a_field() {
    let table = LaneTable::new(&kind(), 60);
    // 60 units a second are 1 unit, or 16 steps, a tick.
    let mut before = kind().zero_lanes();
    (before[2], before[3]) = (240, -120);
    let mut now = before.clone();
    (now[0], now[1]) = (5 * 16, -5 * 8);
    let mut measure = BitMeasure::default();
    table.delta(&mut measure, &Baseline::new(&before, 5), &mut now, false).unwrap();
    assert_eq!(measure.len_bits(), 9, "eight fields and the rare ones");
}

/// Bits of a field of a kind of its own: whole, unchanged, and changed from `before` to `now`.
fn field_bits<T: Field>(field: FieldSchema, before: &T, now: &T) -> [usize; 3] {
    let (ty, count) = (field.ty, field.lanes());
    let table = LaneTable::new(&KindSchema::new("One", vec![field]), 60);
    let [mut before, mut now] = [before, now].map(|value| {
        let mut lanes = vec![0; count];
        value.quantize(ty, &mut lanes);
        lanes
    });
    let delta = |from: &[i32], lanes: &mut [i32]| {
        let mut measure = BitMeasure::default();
        table.delta(&mut measure, &Baseline::new(from, 1), lanes, true).unwrap();
        measure.len_bits()
    };
    let mut whole = BitMeasure::default();
    table.whole(&mut whole, &mut before, true).unwrap();
    let from = before.clone();
    [whole.len_bits(), delta(&from, &mut before), delta(&from, &mut now)]
}

#[test]
fn fields_of_parts_cost_what_they_hold() {
    let vec3 = FieldType::Vec3 { min: -512.0, max: 512.0, step: 0.03125 };
    let aim = FieldSchema { values: FieldValues::Optional, ..FieldSchema::new("aim", vec3) };
    let at = Some(glam::Vec3::new(400.0, -3.0, 80.0));
    assert_eq!(field_bits(aim.clone(), &None, &None::<glam::Vec3>), [1, 1, 1]);
    assert_eq!(field_bits(aim, &at, &None), [1 + 3 * 16, 1, 2], "none takes one bit more");
    let name = FieldSchema::new("name", Text::<16>::TYPE);
    let [ann, michael] = ["Ann", "Michael12345"].map(Text::<16>::cut);
    assert_eq!(field_bits(name.clone(), &ann, &michael), [5 + 3 * 8, 1, 1 + 5 + 12 * 8]);
    assert_eq!(field_bits(name, &michael, &michael), [5 + 12 * 8, 1, 1]);
    let byte = FieldType::Int { min: 0, max: 255 };
    let slots = FieldSchema { values: FieldValues::Array(8), ..FieldSchema::new("slots", byte) };
    let one_more = [0, 0, 0, 1, 0, 0, 0, 0u8];
    assert_eq!(field_bits(slots, &[0; 8], &one_more), [64, 1, 1 + 8 + 4], "a bit for each value");
}

#[test]
fn a_text_that_no_writer_writes_is_refused() {
    let table =
        LaneTable::new(&KindSchema::new("One", vec![FieldSchema::new("t", Text::<5>::TYPE)]), 60);
    let read = |length: u64, text: &[u8]| {
        let (mut whole, mut delta) = (BitWriter::default(), BitWriter::default());
        delta.push(1, 1);
        for writer in [&mut whole, &mut delta] {
            writer.push(length, 3);
            text.iter().for_each(|byte| writer.push((*byte).into(), 8));
        }
        let (whole, delta) = (whole.into_bytes(), delta.into_bytes());
        let [mut a, mut b] = [vec![9; 3], vec![9; 3]];
        let mut reader = BitReader::new(&whole);
        let read = table.whole(&mut reader, &mut a, true).and_then(|()| reader.finish());
        let mut reader = BitReader::new(&delta);
        let zeros = [0; 3];
        let differs = table.delta(&mut reader, &Baseline::new(&zeros, 1), &mut b, true);
        assert_eq!(read.is_ok(), differs.and_then(|()| reader.finish()).is_ok());
        read.map(|()| {
            assert_eq!(a, b);
            Text::<5>::dequantize(Text::<5>::TYPE, &a)
        })
    };
    assert_eq!(read(5, b"Z\xc3\xbcri").unwrap(), "Züri");
    assert_eq!(read(0, b"").unwrap(), "");
    assert_eq!(read(6, b"sixsix"), Err(BitError::Invalid), "too long");
    assert_eq!(read(2, b"Z\xc3"), Err(BitError::Invalid), "half a character");
    assert_eq!(read(3, b"a\nb"), Err(BitError::Invalid), "a control character");
    assert_eq!(read(3, b"\xe2\x80\xae"), Err(BitError::Invalid), "turns the direction");
    assert!(read(4, b"ab").is_err(), "cut off");
}
