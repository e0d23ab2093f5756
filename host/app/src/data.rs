//! Data sets made here: the same seed gives the same bytes on every machine, for
//! ever.
//!
//! A set is records, gold answers in a file of their own, and whatever else the
//! tools need. Making a set touches no file, only the command writes one; and no
//! record carries its own answer: what an agent is given must not hold the label.

pub(crate) mod compat;
pub(crate) mod draw;
pub(crate) mod invoices;
pub(crate) mod leak;
pub(crate) mod reconciliations;
pub(crate) mod requests;
pub(crate) mod suite;
pub(crate) mod transactions;
mod written;

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use crate::command::{Exit, Output, Problem};
use crate::screen;

#[derive(Args)]
pub(crate) struct DataArgs {
    /// Which set
    #[arg(value_parser = clap::builder::PossibleValuesParser::new(SETS.map(|set| set.name)))]
    set: String,
    /// Decides every draw: equal seeds give equal files
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// Where to write the files
    #[arg(long, value_name = "DIR", default_value = ".")]
    out: PathBuf,
}

/// Makes a set and writes its files.
pub(crate) fn command(args: &DataArgs, output: Output) -> Result<Exit, Problem> {
    let Some(set) = set(&args.set) else {
        return Err(Problem::failed("no such set"));
    };
    let mut written = Vec::new();
    for file in (set.files)(args.seed) {
        let path = args.out.join(file.name);
        std::fs::create_dir_all(&args.out)
            .and_then(|()| std::fs::write(&path, file.text))
            .map_err(|e| Problem::failed(format!("cannot write `{}`: {e}", path.display())))?;
        written.push(path.display().to_string());
    }
    match output.json {
        true => {
            let told = serde_json::json!({"set": set.name, "seed": args.seed, "files": written});
            screen::json(&told.to_string());
        }
        false => screen::result(&format!("{}\n{}", set.about, written.join("\n"))),
    }
    Ok(Exit::Done)
}

/// One file of a set.
pub(crate) struct File {
    /// Its name.
    pub(crate) name: &'static str,
    /// Its text, with a newline at the end.
    pub(crate) text: String,
}

/// How hard a record is to get right. For choosing and grouping, not for agents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Difficulty {
    Easy,
    Medium,
    Hard,
}

/// A data set that can be made.
pub(crate) struct Set {
    /// The word used on the command line.
    pub(crate) name: &'static str,
    /// One line about it.
    pub(crate) about: &'static str,
    /// Its files for a seed.
    pub(crate) files: fn(u64) -> Vec<File>,
}

/// Every set, in the order they are listed.
pub(crate) const SETS: [Set; 7] = [
    Set {
        name: "invoices",
        about: "100 invoices: 15 with an OCR fault, 10 with a missing field, 8 duplicates",
        files: |seed| invoices::generate(seed).files(),
    },
    Set {
        name: "transactions",
        about: "60 card payments: 18 frauds of three kinds, 12 near ones, 15 decoys",
        files: |seed| transactions::generate(&transactions::EVERYDAY, seed).files(),
    },
    Set {
        name: "high-value",
        about: "40 card payments above 10000: 16 frauds of three kinds, 8 near ones, 10 decoys",
        files: |seed| transactions::generate(&transactions::HIGH_VALUE, seed).files(),
    },
    Set {
        name: "reconciliations",
        about: "40 reconciliations: 14 match perfectly, 14 need logic, 12 a person",
        files: |seed| reconciliations::generate(&reconciliations::EXAMPLE, seed).files(),
    },
    Set {
        name: "requests",
        about: "40 purchase requests: 8 fall at validation, 18 go to a manager, 14 to finance",
        files: |seed| requests::generate(seed).files(),
    },
    Set {
        name: "bench-transactions",
        about: "100 card payments for the benchmark: 10 frauds of three kinds, 20 near ones, \
                35 decoys",
        files: |seed| transactions::generate(&transactions::BENCHMARK, seed).files(),
    },
    Set {
        name: "bench-reconciliations",
        about: "100 reconciliations for the benchmark: 54 match perfectly, 31 need logic, \
                15 a person",
        files: |seed| reconciliations::generate(&reconciliations::BENCHMARK, seed).files(),
    },
];

/// The set of this name.
pub(crate) fn set(name: &str) -> Option<&'static Set> {
    SETS.iter().find(|set| set.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_found_by_its_name_and_by_nothing_else() {
        assert_eq!(set("invoices").map(|set| set.name), Some("invoices"));
        assert!(set("invoice").is_none());
    }
}
