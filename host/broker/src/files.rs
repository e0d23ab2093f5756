//! Folders that are lent to plugins: what a grant says, whether a folder may be
//! lent at all, and what one cell may do with it.
//!
//! All of it is decided here, over plain data; [`look`] is the one function that
//! asks the machine. Opening and writing are the runtime's work.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::{self, FileType};
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use hotcell_store::guard::Guard;
use serde::{Deserialize, Serialize};

use crate::text;

/// What one call of one cell may write when the policy says nothing: 16 MiB.
pub const QUOTA_MIB: u32 = 16;

/// What one call of one cell may create when the policy says nothing: 1,000
/// files and folders.
pub const MAX_FILES: u32 = 1_000;

/// The most descriptors, streams and listings of files that a cell holds at a
/// time. The host has some thousand descriptors for all of its cells.
pub const HANDLES: u32 = 64;

/// The longest path a guest may name, in bytes: what Linux takes.
pub const PATH: usize = 4_096;

/// How many folders lie below one another under a grant, at most.
pub const DEPTH: usize = 64;

/// How many entries of a folder are looked at before it is lent.
pub const ENTRIES: usize = 100_000;

/// What a plugin may do with a folder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileAccess {
    /// Read what is there.
    #[default]
    Read,
    /// Read, write, create, rename and remove.
    Write,
}

/// A folder lent to a plugin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileGrant {
    /// The folder on this machine.
    pub path: PathBuf,
    /// Where the guest sees it: an absolute path.
    pub at: String,
    /// What may be done with it.
    #[serde(default)]
    pub access: FileAccess,
    /// The most that one call of one cell writes into it, in MiB.
    #[serde(default = "quota_mib")]
    pub quota_mib: u32,
    /// The most files and folders that one call of one cell creates in it.
    #[serde(default = "max_files")]
    pub max_files: u32,
}

fn quota_mib() -> u32 {
    QUOTA_MIB
}

fn max_files() -> u32 {
    MAX_FILES
}

/// Why a file operation was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FileRefusal {
    /// The folder is not, or no longer, granted.
    NotGranted,
    /// The folder is not there any more.
    Gone,
    /// It is lent for reading.
    ReadOnly,
    /// Links are never made: they would name what is elsewhere.
    Link,
    /// From one lent folder to another: each has its own quota.
    Across,
    /// Neither a file nor a folder.
    Special,
    /// More bytes than one call may write.
    Quota,
    /// More files than one call may create.
    Files,
    /// More descriptors than a cell may hold.
    Handles,
    /// A path that is too long or leads too deep.
    Path,
    /// The attempt has had its share of effects.
    Effects,
}

impl fmt::Display for FileRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FileRefusal::NotGranted => "it is not granted",
            FileRefusal::Gone => "the folder is not there any more",
            FileRefusal::ReadOnly => "it is granted for reading only",
            FileRefusal::Link => "links are never made",
            FileRefusal::Across => "nothing is moved from one granted folder to another",
            FileRefusal::Special => "this is neither a file nor a folder",
            FileRefusal::Quota => "one call may not write so much",
            FileRefusal::Files => "one call may not create so many files",
            FileRefusal::Handles => "a cell may not hold so many files open",
            FileRefusal::Path => "the path is too long or leads too deep",
            FileRefusal::Effects => "an attempt may not cause so many effects",
        })
    }
}

impl std::error::Error for FileRefusal {}

/// What one cell has done with the folders that it was lent.
#[derive(Debug, Default)]
pub struct Ledger {
    handles: u32,
    spent: BTreeMap<String, Spent>,
    told: BTreeSet<(String, FileRefusal)>,
}

#[derive(Debug, Default)]
struct Spent {
    used: bool,
    bytes: u64,
    files: u32,
}

impl Ledger {
    /// Takes a place for a descriptor, a stream or a listing.
    pub fn take(&mut self) -> Result<(), FileRefusal> {
        if self.handles >= HANDLES && Guard::FilesHandles.on() {
            return Err(FileRefusal::Handles);
        }
        self.handles += 1;
        Ok(())
    }

