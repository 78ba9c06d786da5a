//! Two teams hunt for coins that the other one must not see.

use std::collections::BTreeMap;

use tickwire::prelude::*;

/// How far a hunter sees, in units.
pub const SIGHT: f32 = 40.0;
/// How near a hider must be to be noticed, in units.
pub const NOTICED: f32 = 5.0;

/// A hunter, or what one has lost.
#[state]
#[derive(Clone, Copy, Debug, Default, PartialEq, Replicate)]
pub struct Body {
    /// In units.
    #[replicate(range = -100.0..=100.0, step = 0.01)]
    pub pos: Vec3,
    /// Which of the two it is of.
    #[replicate(range = 0..=1)]
    pub team: u8,
    /// Nobody sees it from afar.
    pub hides: bool,
    /// It is a coin.
    pub is_coin: bool,
}

/// The state of one room.
#[state]
#[derive(Debug, Default)]
pub struct Hunt {
    hunters: BTreeMap<PlayerId, Body>,
    coins: Vec<(EntityId, Body)>,
    /// Of coins.
    ids: EntityIds,
}

/// A coin was taken.
#[derive(Clone, Copy, Debug, PartialEq, Replicate)]
pub struct Taken {
    /// Which.
    pub coin: EntityId,
}

#[game]
impl Simulation for Hunt {
    const NAME: &'static str = "hunt";
    type Input = Nothing;
    type Entity = Body;
    type Event = Taken;

    // ANCHOR: ids
    fn new(_room: &NewRoom<Self>) -> Self {
        let mut hunt = Hunt::default();
        for team in [0, 1] {
            let coin = Body { team, is_coin: true, ..Body::default() };
            hunt.coins.push((hunt.ids.take(), coin));
        }
        hunt
    }
    // ANCHOR_END: ids

    fn join(&mut self, player: &NewPlayer<Self>) {
        let team = (self.hunters.len() % 2) as u8;
        self.hunters.insert(player.id, Body { team, ..Body::default() });
    }

    fn leave(&mut self, player: PlayerId, _reason: LeaveReason) {
        self.hunters.remove(&player);
    }

    fn step(&mut self, _inputs: &Inputs<Self>, outbox: &mut Outbox<Self>) {
        let hunters = &self.hunters;
        self.coins.retain(|(id, coin)| {
            let reaches =
                |hunter: &Body| hunter.team == coin.team && hunter.pos.distance(coin.pos) < 1.0;
            let taken = hunters.values().any(reaches);
            if taken {
                outbox.to_groups(Groups::of(coin.team), Taken { coin: *id });
            }
            !taken
        });
    }

    // ANCHOR: capture
    fn capture(&self, world: &mut Capture<Body>) {
        for (id, coin) in &self.coins {
            world.show(*id, *coin).at(coin.pos).only_for(Groups::of(coin.team));
        }
        for (player, hunter) in &self.hunters {
            let shown =
                world.show(EntityId::of_player(*player), *hunter).at(hunter.pos).owned_by(*player);
            if hunter.hides {
                shown.checked();
            }
        }
    }
    // ANCHOR_END: capture

    // ANCHOR: view
    fn view(&self, viewer: Viewer) -> View {
        match viewer.player().and_then(|player| self.hunters.get(&player)) {
            Some(hunter) => View::sphere(hunter.pos, SIGHT).in_groups(Groups::of(hunter.team)),
            None => View::everything(),
        }
    }
    // ANCHOR_END: view

    // ANCHOR: can_see
    /// Hiders are seen by their team, and by those who are near.
    fn can_see(&self, viewer: Viewer, entity: EntityId) -> bool {
        let Some(viewer) = viewer.player().and_then(|player| self.hunters.get(&player)) else {
            return false;
        };
        let hider = entity.player().and_then(|player| self.hunters.get(&player));
        hider.is_some_and(|hider| {
            hider.team == viewer.team || hider.pos.distance(viewer.pos) < NOTICED
        })
    }
    // ANCHOR_END: can_see
}

/// No key is held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Input)]
pub struct Nothing {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hider_is_seen_by_its_team_and_from_near() {
        let mut hunt = Hunt::new(&NewRoom::with_seed(1));
        let players = [1, 2, 3].map(PlayerId);
        players.iter().for_each(|player| hunt.join(&NewPlayer::named(*player, "Ann")));
        let hider = hunt.hunters.get_mut(&players[0]).unwrap();
        (hider.hides, hider.pos) = (true, Vec3::new(0.0, 10.0, 0.0));
        let sees = |hunt: &Hunt, by: usize| {
            hunt.can_see(Viewer::Player(players[by]), EntityId::of_player(players[0]))
        };
        assert!(!sees(&hunt, 1) && sees(&hunt, 2));
        assert!(!hunt.can_see(Viewer::Spectator(PlayerId(9)), EntityId::of_player(players[0])));
        hunt.hunters.get_mut(&players[1]).unwrap().pos.y = 6.0;
        assert!(sees(&hunt, 1));
    }
}
