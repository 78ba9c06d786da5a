//! A program whose output is shown as it comes, and whose last lines are kept for the report.

use std::collections::VecDeque;
use std::error::Error;
use std::fmt;
use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// Lines kept of a program that failed. A test runner names its failures at its end.
const KEPT_LINES: usize = 60;
/// How long to read on after the program has ended: a process that it left behind may hold its
/// output open for ever, or write to it.
const AFTER_END: Duration = Duration::from_secs(2);
/// How long to wait for a line before the program is looked at.
const LINE_TIME: Duration = Duration::from_millis(500);

/// A program that ended with an error, and the last lines that it wrote.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) reason: String,
    /// At most 60 lines of both outputs, in the order of their arrival, each with its line feed.
    pub(crate) last_lines: String,
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl Error for Failed {}

/// Runs the program to its end and copies both of its outputs to this program's. Returns its status
/// and its last lines.
pub(crate) fn run(command: &mut Command) -> io::Result<(ExitStatus, String)> {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let (lines, arrived) = channel();
    copy_outputs(&mut child, lines);
    let waiter = thread::spawn(move || child.wait());
    let mut kept = VecDeque::new();
    let mut keep = |line| {
        if kept.len() == KEPT_LINES {
            kept.pop_front();
        }
        kept.push_back(line);
    };
    // Ends when both outputs do, or soon after the program.
    let mut ended_at = None;
    loop {
        match arrived.recv_timeout(LINE_TIME) {
            Ok(line) => keep(line),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        let is_over = waiter.is_finished();
        if is_over && ended_at.get_or_insert_with(Instant::now).elapsed() >= AFTER_END {
            break;
        }
    }
    let status = waiter.join().expect("a wait does not panic")?;
    Ok((status, String::from_utf8_lossy(&Vec::from(kept).concat()).into_owned()))
}

fn copy_outputs(child: &mut Child, lines: Sender<Vec<u8>>) {
    if let Some(output) = child.stdout.take() {
        copy(output, io::stdout(), lines.clone());
    }
    if let Some(errors) = child.stderr.take() {
        copy(errors, io::stderr(), lines);
    }
}

fn copy(
    from: impl Read + Send + 'static,
    mut to: impl Write + Send + 'static,
    lines: Sender<Vec<u8>>,
) {
    thread::spawn(move || {
        let mut from = BufReader::new(from);
        let mut line = Vec::new();
        while from.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            // A reader of this program's output that went away stops nothing.
            let _ = to.write_all(&line).and_then(|()| to.flush());
            let _ = lines.send(std::mem::take(&mut line));
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> (ExitStatus, String) {
        run(Command::new("sh").args(["-c", script])).unwrap()
    }

    #[test]
    fn the_last_lines_are_kept() {
        let (status, last) = shell("seq 100; exit 3");
        assert_eq!(status.code(), Some(3));
        assert_eq!(last.lines().count(), KEPT_LINES);
        assert!(last.starts_with("41\n") && last.ends_with("100\n"), "{last}");
    }

    #[test]
    fn the_lines_of_both_outputs_are_kept() {
        let (_, last) = shell("echo out; echo oh >&2");
        // Two pipes have no order between them.
        let mut lines: Vec<&str> = last.lines().collect();
        lines.sort_unstable();
        assert_eq!(lines, ["oh", "out"]);
    }

    #[test]
    fn a_process_left_behind_holds_nothing_up() {
        let (status, last) = shell("sleep 600 & echo $!");
        assert!(status.success());
        let left = last.trim().parse::<u32>().unwrap();
        Command::new("kill").arg(left.to_string()).status().unwrap();
    }

    #[test]
    fn a_process_left_behind_that_writes_holds_nothing_up() {
        let (status, last) =
            shell("for i in $(seq 60); do echo line; sleep 1; done & echo \"left $!\"");
        assert!(status.success());
        let left = last.lines().find_map(|line| line.strip_prefix("left ")).unwrap();
        let killed = Command::new("kill").arg(left).status().unwrap();
        assert!(killed.success(), "it had ended by then");
    }
}
