//! The core of a room: members, inputs, simulation, replication, chat.
//!
//! Pure: messages and the time come in as arguments, and results come out of polls. Nothing here
//! awaits, reads a clock or touches a socket; only [`Room::step`] changes the world.

mod away;
mod bandwidth;
mod bots;
mod chat;
mod commands;
mod encode;
mod findings;
mod handle;
mod inputs;
mod interest;
mod kicks;
mod member;
mod message;
mod new_score;
pub(crate) mod options;
mod playback;
mod profile;
mod record;
mod recorder;
mod replay;
mod replayed;
mod replication;
mod restored;
mod restrictions;
mod resume_right;
mod saves;
mod scores;
mod secret_digest;
mod session;
mod slot_summary;
mod spatial_grid;
mod state_hash;
mod states;
mod static_blob;
mod static_data;
mod stepped;
mod text;
mod tick_events;
mod touch;
mod view_area;
mod world;

pub use findings::{Fault, Finding};
pub use inputs::InputCounts;
pub use message::{FromRoom, ToRoom};
pub use new_score::NewScore;
pub use playback::PlaybackStep;
pub use profile::{JoinProfile, NewProfile, SavedProfile};
pub use record::{
    CommandRecord, EntityLanes, JournalEntry, JournalHead, SeatChange, SeatRole, TickRecord,
};
pub use replay::{LaneDifference, Replay, ReplayDifference, ReplayError, ReplayMember};
pub use restored::RestoredRoom;
pub use resume_right::ResumeRight;
pub use secret_digest::SecretDigest;
pub use static_blob::StaticBlob;
pub(crate) use stepped::CommandFate;
pub use stepped::SteppedCommands;
pub(crate) use text::{NameKey, name_key};

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tickwire_shared::control::{Member, RoomInfo};
use tickwire_shared::delta::LaneTable;
use tickwire_shared::input::VIEW_DELAY_UNITS;
use tickwire_shared::simulation::schema_of;
use tickwire_shared::{Capture, Inputs, NewRoom, Outbox, PlayerId, RoomPolicy, Simulation, Tick};

use crate::config::RoomConfig;
use bots::Bots;
use commands::CommandQueue;
use findings::{Findings, Unowned};
use inputs::DueClock;
use kicks::Kicks;
use member::RoomMember;
use recorder::RecordedGame;
use replication::{DeltaCache, SnapshotScratch};
use saves::LeftPlayer;
use static_data::StaticStore;
use world::World;

/// One room.
///
/// The caller owns the sockets and the clock. It drives the room in this order:
///
/// 1. for each message: [`handle`](Room::handle);
/// 2. once a tick: [`step`](Room::step), or its halves [`advance`](Room::advance) and
///    [`encode`](Room::encode);
/// 3. after a step: [`datagrams`](Room::datagrams), valid until the next step;
/// 4. after either: [`poll`](Room::poll) and [`poll_finding`](Room::poll_finding) until both return
///    `None`;
/// 5. after a step, where a journal is kept: [`poll_journal`](Room::poll_journal).
///
/// ```
/// use std::time::Instant;
/// use tickwire_server::room::{FromRoom, Room, ToRoom};
/// use tickwire_shared::{PlayerId, Simulation};
///
/// fn tick<S: Simulation>(
///     room: &mut Room<S>,
///     (due, time_ms): (Instant, u64),
///     came: Vec<ToRoom<S::Input>>,
///     mut send_datagram: impl FnMut(PlayerId, &[u8]),
///     mut send_frame: impl FnMut(FromRoom),
/// ) {
///     for message in came {
///         room.handle(Instant::now(), time_ms, message);
///     }
///     room.step(due);
///     room.datagrams().for_each(|(player, datagram)| send_datagram(player, datagram));
///     while let Some(frame) = room.poll() {
///         send_frame(frame);
///     }
///     while let Some(finding) = room.poll_finding() {
///         eprintln!("{finding:?}");
///     }
/// }
/// ```
pub struct Room<S: Simulation> {
    /// The room's line in the list of rooms, without the number of its members.
    listing: RoomInfo,
    config: RoomConfig,
    /// By which the store knows it from another room of its name.
    seed: u64,
    simulation: RecordedGame<S>,
    tick: Tick,
    due: Option<Instant>,
    members: BTreeMap<PlayerId, RoomMember<S::Input>>,
    /// The members' numbers; `None` after a change of members, until they are needed again.
    everyone: Option<Arc<[PlayerId]>>,
    /// Players with an account that have left since the last step.
    left_players: Vec<LeftPlayer>,
    /// True if the room has a host.
    is_hosted: bool,
    /// The member who may kick.
    host: Option<PlayerId>,
    kicks: Kicks,
    bots: Bots,
    /// The players of a replay that it shows.
    cast: BTreeMap<PlayerId, Member>,
    static_data: StaticStore,
    chat_id: u64,
    outgoing: VecDeque<FromRoom>,

