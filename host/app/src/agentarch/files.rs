//! The files of one arm: what `hotcell run` takes, so that a reader can run any arm
//! by hand and see every setting. Pure: texts out.
//!
//! Every pattern is one step of a sequence of one, so that its fallback stands in
//! one place: when the pattern comes to nothing, one agent does the whole task.

use hotcell_measure::trial::Arm;
use serde_json::{Map, Value, json};

use super::arms::{Component, Pattern, VOTERS};
use super::rates::{self, Answers};
use crate::data::suite::Set;

/// What an arm does under one seed to one set.
pub(super) struct Unit<'a> {
    pub(super) arm: &'a Arm,
    pub(super) pattern: Pattern,
    pub(super) set: Set,
    /// The seed of the trials, as it is asked for.
    pub(super) seed: u64,
    /// Keys every fault that is drawn.
    pub(super) fault_seed: u64,
    /// Where the plugins' folders or components are.
    pub(super) plugins: &'a str,
    /// The longest that a run may really take, in milliseconds.
    pub(super) timeout_ms: u64,
}

/// The steps of a chain: id, what the agent is told the task is, and how many
/// stages of work that is.
type Chain = &'static [(&'static str, &'static str, u32)];

const SEVEN: Chain = &[
    ("ingest", "ingest", 1),
    ("normalise", "normalise", 1),
    ("extract", "extract", 1),
    ("enrich", "enrich", 1),
    ("check", "check", 1),
    ("decide", "decide", 1),
    ("record", "record", 1),
];

const THREE: Chain = &[
    ("read", "ingest..extract", 3),
    ("examine", "enrich..check", 2),
    ("conclude", "decide..record", 2),
];

/// The chain of so many stages.
pub(super) fn chain(stages: u32) -> Chain {
    match stages {
        3 => THREE,
        _ => SEVEN,
    }
}

/// The final state of the state machine.
const DONE: &str = "DONE";

/// What one agent is told who does everything.
const WHOLE: &str = "ingest..record";

/// The specialists of a set; what each has to say is a third of three stages.
pub(super) fn aspects(set: Set) -> [&'static str; 3] {
    match set {
        Set::Invoice => ["fields", "vendor", "duplicate"],
        Set::Transaction => ["stolen-card", "account-takeover", "synthetic-fraud"],
        Set::Reconciliation => ["first", "second", "third"],
    }
}

/// How many stages of work each form stands for, by its title, where that is not
/// one. However it is cut, a task is seven stages of work.
pub(super) fn work(set: Set) -> Map<String, Value> {
    let set = set.name();
    let mut work = Map::new();
    let mut put = |what: &str, from: &str, stages: u32| {
        work.insert(format!("{set}-{what}-from-{from}"), stages.into());
    };
    put("record", "record", 7);
    put("critique", "record", 7);
    put("plan", "record", 2);
    put("extract", "record", 3);
    put("check", "extract", 2);
    put("record", "check", 2);
    work
}

