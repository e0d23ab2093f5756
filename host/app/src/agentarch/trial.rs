//! From the report of a run to a trial: what was done, what was right, what it took.
//! Pure.

use std::collections::BTreeMap;

use hotcell_broker::Capability;
use hotcell_broker::provider::faults::{Fault as Kind, Injected};
use hotcell_measure::matching::{similarity, text};
use hotcell_measure::trial::{Cascade, Fault, Label, Spent, Step, Tools, Trial};
use hotcell_workflow::engine::Report;
use serde_json::Value;

use super::lineage;
use super::observer::Asked;
use super::rates::TIMEOUT_MICROS;
use crate::data::suite::{Set, Task};
use crate::score::answer;

/// What a stage answers when nothing goes wrong, and which tools are asked for then.
#[derive(Clone, Debug, Default)]
pub(super) struct Reference {
    /// By stage.
    pub(super) outputs: BTreeMap<String, Value>,
    /// Tool and arguments, sorted.
    pub(super) tools: Vec<(String, String)>,
}

/// What a run did and what hit it.
pub(super) struct Hit {
    pub(super) steps: Vec<Step>,
    /// The first one first.
    pub(super) faults: Vec<Fault>,
    /// The same in the simulator's words.
    pub(super) injected: Vec<Injected>,
    /// What the first of them did: known from the twin.
    pub(super) cascade: Option<Cascade>,
}

/// What a run has left behind.
pub(super) struct Ran {
    pub(super) report: Report,
    /// What was injected into it.
    pub(super) faults: Vec<Injected>,
    /// Which tools its model asked for.
    pub(super) asked: Vec<Asked>,
}

/// The answers of a run in which nothing goes wrong.
pub(super) fn reference(ran: &Ran) -> Reference {
    let mut reference = Reference::default();
    for attempt in &ran.report.attempts {
        if let Some(output) = attempt
            .output
            .as_deref()
            .and_then(|it| serde_json::from_str(it).ok())
        {
            let stage = lineage::stage(&attempt.step).to_owned();
            reference.outputs.insert(stage, output);
        }
    }
    // Every voter asks for the same.
    reference.tools = calls(ran.asked.iter());
    reference
}

/// Calls as they can be compared: each once, sorted.
fn calls<'a>(asked: impl Iterator<Item = &'a Asked>) -> Vec<(String, String)> {
    let mut calls: Vec<(String, String)> = asked
        .filter(|call| call.offered)
        .map(|call| (call.tool.clone(), call.arguments.to_string()))
        .collect();
    calls.sort();
    calls.dedup();
    calls
}

/// The steps of a run, in the order they were begun, each as its last try left it.
/// Of whose output each saw, and which are right, nothing is known yet.
pub(crate) fn begun(report: &Report) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for attempt in &report.attempts {
        let output = attempt
            .output
            .as_deref()
            .and_then(|it| serde_json::from_str(it).ok());
        let passed = attempt.gates.iter().all(|(_, verdict)| verdict == "pass");
        let outcome = match passed {
            true => attempt.outcome.clone(),
            false => "rejected".to_owned(),
        };
        let tries = match steps.last() {
            Some(last) if last.path == attempt.step => steps.pop().map_or(0, |it| it.tries),
            _ => 0,
        };
        let stage = lineage::stage(&attempt.step).to_owned();
        steps.push(Step {
            path: attempt.step.clone(),
            stage,
            parents: Vec::new(),
            right: false,
            gated: passed && !attempt.gates.is_empty(),
            isolated: false,
            tries: tries + 1,
            outcome,
            output,
        });
    }
    // Of a specialist or voter that failed while the run went on.
    let ended_well = report.output.is_some();
    for step in &mut steps {
        step.isolated = ended_well && step.outcome != "ok" && !step.stage.starts_with("fallback");
    }
    steps
}

