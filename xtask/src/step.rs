//! Steps of a chore, run in turn, and their outcomes.

use std::time::{Duration, Instant};

use crate::install::Need;
use crate::repo::Repo;
use crate::shown::Failed;

/// One step: its name, its needs and its action.
pub(crate) struct Step {
    /// The name for `--step`.
    pub(crate) name: &'static str,
    /// The text of the heading.
    pub(crate) about: &'static str,
    /// Tools to install before the first step runs.
    pub(crate) needs: &'static [Need],
    /// The action.
    pub(crate) run: fn(&Repo) -> anyhow::Result<Outcome>,
}

impl Step {
    pub(crate) const fn new(
        name: &'static str,
        about: &'static str,
        needs: &'static [Need],
        run: fn(&Repo) -> anyhow::Result<Outcome>,
    ) -> Step {
        Step { name, about, needs, run }
    }
}

/// The outcome of a step that ran to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The step is a single check, and it holds.
    Passed,
    /// The step is a test runner with counts.
    Counted {
        /// Tests that passed.
        passed: u64,
        /// Tests that failed.
        failed: u64,
        /// The last lines of a runner whose tests failed.
        last_lines: String,
    },
    /// It could not run here, for a reason outside the repository. Counts as neither.
    NotRun(String),
}

/// The outcomes of all steps.
#[derive(Default)]
pub(crate) struct Report {
    rows: Vec<Row>,
}

struct Row {
    name: &'static str,
    took: Duration,
    result: Result<Outcome, Failure>,
}

/// A step that failed: the reason, and the last lines that its program wrote, if they are known.
struct Failure {
    reason: String,
    last_lines: String,
}

impl Report {
    /// Runs a step under its heading. `missing` names a need that could not be met.
    pub(crate) fn run(&mut self, repo: &Repo, step: &Step, missing: Option<&str>) {
        println!("\n=== {}: {}", step.name, step.about);
        let start = Instant::now();
        let result = match missing {
            Some(missing) => Err(Failure { reason: missing.to_owned(), last_lines: String::new() }),
            None => (step.run)(repo).map_err(|error| Failure {
                reason: format!("{error:#}"),
                last_lines: last_lines(&error),
            }),
        };
        match &result {
            Err(Failure { reason, .. }) => println!("=== {} failed: {reason}", step.name),
            Ok(Outcome::NotRun(reason)) => println!("=== {} not run: {reason}", step.name),
            Ok(_) => {}
        }
        let took = start.elapsed();
        // Before the table: a run that is stopped shows where its time went.
        println!("=== {} took {:.0} s", step.name, took.as_secs_f64());
        self.rows.push(Row { name: step.name, took, result });
    }

    /// Prints the end of each failed step's output again, the table and, last, the totals. Returns
    /// true if nothing failed.
    pub(crate) fn finish(&self) -> bool {
        for (name, last_lines) in self.failures() {
            println!("\n=== {name} failed; its last lines again:\n{last_lines}");
        }
        println!("\n{}", self.table());
        let (passed, failed) = self.totals();
        println!("{passed} passed, {failed} failed");
        failed == 0
    }

    fn failures(&self) -> impl Iterator<Item = (&str, &str)> {
        self.rows.iter().filter_map(|row| match &row.result {
            Err(Failure { last_lines, .. }) | Ok(Outcome::Counted { last_lines, .. }) => {
                (!last_lines.is_empty()).then_some((row.name, last_lines.as_str()))
            }
            Ok(_) => None,
        })
    }

    fn table(&self) -> String {
        let width = self.rows.iter().map(|row| row.name.len()).max().unwrap_or(0);
        let line = |row: &Row| {
            let seconds = row.took.as_secs_f64();
            format!("{:width$}  {seconds:7.1} s  {}\n", row.name, row.shown())
        };
        self.rows.iter().map(line).collect()
    }

    fn totals(&self) -> (u64, u64) {
        let counts = self.rows.iter().map(Row::counts);
        counts.fold((0, 0), |total, row| (total.0 + row.0, total.1 + row.1))
    }
}

impl Row {
    fn counts(&self) -> (u64, u64) {
        match self.result {
            Ok(Outcome::Passed) => (1, 0),
            Ok(Outcome::Counted { passed, failed, .. }) => (passed, failed),
            Ok(Outcome::NotRun(_)) => (0, 0),
            Err(_) => (0, 1),
        }
    }

    fn shown(&self) -> String {
        match &self.result {
            Ok(Outcome::Passed) => "ok".to_owned(),
            Ok(Outcome::Counted { passed, failed: 0, .. }) => format!("ok, {passed} tests"),
            Ok(Outcome::Counted { passed, failed, .. }) => {
                format!("FAILED, {failed} of {} tests", passed + failed)
            }
            Ok(Outcome::NotRun(reason)) => format!("not run: {reason}"),
            Err(Failure { reason, .. }) => {
                format!("FAILED: {}", reason.lines().next().unwrap_or_default())
            }
        }
    }
}

/// The last lines of the program whose failure the error is, or none.
pub(crate) fn last_lines(error: &anyhow::Error) -> String {
    error.downcast_ref().map(|failed: &Failed| failed.last_lines.clone()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use anyhow::bail;

    use super::*;

    fn counted(passed: u64, failed: u64) -> Outcome {
        Outcome::Counted { passed, failed, last_lines: String::new() }
    }

    fn step(name: &'static str, run: fn(&Repo) -> anyhow::Result<Outcome>) -> Step {
        Step::new(name, "a step of a test", &[], run)
    }

    #[test]
    fn the_totals_count_tests_and_steps_but_not_what_was_not_run() {
        let repo = Repo::find().unwrap();
        let mut report = Report::default();
        report.run(&repo, &step("one", |_| Ok(Outcome::Passed)), None);
        report.run(&repo, &step("many", |_| Ok(counted(40, 2))), None);
        report.run(&repo, &step("away", |_| Ok(Outcome::NotRun("no network".into()))), None);
        report.run(&repo, &step("wrong", |_| bail!("it broke\nin two lines")), None);
        report.run(&repo, &step("unmet", |_| Ok(Outcome::Passed)), Some("chromium is missing"));
        assert_eq!(report.totals(), (41, 4));
        assert!(!report.finish());

        let table = report.table();
        assert!(table.contains("FAILED, 2 of 42 tests"), "{table}");
        assert!(table.contains("FAILED: it broke\n"), "{table}");
        assert!(table.contains("not run: no network"), "{table}");
        assert!(table.contains("FAILED: chromium is missing"), "{table}");
    }

    #[test]
    fn the_end_of_a_failed_program_is_told_again_under_any_context() {
        let repo = Repo::find().unwrap();
        let mut report = Report::default();
        report.run(&repo, &step("good", |_| Ok(Outcome::Passed)), None);
        report.run(
            &repo,
            &step("wrong", |_| {
                let failed = Failed { reason: "ends".into(), last_lines: "why\n".into() };
                Err(anyhow::Error::from(failed).context("the package"))
            }),
            None,
        );
        assert_eq!(report.failures().collect::<Vec<_>>(), [("wrong", "why\n")]);
        assert!(report.table().contains("FAILED: the package: ends"), "{}", report.table());
    }

    #[test]
    fn nothing_failed_only_when_every_step_held() {
        let repo = Repo::find().unwrap();
        let mut report = Report::default();
        report.run(&repo, &step("one", |_| Ok(Outcome::Passed)), None);
        assert!(report.finish());
        report.run(&repo, &step("counted", |_| Ok(counted(9, 1))), None);
        assert!(!report.finish());
    }
}
