//! The game gets each command once and in order, whatever happens to the streams and sessions that
//! carry it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use tickwire_server::config::RoomConfig;
use tickwire_server::room::{FromRoom, Room, ToRoom};
use tickwire_shared::command::CommandCodec;
use tickwire_shared::control::{
    ClientChat, CloseCode, RefuseCode, RequestId, ServerChat, ServerFrame,
};
use tickwire_shared::quantize::Kinds as _;
use tickwire_shared::simulation::schema_of;
use tickwire_shared::{
    Capture, Inputs, LeaveReason, NewPlayer, NewRoom, Outbox, PlayerId, Replicate, Simulation,
    game, state,
};

use crate::balls::{Push, Wall};

#[derive(Clone, Copy, Debug, PartialEq, Replicate)]
enum Order {
    Ready(Ready),
    Buy(Buy),
}

#[derive(Clone, Copy, Debug, PartialEq, Replicate)]
struct Ready {
    number: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Replicate)]
struct Buy {
    #[replicate(range = 3..=9)]
    item: u8,
    number: u32,
}

/// Records each command with its player.
#[state]
#[derive(Default)]
struct Shop {
    seated: BTreeSet<PlayerId>,
    /// Player, number, tick.
    done: Vec<(PlayerId, u32, u32)>,
}

#[game]
impl Simulation for Shop {
    const NAME: &'static str = "shop";
    type Input = Push;
    type Entity = Wall;
    type Command = Order;

    fn new(_room: &NewRoom<Self>) -> Self {
        Shop::default()
    }

    fn join(&mut self, player: &NewPlayer<Self>) {
        self.seated.insert(player.id);
    }

    fn leave(&mut self, player: PlayerId, _reason: LeaveReason) {
        self.seated.remove(&player);
    }

    fn step(&mut self, inputs: &Inputs<Self>, _outbox: &mut Outbox<Self>) {
        for (player, order) in inputs.commands() {
            assert!(self.seated.contains(&player), "{player:?} is not here");
            let number = match order {
                Order::Ready(ready) => ready.number,
                Order::Buy(buy) => {
                    assert_eq!(u32::from(buy.item), 3 + buy.number % 7);
                    buy.number
                }
            };
            self.done.push((player, number, inputs.tick().0));
        }
    }

    fn capture(&self, _world: &mut Capture<Wall>) {}
}

/// A client's message.
#[derive(Clone, Debug)]
enum Asked {
    Join { is_spectator: bool },
    Leave,
    Kick(PlayerId),
    Say,
    Command { kind: u8, fields: Vec<u8>, is_valid: bool },
}

/// A stream: bytes are resent until they arrive, so a loss delays everything after it.
#[derive(Default)]
struct Stream {
    on_its_way: VecDeque<(u32, RequestId, Asked)>,
}

impl Stream {
    fn write(&mut self, comes: u32, request: RequestId, asked: Asked) {
        let after = self.on_its_way.back().map_or(0, |(comes, ..)| *comes);
        self.on_its_way.push_back((comes.max(after), request, asked));
    }

    /// Takes the next message if it has arrived and is this request.
    fn take(&mut self, now: u32, request: RequestId) -> Option<Asked> {
        self.on_its_way
            .pop_front_if(|(comes, is, _)| *comes <= now && *is == request)
            .map(|it| it.2)
    }
}

/// A session and the server's connection of it: requests are handled in the order of their numbers.
/// Commands follow one another; any other request waits until all before it are answered.
struct Session {
    player: PlayerId,
    control: Stream,
    chat: Stream,
    asked: u32,
    next: u32,
    unanswered: usize,
    commands: BTreeMap<RequestId, bool>,
    /// The answer to each request, with the refuse code if it was refused.
    answers: BTreeMap<RequestId, Option<RefuseCode>>,
}

