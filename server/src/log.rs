//! The log: one line for each event, whatever text a peer sends, and no more lines than anyone can
//! read.
//!
//! Peers' text gets into the log in many ways: names, reasons, errors of libraries. So text is
//! escaped in the one place where every field is written, and lines are limited where every line
//! is.

use std::collections::HashMap;
use std::fmt::{self, Write};
use std::io::{self, IsTerminal as _};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use tracing::callsite::Identifier;
use tracing::field::Field;
use tracing::{Event, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt as _;
use tracing_subscriber::fmt::format::{Format, Writer, debug_fn};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::registry::LookupSpan;

use crate::token_bucket::TokenBucket;

/// Burst of lines, in seconds of the rate.
const BURST_S: f64 = 10.0;

/// Logs to standard error from now on, at most `lines_hz` lines a second from one place in the
/// code.
pub(crate) fn start(filter: EnvFilter, lines_hz: u32) {
    let is_terminal = io::stderr().is_terminal();
    let log = subscriber(filter, lines_hz, is_terminal, io::stderr);
    // Fails if the embedding program has a log of its own.
    let _ = tracing::subscriber::set_global_default(log);
}

fn subscriber(
    filter: EnvFilter,
    lines_hz: u32,
    is_terminal: bool,
    writer: impl for<'a> MakeWriter<'a> + Send + Sync + 'static,
) -> impl Subscriber + Send + Sync {
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(is_terminal)
        .with_writer(writer)
        // Whoever read the log may be gone: telling of it there would end the thread.
        .log_internal_errors(false)
        .fmt_fields(debug_fn(write_field).delimited(" "))
        .event_format(Lines { lines_hz, format: Format::default(), samples: Mutex::default() })
        .finish()
}

/// Writes one field of an event or a span.
fn write_field(writer: &mut Writer<'_>, field: &Field, value: &dyn fmt::Debug) -> fmt::Result {
    let mut harmless = Harmless(writer);
    match field.name() {
        "message" => write!(harmless, "{value:?}"),
        name => write!(harmless, "{name}={value:?}"),
    }
}

/// Escapes, in Rust's notation, all characters that could end a line, move the cursor or change the
/// direction of writing.
struct Harmless<W>(W);

impl<W: Write> Write for Harmless<W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for part in text.split_inclusive(is_harmful) {
            let harmful = part.chars().next_back().filter(|last| is_harmful(*last));
            let harmless = &part[..part.len() - harmful.map_or(0, char::len_utf8)];
            self.0.write_str(harmless)?;
            if let Some(harmful) = harmful {
                write!(self.0, "{}", harmful.escape_default())?;
            }
        }
        Ok(())
    }
}

/// `text` with all of that escaped.
pub(crate) fn harmless(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    // Writing to a string does not fail.
    let _ = Harmless(&mut written).write_str(text);
    written
}

fn is_harmful(letter: char) -> bool {
    let separates_lines = matches!(letter, '\u{2028}' | '\u{2029}');
    let turns_direction = matches!(letter, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    letter.is_control() || separates_lines || turns_direction
}

/// Writes events as `tracing` does, with a rate limit for each place in the code.
struct Lines {
    lines_hz: u32,
    format: Format,
    /// By the place in the code of their events.
    samples: Mutex<HashMap<Identifier, Sample>>,
}

impl<S, F> FormatEvent<S, F> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    F: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, F>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let left_out = match self.pass(event.metadata().callsite()) {
            Some(left_out) => left_out,
            None => return Ok(()),
        };
        if left_out > 0 {
            writeln!(writer, "{left_out} lines like the next one were left out")?;
        }
        self.format.format_event(context, writer, event)
    }
}

impl Lines {
    /// The number of events of this place left out since the last one written; `None` if this one
    /// is to be left out.
    fn pass(&self, place: Identifier) -> Option<u64> {
        if self.lines_hz == 0 {
            return Some(0);
        }
        let now = Instant::now();
        let mut samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        samples.entry(place).or_insert_with(|| Sample::new(self.lines_hz, now)).pass(now)
    }
}

