use tickwire_shared::{Account, Tick, glam};

use super::motion::Body;
use super::*;

#[test]
fn bots_fight_and_are_part_of_the_state() {
    let mut arena = Arena::new(&NewRoom::with_seed(1));
    let bots: Vec<PlayerId> = (1..=6).map(PlayerId).collect();
    for &bot in &bots {
        arena.join(&NewPlayer { is_bot: true, ..NewPlayer::named(bot, "bot") });
    }
    let step = |arena: &mut Arena, tick: u32| {
        let inputs: Vec<_> =
            bots.iter().map(|bot| (*bot, arena.bot_input(*bot, Tick(tick)))).collect();
        arena.step(&Inputs::new(Tick(tick), &inputs), &mut Outbox::default());
    };
    (1..1200).for_each(|tick| step(&mut arena, tick));
    let checkpoint = postcard::to_allocvec(&arena).unwrap();
    let mut again: Arena = postcard::from_bytes(&checkpoint).unwrap();
    (1200..3600).for_each(|tick| step(&mut arena, tick));
    (1200..3600).for_each(|tick| step(&mut again, tick));
    assert_eq!(postcard::to_allocvec(&arena), postcard::to_allocvec(&again));
    let shot_down: u16 = arena.pilots.iter().map(|pilot| pilot.deaths).sum();
    assert!(shot_down > 0, "a minute of fighting");
    arena.leave(PlayerId(3), LeaveReason::Replaced { by: PlayerId(9) });
    assert_eq!((arena.bots.len(), arena.pilots.len()), (5, 5));
}

/// Players in an arena with only the things that a test adds.
struct Field {
    arena: Arena,
    tick: Tick,
    inputs: Vec<(PlayerId, Controls)>,
    /// Commands for the next tick.
    commands: Vec<(PlayerId, Command)>,
    events: Vec<Event>,
    view_delays: Vec<f32>,
}

impl Field {
    fn empty(players: u32) -> Self {
        let mut arena = Arena::new(&NewRoom::with_seed(1));
        arena.rocks.clear();
        let players: Vec<PlayerId> = (1..=players).map(PlayerId).collect();
        for &player in &players {
            arena.join(&NewPlayer::named(player, "someone"));
        }
        for (at, pilot) in arena.pilots.iter_mut().enumerate() {
            pilot.shield_ticks = 0;
            pilot.team = if at % 2 == 0 { Team::Azure } else { Team::Amber };
            pilot.body = Body::resting(glam::vec2(200.0 * at as f32, 0.0), Vec2::X);
        }
        let inputs = players.iter().map(|&player| (player, Controls::default())).collect();
        let view_delays = vec![0.0; players.len()];
        let (commands, events) = (Vec::new(), Vec::new());
        Field { arena, tick: Tick(1), inputs, commands, events, view_delays }
    }

    fn hold(&mut self, player: u32, controls: Controls) {
        let at = self.inputs.iter().position(|(other, _)| other.0 == player).unwrap();
        self.inputs[at].1 = controls;
    }

    fn run(&mut self, ticks: u32) {
        let mut outbox = Outbox::default();
        for _ in 0..ticks {
            let inputs = Inputs::new(self.tick, &self.inputs).with_commands(&self.commands);
            self.arena.step(&inputs.with_view_delays(&self.view_delays), &mut outbox);
            self.commands.clear();
            self.tick = self.tick.next();
        }
        self.events.extend(outbox.drain().map(|sent| sent.event));
    }

    /// Runs, and removes the rocks that come back by themselves.
    fn run_without_rocks(&mut self, ticks: u32) {
        for _ in 0..ticks {
            self.run(1);
            self.arena.rocks.clear();
        }
    }

    fn pilot(&mut self, player: u32) -> &mut Pilot {
        let at = self.arena.pilot_at(PlayerId(player)).unwrap();
        &mut self.arena.pilots[at]
    }

    fn add_rock(&mut self, size: AsteroidSize, pos: Vec2) {
        let asteroid = Asteroid { pos, vel: Vec2::ZERO, size, spin: 0.0 };
        self.arena.rocks.push(Rock { id: EntityId(7), hits_left: 1, asteroid });
    }