struct Table {
    room: Room<Shop>,
    codec: CommandCodec,
    per_tick_max: usize,
    now: Instant,
    tick: u32,
    sessions: Vec<Session>,
    /// Sessions that ended before all was answered.
    ended: Vec<Session>,
    players: u32,
}

impl Table {
    fn new(per_tick_max: usize, queued_max: usize) -> Self {
        let config = RoomConfig {
            commands_per_tick_max: per_tick_max,
            commands_queued_max: queued_max,
            entities_max: 16,
            kick_return_s: 0,
            kick_pause_s: 1,
            ..RoomConfig::default()
        };
        let codec = CommandCodec::new(&schema_of::<Shop>());
        let room = Room::new("shop".into(), 1, config);
        let (now, sessions, ended) = (Instant::now(), Vec::new(), Vec::new());
        Table { room, codec, per_tick_max, now, tick: 0, sessions, ended, players: 0 }
    }

    fn connect(&mut self) {
        self.players += 1;
        self.sessions.push(Session {
            player: PlayerId(self.players),
            control: Stream::default(),
            chat: Stream::default(),
            asked: 0,
            next: 1,
            unanswered: 0,
            commands: BTreeMap::new(),
            answers: BTreeMap::new(),
        });
        let at = self.sessions.len() - 1;
        self.ask(at, Asked::Join { is_spectator: false }, 0);
    }

    /// Writes a message of a session that takes `ticks` to arrive.
    fn ask(&mut self, at: usize, asked: Asked, ticks: u32) {
        let session = &mut self.sessions[at];
        session.asked += 1;
        let request = RequestId(session.asked);
        if let Asked::Command { is_valid, .. } = &asked {
            session.commands.insert(request, *is_valid);
        }
        let stream = if let Asked::Say = asked { &mut session.chat } else { &mut session.control };
        stream.write(self.tick + ticks, request, asked);
    }

    /// A command whose number is that of the request.
    fn command(&self, at: usize, fate: u8) -> Asked {
        let number = self.sessions[at].asked + 1;
        let order = match number % 3 {
            0 => Order::Ready(Ready { number }),
            _ => Order::Buy(Buy { item: (3 + number % 7) as u8, number }),
        };
        let mut lanes = [0; 2];
        order.to_lanes(&mut lanes);
        let fields = self.codec.encode(order.kind(), &lanes).expect("it is the game's");
        let (kind, fields, is_valid) = match fate % 16 {
            0 => (7, fields, false),
            1 => (order.kind(), fields[1..].to_vec(), false),
            // An invalid item: its low three bits are 7.
            2 => (1, [&[fields[0] | 7], &fields[1..]].concat(), false),
            _ => (order.kind(), fields, true),
        };
        Asked::Command { kind, fields, is_valid }
    }

    /// Ends the session without a goodbye.
    fn lose(&mut self, at: usize) {
        let session = self.sessions.remove(at);
        let (player, code) = (session.player, CloseCode::ConnectionLost);
        self.ended.push(session);
        self.tell_room(ToRoom::Leave { request: None, player, code });
    }

    fn tell_room(&mut self, message: ToRoom<Push>) {
        self.room.handle(self.now, 0, message);
        self.hear_room();
    }

    fn hear_room(&mut self) {
        while let Some(out) = self.room.poll() {
            match out {
                FromRoom::Control { player, frame }
                | FromRoom::CommandRefused { player, frame } => {
                    let code = match &frame {
                        ServerFrame::Refused { code, .. } => Some(*code),
                        _ => None,
                    };
                    let Some(request) = frame.answers() else { continue };
                    let Some(session) = self.session(player) else { continue };
                    session.unanswered -= 1;
                    session.answer(request, code);
                    if let ServerFrame::Done { .. } = frame {
                        self.assert_done(player, request);
                    }
                }
                FromRoom::Chat { player, chat: ServerChat::Refused { request, code, .. } } => {
                    let session = self.session(player).expect("it said something");
                    session.answer(request, Some(code));
                }
                FromRoom::ChatAll { chat: ServerChat::Message(message), .. } => {
                    let session = self.session(message.from).expect("it said something");
                    session.answer(message.request, None);
                }
                _ => {}
            }
        }
    }

