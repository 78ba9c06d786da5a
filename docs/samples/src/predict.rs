//! The tutorial's prediction.

use tickwire_shared::EntityId;
use tickwire_shared::predict::{Around, Made, Predict};

use crate::tag::{Keys, Runner, Tag, run};

// ANCHOR: predict
impl Predict for Tag {
    /// The entity has all that a tick of running needs.
    type Own = Runner;

    fn adopt(_id: EntityId, entity: &Runner, _before: Option<&Runner>) -> Option<Runner> {
        Some(*entity)
    }

    fn show(own: &Runner) -> Runner {
        *own
    }

    fn steer(own: &mut Runner, keys: Keys, _around: &Around<'_, Runner>, _made: &mut Made<Self>) {
        run(own, keys);
    }
}
// ANCHOR_END: predict
