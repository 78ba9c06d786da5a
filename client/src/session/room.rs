//! A client's stay in one room.

use std::collections::BTreeMap;
use std::time::Duration;

use tickwire_shared::control::{Member, ServerFrame};
use tickwire_shared::input::InputHead;
use tickwire_shared::replica::{Departed, Entity, Event, Replica, SnapshotError};
use tickwire_shared::schema::{KindSchema, Schema};
use tickwire_shared::{GAP_TICKS_MAX, PlayerId, Tick};

use super::clock::ServerClock;
use super::extrapolated::{Extrapolated, FrameTime, Mode};
use super::fading_out::{FadingOut, ShownTicks};
use super::input::{InputQueue, Sampled};
use super::interpolation::{KindBlend, Shown};
use super::net_stats::NetStats;
use super::prediction::{KnownWorld, PredictedEventOutcome, Prediction, Rules};

/// Ticks sampled at once: one frame of a page that draws two a second. After a longer pause older ones
/// are skipped.
const CATCH_UP_TICKS_MAX: i32 = 30;
/// A clock that was set back by no more than so many ticks waits until it is there again.
const SET_BACK_TICKS_MAX: i32 = 16;
/// With no report on any input for so many snapshots, and a round trip, the input clock is set anew.
const UNREPORTED_SNAPSHOTS_MAX: u32 = 60;

