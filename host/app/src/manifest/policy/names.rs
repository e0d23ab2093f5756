//! Grants that are lists of names: `llm`, `tools`, `approval`.

use std::collections::BTreeSet;

use hotcell_broker::Capability;

use super::Given;
use crate::manifest::reader::Reader;
use crate::manifest::tree::Node;

pub(super) fn read(
    reader: &mut Reader,
    node: &Node,
    capability: Capability,
    given: &mut Given<'_>,
) -> BTreeSet<String> {
    let named = reader.texts(node, capability.name());
    for name in &named {
        given.note(capability, name.name.clone(), &name.spot);
    }
    named.into_iter().map(|it| it.name).collect()
}
