//! `--record` and `--replay`: every model on a server is recorded, or played from what
//! was, whatever the host file says of it.

use std::path::{Path, PathBuf};

use super::{Host, Provider};

impl Host {
    /// Records what models on servers answer: into this file, or into one beside it
    /// for each of them if there are several.
    pub(crate) fn record_into(&mut self, file: &Path) {
        let several = self.servers() > 1;
        for (alias, model) in &mut self.models {
            if matches!(model.provider, Provider::Remote { .. }) {
                model.record = Some(file_of(file, alias, several));
            }
        }
    }

    /// Answers for models on servers from what was recorded that way.
    pub(crate) fn replay_from(&mut self, file: &Path) {
        let several = self.servers() > 1;
        for (alias, model) in &mut self.models {
            if matches!(model.provider, Provider::Remote { .. }) {
                let file = file_of(file, alias, several);
                model.provider = Provider::Replay { file };
                model.record = None;
            }
        }
    }

    fn servers(&self) -> usize {
        let servers = self.models.values();
        servers
            .filter(|model| matches!(model.provider, Provider::Remote { .. }))
            .count()
    }
}

/// `calls.jsonl`, or `calls.ALIAS.jsonl` when each alias has a file of its own.
fn file_of(file: &Path, alias: &str, several: bool) -> PathBuf {
    if !several {
        return file.to_owned();
    }
    let mut name = file.file_stem().unwrap_or_default().to_owned();
    name.push(".");
    name.push(alias);
    if let Some(extension) = file.extension() {
        name.push(".");
        name.push(extension);
    }
    file.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_models_have_a_file_each() {
        for (file, several, expected) in [
            ("a/calls.jsonl", false, "a/calls.jsonl"),
            ("a/calls.jsonl", true, "a/calls.judge.jsonl"),
            ("calls", true, "calls.judge"),
            ("a.b/c.d.e", true, "a.b/c.d.judge.e"),
        ] {
            let named = file_of(Path::new(file), "judge", several);
            assert_eq!(named, Path::new(expected));
        }
    }
}
