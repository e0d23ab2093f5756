//! What a run did as a sequence diagram in the language of Mermaid.

use std::collections::BTreeSet;
use std::fmt::Write;

use hotcell_broker::meter::Effect;
use hotcell_broker::text;
use hotcell_workflow::engine::{Attempt, Report};
use hotcell_workflow::machine::Audit;

use crate::report::time;

/// The longest label.
const SHOWN: usize = 80;

/// Who takes part, by number, and what they did.
#[derive(Default)]
struct Diagram {
    names: Vec<String>,
    lines: String,
}

/// The diagram, ready to print.
pub(crate) fn diagram(report: &Report) -> String {
    let mut diagram = Diagram::default();
    let mut drawn = BTreeSet::new();
    for audit in &report.audit {
        match audit {
            Audit::Step { path, .. } => {
                diagram.attempts(report, &mut drawn, |attempt| *attempt.step == **path);
            }
            Audit::Transition {
                from, to, taken, ..
            } => {
                let from = from.as_deref().unwrap_or("the beginning");
                let went = if *taken { "to" } else { "not to" };
                diagram.note(&format!("from {from} {went} {to}"));
            }
        }
    }
    // What has not ended has no record for the auditor yet.
    diagram.attempts(report, &mut drawn, |_| true);
    diagram.note(report.status);
    diagram.print()
}

impl Diagram {
    fn attempts(
        &mut self,
        report: &Report,
        drawn: &mut BTreeSet<usize>,
        which: impl Fn(&Attempt) -> bool,
    ) {
        for (at, attempt) in report.attempts.iter().enumerate() {
            if which(attempt) && drawn.insert(at) {
                self.attempt(report, attempt);
            }
        }
    }

    fn attempt(&mut self, report: &Report, attempt: &Attempt) {
        let (step, number) = (&attempt.step, attempt.attempt);
        let who = self.who(step);
        self.line(&format!("host->>{who}: "), &format!("try {number}"));
        self.effects(report, step, number, &who);
        self.line(&format!("{who}-->>host: "), &attempt.outcome);
        for (gate, verdict) in &attempt.gates {
            let path = format!("{step}/{gate}");
            let judge = self.who(&path);
            self.line(&format!("host->>{judge}: "), "gate");
            self.effects(report, &path, number, &judge);
            self.line(&format!("{judge}-->>host: "), verdict);
        }
        let waited =
            |wait: &&hotcell_workflow::engine::Wait| wait.step == *step && wait.attempt == number;
        for wait in report.waits.iter().filter(waited) {
            self.note(&format!("wait {}", time(wait.ms.saturating_mul(1_000))));
        }
    }

    fn effects(&mut self, report: &Report, step: &str, attempt: u32, who: &str) {
        let own = |it: &&Effect| it.step == step && it.attempt == attempt;
        let mut effects: Vec<&Effect> = report.records.effects.iter().filter(own).collect();
        effects.sort_by_key(|effect| effect.sequence);
        for effect in effects {
            let of = format!("{} {}", effect.capability.name(), effect.resource);
            let other = self.who(&of);
            self.line(&format!("{who}->>{other}: "), "call");
            self.line(&format!("{other}-->>{who}: "), effect.outcome);
        }
    }

    /// The name in the diagram of somebody; labels are not names there.
    fn who(&mut self, name: &str) -> String {
        let at = match self.names.iter().position(|known| known == name) {
            Some(at) => at,
            None => {
                self.names.push(name.to_owned());
                self.names.len() - 1
            }
        };
        format!("p{at}")
    }

    fn note(&mut self, text: &str) {
        self.line("note over host: ", text);
    }

    fn line(&mut self, begin: &str, said: &str) {
        let _ = writeln!(self.lines, "    {begin}{}", label(said));
    }

    fn print(&self) -> String {
        let mut out = "sequenceDiagram\n    participant host\n".to_owned();
        for (at, name) in self.names.iter().enumerate() {
            let _ = writeln!(out, "    participant p{at} as {}", label(name));
        }
        out.push_str(self.lines.trim_end());
        out
    }
}

/// A text that means nothing to Mermaid: all but letters, digits and a few signs
/// as entities.
fn label(text: &str) -> String {
    let mut out = String::new();
    for c in text::line(text, SHOWN).chars() {
        if c.is_alphanumeric() || " ._-/()µ".contains(c) {
            out.push(c);
        } else {
            let _ = write!(out, "#{};", u32::from(c));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_label_says_anything_to_mermaid() {
        let table = [
            ("approve", "approve"),
            ("a: b; c", "a#58; b#59; c"),
            ("a\nhost->>p1: x", "a#92;nhost-#62;#62;p1#58; x"),
            ("%%{init}", "#37;#37;#123;init#125;"),
            ("<b>#35;", "#60;b#62;#35;35#59;"),
        ];
        for (text, shown) in table {
            assert_eq!(label(text), shown);
        }
        assert!(label(&"x".repeat(1_000)).len() < 2 * SHOWN);
    }
}
