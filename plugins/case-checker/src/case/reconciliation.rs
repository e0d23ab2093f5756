//! A bank statement and a ledger.
//!
//! Every line that a document names is in the record, as it is there; none is in two
//! places, and none is lost where a document has a place for all. Which lines belong
//! together is not looked at.

mod lines;

use std::collections::BTreeSet;

use hotcell_sdk::Finding;
use serde_json::{Map, Value};

use super::contradiction;
use crate::Findings;
use lines::{Lines, Side};

/// In cents: differences beyond it need a person.
const MOST_IN_ALL: i64 = 5_000;

/// So many findings are enough to work with.
const MOST_FINDINGS: usize = 20;

/// The sides that have to be complete.
const BOTH: [Side; 2] = [Side::Bank, Side::Ledger];

/// The record is what the agent was given: for a specialist some lines, normalised.
pub(super) fn check(
    stage: &str,
    record: &Map<String, Value>,
    answer: &Map<String, Value>,
) -> Findings {
    let mut look = Look {
        lines: Lines::of(record),
        placed: BTreeSet::new(),
        findings: Vec::new(),
    };
    match stage {
        "ingest" | "normalise" => {
            look.sides(answer, "");
            look.complete(&BOTH);
        }
        "plan" => {
            let given = answer.get("given").and_then(Value::as_object);
            for (name, lines) in given.into_iter().flatten() {
                if let Value::Object(lines) = lines {
                    look.sides(lines, &format!("/given/{name}"));
                }
            }
            look.complete(&BOTH);
        }
        "extract" | "enrich" => {
            look.sides(answer, "");
            look.duplicates(answer);
            look.pairs(answer);
            look.complete(&BOTH);
        }
        "check" | "first" | "second" | "third" => {
            look.matches(answer);
            look.duplicates(answer);
            look.open(answer);
            look.complete(&BOTH);
        }
        "decide" => {
            look.matches(answer);
            look.open(answer);
            look.complete(&[Side::Bank]);
            look.findings.extend(sum(answer));
        }
        "record" => {
            look.matches(answer);
            look.status(answer);
        }
        _ => {}
    }
    look.findings.truncate(MOST_FINDINGS);
    look.findings
}

struct Look<'a> {
    lines: Lines<'a>,
    /// What the document has a place for.
    placed: BTreeSet<(Side, &'a str)>,
    findings: Findings,
}

impl<'a> Look<'a> {
    /// A line that is there has this place and no other.
    fn place(&mut self, side: Side, id: &'a str, pointer: &str) {
        if !self.lines.has(side, id) {
            self.findings.push(unknown(side, id, pointer));
        } else if !self.placed.insert((side, id)) {
            let text = format!("`{id}` is somewhere else already");
            self.findings.push(contradiction(pointer, &text));
        }
    }

    /// The lists `bank` and `ledger`.
    fn sides(&mut self, answer: &'a Map<String, Value>, at: &str) {
        for side in BOTH {
            let name = side.name();
            for (number, line) in objects(answer, name).enumerate() {
                let pointer = format!("{at}/{name}/{number}");
                let id = text(line, "id");
                self.place(side, id, &format!("{pointer}/id"));
                let wrong = self.lines.differs(side, id, line, &pointer);
                self.findings.extend(wrong);
            }
        }
    }

    fn duplicates(&mut self, answer: &'a Map<String, Value>) {
        let ids = answer.get("duplicates").and_then(Value::as_array);
        for (number, id) in ids.into_iter().flatten().enumerate() {
            let id = id.as_str().unwrap_or_default();
            self.place(Side::Ledger, id, &format!("/duplicates/{number}"));
        }
    }

    /// Of these one line may have several.
    fn pairs(&mut self, answer: &'a Map<String, Value>) {
        for (number, pair) in objects(answer, "pairs").enumerate() {
            for side in BOTH {
                let id = text(pair, side.id());
                if !self.lines.has(side, id) {
                    let pointer = format!("/pairs/{number}/{}", side.id());
                    self.findings.push(unknown(side, id, &pointer));
                }
            }
        }
    }

