//! Makes a failing plan smaller: fewer faults, fewer clients, less time.

use super::schedule::Plan;

/// Runs that are tried at most.
const RUNS_MAX: u32 = 60;

/// The smallest plan found that fails in the same way, and its failure.
pub(crate) fn shrink(
    plan: &Plan,
    error: anyhow::Error,
    run: impl Fn(&Plan) -> anyhow::Result<u64>,
) -> (Plan, anyhow::Error) {
    let kind = kind_of(&error);
    let mut smallest = Smallest { plan: plan.clone(), error, kind, runs: 0, run };
    while smallest.without_faults() | smallest.with_fewer_clients() | smallest.in_less_time() {}
    (smallest.plan, smallest.error)
}

/// What went wrong, without its numbers and lists.
fn kind_of(error: &anyhow::Error) -> String {
    let told = error.root_cause().to_string();
    let words = told.split(['[', '{', '"']).next().unwrap_or_default();
    words.chars().filter(|letter| !letter.is_numeric()).collect()
}

struct Smallest<F> {
    plan: Plan,
    error: anyhow::Error,
    kind: String,
    runs: u32,
    run: F,
}

impl<F: Fn(&Plan) -> anyhow::Result<u64>> Smallest<F> {
    /// Takes `plan` if it fails in the same way.
    fn try_plan(&mut self, plan: Plan) -> bool {
        if self.runs >= RUNS_MAX || plan == self.plan {
            return false;
        }
        self.runs += 1;
        match (self.run)(&plan) {
            Err(error) if kind_of(&error) == self.kind => {
                (self.plan, self.error) = (plan, error);
                true
            }
            _ => false,
        }
    }

    /// Leaves out halves of the faults, then quarters, down to each one.
    fn without_faults(&mut self) -> bool {
        let mut is_smaller = false;
        let mut length = self.plan.faults.len();
        while length > 0 {
            let mut begin = 0;
            while begin < self.plan.faults.len() {
                let mut plan = self.plan.clone();
                let end = (begin + length).min(plan.faults.len());
                plan.faults.drain(begin..end);
                if self.try_plan(plan) {
                    is_smaller = true;
                } else {
                    begin += length;
                }
            }
            length /= 2;
        }
        is_smaller
    }

    fn with_fewer_clients(&mut self) -> bool {
        let clients = self.plan.clients;
        (1..clients).any(|clients| {
            let plan = Plan { clients, ..self.plan.clone() };
            self.try_plan(plan)
        })
    }

    fn in_less_time(&mut self) -> bool {
        let ends = self.plan.faults.iter().map(|it| it.fault.end_ms());
        let least_ms = ends.max().unwrap_or(0).max(1_000);
        let half_ms = self.plan.fault_ms.midpoint(least_ms);
        [least_ms, half_ms].into_iter().any(|fault_ms| {
            fault_ms < self.plan.fault_ms && self.try_plan(Plan { fault_ms, ..self.plan.clone() })
        })
    }
}

/// Whether the command of a plan gives the plan.
#[cfg(test)]
pub(crate) fn is_repeatable(plan: &Plan) -> bool {
    use super::schedule::PlanLimits;

    let only = Some(plan.faults.iter().map(|it| it.number).collect());
    let (clients, fault_ms) = (Some(plan.clients), Some(plan.fault_ms));
    Plan::of_seed(plan.seed, &PlanLimits { clients, fault_ms, only }) == *plan
}

#[cfg(test)]
mod tests {
    use anyhow::{Context as _, bail};

    use super::*;
    use crate::sim::schedule::PlanLimits;

    #[test]
    fn a_smaller_plan_fails_in_the_same_way() {
        let plan = Plan::of_seed(1, &PlanLimits::default());
        assert!(plan.faults.len() > 2 && plan.clients > 1);
        let (clients, faults) = (plan.clients, plan.faults.len());
        // With fewer clients another thing fails.
        let run = |plan: &Plan| {
            if plan.clients < clients {
                bail!("player 1 has no seat in tick 7");
            }
            Err::<u64, _>(anyhow::anyhow!("event {} comes after [1, 2]", plan.faults.len()))
                .context(format!("after {} ms", plan.fault_ms))
        };
        let error = run(&plan).unwrap_err();
        assert!(error.root_cause().to_string().contains(&faults.to_string()));
        let (small, error) = shrink(&plan, error, run);
        assert_eq!((small.clients, small.faults.len()), (clients, 0));
        assert!(format!("{error:#}").ends_with("event 0 comes after [1, 2]"), "{error:#}");
    }
}
