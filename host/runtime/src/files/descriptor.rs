//! What can be done with an open file or folder: each operation of the library,
//! after what this host asks first.

use std::sync::Arc;

use hotcell_broker::files::FileRefusal;
use hotcell_broker::store::guard::Guard;
use rustix::fs::Dir as RawDir;
use wasmtime::component::Resource;
use wasmtime_wasi::filesystem::Descriptor;
use wasmtime_wasi::p2::bindings::filesystem::types::{
    Advice, DescriptorFlags, DescriptorStat, DescriptorType, DirectoryEntryStream, ErrorCode,
    HostDescriptor, MetadataHashValue, NewTimestamp, OpenFlags, PathFlags,
};
use wasmtime_wasi::p2::{FsError, FsResult};
use wasmtime_wasi_io::streams::{DynInputStream, DynOutputStream};

use super::listing::Listing;
use super::streams::{CHUNK, Reader, To};
use super::{Fd, Opened, blocking};
use crate::cell::State;

impl HostDescriptor for State {
    async fn advise(&mut self, fd: Fd, offset: u64, len: u64, advice: Advice) -> FsResult<()> {
        self.with(&fd, async move |view, fd| {
            view.advise(fd, offset, len, advice).await
        })
        .await
    }

    async fn sync_data(&mut self, fd: Fd) -> FsResult<()> {
        self.with(&fd, async |view, fd| view.sync_data(fd).await)
            .await
    }

    async fn get_flags(&mut self, fd: Fd) -> FsResult<DescriptorFlags> {
        self.with(&fd, async |view, fd| view.get_flags(fd).await)
            .await
    }

    async fn get_type(&mut self, fd: Fd) -> FsResult<DescriptorType> {
        self.with(&fd, async |view, fd| view.get_type(fd).await)
            .await
    }

    async fn set_size(&mut self, fd: Fd, size: u64) -> FsResult<()> {
        self.count_bytes(&fd, size, 0)?;
        self.with(&fd, async move |view, fd| view.set_size(fd, size).await)
            .await
    }

    async fn set_times(
        &mut self,
        fd: Fd,
        accessed: NewTimestamp,
        modified: NewTimestamp,
    ) -> FsResult<()> {
        self.with(&fd, async move |view, fd| {
            view.set_times(fd, accessed, modified).await
        })
        .await
    }

    async fn read(&mut self, fd: Fd, len: u64, offset: u64) -> FsResult<(Vec<u8>, bool)> {
        self.with(&fd, async move |view, fd| view.read(fd, len, offset).await)
            .await
    }

    async fn write(&mut self, fd: Fd, bytes: Vec<u8>, offset: u64) -> FsResult<u64> {
        self.count_bytes(&fd, offset, bytes.len() as u64)?;
        self.with(&fd, async move |view, fd| {
            view.write(fd, bytes, offset).await
        })
        .await
    }

    async fn read_directory(&mut self, fd: Fd) -> FsResult<Resource<DirectoryEntryStream>> {
        let dir = self
            .with(&fd, async |view, fd| match view.table.get(&fd)? {
                Descriptor::File(_) => Err(ErrorCode::NotDirectory.into()),
                Descriptor::Dir(dir) => {
                    let dir = RawDir::read_from(&*dir.dir).map_err(std::io::Error::from);
                    Ok(dir?)
                }
            })
            .await?;
        let (at, shared) = (Arc::clone(&self.opened(&fd)?.at), self.shared());
        let place = self.place(&at, Listing::BYTES)?;
        let listing = self.table.push(Listing::new(shared, dir, place))?;
        Ok(Resource::new_own(listing.rep()))
    }

    async fn sync(&mut self, fd: Fd) -> FsResult<()> {
        self.with(&fd, async |view, fd| view.sync(fd).await).await
    }

    async fn create_directory_at(&mut self, fd: Fd, path: String) -> FsResult<()> {
        self.count_new(&fd)?;
        self.with_path(&fd, path, async |view, fd, path| {
            view.create_directory_at(fd, path).await
        })
        .await
    }

    async fn stat(&mut self, fd: Fd) -> FsResult<DescriptorStat> {
        self.with(&fd, async |view, fd| view.stat(fd).await).await
    }

    async fn stat_at(
        &mut self,
        fd: Fd,
        flags: PathFlags,
        path: String,
    ) -> FsResult<DescriptorStat> {
        self.with_path(&fd, path, async move |view, fd, path| {
            view.stat_at(fd, flags, path).await
        })
        .await
    }

    async fn set_times_at(
        &mut self,
        fd: Fd,
        flags: PathFlags,
        path: String,
        accessed: NewTimestamp,
        modified: NewTimestamp,
    ) -> FsResult<()> {
        self.with_path(&fd, path, async move |view, fd, path| {
            view.set_times_at(fd, flags, path, accessed, modified).await
        })
        .await
    }

    async fn link_at(
        &mut self,
        fd: Fd,
        flags: PathFlags,
        path: String,
        new: Fd,
        new_path: String,
    ) -> FsResult<()> {
        if Guard::FilesLinks.on() {
            return self.refuse_at(&fd, FileRefusal::Link);
        }
        let new = self.table.get(&new)?.clone();
        self.with_path(&fd, path, async move |view, fd, path| {
            let new = view.table.push(new)?;
            view.link_at(fd, flags, path, new, new_path).await
        })
        .await
    }

