//! Trials on the disk: one JSON line each, after a first line that says of which
//! benchmark. What is there is not done again, so whoever is interrupted goes on.
//!
//! A last line without its end is what a crash leaves; it is done again. Anything
//! else that cannot be read is an error: nobody's results are thrown away unasked.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use hotcell_measure::trial::Trial;
use serde::{Deserialize, Serialize};

use crate::command::{Exit, Problem};

/// The form of the file.
const FORMAT: &str = "hotcell.trials/1";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    format: String,
    /// Of what the trials depend on.
    fingerprint: String,
}

/// The arm, the task's set and name, the seed.
pub(super) type Key = (String, String, String, u64);

/// Which trial it is.
pub(super) fn key(trial: &Trial) -> Key {
    (
        trial.arm.clone(),
        trial.set.clone(),
        trial.task.clone(),
        trial.seed,
    )
}

/// The file, open for more.
pub(super) struct Kept {
    path: PathBuf,
    file: File,
}

impl Kept {
    /// Opens the file of this benchmark, or makes it. Gives back what is there.
    pub(super) fn open(path: &Path, fingerprint: &str) -> Result<(Kept, Vec<Trial>), Problem> {
        let failed = |error: std::io::Error| cannot(path, &error.to_string());
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create(true).truncate(false);
        let file = options.open(path).map_err(failed)?;
        let mut reader = BufReader::new(&file);
        let mut good = 0_u64;
        let mut trials = Vec::new();
        let mut line = String::new();
        let mut number = 0_u64;
        loop {
            line.clear();
            let length = reader.read_line(&mut line).map_err(failed)?;
            if length == 0 || !line.ends_with('\n') {
                break;
            }
            number += 1;
            if number == 1 {
                check(path, &line, fingerprint)?;
            } else {
                trials.push(read(path, &line, number)?);
            }
            good += length as u64;
        }
        drop(reader);
        let mut kept = Kept {
            path: path.to_owned(),
            file,
        };
        kept.file.set_len(good).map_err(failed)?;
        kept.file.seek(SeekFrom::End(0)).map_err(failed)?;
        if good == 0 {
            kept.line(&Head {
                format: FORMAT.to_owned(),
                fingerprint: fingerprint.to_owned(),
            })?;
        }
        let mut seen = BTreeSet::new();
        trials.retain(|trial| seen.insert(key(trial)));
        Ok((kept, trials))
    }

    /// Writes these down, all or none of them as far as a reader can tell a line.
    pub(super) fn add(&mut self, trials: &[Trial]) -> Result<(), Problem> {
        let mut text = Vec::new();
        for trial in trials {
            serde_json::to_writer(&mut text, trial).map_err(Problem::failed)?;
            text.push(b'\n');
        }
        let written = self
            .file
            .write_all(&text)
            .and_then(|()| self.file.sync_data());
        written.map_err(|error| cannot(&self.path, &error.to_string()))
    }

    fn line(&mut self, value: &impl Serialize) -> Result<(), Problem> {
        let mut text = serde_json::to_vec(value).map_err(Problem::failed)?;
        text.push(b'\n');
        let written = self
            .file
            .write_all(&text)
            .and_then(|()| self.file.sync_data());
        written.map_err(|error| cannot(&self.path, &error.to_string()))
    }
}

fn cannot(path: &Path, why: &str) -> Problem {
    let help = "name another folder with `--out`";
    let report = miette::miette!(help = help, "`{}` cannot be used: {why}", path.display());
    Problem::new(Exit::Files, report)
}

fn check(path: &Path, line: &str, fingerprint: &str) -> Result<(), Problem> {
    let head: Result<Head, _> = serde_json::from_str(line);
    match head {
        Ok(head) if head.format == FORMAT && head.fingerprint == fingerprint => Ok(()),
        Ok(head) if head.format == FORMAT => {
            let why =
                "its trials are of another benchmark: other plugins, rates, prices, tasks or mode";
            Err(cannot(path, why))
        }
        Ok(_) | Err(_) => Err(cannot(path, &format!("its first line is not `{FORMAT}`"))),
    }
}

fn read(path: &Path, line: &str, number: u64) -> Result<Trial, Problem> {
    serde_json::from_str(line).map_err(|error| cannot(path, &format!("line {number}: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trial(task: &str) -> Trial {
        Trial {
            arm: "single".to_owned(),
            task: task.to_owned(),
            ..Trial::default()
        }
    }

    #[test]
    fn what_was_done_is_there_again_and_a_torn_line_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trials.jsonl");
        let (mut kept, before) = Kept::open(&path, "a").map_err(|e| e.report).unwrap();
        assert!(before.is_empty());
        kept.add(&[trial("1"), trial("2")])
            .map_err(|e| e.report)
            .unwrap();
        drop(kept);
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, [&whole[..], b"{\"arm\":\"sin"].concat()).unwrap();
        let (mut kept, before) = Kept::open(&path, "a").map_err(|e| e.report).unwrap();
        assert_eq!(before, [trial("1"), trial("2")]);
        kept.add(&[trial("2"), trial("3")])
            .map_err(|e| e.report)
            .unwrap();
        drop(kept);
        let (_, before) = Kept::open(&path, "a").map_err(|e| e.report).unwrap();
        assert_eq!(before, [trial("1"), trial("2"), trial("3")]);
    }

    #[test]
    fn trials_of_another_benchmark_are_not_mixed_in_and_not_lost() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trials.jsonl");
        drop(Kept::open(&path, "a").map_err(|e| e.report).unwrap());
        let before = std::fs::read(&path).unwrap();
        for (fingerprint, text) in [("b", None), ("a", Some("{}\n")), ("a", Some("x\n"))] {
            if let Some(text) = text {
                std::fs::write(&path, [&before[..], text.as_bytes()].concat()).unwrap();
            }
            let now = std::fs::read(&path).unwrap();
            assert!(
                Kept::open(&path, fingerprint).is_err(),
                "{fingerprint} {text:?}"
            );
            assert_eq!(std::fs::read(&path).unwrap(), now);
        }
    }
}
