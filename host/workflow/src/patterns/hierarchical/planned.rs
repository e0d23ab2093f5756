//! A plan as a planner gave it, and what is made of it once it is found good.

use std::collections::BTreeMap;
use std::sync::Arc;

use hotcell_runtime::broker::text;
use hotcell_runtime::task::{Finding, Output, Subtask};
use serde_json::Value;

use super::{Hierarchical, MAX_SUBTASKS};
use crate::graph::{self, Cycle};

/// The longest id that is repeated in a sentence, in bytes.
const SHOWN: usize = 80;

/// The most findings that one plan gets.
const FINDINGS: usize = 16;

/// A plan that is good.
#[derive(Debug)]
pub(super) struct Planned {
    /// In the order of the plan.
    pub(super) work: Vec<Work>,
    /// Whether there was somebody who is not there.
    pub(super) left_out: bool,
}

/// A subtask, and how far it is.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Work {
    /// The planner's name for it; nothing but data.
    pub(super) id: String,
    /// Index of who does it.
    pub(super) specialist: usize,
    /// Its part of the path: the specialist's id, and a number from the second
    /// one on.
    pub(super) name: String,
    pub(super) input: Arc<str>,
    /// Indices of those that come first.
    pub(super) needs: Vec<usize>,
    at: At,
}

#[derive(Clone, Debug, PartialEq)]
enum At {
    Waiting,
    UnderWay,
    Done(Output),
    Missing,
}

impl Work {
    pub(super) fn is_under_way(&self) -> bool {
        self.at == At::UnderWay
    }

    /// It has no result and gets none.
    pub(super) fn is_missing(&self) -> bool {
        self.at == At::Missing
    }

    /// It waits for nothing but its turn.
    pub(super) fn is_ready(&self, all: &[Work]) -> bool {
        let over = |at: &usize| {
            matches!(
                all.get(*at),
                Some(Work {
                    at: At::Done(_) | At::Missing,
                    ..
                })
            )
        };
        self.at == At::Waiting && self.needs.iter().all(over)
    }

    pub(super) fn output(&self) -> Option<&Output> {
        match &self.at {
            At::Done(output) => Some(output),
            At::Waiting | At::UnderWay | At::Missing => None,
        }
    }

    pub(super) fn begin(&mut self) {
        self.at = At::UnderWay;
    }

    /// Ends it, with or without a result.
    pub(super) fn end(&mut self, output: Option<Output>) {
        self.at = output.map_or(At::Missing, At::Done);
    }
}

impl Hierarchical {
    /// Checks a plan: a few subtasks whose ids differ, whose inputs are JSON, whose
    /// specialists are there and which do not wait for each other.
    pub(super) fn check(&self, plan: &[Subtask]) -> Result<Planned, Vec<Finding>> {
        if plan.is_empty() || plan.len() > MAX_SUBTASKS {
            let text = format!(
                "a plan has 1 to {MAX_SUBTASKS} subtasks, this one {}",
                plan.len()
            );
            return Err(vec![finding("/plan", "bad-plan", text)]);
        }
        let mut findings = Vec::new();
        let mut index = BTreeMap::new();
        for (at, subtask) in plan.iter().enumerate() {
            let word = shown(&subtask.id);
            if subtask.id.trim().is_empty() {
                findings.push(at_subtask(at, "/id", "no-id", "it is empty".to_owned()));
            } else if index.insert(subtask.id.as_str(), at).is_some() {
                let text = format!("`{word}` is the id of another subtask too");
                findings.push(at_subtask(at, "/id", "twice", text));
            }
        }
        let mut work = Vec::new();
        let mut all_needs = Vec::new();
        let mut left_out = false;
        let mut count = vec![0_u32; self.specialists.len()];
        for (at, subtask) in plan.iter().enumerate() {
            let mut needs = Vec::new();
            for id in &subtask.depends_on {
                match index.get(id.as_str()) {
                    Some(need) if needs.contains(need) => {}
                    Some(need) => needs.push(*need),
                    None => {
                        let text = format!("no subtask is called `{}`", shown(id));
                        findings.push(at_subtask(at, "/depends_on", "unknown-subtask", text));
                    }
                }
            }
            needs.sort_unstable();
            let mut who = self.specialists.iter();
            let who = who.position(|step| step.id == subtask.specialist);
            if who.is_none() && !self.skip_unknown {
                let ids: Vec<_> = self.specialists.iter().map(|it| it.id.as_str()).collect();
                let word = shown(&subtask.specialist);
                let text = format!("there is no `{word}`; there are `{}`", ids.join("`, `"));
                findings.push(at_subtask(at, "/specialist", "unknown-specialist", text));
            }
            let input = serde_json::from_str::<Value>(&subtask.input);
            if let Err(error) = &input {
                findings.push(at_subtask(
                    at,
                    "/input",
                    "not-json",
                    format!("not JSON: {error}"),
                ));
            }
            left_out |= who.is_none();
            let count = who.and_then(|who| count.get_mut(who));
            let name = match (count, who.and_then(|who| self.specialists.get(who))) {
                (Some(count), Some(step)) => {
                    *count += 1;
                    match *count {
                        1 => step.id.clone(),
                        count => format!("{}#{count}", step.id),
                    }
                }
                _ => String::new(),
            };
            work.push(Work {
                id: subtask.id.clone(),
                specialist: who.unwrap_or_default(),
                name,
                // One text for the same value, as agents' answers have it.
                input: input.map(|it| it.to_string()).unwrap_or_default().into(),
                needs: needs.clone(),
                at: match who {
                    Some(_) => At::Waiting,
                    None => At::Missing,
                },
            });
            all_needs.push(needs);
        }
        if let Err(Cycle(cycle)) = graph::order(&all_needs) {
            let ids = cycle.iter().chain(cycle.first());
            let ids = ids.filter_map(|at| plan.get(*at)).map(|it| shown(&it.id));
            let way = ids.collect::<Vec<_>>().join(" → ");
            let text = format!("subtasks wait for each other: {way}");
            findings.push(finding("/plan", "cycle", text));
        }
        let known = work.iter().filter(|it| !it.is_missing()).count();
        let least = self.quorum.unwrap_or(1);
        if findings.is_empty() && known < least {
            let text =
                format!("{known} subtasks are for somebody who is there, and {least} must be");
            findings.push(finding("/plan", "too-few", text));
        }
        if findings.is_empty() {
            return Ok(Planned { work, left_out });
        }
        findings.truncate(FINDINGS);
        Err(findings)
    }
}

/// A guest's word in a sentence of ours.
fn shown(word: &str) -> String {
    text::line(word, SHOWN)
}

fn at_subtask(at: usize, field: &str, code: &str, message: String) -> Finding {
    finding(&format!("/plan/{at}{field}"), code, message)
}

fn finding(pointer: &str, code: &str, message: String) -> Finding {
    Finding {
        pointer: pointer.to_owned(),
        code: code.to_owned(),
        message,
    }
}