    async fn open_at(
        &mut self,
        fd: Fd,
        path_flags: PathFlags,
        path: String,
        open: OpenFlags,
        flags: DescriptorFlags,
    ) -> FsResult<Fd> {
        let depth = self.below(&fd, &path)?;
        let at = Arc::clone(&self.opened(&fd)?.at);
        let place = self.place(&at, 0)?;
        // What is there is looked at before it is opened: a pipe would block, and
        // a file that is not there yet counts.
        let there = self
            .with_path(&fd, path.clone(), async move |view, fd, path| {
                match view.stat_at(fd, path_flags, path).await {
                    Ok(stat) => Ok(Some(stat.type_)),
                    Err(_) => Ok(None),
                }
            })
            .await?;
        match there {
            None if open.contains(OpenFlags::CREATE) => self.count_new(&fd)?,
            None
            | Some(
                DescriptorType::RegularFile
                | DescriptorType::Directory
                | DescriptorType::SymbolicLink,
            ) => {}
            Some(_) => return self.refuse_at(&fd, FileRefusal::Special),
        }
        let (descriptor, size) = self
            .with_path(&fd, path, async move |view, fd, path| {
                let opened = view.open_at(fd, path_flags, path, open, flags).await?;
                let descriptor = view.table.delete(opened)?;
                let descriptor = blocking(descriptor)?;
                let again = view.table.push(descriptor.clone())?;
                let size = view.stat(again).await?.size;
                Ok((descriptor, size))
            })
            .await?;
        self.keep(
            descriptor,
            Opened {
                at,
                depth,
                size,
                _place: place,
            },
        )
    }

    fn drop(&mut self, fd: Fd) -> wasmtime::Result<()> {
        self.files.open.remove(&fd.rep());
        self.table.delete(fd)?;
        Ok(())
    }

    async fn readlink_at(&mut self, fd: Fd, path: String) -> FsResult<String> {
        self.with_path(&fd, path, async |view, fd, path| {
            view.readlink_at(fd, path).await
        })
        .await
    }

    async fn remove_directory_at(&mut self, fd: Fd, path: String) -> FsResult<()> {
        self.with_path(&fd, path, async |view, fd, path| {
            view.remove_directory_at(fd, path).await
        })
        .await
    }

    async fn rename_at(&mut self, fd: Fd, path: String, new: Fd, new_path: String) -> FsResult<()> {
        self.below(&new, &new_path)?;
        if self.opened(&fd)?.at != self.opened(&new)?.at {
            return self.refuse_at(&fd, FileRefusal::Across);
        }
        let new = self.table.get(&new)?.clone();
        self.with_path(&fd, path, async move |view, fd, path| {
            let new = view.table.push(new)?;
            view.rename_at(fd, path, new, new_path).await
        })
        .await
    }

    async fn symlink_at(&mut self, fd: Fd, to: String, path: String) -> FsResult<()> {
        if Guard::FilesLinks.on() {
            return self.refuse_at(&fd, FileRefusal::Link);
        }
        self.with_path(&fd, path, async move |view, fd, path| {
            view.symlink_at(fd, to, path).await
        })
        .await
    }

    async fn unlink_file_at(&mut self, fd: Fd, path: String) -> FsResult<()> {
        self.with_path(&fd, path, async |view, fd, path| {
            view.unlink_file_at(fd, path).await
        })
        .await
    }

    fn read_via_stream(&mut self, fd: Fd, offset: u64) -> FsResult<Resource<DynInputStream>> {
        let descriptor = self.table.get(&fd)?.clone();
        if let Descriptor::Dir(_) = descriptor {
            return Err(ErrorCode::IsDirectory.into());
        }
        let (at, shared) = (Arc::clone(&self.opened(&fd)?.at), self.shared());
        shared.granted(&at)?;
        let place = self.place(&at, CHUNK)?;
        let reader = Reader::new(shared, descriptor, at, place, offset);
        Ok(self.table.push(Box::new(reader) as DynInputStream)?)
    }

    fn write_via_stream(&mut self, fd: Fd, offset: u64) -> FsResult<Resource<DynOutputStream>> {
        self.writer(&fd, To::Offset(offset))
    }

    fn append_via_stream(&mut self, fd: Fd) -> FsResult<Resource<DynOutputStream>> {
        self.writer(&fd, To::End)
    }

    async fn is_same_object(&mut self, a: Fd, b: Fd) -> wasmtime::Result<bool> {
        let other = self.table.get(&b)?.clone();
        let same = self.with(&a, async move |view, a| {
            let b = view.table.push(other)?;
            view.is_same_object(a, b).await.map_err(FsError::trap)
        });
        match same.await {
            Ok(same) => Ok(same),
            Err(error) => error.downcast().map(|_| false),
        }
    }

    async fn metadata_hash(&mut self, fd: Fd) -> FsResult<MetadataHashValue> {
        self.with(&fd, async |view, fd| view.metadata_hash(fd).await)
            .await
    }

    async fn metadata_hash_at(
        &mut self,
        fd: Fd,
        flags: PathFlags,
        path: String,
    ) -> FsResult<MetadataHashValue> {
        self.with_path(&fd, path, async move |view, fd, path| {
            view.metadata_hash_at(fd, flags, path).await
        })
        .await
    }
}