/// The same with whose output each saw, and which are right.
pub(super) fn steps(task: &Task, report: &Report, reference: &Reference) -> Vec<Step> {
    let steps = begun(report);
    let paths: Vec<&str> = steps.iter().map(|step| step.path.as_str()).collect();
    let order = lineage::order(task.set, &paths);
    let mut steps: Vec<Step> = order
        .into_iter()
        .filter_map(|at| steps.get(at).cloned())
        .collect();
    let paths: Vec<&str> = steps.iter().map(|step| step.path.as_str()).collect();
    let parents = lineage::parents(task.set, &paths);
    for (step, parents) in steps.iter_mut().zip(parents) {
        step.parents = parents;
    }
    let last = reference
        .outputs
        .get("record")
        .or_else(|| reference.outputs.get("conclude"));
    for at in 0..steps.len() {
        let is_right = steps.get(at).is_some_and(|step| match step.stage.as_str() {
            "critique" => {
                // A critic is right that accepts what is right and nothing else.
                let draft = step.parents.first().and_then(|at| steps.get(*at));
                let accepts = step
                    .output
                    .as_ref()
                    .and_then(|it| it.get("accept")?.as_bool());
                accepts == draft.map(|draft| draft.output.as_ref() == last)
            }
            stage => match reference.outputs.get(stage) {
                Some(right) => step.output.as_ref() == Some(right),
                // What stands in for the whole pattern.
                None => is_right(task, step.output.as_ref()),
            },
        });
        if let Some(step) = steps.get_mut(at) {
            step.right = is_right && step.outcome == "ok";
        }
    }
    steps
}

/// Which of a task's fields are right.
fn right(task: &Task, answer: Option<&Value>) -> BTreeMap<String, bool> {
    answer::right(task.set, &task.gold, answer.unwrap_or(&Value::Null))
}

pub(super) fn is_right(task: &Task, answer: Option<&Value>) -> bool {
    right(task, answer).values().all(|it| *it)
}

/// The faults of a run, the first one first: by the step that was hit, the try and
/// the call. A slow answer is none: what it says is right.
pub(crate) fn faults(steps: &[Step], injected: &[Injected]) -> Vec<(Fault, Injected)> {
    let mut faults: Vec<(Fault, Injected)> = injected
        .iter()
        .filter(|it| it.fault != Kind::SlowTail)
        .filter_map(|it| {
            let step = steps.iter().position(|step| step.path == it.step)?;
            let fault = Fault {
                step,
                attempt: it.attempt,
                sequence: it.sequence,
                draw: it.stage,
                kind: it.fault.name().to_owned(),
                tool: it.tool.clone(),
                pointer: it.pointer.clone(),
            };
            Some((fault, it.clone()))
        })
        .collect();
    faults.sort_by_key(|(fault, it)| {
        (
            fault.step,
            fault.attempt,
            fault.sequence,
            it.fault,
            it.stage,
        )
    });
    faults
}

/// The whole trial.
pub(super) fn trial(
    arm: &str,
    seed: u64,
    task: &Task,
    ran: &Ran,
    reference: &Reference,
    hit: Hit,
) -> Trial {
    let Hit {
        steps,
        faults,
        cascade,
        ..
    } = hit;
    let report = &ran.report;
    let timed_out = report.latency_micros > TIMEOUT_MICROS || report.status == "timeout";
    let answer = report.output.clone().filter(|_| !timed_out);
    let fields = right(task, answer.as_ref());
    let status = if timed_out { "timeout" } else { report.status };
    Trial {
        arm: arm.to_owned(),
        set: task.set.name().to_owned(),
        task: task.id.clone(),
        seed,
        status: status.to_owned(),
        right: fields.values().all(|it| *it),
        similarity: alike(task.gold.iter(), answer.as_ref()),
        label: label(task, answer.as_ref()),
        tools: tools(ran, &steps, answer.as_ref(), reference),
        fields,
        answer,
        // What each step said was needed to compare it; kept, it would be most of
        // what is kept.
        steps: steps
            .into_iter()
            .map(|it| Step { output: None, ..it })
            .collect(),
        faults,
        cascade,
        spent: spent(report),
        latency_micros: report.latency_micros.min(TIMEOUT_MICROS),
        host_micros: report.wall_micros,
    }
}

