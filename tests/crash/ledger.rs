//! What the journal says of every call, against what the model server got.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use hotcell_store::journal::{Filter, Reader, RunRow};
use serde_json::Value;

use crate::provider::COST;
use crate::scene::{Ran, Scene};

/// What the journal has of one call.
#[derive(Debug, Default)]
pub(crate) struct Fate {
    pub(crate) intents: u64,
    /// Since the last intent somebody decided so.
    pub(crate) decided: Option<String>,
    /// What it cost, once it has ended.
    pub(crate) ended: Option<u64>,
}

/// All calls of a journal, by the question that each of them asks.
pub(crate) struct Ledger {
    pub(crate) calls: BTreeMap<String, Fate>,
    pub(crate) runs: Vec<RunRow>,
    /// How the run of each record ended, in the journal's words.
    pub(crate) ends: BTreeMap<String, Value>,
}

impl Ledger {
    /// Reads a journal as whoever does not trust the host that wrote it: each
    /// call is made, answered and made again in an order that must be allowed.
    pub(crate) fn read(state: &Path) -> Ledger {
        let mut ledger = Ledger {
            calls: BTreeMap::new(),
            runs: Vec::new(),
            ends: BTreeMap::new(),
        };
        let reader = match Reader::open(state) {
            Ok(reader) => reader,
            Err(error) => {
                // It died before the first commit: nothing was ever acknowledged.
                let head = std::fs::read(state.join("journal.head")).unwrap_or_default();
                assert!(head.iter().all(|byte| *byte == 0), "{error}");
                return ledger;
            }
        };
        reader.verify().unwrap();
        ledger.runs = reader.runs(&Filter::default()).unwrap();
        for row in &ledger.runs {
            let mut done = BTreeSet::new();
            for record in reader.records(&row.run).unwrap() {
                let body: Value = serde_json::from_str(&record.body).unwrap();
                let number = |key: &str| body[key].as_u64().unwrap_or_default();
                let step = body["step"].as_str().unwrap_or_default();
                let name = step.rsplit('/').next().unwrap_or_default();
                let question = format!(
                    "{} {name} {} {}",
                    row.task,
                    number("attempt"),
                    number("call")
                );
                let of = || format!("{question}: {}", record.body);
                match record.kind.as_str() {
                    "event" => {
                        if let Some(answered) = body["what"].get("answered") {
                            let step = (answered["path"].to_string(), answered["attempt"].as_u64());
                            assert!(
                                done.insert(step),
                                "done twice: {}: {}",
                                row.task,
                                record.body
                            );
                        }
                    }
                    "effect.intent" => {
                        let fate = ledger.calls.entry(question.clone()).or_default();
                        let again = fate.intents > 0;
                        assert_eq!(
                            body["repeats"].as_bool().unwrap_or_default(),
                            again,
                            "{}",
                            of()
                        );
                        assert_eq!(fate.ended, None, "asked again: {}", of());
                        let undecided = fate.decided.take().as_deref() != Some("repeat");
                        if again && body["effect"] == "unsafe-to-repeat" && undecided {
                            panic!("repeated and nobody has decided so: {}", of());
                        }
                        fate.intents += 1;
                    }
                    "effect.result" => {
                        let fate = ledger.calls.get_mut(&question).unwrap();
                        assert_eq!(fate.ended, None, "ended twice: {}", of());
                        let cost = body["spent"]["cost_micros"].as_u64();
                        fate.ended = Some(cost.unwrap_or_default());
                    }
                    "effect.resolved" => {
                        let fate = ledger.calls.get_mut(&question).unwrap();
                        fate.decided = body["how"].as_str().map(str::to_owned);
                    }
                    // Runs that were cut off while they were being begun are cancelled
                    // and started again.
                    "run.ended" if body["status"] != "cancelled" => {
                        let before = ledger
                            .ends
                            .insert(row.task.clone(), body["outcome"].clone());
                        assert_eq!(before, None, "{} ended twice", row.task);
                    }
                    _ => {}
                }
            }
        }
        ledger
    }

    /// The calls of which nobody knows what came, and nobody has decided.
    pub(crate) fn doubts(&self) -> Vec<&String> {
        let open = |fate: &Fate| fate.ended.is_none() && fate.decided.is_none();
        let doubts = self.calls.iter().filter(|(_, fate)| open(fate));
        doubts.map(|(question, _)| question).collect()
    }

    /// Nobody was asked without an intent, nobody more often than that was
    /// decided, and what was answered was asked.
    pub(crate) fn covers(&self, scene: &Scene) {
        let asked = scene.provider.asked();
        for (question, count) in &asked {
            let intents = self.calls.get(question).map_or(0, |fate| fate.intents);
            assert!(
                *count <= intents,
                "{question}: asked {count}×, {intents} intents"
            );
        }
        for (question, fate) in &self.calls {
            let paid = fate.ended.is_some_and(|cost| cost > 0);
            assert!(
                !paid || asked.contains_key(question),
                "{question} was never asked"
            );
        }
    }

    /// The bill is what the server answered, apart from answers that were lost
    /// while in doubt.
    pub(crate) fn is_billed(&self, scene: &Scene, ran: &Ran) {
        let totals = &ran.results["totals"];
        let costs: u64 = self.calls.values().filter_map(|fate| fate.ended).sum();
        assert_eq!(totals["cost_micros"], costs, "{totals}");
        let paid = self.calls.values().filter(|it| it.ended == Some(COST));
        let paid = paid.count() as u64;
        assert_eq!(paid * COST, costs);
        let asked: u64 = scene.provider.asked().values().sum();
        let in_doubt = self.calls.values().map(|fate| match fate.ended {
            // The last intent was answered; those before it were in doubt.
            Some(COST) => fate.intents - 1,
            _ => fate.intents,
        });
        let in_doubt: u64 = in_doubt.sum();
        assert!(
            (paid..=paid + in_doubt).contains(&asked),
            "{asked} asked, {paid} paid, {in_doubt} were in doubt"
        );
    }
}
