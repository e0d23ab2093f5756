//! What a process that was killed did not write down any more: what came of an
//! effect that it was about to make.

use std::collections::{BTreeMap, BTreeSet};

use hotcell_broker::audit::in_doubt;
use hotcell_store::audit::{append_now, walk};
use serde_json::Value;

use super::{Stopped, wrong};
use crate::command::Problem;
use crate::state::State;
use crate::wire::{self, audit::folder};

/// Which effect a record is about: run, step, try and number.
type Effect = (String, String, u64, u64);

/// Writes `in-doubt` for each effect of these runs that was about to be made and of
/// which no record says what came. Nobody may work on them meanwhile. How many.
pub(crate) fn mend(state: &State, runs: &BTreeSet<&str>) -> Result<usize, Problem> {
    let mut open: BTreeMap<Effect, Vec<Value>> = BTreeMap::new();
    let walked = walk::<Stopped>(&folder(state.dir()), |_, line| {
        let Ok(record) = serde_json::from_str::<Value>(line) else {
            return Ok(());
        };
        let text = |key: &str| record.get(key).and_then(Value::as_str).unwrap_or_default();
        let number = |key: &str| record.get(key).and_then(Value::as_u64);
        let (run, kind, decision) = (text("run_id"), text("kind"), text("decision"));
        let Some(sequence) = number("sequence").filter(|_| runs.contains(run)) else {
            return Ok(());
        };
        let attempt = number("attempt").unwrap_or_default();
        let effect = (
            run.to_owned(),
            text("step_id").to_owned(),
            attempt,
            sequence,
        );
        match (kind, decision) {
            ("decision", "allowed") => open.entry(effect).or_default().push(record),
            ("effect", _) => drop(open.get_mut(&effect).and_then(Vec::pop)),
            _ => {}
        }
        Ok(())
    });
    match walked {
        Ok(_) => {}
        Err(Stopped::Walk(error)) => return Err(wrong(state, &error)),
        Err(Stopped::Visit(problem)) => return Err(problem),
    }
    let now = wire::now_unix_ms();
    let lost = open.into_values().flatten();
    let records: Vec<String> = lost.map(|decision| in_doubt(decision, now)).collect();
    if !records.is_empty() {
        let dir = folder(state.dir());
        append_now(&dir, &records).map_err(|error| wire::audit::unavailable(&dir, &error))?;
    }
    Ok(records.len())
}
