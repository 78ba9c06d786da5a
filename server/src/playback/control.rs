//! The controls of a shown replay, and how far it is.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

/// Speeds, in recorded ticks a tick.
const SPEED_MIN: f32 = 0.05;
const SPEED_MAX: f32 = 16.0;

/// What people asked for and what the room came to. The threads of reader, room and HTTP share it.
#[derive(Debug)]
pub(crate) struct PlaybackControl {
    room: String,
    tick_hz: u32,
    /// The tick before the first record.
    first_tick: u32,
    last_tick: AtomicU32,
    is_paused: AtomicBool,
    /// The bits of an `f32`.
    speed: AtomicU32,
    /// The number of seeks, then the tick of the last one.
    seek: AtomicU64,
    /// The number of the last seek that the room shows.
    seeks_shown: AtomicU32,
    tick: AtomicU32,
    failure: Mutex<Option<String>>,
    /// The reason why the journal cannot be read further.
    unreadable: Mutex<Option<String>>,
    is_over: AtomicBool,
}

/// The last seek.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seek {
    /// How many there were.
    pub(super) number: u32,
    pub(super) tick: u32,
}

/// The state of a shown replay, as its page has it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PlaybackView {
    room: String,
    tick_hz: u32,
    first_tick: u32,
    last_tick: u32,
    tick: u32,
    paused: bool,
    speed: f32,
    /// The reason why it stands still, or the first tick that differs from what was recorded.
    failure: Option<String>,
}

/// A change of a shown replay. What is not given stays.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlaybackWish {
    paused: Option<bool>,
    /// Recorded ticks a tick.
    speed: Option<f32>,
    /// The tick to go to.
    tick: Option<u32>,
}

/// A wish that cannot be.
#[derive(Debug, PartialEq, thiserror::Error)]
pub(crate) enum PlaybackError {
    #[error("a speed is {SPEED_MIN} to {SPEED_MAX}, and not {0}; give 1 for the game's own")]
    Speed(f32),
}

impl PlaybackControl {
    pub(super) fn new(room: &str, tick_hz: u32, first_tick: u32, last_tick: u32) -> Self {
        PlaybackControl {
            room: room.to_owned(),
            tick_hz,
            first_tick,
            last_tick: AtomicU32::new(last_tick),
            is_paused: AtomicBool::new(false),
            speed: AtomicU32::new(1.0_f32.to_bits()),
            seek: AtomicU64::new(u64::from(first_tick)),
            seeks_shown: AtomicU32::new(0),
            tick: AtomicU32::new(first_tick),
            failure: Mutex::new(None),
            unreadable: Mutex::new(None),
            is_over: AtomicBool::new(false),
        }
    }

    /// The state of the replay. While it goes to a tick, that is its tick.
    pub(crate) fn view(&self) -> PlaybackView {
        let seek = self.seek();
        let unreadable = text_of(&self.unreadable);
        let is_there =
            self.seeks_shown.load(Ordering::Relaxed) == seek.number || unreadable.is_some();
        let tick = if is_there { self.tick.load(Ordering::Relaxed) } else { seek.tick };
        PlaybackView {
            room: self.room.clone(),
            tick_hz: self.tick_hz,
            first_tick: self.first_tick,
            last_tick: self.last_tick.load(Ordering::Relaxed),
            tick,
            paused: self.is_paused.load(Ordering::Relaxed),
            speed: self.speed(),
            failure: text_of(&self.failure).or(unreadable),
        }
    }

    /// Takes a wish whole or not at all. A tick before the first or after the last one is that one.
    ///
    /// # Errors
    /// [`PlaybackError`], saying what is allowed.
    pub(crate) fn wish(&self, wish: &PlaybackWish) -> Result<(), PlaybackError> {
        if let Some(speed) = wish.speed {
            if !(SPEED_MIN..=SPEED_MAX).contains(&speed) {
                return Err(PlaybackError::Speed(speed));
            }
            self.speed.store(speed.to_bits(), Ordering::Relaxed);
        }
        if let Some(paused) = wish.paused {
            self.is_paused.store(paused, Ordering::Relaxed);
        }
        if let Some(tick) = wish.tick {
            let last = self.last_tick.load(Ordering::Relaxed);
            let tick = u64::from(tick.clamp(self.first_tick, last.max(self.first_tick)));
            let next = |seek: u64| Some((((seek >> 32) + 1) << 32) | tick);
            // The closure always gives a value.
            let _ = self.seek.fetch_update(Ordering::AcqRel, Ordering::Acquire, next);
        }
        Ok(())
    }