/// How alike answer and gold are in these fields, as texts: on average.
pub(crate) fn alike<'a>(
    gold: impl Iterator<Item = (&'a String, &'a Value)>,
    answer: Option<&Value>,
) -> f64 {
    let field = |(name, gold): (&String, &Value)| {
        let said = answer.and_then(|answer| answer.get(name));
        // Nothing as long as what is not compared comes near the gold.
        let alike = said.map(|said| similarity(&text(said), &text(gold)).unwrap_or(0.0));
        alike.unwrap_or(0.0)
    };
    let each: Vec<f64> = gold.map(field).collect();
    each.iter().sum::<f64>() / (each.len().max(1) as f64)
}

fn label(task: &Task, answer: Option<&Value>) -> Option<Label> {
    if task.set != Set::Transaction {
        return None;
    }
    Some(Label {
        gold: task.gold.get("fraud_label")?.as_bool()?,
        said: answer.and_then(|answer| answer.get("fraud_label")?.as_bool()),
    })
}

/// Whether those who came to the answer asked the right tools with the right
/// arguments: in a vote one of them is enough, the others were outvoted.
fn tools(
    ran: &Ran,
    steps: &[Step],
    answer: Option<&Value>,
    reference: &Reference,
) -> Option<Tools> {
    if reference.tools.is_empty() {
        return None;
    }
    let lane = |path: &str| -> String {
        let lane = path.rsplit_once('/').map_or("", |(lane, _)| lane);
        lane.strip_suffix("/team").unwrap_or(lane).to_owned()
    };
    // What the last try of each step asked for.
    let last = |call: &&Asked| {
        let of = ran.asked.iter().filter(|it| it.step == call.step);
        of.map(|it| it.attempt).max() == Some(call.attempt)
    };
    let is_critic = |call: &&Asked| lineage::stage(&call.step) == "critique";
    let mut right = false;
    let mut lanes: Vec<String> = steps.iter().map(|step| lane(&step.path)).collect();
    lanes.sort();
    lanes.dedup();
    for of in lanes {
        let ends = steps.iter().rev().find(|step| lane(&step.path) == of);
        let came_to = ends.and_then(|step| step.output.as_ref());
        let agrees = |came_to: &Value| {
            let fields = came_to.as_object();
            fields.is_some_and(|fields| {
                fields
                    .iter()
                    .all(|(name, value)| answer.and_then(|it| it.get(name)) == Some(value))
            })
        };
        if !came_to.is_some_and(agrees) {
            continue;
        }
        let asked = ran.asked.iter().filter(|call| lane(&call.step) == of);
        right |= calls(asked.filter(last).filter(|it| !is_critic(it))) == reference.tools;
    }
    let unknown = ran.asked.iter().filter(|call| !call.offered).count();
    Some(Tools {
        right,
        calls: u32::try_from(ran.asked.len()).unwrap_or(u32::MAX),
        unknown: u32::try_from(unknown).unwrap_or(u32::MAX),
    })
}

/// What a run took.
pub(crate) fn spent(report: &Report) -> Spent {
    let mut spent = Spent {
        cells: report.records.cells.len() as u64,
        ..Spent::default()
    };
    for effect in &report.records.effects {
        match effect.capability {
            Capability::Llm => {
                spent.calls += 1;
                spent.failed_calls += u64::from(effect.outcome != "ok");
                spent.input_tokens += effect.usage.input_tokens;
                spent.output_tokens += effect.usage.output_tokens;
                spent.cost_micros += effect.cost_micros;
            }
            Capability::Tools => spent.tool_calls += 1,
            _ => {}
        }
    }
    for attempt in &report.attempts {
        spent.retries += u64::from(attempt.attempt > 1);
        let repairs = attempt
            .gates
            .iter()
            .filter(|(_, verdict)| verdict == "repair");
        spent.repairs += repairs.count() as u64 + u64::from(attempt.outcome == "off-schema");
    }
    spent
}
