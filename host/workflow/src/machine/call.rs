//! One agent call with everything around it that is a decision: retries, gates,
//! repairs. Bulkhead, breaker and cell are the engine's, in this order inside of
//! a try.

use hotcell_runtime::task::{Finding, Output, Verdict};

use super::event::{Action, Answer, Ask, Fault, Path};
use super::outcome::Stop;
use crate::plan::Call;

/// Where a call is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CallRun {
    /// As it is asked now; repairs add findings.
    ask: Ask,
    /// Which try this is, from 1: retries and repairs count alike.
    pub(crate) attempt: u32,
    retries: u32,
    repairs: u32,
    since_ms: u64,
    at: At,
}

#[derive(Clone, Debug, PartialEq)]
enum At {
    Asked,
    Gate { gate: usize, output: Output },
    Waiting,
}

/// What follows.
pub(crate) enum Next {
    /// The call goes on.
    Do(Action),
    /// It is over.
    Over(Result<Output, Stop>),
    /// The event did not fit.
    Nothing,
}

impl CallRun {
    pub(crate) fn begin(ask: Ask, at_ms: u64) -> CallRun {
        CallRun {
            ask,
            attempt: 1,
            retries: 0,
            repairs: 0,
            since_ms: at_ms,
            at: At::Asked,
        }
    }

    /// The action that the call waits for first.
    pub(crate) fn invoke(&self, path: &Path, call: &Call) -> Action {
        Action::Invoke {
            path: path.clone(),
            attempt: self.attempt,
            agent: call.agent.clone(),
            ask: self.ask.clone(),
            timeout_ms: call.timeout_ms,
            breaker: call.breaker,
        }
    }

    /// A try ended. `draw` is any number.
    pub(crate) fn answered(
        &mut self,
        path: &Path,
        call: &Call,
        attempt: u32,
        answer: Answer,
        at_ms: u64,
        draw: u64,
    ) -> Next {
        if self.at != At::Asked || attempt != self.attempt {
            return Next::Nothing;
        }
        match answer {
            Answer::Output(output) => self.pass(path, call, 0, output),
            Answer::Decision(decision) => match serde_json::to_string(&decision) {
                Ok(value) => Next::Over(Ok(Output {
                    value,
                    ..Output::default()
                })),
                Err(error) => {
                    let fault = Fault::new("host", error.to_string());
                    Next::Over(Err(Stop::fault(path, fault)))
                }
            },
            Answer::OffSchema(findings) => self.repair(path, call, "schema", findings),
            Answer::Fault(fault) => {
                let since = at_ms.saturating_sub(self.since_ms);
                let after = fault.retry_after_ms;
                let wait = call
                    .retry
                    .wait(&fault.code, self.retries, since, after, draw);
                let Some(ms) = wait else {
                    return Next::Over(Err(Stop::fault(path, fault)));
                };
                self.retries += 1;
                self.at = At::Waiting;
                Next::Do(Action::Wait {
                    path: path.clone(),
                    timer: self.attempt,
                    ms,
                    backoff: true,
                })
            }
        }
    }

    /// A wait is over.
    pub(crate) fn elapsed(&mut self, path: &Path, call: &Call, timer: u32) -> Next {
        if self.at != At::Waiting || timer != self.attempt {
            return Next::Nothing;
        }
        self.again(path, call)
    }

    /// A validator spoke.
    pub(crate) fn judged(
        &mut self,
        path: &Path,
        call: &Call,
        (attempt, gate): (u32, usize),
        judgement: Result<Verdict, Fault>,
    ) -> Next {
        let At::Gate { gate: at, output } = &self.at else {
            return Next::Nothing;
        };
        if (attempt, gate) != (self.attempt, *at) {
            return Next::Nothing;
        }
        let name = call.gates.get(gate).map_or("", |name| name);
        match judgement {
            Ok(Verdict::Pass) => {
                let output = output.clone();
                self.pass(path, call, gate + 1, output)
            }
            Ok(Verdict::Repair(findings)) => self.repair(path, call, name, findings),
            Ok(Verdict::Reject(findings)) => Next::Over(Err(refused(path, name, findings))),
            // A validator that broke has not said yes.
            Err(fault) => Next::Over(Err(Stop::fault(&format!("{path}/{name}"), fault))),
        }
    }

    /// An output that has passed all gates before `gate`.
    fn pass(&mut self, path: &Path, call: &Call, gate: usize, output: Output) -> Next {
        let (Some(validator), Ask::Run(task)) = (call.gates.get(gate), &self.ask) else {
            return Next::Over(Ok(output));
        };
        let action = Action::Judge {
            path: path.clone(),
            attempt: self.attempt,
            gate,
            validator: validator.clone(),
            task: task.clone(),
            output: output.clone(),
        };
        self.at = At::Gate { gate, output };
        Next::Do(action)
    }

    /// Another try with the findings, while there is one. The new output passes
    /// all gates again, because a repair can break what was whole.
    fn repair(&mut self, path: &Path, call: &Call, gate: &str, findings: Vec<Finding>) -> Next {
        let Ask::Run(task) = &mut self.ask else {
            return Next::Over(Err(refused(path, gate, findings)));
        };
        if self.repairs >= call.repairs {
            return Next::Over(Err(refused(path, gate, findings)));
        }
        self.repairs += 1;
        task.findings.extend(findings);
        self.again(path, call)
    }

    fn again(&mut self, path: &Path, call: &Call) -> Next {
        self.attempt += 1;
        self.at = At::Asked;
        Next::Do(self.invoke(path, call))
    }
}

fn refused(path: &Path, gate: &str, findings: Vec<Finding>) -> Stop {
    Stop::Validation {
        step: path.to_string(),
        gate: gate.to_owned(),
        findings,
    }
}
