//! What arms and stages are called in a report.

use super::text::short;
use crate::findings::{ArmFindings, Findings};
use crate::trial::{Benchmark, Variant};

/// The longest name in a table or a paragraph, in characters.
const LONGEST: usize = 80;

/// The pattern's name as words.
pub(super) fn pattern(name: &str) -> String {
    short(name, LONGEST).replace('_', " ")
}

/// The arm's name: its pattern's if it has no other.
pub(super) fn arm(of: &ArmFindings) -> String {
    if of.arm == of.pattern_name {
        pattern(&of.pattern_name)
    } else {
        short(&of.arm, LONGEST)
    }
}

/// The same for an arm that is named only.
pub(super) fn of(findings: &Findings, id: &str) -> String {
    match findings.of_arm(id) {
        Some(found) => arm(found),
        None => short(id, LONGEST),
    }
}

/// Whether the course has anything to say of it.
pub(super) fn is_course(findings: &Findings) -> bool {
    findings.meta.benchmark == Benchmark::Agentarch
}

/// What is special about an arm, in contrast to the main arm of its pattern, if
/// anything is.
pub(super) fn variant(of: &Variant, main: Option<&Variant>) -> Option<String> {
    let usual = Variant::default();
    let main = main.unwrap_or(&usual);
    let mut parts = Vec::new();
    if of.rho != main.rho {
        parts.push(format!("ρ = {}", of.rho));
    }
    match of.gates {
        gates if gates == main.gates => {}
        Some(true) => parts.push("with gates".to_owned()),
        Some(false) => parts.push("without gates".to_owned()),
        None => {}
    }
    if of.adaptive != main.adaptive {
        let kind = if of.adaptive { "adaptive" } else { "fixed" };
        parts.push(format!("{kind} number of voters"));
    }
    if of.stages != main.stages && of.stages > 0 {
        parts.push(super::number::counted(of.stages.into(), "stage"));
    }
    if of.without != main.without && !of.without.is_empty() {
        parts.push(format!(
            "without {}",
            short(&of.without.join(", "), LONGEST)
        ));
    }
    (!parts.is_empty()).then(|| parts.join(", "))
}
