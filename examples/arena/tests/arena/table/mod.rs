//! A room and one player with the whole client core, so many ticks away from each other.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use tickwire_client::session::Session;
use tickwire_server::config::RoomConfig;
use tickwire_server::room::{FromRoom, Room, ToRoom};
use tickwire_shared::control::{RequestId, ServerFrame, ServerRun, write_frame};
use tickwire_shared::input::InputCodec;
use tickwire_shared::simulation::schema_of;
use tickwire_shared::{PlayerId, Simulation, Tick};

pub(crate) const PERIOD: Duration = Duration::from_nanos(1_000_000_000 / 60);
pub(crate) const ME: PlayerId = PlayerId(1);

pub(crate) struct Table<S: Simulation> {
    pub(crate) room: Room<S>,
    pub(crate) session: Session,
    /// Ticks so far.
    pub(crate) tick: u32,
    pub(crate) ticks_per_frame: u32,
    /// No snapshot comes to the player.
    pub(crate) is_silent: bool,
    /// The player's program stands still: it takes nothing in and does nothing.
    pub(crate) is_suspended: bool,
    /// A frame comes before the snapshots that wait for it.
    pub(crate) is_frame_first: bool,
    /// Snapshots that came and were not taken in, oldest first.
    pub(crate) waiting: Vec<Vec<u8>>,
    /// The player's machine sleeps: its clock stands still, and nothing comes to it.
    pub(crate) is_asleep: bool,
    /// Ticks so far that its clock does not know of.
    slept: u32,
    zero: Instant,
    codec: InputCodec,
    /// Bytes of the control stream that came, or wait for the player's program.
    control: Vec<u8>,
    up: VecDeque<Vec<Vec<u8>>>,
    /// Snapshots, and what the room said on the control stream.
    down: VecDeque<(Vec<Vec<u8>>, Vec<u8>)>,
    up_ticks: usize,
    pub(crate) down_ticks: usize,
}

impl<S: Simulation> Table<S> {
    /// The player of `session` joins a room of this seed that has run to the tick `after`.
    pub(crate) fn join(
        mut session: Session,
        (seed, after): (u64, Tick),
        (up_ticks, down_ticks): (usize, usize),
    ) -> Self {
        let (zero, schema) = (Instant::now(), schema_of::<S>());
        let codec = InputCodec::new(&schema);
        let room = Room::new("table".to_owned(), seed, RoomConfig::default());
        let mut room = room.going_on_after(after);
        room.start_journal(0);
        take(
            &mut session,
            &ServerFrame::Welcome {
                server: "test".into(),
                player: ME,
                schema,
                resume: None,
                resume_grace_ms: 0,
                run: ServerRun::default(),
            },
        );
        let (player, name) = (ME, "Ann".to_owned());
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
        room.handle(zero, 0, join);
        while let Some(out) = room.poll() {
            if let FromRoom::Control { frame, .. } = out {
                take(&mut session, &frame);
            }
        }
        let (up, down) = (VecDeque::new(), VecDeque::new());
        Table {
            room,
            session,
            tick: 0,
            ticks_per_frame: 1,
            is_silent: false,
            is_suspended: false,
            is_frame_first: false,
            waiting: Vec::new(),
            control: Vec::new(),
            is_asleep: false,
            slept: 0,
            zero,
            codec,
            up,
            down,
            up_ticks,
            down_ticks,
        }
    }

    /// One tick of the room, and half a tick later, if one is due, a frame of the player, who holds `held`.
    pub(crate) fn advance(&mut self, held: &[i32]) {
        if self.is_asleep {
            self.slept += 1;
            self.up.clear();
            self.down.clear();
        } else {
            self.tick += 1;
        }
        let now = PERIOD * self.tick;
        let at = self.zero + now + PERIOD * self.slept;
        if self.up.len() > self.up_ticks {
            for bytes in self.up.pop_front().unwrap() {
                let datagram = self.codec.decode(&bytes).unwrap();
                self.room.handle(at, 0, ToRoom::Input { player: ME, at, datagram });
            }
        }
        self.room.step(at);
        let mut control = Vec::new();
        while let Some(out) = self.room.poll() {
            if let FromRoom::Control { frame, .. } = out {
                write_frame(&frame, &mut control);
            }
        }
        let snapshots = self.room.datagrams().map(|(_, bytes)| bytes.to_vec()).collect();
        self.down.push_back((snapshots, control));
        let frame = now + PERIOD / 2;
        if self.down.len() > self.down_ticks {
            let (came, control) = self.down.pop_front().unwrap();
            self.control.extend(control);
            self.waiting.extend(came.into_iter().filter(|_| !self.is_silent));
        }
        if self.is_asleep {
            return;
        }
        if self.is_suspended {
            self.up.push_back(Vec::new());
            return;
        }
        if !self.is_frame_first {
            self.take_waiting(frame);
        }
        if self.tick.is_multiple_of(self.ticks_per_frame) {
            self.session.hold(held);
            self.session.update(frame);
        }
        self.take_waiting(frame);
        self.up.push_back(std::iter::from_fn(|| self.session.poll_datagram()).collect());
    }

    fn take_waiting(&mut self, now: Duration) {
        for bytes in self.waiting.drain(..) {
            self.session.handle_datagram(now, &bytes);
        }
        self.session.handle_control(now, &std::mem::take(&mut self.control)).unwrap();
    }
}

fn take(session: &mut Session, frame: &ServerFrame) {
    let mut bytes = Vec::new();
    write_frame(frame, &mut bytes);
    session.handle_control(Duration::ZERO, &bytes).unwrap();
    session.take_control();
}
