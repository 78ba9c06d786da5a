//! A client's stay in one room.

use std::time::Duration;

use tickwire_shared::control::{Member, ServerFrame};
use tickwire_shared::input::InputHead;
use tickwire_shared::replica::{Departed, Event, Replica, SnapshotError};
use tickwire_shared::schema::{KindSchema, Schema};
use tickwire_shared::{PlayerId, Tick};

use super::clock::ServerClock;
use super::extrapolated::Mode;
use super::input::InputQueue;
use super::interpolation::Shown;
use super::net_stats::NetStats;
use super::prediction::{Correction, PredictedEventOutcome, Prediction, Rules};
use super::presentation::Presentation;
use super::roster::Roster;
use super::timeline::Timeline;

/// Datagrams in a row that acknowledge a keyframe.
const TOLD_ALWAYS: u32 = 60;
/// After those, one datagram in this many acknowledges it.
const TOLD_EVERY: u32 = 16;

/// The room as this client knows it.
#[derive(Debug)]
pub struct RoomSession {
    roster: Roster,
    seat: u8,
    /// The kinds of event.
    events: Vec<KindSchema>,
    timeline: Timeline,
    inputs: InputQueue,
    replica: Replica,
    keyframes: Keyframes,
    prediction: Option<Prediction>,
    presentation: Presentation,
}

/// What the server says of a stay that begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct JoinedRoom<'a> {
    pub(super) name: &'a str,
    pub(super) spectator: bool,
    pub(super) seat: u8,
    /// The room's now.
    pub(super) tick: Tick,
}

/// The parts of keyframes that came.
#[derive(Clone, Copy, Debug, Default)]
struct Keyframes {
    /// Low 8 bits of their number; `None` before the first.
    applied: Option<u8>,
    /// Datagrams since the last one.
    datagrams: u32,
}

impl RoomSession {
    pub(super) fn new(schema: &Schema, stay: JoinedRoom<'_>, now: Duration) -> Self {
        let JoinedRoom { name, spectator, seat, tick } = stay;
        RoomSession {
            roster: Roster::new(name, spectator),
            seat,
            events: schema.events.clone(),
            timeline: Timeline::new(schema.tick_hz, now, tick),
            inputs: InputQueue::new(schema),
            replica: Replica::new(schema, seat).since(tick),
            keyframes: Keyframes::default(),
            prediction: None,
            presentation: Presentation::new(schema),
        }
    }

    /// The world begins anew, in another seat; everything else of the stay goes on.
    pub(super) fn begin_anew(&mut self, schema: &Schema, seat: u8, now: Duration, tick: Tick) {
        let Roster { room, is_spectator, .. } = &self.roster;
        let stay = JoinedRoom { name: room, spectator: *is_spectator, seat, tick };
        let mut anew = RoomSession::new(schema, stay, now);
        std::mem::swap(&mut anew.roster, &mut self.roster);
        anew.replica.go_on_from(&self.replica);
        anew.timeline.go_on_from(&self.timeline);
        *self = anew;
    }

    /// The room's name.
    pub fn name(&self) -> &str {
        &self.roster.room
    }

    /// Watching only.
    pub fn is_spectator(&self) -> bool {
        self.roster.is_spectator
    }

    /// Who may kick.
    pub fn host(&self) -> Option<PlayerId> {
        self.roster.host
    }

