//! A room and its clients, connected by a network with delays only.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use tickwire_server::config::RoomConfig;
use tickwire_server::room::{FromRoom, Room, ToRoom};
use tickwire_shared::control::{RequestId, ServerFrame};
use tickwire_shared::input::{InputDatagram, InputHead};
use tickwire_shared::replica::Replica;
use tickwire_shared::simulation::schema_of;
use tickwire_shared::{PlayerId, Simulation};

use crate::rooms::thread_time;

/// Input margin in ticks, as a client's clock keeps it.
const MARGIN_TICKS: i32 = 2;
/// Inputs in each datagram: as many as the client library repeats on a good network.
const INPUTS_REPEATED: usize = 3;
/// Shortest delay of a client's datagrams, in ticks; some take one or two more.
const DELAY_TICKS_MIN: usize = 1;

/// A client's behaviour.
pub trait Player<S: Simulation> {
    /// The client's input from now on.
    fn hold(&mut self, me: PlayerId, replica: &Replica) -> S::Input;
}

/// A room with clients that acknowledge everything and send an input every tick.
pub struct Table<S: Simulation, P> {
    room: Room<S>,
    clients: Vec<Client<S::Input, P>>,
    arrived: Vec<ToRoom<S::Input>>,
    now: Instant,
}

/// The time of one tick's parts.
#[derive(Clone, Copy, Debug)]
pub struct Spent {
    /// `Room::handle` of one input datagram from each client.
    pub inputs: Duration,
    /// `Room::step`.
    pub step: Duration,
}

struct Client<I, P> {
    player: PlayerId,
    seat: u8,
    replica: Replica,
    controls: P,
    /// Newest first.
    held: VecDeque<I>,
    on_the_way: VecDeque<InputDatagram<I>>,
    delay_ticks: usize,
}

impl<S: Simulation, P: Player<S>> Table<S, P> {
    /// A room of `seed` with one client for each of `players`, numbered from 1.
    pub fn new(seed: u64, players: impl Iterator<Item = P>) -> Self {
        // Everything is in snapshots: nobody reads the control stream.
        let config = RoomConfig { keyframe_bytes_per_s_max: 0, ..RoomConfig::default() };
        let mut room = Room::<S>::new("bench".to_owned(), seed, config);
        let now = Instant::now();
        let seated = (1..).zip(players).map(|(number, controls)| {
            let player = PlayerId(number);
            let seat = take_seat(&mut room, now, player);
            Client {
                player,
                seat,
                replica: Replica::new(&schema_of::<S>(), seat),
                controls,
                held: VecDeque::new(),
                on_the_way: VecDeque::new(),
                delay_ticks: DELAY_TICKS_MIN + number as usize % 3,
            }
        });
        let clients = seated.collect();
        Table { room, clients, arrived: Vec::new(), now }
    }

    /// Plays one tick of everyone. Only the room's own work is timed.
    pub fn tick(&mut self) -> Spent {
        self.now += Duration::from_secs(1) / S::TICK_HZ;
        for client in &mut self.clients {
            if let Some(datagram) = client.next_to_arrive() {
                let (player, at) = (client.player, self.now);
                self.arrived.push(ToRoom::Input { player, at, datagram });
            }
        }
        let start = thread_time();
        for message in self.arrived.drain(..) {
            self.room.handle(self.now, 0, message);
        }
        let taken = thread_time();
        self.room.step(self.now);
        let spent = Spent { inputs: taken - start, step: thread_time() - taken };
        self.deliver();
        spent
    }

    /// Plays without timing.
    pub fn play(mut self, ticks: u32) -> Self {
        for _ in 0..ticks {
            self.tick();
        }
        self
    }

    /// The room.
    pub fn room(&self) -> &Room<S> {
        &self.room
    }

    /// The room, to keep its journal.
    pub fn room_mut(&mut self) -> &mut Room<S> {
        &mut self.room
    }

    /// The current input of every client, by player.
    pub fn held(&self) -> Vec<(PlayerId, S::Input)> {
        let newest = |client: &Client<S::Input, P>| client.held.front().copied();
        self.clients
            .iter()
            .map(|client| (client.player, newest(client).unwrap_or_default()))
            .collect()
    }

    /// The seat of the first client.
    pub fn first_seat(&self) -> u8 {
        self.clients[0].seat
    }

    /// The first client's snapshot of the last tick.
    pub fn first_snapshot(&self) -> &[u8] {
        self.room.datagrams().next().expect("there is a client").1
    }

    fn deliver(&mut self) {
        while self.room.poll().is_some() {}
        let tick = self.room.tick();
        for (client, (player, bytes)) in self.clients.iter_mut().zip(self.room.datagrams()) {
            assert_eq!(client.player, player);
            client.replica.apply(bytes, tick).expect("every snapshot comes, in order");
            client.held.push_front(client.controls.hold(player, &client.replica));
            client.held.truncate(INPUTS_REPEATED);
            let ahead_ticks = client.delay_ticks as i32 + MARGIN_TICKS;
            let head = InputHead {
                seat: client.seat,
                ack: client.replica.ack(),
                newest_low16: tick.offset(ahead_ticks).low16(),
                view_delay: 4 * client.delay_ticks as u8,
                keyframes: None,
            };
            let inputs = client.held.iter().copied().collect();
            client.on_the_way.push_back(InputDatagram { head, inputs });
        }
    }
}

impl<I, P> Client<I, P> {
    fn next_to_arrive(&mut self) -> Option<InputDatagram<I>> {
        if self.on_the_way.len() < self.delay_ticks {
            return None;
        }
        self.on_the_way.pop_front()
    }
}

fn take_seat<S: Simulation>(room: &mut Room<S>, now: Instant, player: PlayerId) -> u8 {
    let name = format!("player {}", player.0);
    let join = ToRoom::Join {
        request: RequestId(1),
        player,
        name,
        account: None,
        profile: None,
        spectator: false,
        options: "".into(),
        datagram_bytes_max: 1200,
        resume: None,
        last_seat: 0,
    };
    room.handle(now, 0, join);
    let mut seats = std::iter::from_fn(|| room.poll()).filter_map(|out| match out {
        FromRoom::Control { frame: ServerFrame::Joined { seat, .. }, .. } => Some(seat),
        _ => None,
    });
    let seat = seats.next().expect("there is room");
    seats.for_each(drop);
    seat
}
