//! The disk that a measurement writes to: a folder of its own on it, what it is,
//! and how long it takes to make something durable.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hotcell_store::journal::{Journal, Options, Sync};

use crate::command::Problem;
use crate::wire;

/// So often is the disk asked to sync: the median of less is noise.
const SYNCS: usize = 200;

/// A folder that is gone afterwards.
pub(crate) struct Disk {
    dir: PathBuf,
}

impl Disk {
    /// In this folder, or in the user's folder for state.
    pub(crate) fn new(state: Option<&Path>) -> Result<Disk, Problem> {
        let above = state.map_or_else(wire::default_state, Path::to_owned);
        let dir = above.join(format!("bench-{}", wire::new_id()));
        let made = std::fs::create_dir_all(&dir).and_then(|()| dir.canonicalize());
        let dir = made.map_err(|error| {
            Problem::failed(format!("cannot make `{}`: {error}", dir.display()))
        })?;
        Ok(Disk { dir })
    }

    /// Where it is.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The kind of file system, as the system calls it.
    pub(crate) fn file_system(&self) -> String {
        let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
        let mounts = mounts.lines().filter_map(|line| {
            let mut words = line.split(' ').skip(1);
            Some((words.next()?, words.next()?))
        });
        // The last of those that are mounted at one place is the one that is seen.
        let here = mounts.filter(|(at, _)| self.dir.starts_with(at));
        here.max_by_key(|(at, _)| at.len())
            .map_or_else(|| "unknown".to_owned(), |(_, kind)| kind.to_owned())
    }

    /// How long it takes until four kibibytes are on the disk: first at the end of
    /// a file, which makes it longer, then in its middle. A journal does the one
    /// until its log has its length, and then the other.
    pub(crate) fn syncs(&self) -> Result<[Vec<Duration>; 2], String> {
        let path = self.dir.join("sync");
        let measure = || -> std::io::Result<[Vec<Duration>; 2]> {
            let mut file = File::create(&path)?;
            let mut write = || -> std::io::Result<Vec<Duration>> {
                file.seek(SeekFrom::Start(0))?;
                let mut times = Vec::with_capacity(SYNCS);
                for _ in 0..SYNCS {
                    let started = Instant::now();
                    file.write_all(&[7; 4096])?;
                    file.sync_data()?;
                    times.push(started.elapsed());
                }
                Ok(times)
            };
            Ok([write()?, write()?])
        };
        measure().map_err(|error| format!("cannot sync `{}`: {error}", path.display()))
    }

    /// The journal of this name on it.
    pub(crate) fn journal(&self, name: &str, sync: Sync) -> Result<Journal, String> {
        let options = Options {
            take_over: false,
            sync,
            owner: "hotcell bench".to_owned(),
            now_unix_ms: wire::now_unix_ms(),
        };
        Journal::open(&self.dir.join(name), options).map_err(|error| error.to_string())
    }

    /// The same, surviving a loss of power.
    pub(crate) fn durable(&self, name: &str) -> Result<Journal, String> {
        self.journal(name, Sync::Full)
    }

    /// What the files of a journal take.
    pub(crate) fn size(&self, name: &str) -> u64 {
        let files = std::fs::read_dir(self.dir.join(name)).into_iter().flatten();
        let sizes = files.filter_map(|file| Some(file.ok()?.metadata().ok()?.len()));
        sizes.sum()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.dir));
    }
}
