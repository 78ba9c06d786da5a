//! What the system counts of this process: Linux' `/proc`.

use std::collections::BTreeMap;
use std::fs;

/// Threads of different names; more are counted together.
const NAMES_MAX: usize = 32;

/// What the system counts of this process. Nothing where there is no `/proc`.
#[derive(Debug, Default)]
pub(super) struct ProcessSample {
    /// Seconds of processor time of the threads of each name.
    pub(super) thread_cpu_s: BTreeMap<String, f64>,
    /// Of all threads, those that have ended included.
    pub(super) cpu_s: Option<f64>,
    pub(super) resident_bytes: Option<u64>,
    pub(super) open_files: Option<u64>,
}

impl ProcessSample {
    /// Takes it now.
    pub(super) fn take() -> Self {
        let hz = rustix::param::clock_ticks_per_second() as f64;
        let mut thread_cpu_s = BTreeMap::new();
        for thread in fs::read_dir("/proc/self/task").into_iter().flatten().flatten() {
            let Ok(stat) = fs::read_to_string(thread.path().join("stat")) else { continue };
            let Some((name, ticks)) = name_and_ticks(&stat) else { continue };
            let is_new = !thread_cpu_s.contains_key(name);
            let name = if is_new && thread_cpu_s.len() >= NAMES_MAX { "other" } else { name };
            *thread_cpu_s.entry(name.to_owned()).or_default() += ticks as f64 / hz;
        }
        let whole = fs::read_to_string("/proc/self/stat").ok();
        let pages = fs::read_to_string("/proc/self/statm").ok();
        let pages = pages.and_then(|it| it.split(' ').nth(1)?.parse::<u64>().ok());
        let files = fs::read_dir("/proc/self/fd").ok();
        ProcessSample {
            thread_cpu_s,
            cpu_s: whole.and_then(|it| name_and_ticks(&it).map(|(_, ticks)| ticks as f64 / hz)),
            resident_bytes: pages.map(|pages| pages * rustix::param::page_size() as u64),
            open_files: files.map(|files| files.count() as u64),
        }
    }
}

/// The name, and the sum of user and system time in ticks of the clock, of a line of `stat` (proc_pid_stat(5), fields 2, 14
/// and 15). A name may have spaces and brackets.
fn name_and_ticks(stat: &str) -> Option<(&str, u64)> {
    let (head, rest) = stat.rsplit_once(") ")?;
    let (_, name) = head.split_once(" (")?;
    let mut times = rest.split(' ').skip(11).map(str::parse::<u64>);
    Some((name, times.next()?.ok()? + times.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_whatever_the_name() {
        let rest = "S 1 1 1 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 1 0 1000 0 0";
        for name in ["net", "a b", "x) (y", ""] {
            let stat = format!("12 ({name}) {rest}");
            assert_eq!(name_and_ticks(&stat), Some((name, 300)), "{name}");
        }
        for wrong in ["", "12", "12 (net)", "12 (net) S 1", "12 net) S"] {
            assert_eq!(name_and_ticks(wrong), None, "{wrong}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_has_threads_memory_and_files() {
        let sample = ProcessSample::take();
        assert!(!sample.thread_cpu_s.is_empty());
        assert!(sample.cpu_s.is_some());
        assert!(sample.resident_bytes.unwrap() > 100_000);
        assert!(sample.open_files.unwrap() > 2);
    }
}
