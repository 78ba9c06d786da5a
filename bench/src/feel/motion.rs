//! The evenness of motion from frame to frame.

use std::collections::HashMap;

use tickwire_shared::EntityId;

/// Changes of velocity between two frames, of everything seen in three consecutive frames.
#[derive(Debug, Default)]
pub(crate) struct Motion {
    frame: u64,
    seen: HashMap<EntityId, Seen>,
    jumps: Vec<f64>,
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    frame: u64,
    pos: [f64; 3],
    /// Units a second; `None` in the first frame.
    vel: Option<[f64; 3]>,
}

impl Motion {
    /// Begins the next frame.
    pub(crate) fn begin_frame(&mut self) {
        self.frame += 1;
    }

    /// `id` is at `pos`, `passed_s` seconds after the last frame. Its jump counts if `is_counted`.
    pub(crate) fn see(&mut self, id: EntityId, pos: [f64; 3], passed_s: f64, is_counted: bool) {
        let before = self.seen.get(&id).filter(|seen| seen.frame + 1 == self.frame);
        let vel = before.map(|seen| [0, 1, 2].map(|axis| (pos[axis] - seen.pos[axis]) / passed_s));
        if let (Some(vel), Some(old)) = (vel, before.and_then(|seen| seen.vel))
            && is_counted
        {
            let jump = [0, 1, 2].map(|axis: usize| (vel[axis] - old[axis]).powi(2));
            self.jumps.push(jump.iter().sum::<f64>().sqrt());
        }
        self.seen.insert(id, Seen { frame: self.frame, pos, vel });
    }

    /// All jumps so far, in units a second.
    pub(crate) fn into_jumps(self) -> Vec<f64> {
        self.jumps
    }
}

/// The value that 99 % of `values` do not exceed; `None` for no values.
pub(crate) fn p99(mut values: Vec<f64>) -> Option<f64> {
    let at = (values.len() * 99 / 100).min(values.len().checked_sub(1)?);
    Some(*values.select_nth_unstable_by(at, f64::total_cmp).1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jumps(positions: &[Option<f64>]) -> Vec<f64> {
        let mut motion = Motion::default();
        for pos in positions {
            motion.begin_frame();
            if let Some(pos) = pos {
                motion.see(EntityId(1), [*pos, 0.0, 0.0], 0.5, true);
            }
        }
        motion.into_jumps()
    }

    #[test]
    fn even_motion_has_no_jumps_and_a_halt_has_two() {
        assert_eq!(jumps(&[0.0, 1.0, 2.0, 3.0].map(Some)), [0.0, 0.0]);
        assert_eq!(jumps(&[0.0, 1.0, 1.0, 3.0].map(Some)), [2.0, 4.0]);
    }

    #[test]
    fn what_was_away_for_a_frame_begins_anew() {
        assert_eq!(jumps(&[Some(0.0), Some(1.0), None, Some(50.0), Some(51.0), Some(52.0)]), [0.0]);
    }

    #[test]
    fn one_in_a_hundred_is_above_the_percentile() {
        assert_eq!(p99((0..200).map(f64::from).collect()), Some(198.0));
        assert_eq!(p99(Vec::new()), None);
    }
}
