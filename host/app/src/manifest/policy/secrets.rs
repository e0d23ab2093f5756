//! `secrets_reveal`: secrets whose values a plugin may be told. It says nothing about
//! handles, which are granted under `secrets`.

use std::collections::BTreeSet;

use hotcell_broker::Capability;
use hotcell_broker::policy::reveal;

use super::Given;
use crate::manifest::reader::Reader;
use crate::manifest::tree::Node;

/// The key.
pub(super) const REVEAL: &str = "secrets_reveal";

pub(super) fn read(reader: &mut Reader, node: &Node, given: &mut Given<'_>) -> BTreeSet<String> {
    let named = reader.texts(node, REVEAL);
    for name in &named {
        given.note(Capability::Secrets, reveal(&name.name), &name.spot);
    }
    named.into_iter().map(|it| it.name).collect()
}