    fn kills(&self) -> Vec<(u32, u32)> {
        let kill = |event: &Event| match event {
            Event::Kill(kill) => Some((kill.killer.0, kill.victim.0)),
            _ => None,
        };
        self.events.iter().filter_map(kill).collect()
    }

    fn shown(&self) -> Vec<(EntityId, Entity)> {
        let mut capture = Capture::default();
        self.arena.capture(&mut capture);
        capture.drain().map(|shown| (shown.id, shown.entity)).collect()
    }
}

const FIRE: Controls = Controls { turn: 0.0, thrust: false, brake: false, fire: true };

#[test]
fn nine_hits_shoot_an_enemy_down_and_score() {
    let mut field = Field::empty(2);
    field.hold(1, FIRE);
    field.run_without_rocks(30);
    assert!(field.pilot(2).health < HEALTH_MAX);
    field.run_without_rocks(100);
    assert_eq!(field.kills(), [(1, 2)]);
    let hits = field.events.iter().filter(|event| matches!(event, Event::Hit(_))).count();
    assert_eq!(hits, 9);
    assert_eq!((field.pilot(1).score, field.pilot(1).kills), (10, 1));
    assert_eq!(field.pilot(2).deaths, 1);
    assert_eq!(field.arena.team_kills, [1, 0]);
}

/// Ship 1 flies up and down the y axis at full speed 300 units before ship 2's gun, which fires
/// when it sees ship 1 cross its line of fire, `seen_ago` ticks after that happened. Returns true
/// if it hits.
fn hits_what_it_sees(seen_ago: u32, told: f32) -> bool {
    let mut field = Field::empty(2);
    field.pilot(1).body = Body::resting(glam::vec2(300.0, -400.0), Vec2::Y);
    field.pilot(2).body = Body::resting(Vec2::ZERO, Vec2::X);
    field.view_delays[1] = told;
    let flight = |field: &mut Field| {
        field.pilot(1).body.vel = glam::vec2(0.0, 360.0);
        field.run_without_rocks(1);
    };
    // Ticks of a shot to the line on which ship 1 flies.
    let shot_ticks = (300.0 / pilot::SHOT_SPEED * TICK_HZ as f32) as u32;
    // Ticks until ship 1 crosses the line of fire.
    let crosses = (400.0 / 360.0 * TICK_HZ as f32) as u32;
    for tick in 0..200 {
        let fires = tick == crosses + seen_ago - shot_ticks;
        field.hold(2, Controls { fire: fires, ..Controls::default() });
        flight(&mut field);
    }
    field.events.iter().any(|event| matches!(event, Event::Hit(hit) if hit.victim == PlayerId(1)))
}

#[test]
fn a_shot_hits_what_its_pilot_saw_150_ms_ago() {
    assert!(hits_what_it_sees(0, 0.0), "with no delay at all");
    assert!(!hits_what_it_sees(9, 0.0), "nine ticks late, not compensated");
    assert!(hits_what_it_sees(9, 9.0));
    assert!(!hits_what_it_sees(0, 9.0), "it is no longer seen where it is");
}

#[test]
fn no_shot_hits_what_was_seen_longer_ago_than_the_cap() {
    assert!(hits_what_it_sees(15, 15.0));
    assert!(!hits_what_it_sees(30, 30.0));
}

#[test]
fn shots_pass_through_team_mates() {
    let mut field = Field::empty(2);
    field.pilot(2).team = Team::Azure;
    field.hold(1, FIRE);
    field.run_without_rocks(120);
    assert_eq!(field.pilot(2).health, HEALTH_MAX);
    assert!(field.events.is_empty(), "{:?}", field.events);
}

#[test]
fn a_lost_ship_is_gone_and_comes_back_shielded_after_three_seconds() {
    let mut field = Field::empty(2);
    field.pilot(2).health = 1;
    field.hold(1, FIRE);
    field.run_without_rocks(30);
    field.hold(1, Controls::default());
    assert_eq!(field.kills(), [(1, 2)]);
    assert!(!field.shown().iter().any(|(id, _)| *id == EntityId(2)));
    field.run_without_rocks(u32::from(RESPAWN_TICKS) - 15);
    assert!(!field.pilot(2).flying());
    field.run_without_rocks(30);
    assert!(field.pilot(2).flying() && field.pilot(2).shield_ticks > 0);
    assert_eq!(field.pilot(2).health, HEALTH_MAX);
    assert!(field.shown().iter().any(|(id, _)| *id == EntityId(2)));
}

