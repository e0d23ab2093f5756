//! `journal.head`: which commit was the last, beside the database.
//!
//! SQLite ends its log at the first frame with a wrong checksum and says nothing.
//! So the writer notes after each commit which one it was. A database that is
//! older than the note has lost commits. The note itself is never synced: after a
//! loss of power it may be older than the database, which means nothing.
//!
//! There are two slots, written in turn, so that a torn write spoils one of them.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::Path;

use super::JournalError;
use super::chain::{Link, seal};
use super::schema;

/// Each slot has a sector of its own.
const SLOT: usize = 512;

/// What a slot begins with.
const MARK: &[u8; 8] = b"hotcellJ";

/// Which commit was the last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Note {
    pub(super) epoch: u64,
    pub(super) batch: u64,
    pub(super) chain: Link,
}

impl Note {
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = MARK.to_vec();
        bytes.extend(self.epoch.to_le_bytes());
        bytes.extend(self.batch.to_le_bytes());
        bytes.extend(self.chain);
        let sum = seal(&[&bytes]);
        bytes.extend(sum);
        bytes
    }

    /// The note in a slot, if it is whole.
    fn read(slot: &[u8]) -> Option<Note> {
        let rest = slot.strip_prefix(MARK)?;
        let (epoch, rest) = rest.split_first_chunk()?;
        let (batch, rest) = rest.split_first_chunk()?;
        let (chain, _) = rest.split_first_chunk()?;
        let note = Note {
            epoch: u64::from_le_bytes(*epoch),
            batch: u64::from_le_bytes(*batch),
            chain: *chain,
        };
        slot.starts_with(&note.bytes()).then_some(note)
    }
}

/// The last note, if there is one. Two spoilt slots are an error: one torn write
/// spoils one.
pub(super) fn read(dir: &Path) -> Result<Option<Note>, JournalError> {
    let path = dir.join("journal.head");
    let mut bytes = Vec::new();
    let read =
        File::open(&path).and_then(|file| file.take(2 * SLOT as u64).read_to_end(&mut bytes));
    match read {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(JournalError::io("read", &path, &error)),
    }
    let slots = bytes.chunks(SLOT);
    let used = slots.filter(|slot| slot.iter().any(|byte| *byte != 0));
    let mut spoilt = 0;
    let mut last: Option<Note> = None;
    for slot in used {
        match Note::read(slot) {
            Some(note) => last = last.filter(|l| l.batch > note.batch).or(Some(note)),
            None => spoilt += 1,
        }
    }
    if last.is_none() && spoilt > 0 {
        return Err(JournalError::Damaged(
            "`journal.head` cannot be read; to go on without it, remove it".to_owned(),
        ));
    }
    Ok(last)
}

/// Writes the notes.
pub(super) struct HeadFile(File);

impl HeadFile {
    pub(super) fn open(dir: &Path) -> Result<HeadFile, JournalError> {
        let path = dir.join("journal.head");
        let open = || {
            let file = schema::open_file(&path)?;
            file.set_len(2 * SLOT as u64)?;
            file.sync_all()?;
            Ok(HeadFile(file))
        };
        open().map_err(|error| JournalError::io("open", &path, &error))
    }

    pub(super) fn write(&mut self, note: &Note) -> io::Result<()> {
        self.0
            .seek(SeekFrom::Start((note.batch % 2) * SLOT as u64))?;
        self.0.write_all(&note.bytes())
    }
}
