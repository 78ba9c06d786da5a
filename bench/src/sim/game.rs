//! The game of the simulation: ships with secrets, motes that one team sees, numbered events and commands. Each thing that a
//! client is shown carries a mark that follows from the rest of it, so that a wrong bit is seen at once.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tickwire_shared::quantize::Kinds as _;
use tickwire_shared::{
    Capture, EntityId, Groups, Input, Inputs, LeaveReason, NewPlayer, NewRoom, Outbox, PlayerId,
    Replicate, Simulation, View, Viewer,
};

use super::bug::PlantedBug;
use crate::random::Splitmix;

/// Half of the world's side.
const HALF: i32 = 1000;
const MOTES: u32 = 12;
/// Ids of motes begin here.
const MOTE_ID: u32 = 1 << 20;
/// Ids of ships that a planted bug doubles.
const DOUBLED_ID: u32 = 1 << 21;
pub(crate) const TICK_HZ: u32 = 30;
/// Lanes of the largest entity.
pub(crate) const LANES: usize = 5;

/// What a player steers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, Input)]
pub(crate) struct Helm {
    #[replicate(range = 0..=8)]
    pub(crate) course: u8,
}

#[derive(Clone, Debug, PartialEq, Replicate)]
pub(crate) enum Thing {
    Ship(Ship),
    Mote(Mote),
}

#[derive(Clone, Debug, PartialEq, Replicate)]
pub(crate) struct Ship {
    #[replicate(range = -1000..=1000)]
    x: i32,
    #[replicate(range = -1000..=1000)]
    y: i32,
    mark: u16,
    /// Never 0.
    #[replicate(owner)]
    secret: u32,
}

#[derive(Clone, Debug, PartialEq, Replicate)]
pub(crate) struct Mote {
    team: u8,
    #[replicate(range = -1000..=1000)]
    x: i32,
    #[replicate(range = -1000..=1000)]
    y: i32,
    mark: u16,
}

/// The kind of ships.
pub(crate) const SHIP: u8 = 0;
/// The lane of [`Ship::secret`].
pub(crate) const SECRET_LANE: usize = 3;

/// Events are numbered from 1 for each player, and for all in the room.
#[derive(Clone, Debug, PartialEq, Replicate)]
pub(crate) enum Told {
    One(ToOne),
    All(ToAll),
}

#[derive(Clone, Debug, PartialEq, Replicate)]
pub(crate) struct ToOne {
    number: u32,
}

#[derive(Clone, Debug, PartialEq, Replicate)]
pub(crate) struct ToAll {
    number: u32,
}

impl Told {
    pub(crate) fn number(&self) -> u32 {
        match self {
            Told::One(ToOne { number }) | Told::All(ToAll { number }) => *number,
        }
    }
}

/// Commands are numbered by each client, from 1.
#[derive(Clone, Debug, PartialEq, Replicate)]
pub(crate) struct Order {
    pub(crate) number: u32,
}

/// A player of the game.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Keeper {
    /// Another one in each session.
    name: String,
    team: u8,
    place: [i32; 2],
    secret: u32,
    /// The numbers of the commands that steps had.
    orders: Vec<u32>,
    /// Events that it alone was sent.
    pub(crate) told: u32,
    pub(crate) is_away: bool,
    /// Ships beyond the first, by a planted bug.
    doubled: u8,
}

/// The rules and the state of a room.
#[tickwire_shared::state]
pub(crate) struct Vault {
    random: Splitmix,
    tick: u32,
    pub(crate) players: BTreeMap<PlayerId, Keeper>,
    motes: BTreeMap<u32, [i32; 2]>,
    /// Events that all were sent.
    pub(crate) told: u32,
    /// The numbers of the commands that steps had from players that have left since, by name.
    orders_left: BTreeMap<String, Vec<u32>>,
}

/// What there is to see of one entity.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SeenThing {
    pub(crate) kind: u8,
    pub(crate) lanes: [i32; LANES],
    pub(crate) owner: Option<PlayerId>,
    /// Only players of this team see it.
    pub(crate) team: Option<u8>,
}

impl Vault {
    fn below(&mut self, below: u32) -> u32 {
        (self.random.bits() % u64::from(below)) as u32
    }

    /// All that there is to see, as the rules mean it.
    pub(crate) fn truth(&self) -> BTreeMap<EntityId, SeenThing> {
        let mut seen = BTreeMap::new();
        let mut see = |id: u32, thing: &Thing, owner, team| {
            let mut lanes = [0; LANES];
            thing.to_lanes(&mut lanes);
            seen.insert(EntityId(id), SeenThing { kind: thing.kind(), lanes, owner, team });
        };
        for (player, keeper) in &self.players {
            see(player.0, &Thing::Ship(keeper.ship(player.0)), Some(*player), None);
        }
        for (number, place) in &self.motes {
            let team = (*number % 2) as u8;
            see(MOTE_ID + number, &Thing::Mote(mote(*number, *place)), None, Some(team));
        }
        seen
    }

    /// The numbers of the commands that steps had from each player, in all its stays, by name.
    pub(crate) fn orders(&self) -> BTreeMap<String, Vec<u32>> {
        let mut orders = self.orders_left.clone();
        for keeper in self.players.values() {
            orders.entry(keeper.name.clone()).or_default().extend(&keeper.orders);
        }
        orders
    }

    /// The team of a player.
    pub(crate) fn team_of(player: PlayerId) -> u8 {
        (player.0 % 2) as u8
    }
}

