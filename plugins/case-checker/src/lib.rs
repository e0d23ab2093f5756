//! Looks at what a stage of a case answered.
//!
//! It checks what a checker can without doing the work again: that copied values
//! are in the record, and that what belongs together fits together. A wrong value
//! that could be right passes; whoever wants more needs a second opinion, which is
//! what voting and critics are for.

mod case;

use hotcell_sdk::{Failure, Finding, Subject, Validator, Verdict, context};
use serde::Deserialize;
use serde_json::{Map, Value};

/// Something that is wrong with an answer.
type Findings = Vec<Finding>;

struct CaseChecker;

#[derive(Deserialize)]
struct Config {
    case: String,
}

impl Validator for CaseChecker {
    type Input = Map<String, Value>;
    type Output = Map<String, Value>;

    fn check(subject: Subject<Self::Input, Self::Output>) -> Result<Verdict, Failure> {
        let config: Config = context::config()?;
        let check = case::named(&config.case)?;
        // Of several stages at once it sees what the last of them answers.
        let kind = subject.task.kind.as_str();
        let stage = kind.split_once("..").map_or(kind, |(_, last)| last);
        Ok(Verdict::of(check(
            stage,
            &subject.task.input,
            &subject.output.value,
        )))
    }
}

hotcell_sdk::export!(validator: CaseChecker);

#[cfg(test)]
mod tests;