/// The lines of one place.
struct Sample {
    lines: TokenBucket,
    left_out: u64,
}

impl Sample {
    fn new(lines_hz: u32, now: Instant) -> Self {
        let burst = f64::from(lines_hz) * BURST_S;
        Sample { lines: TokenBucket::new(burst, lines_hz, now), left_out: 0 }
    }

    fn pass(&mut self, now: Instant) -> Option<u64> {
        if !self.lines.take(now) {
            self.left_out += 1;
            return None;
        }
        Some(std::mem::take(&mut self.left_out))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;

    /// The logged bytes.
    #[derive(Clone, Default)]
    struct LoggedLines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for LoggedLines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(lines_hz: u32, log: impl FnOnce()) -> String {
        let kept = LoggedLines::default();
        let writer = kept.clone();
        let filter = EnvFilter::new("info");
        let subscriber = subscriber(filter, lines_hz, false, move || writer.clone());
        tracing::subscriber::with_default(subscriber, log);
        let bytes = kept.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    const EVIL: &str = "a\nb\r\x1b[2Jc\u{9b}31m\x07\u{8}\x7f\u{2028}\u{2029}\u{202e}d\u{2066}e\u{200f}\t\0\u{61c}f";

    #[test]
    fn no_text_of_a_peer_ends_a_line_or_reaches_the_terminal_raw() {
        let text = logged(10, || {
            let error = io::Error::other(EVIL);
            let wrapped: &(dyn std::error::Error + 'static) = &error;
            let span = tracing::info_span!("session", name = %EVIL);
            let _entered = span.enter();
            tracing::info!(display = %EVIL, debug = ?EVIL, plain = EVIL, "said {EVIL}");
            tracing::warn!(%error, "shown");
            tracing::warn!(error = wrapped, "given");
            tracing::error!("{EVIL}");
        });
        assert_eq!(text.lines().count(), 4, "{text:?}");
        assert!(!text.chars().any(|letter| letter != '\n' && is_harmful(letter)), "{text:?}");
        // Escaping loses no text.
        for part in
            ["said a\\nb\\r\\u{1b}[2Jc\\u{9b}31m", "display=a\\nb", "d\\u{2066}e", "\\u{61c}f"]
        {
            assert!(text.contains(part), "{part} is not in {text:?}");
        }
    }

    #[test]
    fn harmless_text_stays_as_it_is() {
        let text = logged(10, || tracing::info!(name = %"Zoë 語 \u{200c}ک", "hello"));
        assert!(text.ends_with("hello name=Zoë 語 \u{200c}ک\n"), "{text:?}");
    }

    #[test]
    fn a_flood_of_one_kind_is_sampled_and_says_nothing_of_others() {
        let text = logged(1, || {
            for _ in 0..100_000 {
                tracing::info!("knock");
            }
            tracing::info!("something else");
        });
        let knocks = text.lines().filter(|line| line.ends_with("knock")).count();
        assert!((10..1000).contains(&knocks), "{knocks}");
        assert!(text.contains("something else"), "{text}");
    }

    #[test]
    fn what_was_left_out_is_said_by_the_next_line_of_its_kind() {
        let start = Instant::now();
        let mut sample = Sample::new(2, start);
        assert_eq!((0..100).filter_map(|_| sample.pass(start)).count(), 20);
        assert_eq!(sample.pass(start + Duration::from_millis(400)), None);
        assert_eq!(sample.pass(start + Duration::from_millis(500)), Some(81));
        let much_later = start + Duration::from_secs(3600);
        assert_eq!((0..100).filter(|_| sample.pass(much_later).is_some()).count(), 20);
    }

    #[test]
    fn without_a_bound_every_line_is_written() {
        let text = logged(0, || (0..1000).for_each(|at| tracing::info!(at, "all")));
        assert_eq!(text.lines().count(), 1000);
    }
}
