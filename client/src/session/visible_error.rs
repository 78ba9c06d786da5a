//! What was shown wrong goes on being shown for a moment: the difference is added to what is right, and fades.

use std::time::Duration;

use super::interpolation::KindBlend;

/// How fast errors fade, from frame to frame.
#[derive(Debug)]
pub(super) struct ErrorFade {
    /// Time constant of the fading, in seconds.
    time_s: f64,
    faded: Duration,
}

/// What is added to the lanes of an entity where they are shown.
#[derive(Debug, Default)]
pub(super) struct VisibleError {
    lanes: Vec<f64>,
}

impl ErrorFade {
    /// An error is an `e`th of itself after `time_s` seconds.
    pub(super) fn new(time_s: f64) -> Self {
        ErrorFade { time_s, faded: Duration::ZERO }
    }

    /// What is left at `now` of an error of the last frame, 0 to 1.
    pub(super) fn next(&mut self, now: Duration) -> f64 {
        let passed = now.saturating_sub(self.faded).as_secs_f64();
        self.faded = now;
        (-passed / self.time_s).exp()
    }
}

impl VisibleError {
    /// In the lanes of the entity.
    pub(super) fn lanes(&self) -> &[f64] {
        &self.lanes
    }

    /// Keeps the `left` part of it.
    pub(super) fn fade(&mut self, left: f64) {
        self.lanes.iter_mut().for_each(|error| *error *= left);
    }

    /// What was seen where `before` is goes on being seen there, though it is where `now` is: from now on that is the
    /// error. Nothing for lanes that are not blended, and for those farther away than a blend may hide.
    pub(super) fn hide(&mut self, blend: &KindBlend, before: &[f64], now: &[f64]) {
        blend.error(before, now, &mut self.lanes);
    }

    /// Nothing is shown wrong.
    pub(super) fn clear(&mut self) {
        self.lanes.clear();
    }

    /// Adds it to what is right.
    pub(super) fn add_to(&self, shown: &mut [f64]) {
        for (shown, error) in shown.iter_mut().zip(&self.lanes) {
            *shown += error;
        }
    }
}