    commands: CommandQueue<S::Command>,
    inputs: Vec<(PlayerId, S::Input)>,
    /// View delays in ticks, in the order of the inputs.
    view_delays: Vec<f32>,
    outbox: Outbox<S>,
    capture: Capture<S::Entity>,
    world: World,
    event_tables: Vec<LaneTable>,
    delta_cache: DeltaCache,
    scratch: SnapshotScratch,
    sent_snapshots: Vec<u8>,
    spans: Vec<(PlayerId, Range<usize>)>,
    findings: Findings,
    /// Time that players have played without an entity of their own.
    unowned: Unowned,
    events_dropped: u64,
}

impl<S: Simulation> Room<S> {
    /// An empty room at tick 0, with the default options.
    pub fn new(name: String, seed: u64, config: RoomConfig) -> Self {
        let options = S::RoomOptions::default();
        Room::with_options(&NewRoom { seed, name: &name, options }, config)
    }

    /// An empty room at tick 0.
    pub fn with_options(new: &NewRoom<S>, config: RoomConfig) -> Self {
        let game = RecordedGame::new(S::new(new));
        let mut room = Room::of_game(game, new.name, config);
        room.seed = new.seed;
        room.begin_static_data();
        room
    }

    /// An empty room at tick 0, without static data.
    fn of_game(simulation: RecordedGame<S>, name: &str, config: RoomConfig) -> Self {
        let schema = schema_of::<S>();
        Room {
            seed: 0,
            simulation,
            listing: options::listing(name, &config, &RoomPolicy::default()),
            tick: Tick(0),
            due: None,
            members: BTreeMap::new(),
            everyone: None,
            left_players: Vec::new(),
            is_hosted: true,
            host: None,
            kicks: Kicks::default(),
            bots: Bots::default(),
            cast: BTreeMap::new(),
            static_data: StaticStore::default(),
            chat_id: 0,
            outgoing: VecDeque::new(),
            commands: CommandQueue::new(&schema),
            inputs: Vec::new(),
            view_delays: Vec::new(),
            outbox: Outbox::default(),
            capture: Capture::default(),
            world: World::new(&schema, config.entities_max),
            event_tables: schema
                .events
                .iter()
                .map(|kind| LaneTable::new(kind, schema.tick_hz))
                .collect(),
            delta_cache: DeltaCache::new(),
            scratch: SnapshotScratch::default(),
            sent_snapshots: Vec::new(),
            spans: Vec::new(),
            findings: Findings::default(),
            unowned: Unowned::default(),
            events_dropped: 0,
            config,
        }
    }

    /// Counts chat on from `id`: the first message or notice has a higher number.
    pub fn with_chat_after(self, id: u64) -> Self {
        Room { chat_id: self.chat_id.max(id), ..self }
    }

    /// Removes the host from the room: nobody may kick.
    pub fn without_host(self) -> Self {
        Room { is_hosted: false, ..self }
    }

    /// Applies the game's policy for the room, within the limits of its configuration. Bots are
    /// numbered from `first_bot` on; no other player may have these numbers. Passwords are checked
    /// by the caller, before a player reaches the room.
    pub fn with_policy(mut self, policy: &RoomPolicy, first_bot: PlayerId) -> Self {
        self.bots = Bots::new(&self.config, policy, first_bot);
        (self.config.players_max, self.config.spectators_max) =
            options::limits(&self.config, policy);
        self.listing = options::listing(&self.listing.name, &self.config, policy);
        self
    }

