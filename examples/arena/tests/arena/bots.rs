//! Bots play the real rules through what a client would see.

use std::collections::BTreeSet;

use tickwire_arena::bot::Bot;
use tickwire_arena::rules::{
    Arena, Asteroid, AsteroidSize, Controls, Entity, Event, Gift, Pickup, Ship, Team, WORLD_HALF,
};
use tickwire_shared::{
    Capture, EntityId, Inputs, NewPlayer, NewRoom, Outbox, PlayerId, Simulation, Tick, Viewer, glam,
};

struct Match {
    arena: Arena,
    bots: Vec<(PlayerId, Bot)>,
    inputs: Vec<(PlayerId, Controls)>,
    events: Vec<Event>,
    tick: Tick,
}

impl Match {
    fn of_bots(count: u32) -> Self {
        let mut arena = Arena::new(&NewRoom::with_seed(9));
        let bots: Vec<_> = (1..=count).map(|n| (PlayerId(n), Bot::new(u64::from(n)))).collect();
        for (player, _) in &bots {
            arena.join(&NewPlayer::named(*player, "bot"));
        }
        Match { arena, bots, inputs: Vec::new(), events: Vec::new(), tick: Tick(0) }
    }

    fn step(&mut self) {
        let mut capture = Capture::default();
        self.arena.capture(&mut capture);
        let world: Vec<_> = capture.drain().map(|e| (e.id, e.place, e.entity)).collect();
        let decide = |(player, bot): &mut (PlayerId, Bot)| {
            let view = self.arena.view(Viewer::Player(*player));
            let in_sight =
                |place: Option<glam::Vec3>| place.is_none_or(|place| view.contains(place));
            let seen = world.iter().filter(|(_, place, _)| in_sight(*place));
            (*player, bot.decide(*player, seen.map(|(id, _, entity)| (*id, entity))))
        };
        self.inputs = self.bots.iter_mut().map(decide).collect();
        self.tick = self.tick.next();
        let mut outbox = Outbox::default();
        self.arena.step(&Inputs::new(self.tick, &self.inputs), &mut outbox);
        self.events.extend(outbox.drain().map(|sent| sent.event));
    }
}

#[test]
fn twenty_bots_shoot_each_other_more_than_they_crash() {
    let mut game = Match::of_bots(20);
    for _ in 0..60 * 60 {
        game.step();
    }
    let kills = |by_rock: bool| {
        let is = |event: &&Event| matches!(event, Event::Kill(kill) if (kill.killer == PlayerId(0)) == by_rock);
        game.events.iter().filter(is).count()
    };
    let (shot, crashed) = (kills(false), kills(true));
    println!("{shot} shot down, {crashed} crashed in a minute");
    assert!(shot > 20, "{shot} were shot down in a minute");
    assert!(crashed * 4 < shot, "{crashed} crashed, {shot} were shot down");
    let fighters: BTreeSet<PlayerId> = game
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Kill(kill) => Some(kill.killer),
            _ => None,
        })
        .collect();
    assert!(fighters.len() > 10, "only {} bots have shot anyone down", fighters.len());
}

#[test]
fn a_bot_alone_travels_and_breaks_rocks_without_dying() {
    let mut game = Match::of_bots(1);
    let mut places = BTreeSet::new();
    for _ in 0..60 * 60 {
        game.step();
        let view = game.arena.view(Viewer::Player(PlayerId(1)));
        let center = view.areas().next().expect("a circle").center();
        assert!(center.abs().max_element() < WORLD_HALF);
        places.insert(((center.x / 300.0) as i32, (center.y / 300.0) as i32));
    }
    assert!(places.len() > 5, "it stayed in {places:?}");
    let cracks = game.events.iter().filter(|event| matches!(event, Event::Crack(_))).count();
    let deaths = game.events.iter().filter(|event| matches!(event, Event::Kill(_))).count();
    println!("{cracks} rocks broken, {deaths} deaths");
    assert!(cracks > 10 && deaths < 4, "{cracks} rocks, {deaths} deaths");
}

#[test]
fn a_bot_brakes_and_turns_before_a_rock_and_before_a_wall() {
    let me = PlayerId(1);
    let decide = |x: f32, others: &[Entity]| {
        let ship = Ship {
            pos: glam::vec2(x, 0.0),
            vel: glam::vec2(300.0, 0.0),
            heading: 0.0,
            thrusting: true,
            shielded: false,
            overdrive: false,
            health: 20,
            team: Team::Azure,
            score: 0,
            kills: 0,
            deaths: 0,
            heat: 0,
        };
        let seen = [Entity::Ship(ship)].into_iter().chain(others.iter().copied());
        Bot::new(5).decide(me, (1..).map(EntityId).zip(seen))
    };
    // A repair kit straight ahead is worth full thrust, unless something is in the way.
    let kit = |x| Entity::Pickup(Pickup { pos: glam::vec2(x, 0.0), gift: Gift::Repair });
    let pos = glam::vec2(200.0, 5.0);
    let rock = Asteroid { pos, vel: glam::Vec2::ZERO, size: AsteroidSize::Large, spin: 0.0 };
    let free = decide(0.0, &[kit(400.0)]);
    assert!(free.thrust && !free.brake && free.turn == 0.0, "{free:?}");
    let blocked = decide(0.0, &[kit(400.0), Entity::Asteroid(rock)]);
    assert!(blocked.brake && blocked.turn != 0.0, "{blocked:?}");
    let wall = decide(WORLD_HALF - 200.0, &[kit(WORLD_HALF - 20.0)]);
    assert!(wall.brake && wall.turn != 0.0 && !wall.thrust, "{wall:?}");
}

#[test]
fn a_dead_bot_holds_nothing_and_the_same_seed_plays_the_same() {
    let nothing: [(EntityId, Entity); 0] = [];
    assert_eq!(Bot::new(1).decide(PlayerId(1), nothing), Controls::default());
    let run = || {
        let mut game = Match::of_bots(6);
        (0..1200).for_each(|_| game.step());
        postcard::to_allocvec(&game.arena).unwrap()
    };
    assert!(run() == run());
}

#[test]
fn bots_have_different_names_and_speak_now_and_then() {
    let names: BTreeSet<String> = (0..2000).map(Bot::name).collect();
    assert_eq!(names.len(), 2000);
    assert!(names.iter().all(|name| (1..=32).contains(&name.len())));
    let mut bot = Bot::new(3);
    let spoken = (0..60 * 600).filter_map(|_| bot.remark()).count();
    assert!((13..=40).contains(&spoken), "{spoken} remarks in ten minutes");
}
