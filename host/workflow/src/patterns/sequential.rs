//! Sequential: one agent after the other, each seeing the one before.
//!
//! An output passes its gates in order before the next agent sees it. Findings
//! of a gate, or of the schema, give the agent another try while it has one;
//! the new output passes all gates again, because a repair can break what was
//! whole.

use hotcell_runtime::task::{Finding, Output, Task, Verdict};

use crate::machine::{Action, Answer, Event, Outcome, Position, Run};
use crate::plan::Step;

/// The steps, in order; never empty in a checked plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sequential {
    /// The steps.
    pub steps: Vec<Step>,
}

impl Sequential {
    pub(crate) fn step(&self, run: &mut Run<'_>, event: Event) -> Vec<Action> {
        match (run.at.clone(), event) {
            (Position::Fresh, Event::Started) => self.begin(run, 0, None),
            (
                Position::Asked {
                    step,
                    attempt,
                    task,
                },
                Event::Answered {
                    step: s,
                    attempt: a,
                    answer,
                },
            ) if (step, attempt) == (s, a) => match answer {
                Answer::Output(output) => self.pass(run, step, attempt, 0, task, output),
                Answer::OffSchema(findings) => {
                    self.repair(run, step, attempt, "schema", task, findings)
                }
                Answer::Fault(fault) => {
                    let step = self.id(step);
                    run.finish(Outcome::Failure { step, fault })
                }
            },
            (
                Position::AtGate {
                    step,
                    attempt,
                    gate,
                    task,
                    output,
                },
                Event::Judged {
                    step: s,
                    attempt: a,
                    gate: g,
                    judgement,
                },
            ) if (step, attempt, gate) == (s, a, g) => {
                let name = self.gate(step, gate);
                match judgement {
                    Ok(Verdict::Pass) => self.pass(run, step, attempt, gate + 1, task, output),
                    Ok(Verdict::Repair(findings)) => {
                        self.repair(run, step, attempt, &name, task, findings)
                    }
                    Ok(Verdict::Reject(findings)) => {
                        let step = self.id(step);
                        run.finish(Outcome::ValidationFailed {
                            step,
                            gate: name,
                            findings,
                        })
                    }
                    // A validator that broke has not said yes.
                    Err(fault) => {
                        let step = format!("{}/{name}", self.id(step));
                        run.finish(Outcome::Failure { step, fault })
                    }
                }
            }
            _ => Vec::new(),
        }
    }

    /// The first try of a step.
    fn begin(&self, run: &mut Run<'_>, step: usize, previous: Option<String>) -> Vec<Action> {
        let kind = self
            .steps
            .get(step)
            .map(|s| s.kind.clone())
            .unwrap_or_default();
        let task = Task {
            id: run.task.clone(),
            kind,
            input: run.input.clone(),
            previous,
            findings: Vec::new(),
            iteration: 1,
        };
        ask(run, step, 1, task)
    }

    /// An output that has passed all gates before `gate`.
    fn pass(
        &self,
        run: &mut Run<'_>,
        step: usize,
        attempt: u32,
        gate: usize,
        task: Task,
        output: Output,
    ) -> Vec<Action> {
        let gates = self.steps.get(step).map_or(0, |s| s.gates.len());
        if gate < gates {
            let (task, output) = (task, output);
            run.at = Position::AtGate {
                step,
                attempt,
                gate,
                task: task.clone(),
                output: output.clone(),
            };
            return vec![Action::Judge {
                step,
                attempt,
                gate,
                task,
                output,
            }];
        }
        if step + 1 < self.steps.len() {
            return self.begin(run, step + 1, Some(output.value));
        }
        run.finish(Outcome::Success(output))
    }

    /// Another try with the findings, while there is one.
    fn repair(
        &self,
        run: &mut Run<'_>,
        step: usize,
        attempt: u32,
        gate: &str,
        mut task: Task,
        findings: Vec<Finding>,
    ) -> Vec<Action> {
        let repairs = self.steps.get(step).map_or(0, |s| s.repairs);
        if attempt > repairs {
            let (step, gate) = (self.id(step), gate.to_owned());
            return run.finish(Outcome::ValidationFailed {
                step,
                gate,
                findings,
            });
        }
        task.findings.extend(findings);
        task.iteration = attempt + 1;
        ask(run, step, attempt + 1, task)
    }

