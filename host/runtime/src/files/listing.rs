//! Folders read a batch at a time: one may hold a million entries. The library
//! reads all of them before it gives the first.

use std::sync::Arc;

use rustix::fs::{Dir as RawDir, FileType};
use wasmtime::component::Resource;
use wasmtime_wasi::p2::bindings::filesystem::types::{
    DescriptorType, DirectoryEntry, DirectoryEntryStream, ErrorCode, HostDirectoryEntryStream,
};
use wasmtime_wasi::p2::{FsError, FsResult};

use super::pool::POOL;
use super::{Place, Shared};
use crate::cell::State;

/// Entries of a folder that are read at once.
const BATCH: usize = 256;

/// What an entry keeps in memory, at most: a name of 255 bytes and its kind.
const ENTRY: usize = 320;

/// A folder that is being listed, a batch at a time: it may hold a million
/// entries.
pub(super) struct Listing {
    shared: Arc<Shared>,
    /// None while a batch is read, and after the last.
    rest: Option<RawDir>,
    batch: std::vec::IntoIter<FsResult<DirectoryEntry>>,
    _place: Place,
}

impl Listing {
    /// What one keeps in memory.
    pub(super) const BYTES: usize = BATCH * ENTRY;

    pub(super) fn new(shared: Arc<Shared>, dir: RawDir, place: Place) -> Listing {
        Listing {
            shared,
            rest: Some(dir),
            batch: Vec::new().into_iter(),
            _place: place,
        }
    }
}

/// The next entries, and the rest of the folder unless that was all.
fn read_batch(mut dir: RawDir) -> (Vec<FsResult<DirectoryEntry>>, Option<RawDir>) {
    let mut batch = Vec::new();
    while batch.len() < BATCH {
        let Some(entry) = dir.next() else {
            return (batch, None);
        };
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                batch.push(Err(ErrorCode::from(std::io::Error::from(error)).into()));
                return (batch, None);
            }
        };
        let name = entry.file_name().to_bytes();
        if matches!(name, b"." | b"..") {
            continue;
        }
        let type_ = match entry.file_type() {
            FileType::RegularFile => DescriptorType::RegularFile,
            FileType::Directory => DescriptorType::Directory,
            FileType::Symlink => DescriptorType::SymbolicLink,
            FileType::BlockDevice => DescriptorType::BlockDevice,
            FileType::CharacterDevice => DescriptorType::CharacterDevice,
            FileType::Fifo => DescriptorType::Fifo,
            FileType::Socket => DescriptorType::Socket,
            _ => DescriptorType::Unknown,
        };
        batch.push(match String::from_utf8(name.to_vec()) {
            Ok(name) => Ok(DirectoryEntry { type_, name }),
            Err(_) => Err(ErrorCode::IllegalByteSequence.into()),
        });
    }
    (batch, Some(dir))
}

impl HostDirectoryEntryStream for State {
    async fn read_directory_entry(
        &mut self,
        stream: Resource<DirectoryEntryStream>,
    ) -> FsResult<Option<DirectoryEntry>> {
        let listing = self.table.get_mut(&listing(&stream))?;
        if let Some(entry) = listing.batch.next() {
            return entry.map(Some);
        }
        let Some(rest) = listing.rest.take() else {
            return Ok(None);
        };
        let tenant = &listing.shared.caller.tenant;
        let read = POOL.run(tenant, move || read_batch(rest)).await;
        let (batch, rest) = read.map_err(FsError::trap)?;
        (listing.batch, listing.rest) = (batch.into_iter(), rest);
        listing.batch.next().transpose()
    }

    fn drop(&mut self, stream: Resource<DirectoryEntryStream>) -> wasmtime::Result<()> {
        self.table.delete(listing(&stream))?;
        Ok(())
    }
}

/// The guest's handle of a listing is typed as the library's; in the table is
/// ours, which streams.
fn listing(stream: &Resource<DirectoryEntryStream>) -> Resource<Listing> {
    Resource::new_own(stream.rep())
}
