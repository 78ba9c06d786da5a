//! What happened once by the player's doing: told at once, and taken back if the server has no such thing.

use std::collections::VecDeque;

use tickwire_shared::Tick;
use tickwire_shared::replica::Event;
use tickwire_shared::schema::{FieldSchema, FieldType, KindSchema};

use super::PredictionStats;
use super::rules::LaneRecord;

/// The server's may be of a tick so far off.
const WINDOW_TICKS: i32 = 12;
/// Effects at once; more are left to the server.
const EFFECTS_MAX: usize = 256;

/// What the caller is told of a predicted event.
#[derive(Clone, Debug, PartialEq)]
pub enum PredictedEventOutcome {
    /// It happened, by this client's reckoning.
    Predicted(Event),
    /// The server knows of no such thing.
    Cancelled(Event),
}

/// The predicted events of the last ticks.
#[derive(Debug)]
pub(super) struct PredictedEvents {
    list: Vec<PredictedEvent>,
    /// By kind and lane: whether two that are the same have the same in it.
    exact: Vec<Vec<bool>>,
    told: VecDeque<PredictedEventOutcome>,
}

#[derive(Debug)]
struct PredictedEvent {
    event: Event,
    confirmed: bool,
    /// By the last replay, or it was no part of it.
    made: bool,
}

impl PredictedEvents {
    pub(super) fn new(kinds: &[KindSchema]) -> Self {
        let exact = |kind: &KindSchema| {
            let of = |field: &FieldSchema| {
                let optional = std::iter::repeat_n(true, usize::from(field.values.is_optional()));
                let values = field.lanes() - optional.len();
                optional.chain(std::iter::repeat_n(is_exact(field.ty), values))
            };
            kind.fields.iter().flat_map(of).collect()
        };
        let exact = kinds.iter().map(exact).collect();
        PredictedEvents { list: Vec::new(), exact, told: VecDeque::new() }
    }

    /// What is to be told next.
    pub(super) fn poll(&mut self) -> Option<PredictedEventOutcome> {
        self.told.pop_front()
    }

    /// The ticks after `from` are stepped anew from now on.
    pub(super) fn begin_replay(&mut self, from: Tick) {
        for effect in &mut self.list {
            effect.made = effect.event.tick.since(from) <= 0;
        }
    }

    /// `tick` was stepped, for the first time or again, and made `events`.
    pub(super) fn stepped(
        &mut self,
        tick: Tick,
        events: Vec<LaneRecord>,
        stats: &mut PredictionStats,
    ) {
        for (kind, lanes) in events {
            let event = Event { tick, kind, lanes };
            // What a replay lost may be made by the first ticks after it.
            if let Some(known) = self.find(&event, |effect| !effect.made) {
                known.made = true;
                known.event.tick = tick;
            } else if self.list.len() < EFFECTS_MAX {
                stats.events += 1;
                self.told.push_back(PredictedEventOutcome::Predicted(event.clone()));
                self.list.push(PredictedEvent { event, confirmed: false, made: true });
            }
        }
    }

    /// The server told of `event`. Returns whether it was told before, by prediction.
    pub(super) fn confirm(&mut self, event: &Event, stats: &mut PredictionStats) -> bool {
        let known = self.find(event, |effect| !effect.confirmed);
        stats.events_confirmed += u64::from(known.is_some());
        known.map(|effect| effect.confirmed = true).is_some()
    }

    /// All that happened up to `tick` is known.
    pub(super) fn reconcile(&mut self, tick: Tick, stats: &mut PredictionStats) {
        self.list.retain(|effect| {
            let is_open = tick.since(effect.event.tick) < WINDOW_TICKS;
            if !is_open && !effect.confirmed {
                stats.events_cancelled += 1;
                self.told.push_back(PredictedEventOutcome::Cancelled(effect.event.clone()));
            }
            is_open
        });
    }