    /// Recorded ticks in a tick of the room; 0 while it is paused.
    pub(super) fn pace(&self) -> f32 {
        if self.is_paused.load(Ordering::Relaxed) { 0.0 } else { self.speed() }
    }

    fn speed(&self) -> f32 {
        f32::from_bits(self.speed.load(Ordering::Relaxed))
    }

    pub(super) fn seek(&self) -> Seek {
        let seek = self.seek.load(Ordering::Acquire);
        Seek { number: (seek >> 32) as u32, tick: seek as u32 }
    }

    /// The journal goes on to this tick.
    pub(super) fn reached(&self, tick: u32) {
        self.last_tick.fetch_max(tick, Ordering::Relaxed);
    }

    /// The room shows this tick, after that many seeks.
    pub(super) fn show(&self, (seeks, tick): (u32, u32), failure: Option<String>) {
        self.tick.store(tick, Ordering::Relaxed);
        self.seeks_shown.store(seeks, Ordering::Relaxed);
        let mut shown = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        if *shown != failure {
            *shown = failure;
        }
    }

    /// The reason why the journal cannot be read further, or none any more.
    pub(super) fn set_unreadable(&self, reason: Option<String>) {
        *self.unreadable.lock().unwrap_or_else(PoisonError::into_inner) = reason;
    }

    /// Nobody shows it any more.
    pub(super) fn end(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }
}

fn text_of(text: &Mutex<Option<String>>) -> Option<String> {
    text.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_is_taken_whole_or_not_at_all() {
        let control = PlaybackControl::new("a", 60, 10, 100);
        for speed in [0.0, -1.0, f32::NAN, f32::INFINITY, 17.0] {
            let wish = PlaybackWish { speed: Some(speed), paused: Some(true), tick: Some(50) };
            assert!(control.wish(&wish).is_err(), "{speed}");
        }
        assert_eq!((control.pace(), control.seek().number), (1.0, 0));
        let wish = PlaybackWish { speed: Some(2.0), paused: Some(false), tick: Some(50) };
        assert_eq!(control.wish(&wish), Ok(()));
        assert_eq!((control.pace(), control.seek()), (2.0, Seek { number: 1, tick: 50 }));
        let paused = PlaybackWish { paused: Some(true), ..PlaybackWish::default() };
        assert_eq!(control.wish(&paused), Ok(()));
        assert_eq!((control.pace(), control.speed()), (0.0, 2.0));
    }

    #[test]
    fn a_seek_is_told_before_it_is_shown() {
        let control = PlaybackControl::new("a", 60, 0, 100);
        control.show((0, 28), None);
        assert_eq!(control.view().tick, 28);
        control.wish(&PlaybackWish { tick: Some(60), ..PlaybackWish::default() }).unwrap();
        control.show((0, 29), None);
        assert_eq!(control.view().tick, 60, "its room has not come there yet");
        control.show((1, 61), None);
        assert_eq!(control.view().tick, 61);
    }

    #[test]
    fn a_seek_stays_within_the_journal() {
        let control = PlaybackControl::new("a", 60, 10, 100);
        for (asked, tick) in [(0, 10), (10, 10), (100, 100), (u32::MAX, 100)] {
            control.wish(&PlaybackWish { tick: Some(asked), ..PlaybackWish::default() }).unwrap();
            assert_eq!(control.seek().tick, tick);
        }
        control.reached(200);
        control.wish(&PlaybackWish { tick: Some(150), ..PlaybackWish::default() }).unwrap();
        assert_eq!(control.seek(), Seek { number: 5, tick: 150 });
    }
}
