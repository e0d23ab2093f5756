//! From the report of a run to a trial. Pure.
//!
//! Whose output a step saw, and what it gives when nothing goes wrong, is not known
//! of somebody's own workflow: steps have no parents, trials no twins, and no error
//! propagation index is computed.

use hotcell_measure::trial::{Step, Trial};
use hotcell_workflow::engine::Report;

use super::arms::Contender;
use super::judge::Judge;
use super::tasks::Task;
use crate::agentarch::trial as shared;
use crate::wire::Assembly;

/// What is the same for all trials of an arm in a round.
pub(super) struct Seen<'a> {
    pub(super) arm: &'a Contender,
    pub(super) seed: u64,
    pub(super) judge: &'a Judge,
    /// Whether nobody waited for its models.
    pub(super) simulated: bool,
}

impl Seen<'_> {
    /// The trial that a run was.
    pub(super) fn trial(&self, task: &Task, report: &Report, assembly: &Assembly) -> Trial {
        let limit = self.arm.checked.workflow.plan.timeout_ms;
        let limit = limit.saturating_mul(1_000);
        // A run that would have taken too long had anybody waited has timed out.
        let late = self.simulated && report.latency_micros > limit;
        let timed_out = late || report.status == "timeout";
        let answer = report.output.clone().filter(|_| !timed_out);
        let fields = self.judge.right(&task.gold, answer.as_ref());
        let mut steps = shared::begun(report);
        for step in &mut steps {
            step.right = came_to_something(step);
        }
        let logs = assembly.models.iter().filter_map(|it| it.faults.as_ref());
        let injected: Vec<_> = logs.flat_map(|log| log.take(&report.task)).collect();
        let faults = shared::faults(&steps, &injected).into_iter();
        Trial {
            arm: self.arm.id.clone(),
            set: task.set.clone(),
            task: task.id.clone(),
            seed: self.seed,
            status: match timed_out {
                true => "timeout".to_owned(),
                false => report.status.to_owned(),
            },
            right: fields.values().all(|it| *it),
            similarity: shared::alike(self.judge.scored(&task.gold), answer.as_ref()),
            label: self.judge.label(&task.gold, answer.as_ref()),
            tools: None,
            fields,
            answer,
            steps,
            faults: faults.map(|(fault, _)| fault).collect(),
            cascade: None,
            spent: shared::spent(report),
            latency_micros: match timed_out {
                true => limit,
                false => report.latency_micros,
            },
            host_micros: report.wall_micros,
        }
    }
}

/// All that is known of whether a step is right.
fn came_to_something(step: &Step) -> bool {
    step.outcome == "ok"
}
