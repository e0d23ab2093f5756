//! `files`: the folders that are lent to a plugin.

use hotcell_broker::Capability;
use hotcell_broker::files::{FileAccess, FileGrant, MAX_FILES, QUOTA_MIB};

use super::Given;
use crate::manifest::problem::{Problem, Spot};
use crate::manifest::reader::{Named, Reader};
use crate::manifest::tree::Node;

/// The folders of one plugin, each with the place of its path.
pub(super) fn read(
    reader: &mut Reader,
    node: &Node,
    given: &mut Given<'_>,
) -> Vec<(FileGrant, Spot)> {
    let mut seen: Vec<Named> = Vec::new();
    let mut folders = Vec::new();
    for item in reader.list(node, "files") {
        let Some((grant, path, at)) = folder(reader, item) else {
            continue;
        };
        match seen.iter().find(|it| it.name == at.name) {
            Some(first) => reader.push(
                Problem::new(format!("two folders are at `{}`", at.name))
                    .at(&first.spot, "one is here")
                    .at(&at.spot, "and another here")
                    .help("let the plugin see each at a place of its own"),
            ),
            None => {
                given.note(Capability::Files, at.name.clone(), &at.spot);
                seen.push(at);
                folders.push((grant, path));
            }
        }
    }
    folders
}

fn folder(reader: &mut Reader, node: &Node) -> Option<(FileGrant, Spot, Named)> {
    const KEYS: [&str; 5] = ["path", "at", "access", "quota_mib", "max_files"];
    let table = reader.table(node, "a granted folder", &KEYS)?;
    let path = reader.require(&table, "path", "name a folder on this machine");
    let at = reader.require(
        &table,
        "at",
        "say where the plugin sees it: `at = \"/data\"`",
    );
    let access = match table.get("access") {
        None => FileAccess::default(),
        Some(node) => {
            let choices = [("read", FileAccess::Read), ("write", FileAccess::Write)];
            reader.choice(node, "access", &choices)?
        }
    };
    let mut bound = |key: &str, most: u64, usual: u32| match table.get(key) {
        None => Some(usual),
        Some(node) if access == FileAccess::Read => {
            let help = "leave it out, or say `access = \"write\"`";
            reader.wrong(
                &node.span,
                format!("`{key}` bounds what is written"),
                "and this folder is lent for reading",
                help,
            );
            None
        }
        Some(node) => {
            let bound = reader.whole(node, key, 1..=most)?;
            u32::try_from(bound).ok()
        }
    };
    let quota_mib = bound("quota_mib", 1024 * 1024, QUOTA_MIB);
    let max_files = bound("max_files", 1_000_000, MAX_FILES);
    let (path, at) = (path?, at?);
    let text = reader.text(path, "path")?;
    let seen = reader.text(at, "at")?;
    if !is_guest_path(&seen) {
        let help = "write an absolute path without `.` and `..`, such as `/data/invoices`";
        let message = format!("`{seen}` is no place in a plugin");
        reader.wrong(&at.span, message, "the plugin cannot look there", help);
        return None;
    }
    let grant = FileGrant {
        path: reader.path(&text),
        at: seen.clone(),
        access,
        quota_mib: quota_mib?,
        max_files: max_files?,
    };
    let at = Named {
        name: seen,
        spot: reader.spot(&at.span),
    };
    Some((grant, reader.spot(&path.span), at))
}

/// `/` or `/a/b`: absolute, without empty names, `.` and `..`.
fn is_guest_path(path: &str) -> bool {
    let Some(names) = path.strip_prefix('/') else {
        return false;
    };
    let plain = |name: &str| {
        !matches!(name, "" | "." | "..") && !name.contains(char::is_control) && name.len() <= 255
    };
    names.is_empty() || names.split('/').all(plain)
}
