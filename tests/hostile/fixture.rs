//! Folders for attacks on files: made before a call, looked at after it.
//!
//! A fixture is a temporary folder. In it lies `granted`, which the case lends,
//! and beside it what must stay as it is: `canary`, whose words must turn up
//! nowhere, and `other`, which is somebody else's.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use hotcell_broker::files::{Claim, FileAccess, FileGrant, Reserved, conflicts, look};
use hotcell_broker::{Grants, Policy};
use tempfile::TempDir;

use crate::call;
use crate::case::Attack;

/// What no guest may read. It is watched for like the other canaries.
const SECRET: &str = "hotcell-canary-files";

/// A folder, and how to tell that it was left alone.
pub(crate) struct Fixture {
    name: &'static str,
    folder: TempDir,
    /// What lay outside the lent folder, and must lie there still.
    outside: BTreeMap<PathBuf, String>,
    /// What lay inside it.
    inside: BTreeMap<PathBuf, String>,
    /// Somebody at work in the folder during the call.
    busy: Option<Busy>,
}

struct Busy {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

impl Fixture {
    /// Makes the fixture of this name.
    fn new(name: &'static str) -> Fixture {
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path();
        for made in ["granted", "granted/sub", "out", "other", "state"] {
            fs::create_dir(top.join(made)).unwrap();
        }
        fs::write(top.join("canary"), SECRET).unwrap();
        fs::write(top.join("other/canary"), SECRET).unwrap();
        fs::write(top.join("granted/hello.txt"), "hello").unwrap();
        furnish(name, &top.join("granted"));
        let mut fixture = Fixture {
            name,
            outside: BTreeMap::new(),
            inside: BTreeMap::new(),
            busy: None,
            folder,
        };
        fixture.outside = fixture.outside();
        fixture.inside = seen(&fixture.path("granted"));
        fixture
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn outside(&self) -> BTreeMap<PathBuf, String> {
        let mut outside = seen(self.folder.path());
        let inside = [self.path("granted"), self.path("out")];
        outside.retain(|path, _| !inside.iter().any(|it| path.starts_with(it)));
        outside
    }

    /// The grants with their folders in here, if they may be lent: the same
    /// questions that the command asks before it runs anything.
    fn lend(&self, grants: &Grants, plugin: &str) -> Result<Grants, String> {
        let (mut grants, mut claims) = (grants.clone(), Vec::new());
        for folder in &mut grants.files {
            folder.path = look(&self.path(folder.path.to_str().unwrap()))
                .map_err(|error| error.to_string())?;
            claims.push(Claim {
                plugin: plugin.to_owned(),
                path: folder.path.clone(),
                access: folder.access,
            });
        }
        let reserved = [Reserved {
            path: self.path("state").canonicalize().unwrap(),
            what: "the host's own state".to_owned(),
            inside: true,
            readable: false,
        }];
        match conflicts(&claims, &reserved).first() {
            Some((_, why)) => Err(why.clone()),
            None => Ok(grants),
        }
    }

    /// A folder that was lent to another plugin.
    fn anothers(&self) -> Vec<FileGrant> {
        vec![FileGrant {
            path: self.path("other"),
            at: "/other".to_owned(),
            access: FileAccess::Read,
            quota_mib: 1,
            max_files: 1,
        }]
    }

    /// What happens after the folder was lent and while the guest is at work.
    fn begin(&mut self) {
        let granted = self.path("granted");
        let work: Option<Box<dyn FnMut() + Send>> = match self.name {
            "late-pipe" => {
                mkfifo(&granted.join("pipe"));
                symlink("pipe", granted.join("to-pipe")).unwrap();
                None
            }
            "door" => Some(Box::new(move || swap(&granted))),
            "shrinking" => Some(Box::new(move || {
                let file = fs::File::create(granted.join("shrinking")).unwrap();
                (&file).write_all(&[b'x'; 100_000]).unwrap();
                file.set_len(10).unwrap();
            })),
            _ => None,
        };
        self.busy = work.map(|mut work| {
            let stop = Arc::new(AtomicBool::new(false));
            let told = Arc::clone(&stop);
            let thread = std::thread::spawn(move || {
                while !told.load(Ordering::Relaxed) {
                    work();
                }
            });
            Busy {
                stop,
                thread: Some(thread),
            }
        });
    }

    /// Says what is not as it must be.
    pub(crate) fn check(mut self) -> Result<(), String> {
        self.busy = None;
        if self.outside() != self.outside {
            return Err("something outside has changed".to_owned());
        }
        let inside = seen(&self.path("granted"));
        let files = || {
            inside
                .keys()
                .filter(|path| !self.inside.contains_key(*path))
        };
        match self.name {
            "kept" if inside != self.inside => return Err("what was lent has changed".to_owned()),
            "filled" => {
                let size = |path: &PathBuf| fs::symlink_metadata(path).map_or(0, |it| it.len());
                let bytes: u64 = files().map(size).sum();
                if bytes > 1 << 20 {
                    return Err(format!("{bytes} bytes lie there"));
                }
                if files().count() > 50 {
                    return Err(format!("{} files lie there", files().count()));
                }
            }
            _ => {}
        }
        // What hid in the depth is removed by walking down, whoever made it.
        Ok(())
    }
}

/// The policy of an attack, over folders made for it; or why they may not be
/// lent.
pub(crate) fn policy(attack: &Attack, name: &str) -> Result<(Policy, Option<Fixture>), String> {
    let Some(mut fixture) = attack.fixture.map(Fixture::new) else {
        return Ok((call::policy(name, &attack.grants), None));
    };
    let mut policy = call::policy(name, &fixture.lend(&attack.grants, name)?);
    let another = policy.plugin.entry("another".to_owned()).or_default();
    another.files = fixture.anothers();
    fixture.begin();
    Ok((policy, Some(fixture)))
}

/// What lies in a folder: for each path what it is, and what it says.
fn seen(folder: &Path) -> BTreeMap<PathBuf, String> {
    let (mut found, mut left) = (BTreeMap::new(), vec![folder.to_owned()]);
    while let Some(folder) = left.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let meta = fs::symlink_metadata(&path).unwrap();
            let mut text = format!("{:o} {}", meta.mode(), meta.nlink());
            if meta.is_file() {
                let mut start = Vec::new();
                let file = fs::File::open(&path).unwrap();
                file.take(4096).read_to_end(&mut start).unwrap();
                text += &format!(" {} {} {start:?}", meta.len(), meta.mtime_nsec());
            }
            if meta.is_dir() {
                left.push(path.clone());
            }
            found.insert(path, text);
        }
    }
    found
}