#[test]
fn a_shield_holds_until_its_ship_fires() {
    let mut field = Field::empty(2);
    field.pilot(2).shield_ticks = SHIELD_TICKS;
    field.hold(1, FIRE);
    field.run_without_rocks(60);
    assert_eq!(field.pilot(2).health, HEALTH_MAX);
    assert!(field.events.iter().any(|event| matches!(event, Event::Hit(_))));
    field.hold(2, FIRE);
    field.run_without_rocks(40);
    assert!(field.pilot(2).health < HEALTH_MAX);
}

#[test]
fn a_gun_overheats_and_cools_down() {
    let mut field = Field::empty(1);
    field.hold(1, FIRE);
    let mut fired = 0;
    for _ in 0..60 * 5 {
        field.run_without_rocks(1);
        let is_new = |bullet: &&Bullet| bullet.ticks_left == SHOT_TICKS - 1;
        fired += field.arena.shots.iter().filter(is_new).count();
    }
    assert!((15..=22).contains(&fired), "{fired} shots in five seconds");
    assert!(field.pilot(1).ship().heat > 80);
    field.hold(1, Controls::default());
    field.run_without_rocks(60 * 4);
    assert_eq!(field.pilot(1).ship().heat, 0);
}

#[test]
fn rocks_break_into_smaller_ones_and_into_dust() {
    let mut field = Field::empty(1);
    field.add_rock(AsteroidSize::Large, glam::vec2(300.0, 0.0));
    field.hold(1, FIRE);
    field.run(25);
    let sizes: Vec<AsteroidSize> =
        field.arena.rocks.iter().map(|rock| rock.asteroid.size).collect();
    let medium = sizes.iter().filter(|size| **size == AsteroidSize::Medium).count();
    assert_eq!(medium, 2, "{sizes:?}");
    assert!(field.events.iter().any(|event| matches!(event, Event::Crack(_))));
    assert_eq!(field.pilot(1).score, 1);

    let mut field = Field::empty(1);
    field.add_rock(AsteroidSize::Small, glam::vec2(100.0, 0.0));
    field.hold(1, FIRE);
    field.run(18);
    assert_eq!(field.pilot(1).score, 2);
    assert!(field.arena.rocks.is_empty());
}

#[test]
fn rocks_come_back_but_never_near_a_ship() {
    let mut field = Field::empty(100);
    for pilot in &mut field.arena.pilots {
        pilot.body.pos = field.arena.random.place(WORLD_HALF - 100.0);
    }
    let mut came = 0;
    for _ in 0..60 * 60 {
        let mut ids = field.arena.ids;
        let first_new = ids.take();
        field.run(1);
        for rock in field.arena.rocks.iter().filter(|rock| rock.id >= first_new) {
            let gap = |pilot: &Pilot| pilot.body.pos.distance(rock.asteroid.pos);
            assert!(field.arena.pilots.iter().all(|pilot| gap(pilot) > 240.0));
            came += 1;
        }
    }
    assert!((40..=56).contains(&came), "{came} rocks came in a minute");
}

#[test]
fn a_crash_hurts_and_a_crash_after_a_hit_is_the_shooters_kill() {
    let mut field = Field::empty(2);
    field.pilot(1).body.vel = glam::vec2(300.0, 0.0);
    field.add_rock(AsteroidSize::Large, glam::vec2(80.0, 0.0));
    field.run(10);
    assert!((50..90).contains(&field.pilot(1).health), "{}", field.pilot(1).health);
    assert!(field.pilot(1).body.vel.x < 0.0);
    assert!(field.kills().is_empty());

    let mut field = Field::empty(2);
    field.pilot(1).hurt(90, PlayerId(2));
    field.pilot(1).body.vel = glam::vec2(300.0, 0.0);
    field.add_rock(AsteroidSize::Large, glam::vec2(80.0, 0.0));
    field.run(10);
    assert_eq!(field.kills(), [(2, 1)]);

    let mut field = Field::empty(1);
    field.pilot(1).health = 5;
    field.pilot(1).body.vel = glam::vec2(300.0, 0.0);
    field.add_rock(AsteroidSize::Large, glam::vec2(80.0, 0.0));
    field.run(10);
    assert_eq!(field.kills(), [(0, 1)]);
    assert_eq!(field.arena.team_kills, [0, 0]);
}