    fn session(&mut self, player: PlayerId) -> Option<&mut Session> {
        self.sessions.iter_mut().find(|session| session.player == player)
    }

    /// Asserts that the effect came before its `Done`.
    fn assert_done(&mut self, player: PlayerId, request: RequestId) {
        let is_command = self.session(player).is_some_and(|it| it.commands.contains_key(&request));
        let newest = &self.room.simulation().done;
        let is_there = newest.iter().rev().any(|it| (it.0, it.1) == (player, request.0));
        assert!(is_there || !is_command, "{request:?} of {player:?} is not done");
    }

    /// Handles what has arrived, as far as the order allows.
    fn deliver(&mut self, at: usize) {
        loop {
            let (now, session) = (self.tick, &mut self.sessions[at]);
            let request = RequestId(session.next);
            let head = |stream: &Stream| {
                stream.on_its_way.front().map(|(_, number, asked)| {
                    *number == request && matches!(asked, Asked::Command { .. })
                })
            };
            let is_command = head(&session.control) == Some(true);
            if !is_command && session.unanswered > 0 {
                return;
            }
            let asked =
                session.control.take(now, request).or_else(|| session.chat.take(now, request));
            let Some(asked) = asked else { return };
            session.next += 1;
            let player = session.player;
            if !matches!(asked, Asked::Say) {
                session.unanswered += 1;
            }
            self.tell_room(match asked {
                Asked::Join { is_spectator: spectator } => {
                    let (name, datagram_bytes_max) = (format!("p{}", player.0), 1200);
                    ToRoom::Join {
                        request,
                        player,
                        name,
                        account: None,
                        profile: None,
                        spectator,
                        options: "".into(),
                        datagram_bytes_max,
                        resume: None,
                        last_seat: 0,
                    }
                }
                Asked::Leave => {
                    let (request, code) = (Some(request), CloseCode::Normal);
                    ToRoom::Leave { request, player, code }
                }
                Asked::Kick(whom) => {
                    ToRoom::Kick { request, by: player, player: whom, reason: String::new() }
                }
                Asked::Say => {
                    let text = "hello".to_owned();
                    ToRoom::Chat { player, chat: ClientChat::Say { request, text } }
                }
                Asked::Command { kind, fields, .. } => {
                    ToRoom::Command { request, player, kind, fields }
                }
            });
        }
    }

    fn step(&mut self) {
        self.now += Duration::from_millis(100);
        self.tick += 1;
        for at in 0..self.sessions.len() {
            self.deliver(at);
        }
        if !self.room.is_empty() {
            self.room.step(self.now);
        }
        self.hear_room();
    }

    /// Applies the fates of a tick to each session.
    fn play(&mut self, fates: &mut impl FnMut() -> u8) {
        for at in (0..self.sessions.len()).rev() {
            let others: Vec<_> = self.sessions.iter().map(|session| session.player).collect();
            for _ in 0..fates() % 4 {
                let lost = fates();
                let ticks = u32::from(lost % 4) * u32::from(lost % 5 / 3 * 3);
                let asked = match fates() % 32 {
                    0 => Asked::Leave,
                    1 | 2 => Asked::Join { is_spectator: fates().is_multiple_of(4) },
                    3 => Asked::Kick(others[usize::from(fates()) % others.len()]),
                    4..8 => Asked::Say,
                    _ => self.command(at, fates()),
                };
                self.ask(at, asked, ticks);
            }
            if fates().is_multiple_of(64) {
                self.lose(at);
            }
        }
        if self.sessions.len() < 3 && fates().is_multiple_of(2) {
            self.connect();
        }
    }

