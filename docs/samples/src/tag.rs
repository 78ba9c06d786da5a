//! The tutorial's game: runners on a plane who tag each other.

use std::collections::BTreeMap;

use tickwire::prelude::*;
use tickwire::rewind::Rewind;

/// Half of the plane's side, in units.
pub const HALF: f32 = 100.0;
/// Units a second.
pub const SPEED: f32 = 20.0;
/// How near a runner must be to tag another, in units.
pub const REACH: f32 = 4.0;
/// Ticks until a runner can tag again.
pub const PAUSE_TICKS: u32 = 30;
/// Most ticks that lag compensation goes back: 250 ms.
pub const REWIND_TICKS: u32 = 15;
/// How far a runner sees, in units.
pub const SIGHT: f32 = 60.0;

// ANCHOR: input
/// The keys that a player holds in one tick.
#[derive(Clone, Copy, Debug, Default, PartialEq, Input)]
pub struct Keys {
    /// -1 is left.
    #[replicate(range = -1..=1)]
    pub right: i8,
    /// -1 is down.
    #[replicate(range = -1..=1)]
    pub up: i8,
    /// Tries to tag.
    pub tag: bool,
}
// ANCHOR_END: input

// ANCHOR: entity
/// A runner as clients see it.
#[state]
#[derive(Clone, Copy, Debug, Default, PartialEq, Replicate)]
pub struct Runner {
    /// In units; steps of a hundredth travel, and `vel` predicts them.
    #[replicate(range = -100.0..=100.0, step = 0.01, velocity = vel)]
    pub pos: Vec2,
    /// In units a second.
    #[replicate(range = -20.0..=20.0, step = 0.01)]
    pub vel: Vec2,
    /// Runners tagged so far.
    #[replicate(range = 0..=999, rare)]
    pub score: u16,
}
// ANCHOR_END: entity

// ANCHOR: event
/// A runner was tagged.
#[derive(Clone, Copy, Debug, PartialEq, Replicate)]
pub struct Tagged {
    /// Who tagged.
    pub by: PlayerId,
    /// Who was tagged.
    pub runner: PlayerId,
}
// ANCHOR_END: event

// ANCHOR: options
/// What a room of tag is made with.
#[state]
#[derive(Clone, Debug, Default)]
pub struct TagOptions {
    /// Only those who know it come in; empty for a room that is open to all.
    pub password: String,
}
// ANCHOR_END: options

// ANCHOR: state
/// The state of one room.
#[state]
#[derive(Debug, Default)]
pub struct Tag {
    runners: BTreeMap<PlayerId, Runner>,
    /// Ticks until a runner can tag again; not sent.
    pauses: BTreeMap<PlayerId, u32>,
    /// Where the runners were in the last ticks.
    past: Rewind<Vec2>,
}
// ANCHOR_END: state

// ANCHOR: run
/// One tick of running: the server's rules and the prediction call it.
pub fn run(runner: &mut Runner, keys: Keys) {
    runner.vel = Vec2::new(keys.right.into(), keys.up.into()) * SPEED;
    let pos = runner.pos + runner.vel / Tag::TICK_HZ as f32;
    runner.pos = pos.clamp(Vec2::splat(-HALF), Vec2::splat(HALF));
}
// ANCHOR_END: run

// ANCHOR: simulation
#[game]
impl Simulation for Tag {
    const NAME: &'static str = "tag";
    type Input = Keys;
    type Entity = Runner;
    type Event = Tagged;
    // ANCHOR_END: simulation
    // ANCHOR: policy
    type RoomOptions = TagOptions;

    fn room_policy(options: &TagOptions) -> Result<RoomPolicy, Refusal> {
        Ok(RoomPolicy {
            password: options.password.as_str().into(),
            // ANCHOR_END: policy
            // ANCHOR: bots
            bots: Some(4),
            // ANCHOR_END: bots
            // ANCHOR: policy
            ..RoomPolicy::default()
        })
    }
    // ANCHOR_END: policy
    // ANCHOR: rules

    fn new(_room: &NewRoom<Self>) -> Self {
        Tag::default()
    }

    fn join(&mut self, player: &NewPlayer<Self>) {
        self.runners.insert(player.id, Runner::default());
    }

    fn leave(&mut self, player: PlayerId, _reason: LeaveReason) {
        self.runners.remove(&player);
        self.pauses.remove(&player);
    }

    fn step(&mut self, inputs: &Inputs<Self>, outbox: &mut Outbox<Self>) {
        for (player, keys) in inputs.iter() {
            run(self.runners.entry(player).or_default(), keys);
        }
        self.tag(inputs, outbox);
        let places =
            self.runners.iter().map(|(player, runner)| (EntityId::of_player(*player), runner.pos));
        self.past.record(inputs.tick(), REWIND_TICKS, places);
    }