    /// Everyone in the room, by number.
    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.roster.members()
    }

    /// Whether the connection of a member was lost, and the server keeps its place for a while.
    pub fn is_away(&self, player: PlayerId) -> bool {
        self.roster.is_away(player)
    }

    /// The world as received.
    pub fn replica(&self) -> &Replica {
        &self.replica
    }

    /// The estimate of the server's clock.
    pub fn clock(&self) -> &ServerClock {
        self.timeline.clock()
    }

    /// The tick shown since the last update, and how far it is towards the next; `None` before the first
    /// snapshot.
    pub fn shown_tick(&self) -> Option<(Tick, f64)> {
        self.timeline.shown_tick(false)
    }

    /// The same for entities of `kind` that the player neither steers nor made: later for a kind that is shown
    /// ahead.
    pub fn shown_tick_of(&self, kind: u8) -> Option<(Tick, f64)> {
        self.timeline.shown_tick(self.presentation.is_ahead(kind))
    }

    /// Calls `each` with every entity as it is to be shown since the last update. What left the view goes on for
    /// a fifth of a second; what left the world, until what is shown is as old.
    pub fn for_each_shown(&self, each: impl FnMut(Shown<'_>)) {
        if let Some(times) = self.timeline.shown_ticks() {
            self.presentation.for_each(times, &self.replica, self.prediction.as_ref(), each);
        }
    }

    /// What the player steers, as far as it is predicted.
    pub fn prediction(&self) -> Option<&Prediction> {
        self.prediction.as_ref()
    }

    /// The newest tick that an input was sampled for.
    pub fn newest_input(&self) -> Option<Tick> {
        self.inputs.newest()
    }

    /// Whether the path loses nothing.
    pub(super) fn set_lossless(&mut self, is_lossless: bool) {
        self.timeline.set_lossless(is_lossless);
    }

    /// Predicts by these rules from now on, or nothing, and keeps the newest corrections.
    pub(super) fn predict(&mut self, rules: Option<Box<dyn Rules>>, corrections_max: usize) {
        let rules = rules.filter(|_| !self.is_spectator());
        self.prediction = rules.map(|rules| Prediction::new(rules, &self.events));
        self.keep_corrections(corrections_max);
    }

    /// Keeps the newest corrections of what is predicted.
    pub(super) fn keep_corrections(&mut self, count_max: usize) {
        if let Some(prediction) = &mut self.prediction {
            prediction.keep_corrections(count_max);
        }
    }

    /// The next correction that was kept.
    pub(super) fn poll_correction(&mut self) -> Option<Correction> {
        self.prediction.as_mut()?.poll_correction()
    }

    /// Shows entities of each kind by its mode from now on.
    pub(super) fn show_by(&mut self, modes: Vec<Mode>) {
        self.presentation.show_by(modes);
    }

    pub(super) fn set_members(&mut self, host: Option<PlayerId>, members: &[Member]) {
        self.roster.set_members(host, members);
    }

    pub(super) fn handle_presence(&mut self, frame: &ServerFrame) {
        self.roster.handle(frame);
    }

    pub(super) fn handle_snapshot(
        &mut self,
        now: Duration,
        bytes: &[u8],
        stats: &mut NetStats,
    ) -> Result<Vec<Event>, SnapshotError> {
        if self.is_lost(now) {
            return Err(SnapshotError::Late);
        }
        let before = self.replica.newest();
        let mut applied = self.replica.apply(bytes, self.timeline.about_now(now))?;
        let tick = applied.tick;
        let report = applied.input.and_then(|report| {
            let sent = self.inputs.report(tick.offset(report.newest_ticks))?;
            Some((report, sent))
        });
        let waited = self.timeline.snapshot(now, tick, report);
        stats.tick = tick.0;
        self.see_off(applied.departed);
        if let Some(prediction) = &mut self.prediction {
            applied.events.retain(|event| !prediction.confirm(event));
            let known = self.presentation.known(&self.replica, &self.inputs);
            prediction.snapshot((before, tick), waited, known);
        }
        Ok(applied.events)
    }

    /// Takes a part of a keyframe.
    pub(super) fn handle_keyframe(
        &mut self,
        now: Duration,
        bytes: &[u8],
    ) -> Result<(), SnapshotError> {
        if self.is_lost(now) {
            return Ok(());
        }
        let about_now = self.timeline.about_now(now);
        let departed = self.replica.apply_keyframe(bytes, about_now)?.departed;
        self.timeline.heard(now);
        self.see_off(departed);
        let applied = self.keyframes.applied.unwrap_or(0).wrapping_add(1);
        self.keyframes = Keyframes { applied: Some(applied), datagrams: 0 };
        Ok(())
    }

    /// What is to be told of predicted events.
    pub(super) fn poll_told(&mut self) -> Option<PredictedEventOutcome> {
        self.prediction.as_mut()?.poll_told()
    }

    /// Advances to `now`: samples `held` for each tick that is due, steps what is predicted, and brings everything else
    /// to where it is to be shown.
    pub(super) fn update(&mut self, now: Duration, held: &[i32]) {
        self.is_lost(now);
        if let Some(prediction) = &mut self.prediction {
            prediction.reconcile_waiting(self.presentation.known(&self.replica, &self.inputs));
        }
        self.timeline.advance(now);
        self.inputs.sample(now, &self.timeline, held);
        if let Some(prediction) = &mut self.prediction {
            let known = self.presentation.known(&self.replica, &self.inputs);
            prediction.advance(known);
            let part = self.timeline.clock().input_ticks(now).rem_euclid(1.0);
            prediction.show(now, part, held, known);
        }
        self.timeline.advance_input_time(now);
        if let Some(times) = self.timeline.shown_ticks() {
            let known = (&self.replica, &self.inputs);
            self.presentation.advance((now, times), known, self.prediction.as_ref());
        }
    }

    pub(super) fn poll_datagram(&mut self) -> Option<Vec<u8>> {
        if !self.inputs.take_due() {
            return None;
        }
        // Who is lost says that it has nothing, and is let begin anew.
        let ack = self.replica.ack().filter(|_| !self.timeline.was_lost());
        let (seat, keyframes) = (self.seat, self.keyframes.told());
        let head = InputHead { seat, ack, keyframes, ..InputHead::default() };
        if self.is_spectator() {
            return Some(self.inputs.acknowledgement(head));
        }
        Some(self.inputs.datagram(head))
    }

    pub(super) fn fill_stats(&self, now: Duration, stats: &mut NetStats) {
        self.timeline.fill_stats(now, self.replica.newest(), stats);
        if let Some(prediction) = &self.prediction {
            stats.corrections = prediction.stats().corrections;
            let error = prediction.visible_error().iter().take(2);
            stats.prediction_error = error.map(|error| error * error).sum::<f64>().sqrt() as f32;
        }
    }

    /// What departed is still to be seen.
    fn see_off(&mut self, departed: Vec<Departed>) {
        for departed in departed {
            // What is predicted goes with the server's word: it was ahead of it.
            if self.prediction.is_none() || !departed.entity.mine {
                let input_time = self.timeline.input_time();
                self.presentation.see_off(departed, &self.replica, input_time);
            }
        }
    }

    /// Whether nothing of the world is taken in until the server lets it begin anew.
    fn is_lost(&mut self, now: Duration) -> bool {
        let has_any = self.replica.newest().is_some() || self.keyframes.applied.is_some();
        self.timeline.is_lost(now, has_any)
    }
}

impl Keyframes {
    /// What the next datagram says of them: each for a second or so, then now and then, for datagrams are
    /// lost.
    fn told(&mut self) -> Option<u8> {
        self.datagrams = self.datagrams.wrapping_add(1);
        let told = self.datagrams <= TOLD_ALWAYS || self.datagrams.is_multiple_of(TOLD_EVERY);
        self.applied.filter(|_| told)
    }
}
