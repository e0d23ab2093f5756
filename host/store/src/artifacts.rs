//! Compiled components on disk, authenticated.
//!
//! Loading a compiled component means running native code, so a file is only
//! given back when its HMAC-SHA-256 under this host's own key is right. The key
//! lies beside the files, readable by the owner alone; the folder must be one
//! that no plugin can write. A file that fails the check is treated as absent:
//! the caller compiles again and overwrites it.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::guard::Guard;
use crate::private::only_for_owner;

type Seal = Hmac<Sha256>;

/// Bytes of the seal in front of every stored artefact.
const SEAL: usize = 32;

/// The folder cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what} `{}`", path.display())]
pub struct ArtifactsError {
    what: &'static str,
    path: PathBuf,
    source: io::Error,
}

/// A folder of compiled components.
pub struct Artifacts {
    dir: PathBuf,
    key: Vec<u8>,
}

impl Artifacts {
    /// Opens the folder, making it and its key when they are not there.
    pub fn open(dir: &Path) -> Result<Artifacts, ArtifactsError> {
        let fail = |what, path: &Path| {
            let path = path.to_owned();
            move |source| ArtifactsError { what, path, source }
        };
        fs::create_dir_all(dir).map_err(fail("create", dir))?;
        only_for_owner(dir, 0o700).map_err(fail("protect", dir))?;
        let path = dir.join("key");
        let key = match fs::read(&path) {
            Ok(key) if key.len() == SEAL => key,
            Ok(_) => make_key(dir, &path).map_err(fail("write", &path))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                make_key(dir, &path).map_err(fail("write", &path))?
            }
            Err(error) => return Err(fail("read", &path)(error)),
        };
        Ok(Artifacts {
            dir: dir.to_owned(),
            key,
        })
    }

    /// The artefact stored under a name, if there is one and it is ours.
    pub fn get(&self, name: &str) -> Option<Vec<u8>> {
        let mut bytes = fs::read(self.path(name)).ok()?;
        let (seal, artifact) = bytes.split_at_checked(SEAL)?;
        let sealed = self.seal(name, artifact)?.verify_slice(seal);
        if sealed.is_err() && Guard::ArtifactSeal.on() {
            return None;
        }
        bytes.drain(..SEAL);
        Some(bytes)
    }

    /// Stores an artefact under a name, whole or not at all.
    pub fn put(&self, name: &str, artifact: &[u8]) -> Result<(), ArtifactsError> {
        let path = self.path(name);
        let fail = |source| ArtifactsError {
            what: "write",
            path: path.clone(),
            source,
        };
        let Some(seal) = self.seal(name, artifact) else {
            return Err(fail(io::Error::other("the key has no usable length")));
        };
        let seal = seal.finalize().into_bytes();
        write_whole(&self.dir, &path, &[&seal, artifact]).map_err(fail)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{name}.artifact"))
    }

    /// The name goes into the seal, so that a file renamed to another name is
    /// foreign there.
    fn seal(&self, name: &str, artifact: &[u8]) -> Option<Seal> {
        let mut seal = Seal::new_from_slice(&self.key).ok()?;
        seal.update(&(name.len() as u64).to_le_bytes());
        seal.update(name.as_bytes());
        seal.update(artifact);
        Some(seal)
    }
}

/// A new random key. When two hosts race for the first start, the one that
/// renames last wins and the other's artefacts are compiled again.
fn make_key(dir: &Path, path: &Path) -> io::Result<Vec<u8>> {
    let key = [uuid::Uuid::new_v4(), uuid::Uuid::new_v4()]
        .iter()
        .flat_map(|id| *id.as_bytes())
        .collect::<Vec<u8>>();
    write_whole(dir, path, &[&key])?;
    only_for_owner(path, 0o600)?;
    Ok(key)
}

/// Temporary file, fsync, rename: a reader sees the old file or the new one.
fn write_whole(dir: &Path, path: &Path, parts: &[&[u8]]) -> io::Result<()> {
    let temporary = dir.join(format!(".{}", uuid::Uuid::new_v4()));
    let write = || {
        let mut file = fs::File::create_new(&temporary)?;
        only_for_owner(&temporary, 0o600)?;
        for part in parts {
            file.write_all(part)?;
        }
        file.sync_all()?;
        fs::rename(&temporary, path)
    };
    write().inspect_err(|_| drop(fs::remove_file(&temporary)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open() -> (tempfile::TempDir, Artifacts) {
        let dir = tempfile::tempdir().unwrap();
        let artifacts = Artifacts::open(dir.path()).unwrap();
        (dir, artifacts)
    }

    #[test]
    fn what_was_put_is_there_after_a_restart() {
        let (dir, artifacts) = open();
        assert_eq!(artifacts.get("a"), None);
        artifacts.put("a", b"native code").unwrap();
        assert_eq!(artifacts.get("a").unwrap(), b"native code");
        let again = Artifacts::open(dir.path()).unwrap();
        assert_eq!(again.get("a").unwrap(), b"native code");
    }

    #[test]
    fn a_foreign_or_damaged_file_is_absent() {
        let (dir, artifacts) = open();
        artifacts.put("a", b"native code").unwrap();
        let path = dir.path().join("a.artifact");
        let good = fs::read(&path).unwrap();
        for at in [0, 31, 32, good.len() - 1] {
            let mut bad = good.clone();
            bad[at] ^= 1;
            fs::write(&path, &bad).unwrap();
            assert_eq!(artifacts.get("a"), None, "byte {at}");
        }
        for length in [0, 31, 32, good.len() - 1] {
            fs::write(&path, &good[..length]).unwrap();
            assert_eq!(artifacts.get("a"), None, "length {length}");
        }
        // Another name, another key: foreign.
        fs::write(dir.path().join("b.artifact"), &good).unwrap();
        assert_eq!(artifacts.get("b"), None);
        let (_elsewhere, other) = open();
        fs::write(other.path("a"), &good).unwrap();
        assert_eq!(other.get("a"), None);
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_reads_the_key() {
        use std::os::unix::fs::PermissionsExt;
        let (dir, _artifacts) = open();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&dir.path().join("key")), 0o600);
        assert_eq!(mode(dir.path()), 0o700);
    }
}
