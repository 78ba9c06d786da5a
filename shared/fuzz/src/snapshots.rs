//! What a client may be sent of the world.

use std::sync::LazyLock;

use tickwire_shared::Tick;
use tickwire_shared::bits::BitWriter;
use tickwire_shared::schema::Schema;
use tickwire_shared::simulation::schema_of;
use tickwire_shared::snapshot::DATAGRAM_SNAPSHOT;

use crate::Game;

/// A record of a few bits makes or moves an entity whose lanes and history take some hundred bytes.
pub const SNAPSHOT_MULTIPLE: usize = 1024;
/// The places by slot, and their copy while they grow: 65,536 of four bytes each.
const PLACES_BYTES: usize = 3 * 65_536 * 4;
/// The seat of the stay.
pub const SEAT: u8 = 7;

/// The game's schema.
pub static SCHEMA: LazyLock<Schema> = LazyLock::new(schema_of::<Game>);

/// The bytes of which applying so many may allocate [`SNAPSHOT_MULTIPLE`] each.
pub fn snapshot_memory(bytes: usize) -> usize {
    PLACES_BYTES / SNAPSHOT_MULTIPLE + bytes
}

/// The beginning of a snapshot of `tick`, then `body`.
pub fn begun(tick: Tick, body: &[u8]) -> Vec<u8> {
    let mut writer = BitWriter::default();
    writer.push(u64::from(DATAGRAM_SNAPSHOT), 8);
    writer.push(u64::from(tick.low16()), 16);
    writer.push(u64::from(SEAT), 8);
    let mut bytes = writer.into_bytes();
    bytes.extend_from_slice(body);
    bytes
}