#[test]
fn health_comes_back_slowly_after_a_while_without_hits() {
    let mut field = Field::empty(1);
    field.pilot(1).hurt(50, PlayerId(0));
    field.run_without_rocks(60 * 4);
    assert_eq!(field.pilot(1).health, 50);
    field.run_without_rocks(60);
    assert_eq!(field.pilot(1).health, 60);
    field.run_without_rocks(60 * 10);
    assert_eq!(field.pilot(1).health, HEALTH_MAX);
}

#[test]
fn a_pickup_is_taken_once() {
    let mut field = Field::empty(1);
    field.pilot(1).health = 20;
    let pickup = Pickup { pos: glam::vec2(10.0, 0.0), gift: Gift::Repair };
    field.arena.crystals.push(Crystal { id: EntityId(9), ticks_left: 100, pickup });
    field.run_without_rocks(2);
    assert_eq!(field.pilot(1).health, 70);
    assert!(field.arena.crystals.is_empty());
    assert!(matches!(field.events[..], [Event::Taken(Taken { player: PlayerId(1), .. })]));
}

#[test]
fn teams_stay_even_as_players_come_and_go() {
    let mut arena = Arena::new(&NewRoom::with_seed(3));
    for player in 1..=101 {
        arena.join(&NewPlayer::named(PlayerId(player), "someone"));
    }
    let lead = |arena: &Arena| {
        let azure = arena.pilots.iter().filter(|pilot| pilot.team == Team::Azure).count();
        azure.abs_diff(arena.pilots.len() - azure)
    };
    assert_eq!(lead(&arena), 1);
    for player in (1..=101).step_by(2) {
        arena.leave(PlayerId(player), LeaveReason::Left);
        assert!(lead(&arena) <= 1);
    }
    assert_eq!(arena.pilots.len(), 50);
    arena.leave(PlayerId(1), LeaveReason::Left);
    arena.join(&NewPlayer::named(PlayerId(2), "again"));
    assert_eq!(arena.pilots.len(), 50);
}

#[test]
fn a_round_ends_is_told_to_all_and_starts_from_zero() {
    let mut field = Field::empty(2);
    field.pilot(1).score = 30;
    field.arena.team_kills = [3, 1];
    field.arena.round_ticks_left = 20;
    field.run_without_rocks(19);
    assert!(field.events.is_empty());
    field.run_without_rocks(1);
    let over = RoundOver { azure: 3, amber: 1 };
    assert!(field.events.contains(&Event::RoundOver(over)));
    assert_eq!(field.pilot(1).score, 0);
    let round = Round { azure: 0, amber: 0, seconds_left: ROUND_SECONDS as u16 };
    assert_eq!(field.arena.round(), round);
}

#[test]
fn the_board_shows_the_best_eight_and_spectators_follow_the_first() {
    let mut field = Field::empty(20);
    for player in 1..=20 {
        field.pilot(player).score = 100 + (player * 7 % 20) as u16;
    }
    field.run_without_rocks(15);
    let leaders = &field.arena.leaders;
    assert_eq!(leaders.len(), LEADERS);
    assert!(leaders.is_sorted_by(|a, b| a.score > b.score && a.rank < b.rank));
    let best = leaders[0].player;
    assert_eq!(leaders[0].score, 119);
    let center = field.pilot(best.0).body.pos;
    let view = View::circle(center, VIEW_RADIUS);
    assert_eq!(field.arena.view(Viewer::Spectator(PlayerId(999))), view);
    assert_eq!(field.arena.view(Viewer::Player(best)), view);
}

