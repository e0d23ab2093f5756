//! A secret in a file that nobody else can read.
//!
//! The file is opened first, without following a link and without waiting for
//! whoever might write into a pipe, and what was opened is judged: whose it is, who
//! may read it, whether it is a file. So what is judged is what is read. It is
//! opened at each use, and read when it is another file or was changed; a value is
//! rotated by writing a new file and renaming it over the old one.

use std::fs::{File, Metadata};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use hotcell_broker::egress::Egress;
use hotcell_broker::provider::secret::Secret;
use hotcell_broker::secrets::{MAX_VALUE, SecretError, SecretSource};
use rustix::fs::{Mode, OFlags, open};

/// What tells one content of a file from another: which file it is, its size, and
/// when it was changed and how.
type Stamp = (u64, u64, u64, (i64, i64), (i64, i64));

/// A secret in a file.
pub(super) struct InFile {
    path: PathBuf,
    kept: Mutex<Option<(Stamp, Secret)>>,
}

impl InFile {
    pub(super) fn new(path: &Path) -> InFile {
        InFile {
            path: path.to_owned(),
            kept: Mutex::new(None),
        }
    }

    fn value(&self) -> Result<Secret, SecretError> {
        let shown = self.path.display();
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let opened = open(&self.path, flags, Mode::empty());
        let file = File::from(opened.map_err(|error| match error {
            rustix::io::Errno::LOOP => SecretError::Exposed(format!(
                "`{shown}` is a symbolic link; name the file itself"
            )),
            error => SecretError::Missing(format!("cannot read `{shown}`: {error}")),
        })?);
        let missing =
            |error: std::io::Error| SecretError::Missing(format!("cannot read `{shown}`: {error}"));
        let metadata = file.metadata().map_err(missing)?;
        let own = rustix::process::geteuid().as_raw();
        judge(&metadata, own).map_err(|why| SecretError::Exposed(format!("`{shown}` {why}")))?;
        let stamp = (
            metadata.dev(),
            metadata.ino(),
            metadata.len(),
            (metadata.mtime(), metadata.mtime_nsec()),
            (metadata.ctime(), metadata.ctime_nsec()),
        );
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, value)) = &*kept
            && *known == stamp
        {
            return Ok(value.clone());
        }
        let mut text = String::new();
        let most = MAX_VALUE as u64 + 1;
        let read = (&file).take(most).read_to_string(&mut text);
        read.map_err(missing)?;
        if text.len() as u64 == most {
            return Err(SecretError::Long);
        }
        let value = Secret::new(text.trim());
        *kept = Some((stamp, value.clone()));
        Ok(value)
    }
}

/// Whether a file is one that nobody else can read or write.
fn judge(metadata: &Metadata, own: u32) -> Result<(), String> {
    if !metadata.is_file() {
        return Err("is no file".to_owned());
    }
    if metadata.uid() != own {
        return Err("belongs to somebody else".to_owned());
    }
    match metadata.mode() & 0o7777 {
        mode if mode & 0o177 == 0 => Ok(()),
        mode => Err(format!(
            "has mode {mode:04o}, so others could use it; do `chmod 600` on it"
        )),
    }
}

#[async_trait]
impl SecretSource for InFile {
    async fn read(&self, _: &Egress) -> Result<Secret, SecretError> {
        self.value()
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{Permissions, set_permissions, write};
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn refused(path: &Path) -> String {
        InFile::new(path).value().unwrap_err().to_string()
    }

    #[test]
    fn a_file_that_others_could_use_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        write(&path, "a-value-of-the-file\n").unwrap();
        let file = InFile::new(&path);
        for (mode, good) in [
            (0o644, false),
            (0o640, false),
            (0o604, false),
            (0o602, false),
            (0o700, false),
            (0o600, true),
            (0o400, true),
        ] {
            set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            assert_eq!(file.value().is_ok(), good, "{mode:o}");
        }
        // Nor is what was read while it was good used on.
        set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        let why = file.value().unwrap_err().to_string();
        assert!(why.contains("has mode 0644"), "{why}");

        set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        let link = folder.path().join("link");
        symlink(&path, &link).unwrap();
        assert!(refused(&link).contains("is a symbolic link"));
        assert!(refused(folder.path()).contains("is no file"));
        assert!(refused(&folder.path().join("gone")).contains("cannot read"));
        assert!(refused(Path::new("/dev/null")).contains("is no file"));
        let other = judge(&path.metadata().unwrap(), 4_294_000_000);
        assert_eq!(other, Err("belongs to somebody else".to_owned()));
        // Nobody writes into this pipe, and nobody waits for it.
        let pipe = folder.path().join("pipe");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &pipe,
            rustix::fs::FileType::Fifo,
            Mode::RUSR,
            0,
        )
        .unwrap();
        assert!(refused(&pipe).contains("is no file"));
    }

    #[test]
    fn a_value_that_is_rotated_is_used_from_then_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let file = InFile::new(&path);
        let rotate = |value: &str| {
            let new = folder.path().join("new");
            write(&new, value).unwrap();
            set_permissions(&new, Permissions::from_mode(0o600)).unwrap();
            std::fs::rename(&new, &path).unwrap();
        };
        let hidden = |value: Secret| format!("{value:?}");
        rotate("the-first-value");
        assert_eq!(hidden(file.value().unwrap()), "Secret(…)");
        let stamp = || file.kept.lock().unwrap().as_ref().unwrap().0;
        let first = stamp();
        assert!(file.value().is_ok());
        assert_eq!(stamp(), first);
        rotate("another-value!!");
        assert!(file.value().is_ok());
        assert_ne!(stamp(), first);
        rotate(&"x".repeat(MAX_VALUE + 1));
        assert_eq!(file.value().unwrap_err(), SecretError::Long);
    }
}
