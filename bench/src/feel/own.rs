//! The feel of the own ship.

use std::time::Duration;

use tickwire_client::session::RoomSession;
use tickwire_client::session::prediction::{Prediction, PredictionStats};
use tickwire_shared::schema::KindSchema;
use tickwire_shared::{EntityId, PlayerId};

use super::game::{Flown, heading_lane};

/// Figures of inputs and corrections.
#[derive(Debug, Default)]
pub(crate) struct OwnShip {
    /// Corrections that moved the ship by more than [`Flown::SEEN_UNITS`].
    pub(crate) corrections: u64,
    /// Seconds from each of them until the ship was shown within that distance of its true place.
    pub(crate) faded_s: Vec<f64>,
    /// Frames from each turn of the helm to the first frame that showed it, without the frame of
    /// the input.
    pub(crate) extra_frames: Vec<f64>,
    /// As of the last frame.
    pub(crate) stats: PredictionStats,
    /// As of the start of the measurement.
    pub(crate) stats_before: Option<PredictionStats>,
    corrections_seen: u64,
    correcting_since: Option<Duration>,
    heading: Option<f64>,
    turning: Option<u32>,
    was_turning: bool,
}

impl OwnShip {
    /// Notes whether the helm is turned before the next frame.
    pub(crate) fn turn(&mut self, is_turning: bool) {
        if is_turning && !self.was_turning {
            self.turning = Some(0);
        } else if !is_turning {
            self.turning = None;
        }
        self.was_turning = is_turning;
    }

    /// Handles a snapshot's correction.
    pub(crate) fn corrected<G: Flown>(
        &mut self,
        now: Duration,
        prediction: &Prediction,
        is_counted: bool,
    ) {
        let corrections = prediction.stats().corrections;
        if corrections == self.corrections_seen {
            return;
        }
        self.corrections_seen = corrections;
        if distance::<G>(prediction.last_correction()) > G::SEEN_UNITS && is_counted {
            self.corrections += 1;
            self.correcting_since = Some(now);
        }
    }

    /// Handles a drawn frame, with a ship of this kind.
    pub(crate) fn look<G: Flown>(
        &mut self,
        now: Duration,
        room: &RoomSession,
        (me, kind): (PlayerId, &KindSchema),
        is_counted: bool,
    ) {
        let Some(prediction) = room.prediction() else { return };
        self.stats = prediction.stats();
        if is_counted {
            self.stats_before.get_or_insert(self.stats);
        }
        if let Some(since) = self.correcting_since
            && distance::<G>(prediction.visible_error()) <= G::SEEN_UNITS
        {
            self.faded_s.push(now.saturating_sub(since).as_secs_f64());
            self.correcting_since = None;
        }
        let (mut heading, lane) = (None, heading_lane::<G>(kind));
        room.for_each_shown(|shown| {
            if shown.id == EntityId::of_player(me) && prediction.entity() == Some(shown.id) {
                heading = Some(shown.lanes[lane]);
            }
        });
        match (self.turning, self.heading, heading) {
            (Some(frames), Some(before), Some(now)) if before == now => {
                self.turning = Some(frames + 1);
            }
            (Some(frames), Some(_), Some(_)) => {
                if is_counted {
                    self.extra_frames.push(f64::from(frames));
                }
                self.turning = None;
            }
            _ => self.turning = None,
        }
        self.heading = heading;
    }
}

/// The length of an error or a correction of a place, in units.
fn distance<G: Flown>(lanes: &[f64]) -> f64 {
    let squares = lanes.iter().take(G::AXES).map(|lane| lane * lane);
    squares.sum::<f64>().sqrt() * G::PLACE_STEP
}
