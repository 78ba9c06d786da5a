//! The room options of the arena.

use serde::{Deserialize, Serialize};
use tickwire_shared::{Refusal, RoomPolicy};

use crate::bot::Bot;

/// Seconds of a round by default.
pub const ROUND_SECONDS: u32 = 300;
/// Large rocks of a room by default.
const ROCKS: u32 = 56;
const ROCKS_MAX: u32 = 200;
const BOTS_MAX: u32 = 32;

/// Players up to which bots fill a room, if it was not made with more or fewer.
const BOTS: u32 = 6;

/// The game's code for refused room options.
pub const REFUSED_OPTIONS: u16 = 1;

// ANCHOR: options
/// The room options. Missing ones have their defaults.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct ArenaOptions {
    /// Seconds of a round, 30 to 3600.
    pub round_seconds: u32,
    /// Large rocks, counted as if none were broken, 0 to 200.
    pub rocks: u32,
    /// Seats; 0 for as many as the server allows.
    pub seats: u32,
    /// Players up to which bots fill the room; 0 for no bots.
    pub bots: u32,
    /// The password; empty for none.
    pub password: String,
}

impl Default for ArenaOptions {
    fn default() -> Self {
        let password = String::new();
        ArenaOptions { round_seconds: ROUND_SECONDS, rocks: ROCKS, seats: 0, bots: BOTS, password }
    }
}

impl ArenaOptions {
    pub(super) fn policy(&self) -> Result<RoomPolicy, Refusal> {
        let ArenaOptions { round_seconds, rocks, seats, bots, password } = self;
        if !(30..=3600).contains(round_seconds) {
            return Err(Refusal::new(REFUSED_OPTIONS, "a round has 30 to 3600 seconds"));
        }
        if *rocks > ROCKS_MAX {
            return Err(Refusal::new(REFUSED_OPTIONS, "an arena has at most 200 rocks"));
        }
        if *bots > BOTS_MAX {
            return Err(Refusal::new(REFUSED_OPTIONS, "bots fill an arena up to 32 players"));
        }
        let metadata = format!(r#"{{"roundSeconds":{round_seconds},"rocks":{rocks}}}"#);
        Ok(RoomPolicy {
            seats: (*seats > 0).then_some(*seats),
            password: password.as_str().into(),
            metadata,
            bots: Some(*bots),
            bot_names: (0..*bots).map(Bot::name).collect(),
            ..RoomPolicy::default()
        })
    }
}
// ANCHOR_END: options

#[cfg(test)]
mod tests {
    use tickwire_shared::{NewRoom, Simulation as _};

    use super::*;
    use crate::rules::{Arena, TICK_HZ};

    #[test]
    fn a_room_has_the_rounds_and_rocks_it_was_made_with() {
        let options = ArenaOptions { round_seconds: 60, rocks: 3, ..ArenaOptions::default() };
        let arena = Arena::new(&NewRoom { seed: 1, name: "short", options });
        assert_eq!((arena.round_ticks_left, arena.rocks.len()), (60 * TICK_HZ, 3));
    }

    #[test]
    fn a_room_that_nobody_could_play_in_is_not_made() {
        let policy = |options: ArenaOptions| options.policy();
        assert_eq!(policy(ArenaOptions::default()).unwrap().seats, None);
        let duel = ArenaOptions { seats: 2, ..ArenaOptions::default() };
        assert_eq!(policy(duel).unwrap().seats, Some(2));
        for options in [
            ArenaOptions { round_seconds: 29, ..ArenaOptions::default() },
            ArenaOptions { round_seconds: 3601, ..ArenaOptions::default() },
            ArenaOptions { rocks: 201, ..ArenaOptions::default() },
            ArenaOptions { bots: 33, ..ArenaOptions::default() },
        ] {
            assert_eq!(policy(options).unwrap_err().code, REFUSED_OPTIONS);
        }
    }
}