#[tickwire_shared::game]
impl Simulation for Vault {
    const NAME: &'static str = "vault";
    const TICK_HZ: u32 = TICK_HZ;
    type Input = Helm;
    type Entity = Thing;
    type Event = Told;
    type Command = Order;

    fn new(room: &NewRoom<Self>) -> Self {
        Vault {
            random: Splitmix::new(room.seed),
            tick: 0,
            players: BTreeMap::new(),
            motes: BTreeMap::new(),
            told: 0,
            orders_left: BTreeMap::new(),
        }
    }

    fn join(&mut self, player: &NewPlayer<Self>) {
        let team = Vault::team_of(player.id);
        let secret = self.below(u32::MAX - 1) + 1;
        let place = [self.below(100) as i32, self.below(100) as i32];
        let keeper = Keeper {
            name: player.name.to_owned(),
            team,
            place,
            secret,
            orders: Vec::new(),
            told: 0,
            is_away: false,
            doubled: 0,
        };
        self.players.insert(player.id, keeper);
    }

    fn leave(&mut self, player: PlayerId, _reason: LeaveReason) {
        if let Some(Keeper { name, orders, .. }) = self.players.remove(&player) {
            self.orders_left.entry(name).or_default().extend(orders);
        }
    }

    fn away(&mut self, player: PlayerId) {
        if let Some(keeper) = self.players.get_mut(&player) {
            keeper.is_away = true;
        }
    }

    fn back(&mut self, player: PlayerId) {
        if let Some(keeper) = self.players.get_mut(&player) {
            keeper.is_away = false;
            keeper.doubled += u8::from(PlantedBug::DoubledSeat.is_planted());
        }
    }

    fn step(&mut self, inputs: &Inputs<Self>, outbox: &mut Outbox<Self>) {
        self.tick = inputs.tick().0;
        for (player, helm) in inputs.iter() {
            let Some(keeper) = self.players.get_mut(&player) else { continue };
            let course = i32::from(helm.course);
            let way = [course % 3 - 1, course / 3 - 1];
            for (place, way) in keeper.place.iter_mut().zip(way) {
                *place = (*place + 3 * way).clamp(-HALF, HALF);
            }
        }
        for (player, order) in inputs.commands() {
            if let Some(keeper) = self.players.get_mut(&player) {
                keeper.orders.push(order.number);
            }
        }
        let players: Vec<PlayerId> = self.players.keys().copied().collect();
        for player in players {
            let (is_told, secret) = (self.below(20) == 0, self.below(u32::MAX - 1) + 1);
            let is_new = self.below(16) == 0;
            let Some(keeper) = self.players.get_mut(&player) else { continue };
            if is_new {
                keeper.secret = secret;
            }
            if is_told {
                keeper.told += 1;
                outbox.to_player(player, Told::One(ToOne { number: keeper.told }));
            }
        }
        if self.below(25) == 0 {
            self.told += 1;
            outbox.to_room(Told::All(ToAll { number: self.told }));
        }
        self.move_motes();
    }

    fn capture(&self, world: &mut Capture<Thing>) {
        let leaks = PlantedBug::LeakedField.is_planted() && self.tick.is_multiple_of(64);
        let first = self.players.keys().next().copied();
        for (player, keeper) in &self.players {
            let owner = first.filter(|_| leaks).unwrap_or(*player);
            world.show(EntityId(player.0), Thing::Ship(keeper.ship(player.0))).owned_by(owner);
            for more in 0..keeper.doubled {
                let id = DOUBLED_ID + (player.0 << 8) + u32::from(more);
                world.show(EntityId(id), Thing::Ship(keeper.ship(id))).owned_by(*player);
            }
        }
        for (number, place) in &self.motes {
            let team = Groups::of((*number % 2) as u8);
            let id = EntityId(MOTE_ID + number);
            world.show(id, Thing::Mote(mote(*number, *place))).only_for(team);
        }
    }

    fn view(&self, viewer: Viewer) -> View {
        let groups = match viewer {
            Viewer::Player(player) => Groups::of(Vault::team_of(player)),
            Viewer::Spectator(_) => Groups::NONE,
        };
        View::everything().in_groups(groups)
    }
}

impl Vault {
    /// Motes drift, come and go.
    fn move_motes(&mut self) {
        let number = self.below(MOTES);
        match self.below(12) {
            0 => drop(self.motes.remove(&number)),
            1 => {
                let place = [self.below(2000) as i32 - HALF, self.below(2000) as i32 - HALF];
                self.motes.insert(number, place);
            }
            _ => {
                let way = [self.below(21) as i32 - 10, self.below(21) as i32 - 10];
                let Some(place) = self.motes.get_mut(&number) else { return };
                *place = [0, 1].map(|axis: usize| (place[axis] + way[axis]).clamp(-HALF, HALF));
            }
        }
    }
}

impl Keeper {
    fn ship(&self, id: u32) -> Ship {
        let [x, y] = self.place;
        Ship { x, y, mark: mark_of(id, self.place), secret: self.secret }
    }
}

fn mote(number: u32, place: [i32; 2]) -> Mote {
    let [x, y] = place;
    Mote { team: (number % 2) as u8, x, y, mark: mark_of(MOTE_ID + number, place) }
}

/// Follows from the id and the place.
fn mark_of(id: u32, [x, y]: [i32; 2]) -> u16 {
    let place = u64::from(x as u32) << 32 | u64::from(y as u32);
    Splitmix::new(place ^ u64::from(id) << 13).bits() as u16
}
