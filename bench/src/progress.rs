//! The progress of a run: a bar on a terminal, elsewhere a line every few seconds.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Interval of lines without a terminal.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// The progress shown on standard error during a run.
pub(crate) struct Progress {
    bar: ProgressBar,
    /// Used without a terminal.
    lines: Option<Lines>,
}

/// Lines instead of a bar.
struct Lines {
    what: &'static str,
    length: u64,
    due: Instant,
}

impl Progress {
    /// Shows `length` steps; shows nothing if `silent`.
    pub(crate) fn new(what: &'static str, length: u64, silent: bool) -> Self {
        Progress::on(std::io::stderr().is_terminal(), what, length, silent)
    }

    fn on(is_terminal: bool, what: &'static str, length: u64, silent: bool) -> Self {
        let target = match is_terminal && !silent {
            true => ProgressDrawTarget::stderr(),
            false => ProgressDrawTarget::hidden(),
        };
        let bar = ProgressBar::with_draw_target(Some(length), target).with_prefix(what);
        let style = ProgressStyle::with_template("{prefix:>8} {wide_bar:.cyan} {pos}/{len} {msg}");
        bar.set_style(style.expect("the template is well formed"));
        let lines = (!is_terminal && !silent).then(|| Lines::new(what, length, Instant::now()));
        Progress { bar, lines }
    }

    /// Shows that `at` steps are done, with `message`.
    pub(crate) fn show(&mut self, at: u64, message: String) {
        let line = self.lines.as_mut().and_then(|lines| lines.line(at, &message, Instant::now()));
        if let Some(line) = line {
            eprintln!("{line}");
        }
        self.bar.set_position(at);
        self.bar.set_message(message);
    }

    /// Ends the display: a bar vanishes.
    pub(crate) fn finish(self) {
        self.bar.finish_and_clear();
    }
}

impl Lines {
    /// The first line is due at once.
    fn new(what: &'static str, length: u64, now: Instant) -> Self {
        Lines { what, length, due: now }
    }

    fn line(&mut self, at: u64, message: &str, now: Instant) -> Option<String> {
        if now < self.due {
            return None;
        }
        self.due = now + LINE_EVERY;
        let Lines { what, length, .. } = self;
        Some(format!("{what} {at}/{length} {message}").trim_end().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_terminal_a_line_comes_every_few_seconds() {
        let start = Instant::now();
        let mut lines = Lines::new("playing", 60, start);
        let said: Vec<String> = (0..60)
            .filter_map(|second| {
                lines.line(second, "12 alive", start + Duration::from_secs(second))
            })
            .collect();
        assert_eq!(said.len(), 12);
        assert_eq!(said[..2], ["playing 0/60 12 alive", "playing 5/60 12 alive"]);
        let mut silent = Lines::new("joining", 3, start);
        assert_eq!(silent.line(1, "", start).as_deref(), Some("joining 1/3"));
    }

    #[test]
    fn there_are_lines_only_without_a_terminal_and_unless_it_is_silent() {
        let has_lines =
            |is_terminal, silent| Progress::on(is_terminal, "playing", 60, silent).lines.is_some();
        assert_eq!([has_lines(false, false), has_lines(false, true)], [true, false]);
        assert_eq!([has_lines(true, false), has_lines(true, true)], [false, false]);
    }
}
