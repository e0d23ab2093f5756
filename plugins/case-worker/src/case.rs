//! The cases, as data: for each the rules and forms of its seven stages, of its
//! plan and of its three aspects.
//!
//! A stage's form holds all that later stages need, for they see nothing else.

mod invoice;
mod reconciliation;
mod transaction;

use hotcell_sdk::Failure;

use crate::form::Form;

/// A stage of the work, in the order of the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// Copies what matters out of the record.
    Ingest,
    /// Brings it into one form.
    Normalise,
    /// Works out what decides.
    Extract,
    /// Adds what others know, or what it is measured by.
    Enrich,
    /// Says what holds.
    Check,
    /// Decides.
    Decide,
    /// Writes the decision down.
    Record,
}

impl Stage {
    pub(crate) const ALL: [Stage; 7] = [
        Stage::Ingest,
        Stage::Normalise,
        Stage::Extract,
        Stage::Enrich,
        Stage::Check,
        Stage::Decide,
        Stage::Record,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Stage::Ingest => "ingest",
            Stage::Normalise => "normalise",
            Stage::Extract => "extract",
            Stage::Enrich => "enrich",
            Stage::Check => "check",
            Stage::Decide => "decide",
            Stage::Record => "record",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Stage> {
        Stage::ALL.into_iter().find(|stage| stage.name() == name)
    }

    /// What the stage starts from: the stage before it, or the record.
    pub(crate) fn source(self) -> &'static str {
        let mut before = Stage::ALL.into_iter().filter(|stage| *stage < self);
        // Nobody confuses it with the stage: nothing starts from the last one.
        before.next_back().map_or("record", Stage::name)
    }
}

/// Rules and a form.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) rules: &'static str,
    pub(crate) form: &'static str,
}

/// What one specialist looks at.
#[derive(Debug)]
pub(crate) struct Aspect {
    pub(crate) name: &'static str,
    pub(crate) rules: &'static str,
    pub(crate) form: &'static str,
    /// The tools it needs.
    pub(crate) tools: &'static [&'static str],
}

/// A kind of record and how it is worked on.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// A sentence that says what the case is about.
    pub(crate) about: &'static str,
    /// In the order of the stages.
    pub(crate) stages: [Part; 7],
    /// What comes after normalising: `given` says what each specialist is given.
    pub(crate) plan: Part,
    pub(crate) aspects: [Aspect; 3],
    /// The tools that `enrich` needs.
    pub(crate) tools: &'static [&'static str],
}

pub(crate) static CASES: [&Case; 3] = [&transaction::CASE, &invoice::CASE, &reconciliation::CASE];

/// The case of this name.
pub(crate) fn named(name: &str) -> Result<&'static Case, Failure> {
    let found = CASES.iter().find(|case| case.name == name);
    found.copied().ok_or_else(|| {
        let names: Vec<_> = CASES
            .iter()
            .map(|case| format!("`{}`", case.name))
            .collect();
        Failure::permanent(format!(
            "the config's `case` is `{name}`; it must be one of {}",
            names.join(", ")
        ))
    })
}

impl Case {
    fn part(&self, stage: Stage) -> Option<&Part> {
        self.stages.get(stage as usize)
    }

    /// The rules of these stages.
    pub(crate) fn rules(&self, first: Stage, last: Stage) -> String {
        let stages = Stage::ALL
            .into_iter()
            .filter(|it| (first..=last).contains(it));
        let rules = stages.filter_map(|stage| Some((stage, self.part(stage)?.rules)));
        let rules: Vec<String> = match first == last {
            true => rules.map(|(_, rules)| rules.to_owned()).collect(),
            // One after the other in one's head; only the last is written down.
            false => rules
                .map(|(stage, rules)| format!("Stage `{}`: {rules}", stage.name()))
                .collect(),
        };
        rules.join("\n\n")
    }

    /// What a stage answers with.
    pub(crate) fn form(&self, stage: Stage) -> Result<Form, Failure> {
        Form::read(self.part(stage).map_or("{}", |part| part.form))
    }

    /// The tools that these stages need.
    pub(crate) fn tools(&self, first: Stage, last: Stage) -> &'static [&'static str] {
        match (first..=last).contains(&Stage::Enrich) {
            true => self.tools,
            false => &[],
        }
    }

    /// A form's title: what it answers, and what it starts from.
    pub(crate) fn title(&self, what: &str, from: &str) -> String {
        format!("{}-{what}-from-{from}", self.name)
    }
}
