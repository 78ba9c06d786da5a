//! Commands: what a player asks of its game once, from a client to the server on the control stream.
//!
//! A command is a number and the bits of its lanes, whole, as those of an event are:
//!
//! ```text
//! ClientFrame::Command { request, kind, fields }
//!                                 │     └─ every field's lanes, plain, in the order of the table
//!                                 └─ the place in `Schema::commands`
//! ```

use crate::bits::{BitReader, BitWriter};
use crate::delta::LaneTable;
use crate::quantize::Kinds;
use crate::schema::{KindSchema, LANES_MAX, Schema};

/// Most bytes of a command's fields: no lane takes more than 32 bits.
pub const COMMAND_BYTES_MAX: usize = LANES_MAX * 4;

/// A kind that no schema has: what a client sends where the server lacks the command it is asked for.
pub const COMMAND_UNKNOWN: u8 = u8::MAX;

/// Why a command is none of the game's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// No kind of this number.
    #[error("the server's game has no such command; build server and client from the same rules")]
    UnknownKind,
    /// Too few bits, too many, or a value out of its range.
    #[error("the fields of {kind} are not those of the server's; build both from the same rules")]
    Fields {
        /// The struct.
        kind: String,
    },
}

/// Reads and writes the fields of commands of one game.
#[derive(Clone, Debug)]
pub struct CommandCodec {
    kinds: Vec<CommandTable>,
}

#[derive(Clone, Debug)]
struct CommandTable {
    name: String,
    zero: Vec<i32>,
    lanes: LaneTable,
}

impl CommandCodec {
    /// The codec of the commands in `schema`, which must be valid.
    pub fn new(schema: &Schema) -> Self {
        let table = |kind: &KindSchema| CommandTable {
            name: kind.name.clone(),
            zero: kind.zero_lanes(),
            lanes: LaneTable::new(kind, schema.tick_hz),
        };
        CommandCodec { kinds: schema.commands.iter().map(table).collect() }
    }

    /// Reads a command into the game's own type.
    ///
    /// # Errors
    /// [`CommandError`] for anything but a command of this game, each field within its range.
    pub fn decode<C: Kinds>(&self, kind: u8, fields: &[u8]) -> Result<C, CommandError> {
        let known = self.kinds.get(usize::from(kind));
        let table = known.ok_or(CommandError::UnknownKind)?;
        let mut lanes = [0; LANES_MAX];
        let mut reader = BitReader::new(fields);
        let read = table.lanes.whole(&mut reader, &mut lanes[..table.zero.len()], true);
        let read = read.and_then(|()| reader.finish());
        read.map_err(|_| CommandError::Fields { kind: table.name.clone() })?;
        C::from_lanes(kind, &lanes).ok_or(CommandError::UnknownKind)
    }

    /// Writes the fields of a command of this kind; lanes left out are as near to zero as their ranges allow. None for a
    /// kind that the schema lacks.
    pub fn encode(&self, kind: u8, lanes: &[i32]) -> Option<Vec<u8>> {
        let table = self.kinds.get(usize::from(kind))?;
        let mut whole = table.zero.clone();
        for (lane, given) in whole.iter_mut().zip(lanes) {
            *lane = *given;
        }
        let mut writer = BitWriter::default();
        table.lanes.whole(&mut writer, &mut whole, true).expect("writing never fails");
        Some(writer.into_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quantize::Misfits;
    use crate::schema::{FieldSchema, FieldType};

    /// Bet { coins: 10..=20, red: bool } and Fold {}.
    fn schema() -> Schema {
        let coins = FieldSchema::new("coins", FieldType::Int { min: 10, max: 20 });
        let fields = vec![coins, FieldSchema::new("red", FieldType::Bool)];
        Schema {
            game: "table".into(),
            tick_hz: 60,
            input: KindSchema::new("Input", vec![]),
            entities: vec![],
            events: vec![],
            commands: vec![KindSchema::new("Bet", fields), KindSchema::new("Fold", vec![])],
            model: vec![],
        }
    }

    #[derive(Debug, PartialEq)]
    struct Asked(u8, i32, i32);

    impl Kinds for Asked {
        fn schemas() -> Vec<KindSchema> {
            schema().commands
        }

        fn kind(&self) -> u8 {
            self.0
        }

        fn to_lanes(&self, _lanes: &mut [i32]) -> Misfits {
            Misfits::NONE
        }

        fn from_lanes(kind: u8, lanes: &[i32]) -> Option<Self> {
            (kind < 2).then(|| Asked(kind, lanes[0], lanes[1]))
        }
    }

    #[test]
    fn what_is_written_is_read_and_nothing_else() {
        let codec = CommandCodec::new(&schema());
        assert_eq!(codec.encode(0, &[15, 1]), Some(vec![0b1_0101]));
        assert_eq!(codec.encode(0, &[]), Some(vec![0]), "10, the nearest to zero");
        assert_eq!(codec.encode(1, &[7]), Some(vec![]));
        assert_eq!(codec.encode(2, &[]), None);
        for coins in 10..=20 {
            let bytes = codec.encode(0, &[coins, 1]).unwrap();
            assert_eq!(codec.decode(0, &bytes), Ok(Asked(0, coins, 1)));
        }
        assert_eq!(codec.decode(1, &[]), Ok(Asked(1, 0, 0)));
        let fields = || Err(CommandError::Fields { kind: "Bet".into() });
        // Missing, out of its range, a filling bit, a byte too many.
        for wrong in [&[][..], &[0b0_1011], &[0b10_0101], &[0b0_0101, 0]] {
            assert_eq!(codec.decode::<Asked>(0, wrong), fields(), "{wrong:?}");
        }
        for kind in [2, COMMAND_UNKNOWN] {
            assert_eq!(codec.decode::<Asked>(kind, &[]), Err(CommandError::UnknownKind));
        }
    }
    #[test]
    fn of_all_bytes_only_those_that_are_written_are_read() {
        let codec = CommandCodec::new(&schema());
        let mut read = 0;
        for kind in 0..=2 {
            for bits in 0..=u32::from(u16::MAX) {
                for length in 0..=3 {
                    let bytes = &bits.to_le_bytes()[..length];
                    let Ok(Asked(kind, coins, red)) = codec.decode(kind, bytes) else { continue };
                    assert_eq!(codec.encode(kind, &[coins, red]).as_deref(), Some(bytes));
                    read += u32::from(kind == 0);
                }
            }
        }
        assert_eq!(read, 11 * 2 * 256, "each in as many as have its one byte");
    }
}
