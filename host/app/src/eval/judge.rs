//! When an answer is right: which fields count, and how each is held against the
//! right one. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::str::FromStr;

use hotcell_measure::matching::{LONGEST, Match, THRESHOLD, text};
use hotcell_measure::trial::Label;
use serde_json::{Map, Value};

use super::tasks::{Task, Wrong, kind};
use crate::manifest::problem::{Problem, Problems, one_of};

/// How one field is compared: `FIELD=HOW`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Rule {
    field: String,
    by: Match,
}

impl FromStr for Rule {
    type Err = String;

    fn from_str(text: &str) -> Result<Rule, String> {
        let wanted = "write `FIELD=HOW`, HOW being exact, case-insensitive, numeric, fuzzy, \
                      fuzzy:0.9 or set";
        let (field, how) = text.split_once('=').ok_or(wanted)?;
        if field.is_empty() {
            return Err(wanted.to_owned());
        }
        let (name, threshold) = match how.split_once(':') {
            None => (how, THRESHOLD),
            Some(("fuzzy", share)) => {
                let share = share.parse();
                ("fuzzy", share.map_err(|_| wanted.to_owned())?)
            }
            Some(_) => return Err(wanted.to_owned()),
        };
        let by = Match::named(&name.replace('-', "_"), threshold);
        Ok(Rule {
            field: field.to_owned(),
            by: by.map_err(|error| format!("{error}; {wanted}"))?,
        })
    }
}

/// What makes an answer right.
#[derive(Clone, Debug, Default)]
pub(super) struct Judge {
    /// The fields that count; every field of the right answer if there are none.
    fields: Vec<String>,
    /// Fields that are not compared exactly.
    rules: BTreeMap<String, Match>,
    /// The field that says yes or no.
    label: Option<String>,
}

impl Judge {
    /// A judge of these tasks. Refuses tasks that it could not judge.
    pub(super) fn new(
        fields: &[String],
        rules: &[Rule],
        label: Option<&str>,
        file: &Path,
        tasks: &[Task],
    ) -> Result<Judge, Problems> {
        let judge = Judge {
            fields: fields.to_vec(),
            rules: rules
                .iter()
                .map(|rule| (rule.field.clone(), rule.by))
                .collect(),
            label: label.map(str::to_owned),
        };
        let scored: BTreeSet<&str> = tasks
            .iter()
            .flat_map(|task| judge.scored(&task.gold))
            .map(|(field, _)| field.as_str())
            .collect();
        let all: Vec<&str> = scored.iter().copied().collect();
        if let Some(field) = judge.rules.keys().find(|it| !scored.contains(it.as_str())) {
            let problem = Problem::new(format!("`--match {field}=…`: no such field is scored"));
            return Err(problem.help(one_of(field, "scored are", &all)).into());
        }
        let mut wrong = Wrong::new(file);
        for task in tasks {
            if let Some(what) = judge.odd(&task.gold) {
                wrong.line(task.line, what);
            }
        }
        wrong.end("mend the line, or say otherwise with `--fields`, `--match` or `--label`")?;
        Ok(judge)
    }

