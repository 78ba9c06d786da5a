//! Pilots of the server's own.

use serde::{Deserialize, Serialize};
use tickwire_shared::glam::Vec2;
use tickwire_shared::{EntityId, PlayerId};

use super::{Arena, Controls, Entity, VIEW_RADIUS};
use crate::bot::Bot;

/// A bot that flies a ship of the room.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct BotPilot {
    pub(super) player: PlayerId,
    bot: Bot,
    /// In the next tick.
    controls: Controls,
}

impl Arena {
    /// The seed of its bot is the player's number: no two in a room play alike.
    pub(super) fn add_bot(&mut self, player: PlayerId) {
        let bot = Bot::new(u64::from(player.0));
        self.bots.push(BotPilot { player, bot, controls: Controls::default() });
    }

    /// What a bot decided after the last tick.
    pub(super) fn controls_of_bot(&self, player: PlayerId) -> Controls {
        let bot = self.bots.iter().find(|bot| bot.player == player);
        bot.map_or_else(Controls::default, |bot| bot.controls)
    }

    /// Each bot decides what to hold next, by what a client in its place would be shown.
    pub(super) fn think(&mut self) {
        let mut bots = std::mem::take(&mut self.bots);
        for BotPilot { player, bot, controls } in &mut bots {
            let at = self.pilot_at(*player).map_or(Vec2::ZERO, |at| self.pilots[at].body.pos);
            *controls = bot.decide(*player, self.seen_from(at));
        }
        self.bots = bots;
    }

    fn seen_from(&self, place: Vec2) -> impl Iterator<Item = (EntityId, Entity)> + '_ {
        let near = move |pos: Vec2| pos.distance_squared(place) < VIEW_RADIUS * VIEW_RADIUS;
        let flying = self.pilots.iter().filter(move |it| it.flying() && near(it.body.pos));
        let ships = flying.map(|it| (EntityId::of_player(it.player), Entity::Ship(it.ship())));
        let rocks = self.rocks.iter().filter(move |it| near(it.asteroid.pos));
        let rocks = rocks.map(|it| (it.id, Entity::Asteroid(it.asteroid)));
        let crystals = self.crystals.iter().filter(move |it| near(it.pickup.pos));
        let crystals = crystals.map(|it| (it.id, Entity::Pickup(it.pickup)));
        let leaders = self.leader_ids.iter().zip(&self.leaders);
        let leaders = leaders.map(|(id, it)| (*id, Entity::Leader(*it)));
        ships.chain(rocks).chain(crystals).chain(leaders)
    }
}
