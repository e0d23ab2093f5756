//! A run as it is kept: read back, verified, and told.

use std::sync::Arc;

use hotcell_store::journal::{Filter, JournalError, Reader, RunRow};
use hotcell_workflow::engine::history::History;
use hotcell_workflow::engine::{Report, told};
use hotcell_workflow::machine::Audit;

use crate::command::{Exit, Problem};
use crate::definition::Definition;
use crate::state::State;

/// The shortest ending of an id that names a run.
const ENDING: usize = 8;

/// A run with all that the journal has of it.
pub(crate) struct Kept {
    pub(crate) row: RunRow,
    pub(crate) history: History,
    pub(crate) definition: Definition,
}

impl Kept {
    /// Reads a run; every record of it is verified.
    pub(crate) fn read(state: &State, reader: &Reader, row: RunRow) -> Result<Kept, Problem> {
        let records = reader.records(&row.run);
        let records = records.map_err(|error| state.problem(&error))?;
        let history = History::of(&records).map_err(|error| unreadable(&row, &error))?;
        let definition = Definition::of(&history)?;
        Ok(Kept {
            row,
            history,
            definition,
        })
    }

    /// How many steps ended.
    pub(crate) fn steps(&self) -> usize {
        let steps = |it: &&Audit| matches!(it, Audit::Step { .. });
        self.history.audit.iter().filter(steps).count()
    }

    /// What the journal tells of it. Nothing is executed.
    pub(crate) fn report(&self) -> Report {
        let plan = Arc::new(self.definition.plan.clone());
        told(&plan, &self.row.run, &self.history)
    }
}

/// All runs, the newest first.
pub(crate) fn all(state: &State, reader: &Reader) -> Result<Vec<RunRow>, Problem> {
    let rows = reader.runs(&Filter::default());
    rows.map_err(|error| state.problem(&error))
}

/// The run of this id, or of its beginning; else the newest of the record of this
/// id; else the run whose id ends so. Ids begin with the time, so that those made
/// together are told apart by their ends.
pub(crate) fn find(state: &State, reader: &Reader, name: &str) -> Result<RunRow, Problem> {
    let found = match reader.run(name) {
        Err(JournalError::Unknown(_)) => among(all(state, reader)?, name),
        found => found,
    };
    found.map_err(|error| state.problem(&error))
}

/// Which of these, the newest first, is meant by a name that no id begins with.
fn among(rows: Vec<RunRow>, name: &str) -> Result<RunRow, JournalError> {
    if let Some(row) = rows.iter().find(|row| row.task == name) {
        return Ok(row.clone());
    }
    let ends = |row: &RunRow| name.len() >= ENDING && row.run.ends_with(name);
    let mut ending = rows.into_iter().filter(ends);
    match (ending.next(), ending.next()) {
        (Some(row), None) => Ok(row),
        (Some(_), Some(_)) => Err(JournalError::Ambiguous(name.to_owned())),
        (None, _) => Err(JournalError::Unknown(name.to_owned())),
    }
}

/// So much of the ends of ids tells each run from all others.
pub(crate) fn ending(rows: &[RunRow]) -> usize {
    let mut ends: Vec<String> = rows
        .iter()
        .map(|row| row.run.chars().rev().collect())
        .collect();
    ends.sort_unstable();
    let alike = |(a, b): (&String, &String)| {
        let same = a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b);
        same.count() + 1
    };
    let pairs = ends.iter().zip(ends.iter().skip(1));
    pairs.map(alike).max().unwrap_or(0).max(ENDING)
}

fn unreadable(row: &RunRow, error: &dyn std::fmt::Display) -> Problem {
    let report = miette::miette!(
        help = "use the Hotcell that wrote it, or a newer one",
        "run `{}` cannot be read: {error}",
        row.run
    );
    Problem::new(Exit::Failed, report)
}
