//! Progress of a chore, for the person who waits for it.

use std::time::Instant;

/// Counts the steps of a chore and the seconds since it began.
pub(crate) struct Progress {
    began: Instant,
    steps: usize,
    step: usize,
}

impl Progress {
    pub(crate) fn new(steps: usize) -> Progress {
        Progress { began: Instant::now(), steps, step: 0 }
    }

    /// Prints the step that begins now.
    pub(crate) fn step(&mut self, about: &str) {
        println!("{}", self.next(about));
    }

    fn next(&mut self, about: &str) -> String {
        self.step += 1;
        let seconds = self.began.elapsed().as_secs();
        format!("\n[{}/{}, after {seconds} s] {about}", self.step, self.steps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_counted_up_to_the_last() {
        let mut progress = Progress::new(2);
        assert!(progress.next("one").contains("[1/2, after "));
        assert!(progress.next("two").ends_with(" s] two"));
    }
}
