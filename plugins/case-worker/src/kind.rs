//! What the kind of a task asks for.

use hotcell_sdk::Failure;

use crate::case::{Aspect, Case, Stage};

/// What is to be done.
#[derive(Debug)]
pub(crate) enum Kind {
    /// These stages, the last included.
    Stages { first: Stage, last: Stage },
    /// Ingest, normalise, and say who looks at what.
    Plan,
    /// What one specialist has to say.
    Aspect(&'static Aspect),
    /// Hold an answer against the record.
    Critique,
}

/// Reads a kind.
pub(crate) fn of(text: &str, case: &'static Case) -> Result<Kind, Failure> {
    let stages = match text.split_once("..") {
        Some((first, last)) => Stage::named(first).zip(Stage::named(last)),
        None => Stage::named(text).map(|stage| (stage, stage)),
    };
    match (stages, text) {
        (Some((first, last)), _) if first <= last => return Ok(Kind::Stages { first, last }),
        (_, "plan") => return Ok(Kind::Plan),
        (_, "critique") => return Ok(Kind::Critique),
        _ => {}
    }
    if let Some(aspect) = case.aspects.iter().find(|it| it.name == text) {
        return Ok(Kind::Aspect(aspect));
    }
    let stages = Stage::ALL
        .map(|stage| format!("`{}`", stage.name()))
        .join(", ");
    let aspects: Vec<_> = case
        .aspects
        .iter()
        .map(|it| format!("`{}`", it.name))
        .collect();
    Err(Failure::permanent(format!(
        "the task's kind is `{text}`; it must be a stage ({stages}), a range such as \
         `enrich..check`, an aspect ({}), `plan` or `critique`",
        aspects.join(", ")
    )))
}
