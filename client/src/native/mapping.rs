//! From the server's field tables to the game's own types, matched by name.
//!
//! A field that only one side has is skipped, or reads as zero: the side that has it is newer.

use tickwire_shared::quantize::Kinds;
use tickwire_shared::replica::Event;
use tickwire_shared::schema::{FieldSchema, KindSchema, LANES_MAX, Schema};

/// Where the lanes of each kind move.
#[derive(Debug, Default)]
pub(super) struct Mapping {
    input: Moves,
    /// The server's neutral input.
    input_zero: Vec<i32>,
    entities: Vec<Option<KindMapping>>,
    events: Vec<Option<KindMapping>>,
    /// Indexed by the game's own kind.
    commands: Vec<Option<CommandMapping>>,
}

#[derive(Debug)]
struct KindMapping {
    own: u8,
    moves: Moves,
}

#[derive(Debug)]
struct CommandMapping {
    /// The server's number of the kind.
    server: u8,
    zero: Vec<i32>,
    moves: Moves,
}

/// Triples of source lane, target lane and count.
type Moves = Vec<(usize, usize, usize)>;

impl Mapping {
    /// Maps `own` to `server`. Both schemas must be valid and fit each other.
    pub(super) fn new(server: &Schema, own: &Schema) -> Self {
        Mapping {
            input: moves(&own.input, &server.input),
            input_zero: server.input.zero_lanes(),
            entities: kinds(&server.entities, &own.entities),
            events: kinds(&server.events, &own.events),
            commands: own.commands.iter().map(|kind| command(kind, &server.commands)).collect(),
        }
    }

    /// Writes the game's input as the server's lanes; returns their count.
    pub(super) fn input(&self, own: &[i32], lanes: &mut [i32]) -> usize {
        lanes[..self.input_zero.len()].copy_from_slice(&self.input_zero);
        for &(from, to, count) in &self.input {
            lanes[to..to + count].copy_from_slice(&own[from..from + count]);
        }
        self.input_zero.len()
    }

    /// An entity in the game's own type; `None` if the game lacks the kind.
    pub(super) fn entity<E: Kinds>(&self, kind: u8, lanes: &[f64]) -> Option<E> {
        let kind = self.entities.get(usize::from(kind))?.as_ref()?;
        let mut own = [0; LANES_MAX];
        for &(from, to, count) in &kind.moves {
            for (value, lane) in own[to..to + count].iter_mut().zip(&lanes[from..from + count]) {
                // Integers of up to 32 bits come through unchanged; blended values are rounded.
                *value = lane.round() as i32;
            }
        }
        E::from_lanes(kind.own, &own)
    }

    /// Writes a command of the game's kind as the server's lanes; returns the server's kind, or
    /// `None` if the server lacks it.
    pub(super) fn command(&self, kind: u8, own: &[i32], lanes: &mut [i32]) -> Option<u8> {
        let kind = self.commands.get(usize::from(kind))?.as_ref()?;
        lanes[..kind.zero.len()].copy_from_slice(&kind.zero);
        for &(from, to, count) in &kind.moves {
            lanes[to..to + count].copy_from_slice(&own[from..from + count]);
        }
        Some(kind.server)
    }

    /// An event in the game's own type; `None` if the game lacks the kind.
    pub(super) fn event<E: Kinds>(&self, event: &Event) -> Option<E> {
        let kind = self.events.get(usize::from(event.kind))?.as_ref()?;
        let mut own = [0; LANES_MAX];
        for &(from, to, count) in &kind.moves {
            own[to..to + count].copy_from_slice(&event.lanes[from..from + count]);
        }
        E::from_lanes(kind.own, &own)
    }
}

/// The mapping of a command of the game's kind `own` to one of the server's.
fn command(own: &KindSchema, server: &[KindSchema]) -> Option<CommandMapping> {
    let at = server.iter().position(|other| other.name == own.name)?;
    let (zero, moves) = (server[at].zero_lanes(), moves(own, &server[at]));
    Some(CommandMapping { server: at as u8, zero, moves })
}

fn kinds(server: &[KindSchema], own: &[KindSchema]) -> Vec<Option<KindMapping>> {
    let kind = |kind: &KindSchema| {
        let at = own.iter().position(|other| other.name == kind.name)?;
        Some(KindMapping { own: at as u8, moves: moves(kind, &own[at]) })
    };
    server.iter().map(kind).collect()
}

fn moves(from: &KindSchema, to: &KindSchema) -> Moves {
    let first_lane = |kind: &KindSchema, field: usize| -> usize {
        kind.fields[..field].iter().map(FieldSchema::lanes).sum()
    };
    let one = |(at, field): (usize, &FieldSchema)| {
        let other = to.fields.iter().position(|other| other.name == field.name)?;
        Some((first_lane(from, at), first_lane(to, other), field.lanes()))
    };
    from.fields.iter().enumerate().filter_map(one).collect()
}
