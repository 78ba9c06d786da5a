//! The first difference between a journal and its replay.

use serde::Serialize;
use tickwire_shared::schema::Schema;

use crate::room::record::EntityLanes;

/// The first tick that did not come to what it came to when it was recorded.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReplayDifference {
    /// The tick.
    pub tick: u32,
    /// The hash that was recorded.
    pub recorded_hash: u64,
    /// The hash of the replay.
    pub replayed_hash: u64,
    /// The first tick from then on whose lanes were recorded, if it was reached.
    pub lanes_tick: Option<u32>,
    /// The first lane that differs in that tick.
    pub lane: Option<LaneDifference>,
}

/// The first lane that differs, by entity and then by field.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LaneDifference {
    /// The entity.
    pub entity: u32,
    /// Its kind.
    pub kind: String,
    /// The field; `None` where the whole entity is not there, is there twice, or is of another kind on one side.
    pub field: Option<String>,
    /// The recorded value in the field's unit; `None` where there is none.
    pub recorded: Option<f64>,
    /// The value of the replay.
    pub replayed: Option<f64>,
}

impl ReplayDifference {
    /// Nothing more will be known of it.
    pub fn is_settled(&self) -> bool {
        self.lanes_tick.is_some()
    }
}

impl std::fmt::Display for ReplayDifference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ReplayDifference { tick, recorded_hash, replayed_hash, .. } = self;
        let hashes = format!("recorded {recorded_hash:016x}, replayed {replayed_hash:016x}");
        write!(f, "tick {tick} differs: {hashes}")?;
        match (self.lanes_tick, &self.lane) {
            (None, _) => write!(f, "; no later record has the lanes to say where"),
            (Some(tick), None) => write!(f, "; in tick {tick} all lanes are equal again"),
            (Some(tick), Some(lane)) => write!(f, "; in tick {tick} first {lane}"),
        }
    }
}

impl std::fmt::Display for LaneDifference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let LaneDifference { entity, kind, field, recorded, replayed } = self;
        let Some(field) = field else {
            return write!(f, "{kind}, entity {entity}, which is not the same on both sides");
        };
        let value = |value: &Option<f64>| value.map_or("none".to_owned(), |it| it.to_string());
        let (recorded, replayed) = (value(recorded), value(replayed));
        write!(f, "{kind}.{field} of entity {entity}: recorded {recorded}, replayed {replayed}")
    }
}

/// Both are by entity.
pub(super) fn first_difference(
    schema: &Schema,
    recorded: &[EntityLanes],
    replayed: &[EntityLanes],
) -> Option<LaneDifference> {
    let equal = recorded.iter().zip(replayed).take_while(|(one, two)| one == two).count();
    let (one, two) = (recorded.get(equal), replayed.get(equal));
    let id = one.into_iter().chain(two).map(|entity| entity.id).min()?;
    let of_id = |entity: &&EntityLanes| entity.id == id;
    let (one, two) = (one.filter(of_id), two.filter(of_id));
    let known = one.or(two)?;
    let kind = schema.entities.get(usize::from(known.kind));
    let whole = LaneDifference {
        entity: id.0,
        kind: kind.map_or_else(|| format!("kind {}", known.kind), |kind| kind.name.clone()),
        field: None,
        recorded: None,
        replayed: None,
    };
    let (Some(one), Some(two), Some(kind)) = (one, two, kind) else { return Some(whole) };
    if one.kind != two.kind || one.lanes.len() != two.lanes.len() {
        return Some(whole);
    }
    let mut lanes = one.lanes.iter().zip(&two.lanes);
    let Some(lane) = lanes.position(|(one, two)| one != two) else {
        let owner = |entity: &EntityLanes| entity.owner.map(|owner| f64::from(owner.0));
        let field = Some("owner".to_owned());
        return Some(LaneDifference { field, recorded: owner(one), replayed: owner(two), ..whole });
    };
    let (field, step) = kind.lane_name(lane);
    let value = |lanes: &[i32]| Some(f64::from(lanes[lane]) * step);
    let (recorded, replayed) = (value(&one.lanes), value(&two.lanes));
    Some(LaneDifference { field: Some(field), recorded, replayed, ..whole })
}