    /// Gives one back.
    pub fn give_back(&mut self) {
        self.handles = self.handles.saturating_sub(1);
    }

    /// Counts what is about to be written. What is written over counts like what
    /// is written anew, and nothing is given back for what is removed: the disk
    /// has had the work.
    pub fn write(&mut self, grant: &FileGrant, bytes: u64) -> Result<(), FileRefusal> {
        let spent = self.of(grant);
        let all = spent.bytes.saturating_add(bytes);
        if all > u64::from(grant.quota_mib) << 20 && Guard::FilesQuota.on() {
            return Err(FileRefusal::Quota);
        }
        spent.bytes = all;
        Ok(())
    }

    /// Counts a file or folder that is about to be created.
    pub fn create(&mut self, grant: &FileGrant) -> Result<(), FileRefusal> {
        let spent = self.of(grant);
        if spent.files >= grant.max_files && Guard::FilesCount.on() {
            return Err(FileRefusal::Files);
        }
        spent.files = spent.files.saturating_add(1);
        Ok(())
    }

    /// Begins to use a grant, once.
    pub fn begin(
        &mut self,
        grant: &FileGrant,
        record: impl FnOnce() -> bool,
    ) -> Result<(), FileRefusal> {
        let spent = self.of(grant);
        spent.used = spent.used || record();
        spent.used.then_some(()).ok_or(FileRefusal::Effects)
    }

    /// Whether this refusal is the first of its kind for this folder.
    pub fn first_refusal(&mut self, at: &str, why: FileRefusal) -> bool {
        self.told.insert((at.to_owned(), why))
    }

    fn of(&mut self, grant: &FileGrant) -> &mut Spent {
        self.spent.entry(grant.at.clone()).or_default()
    }
}

/// How deep below the grant a path leads, from a folder that is `depth` deep. At
/// least as deep as it really is: `..` counts like a name.
pub fn depth(depth: usize, path: &str) -> Result<usize, FileRefusal> {
    let names = path.split('/').filter(|name| !matches!(*name, "" | "."));
    let depth = depth.saturating_add(names.count());
    if (path.len() > PATH || depth > DEPTH) && Guard::FilesDepth.on() {
        return Err(FileRefusal::Path);
    }
    Ok(depth)
}

/// How much a file of this size grows on disk, or could, when so many bytes are
/// written at this place. A gap that is left counts in full.
pub fn growth(size: u64, offset: u64, bytes: u64) -> u64 {
    offset.saturating_sub(size).saturating_add(bytes)
}

/// Why a folder cannot be lent.
#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    /// It cannot be read.
    #[error("{0}")]
    Unreadable(#[from] io::Error),
    /// It is no folder.
    #[error("this is not a folder")]
    NotAFolder,
    /// It is a symbolic link. Whoever can replace the link chooses the folder.
    #[error("this is a symbolic link")]
    Link,
    /// It holds a pipe, a socket or a device: opening one can block for ever or
    /// do things.
    #[error("it holds `{0}`, which is {1}")]
    Special(String, &'static str),
    /// It holds more than is looked at.
    #[error("it holds more than {ENTRIES} files and folders")]
    TooMany,
    /// It is nested deeper than is looked at.
    #[error("its folders are nested more than {DEPTH} deep")]
    TooDeep,
}

/// Looks at a folder before it is lent: it is one, and holds files, folders and
/// links only. Answers where it really is. Reads at most [`ENTRIES`] entries and
/// follows no link.
pub fn look(folder: &Path) -> Result<PathBuf, Unfit> {
    let is = fs::symlink_metadata(folder)?.file_type();
    if is.is_symlink() {
        return Err(Unfit::Link);
    }
    if !is.is_dir() {
        return Err(Unfit::NotAFolder);
    }
    let folder = fs::canonicalize(folder)?;
    let mut left = vec![(folder.clone(), 0)];
    let mut seen = 0;
    while let Some((inside, depth)) = left.pop() {
        for entry in fs::read_dir(&inside)? {
            let entry = entry?;
            let is = entry.file_type()?;
            seen += 1;
            if seen > ENTRIES {
                return Err(Unfit::TooMany);
            }
            if let Some(what) = special(is).filter(|_| Guard::FilesSpecial.on()) {
                let path = entry.path();
                let name = path.strip_prefix(&folder).unwrap_or(&path);
                let name = text::line(&name.to_string_lossy(), 256);
                return Err(Unfit::Special(name, what));
            }
            if is.is_dir() && depth >= DEPTH {
                return Err(Unfit::TooDeep);
            }
            if is.is_dir() {
                left.push((entry.path(), depth + 1));
            }
        }
    }
    Ok(folder)
}

fn special(is: FileType) -> Option<&'static str> {
    let kinds = [
        (is.is_fifo(), "a pipe"),
        (is.is_socket(), "a socket"),
        (is.is_block_device() || is.is_char_device(), "a device"),
    ];
    kinds.iter().find(|(is, _)| *is).map(|(_, what)| *what)
}