#[test]
fn a_pilot_changes_to_a_team_that_is_not_the_larger_one_and_waits_for_a_ship() {
    let mut field = Field::empty(3);
    let mut ask = |player: u32| {
        field.events.clear();
        field.commands = vec![(PlayerId(player), Command::ChangeTeam(ChangeTeam {}))];
        field.run_without_rocks(1);
        let pilot = field.pilot(player);
        (pilot.team, pilot.flying(), pilot.deaths, field.events.clone())
    };
    let told = |player: u32, team, is_granted| {
        Event::TeamChange(TeamChange { player: PlayerId(player), team, is_granted })
    };
    // The teams are azure, amber, azure.
    let refused = vec![told(2, Team::Amber, false)];
    assert_eq!(ask(2), (Team::Amber, true, 0, refused));
    assert_eq!(ask(1), (Team::Amber, false, 1, vec![told(1, Team::Amber, true)]));
    // Either of amber's two may change.
    assert_eq!(ask(2), (Team::Azure, false, 1, vec![told(2, Team::Azure, true)]));
    field.run_without_rocks(u32::from(RESPAWN_TICKS));
    assert!(field.pilot(1).flying());
    assert_eq!(field.pilot(1).team, Team::Amber);
}

#[test]
fn a_round_counts_on_the_boards_of_accounts_once_at_its_end_or_at_the_leave() {
    let account = Account { id: "ann".to_owned(), seat: None };
    let mut field = Field::empty(2);
    let ann = PlayerId(3);
    field.arena.join(&NewPlayer { account: Some(&account), ..NewPlayer::named(ann, "Ann") });
    let score = |arena: &mut Arena, of: [u16; 2]| {
        for pilot in &mut arena.pilots {
            [pilot.score, pilot.kills] = of;
        }
    };
    let scores = |arena: &mut Arena, tick| -> Vec<(PlayerId, ScoreBoard, i64)> {
        let mut outbox = Outbox::default();
        arena.step(&Inputs::new(tick, &[]), &mut outbox);
        outbox.drain_scores().collect()
    };
    score(&mut field.arena, [9, 2]);
    field.arena.round_ticks_left = 1;
    assert_eq!(scores(&mut field.arena, Tick(1)), [(ann, SCORE, 9), (ann, KILLS, 2)]);
    assert_eq!(scores(&mut field.arena, Tick(2)), []);
    score(&mut field.arena, [5, 0]);
    field.arena.leave(ann, LeaveReason::Left);
    assert_eq!(scores(&mut field.arena, Tick(3)), [(ann, SCORE, 5)]);
    assert_eq!(scores(&mut field.arena, Tick(4)), []);
}

#[test]
fn an_account_comes_back_to_its_team_with_its_kills_and_a_guest_has_no_career() {
    let account = Account { id: "ann".to_owned(), seat: None };
    let ann = || NewPlayer { account: Some(&account), ..NewPlayer::named(PlayerId(3), "Ann") };
    let mut field = Field::empty(2);
    let career = Career { team: Some(Team::Amber), kills: 40, best_score: 7 };
    field.arena.join(&NewPlayer { profile: Some(career), ..ann() });
    assert_eq!(field.pilot(3).team, Team::Amber);
    let at = field.arena.pilot_at(PlayerId(3)).unwrap();
    (field.arena.pilots[at].kills, field.arena.pilots[at].score) = (2, 5);
    field.arena.leave(PlayerId(3), LeaveReason::Left);
    field.arena.leave(PlayerId(1), LeaveReason::Left);
    let saves = |arena: &mut Arena, tick| -> Vec<(PlayerId, Career)> {
        let mut outbox = Outbox::default();
        arena.step(&Inputs::new(tick, &[]), &mut outbox);
        outbox.drain_saves().collect()
    };
    let saved = Career { kills: 42, ..career };
    assert_eq!(saves(&mut field.arena, Tick(1)), [(PlayerId(3), saved)]);
    assert_eq!(saves(&mut field.arena, Tick(2)), []);
    // At the end of a round too.
    field.arena.join(&NewPlayer { profile: Some(saved), ..ann() });
    field.arena.round_ticks_left = 1;
    // Amber is the larger team by now.
    let saved = Career { team: Some(Team::Azure), ..saved };
    assert_eq!(saves(&mut field.arena, Tick(3)), [(PlayerId(3), saved)]);
}
