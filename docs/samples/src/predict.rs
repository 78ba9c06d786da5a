//! The tutorial's prediction.

use tickwire::prelude::*;

use crate::tag::{Keys, Runner, Tag, run};

// ANCHOR: predict
impl PredictEntity for Tag {
    fn predict_step(runner: &mut Runner, keys: Keys, _tick: &mut PredictedStep<'_, Self>) {
        run(runner, keys);
    }
}
// ANCHOR_END: predict

// ANCHOR: web
tickwire::web_rules!(Tag);
// ANCHOR_END: web