/// A folder that somebody asks to be lent.
#[derive(Clone, Debug)]
pub struct Claim {
    /// To which plugin.
    pub plugin: String,
    /// Where it is, as [`look`] found it.
    pub path: PathBuf,
    /// For what.
    pub access: FileAccess,
}

/// A place that must not be lent, or not all of it.
#[derive(Clone, Debug)]
pub struct Reserved {
    /// Where it is, without links.
    pub path: PathBuf,
    /// What is there, as in "it holds …".
    pub what: String,
    /// Whether what lies inside it must not be lent either.
    pub inside: bool,
    /// Whether reading it does no harm.
    pub readable: bool,
}

/// What of the machine is never lent: the kernel's folders, and all of it.
pub fn reserved_everywhere() -> Vec<Reserved> {
    let kernel = ["/proc", "/sys", "/dev"].map(|path| Reserved {
        path: path.into(),
        what: "the kernel's files".to_owned(),
        inside: true,
        readable: false,
    });
    kernel.into()
}

/// The claims that cannot be met, with the reason for each: those over reserved
/// places, and those over one another where one of them may write. Pure; paths
/// must be without links.
pub fn conflicts(claims: &[Claim], reserved: &[Reserved]) -> Vec<(usize, String)> {
    if !Guard::FilesOverlap.on() {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (at, claim) in claims.iter().enumerate() {
        let harmful = |place: &&Reserved| claim.access == FileAccess::Write || !place.readable;
        let bad = reserved.iter().filter(harmful).find_map(|place| {
            let what = &place.what;
            if place.path.starts_with(&claim.path) {
                Some(format!("it holds {what}"))
            } else if place.inside && claim.path.starts_with(&place.path) {
                Some(format!("it lies among {what}"))
            } else {
                None
            }
        });
        let earlier = claims.iter().take(at).find(|other| {
            let writes = [claim.access, other.access].contains(&FileAccess::Write);
            let near = claim.path.starts_with(&other.path) || other.path.starts_with(&claim.path);
            writes && near
        });
        let shared = earlier.map(|other| {
            format!(
                "it overlaps with a folder of `{}`, and one of them may be written",
                other.plugin
            )
        });
        found.extend(bad.or(shared).map(|why| (at, why)));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(quota_mib: u32, max_files: u32) -> FileGrant {
        FileGrant {
            path: "/x".into(),
            at: "/x".to_owned(),
            access: FileAccess::Write,
            quota_mib,
            max_files,
        }
    }

    #[test]
    fn what_a_call_writes_and_creates_ends_at_its_quota() {
        let (grant, mut ledger) = (grant(1, 2), Ledger::default());
        assert_eq!(ledger.write(&grant, 1 << 20), Ok(()));
        assert_eq!(ledger.write(&grant, 1), Err(FileRefusal::Quota));
        assert_eq!(ledger.write(&grant, u64::MAX), Err(FileRefusal::Quota));
        let made: Vec<_> = (0..3).map(|_| ledger.create(&grant).is_ok()).collect();
        assert_eq!(made, [true, true, false]);
    }

    #[test]
    fn a_gap_counts_in_full() {
        let table = [
            (0, 0, 5, 5),
            (10, 4, 5, 5),
            (10, 12, 5, 7),
            (0, 1 << 60, 1, (1 << 60) + 1),
            (0, u64::MAX, 9, u64::MAX),
        ];
        for (size, offset, bytes, expected) in table {
            assert_eq!(growth(size, offset, bytes), expected, "{size} {offset}");
        }
    }

    #[test]
    fn a_cell_holds_so_many_files_and_no_more() {
        let mut ledger = Ledger::default();
        for _ in 0..HANDLES {
            ledger.take().unwrap();
        }
        assert_eq!(ledger.take(), Err(FileRefusal::Handles));
        ledger.give_back();
        assert_eq!(ledger.take(), Ok(()));
    }

    #[test]
    fn each_kind_of_refusal_and_the_first_use_are_told_once() {
        let mut ledger = Ledger::default();
        let told = [FileRefusal::Link, FileRefusal::Link, FileRefusal::Path];
        let told = told.map(|why| ledger.first_refusal("/x", why));
        assert_eq!(told, [true, false, true]);
        let mut records = 0;
        for recorded in [false, true, true] {
            let record = || {
                records += 1;
                recorded
            };
            let began = ledger.begin(&grant(1, 1), record);
            assert_eq!(began.is_ok(), recorded);
        }
        assert_eq!(records, 2);
    }

    #[test]
    fn a_path_is_bounded_in_length_and_depth() {
        assert_eq!(depth(3, "./a//b/"), Ok(5));
        assert_eq!(depth(3, "../.."), Ok(5));
        assert_eq!(depth(0, &"a/".repeat(DEPTH)), Ok(DEPTH));
        assert_eq!(depth(0, &"a/".repeat(DEPTH + 1)), Err(FileRefusal::Path));
        assert_eq!(depth(DEPTH, "a"), Err(FileRefusal::Path));
        assert_eq!(depth(0, &"a".repeat(PATH + 1)), Err(FileRefusal::Path));
    }

    fn conflict(claims: &[(&str, FileAccess)], reserved: &[Reserved]) -> Vec<usize> {
        let claims: Vec<Claim> = claims
            .iter()
            .map(|(path, access)| Claim {
                plugin: "p".to_owned(),
                path: path.into(),
                access: *access,
            })
            .collect();
        let found = conflicts(&claims, reserved);
        found.into_iter().map(|(at, _)| at).collect()
    }

    #[test]
    fn folders_overlap_only_where_nobody_writes() {
        use FileAccess::{Read, Write};
        let table: [(&[(&str, FileAccess)], bool); 7] = [
            (&[("/a", Read), ("/a", Read)], true),
            (&[("/a", Read), ("/a/b", Read)], true),
            (&[("/a", Read), ("/a", Write)], false),
            (&[("/a", Write), ("/a/b", Read)], false),
            (&[("/a/b", Read), ("/a", Write)], false),
            (&[("/a", Write), ("/ab", Write)], true),
            (&[("/a/b", Write), ("/a/c", Write)], true),
        ];
        for (claims, fits) in table {
            assert_eq!(conflict(claims, &[]).is_empty(), fits, "{claims:?}");
        }
    }

    #[test]
    fn reserved_places_are_not_lent() {
        use FileAccess::{Read, Write};
        let place = |path: &str, inside, readable| Reserved {
            path: path.into(),
            what: "it".to_owned(),
            inside,
            readable,
        };
        let state = [place("/s/state", true, false)];
        let own = [place("/w", false, true)];
        let table = [
            (&state, "/s", Read, false),
            (&state, "/s/state", Read, false),
            (&state, "/s/state/artifacts", Read, false),
            (&state, "/s/statement", Write, true),
            (&own, "/w", Read, true),
            (&own, "/w", Write, false),
            (&own, "/", Write, false),
            (&own, "/w/out", Write, true),
        ];
        for (reserved, path, access, fits) in table {
            let found = conflict(&[(path, access)], reserved);
            assert_eq!(found.is_empty(), fits, "{path} {access:?}");
        }
    }
}
