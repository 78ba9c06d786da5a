//! What the server's room was in the last ticks, and whether a client's world agrees with it.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, bail, ensure};
use tickwire_client::session::RoomSession;
use tickwire_shared::{EntityId, PlayerId, Tick};

use super::game::{LANES, SECRET_LANE, SHIP, SeenThing, Vault};

/// Ticks that are remembered: more than any state that a client still shows is old.
const TICKS_MAX: usize = 900;

/// A change reaches a client within as many ticks, on the longest path that no fault is on and with two losses: it is sent again
/// after a round trip of up to 0.4 s.
const BEHIND_TICKS_MAX: u32 = 30;

/// The rooms' state by tick.
#[derive(Debug, Default)]
pub(crate) struct Truth {
    ticks: BTreeMap<u32, BTreeMap<EntityId, SeenThing>>,
}

impl Truth {
    pub(crate) fn note(&mut self, tick: Tick, game: &Vault) {
        self.ticks.insert(tick.0, game.truth());
        if self.ticks.len() > TICKS_MAX {
            self.ticks.pop_first();
        }
    }

    /// Forgets what came after `tick`, which a restart took back. The state then must be the one that it was.
    pub(crate) fn go_back(&mut self, tick: Tick, game: &Vault) -> anyhow::Result<()> {
        self.ticks.retain(|at, _| *at <= tick.0);
        if let Some(before) = self.ticks.get(&tick.0) {
            ensure!(*before == game.truth(), "tick {} is restored as another world", tick.0);
        }
        Ok(())
    }

    /// Holds all that a client has received to what was there.
    pub(crate) fn check(&self, player: PlayerId, room: &RoomSession) -> anyhow::Result<()> {
        for entity in room.replica().entities() {
            let newest = entity.states.len() - 1;
            let tick = entity.states.tick(newest);
            let Some(world) = self.ticks.get(&tick.0) else { continue };
            let id = entity.id;
            let thing = world.get(&id);
            let thing = thing.with_context(|| {
                format!("entity {} was not in the world of tick {}", id.0, tick.0)
            })?;
            let what = || format!("player {}: entity {} of tick {}", player.0, id.0, tick.0);
            check_thing(player, thing, (entity.kind, entity.mine), entity.states.lanes(newest))
                .with_context(what)?;
        }
        Ok(())
    }

    /// Holds the whole world of a client to that of its newest snapshot, or a few ticks before: not every entity is in each.
    pub(crate) fn check_whole(&self, player: PlayerId, room: &RoomSession) -> anyhow::Result<()> {
        let newest = room.replica().newest().context("no snapshot came")?;
        let (last, _) = self.ticks.last_key_value().context("no tick was stepped")?;
        ensure!(last - newest.0 < 60, "the newest snapshot is of tick {}, now is {last}", newest.0);
        let worlds = self.ticks.range(newest.0.saturating_sub(BEHIND_TICKS_MAX)..=newest.0);
        let worlds: Vec<_> = worlds.map(|(_, world)| world).collect();
        let mut missing: BTreeSet<EntityId> = match worlds.split_first() {
            Some((first, _)) => {
                let seen = first.iter().filter(|(_, thing)| is_for(player, thing));
                seen.map(|(id, _)| *id).collect()
            }
            None => bail!("the newest snapshot is of no known tick"),
        };
        // What is not in all of them may be on its way.
        missing.retain(|id| worlds.iter().all(|world| world.contains_key(id)));
        for entity in room.replica().entities() {
            missing.remove(&entity.id);
            let lanes = entity.states.lanes(entity.states.len() - 1);
            let things = worlds.iter().filter_map(|world| world.get(&entity.id));
            let checked =
                things.map(|thing| check_thing(player, thing, (entity.kind, entity.mine), lanes));
            let outcome = checked.reduce(|one, other| one.or(other));
            let what = || format!("entity {} in tick {}", entity.id.0, newest.0);
            outcome.with_context(|| format!("{} is there no more", what()))?.with_context(what)?;
        }
        ensure!(missing.is_empty(), "entities {missing:?} are missing in tick {}", newest.0);
        Ok(())
    }
}

fn is_for(player: PlayerId, thing: &SeenThing) -> bool {
    thing.team.is_none_or(|team| team == Vault::team_of(player))
}

fn check_thing(
    player: PlayerId,
    thing: &SeenThing,
    (kind, is_mine): (u8, bool),
    lanes: &[i32],
) -> anyhow::Result<()> {
    ensure!(is_for(player, thing), "hidden from the player's team, and shown to it");
    ensure!(kind == thing.kind, "kind {kind}, not {}", thing.kind);
    let is_owner = thing.owner == Some(player);
    let mut wanted: [i32; LANES] = thing.lanes;
    if kind == SHIP && !is_owner {
        ensure!(lanes[SECRET_LANE] == 0, "an owner-only field is shown to another player");
        wanted[SECRET_LANE] = 0;
    }
    ensure!(is_mine == is_owner, "owned: {is_mine}, not {is_owner}");
    ensure!(lanes == &wanted[..lanes.len()], "lanes {lanes:?}, not {wanted:?}");
    Ok(())
}
