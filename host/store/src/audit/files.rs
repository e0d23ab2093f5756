//! The two files, locked against all other processes.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::line::{self, Line, MAX_LINE};
use super::writer::MOST;
use super::{AuditError, FILE, HEAD, Head};
use crate::private::only_for_owner;

/// The head is one write inside one sector.
const SLOT: usize = 256;

/// Both files. Nobody else writes while this is there.
pub(super) struct Files {
    dir: PathBuf,
    log: File,
    /// Holds the lock.
    sealed: File,
    last: Head,
}

impl Files {
    /// Waits for the lock, and finds out where the file ends. What a process added
    /// and had no time to seal is taken over, and what it had no time to finish is
    /// cut off: nobody was told that it was written.
    pub(super) fn lock(dir: &Path) -> Result<Files, AuditError> {
        make(dir)?;
        let (head, log) = (dir.join(HEAD), dir.join(FILE));
        let sealed = open(&head)?;
        sealed
            .lock()
            .map_err(|error| AuditError::io("lock", &head, &error))?;
        let mut files = Files {
            dir: dir.to_owned(),
            log: open(&log)?,
            sealed,
            last: Head::start(),
        };
        files.find_end()?;
        Ok(files)
    }

    /// Adds these, and returns when they are on the disk: all or none.
    pub(super) fn append<'a>(
        &mut self,
        bodies: impl Iterator<Item = &'a str>,
    ) -> Result<Head, AuditError> {
        let mut next = self.last.clone();
        let mut text = String::new();
        for body in bodies {
            line::fits(body).map_err(|why| AuditError::Unfit {
                bytes: body.len(),
                why,
            })?;
            next.seq = next.seq.saturating_add(1);
            let (line, hash) = line::compose(next.seq, &next.hash, body);
            next.hash = hash;
            text.push_str(&line);
            text.push('\n');
        }
        next.bytes = next.bytes.saturating_add(text.len() as u64);
        let path = self.dir.join(FILE);
        let wrong = |error: &std::io::Error| AuditError::io("write", &path, error);
        let written = self
            .log
            .seek(SeekFrom::Start(self.last.bytes))
            .and_then(|_| self.log.write_all(text.as_bytes()))
            .and_then(|()| self.log.sync_data());
        if let Err(error) = written {
            // What is there of it is no line of ours; if this fails as well, whoever
            // comes next does it.
            drop(self.log.set_len(self.last.bytes));
            return Err(wrong(&error));
        }
        self.seal(&next)?;
        self.last = next;
        Ok(self.last.clone())
    }

    /// Writes down which line is the last, and waits for it: a head that a loss of
    /// power had left further behind than one batch would say that the file is not
    /// ours.
    fn seal(&mut self, head: &Head) -> Result<(), AuditError> {
        let path = self.dir.join(HEAD);
        self.sealed
            .seek(SeekFrom::Start(0))
            .and_then(|_| self.sealed.write_all(text_of(head).as_bytes()))
            .and_then(|()| self.sealed.sync_data())
            .map_err(|error| AuditError::io("write", &path, &error))
    }

    fn find_end(&mut self) -> Result<(), AuditError> {
        let (head, log) = (self.dir.join(HEAD), self.dir.join(FILE));
        let read = |error: &std::io::Error| AuditError::io("read", &log, error);
        let length = self.log.metadata().map_err(|error| read(&error))?.len();
        self.last = match read_head(&mut self.sealed, &head)? {
            Some(last) => last,
            None if length == 0 => {
                // So that the file is there after a loss of power, and not only what
                // was written to it.
                sync_folder(&self.dir)?;
                Head::start()
            }
            None => {
                return Err(AuditError::Damaged(format!(
                    "`{}` is gone or empty and there are records",
                    head.display()
                )));
            }
        };
        if length < self.last.bytes {
            return Err(AuditError::Damaged(format!(
                "`{}` has {length} bytes and had {}: its end is missing",
                log.display(),
                self.last.bytes
            )));
        }
        self.is_followed(&log)?;
        if length == self.last.bytes {
            return Ok(());
        }
        let more = length.saturating_sub(self.last.bytes);
        if more > TAIL {
            return Err(AuditError::Damaged(format!(
                "`{}` has {more} bytes behind record {}, and no process left so many",
                log.display(),
                self.last.seq
            )));
        }
        let tail = self.tail()?;
        let (mut end, found) = adopt(&self.last, &tail);
        if end.bytes < length {
            // A power cut may leave anything behind the last line, also nothing.
            self.log
                .set_len(end.bytes)
                .and_then(|()| self.log.sync_data())
                .map_err(|error| AuditError::io("write", &log, &error))?;
        }
        if found {
            self.seal(&end)?;
        }
        std::mem::swap(&mut self.last, &mut end);
        Ok(())
    }

    /// Whether the file has at the head's place what the head says.
    fn is_followed(&mut self, log: &Path) -> Result<(), AuditError> {
        let Head { bytes, hash, .. } = &self.last;
        let end = format!("{hash}\"}}\n");
        if *bytes == 0 {
            return Ok(());
        }
        let mut found = vec![0; end.len()];
        let from = bytes.checked_sub(end.len() as u64);
        let same = from.is_some_and(|from| {
            let read = self.log.seek(SeekFrom::Start(from));
            read.and_then(|_| self.log.read_exact(&mut found)).is_ok() && found == end.as_bytes()
        });
        match same {
            true => Ok(()),
            false => Err(AuditError::Damaged(format!(
                "record {} in `{}` is not the one that `{HEAD}` knows",
                self.last.seq,
                log.display()
            ))),
        }
    }

    /// What is behind the sealed end: at most what one process wrote at once.
    fn tail(&mut self) -> Result<Vec<u8>, AuditError> {
        let path = self.dir.join(FILE);
        let mut tail = Vec::new();
        self.log
            .seek(SeekFrom::Start(self.last.bytes))
            .and_then(|_| (&self.log).take(TAIL).read_to_end(&mut tail))
            .map_err(|error| AuditError::io("read", &path, &error))?;
        Ok(tail)
    }
}

