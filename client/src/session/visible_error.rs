//! Fading of visible errors: the difference to what was shown wrong is added to what is right, and
//! fades.

use std::time::Duration;

use super::interpolation::KindBlend;

/// The fading of errors from frame to frame.
#[derive(Debug)]
pub(super) struct ErrorFade {
    /// Time constant of the fading, in seconds.
    time_s: f64,
    faded: Duration,
}

/// The difference added to the shown lanes of an entity.
#[derive(Debug, Default)]
pub(super) struct VisibleError {
    lanes: Vec<f64>,
}

impl ErrorFade {
    /// Fades an error to an `e`th of itself in `time_s` seconds.
    pub(super) fn new(time_s: f64) -> Self {
        ErrorFade { time_s, faded: Duration::ZERO }
    }

    /// The part, 0 to 1, that is left at `now` of the last frame's error.
    pub(super) fn next(&mut self, now: Duration) -> f64 {
        let passed = now.saturating_sub(self.faded).as_secs_f64();
        self.faded = now;
        (-passed / self.time_s).exp()
    }
}

impl VisibleError {
    /// The error in the lanes of the entity.
    pub(super) fn lanes(&self) -> &[f64] {
        &self.lanes
    }

    /// Keeps the part `left` of the error.
    pub(super) fn fade(&mut self, left: f64) {
        self.lanes.iter_mut().for_each(|error| *error *= left);
    }

    /// Sets the error so that an entity that is at `now` is still shown at `before`. It is zero for
    /// lanes that do not blend, and for errors too large to hide.
    pub(super) fn hide(&mut self, blend: &KindBlend, before: &[f64], now: &[f64]) {
        blend.error(before, now, &mut self.lanes);
    }

    /// Removes the error.
    pub(super) fn clear(&mut self) {
        self.lanes.clear();
    }

    /// Adds the error to the true lanes.
    pub(super) fn add_to(&self, shown: &mut [f64]) {
        for (shown, error) in shown.iter_mut().zip(&self.lanes) {
            *shown += error;
        }
    }
}
