//! Three things that are harmless two by two and not together: data that is not
//! for everybody, words of strangers, and a way out. Whoever has all three can be
//! talked into sending the first by the second through the third.
//!
//! A warning, not a refusal: the grants are the operator's. The rule knows what
//! a grant is good for, not what a plugin does with it.

use std::collections::{BTreeMap, BTreeSet};

use hotcell_broker::Capability;

use super::{Line, PolicyFile};
use crate::manifest::problem::Problem;
use crate::manifest::reader::Named;

/// One of the three.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    /// Data that is not for everybody.
    Private,
    /// Words that a stranger may have written.
    Untrusted,
    /// A way to somebody outside.
    Sends,
}

impl Part {
    pub(crate) const ALL: [Part; 3] = [Part::Private, Part::Untrusted, Part::Sends];

    /// The word for it in a policy.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Part::Private => "private",
            Part::Untrusted => "untrusted",
            Part::Sends => "sends",
        }
    }

    fn label(self) -> &'static str {
        match self {
            Part::Private => "this is data that is not for everybody",
            Part::Untrusted => "strangers may write what is read here",
            Part::Sends => "and this leads out",
        }
    }
}

/// What the policy says of tools: nobody else knows what is behind one.
pub(crate) type Tools = BTreeMap<String, BTreeSet<Part>>;

/// What a grant is good for.
fn parts(line: &Line, tools: &Tools) -> BTreeSet<Part> {
    use Part::{Private, Sends, Untrusted};
    match line.capability {
        Capability::Files | Capability::Memory | Capability::Secrets => [Private].into(),
        // Where a request goes is a message too, so no method only reads.
        Capability::Http => [Untrusted, Sends].into(),
        Capability::Tools => tools.get(&line.resource).cloned().unwrap_or_default(),
        Capability::Llm | Capability::Delegate | Capability::Approval => BTreeSet::new(),
    }
}

/// For each plugin that has all three: one line for each, in the order of
/// [`Part::ALL`]. A plugin has what an agent has that it may ask.
fn lethal<'a>(lines: &'a [Line], tools: &Tools) -> BTreeMap<&'a str, [&'a Line; 3]> {
    let mut has: BTreeMap<&str, BTreeMap<Part, &Line>> = BTreeMap::new();
    for line in lines {
        let own = has.entry(&line.plugin).or_default();
        for part in parts(line, tools) {
            own.entry(part).or_insert(line);
        }
    }
    // So often that what is behind a chain of agents reaches its beginning.
    for _ in 0..has.len() {
        for line in lines {
            if line.capability != Capability::Delegate {
                continue;
            }
            let others: Vec<Part> = has
                .get(line.resource.as_str())
                .into_iter()
                .flat_map(|parts| parts.keys().copied())
                .collect();
            let own = has.entry(&line.plugin).or_default();
            for part in others {
                own.entry(part).or_insert(line);
            }
        }
    }
    has.into_iter()
        .filter_map(|(plugin, parts)| {
            let line = |part| parts.get(&part).copied();
            let [one, two, three] = Part::ALL;
            Some((plugin, [line(one)?, line(two)?, line(three)?]))
        })
        .collect()
}

/// A warning for each plugin that has all three and no reason to.
pub(crate) fn warnings(file: &PolicyFile) -> Vec<Problem> {
    let found = lethal(&file.lines, &file.tools);
    let mut warnings = Vec::new();
    for (plugin, lines) in &found {
        if file.reasons.contains_key(*plugin) {
            continue;
        }
        let message = format!("`{plugin}` can be talked into giving private data away");
        let mut problem = Problem::new(message).warning();
        let mut seen: Vec<(&Line, Vec<&str>)> = Vec::new();
        for (part, line) in Part::ALL.into_iter().zip(lines) {
            match seen.iter_mut().find(|(it, _)| std::ptr::eq(*it, *line)) {
                Some((_, labels)) => labels.push(part.label()),
                None => seen.push((line, vec![part.label()])),
            }
        }
        for (line, labels) in seen {
            problem = problem.at(&line.spot, labels.join("; "));
        }
        warnings.push(problem.help(
            "split it in two plugins, or take one of the three away; if it has to be, say why: \
             `allow_trifecta = \"…\"`",
        ));
    }
    for (plugin, reason) in &file.reasons {
        if !found.contains_key(plugin.as_str()) {
            warnings.push(needless(plugin, reason));
        }
    }
    warnings
}

fn needless(plugin: &str, reason: &Named) -> Problem {
    let message = format!("`allow_trifecta` of `{plugin}` allows nothing");
    Problem::new(message)
        .at(&reason.spot, "it has not all three")
        .help("leave it out, so that it does not cover what is granted later")
        .warning()
}

#[cfg(test)]
mod tests;