/// No more than so much is behind the sealed end: what is written at once.
const TAIL: u64 = (MAX_LINE as u64 + 1) * MOST as u64;

/// The end after the lines of a tail that follow, and whether there are any.
fn adopt(head: &Head, tail: &[u8]) -> (Head, bool) {
    let mut end = head.clone();
    for line in tail.split_inclusive(|byte| *byte == b'\n') {
        let text = line
            .strip_suffix(b"\n")
            .and_then(|it| str::from_utf8(it).ok());
        let Some(parsed) = text.and_then(Line::parse) else {
            break;
        };
        let next = end.seq.saturating_add(1);
        if parsed.seq != next || parsed.prev != end.hash || !parsed.is_whole() {
            break;
        }
        end = Head {
            seq: next,
            bytes: end.bytes.saturating_add(line.len() as u64),
            hash: parsed.hash.to_owned(),
        };
    }
    let found = end.seq > head.seq;
    (end, found)
}

fn make(dir: &Path) -> Result<(), AuditError> {
    fs::create_dir_all(dir).map_err(|error| AuditError::io("create", dir, &error))?;
    only_for_owner(dir, 0o700).map_err(|error| AuditError::io("protect", dir, &error))
}

fn sync_folder(dir: &Path) -> Result<(), AuditError> {
    match cfg!(unix) {
        true => File::open(dir)
            .and_then(|dir| dir.sync_all())
            .map_err(|error| AuditError::io("sync", dir, &error)),
        false => Ok(()),
    }
}

fn open(path: &Path) -> Result<File, AuditError> {
    let mut options = OpenOptions::new();
    let file = options.read(true).write(true).create(true).truncate(false);
    let wrong = |error: std::io::Error| AuditError::io("open", path, &error);
    // A link would let somebody else say where the records go.
    if fs::symlink_metadata(path).is_ok_and(|it| !it.is_file()) {
        return Err(AuditError::Damaged(format!(
            "`{}` is no file",
            path.display()
        )));
    }
    let file = file.open(path).map_err(wrong)?;
    only_for_owner(path, 0o600).map_err(wrong)?;
    Ok(file)
}

/// A head as it stands in its file: padded, so that one is as long as another.
fn text_of(head: &Head) -> String {
    let Head { seq, bytes, hash } = head;
    let text = format!("{{\"seq\":{seq},\"bytes\":{bytes},\"hash\":\"{hash}\"}}");
    let width = SLOT - 1;
    format!("{text:<width$}\n")
}

/// The head that a file holds; none if it is empty.
fn read_head(file: &mut File, path: &Path) -> Result<Option<Head>, AuditError> {
    let mut text = String::new();
    let read = file
        .seek(SeekFrom::Start(0))
        .and_then(|_| (&*file).take(SLOT as u64 + 1).read_to_string(&mut text));
    match read {
        Err(error) if error.kind() != ErrorKind::InvalidData => {
            return Err(AuditError::io("read", path, &error));
        }
        Ok(0) => return Ok(None),
        _ => {}
    }
    let head: Option<Head> = serde_json::from_str(&text).ok();
    match head.filter(|head| text_of(head) == text) {
        Some(head) => Ok(Some(head)),
        None => Err(AuditError::Damaged(format!(
            "`{}` is not what was written",
            path.display()
        ))),
    }
}

/// The head and the file for somebody who only reads, both as they are at one
/// moment; none when there is no audit.
pub(super) fn open_to_read(dir: &Path) -> Result<Option<(File, Option<Head>, File)>, AuditError> {
    let (head, log) = (dir.join(HEAD), dir.join(FILE));
    let open = |path: &Path| match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(AuditError::io("open", path, &error)),
    };
    let (sealed, file) = (open(&head)?, open(&log)?);
    let (mut sealed, file) = match (sealed, file) {
        (None, None) => return Ok(None),
        (Some(sealed), Some(file)) => (sealed, file),
        (sealed, _) => {
            let gone = if sealed.is_none() { head } else { log };
            return Err(AuditError::Damaged(format!("`{}` is gone", gone.display())));
        }
    };
    sealed
        .lock_shared()
        .map_err(|error| AuditError::io("lock", &head, &error))?;
    let last = read_head(&mut sealed, &head)?;
    Ok(Some((sealed, last, file)))
}

/// The head alone.
pub(super) fn look(dir: &Path) -> Result<Option<Head>, AuditError> {
    let found = open_to_read(dir)?;
    Ok(found.map(|(_, head, _)| head.unwrap_or_else(Head::start)))
}
