//! What all runs together came to.

use hotcell_broker::Capability;
use hotcell_workflow::engine::{Attempt, Report};
use serde::Serialize;

#[derive(Default, Serialize)]
pub(crate) struct Totals {
    pub(crate) records: u64,
    pub(crate) success: u64,
    /// Something optional is missing. No success.
    pub(crate) partial_success: u64,
    /// Something stood in for a step. No success.
    pub(crate) fallback: u64,
    pub(crate) validation_failed: u64,
    pub(crate) pending_human_review: u64,
    pub(crate) budget_exceeded: u64,
    pub(crate) timeout: u64,
    pub(crate) failure: u64,
    pub(crate) cancelled: u64,
    pub(crate) running: u64,
    /// A human was asked and has not answered.
    pub(crate) waiting: u64,
    pub(crate) in_doubt: u64,
    pub(crate) interrupted: u64,
    pub(crate) diverged: u64,
    /// Tries after findings about the one before.
    pub(crate) repairs: u64,
    /// Tries after one that came to nothing.
    pub(crate) retries: u64,
    pub(crate) llm_calls: u64,
    pub(crate) llm_errors: u64,
    pub(crate) tool_calls: u64,
    pub(crate) http_requests: u64,
    pub(crate) input_tokens: u64,
    pub(crate) output_tokens: u64,
    /// True when some provider did not report usage.
    pub(crate) tokens_estimated: bool,
    pub(crate) cost_micros: u64,
    pub(crate) cells: u64,
    pub(crate) concurrency: usize,
    pub(crate) compiled: u64,
    pub(crate) wall_micros: u64,
}

impl Totals {
    /// Runs that came to an end of their own.
    pub(crate) fn finished(&self) -> u64 {
        let ends = [
            self.success,
            self.partial_success,
            self.fallback,
            self.validation_failed,
            self.pending_human_review,
            self.budget_exceeded,
            self.timeout,
            self.failure,
        ];
        ends.into_iter().sum()
    }

    /// Runs that have not ended.
    pub(crate) fn unfinished(&self) -> u64 {
        self.running + self.waiting + self.in_doubt + self.interrupted + self.diverged
    }

    /// Where runs with this status are counted.
    fn of(&mut self, status: &str) -> &mut u64 {
        match status {
            "success" => &mut self.success,
            "partial_success" => &mut self.partial_success,
            "fallback" => &mut self.fallback,
            "validation_failed" => &mut self.validation_failed,
            "pending_human_review" => &mut self.pending_human_review,
            "budget_exceeded" => &mut self.budget_exceeded,
            "timeout" => &mut self.timeout,
            "cancelled" => &mut self.cancelled,
            "running" => &mut self.running,
            "waiting" => &mut self.waiting,
            "in_doubt" => &mut self.in_doubt,
            "interrupted" => &mut self.interrupted,
            "diverged" => &mut self.diverged,
            _ => &mut self.failure,
        }
    }

    /// Adds one run.
    pub(super) fn add(&mut self, report: &Report) {
        *self.of(report.status) += 1;
        for attempt in report.attempts.iter().filter(|it| it.attempt > 1) {
            match followed_findings(report, attempt) {
                true => self.repairs += 1,
                false => self.retries += 1,
            }
        }
        self.cells += report.records.cells.len() as u64;
        for effect in &report.records.effects {
            match effect.capability {
                Capability::Llm => {
                    self.llm_calls += 1;
                    self.llm_errors += u64::from(effect.outcome != "ok");
                    self.input_tokens += effect.usage.input_tokens;
                    self.output_tokens += effect.usage.output_tokens;
                    self.tokens_estimated |= effect.usage_estimated;
                    self.cost_micros += effect.cost_micros;
                }
                Capability::Tools => self.tool_calls += 1,
                Capability::Http => self.http_requests += 1,
                // One record for each folder that a cell looked into: nothing to add up.
                Capability::Files => {}
                // Not offered, so nobody has used them.
                Capability::Memory
                | Capability::Delegate
                | Capability::Approval
                | Capability::Secrets => {}
            }
        }
    }
}

/// Whether a try was made because of what was found in the one before: that one
/// had an output.
fn followed_findings(report: &Report, attempt: &Attempt) -> bool {
    let before = |it: &&Attempt| it.step == attempt.step && it.attempt + 1 == attempt.attempt;
    let before = report.attempts.iter().find(before);
    before.is_some_and(|it| matches!(it.outcome.as_str(), "ok" | "off-schema"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_is_counted_once_and_only_success_is_one() {
        let ended = [
            "success",
            "partial_success",
            "fallback",
            "validation_failed",
            "pending_human_review",
            "budget_exceeded",
            "timeout",
            "failure",
        ];
        let open = ["running", "waiting", "in_doubt", "interrupted", "diverged"];
        let mut totals = Totals::default();
        for status in ended.iter().chain(&open).chain(&["cancelled"]) {
            *totals.of(status) += 1;
        }
        assert_eq!((totals.finished(), totals.unfinished()), (8, 5));
        assert_eq!((totals.success, totals.cancelled), (1, 1));
        let values = serde_json::to_value(&totals).unwrap_or_default();
        for status in ended.iter().chain(&open) {
            assert_eq!(values[status], 1, "{status}");
        }
    }
}
