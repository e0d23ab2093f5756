//! What a policy may not contain although TOML lets it: a character that does not
//! show as itself, and a `*` that would look as if it meant "all".

use hotcell_broker::text;

use crate::manifest::problem::{Problem, Source};
use crate::manifest::reader::Reader;
use crate::manifest::tree::{Kind, Node};

/// Values that are sentences or paths, in which a `*` is a character.
const FREE: [&str; 2] = ["allow_trifecta", "path"];

/// Refuses a file that reads otherwise than it looks.
pub(super) fn visible(source: &Source) -> Result<(), Problem> {
    let text = source.text();
    if text.starts_with('\u{feff}') {
        let message = format!("`{}` begins with a byte order mark", source.name());
        return Err(Problem::new(message).help("save it as UTF-8 without one"));
    }
    let hidden = |c: char| !matches!(c, '\n' | '\t' | '\r') && text::is_hidden(c);
    let Some((at, c)) = text.char_indices().find(|(_, c)| hidden(*c)) else {
        return Ok(());
    };
    let line = text.get(..at).unwrap_or_default().matches('\n').count() + 1;
    let message = format!(
        "`{}` has a character in line {line} that cannot be seen: U+{:04X}",
        source.name(),
        u32::from(c)
    );
    let help = "a policy means what people see in it; remove the character";
    Err(Problem::new(message).help(help))
}

/// Refuses every `*`. True if there was none.
pub(super) fn named(reader: &mut Reader, node: &Node) -> bool {
    let mut clean = true;
    let mut refuse = |reader: &mut Reader, text: &str, span| {
        if !text.contains('*') {
            return;
        }
        clean = false;
        reader.wrong(
            span,
            format!("`{text}` is no name: there are no wildcards"),
            "`*` stands for nothing",
            "name each; a policy grants what it names and nothing else",
        );
    };
    let mut open = vec![node];
    while let Some(node) = open.pop() {
        match &node.kind {
            Kind::Text(text) => refuse(reader, text, &node.span),
            Kind::List(items) => open.extend(items),
            Kind::Table(entries) => {
                for (key, node) in entries {
                    refuse(reader, &key.name, &key.span);
                    if !FREE.contains(&key.name.as_str()) {
                        open.push(node);
                    }
                }
            }
            Kind::Null | Kind::Bool(_) | Kind::Number(_) => {}
        }
    }
    clean
}
