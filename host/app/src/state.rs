//! The host's own folder: the journal of its runs, and the components they use,
//! so that a run can go on and be replayed whatever becomes of the files it was
//! started from.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hotcell_broker::recall::Halt;
use hotcell_store::Digest;
use hotcell_store::journal::{self, Journal, JournalError, Options, Reader, Sync};

use crate::command::{Exit, Problem};
use crate::wire;

/// The folder, whether it is there or not.
#[derive(Clone, Debug)]
pub(crate) struct State {
    dir: PathBuf,
}

impl State {
    /// This folder, or the user's.
    pub(crate) fn at(dir: Option<&Path>) -> State {
        State {
            dir: dir.map_or_else(wire::default_state, Path::to_owned),
        }
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Whether any run was ever kept there.
    pub(crate) fn exists(&self) -> bool {
        journal::exists(&self.dir)
    }

    /// Owns the journal. Nobody else may at the same time.
    pub(crate) fn own(&self, take_over: bool) -> Result<Journal, Problem> {
        let options = Options {
            take_over,
            sync: Sync::Full,
            owner: format!("hotcell, process {}", std::process::id()),
            now_unix_ms: wire::now_unix_ms(),
        };
        // A process that was killed a moment ago still holds it for a while.
        let patience = Instant::now() + Duration::from_secs(2);
        loop {
            match Journal::open(&self.dir, options.clone()) {
                Err(JournalError::Locked { .. }) if Instant::now() < patience => {
                    std::thread::sleep(Duration::from_millis(50));
                }
                opened => return opened.map_err(|error| self.problem(&error)),
            }
        }
    }

    /// Reads the journal, whoever owns it.
    pub(crate) fn read(&self) -> Result<Reader, Problem> {
        Reader::open(&self.dir).map_err(|error| self.problem(&error))
    }

    /// What went wrong with the journal, and what to do.
    pub(crate) fn problem(&self, error: &JournalError) -> Problem {
        let help = match error {
            JournalError::Locked { .. } => {
                "wait for it, name another folder with `--state`, or, if that process hangs, \
                 `hotcell resume --take-over`"
            }
            JournalError::Full => "make room on the disk; `hotcell resume` goes on then",
            JournalError::Unknown(_) | JournalError::Ambiguous(_) => "`hotcell runs` lists them",
            JournalError::Version { .. } => "use the Hotcell that wrote it, or a newer one",
            JournalError::Corrupt { .. } | JournalError::Lost { .. } => {
                "the disk or somebody changed it: bring back a copy, or name another folder with \
                 `--state`"
            }
            _ => "see `--state`",
        };
        let report = miette::miette!(
            code = error.code(),
            help = help,
            "the runs in `{}`: {error}",
            self.dir.display()
        );
        Problem::new(Exit::Failed, report)
    }

    /// Keeps a component under its digest.
    pub(crate) fn keep(&self, bytes: &[u8]) -> Result<Digest, Problem> {
        let digest = Digest::of(bytes);
        let path = self.component(&digest.hex());
        if path.exists() {
            return Ok(digest);
        }
        let write = || -> std::io::Result<()> {
            let folder = self.dir.join("components");
            std::fs::create_dir_all(&folder)?;
            let part = folder.join(format!("{}.{}.part", digest.hex(), std::process::id()));
            let mut file = std::fs::File::create(&part)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            std::fs::rename(&part, &path)?;
            std::fs::File::open(&folder)?.sync_all()
        };
        write().map_err(|error| {
            Problem::failed(format!("cannot keep `{}`: {error}", path.display()))
        })?;
        Ok(digest)
    }

    /// Where the component of this digest is kept.
    pub(crate) fn component(&self, hex: &str) -> PathBuf {
        self.dir.join("components").join(format!("{hex}.wasm"))
    }

    /// The component of this digest, whole.
    pub(crate) fn bytes(&self, hex: &str) -> Result<Vec<u8>, Problem> {
        let path = self.component(hex);
        let bytes = wire::read_component(&path)?;
        match Digest::of(&bytes).hex() == hex {
            true => Ok(bytes),
            false => {
                let report = miette::miette!(
                    help = "somebody changed it: bring back a copy; it is used by no run as it is",
                    "`{}` is not the component that was kept there: its digest is another",
                    path.display()
                );
                Err(Problem::new(Exit::Failed, report))
            }
        }
    }
}

/// Why runs cannot be begun or ended in the journal, and what to do.
pub(crate) fn halted(halt: &Halt) -> Problem {
    let help = "`hotcell resume` goes on when that is mended, with what has begun";
    let report = miette::miette!(code = halt.code(), help = help, "{halt}");
    Problem::new(Exit::Failed, report)
}

/// The clock of journal records.
pub(crate) fn clock() -> Arc<dyn Fn() -> u64 + Send + std::marker::Sync> {
    Arc::new(wire::now_unix_ms)
}
