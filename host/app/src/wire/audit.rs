//! Where what is done is written down, for runs that are kept.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hotcell_broker::audit::{Facts, Trail};
use hotcell_store::audit::{Audit, AuditError};
use hotcell_store::books::Books;

use crate::command::{Exit, Problem};
use crate::definition::Pinned;
use crate::operator::operator;
use crate::state::clock;
use crate::wire::ModelInUse;

/// The audit's folder in the host's own.
pub(crate) fn folder(state: &Path) -> PathBuf {
    state.join("audit")
}

/// The trail of one workflow.
pub(super) fn trail(
    state: &Path,
    books: &Books,
    (workflow, policy): (&str, &str),
    plugins: &BTreeMap<String, Pinned>,
    models: &[ModelInUse],
) -> Result<Trail, Problem> {
    let dir = folder(state);
    let audit = Audit::open(&dir).map_err(|error| unavailable(&dir, &error))?;
    let digest = |(name, pinned): (&String, &Pinned)| {
        let digest = format!("sha256:{}", pinned.digest);
        (name.clone(), digest)
    };
    let model = |model: &ModelInUse| (model.alias.clone(), model.what.clone());
    let facts = Facts {
        workflow: workflow.to_owned(),
        user: operator(),
        policy: policy.to_owned(),
        agents: plugins.iter().map(digest).collect(),
        models: models.iter().map(model).collect(),
    };
    Ok(Trail::new(audit, books.clone(), clock(), facts))
}

/// Why nothing can be written down, and what to do: without it nothing is done.
pub(crate) fn unavailable(dir: &Path, error: &AuditError) -> Problem {
    let help = match error {
        AuditError::Full => "make room on the disk",
        AuditError::Damaged(_) => {
            "`hotcell audit verify` says what is the matter; to go on, move the folder away as a \
             whole and keep it"
        }
        AuditError::Failed(_) | AuditError::Unfit { .. } => {
            "see that the folder can be written, or name another one with `--state`"
        }
    };
    let report = miette::miette!(
        code = "audit.unavailable",
        help = help,
        "nothing is done that cannot be written down in `{}`: {error}",
        dir.display()
    );
    Problem::new(Exit::Failed, report)
}