    /// The nearest in time that is the same as `event`, of those that `may` be.
    fn find(
        &mut self,
        event: &Event,
        may: impl Fn(&PredictedEvent) -> bool,
    ) -> Option<&mut PredictedEvent> {
        let exact = self.exact.get(usize::from(event.kind))?;
        let is_same = |other: &Event| {
            let lanes = other.lanes.iter().zip(&event.lanes).zip(exact);
            other.kind == event.kind && lanes.into_iter().all(|((a, b), exact)| a == b || !exact)
        };
        let off = |effect: &PredictedEvent| effect.event.tick.since(event.tick).abs();
        let fits = |effect: &&mut PredictedEvent| {
            may(effect) && is_same(&effect.event) && off(effect) < WINDOW_TICKS
        };
        self.list.iter_mut().filter(fits).min_by_key(|effect| off(effect))
    }
}

/// Places and the like differ by what was not predicted exactly; who and what do not.
const fn is_exact(ty: FieldType) -> bool {
    use FieldType::{Bool, Choice, Int, Text};
    matches!(ty, Bool | Int { .. } | Choice { .. } | Text { .. })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Someone took something somewhere: who, and where.
    fn effects() -> PredictedEvents {
        let who = FieldSchema::new("who", FieldType::Int { min: 0, max: 255 });
        let place = FieldType::Float { min: -100.0, max: 100.0, step: 0.5 };
        let fields = vec![who, FieldSchema::new("place", place)];
        PredictedEvents::new(&[KindSchema::new("Taken", fields)])
    }

    fn event(tick: u32, who: i32, place: i32) -> Event {
        Event { tick: Tick(tick), kind: 0, lanes: vec![who, place] }
    }

    fn step(effects: &mut PredictedEvents, tick: u32, made: &[(i32, i32)]) {
        let made = made.iter().map(|&(who, place)| (0, vec![who, place])).collect();
        effects.stepped(Tick(tick), made, &mut PredictionStats::default());
    }

    fn told(effects: &mut PredictedEvents) -> Vec<PredictedEventOutcome> {
        std::iter::from_fn(|| effects.poll()).collect()
    }

    #[test]
    fn it_is_told_once_whatever_the_server_and_replays_say_of_it() {
        let (mut effects, mut stats) = (effects(), PredictionStats::default());
        step(&mut effects, 100, &[(1, 40)]);
        assert_eq!(told(&mut effects), [PredictedEventOutcome::Predicted(event(100, 1, 40))]);
        // A correction puts it a tick later, and back.
        for tick in [101, 100] {
            effects.begin_replay(Tick(95));
            step(&mut effects, tick, &[(1, 41)]);
        }
        assert!(!effects.confirm(&event(99, 2, 40), &mut stats), "someone else did");
        assert!(effects.confirm(&event(99, 1, 42), &mut stats), "the place may differ");
        assert!(!effects.confirm(&event(99, 1, 42), &mut stats), "it happened twice");
        effects.begin_replay(Tick(95));
        step(&mut effects, 100, &[(1, 40)]);
        effects.reconcile(Tick(200), &mut stats);
        assert_eq!(told(&mut effects), []);
        assert_eq!((stats.events_confirmed, stats.events_cancelled), (1, 0));
    }

    #[test]
    fn a_correction_that_moves_it_past_the_newest_tick_does_not_tell_it_again() {
        let mut effects = effects();
        step(&mut effects, 110, &[(1, 40)]);
        assert_eq!(told(&mut effects).len(), 1);
        effects.begin_replay(Tick(105));
        for tick in 106..=110 {
            step(&mut effects, tick, &[]);
        }
        step(&mut effects, 111, &[(1, 40)]);
        assert_eq!(told(&mut effects), []);
        step(&mut effects, 112, &[(1, 40)]);
        assert_eq!(
            told(&mut effects),
            [PredictedEventOutcome::Predicted(event(112, 1, 40))],
            "another one"
        );
    }

    #[test]
    fn what_the_server_does_not_have_is_taken_back_once() {
        let (mut effects, mut stats) = (effects(), PredictionStats::default());
        step(&mut effects, 100, &[(1, 40), (1, 60)]);
        told(&mut effects);
        assert!(effects.confirm(&event(104, 1, 40), &mut stats));
        for tick in 100..111 {
            effects.reconcile(Tick(tick), &mut stats);
            assert_eq!(told(&mut effects), [], "{tick}");
        }
        effects.reconcile(Tick(112), &mut stats);
        effects.reconcile(Tick(113), &mut stats);
        assert_eq!(told(&mut effects), [PredictedEventOutcome::Cancelled(event(100, 1, 60))]);
        assert_eq!(stats.events_cancelled, 1);
    }
}
