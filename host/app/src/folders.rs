//! The folders that a policy lends: looked at before anything runs, and refused
//! where the host itself lives on them. What may be lent the broker decides;
//! this file knows which places are the host's.

use std::path::{Path, PathBuf};

use hotcell_broker::Policy;
use hotcell_broker::files::{Claim, Reserved, Unfit, conflicts, look, reserved_everywhere};

use crate::manifest::Checked;
use crate::manifest::host::{ApiKey, Provider};
use crate::manifest::problem::{Problem, Problems};

/// The policy, with its folders where they really are; or why some of them
/// cannot be lent. Paths of the machine are read, nothing is changed.
pub(crate) fn lend(
    checked: &Checked,
    own: &[&Path],
    home: Option<&Path>,
) -> Result<Policy, Problems> {
    let mut policy = checked.policy.policy.clone();
    let (mut claims, mut problems) = (Vec::new(), Vec::new());
    for folder in &checked.policy.folders {
        let path = &folder.grant.path;
        match look(path) {
            Ok(found) => claims.push((folder, found)),
            Err(why) => {
                let message = format!("`{}` cannot be lent to a plugin", path.display());
                let label = why.to_string();
                problems.push(
                    Problem::new(message)
                        .at(&folder.spot, label)
                        .help(help(&why)),
                );
            }
        }
    }
    let asked: Vec<Claim> = claims
        .iter()
        .map(|(folder, path)| Claim {
            plugin: folder.plugin.clone(),
            path: path.clone(),
            access: folder.grant.access,
        })
        .collect();
    let reserved = reserved(checked, own, home, &asked);
    for (at, why) in conflicts(&asked, &reserved) {
        let Some((folder, path)) = claims.get(at) else {
            continue;
        };
        let message = format!("`{}` cannot be lent to a plugin", path.display());
        problems.push(
            Problem::new(message)
                .at(&folder.spot, why)
                .help("lend a folder that holds what this plugin needs and nothing else"),
        );
    }
    if !problems.is_empty() {
        let mut list = Problems::default();
        list.extend_sorted(problems);
        return Err(list);
    }
    for (folder, path) in claims {
        let grants = policy.plugin.get_mut(&folder.plugin);
        let files = grants.map(|grants| grants.files.iter_mut());
        let mut files = files.into_iter().flatten();
        if let Some(grant) = files.find(|grant| grant.at == folder.grant.at) {
            grant.path = path;
        }
    }
    Ok(policy)
}

fn help(why: &Unfit) -> &'static str {
    match why {
        Unfit::Unreadable(_) | Unfit::NotAFolder => {
            "name a folder; its path is relative to the folder of this file"
        }
        Unfit::Link => "name the folder that the link leads to",
        Unfit::Special(..) => "remove it, or lend another folder",
        Unfit::TooMany | Unfit::TooDeep => "lend a smaller folder",
    }
}

/// The places that are the host's own.
fn reserved(
    checked: &Checked,
    own: &[&Path],
    home: Option<&Path>,
    asked: &[Claim],
) -> Vec<Reserved> {
    let mut places = reserved_everywhere();
    let mut reserve = |path: &Path, what: String, inside: bool, readable: bool| {
        places.push(Reserved {
            path: resolve(path),
            what,
            inside,
            readable,
        });
    };
    // Whoever writes here has the host run their code.
    for own in own {
        reserve(own, "the host's own state".to_owned(), true, false);
    }
    let usual = ["/home", "/root"].map(Path::new);
    for home in home.into_iter().chain(usual) {
        reserve(home, "a home folder".to_owned(), false, false);
    }
    let homes = asked
        .iter()
        .filter(|claim| claim.path.parent() == Some(Path::new("/home")));
    for claim in homes {
        reserve(&claim.path, "a home folder".to_owned(), false, false);
    }
    for file in &checked.files {
        let folder = resolve(file);
        if let Some(folder) = folder.parent() {
            let what = "the workflow, the host file or the policy".to_owned();
            reserve(folder, what, false, true);
        }
        reserve(file, "a file that the host reads".to_owned(), false, true);
    }
    let workflow = &checked.workflow;
    for (name, plugin) in &workflow.plugins {
        reserve(&plugin.source, format!("the plugin `{name}`"), true, true);
    }
    let gold = workflow.score.iter().map(|score| &score.gold);
    for file in gold.chain([&workflow.input.file]) {
        reserve(file, "the run's records".to_owned(), false, true);
    }
    for (alias, model) in &checked.host.models {
        match &model.provider {
            Provider::Sim { plugin, .. } | Provider::Plugin { plugin } => {
                reserve(
                    plugin,
                    format!("the plugin of the model `{alias}`"),
                    true,
                    true,
                );
            }
            Provider::Remote {
                api_key: Some(ApiKey::File(path)),
                ..
            } => reserve(
                path,
                format!("the key of the model `{alias}`"),
                false,
                false,
            ),
            Provider::Remote { .. } | Provider::Select => {}
            Provider::Scripted { file } => {
                reserve(
                    file,
                    format!("the script of the model `{alias}`"),
                    false,
                    true,
                );
            }
            Provider::Replay { file } => {
                let what = format!("the recording that the model `{alias}` plays");
                reserve(file, what, false, true);
            }
        }
        if let Some(file) = &model.record {
            let what = format!("the recording of the model `{alias}`");
            reserve(file, what, false, true);
        }
    }
    for (name, server) in &checked.host.tools {
        if let Some(file) = server.file() {
            let what = format!("the description of the tools `{name}`");
            reserve(file, what, false, true);
        }
        if let Some(file) = server.key_file() {
            reserve(
                file,
                format!("the secret of the tools `{name}`"),
                false,
                false,
            );
        }
    }
    places
}

/// Where a path really leads, also when its last parts are not there yet.
fn resolve(path: &Path) -> PathBuf {
    let here = match path.as_os_str().is_empty() {
        true => Path::new("."),
        false => path,
    };
    match here.canonicalize() {
        Ok(path) => path,
        Err(_) => match (here.parent(), here.file_name()) {
            (Some(parent), Some(name)) => resolve(parent).join(name),
            _ => here.to_owned(),
        },
    }
}