/// What lies in the lent folder of this fixture besides the usual.
fn furnish(name: &str, granted: &Path) {
    let link = |to: &str, name: &str| symlink(to, granted.join(name)).unwrap();
    match name {
        "plain" | "kept" | "filled" | "late-pipe" => {}
        "links" => {
            link("../canary", "out-file");
            link("..", "out-dir");
            link("/etc/passwd", "absolute");
            link("/", "to-root");
            link("self", "self");
            link("../nowhere", "dangling");
            link("loop-b", "loop-a");
            link("loop-a", "loop-b");
            link("hello.txt", "inside");
            link("../hello.txt", "sub/inside");
            link("../../canary", "sub/up-and-out");
            link("hello.txt", "chain-0");
            for at in 1..=41 {
                link(&format!("chain-{}", at - 1), &format!("chain-{at}"));
            }
        }
        "door" => {
            fs::create_dir(granted.join("door")).unwrap();
            fs::write(granted.join("door/canary"), "inside").unwrap();
            link("../other", "link");
        }
        "shrinking" => fs::write(granted.join("shrinking"), "").unwrap(),
        "pipe" => mkfifo(&granted.join("sub/\u{1b}[31mpipe")),
        "socket" => drop(UnixListener::bind(granted.join("socket")).unwrap()),
        "names" => {
            let names: [&[u8]; 8] = [
                b"new\nline",
                b"\x1b[2J\x1b[31mred",
                "\u{202e}gnp.exe".as_bytes(),
                b"<img src=x onerror=alert(1)>",
                &[b'n'; 255],
                b"Twin",
                b"twin",
                b"not-utf8-\xff\xfe",
            ];
            fs::remove_file(granted.join("hello.txt")).unwrap();
            for name in names {
                let name = std::ffi::OsStr::from_bytes(name);
                fs::write(granted.join(name), "").unwrap();
            }
        }
        "crowd" => {
            for at in 0..1_998 {
                fs::write(granted.join(format!("{at}")), "").unwrap();
            }
        }
        other => panic!("no fixture is called `{other}`"),
    }
}

fn mkfifo(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

/// The folder `door` becomes a link to the outside, and a folder again.
fn swap(granted: &Path) {
    let [door, hidden, link] = ["door", "hidden", "link"].map(|name| granted.join(name));
    for (from, to) in [
        (&door, &hidden),
        (&link, &door),
        (&door, &link),
        (&hidden, &door),
    ] {
        fs::rename(from, to).unwrap();
    }
    std::thread::yield_now();
}
