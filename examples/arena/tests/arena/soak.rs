//! The whole game with many players, through what a server would call.

use std::collections::BTreeSet;

use tickwire_arena::rules::{Arena, ChangeTeam, Command, Controls, Entity, Random, WORLD_HALF};
use tickwire_shared::quantize::Kinds;
use tickwire_shared::schema::LANES_MAX;
use tickwire_shared::simulation::schema_of;
use tickwire_shared::{
    Capture, Inputs, LeaveReason, NewPlayer, NewRoom, Outbox, OutboxEvent, PlayerId, Simulation,
    Tick,
};

/// A game of players who press keys at random, come and go.
struct Game {
    arena: Arena,
    tick: Tick,
    random: Random,
    inputs: Vec<(PlayerId, Controls)>,
    /// For the next step.
    commands: Vec<(PlayerId, Command)>,
    newest: u32,
}

impl Game {
    fn new(seed: u64, keys_seed: u64) -> Self {
        let (arena, random) = (Arena::new(&NewRoom::with_seed(seed)), Random::new(keys_seed));
        Game { arena, tick: Tick(0), random, inputs: Vec::new(), commands: Vec::new(), newest: 0 }
    }

    fn join(&mut self) {
        self.newest += 1;
        self.arena.join(&NewPlayer::named(PlayerId(self.newest), "someone"));
        self.inputs.push((PlayerId(self.newest), Controls::default()));
    }

    fn step(&mut self, outbox: &mut Outbox<Arena>) {
        for (_, controls) in &mut self.inputs {
            // A key is held for a third of a second on average.
            match self.random.below(60) {
                0 => controls.turn = self.random.between(-1.0, 1.0),
                1 => controls.thrust = !controls.thrust,
                2 => controls.fire = !controls.fire,
                3 => controls.brake = self.random.below(4) == 0,
                _ => {}
            }
        }
        self.tick = self.tick.next();
        let inputs = Inputs::new(self.tick, &self.inputs).with_commands(&self.commands);
        self.arena.step(&inputs, outbox);
        self.commands.clear();
    }

    fn churn(&mut self) {
        if self.random.below(200) == 0 {
            self.join();
        }
        if self.random.below(200) == 0 && !self.inputs.is_empty() {
            let at = self.random.below(self.inputs.len() as u32) as usize;
            self.arena.leave(self.inputs.remove(at).0, LeaveReason::Left);
        }
    }

    fn bytes(&self) -> Vec<u8> {
        postcard::to_allocvec(&self.arena).unwrap()
    }
}

fn bytes_after(seed: u64, keys_seed: u64, ticks: u32) -> Vec<u8> {
    let mut game = Game::new(seed, keys_seed);
    let mut outbox = Outbox::default();
    for _ in 0..12 {
        game.join();
    }
    for _ in 0..ticks {
        game.churn();
        game.step(&mut outbox);
        outbox.drain().count();
    }
    game.bytes()
}

#[test]
fn the_same_seed_and_inputs_give_the_same_bytes_over_ten_thousand_ticks() {
    let bytes = bytes_after(5, 6, 10_000);
    assert!(bytes == bytes_after(5, 6, 10_000));
    assert!(bytes != bytes_after(4, 6, 10_000));
    assert!(bytes != bytes_after(5, 7, 10_000));
}

#[test]
fn every_machine_comes_to_the_same_state() {
    // Every machine must come to this number; it changes only when the rules or their state do.
    let sum = bytes_after(1, 1, 3000).iter().fold(0xcbf2_9ce4_8422_2325_u64, |sum, &byte| {
        (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    assert_eq!(sum, 7_524_047_684_617_147_347);
}

#[test]
fn a_game_goes_on_from_its_serialised_state() {
    let mut game = Game::new(11, 12);
    for _ in 0..30 {
        game.join();
    }
    let mut outbox = Outbox::default();
    for _ in 0..1000 {
        game.step(&mut outbox);
    }
    let mut copy = Game { arena: postcard::from_bytes(&game.bytes()).unwrap(), ..Game::new(0, 0) };
    (copy.tick, copy.inputs, copy.random) = (game.tick, game.inputs.clone(), game.random.clone());
    for _ in 0..600 {
        game.step(&mut outbox);
        copy.step(&mut outbox);
    }
    assert!(game.bytes() == copy.bytes());
}

#[test]
fn three_hundred_players_stay_within_every_bound_and_fight() {
    let mut game = Game::new(21, 22);
    for _ in 0..300 {
        game.join();
    }
    let schema = schema_of::<Arena>();
    schema.validate().unwrap();
    let mut outbox = Outbox::default();
    let mut kinds_seen = BTreeSet::new();
    let mut events_seen = BTreeSet::new();
    for tick in 0..3600 {
        game.churn();
        if tick % 60 == 0 {
            let (player, _) = game.inputs[tick / 60 % game.inputs.len()];
            game.commands.push((player, Command::ChangeTeam(ChangeTeam {})));
        }
        game.step(&mut outbox);
        for OutboxEvent { event, .. } in outbox.drain() {
            events_seen.insert(event.kind());
        }
        if tick % 20 == 0 {
            kinds_seen.extend(check_world(&game.arena));
        }
    }
    assert_eq!(kinds_seen.len(), schema.entities.len(), "{kinds_seen:?}");
    // Every kind of event but the end of a round.
    assert_eq!(events_seen.len(), schema.events.len() - 1, "{events_seen:?}");
}

/// Every entity is inside the world and survives its own lanes. Gives the kinds there are.
fn check_world(arena: &Arena) -> BTreeSet<u8> {
    let mut capture = Capture::default();
    arena.capture(&mut capture);
    let mut ids = BTreeSet::new();
    let mut kinds = BTreeSet::new();
    for shown in capture.drain() {
        assert!(ids.insert(shown.id), "{:?} is used twice", shown.id);
        if let Some(place) = shown.place {
            assert!(place.abs().max_element() <= WORLD_HALF, "{:?} is at {place}", shown.id);
        }
        let kind = shown.entity.kind();
        kinds.insert(kind);
        let mut lanes = [0; LANES_MAX];
        shown.entity.to_lanes(&mut lanes);
        let back = Entity::from_lanes(kind, &lanes).unwrap();
        match (shown.entity, back) {
            (Entity::Ship(ship), Entity::Ship(back)) => {
                assert!(ship.pos.is_finite() && ship.pos.distance(back.pos) < 0.05);
                assert_eq!(ship.vel, back.vel);
                assert!((ship.heading - back.heading).abs() < 1e-4);
            }
            // What drifts sits on its steps exactly.
            (Entity::Shot(_) | Entity::Asteroid(_) | Entity::Pickup(_), back) => {
                assert_eq!(shown.entity, back);
            }
            _ => {}
        }
    }
    kinds
}