/// The room as this client knows it.
#[derive(Debug)]
pub struct RoomSession {
    name: String,
    seat: u8,
    spectator: bool,
    host: Option<PlayerId>,
    members: BTreeMap<PlayerId, Member>,
    replica: Replica,
    blends: Vec<KindBlend>,
    clock: ServerClock,
    inputs: InputQueue,
    /// The room's tick and the time when the stay began.
    joined: (Tick, Duration),
    /// When anything of the world came last, or the stay began.
    heard_at: Duration,
    /// That was so long ago that ticks can no longer be told by their low bits: nothing of the world is taken in until
    /// the server lets it begin anew.
    is_lost: bool,
    due: bool,
    first_snapshot: Option<Tick>,
    snapshots: u64,
    unreported: u32,
    newest_at: Option<Duration>,
    shown: Option<f64>,
    /// What is shown ahead, in the same ticks.
    input_time: Option<f64>,
    events: Vec<KindSchema>,
    prediction: Option<Prediction>,
    /// The newest snapshot by which the prediction was corrected, and the newest, where some in between waited.
    unreconciled: Option<(Option<Tick>, Tick)>,
    keyframes: Keyframes,
    extrapolated: Extrapolated,
    fading_out: FadingOut,
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
            name: name.to_owned(),
            seat,
            spectator,
            host: None,
            members: BTreeMap::new(),
            replica: Replica::new(schema, seat).since(tick),
            blends: schema.entities.iter().map(KindBlend::new).collect(),
            clock: ServerClock::new(schema.tick_hz, now, tick),
            inputs: InputQueue::new(schema),
            joined: (tick, now),
            heard_at: now,
            is_lost: false,
            due: false,
            first_snapshot: None,
            snapshots: 0,
            unreported: 0,
            newest_at: None,
            shown: None,
            input_time: None,
            events: schema.events.clone(),
            prediction: None,
            unreconciled: None,
            keyframes: Keyframes::default(),
            extrapolated: Extrapolated::default(),
            fading_out: FadingOut::new(schema.tick_hz),
        }
    }

    /// The world begins anew, in another seat; everything else of the stay goes on.
    pub(super) fn begin_anew(&mut self, schema: &Schema, seat: u8, now: Duration, tick: Tick) {
        let stay = JoinedRoom { name: &self.name, spectator: self.spectator, seat, tick };
        let mut anew = RoomSession::new(schema, stay, now);
        anew.set_members(self.host, &[]);
        anew.members = std::mem::take(&mut self.members);
        anew.replica.go_on_from(&self.replica);
        anew.clock.go_on_from(&self.clock);
        *self = anew;
    }

    /// The room's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Watching only.
    pub fn is_spectator(&self) -> bool {
        self.spectator
    }

    /// Who may kick.
    pub fn host(&self) -> Option<PlayerId> {
        self.host
    }

    /// Everyone in the room, by number.
    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.members.values()
    }

    /// The world as received.
    pub fn replica(&self) -> &Replica {
        &self.replica
    }

    /// The estimate of the server's clock.
    pub fn clock(&self) -> &ServerClock {
        &self.clock
    }

    /// The tick shown since the last update, and how far it is towards the next; `None` before the first
    /// snapshot.
    pub fn shown_tick(&self) -> Option<(Tick, f64)> {
        let shown = self.shown?;
        Some((super::tick_at(self.clock.start(), shown), shown.rem_euclid(1.0)))
    }

    /// The same for entities of `kind` that the player neither steers nor made: later for a kind that is shown
    /// ahead.
    pub fn shown_tick_of(&self, kind: u8) -> Option<(Tick, f64)> {
        if !self.extrapolated.has_kind(kind) {
            return self.shown_tick();
        }
        let ticks = self.input_time?;
        Some((super::tick_at(self.clock.start(), ticks), ticks.rem_euclid(1.0)))
    }

    /// Calls `each` with every entity as it is to be shown since the last update. What left the view goes on for
    /// a fifth of a second; what left the world, until what is shown is as old.
    pub fn for_each_shown(&self, mut each: impl FnMut(Shown<'_>)) {
        let Some(times) = self.times() else { return };
        let mut blended = Vec::new();
        let prediction = self.prediction.as_ref();
        let spawns = prediction.map(Prediction::spawns);
        for entity in self.replica.entities() {
            let (id, kind, mine) = (entity.id, entity.kind, entity.mine);
            if spawns.is_some_and(|spawns| spawns.has(id)) {
                continue;
            }
            if let Some(lanes) = prediction.and_then(|own| own.shown(id)) {
                each(Shown { id, kind, mine: true, presence: 1.0, lanes });
                continue;
            }
            if let Some(lanes) = self.extrapolated.shown(id) {
                let ticks = self.extrapolated.ticks_shown(id, times.input_time).unwrap_or(0.0);
                let presence = self.fading_out.entered_ahead(ticks);
                each(Shown { id, kind, mine, presence, lanes });
                continue;
            }
            self.blends[usize::from(kind)].at(entity, times.start, times.shown, &mut blended);
            let presence = self.fading_out.entered(entity.first, times);
            each(Shown { id, kind, mine, presence, lanes: &blended });
        }
        self.fading_out.for_each(
            times,
            &self.replica,
            (&self.blends, &self.extrapolated),
            |entity, presence, lanes| {
                let Entity { id, kind, mine, .. } = *entity;
                each(Shown { id, kind, mine, presence, lanes });
            },
        );
        for spawn in spawns.into_iter().flat_map(|spawns| spawns.iter()) {
            let (id, kind) = (spawn.id, spawn.kind);
            if !spawn.shown.is_empty() {
                each(Shown { id, kind, mine: true, presence: 1.0, lanes: &spawn.shown });
            }
        }
    }

    fn times(&self) -> Option<ShownTicks> {
        let shown = self.shown?;
        Some(ShownTicks {
            start: self.clock.start(),
            shown,
            input_time: self.input_time.unwrap_or(shown),
        })
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
        self.clock.set_lossless(is_lossless);
    }

    /// Predicts by these rules from now on, or nothing.
    pub(super) fn predict(&mut self, rules: Option<Box<dyn Rules>>) {
        self.prediction =
            rules.filter(|_| !self.spectator).map(|rules| Prediction::new(rules, &self.events));
    }

    /// Shows entities of each kind by its mode from now on.
    pub(super) fn show_by(&mut self, modes: Vec<Mode>) {
        self.extrapolated = Extrapolated::new(modes);
    }

    pub(super) fn set_members(&mut self, host: Option<PlayerId>, members: &[Member]) {
        self.host = host;
        self.members = members.iter().map(|member| (member.player, member.clone())).collect();
    }

    pub(super) fn handle_presence(&mut self, frame: &ServerFrame) {
        match frame {
            ServerFrame::MemberJoined(member) => {
                self.members.insert(member.player, member.clone());
            }
            ServerFrame::MemberLeft { player, .. } => {
                self.members.remove(player);
            }
            ServerFrame::Host(host) => self.host = *host,
            _ => {}
        }
    }

    pub(super) fn handle_snapshot(
        &mut self,
        now: Duration,
        bytes: &[u8],
        stats: &mut NetStats,
    ) -> Result<Vec<Event>, SnapshotError> {
        self.notice_gap(now);
        if self.is_lost {
            return Err(SnapshotError::Late);
        }
        let before = self.replica.newest();
        let mut applied = self.replica.apply(bytes, self.about_now(now))?;
        self.heard_at = now;
        self.first_snapshot.get_or_insert(applied.tick);
        self.snapshots += 1;
        self.newest_at = Some(now);
        let waited = self.clock.snapshot(now, applied.tick);
        match applied.input {
            Some(report) => {
                let newest = applied.tick.offset(report.newest_ticks);
                if let Some(sent) = self.inputs.report(newest) {
                    self.unreported = 0;
                    self.clock.report(now, applied.tick, report, sent);
                } else {
                    self.unreported += u32::from(!waited);
                }
            }
            None => self.unreported += u32::from(!waited),
        }
        if self.unreported > UNREPORTED_SNAPSHOTS_MAX + self.clock.rtt_ticks() as u32 {
            self.unreported = 0;
            self.clock.lost(now, applied.tick);
        }
        stats.tick = applied.tick.0;
        self.see_off(applied.departed);
        if let Some(prediction) = &mut self.prediction {
            applied.events.retain(|event| !prediction.confirm(event));
        }
        if waited {
            // Of many the last one will do.
            let before = self.unreconciled.map_or(before, |(before, _)| before);
            self.unreconciled = Some((before, applied.tick));
        } else {
            self.reconcile(applied.tick);
        }
        Ok(applied.events)
    }

    /// Corrects what is predicted by the snapshot of `tick`, and by those that waited before it.
    fn reconcile(&mut self, tick: Tick) {
        let waited = self.unreconciled.take();
        let Some(prediction) = &mut self.prediction else { return };
        let known =
            KnownWorld { replica: &self.replica, inputs: &self.inputs, blends: &self.blends };
        // The last change of what is own may be in any of them.
        let before = waited.and_then(|(before, _)| before);
        let changed = prediction.own_tick(known.replica);
        let is_news = |changed: &Tick| before.is_some_and(|before| changed.since(before) > 0);
        prediction.reconcile(changed.filter(is_news).unwrap_or(tick), known);
    }

    /// What departed is still to be seen.
    fn see_off(&mut self, departed: Vec<Departed>) {
        for departed in departed {
            // What is predicted goes with the server's word: it was ahead of it.
            if self.prediction.is_none() || !departed.entity.mine {
                self.fading_out.add(departed, &self.replica, self.input_time.unwrap_or_default());
            }
        }
    }

    /// Takes a part of a keyframe.
    pub(super) fn handle_keyframe(
        &mut self,
        now: Duration,
        bytes: &[u8],
    ) -> Result<(), SnapshotError> {
        self.notice_gap(now);
        if self.is_lost {
            return Ok(());
        }
        let departed = self.replica.apply_keyframe(bytes, self.about_now(now))?.departed;
        self.heard_at = now;
        self.see_off(departed);
        let applied = self.keyframes.applied.unwrap_or(0).wrapping_add(1);
        self.keyframes = Keyframes { applied: Some(applied), datagrams: 0 };
        Ok(())
    }

    /// Where nothing came for long the clock tells that, and not what came last: then it is too late for that.
    fn notice_gap(&mut self, now: Duration) {
        let gap_ticks = self.clock.ticks_in(now.saturating_sub(self.heard_at));
        let has_any = self.replica.newest().is_some() || self.keyframes.applied.is_some();
        self.is_lost |= has_any && gap_ticks > f64::from(GAP_TICKS_MAX);
    }

    /// A tick of the room at about `now`, by the clock and the tick of the begin.
    fn about_now(&self, now: Duration) -> Tick {
        let (tick, at) = self.joined;
        super::tick_at(tick, self.clock.ticks_in(now.saturating_sub(at)))
    }

    /// What is to be told of predicted events.
    pub(super) fn poll_told(&mut self) -> Option<PredictedEventOutcome> {
        self.prediction.as_mut()?.poll_told()
    }

    /// Advances to `now`: samples `held` for each tick that is due, and steps what is predicted.
    pub(super) fn update(&mut self, now: Duration, held: &[i32]) {
        self.notice_gap(now);
        if let Some((_, tick)) = self.unreconciled {
            self.reconcile(tick);
        }
        self.sample(now, held);
        if let Some(prediction) = &mut self.prediction {
            let known =
                KnownWorld { replica: &self.replica, inputs: &self.inputs, blends: &self.blends };
            prediction.advance(known);
            prediction.show(now, self.clock.input_ticks(now).rem_euclid(1.0), held, known);
        }
        self.show_others(now);
    }

    /// What others own, once what is own is predicted.
    fn show_others(&mut self, now: Duration) {
        let ticks = self.clock.input_ticks(now);
        self.input_time = Some(ticks);
        let Some(times) = self.times() else { return };
        self.fading_out.advance(times, &self.replica, &self.extrapolated);
        let known =
            KnownWorld { replica: &self.replica, inputs: &self.inputs, blends: &self.blends };
        let own = self.prediction.as_ref();
        let is_own = |id| own.is_some_and(|own| own.entity() == Some(id) || own.spawns().has(id));
        let aim = FrameTime { now, start: self.clock.start(), ticks };
        self.extrapolated.show(aim, (known, &self.fading_out), own.map(Prediction::rules), is_own);
    }

    fn sample(&mut self, now: Duration, held: &[i32]) {
        self.shown = self.clock.show(now);
        self.clock.advance(now);
        let tick = self.clock.input_tick(now);
        let extrapolated = self.inputs.newest().map_or(1, |newest| tick.since(newest));
        if extrapolated <= 0 && extrapolated > -SET_BACK_TICKS_MAX {
            return;
        }
        self.due = true;
        // A clock that was set back far begins anew at its own tick, as one that was set ahead does.
        let first =
            if (1..=CATCH_UP_TICKS_MAX).contains(&extrapolated) { extrapolated - 1 } else { 0 };
        for back in (0..=first).rev() {
            let tick = tick.offset(-back);
            let extrapolated = f64::from(tick.since(self.clock.start()));
            let view_delay_ticks = self.shown.map_or(0.0, |shown| extrapolated - shown);
            let origin = self.clock.input_origin();
            self.inputs.push(Sampled { tick, at: now, origin, view_delay_ticks }, held);
        }
    }

    pub(super) fn poll_datagram(&mut self) -> Option<Vec<u8>> {
        if !std::mem::take(&mut self.due) {
            return None;
        }
        // Who is lost says that it has nothing, and is let begin anew.
        let ack = self.replica.ack().filter(|_| !self.is_lost);
        let (seat, keyframes) = (self.seat, self.keyframes.told());
        let head = InputHead { seat, ack, keyframes, ..InputHead::default() };
        if self.spectator {
            return Some(self.inputs.acknowledgement(head));
        }
        Some(self.inputs.datagram(head))
    }

    pub(super) fn fill_stats(&self, now: Duration, stats: &mut NetStats) {
        let age = self.newest_at.map_or(Duration::ZERO, |at| now.saturating_sub(at));
        stats.silence_ms = age.as_secs_f32() * 1000.0;
        stats.interpolation_ms = self.clock.delay_ms();
        stats.rtt_ms = self.clock.rtt_ms();
        stats.snapshot_age_ms = stats.silence_ms + stats.rtt_ms / 2.0;
        stats.jitter_ms = self.clock.jitter_ms();
        stats.input_margin_ms = self.clock.margin_ms();
        stats.snapshots = self.snapshots;
        if let Some(prediction) = &self.prediction {
            stats.corrections = prediction.stats().corrections;
            let error = prediction.visible_error().iter().take(2);
            stats.prediction_error = error.map(|error| error * error).sum::<f64>().sqrt() as f32;
        }
        if let (Some(first), Some(newest)) = (self.first_snapshot, self.replica.newest()) {
            stats.snapshots_missed = self.clock.missed();
            stats.snapshots_expected = newest.since(first) as u64 + 1;
        }
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

/// A keyframe is told of in so many datagrams.
const TOLD_ALWAYS: u32 = 60;
/// And then in one of so many.
const TOLD_EVERY: u32 = 16;