    fn capture(&self, world: &mut Capture<Runner>) {
        for (player, runner) in &self.runners {
            world.show(EntityId::of_player(*player), *runner).owned_by(*player).at(runner.pos);
        }
    }
    // ANCHOR_END: rules

    // ANCHOR: bot_input
    fn bot_input(&self, bot: PlayerId, _tick: Tick) -> Keys {
        let Some(own) = self.runners.get(&bot) else { return Keys::default() };
        let mut others = self.runners.iter().filter(|(player, _)| **player != bot);
        let Some((_, prey)) = others.next() else { return Keys::default() };
        // Each takes a side of its own, or all would run as one.
        let sides = [Vec2::X, Vec2::NEG_X, Vec2::Y, Vec2::NEG_Y];
        let gap = prey.pos + sides[bot.0 as usize % 4] * 2.0 - own.pos;
        let axis = |gap: f32| if gap.abs() < 1.0 { 0 } else { gap.signum() as i8 };
        Keys { right: axis(gap.x), up: axis(gap.y), tag: prey.pos.distance(own.pos) < REACH }
    }
    // ANCHOR_END: bot_input

    // ANCHOR: view
    fn view(&self, viewer: Viewer) -> View {
        match viewer.player().and_then(|player| self.runners.get(&player)) {
            Some(runner) => View::circle(runner.pos, SIGHT),
            None => View::everything(),
        }
    }
    // ANCHOR_END: view
    // ANCHOR: simulation_end
}
// ANCHOR_END: simulation_end

// ANCHOR: tag
impl Tag {
    /// Lets each player who holds `tag` tag the nearest runner in reach.
    fn tag(&mut self, inputs: &Inputs<Self>, outbox: &mut Outbox<Self>) {
        for (player, keys) in inputs.iter() {
            let pause = self.pauses.entry(player).or_default();
            *pause = pause.saturating_sub(1);
            if !keys.tag || *pause > 0 {
                continue;
            }
            *pause = PAUSE_TICKS;
            let Some(runner) = self.nearest(player, inputs) else { continue };
            if let Some(tagger) = self.runners.get_mut(&player) {
                tagger.score = (tagger.score + 1).min(999);
            }
            outbox.to_room(Tagged { by: player, runner });
        }
    }

    /// The nearest other runner within [`REACH`], each taken where `player` saw it.
    fn nearest(&self, player: PlayerId, inputs: &Inputs<Self>) -> Option<PlayerId> {
        let own = self.runners.get(&player)?.pos;
        let ticks_ago = inputs.view_delay_ticks(player);
        let others = self.runners.keys().filter(|other| **other != player);
        let distances = others.filter_map(|other| {
            let pos = self.past.at(EntityId::of_player(*other), inputs.tick(), ticks_ago)?;
            Some((pos.distance(own), *other))
        });
        let (distance, nearest) = distances.min_by(|a, b| a.0.total_cmp(&b.0))?;
        (distance <= REACH).then_some(nearest)
    }
}
// ANCHOR_END: tag

#[cfg(test)]
mod tests {
    use tickwire::Tick;

    use super::*;

    // ANCHOR: test
    /// A room of two, the second runner moving right since `ticks` ticks.
    fn room(ticks: u32) -> Tag {
        let mut tag = Tag::new(&NewRoom::with_seed(1));
        let players = [PlayerId(1), PlayerId(2)];
        players.iter().for_each(|player| tag.join(&NewPlayer::named(*player, "Ann")));
        for tick in 1..=ticks {
            let right = Keys { right: 1, ..Keys::default() };
            let inputs = [(players[0], Keys::default()), (players[1], right)];
            tag.step(&Inputs::new(Tick(tick), &inputs), &mut Outbox::default());
        }
        tag
    }

    #[test]
    fn a_runner_is_tagged_where_the_tagger_saw_it() {
        for (ticks_ago, is_tagged) in [(0.0, false), (10.0, true)] {
            let mut tag = room(15);
            let hit = Keys { tag: true, ..Keys::default() };
            let inputs = [(PlayerId(1), hit), (PlayerId(2), Keys::default())];
            let inputs = Inputs::new(Tick(16), &inputs);
            let mut outbox = Outbox::default();
            tag.step(&inputs.with_view_delays(&[ticks_ago, 0.0]), &mut outbox);
            assert_eq!(outbox.drain().count() > 0, is_tagged, "{ticks_ago} ticks ago");
        }
    }
    // ANCHOR_END: test
}