    fn id(&self, step: usize) -> String {
        self.steps
            .get(step)
            .map(|s| s.id.clone())
            .unwrap_or_default()
    }

    fn gate(&self, step: usize, gate: usize) -> String {
        self.steps
            .get(step)
            .and_then(|s| s.gates.get(gate))
            .cloned()
            .unwrap_or_default()
    }
}

fn ask(run: &mut Run<'_>, step: usize, attempt: u32, task: Task) -> Vec<Action> {
    run.at = Position::Asked {
        step,
        attempt,
        task: task.clone(),
    };
    vec![Action::Invoke {
        step,
        attempt,
        task,
    }]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::{Fault, step};
    use crate::plan::{Pattern, Plan};

    fn plan(steps: &[(&str, &[&str], u32)]) -> Plan {
        let steps = steps.iter().map(|(id, gates, repairs)| Step {
            id: (*id).to_owned(),
            agent: format!("{id}-agent"),
            kind: (*id).to_owned(),
            gates: gates.iter().map(|g| (*g).to_owned()).collect(),
            repairs: *repairs,
        });
        let pattern = Pattern::Sequential(Sequential {
            steps: steps.collect(),
        });
        Plan {
            name: "test".to_owned(),
            pattern,
        }
    }

    fn output(value: &str) -> Output {
        Output {
            value: value.to_owned(),
            ..Output::default()
        }
    }

    fn finding(code: &str) -> Finding {
        let text = |t: &str| t.to_owned();
        Finding {
            pointer: text("/x"),
            code: text(code),
            message: text("m"),
        }
    }

    fn answered(step: usize, attempt: u32, value: &str) -> Event {
        Event::Answered {
            step,
            attempt,
            answer: Answer::Output(output(value)),
        }
    }

    fn judged(step: usize, attempt: u32, gate: usize, verdict: Verdict) -> Event {
        Event::Judged {
            step,
            attempt,
            gate,
            judgement: Ok(verdict),
        }
    }

    /// A run as a person would tell it: one line for each action.
    fn tell(plan: &Plan, events: Vec<Event>) -> Vec<String> {
        let mut run = Run::new(plan, "t".to_owned(), "{}".to_owned());
        let mut lines = Vec::new();
        for event in std::iter::once(Event::Started).chain(events) {
            for action in step(&mut run, event) {
                lines.push(match action {
                    Action::Invoke {
                        step,
                        attempt,
                        task,
                    } => format!(
                        "invoke {step}.{attempt} previous={} findings={}",
                        task.previous.as_deref().unwrap_or("-"),
                        task.findings
                            .iter()
                            .map(|f| f.code.as_str())
                            .collect::<Vec<_>>()
                            .join(",")
                    ),
                    Action::Judge {
                        step,
                        attempt,
                        gate,
                        output,
                        ..
                    } => {
                        format!("judge {step}.{attempt} gate {gate}: {}", output.value)
                    }
                    Action::Finish(outcome) => match &outcome {
                        Outcome::Success(output) => format!("success {}", output.value),
                        Outcome::ValidationFailed { step, gate, .. } => {
                            format!("{} {step} {gate}", outcome.status())
                        }
                        Outcome::Failure { step, .. } => format!("{} {step}", outcome.status()),
                        Outcome::Cancelled => outcome.status().to_owned(),
                    },
                });
            }
        }
        lines
    }

    #[test]
    fn each_agent_sees_the_one_before() {
        let plan = plan(&[("a", &[], 0), ("b", &[], 0)]);
        assert_eq!(
            tell(&plan, vec![answered(0, 1, "1"), answered(1, 1, "2")]),
            [
                "invoke 0.1 previous=- findings=",
                "invoke 1.1 previous=1 findings=",
                "success 2"
            ]
        );
    }

    #[test]
    fn a_repair_gives_one_more_try_and_passes_all_gates_again() {
        let plan = plan(&[("a", &["g", "h"], 1)]);
        let events = vec![
            answered(0, 1, "1"),
            judged(0, 1, 0, Verdict::Pass),
            judged(0, 1, 1, Verdict::Repair(vec![finding("odd")])),
            answered(0, 2, "2"),
            judged(0, 2, 0, Verdict::Pass),
            judged(0, 2, 1, Verdict::Pass),
        ];
        assert_eq!(
            tell(&plan, events),
            [
                "invoke 0.1 previous=- findings=",
                "judge 0.1 gate 0: 1",
                "judge 0.1 gate 1: 1",
                "invoke 0.2 previous=- findings=odd",
                "judge 0.2 gate 0: 2",
                "judge 0.2 gate 1: 2",
                "success 2"
            ]
        );
    }

    #[test]
    fn the_last_try_is_the_last() {
        let plan = plan(&[("a", &["g"], 1)]);
        let repair = |attempt| judged(0, attempt, 0, Verdict::Repair(vec![finding("odd")]));
        let events = vec![
            answered(0, 1, "1"),
            repair(1),
            answered(0, 2, "2"),
            repair(2),
        ];
        assert_eq!(tell(&plan, events).last().unwrap(), "validation_failed a g");
    }

    #[test]
    fn a_rejection_leaves_no_other_try() {
        let plan = plan(&[("a", &["g"], 3), ("b", &[], 0)]);
        let events = vec![
            answered(0, 1, "1"),
            judged(0, 1, 0, Verdict::Reject(Vec::new())),
        ];
        assert_eq!(tell(&plan, events).last().unwrap(), "validation_failed a g");
    }

    #[test]
    fn an_answer_off_its_schema_is_repaired_like_a_finding() {
        let plan = plan(&[("a", &[], 1)]);
        let off = |attempt| Event::Answered {
            step: 0,
            attempt,
            answer: Answer::OffSchema(vec![finding("schema")]),
        };
        assert_eq!(
            tell(&plan, vec![off(1), answered(0, 2, "2")]),
            [
                "invoke 0.1 previous=- findings=",
                "invoke 0.2 previous=- findings=schema",
                "success 2"
            ]
        );
        assert_eq!(
            tell(&plan, vec![off(1), off(2)]).last().unwrap(),
            "validation_failed a schema"
        );
    }

    #[test]
    fn a_broken_validator_keeps_the_gate_shut() {
        let plan = plan(&[("a", &["g"], 1)]);
        let fault = Fault {
            code: "trap",
            message: "m".to_owned(),
        };
        let broken = Event::Judged {
            step: 0,
            attempt: 1,
            gate: 0,
            judgement: Err(fault),
        };
        assert_eq!(
            tell(&plan, vec![answered(0, 1, "1"), broken])
                .last()
                .unwrap(),
            "failure a/g"
        );
    }

    #[test]
    fn a_deadline_is_a_timeout_and_any_other_fault_a_failure() {
        let plan = plan(&[("a", &[], 0)]);
        let fault = |code| {
            let fault = Fault {
                code,
                message: String::new(),
            };
            Event::Answered {
                step: 0,
                attempt: 1,
                answer: Answer::Fault(fault),
            }
        };
        assert_eq!(
            tell(&plan, vec![fault("deadline")]).last().unwrap(),
            "timeout a"
        );
        assert_eq!(
            tell(&plan, vec![fault("trap")]).last().unwrap(),
            "failure a"
        );
    }

    #[test]
    fn events_that_do_not_fit_change_nothing() {
        let plan = plan(&[("a", &["g"], 1)]);
        let events = vec![
            Event::Started,
            answered(1, 1, "x"),
            answered(0, 2, "x"),
            judged(0, 1, 0, Verdict::Pass),
            answered(0, 1, "1"),
            answered(0, 1, "x"),
            judged(0, 1, 1, Verdict::Pass),
            Event::Cancelled,
            Event::Cancelled,
            judged(0, 1, 0, Verdict::Pass),
        ];
        assert_eq!(
            tell(&plan, events),
            [
                "invoke 0.1 previous=- findings=",
                "judge 0.1 gate 0: 1",
                "cancelled"
            ]
        );
    }
}
