//! A game that keeps something of each account: coins.

use std::collections::BTreeMap;

use tickwire::prelude::*;

// ANCHOR: profile
/// What an account has in every room, and after a restart.
#[state]
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[serde(default)]
pub struct Purse {
    /// Coins that it has collected.
    pub coins: u32,
    /// A field that was added later: a purse that was saved before has the default.
    pub gems: u32,
}
// ANCHOR_END: profile

/// What a player holds: it digs, or not.
#[derive(Clone, Copy, Default, PartialEq, Input)]
pub struct Spade {
    /// Digs in this tick.
    pub digs: bool,
}

/// A heap of coins.
#[derive(Clone, Copy, Replicate)]
pub struct Heap {
    /// Coins in it.
    #[replicate(range = 0..=1_000_000)]
    pub coins: u32,
    /// All of them are on disk.
    pub is_saved: bool,
}

/// What is told once.
#[derive(Clone, Copy, Debug, PartialEq, Replicate)]
pub struct NotSaved {
    /// The account plays elsewhere by now.
    pub is_stale: bool,
}

// ANCHOR: game
/// Everybody digs; a hundred coins make a gem.
#[state]
#[derive(Default)]
pub struct Dig {
    purses: BTreeMap<PlayerId, Purse>,
    /// The last save of each player that is on disk.
    saved: BTreeMap<PlayerId, Purse>,
    /// Saves that are under way, each with its player and tick.
    saving: Vec<(PlayerId, Tick, Purse)>,
    /// Players who have left since the last step.
    left: Vec<(PlayerId, Purse)>,
    /// Saves that were not kept since the last step.
    not_saved: Vec<(PlayerId, SaveOutcome)>,
}

#[game]
impl Simulation for Dig {
    const NAME: &'static str = "dig";
    type Input = Spade;
    type Entity = Heap;
    type Event = NotSaved;
    type Profile = Purse;

    /// Version 1 was the number of coins alone.
    const PROFILE_VERSION: u32 = 2;

    fn migrate_profile(version: u32, json: &str) -> Option<Purse> {
        match version {
            1 => Some(Purse { coins: json.parse().ok()?, gems: 0 }),
            _ => None,
        }
    }

    fn new(_room: &NewRoom<Self>) -> Self {
        Dig::default()
    }

    fn join(&mut self, player: &NewPlayer<Self>) {
        // A guest begins with an empty purse, and so does an account without a save.
        self.purses.insert(player.id, player.profile.unwrap_or_default());
    }

    fn leave(&mut self, player: PlayerId, _reason: LeaveReason) {
        self.left.extend(self.purses.remove(&player).map(|purse| (player, purse)));
        self.saved.remove(&player);
        self.saving.retain(|(who, ..)| *who != player);
    }

    fn saved(&mut self, player: PlayerId, tick: Tick, outcome: SaveOutcome) {
        let is_it = |(who, when, _): &mut (PlayerId, Tick, Purse)| (*who, *when) == (player, tick);
        let done: Vec<_> = self.saving.extract_if(.., is_it).collect();
        match outcome {
            SaveOutcome::Saved => {
                self.saved.extend(done.into_iter().map(|(player, _, purse)| (player, purse)));
            }
            SaveOutcome::Stale | SaveOutcome::Failed => self.not_saved.push((player, outcome)),
        }
    }

    fn step(&mut self, inputs: &Inputs<Self>, outbox: &mut Outbox<Self>) {
        // In the step after the leave the game may still save for the player.
        for (player, purse) in self.left.drain(..) {
            outbox.save(player, purse);
        }
        for (player, outcome) in self.not_saved.drain(..) {
            outbox.to_player(player, NotSaved { is_stale: outcome == SaveOutcome::Stale });
        }
        for (player, spade) in inputs.iter() {
            let Some(purse) = self.purses.get_mut(&player).filter(|_| spade.digs) else { continue };
            purse.coins += 1;
            if purse.coins == 100 {
                *purse = Purse { coins: 0, gems: purse.gems + 1 };
                // Now and then, and not with every coin: each save is a write to the disk.
                outbox.save(player, *purse);
                self.saving.push((player, inputs.tick(), *purse));
            }
        }
    }

    fn capture(&self, world: &mut Capture<Heap>) {
        for (player, purse) in &self.purses {
            let coins = purse.coins + 100 * purse.gems;
            let is_saved = self.saved.get(player) == Some(purse);
            world.show(EntityId::of_player(*player), Heap { coins, is_saved }).owned_by(*player);
        }
    }
}
// ANCHOR_END: game
