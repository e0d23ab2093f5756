//! Which pattern a workflow has: each has keys of its own and a reader of its
//! own.

use hotcell_workflow::plan::{NESTING, Pattern};

use super::scope::Scope;
use super::{hierarchical, iterative, sequential, state_machine, voting};
use crate::manifest::reader::{Reader, Table};
use crate::manifest::tree::{Kind, Node};

/// How a pattern is written.
struct Form {
    /// The keys it adds to those every workflow has.
    keys: &'static [&'static str],
    read: fn(&mut Reader, &Table<'_>, &mut Scope<'_>) -> Option<Pattern>,
}

/// Every pattern by the word in the file.
const FORMS: [(&str, &Form); 5] = [
    (
        "sequential",
        &Form {
            keys: &sequential::KEYS,
            read: sequential::read,
        },
    ),
    (
        "hierarchical",
        &Form {
            keys: &hierarchical::KEYS,
            read: hierarchical::read,
        },
    ),
    (
        "iterative",
        &Form {
            keys: &iterative::KEYS,
            read: iterative::read,
        },
    ),
    (
        "state_machine",
        &Form {
            keys: &state_machine::KEYS,
            read: state_machine::read,
        },
    ),
    (
        "voting",
        &Form {
            keys: &voting::KEYS,
            read: voting::read,
        },
    ),
];

/// The keys of the pattern that this workflow says it has; of all, while it does
/// not say.
pub(super) fn keys(node: &Node) -> Vec<&'static str> {
    let word = match node.get("pattern").map(|node| &node.kind) {
        Some(Kind::Text(word)) => word.as_str(),
        _ => "",
    };
    let own = FORMS.iter().filter(|(name, _)| *name == word);
    let mut keys: Vec<_> = own.flat_map(|(_, form)| form.keys).copied().collect();
    if keys.is_empty() {
        for key in FORMS.iter().flat_map(|(_, form)| form.keys) {
            if !keys.contains(key) {
                keys.push(key);
            }
        }
    }
    keys
}

/// Reads the pattern of a workflow whose table is open.
pub(super) fn read(
    reader: &mut Reader,
    table: &Table<'_>,
    scope: &mut Scope<'_>,
) -> Option<Pattern> {
    let words: Vec<_> = FORMS.iter().map(|(word, _)| *word).collect();
    let help = format!("write `pattern: …`; there are: `{}`", words.join("`, `"));
    let form = reader
        .require(table, "pattern", &help)
        .and_then(|node| reader.choice(node, "pattern", &FORMS))?;
    (form.read)(reader, table, scope)
}

/// Reads a workflow that is a step of another one.
pub(super) fn nested(reader: &mut Reader, node: &Node, scope: &mut Scope<'_>) -> Option<Pattern> {
    if scope.depth >= NESTING {
        let message = format!("workflows stand inside of each other {NESTING} deep at most");
        let help = "make a plugin of the innermost, or steps of this one";
        reader.wrong(&node.span, message, "this one is too deep", help);
        return None;
    }
    let mut all = vec!["pattern"];
    all.extend(keys(node));
    let table = reader.table(node, "a workflow in a step", &all)?;
    scope.depth += 1;
    let pattern = read(reader, &table, scope);
    scope.depth -= 1;
    pattern
}
