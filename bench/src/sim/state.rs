//! The state of a run: the server, its clients, and what was true.

use super::client::SimClient;
use super::process::Process;
use super::schedule::Plan;
use super::truth::Truth;

/// All that is checked of a run.
pub(crate) struct SimState {
    pub(crate) plan: Plan,
    pub(crate) process: Process,
    pub(crate) clients: Vec<SimClient>,
    pub(crate) truth: Truth,
    pub(crate) now_ms: u64,
}

impl SimState {
    pub(crate) fn new(plan: Plan) -> anyhow::Result<Self> {
        let process = Process::start(plan.seed)?;
        let clients = (0..plan.clients).map(|number| SimClient::new(&plan, number)).collect();
        Ok(SimState { plan, process, clients, truth: Truth::default(), now_ms: 0 })
    }
}
