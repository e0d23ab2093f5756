//! Reading the file from its first line, and finding the first that is not what
//! was written.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use super::files::open_to_read;
use super::line::{Line, MAX_LINE};
use super::{AuditError, HEAD, Head, START};

/// The first record that is not what was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("record {record}: {why}")]
pub struct Broken {
    /// Its number, or the number it should have.
    pub record: u64,
    /// What is the matter.
    pub why: String,
}

/// Why a file could not be read to its end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WalkError {
    /// It is not what was written.
    #[error(transparent)]
    Broken(#[from] Broken),
    /// It cannot be read at all.
    #[error(transparent)]
    Audit(#[from] AuditError),
}

/// A file that is what was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Its last line.
    pub head: Head,
    /// So many lines were added behind the head that the folder knows: a process
    /// ended between the two. They follow, and nothing else vouches for them.
    pub unsealed: u64,
    /// Bytes behind the last line: a process ended while it wrote, and nobody was
    /// told that it had.
    pub unfinished: u64,
}

/// Checks the whole file. With `anchor`, the hash of a head that was kept
/// elsewhere, its line must be among them: a folder that was taken back to an
/// earlier state does not have it. None when there is no audit.
pub fn verify(dir: &Path, anchor: Option<&str>) -> Result<Option<Verified>, WalkError> {
    let mut met = anchor.is_none_or(|anchor| anchor == START);
    let verified = walk(dir, |hash, _| {
        met |= anchor == Some(hash);
        Ok::<_, WalkError>(())
    })?;
    let next = verified.as_ref().map_or(1, |it| it.head.seq + 1);
    match met {
        true => Ok(verified),
        false => Err(Broken {
            record: next,
            why: "no record has the hash of the head that was kept elsewhere: records are \
                  missing from the end, or all of them are others"
                .to_owned(),
        }
        .into()),
    }
}

/// Reads the file from its beginning, and shows each line that is what was written:
/// its hash and its text. Ends at the first that is not.
pub fn walk<E: From<WalkError>>(
    dir: &Path,
    mut visit: impl FnMut(&str, &str) -> Result<(), E>,
) -> Result<Option<Verified>, E> {
    let opened = open_to_read(dir).map_err(WalkError::from)?;
    let Some((_lock, sealed, file)) = opened else {
        return Ok(None);
    };
    let sealed = sealed.unwrap_or_else(Head::start);
    let mut from = BufReader::new(file);
    let mut end = Head::start();
    let mut met = sealed.seq == 0;
    let mut bytes = Vec::new();
    let unfinished = loop {
        let record = end.seq.saturating_add(1);
        bytes.clear();
        let broken = |why: String| E::from(WalkError::from(Broken { record, why }));
        let read = (&mut from)
            .take(MAX_LINE as u64 + 1)
            .read_until(b'\n', &mut bytes)
            .map_err(|error| {
                let error = AuditError::io("read", &dir.join(super::FILE), &error);
                E::from(WalkError::from(error))
            })?;
        if read == 0 {
            break 0;
        }
        let inside = end.bytes < sealed.bytes;
        let Some(text) = bytes.strip_suffix(b"\n") else {
            if inside {
                return Err(broken("its line does not end".to_owned()));
            }
            break read as u64;
        };
        let text = str::from_utf8(text).ok();
        let Some((text, line)) = text.and_then(|text| Some((text, Line::parse(text)?))) else {
            return Err(broken("its line is no record".to_owned()));
        };
        check(&line, &end).map_err(broken)?;
        end = Head {
            seq: record,
            bytes: end.bytes.saturating_add(bytes.len() as u64),
            hash: line.hash.to_owned(),
        };
        met |= end == sealed;
        visit(&end.hash, text)?;
    };
    if !met {
        let record = end.seq.min(sealed.seq) + u64::from(end.seq < sealed.seq);
        let why = match end.seq < sealed.seq {
            true => format!(
                "it is missing, and all behind it up to record {}, which `{HEAD}` knows",
                sealed.seq
            ),
            false => format!("`{HEAD}` knows another one"),
        };
        return Err(WalkError::from(Broken { record, why }).into());
    }
    Ok(Some(Verified {
        unsealed: end.seq.saturating_sub(sealed.seq),
        head: end,
        unfinished,
    }))
}

/// What is wrong with a line that stands behind this one.
fn check(line: &Line<'_>, before: &Head) -> Result<(), String> {
    let expected = before.seq.saturating_add(1);
    if !line.is_whole() {
        return Err("it was changed: its hash is not that of its line".to_owned());
    }
    if line.seq != expected {
        let found = line.seq;
        return Err(match found < expected {
            true => format!("record {found} stands in its place once more"),
            false => format!("it is missing; record {found} stands in its place"),
        });
    }
    match line.prev == before.hash {
        true => Ok(()),
        false => Err(format!("it does not follow record {}", before.seq)),
    }
}