impl Unit<'_> {
    fn is_without(&self, component: Component) -> bool {
        let mut without = self.arm.variant.without.iter();
        without.any(|name| name == component.name())
    }

    fn gated(&self) -> bool {
        self.arm.variant.gates == Some(true)
    }

    /// An agent's step.
    fn step(&self, id: &str, kind: &str) -> Value {
        let mut step = json!({ "id": id, "agent": "case-worker", "kind": kind });
        if self.gated()
            && let Some(fields) = step.as_object_mut()
        {
            fields.insert("gates".to_owned(), json!(["case-checker"]));
        }
        step
    }

    fn chain(&self) -> Vec<Value> {
        let chain = chain(self.arm.variant.stages).iter();
        chain.map(|(id, kind, _)| self.step(id, kind)).collect()
    }

    fn sequence(&self) -> Value {
        json!({ "pattern": "sequential", "steps": self.chain() })
    }

    fn hierarchy(&self) -> Value {
        let specialists: Vec<Value> = aspects(self.set)
            .iter()
            .map(|aspect| {
                let kind = aspect.replace('-', "_");
                json!({ "id": aspect, "agent": "case-worker", "kind": kind })
            })
            .collect();
        let team = json!({ "id": "team", "workflow": {
            "pattern": "hierarchical",
            "planner": { "id": "plan", "agent": "case-worker", "kind": "plan" },
            "specialists": specialists,
            "aggregate": { "plugin": "case-merger" },
        } });
        // Those who do the rest are the same as in the chain.
        let rest = chain(self.arm.variant.stages)
            .iter()
            .filter(|(_, kind, _)| kind.starts_with("decide") || kind.starts_with("record"));
        let mut steps = vec![team];
        steps.extend(rest.map(|(id, kind, _)| self.step(id, kind)));
        json!({ "pattern": "sequential", "steps": steps })
    }

    fn machine(&self) -> Value {
        let chain = chain(self.arm.variant.stages);
        let mut states = Map::new();
        let mut transitions = Vec::new();
        let mut before: Option<String> = None;
        for (id, kind, _) in chain {
            let name = id.to_uppercase();
            states.insert(name.clone(), json!({ "step": self.step(id, kind) }));
            if let Some(before) = before {
                transitions.push(json!({ "from": before, "to": name }));
            }
            before = Some(name);
        }
        transitions.push(json!({ "from": before, "to": DONE }));
        // Nothing is done that was not checked, whatever the table says.
        let passed: Vec<String> = chain
            .iter()
            .map(|(id, ..)| format!("'{}' in path", id.to_uppercase()))
            .collect();
        states.insert(DONE.to_owned(), json!({ "invariants": passed }));
        json!({
            "pattern": "state_machine",
            "initial": chain.first().map(|(id, ..)| id.to_uppercase()),
            "finals": [DONE],
            "states": states,
            "transitions": transitions,
        })
    }

    fn vote(&self) -> Value {
        let voters: Vec<Value> = (1..=VOTERS)
            .map(|number| json!({ "id": format!("voter-{number}"), "workflow": self.sequence() }))
            .collect();
        json!({
            "pattern": "voting",
            "voters": voters,
            "strategy": "majority",
            "on_tie": "escalate",
            "on_no_quorum": "escalate",
            "adaptive": self.arm.variant.adaptive,
        })
    }

    /// What the pattern itself is.
    fn body(&self) -> Value {
        match self.pattern {
            Pattern::Single => json!({
                "pattern": "sequential", "steps": [self.step("solve", WHOLE)],
            }),
            Pattern::Sequential => self.sequence(),
            Pattern::Hierarchical => self.hierarchy(),
            Pattern::Iterative => json!({
                "pattern": "iterative",
                "mode": "reflexion",
                "draft": { "id": "draft", "workflow": self.sequence() },
                "critic": { "id": "critique", "agent": "case-worker", "kind": "critique" },
                "converge": { "field": "/score", "at_least": 1.0 },
                "max_iterations": 3,
            }),
            Pattern::StateMachine => self.machine(),
            Pattern::Voting => self.vote(),
        }
    }

    /// `workflow.yaml`. `tasks` is the file of the records; `ledger` are the files
    /// of the master list and of all invoices.
    pub(super) fn workflow(&self, tasks: &str, ledger: [&str; 2]) -> String {
        let plugin = |name: &str, config: Value| {
            let source = format!("{}/{name}", self.plugins);
            json!({ "source": source, "config": config })
        };
        let case = json!({ "case": self.set.name() });
        let forms = !self.is_without(Component::Validation);
        let mut plugins = Map::new();
        let worker = json!({ "case": self.set.name(), "forms": forms });
        plugins.insert("case-worker".to_owned(), plugin("case-worker", worker));
        if self.gated() {
            plugins.insert("case-checker".to_owned(), plugin("case-checker", case));
        }
        if self.pattern == Pattern::Hierarchical {
            plugins.insert("case-merger".to_owned(), plugin("case-merger", json!({})));
        }
        let mut tools = Vec::new();
        if self.set == Set::Invoice {
            tools.push("vendor-ledger");
            let source = format!("{}/vendor-ledger", self.plugins);
            let [vendors, invoices] = ledger;
            let files = json!({ "vendors": vendors, "invoices": invoices });
            let ledger = json!({ "source": source, "config_files": files });
            plugins.insert("vendor-ledger".to_owned(), ledger);
        }
        let mut work = json!({ "id": "work", "workflow": self.body() });
        if !self.is_without(Component::Fallback)
            && let Some(fields) = work.as_object_mut()
        {
            let whole = json!({ "agent": "case-worker", "kind": WHOLE });
            fields.insert("fallback".to_owned(), json!([whole]));
        }
        let retries = if self.is_without(Component::Retry) {
            0
        } else {
            3
        };
        let repairs = if forms { 1 } else { 0 };
        let workflow = json!({
            "workflow": format!("{}-{}", self.set.name(), self.arm.id.replace(['.', '_'], "-")),
            "description": format!("The benchmark's {} set in the arm {}.", self.set.name(), self.arm.id),
            "pattern": "sequential",
            "input": { "file": tasks, "id": self.set.id_field() },
            "plugins": plugins,
            "tools": tools,
            "timeout_ms": self.timeout_ms,
            "defaults": {
                "retry": { "max": retries },
                "repairs": repairs,
                // A breaker is the host's and hears of all runs: with it a result would
                // depend on which run is worked on when.
                "breaker": { "failures": 0 },
            },
            "steps": [work],
        });
        format!("# Made by `hotcell bench agentarch`; JSON is YAML.\n{workflow:#}\n")
    }

    /// The host file: which model answers.
    pub(super) fn host(&self, answers: Answers<'_>) -> String {
        rates::host(self, answers, &work(self.set))
    }

    /// `policy.toml`: who may use what.
    pub(super) fn policy(&self) -> String {
        let tools = match self.set {
            Set::Invoice => "tools = [\"vendor.find\", \"invoice.find\"]\n",
            Set::Transaction | Set::Reconciliation => "",
        };
        format!("[plugin.case-worker]\nllm = [\"default\"]\n{tools}")
    }
}
