//! `digest`: the only components that a plugin's grants are for.
//!
//! A name can be given to anything; a digest cannot. Grants to whoever signed a
//! component need packages that are signed, which this host does not have.

use hotcell_store::Digest;

use crate::manifest::problem::{Problem, Spot};
use crate::manifest::reader::Reader;
use crate::manifest::tree::{Kind, Node};

/// A component that is granted something, and where the policy says so.
#[derive(Clone, Debug)]
pub(crate) struct Component {
    /// Which.
    pub(crate) digest: Digest,
    /// Where.
    pub(crate) spot: Spot,
}

const PREFIX: &str = "sha256:";

/// One digest, or a list of them.
pub(super) fn read(reader: &mut Reader, node: &Node) -> Vec<Component> {
    let items = match &node.kind {
        Kind::List(items) => items.as_slice(),
        _ => std::slice::from_ref(node),
    };
    if items.is_empty() {
        let help = "name one, or leave `digest` out for any component of this name";
        reader.wrong(
            &node.span,
            "`digest` is empty",
            "no component is meant",
            help,
        );
    }
    let mut components: Vec<Component> = Vec::new();
    for item in items {
        let Some(text) = reader.text(item, "digest") else {
            continue;
        };
        let spot = reader.spot(&item.span);
        let digest = text.strip_prefix(PREFIX).and_then(Digest::from_hex);
        let Some(digest) = digest.filter(|_| text == text.to_ascii_lowercase()) else {
            let help = "write it as `hotcell inspect` does: `sha256:` and 64 digits from 0 to f";
            reader.wrong(
                &item.span,
                format!("`{text}` is no digest"),
                "not one",
                help,
            );
            continue;
        };
        match components.iter().find(|it| it.digest == digest) {
            Some(first) => reader.push(
                Problem::new("the same component is twice in `digest`")
                    .at(&first.spot, "here first")
                    .at(&spot, "and here again")
                    .help("leave one of them out"),
            ),
            None => components.push(Component { digest, spot }),
        }
    }
    components
}