    fn assert_once_and_in_order(&self) {
        let mut done: BTreeMap<PlayerId, Vec<(u32, u32)>> = BTreeMap::new();
        for &(player, number, tick) in &self.room.simulation().done {
            done.entry(player).or_default().push((number, tick));
        }
        for session in self.sessions.iter().chain(&self.ended) {
            let of_player = done.get(&session.player).map_or(&[][..], Vec::as_slice);
            let rising = of_player.is_sorted_by(|one, two| one.0 < two.0);
            assert!(rising, "twice, or out of order: {of_player:?}");
            for same_tick in of_player.chunk_by(|one, two| one.1 == two.1) {
                assert!(same_tick.len() <= self.per_tick_max, "{same_tick:?}");
            }
            let numbers: BTreeSet<u32> = of_player.iter().map(|(number, _)| *number).collect();
            for (request, is_valid) in &session.commands {
                let was_done = numbers.contains(&request.0);
                match session.answers.get(request) {
                    Some(None) => assert!(was_done, "{request:?} was not done"),
                    Some(Some(_)) => assert!(!was_done, "{request:?} was refused and done"),
                    // The session ended before: the command was run or not.
                    None => {}
                }
                assert!(*is_valid || !was_done, "{request:?} is no command");
            }
            assert!(
                numbers.iter().all(|number| session.commands.contains_key(&RequestId(*number)))
            );
        }
        for session in &self.sessions {
            let unanswered =
                (1..=session.asked).filter(|it| !session.answers.contains_key(&RequestId(*it)));
            assert_eq!(unanswered.collect::<Vec<_>>(), [0; 0], "never answered");
        }
    }
}

impl Session {
    fn answer(&mut self, request: RequestId, code: Option<RefuseCode>) {
        assert_eq!(self.answers.insert(request, code), None, "{request:?} is answered twice");
    }
}

fn play(fates: &[u8], ticks: usize) -> Table {
    let mut given =
        fates.iter().copied().cycle().enumerate().map(|(at, fate)| fate ^ (at / fates.len()) as u8);
    let mut fate = move || given.next().expect("it never ends");
    let mut table = Table::new(1 + usize::from(fate() % 3), 1 + usize::from(fate() % 6));
    for _ in 0..ticks {
        table.play(&mut fate);
        table.step();
    }
    let mut left = 200;
    while table.sessions.iter().any(|session| session.answers.len() < session.asked as usize)
        && left > 0
    {
        table.step();
        left -= 1;
    }
    table
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(crate::cases() * 25))]
    #[test]
    fn each_command_is_done_once_and_in_order_or_refused(
        fates in prop::collection::vec(any::<u8>(), 1..300), ticks in 1usize..60,
    ) {
        play(&fates, ticks).assert_once_and_in_order();
    }
}

/// The schedules cover every outcome.
#[test]
fn all_that_can_become_of_a_command_does() {
    let mut outcomes: BTreeMap<String, usize> = BTreeMap::new();
    for seed in 0..200u32 {
        // A linear congruential generator.
        let mut state = u64::from(seed);
        let fates: Vec<u8> = std::iter::repeat_with(|| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        })
        .take(5000)
        .collect();
        let table = play(&fates, 40);
        table.assert_once_and_in_order();
        for session in table.sessions.iter().chain(&table.ended) {
            for request in session.commands.keys() {
                let outcome = match session.answers.get(request) {
                    None => "Unknown".to_owned(),
                    Some(None) => "Done".to_owned(),
                    Some(Some(code)) => format!("{code:?}"),
                };
                *outcomes.entry(outcome).or_default() += 1;
            }
        }
    }
    for wanted in ["CommandInvalid", "CommandTooFast", "Done", "NotInRoom", "NotPlaying", "Unknown"]
    {
        assert!(outcomes.get(wanted).is_some_and(|count| *count >= 20), "{wanted}: {outcomes:?}");
    }
}