    fn matches(&mut self, answer: &'a Map<String, Value>) {
        for (number, pair) in objects(answer, "matches").enumerate() {
            for side in BOTH {
                let pointer = format!("/matches/{number}/{}", side.id());
                self.place(side, text(pair, side.id()), &pointer);
            }
        }
    }

    /// What is left over, of whichever side.
    fn open(&mut self, answer: &'a Map<String, Value>) {
        for (number, line) in objects(answer, "open").enumerate() {
            let (id, pointer) = (text(line, "id"), format!("/open/{number}"));
            let side = match self.lines.has(Side::Bank, id) {
                true => Side::Bank,
                false => Side::Ledger,
            };
            self.place(side, id, &format!("{pointer}/id"));
            let wrong = self.lines.differs(side, id, line, &pointer);
            self.findings.extend(wrong);
        }
    }

    /// Every line of these sides has a place.
    fn complete(&mut self, sides: &[Side]) {
        for (side, id) in self.lines.ids() {
            if sides.contains(&side) && !self.placed.contains(&(side, id)) {
                let text = format!("`{}` of the {} is nowhere", shown(id), side.name());
                self.findings.push(Finding::new("", "left-out", text));
            }
        }
    }

    /// What the record allows for the status: it may be that an entry that is not
    /// matched was booked twice, but a transaction is left over.
    fn status(&mut self, answer: &Map<String, Value>) {
        let status = answer.get("status").and_then(Value::as_str);
        let discrepancy = answer.get("discrepancy").and_then(Value::as_f64);
        let cents = discrepancy.map_or(0, lines::cents);
        let is_open = |side: Side| {
            let mut ids = self.lines.ids();
            ids.any(|line| line.0 == side && !self.placed.contains(&line))
        };
        let (unbooked, unmatched) = (is_open(Side::Bank), is_open(Side::Ledger));
        let text = match status {
            Some("perfect_match") if unbooked || unmatched || cents != 0 => {
                "in a perfect match nothing is left over, and nothing differs"
            }
            Some("resolvable_with_logic") if unbooked || cents > MOST_IN_ALL => {
                "a person has to look where a transaction is left over or more than 50"
            }
            Some("manual_review_required") if !unbooked && !unmatched && cents <= MOST_IN_ALL => {
                "nothing is left over for a person to look at"
            }
            _ => return,
        };
        self.findings.push(contradiction("/status", text));
    }
}

/// A sum that is not that of its parts, and a status that does not follow from them.
fn sum(answer: &Map<String, Value>) -> Findings {
    let sum = |name: &str| {
        let cents = |it: &Map<String, Value>| it.get("cents").and_then(Value::as_i64);
        objects(answer, name).fold(0i64, |sum, it| {
            sum.saturating_add(cents(it).unwrap_or(0).saturating_abs())
        })
    };
    let (apart, left) = (sum("matches"), sum("open"));
    let whole = apart.saturating_add(left);
    let said = answer.get("cents").and_then(Value::as_i64);
    let mut findings = Vec::new();
    if said.is_some_and(|said| said != whole) {
        let text = format!("what matches differ by and what is open add up to {whole}");
        findings.push(contradiction("/cents", &text));
    }
    let manual = apart > MOST_IN_ALL || objects(answer, "open").next().is_some();
    let text = match answer.get("status").and_then(Value::as_str) {
        Some("perfect_match") if manual || apart != 0 => {
            "in a perfect match nothing is left over, and nothing differs"
        }
        Some("resolvable_with_logic") if manual => {
            "a person has to look where something is left over, or more than 50 differs"
        }
        Some("manual_review_required") if !manual => "nothing is left over for a person to look at",
        _ => return findings,
    };
    findings.push(contradiction("/status", text));
    findings
}

fn unknown(side: Side, id: &str, pointer: &str) -> Finding {
    let text = format!("the {} has no line `{}`", side.name(), shown(id));
    Finding::new(pointer, "not-in-record", text)
}

fn objects<'a>(
    of: &'a Map<String, Value>,
    name: &str,
) -> impl Iterator<Item = &'a Map<String, Value>> + use<'a> {
    let list = of.get(name).and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_object)
}

fn text<'a>(of: &'a Map<String, Value>, name: &str) -> &'a str {
    of.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// An id, cut where it would fill a message.
fn shown(id: &str) -> String {
    id.chars().take(40).collect()
}