    /// The last tick that was stepped.
    pub fn tick(&self) -> Tick {
        self.tick
    }

    /// The game's own state.
    pub fn simulation(&self) -> &S {
        &self.simulation
    }

    /// The room's line in the list of rooms.
    pub fn info(&self) -> RoomInfo {
        let spectators = self.members.values().filter(|member| member.is_spectator()).count();
        RoomInfo {
            players: (self.members.len() - spectators) as u32,
            bots: self.bots.count() as u32,
            spectators: spectators as u32,
            ..self.listing.clone()
        }
    }

    /// True without members. Bots are not members.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Entities in the world as last captured.
    pub fn entities(&self) -> usize {
        self.world.len()
    }

    /// Events dropped because too many waited for a client's acknowledgement, counted for each
    /// client.
    pub fn events_dropped(&self) -> u64 {
        self.events_dropped
    }

    /// Counts of a player's inputs; `None` for a player without a seat.
    pub fn input_counts(&self, player: PlayerId) -> Option<InputCounts> {
        Some(self.members.get(&player)?.inputs.as_ref()?.counts())
    }

    /// Steps one tick, whose deadline was `due`, and encodes each member's snapshot.
    pub fn step(&mut self, due: Instant) {
        self.advance(due);
        self.encode();
    }

    /// The first half of [`Room::step`]: the game's own step and its capture.
    pub fn advance(&mut self, due: Instant) {
        self.next_tick();
        self.due = Some(due);
        self.take_inputs();
        self.commands.take(self.config.commands_per_tick_max);
        self.begin_record();
        let inputs = Inputs::new(self.tick, &self.inputs)
            .with_commands(self.commands.taken())
            .with_view_delays(&self.view_delays);
        self.simulation.step(&inputs, &mut self.outbox);
        self.answer_commands();
        self.take_static_data();
        self.follow_cast();
        self.take_saves();
        self.simulation.capture(&mut self.capture);
        let digest = self.simulation.digest(self.tick);
        self.world.capture(self.tick, &mut self.capture, &mut self.findings, digest);
        self.end_record();
        if !self.world.owned() {
            self.unowned.stepped(&self.inputs, S::TICK_HZ, &mut self.findings);
        }
    }

    /// The snapshots of the last step: one datagram for each member, at most its path's size.
    /// The slices are valid until the next step.
    pub fn datagrams(&self) -> impl Iterator<Item = (PlayerId, &[u8])> {
        self.spans.iter().map(|(player, span)| (*player, &self.sent_snapshots[span.clone()]))
    }

    /// The next reliable message to send, in order.
    pub fn poll(&mut self) -> Option<FromRoom> {
        self.outgoing.pop_front()
    }

    /// The next finding for the game's author, with its count since the last poll.
    pub fn poll_finding(&mut self) -> Option<Finding> {
        self.findings.poll()
    }

    fn take_inputs(&mut self) {
        self.inputs.clear();
        self.view_delays.clear();
        for member in self.members.values_mut() {
            if let Some(buffer) = &mut member.inputs {
                let held = buffer.take(self.tick, S::missing_input);
                self.inputs.push((member.player, held.input));
                let delay = f32::from(held.view_delay) / VIEW_DELAY_UNITS as f32;
                self.view_delays.push(delay.min(self.config.rewind_ticks_max as f32));
            }
        }
        self.take_bot_inputs();
    }

    /// The room's clock, by which the earliness of inputs is judged. Before the first step it
    /// stands at `now`.
    fn clock(&self, now: Instant) -> DueClock {
        let period = Duration::from_secs(1) / S::TICK_HZ;
        DueClock { tick: self.tick, due: self.due.unwrap_or(now), period }
    }
}

impl<S: Simulation> std::fmt::Debug for Room<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (tick, members) = (self.tick, self.members.len());
        let name = &self.listing.name;
        write!(f, "Room({name:?} at tick {}, {members} members)", tick.0)
    }
}
