//! What a session predicts, and what it tells of that.

use tickwire_shared::predict::Predict;

use super::prediction::{self, Correction, Corrections, PredictedEventOutcome, RulesFor};
use super::room::RoomSession;
use super::{Session, SessionEvent};

impl Session {
    /// Predicts what the player steers in every room joined from now on, with the rules that
    /// `rules` makes for the server's schema. If it makes none, nothing is predicted.
    pub fn predict_by(&mut self, rules: RulesFor) {
        self.rules = Some(rules);
    }

    /// Predicts with the rules of a Rust game, if the server's inputs and entities equal the
    /// game's.
    pub fn predict<S: Predict>(&mut self) {
        self.predict_by(Box::new(|schema| {
            let rules = prediction::GameRules::<S>::for_server(schema)?;
            Some(Box::new(rules))
        }));
    }

    /// Stops predicting: what the player steers is shown as the server sent it.
    pub fn predict_nothing(&mut self) {
        self.rules = None;
        if let Some(room) = &mut self.room {
            room.predict(None, 0);
        }
    }

    /// Keeps the newest corrections of what is predicted, `count_max` of them, for [`Session::poll_correction`]; 0 for none, as
    /// by default. Beyond that the oldest are dropped.
    pub fn keep_corrections(&mut self, count_max: usize) {
        self.corrections = Corrections::up_to(count_max);
        if let Some(room) = &mut self.room {
            room.keep_corrections(count_max);
        }
    }

    /// The next correction that was kept, oldest first.
    pub fn poll_correction(&mut self) -> Option<Correction> {
        self.corrections.poll()
    }

    /// Takes over what the prediction has to tell.
    pub(super) fn tell_predicted(&mut self) {
        while let Some(told) = self.room.as_mut().and_then(RoomSession::poll_told) {
            self.tell(match told {
                PredictedEventOutcome::Predicted(event) => SessionEvent::Predicted(event),
                PredictedEventOutcome::Cancelled(event) => SessionEvent::Cancelled(event),
            });
        }
        while let Some(correction) = self.room.as_mut().and_then(RoomSession::poll_correction) {
            self.corrections.push(correction);
        }
    }
}
