//! The files that an evaluation leaves behind.

use std::path::{Path, PathBuf};

use hotcell_broker::text;
use hotcell_measure::{Findings, Study};

use crate::command::Problem;
use crate::findings;

/// The folder they are written to.
pub(super) struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Makes the folder where it is missing, and sees that it can be written to.
    pub(super) fn open(path: &Path) -> Result<Folder, Problem> {
        let folder = Folder {
            path: path.to_owned(),
        };
        std::fs::create_dir_all(path).map_err(|error| {
            Problem::failed(format!("cannot write `{}`: {error}", path.display()))
        })?;
        folder.write("trials.jsonl", "")?;
        Ok(folder)
    }

    /// Every trial, one JSON object a line.
    pub(super) fn trials(&self, study: &Study) -> Result<(), Problem> {
        let mut all = String::new();
        for trial in &study.trials {
            let line = serde_json::to_string(trial).map_err(Problem::failed)?;
            all += &text::json(&line);
            all.push('\n');
        }
        self.write("trials.jsonl", &all)
    }

    /// The report in all its forms; returns its JSON.
    pub(super) fn report(&self, findings: &Findings) -> Result<String, Problem> {
        findings::report(findings, &self.path)
    }

    /// Where it all is, for people.
    pub(super) fn told(&self) -> String {
        let report = self.path.join("report.html");
        format!(
            "the report is in `{}`; beside it report.md, report.json and trials.jsonl",
            report.display()
        )
    }

    fn write(&self, name: &str, text: &str) -> Result<(), Problem> {
        findings::write(&self.path.join(name), text)
    }
}