    /// The fields of a right answer that count.
    pub(super) fn scored<'a>(
        &'a self,
        gold: &'a Map<String, Value>,
    ) -> impl Iterator<Item = (&'a String, &'a Value)> {
        let counts = |field: &String| self.fields.is_empty() || self.fields.contains(field);
        gold.iter().filter(move |(field, _)| counts(field))
    }

    /// Which scored fields of an answer are right. What is not there is wrong.
    pub(super) fn right(
        &self,
        gold: &Map<String, Value>,
        answer: Option<&Value>,
    ) -> BTreeMap<String, bool> {
        let field = |(field, gold): (&String, &Value)| {
            let said = answer.and_then(|answer| answer.get(field));
            // A text too long to be compared is like no gold.
            let right = |said| self.by(field).matches(said, gold).unwrap_or(false);
            (field.clone(), said.is_some_and(right))
        };
        self.scored(gold).map(field).collect()
    }

    /// The yes or no, if these tasks ask for one.
    pub(super) fn label(&self, gold: &Map<String, Value>, answer: Option<&Value>) -> Option<Label> {
        let field = self.label.as_ref()?;
        Some(Label {
            gold: gold.get(field)?.as_bool()?,
            said: answer.and_then(|answer| answer.get(field)?.as_bool()),
        })
    }

    fn by(&self, field: &str) -> Match {
        self.rules.get(field).copied().unwrap_or(Match::Exact)
    }

    /// Why no answer can be held against this.
    fn odd(&self, gold: &Map<String, Value>) -> Option<String> {
        if let Some(field) = self.fields.iter().find(|field| !gold.contains_key(*field)) {
            return Some(format!(
                "its `gold` has no `{field}`, which is to be scored"
            ));
        }
        if let Some(field) = &self.label {
            match gold.get(field) {
                Some(Value::Bool(_)) => {}
                None => return Some(format!("its `gold` has no `{field}`, which is the label")),
                Some(other) => {
                    let kind = kind(other);
                    return Some(format!(
                        "its `{field}` is {kind}; a label is `true` or `false`"
                    ));
                }
            }
        }
        self.scored(gold).find_map(|(field, gold)| {
            let is = kind(gold);
            match self.by(field) {
                // It matches itself exactly if it can be read as what it must be.
                Match::Numeric if !Match::Numeric.matches(gold, gold).unwrap_or(false) => {
                    Some(format!("its `{field}` is {is}, and compared as a number"))
                }
                Match::Set if !gold.is_array() => {
                    Some(format!("its `{field}` is {is}, and compared as a set"))
                }
                Match::Fuzzy(_) if text(gold).chars().count() > LONGEST => Some(format!(
                    "its `{field}` is too long to be compared by likeness: {LONGEST} characters \
                     are the most"
                )),
                _ => None,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::eval::tasks;

    fn task(line: usize, gold: Value) -> Task {
        let Value::Object(gold) = gold else {
            panic!("{gold} is no object")
        };
        Task {
            line,
            id: line.to_string(),
            set: tasks::SET.to_owned(),
            input: json!({}),
            gold,
        }
    }

    fn judge(fields: &[&str], rules: &[&str], label: Option<&str>, gold: Value) -> Judge {
        let fields: Vec<String> = fields.iter().map(|it| (*it).to_owned()).collect();
        let rules: Vec<Rule> = rules.iter().map(|it| it.parse().unwrap()).collect();
        let tasks = [task(1, gold)];
        Judge::new(&fields, &rules, label, Path::new("t.jsonl"), &tasks).unwrap()
    }

    #[test]
    fn every_field_of_the_gold_counts_unless_some_are_named() {
        let gold = json!({"a": 1, "b": "X", "c": null});
        let answer = json!({"a": 1, "b": "x", "more": true});
        let right = |judge: Judge| {
            let gold = gold.as_object().unwrap();
            let right = judge.right(gold, Some(&answer)).into_iter();
            right
                .map(|(field, right)| format!("{field} {right}"))
                .collect::<Vec<_>>()
                .join(", ")
        };
        let table: [(&[&str], &[&str], &str); 4] = [
            (&[], &[], "a true, b false, c false"),
            (&["a"], &[], "a true"),
            (&[], &["b=case-insensitive"], "a true, b true, c false"),
            (&["b", "c"], &["b=case_insensitive"], "b true, c false"),
        ];
        for (fields, rules, expected) in table {
            let judge = judge(fields, rules, None, gold.clone());
            assert_eq!(right(judge), expected, "{fields:?} {rules:?}");
        }
    }

    #[test]
    fn no_answer_is_wrong_in_every_field_and_says_nothing() {
        let gold = json!({"yes": true, "x": null});
        let judge = judge(&[], &[], Some("yes"), gold.clone());
        let gold = gold.as_object().unwrap();
        for answer in [None, Some(json!([])), Some(json!("yes")), Some(json!({}))] {
            let right = judge.right(gold, answer.as_ref());
            assert!(right.values().all(|it| !it), "{answer:?}");
            assert_eq!(right.len(), 2);
            let label = judge.label(gold, answer.as_ref()).unwrap();
            assert_eq!((label.gold, label.said), (true, None), "{answer:?}");
        }
        let said = json!({"yes": false});
        let label = judge.label(gold, Some(&said)).unwrap();
        assert_eq!(label.said, Some(false));
    }

    #[test]
    fn a_rule_is_a_field_and_a_way_to_compare() {
        let table = [
            ("a=exact", Ok(Match::Exact)),
            ("a=case-insensitive", Ok(Match::CaseInsensitive)),
            ("a=numeric", Ok(Match::Numeric)),
            ("a=set", Ok(Match::Set)),
            ("a=fuzzy", Ok(Match::Fuzzy(THRESHOLD))),
            ("a=fuzzy:0.9", Ok(Match::Fuzzy(0.9))),
            ("a=fuzzy:1.5", Err("`1.5` is not between 0 and 1")),
            ("a=fuzzy:x", Err("write `FIELD=HOW`")),
            ("a=set:1", Err("write `FIELD=HOW`")),
            ("a=soundex", Err("unknown match type `soundex`")),
            ("a", Err("write `FIELD=HOW`")),
            ("=exact", Err("write `FIELD=HOW`")),
        ];
        for (text, expected) in table {
            match (Rule::from_str(text), expected) {
                (Ok(rule), Ok(by)) => assert_eq!((rule.field.as_str(), rule.by), ("a", by)),
                (Err(why), Err(words)) => assert!(why.contains(words), "{text}: {why}"),
                (found, expected) => panic!("{text}: {found:?}, not {expected:?}"),
            }
        }
    }

    #[test]
    fn gold_that_nothing_can_be_held_against_is_refused_by_line() {
        type Asked<'a> = (&'a [&'a str], &'a [&'a str], Option<&'a str>);
        let table: [(Value, Asked<'_>, &str); 7] = [
            (
                json!({"a": 1}),
                (&["b"], &[], None),
                "line 7: its `gold` has no `b`, which is to be scored",
            ),
            (
                json!({"a": 1}),
                (&[], &[], Some("b")),
                "line 7: its `gold` has no `b`, which is the label",
            ),
            (
                json!({"a": 1}),
                (&[], &[], Some("a")),
                "line 7: its `a` is a number; a label is `true` or `false`",
            ),
            (
                json!({"a": "ten"}),
                (&[], &["a=numeric"], None),
                "line 7: its `a` is text, and compared as a number",
            ),
            (
                json!({"a": "ten"}),
                (&[], &["a=set"], None),
                "line 7: its `a` is text, and compared as a set",
            ),
            (
                json!({"a": "x".repeat(LONGEST + 1)}),
                (&[], &["a=fuzzy"], None),
                "line 7: its `a` is too long to be compared by likeness",
            ),
            (
                json!({"vendor": 1}),
                (&[], &["vendr=exact"], None),
                "`--match vendr=…`: no such field is scored",
            ),
        ];
        for (gold, (fields, rules, label), expected) in table {
            let fields: Vec<String> = fields.iter().map(|it| (*it).to_owned()).collect();
            let rules: Vec<Rule> = rules.iter().map(|it| it.parse().unwrap()).collect();
            let tasks = [task(7, gold)];
            let judge = Judge::new(&fields, &rules, label, Path::new("t.jsonl"), &tasks);
            let why = judge.unwrap_err().to_string();
            assert!(why.contains(expected), "{why}");
        }
    }
}
