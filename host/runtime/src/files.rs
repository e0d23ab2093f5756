//! `wasi:filesystem`: the folders that a plugin was lent, and nothing else.
//!
//! Paths are resolved by the library, below an open folder and never above it.
//! Around each of its operations stands what it does not do: the grant is looked
//! up, what is written, created and held open is counted, links are never made,
//! and the disk is waited for on threads of which there are not many. What is
//! refused and why the broker says.

mod descriptor;
mod listing;
mod pool;
mod streams;

use std::collections::BTreeMap;
use std::fs::File;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use hotcell_broker::files::{FileAccess, FileGrant, FileRefusal, Ledger, depth, growth};
use hotcell_broker::store::guard::Guard;
use hotcell_broker::{Broker, Caller};
use rustix::fs::{Mode, OFlags};
use wasmtime::component::{HasSelf, Linker, Resource, ResourceTable};
use wasmtime_wasi::filesystem::{self, Descriptor, Dir, WasiFilesystemCtx, WasiFilesystemCtxView};
use wasmtime_wasi::p2::bindings::filesystem::preopens;
use wasmtime_wasi::p2::bindings::filesystem::types::{self, ErrorCode};
use wasmtime_wasi::p2::{FsError, FsResult};
use wasmtime_wasi::{FsPerms, OpenMode};
use wasmtime_wasi_io::streams::DynOutputStream;

use self::pool::POOL;
use self::streams::{Failed, To, Writer};
use crate::cell::State;
use crate::limits::Hold;

/// Links the interface.
pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    types::add_to_linker::<State, HasSelf<State>>(linker, State::entered)?;
    preopens::add_to_linker::<State, HasSelf<State>>(linker, State::entered)
}

/// The files of one cell.
#[derive(Default)]
pub(crate) struct Files {
    open: BTreeMap<u32, Opened>,
    /// Made at the first use.
    shared: Option<Arc<Shared>>,
}

/// What is known of a descriptor besides what the library knows.
struct Opened {
    /// Where the guest sees the folder that was lent.
    at: Arc<str>,
    /// So many folders below it, at most.
    depth: usize,
    /// The least that the file is long.
    size: u64,
    _place: Place,
}

/// What descriptors and streams of one cell have in common.
pub(crate) struct Shared {
    broker: Broker,
    caller: Caller,
    ledger: Mutex<Ledger>,
}

/// A place among those for open files, until it is dropped.
pub(crate) struct Place {
    shared: Arc<Shared>,
    /// What it keeps in memory.
    _held: Hold,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.shared.ledger().give_back();
    }
}

impl Shared {
    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The error that the guest gets, after the operator's record of it.
    fn refuse(&self, at: &str, why: FileRefusal) -> FsError {
        if self.ledger().first_refusal(at, why) {
            self.broker.refused_file(&self.caller, at, why);
        }
        let code = match why {
            FileRefusal::Quota
            | FileRefusal::Files
            | FileRefusal::Handles
            | FileRefusal::Effects => ErrorCode::Quota,
            FileRefusal::Path => ErrorCode::NameTooLong,
            FileRefusal::Across => ErrorCode::CrossDevice,
            FileRefusal::Gone => ErrorCode::NoEntry,
            FileRefusal::NotGranted
            | FileRefusal::ReadOnly
            | FileRefusal::Link
            | FileRefusal::Special => ErrorCode::NotPermitted,
        };
        code.into()
    }

    /// The grant, as it is now.
    fn grant(&self, at: &str) -> Result<&FileGrant, FileRefusal> {
        let mut folders = self.broker.folders(&self.caller.plugin);
        let grant = folders
            .find(|folder| folder.at == at)
            .ok_or(FileRefusal::NotGranted)?;
        self.ledger()
            .begin(grant, || self.broker.use_folder(&self.caller, grant))?;
        Ok(grant)
    }

    /// The same, or what the guest is told.
    fn granted(&self, at: &str) -> FsResult<&FileGrant> {
        self.grant(at).map_err(|why| self.refuse(at, why))
    }

    fn charge(&self, at: &str, size: u64, offset: u64, bytes: u64) -> Result<(), FileRefusal> {
        let grant = self.grant(at)?;
        self.ledger().write(grant, growth(size, offset, bytes))
    }
}

/// Does something to a descriptor on a thread that may block. The library works
/// on a table with this descriptor alone, so that the cell's own stays here.
async fn on_disk<R: Send + 'static>(
    shared: &Shared,
    descriptor: Descriptor,
    work: impl AsyncFnOnce(&mut WasiFilesystemCtxView<'_>, Resource<Descriptor>) -> FsResult<R>
    + Send
    + 'static,
) -> FsResult<R> {
    let work = move || {
        let (mut table, mut ctx) = (ResourceTable::new(), WasiFilesystemCtx::default());
        let fd = table.push(descriptor)?;
        let mut view = WasiFilesystemCtxView {
            ctx: &mut ctx,
            table: &mut table,
        };
        // Descriptors are made to block, so this waits for nothing but the disk.
        let work = std::pin::pin!(work(&mut view, fd));
        match work.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(done) => done,
            Poll::Pending => Err(ErrorCode::WouldBlock.into()),
        }
    };
    POOL.run(&shared.caller.tenant, work)
        .await
        .map_err(FsError::trap)?
}

/// The same descriptor, made to block: whatever is done to it is done on threads
/// that may.
fn blocking(descriptor: Descriptor) -> FsResult<Descriptor> {
    let alone = |file: Arc<File>| Arc::into_inner(file).ok_or(ErrorCode::Io);
    Ok(match descriptor {
        Descriptor::File(file) => Descriptor::File(filesystem::File::new(
            alone(file.file)?,
            file.perms,
            file.open_mode,
            true,
        )),
        Descriptor::Dir(dir) => {
            Descriptor::Dir(Dir::new(alone(dir.dir)?, dir.perms, dir.open_mode, true))
        }
    })
}

/// The folder itself, never what a link in its place leads to.
fn lend(grant: &FileGrant) -> Option<Descriptor> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let folder = rustix::fs::open(&grant.path, flags, Mode::empty()).ok()?;
    let (perms, mode) = match grant.access {
        FileAccess::Read if Guard::FilesAccess.on() => (FsPerms::ReadOnly, OpenMode::READ),
        FileAccess::Read | FileAccess::Write => {
            (FsPerms::ReadWrite, OpenMode::READ | OpenMode::WRITE)
        }
    };
    Some(Descriptor::Dir(Dir::new(folder.into(), perms, mode, true)))
}

type Fd = Resource<Descriptor>;

impl State {
    fn shared(&mut self) -> Arc<Shared> {
        let (broker, caller) = (&self.broker, &self.caller);
        let shared = self.files.shared.get_or_insert_with(|| {
            Arc::new(Shared {
                broker: broker.clone(),
                caller: caller.clone(),
                ledger: Mutex::default(),
            })
        });
        Arc::clone(shared)
    }

    /// A place for an open file that keeps so many bytes in memory.
    fn place(&mut self, at: &str, bytes: usize) -> FsResult<Place> {
        let shared = self.shared();
        let held = self.hold(bytes).map_err(FsError::trap)?;
        let taken = shared.ledger().take();
        taken.map_err(|why| shared.refuse(at, why))?;
        Ok(Place {
            shared,
            _held: held,
        })
    }

    /// What is known of a descriptor; a trap if it is none.
    fn opened(&self, fd: &Fd) -> FsResult<&Opened> {
        let found = self.files.open.get(&fd.rep());
        found.ok_or_else(|| FsError::trap(wasmtime::format_err!("no such descriptor")))
    }

    /// Looks up the grant and does something to the descriptor.
    async fn with<R: Send + 'static>(
        &mut self,
        fd: &Fd,
        work: impl AsyncFnOnce(&mut WasiFilesystemCtxView<'_>, Fd) -> FsResult<R> + Send + 'static,
    ) -> FsResult<R> {
        let shared = self.shared();
        let at = Arc::clone(&self.opened(fd)?.at);
        let descriptor = self.table.get(fd)?.clone();
        let access = shared.granted(&at)?.access;
        let done = on_disk(&shared, descriptor, work).await;
        let refused =
            |error: &FsError| matches!(error.downcast_ref(), Some(ErrorCode::NotPermitted));
        match done {
            Err(error) if access == FileAccess::Read && refused(&error) => {
                Err(shared.refuse(&at, FileRefusal::ReadOnly))
            }
            done => done,
        }
    }

    /// The same, with a path below the descriptor.
    async fn with_path<R: Send + 'static>(
        &mut self,
        fd: &Fd,
        path: String,
        work: impl AsyncFnOnce(&mut WasiFilesystemCtxView<'_>, Fd, String) -> FsResult<R>
        + Send
        + 'static,
    ) -> FsResult<R> {
        self.below(fd, &path)?;
        self.with(fd, async move |view, fd| work(view, fd, path).await)
            .await
    }

    /// How deep a path leads.
    fn below(&mut self, fd: &Fd, path: &str) -> FsResult<usize> {
        let opened = self.opened(fd)?;
        let at = Arc::clone(&opened.at);
        depth(opened.depth, path).map_err(|why| self.shared().refuse(&at, why))
    }

    /// Refuses an operation on this descriptor.
    fn refuse_at<R>(&mut self, fd: &Fd, why: FileRefusal) -> FsResult<R> {
        let at = Arc::clone(&self.opened(fd)?.at);
        Err(self.shared().refuse(&at, why))
    }

    /// Counts a file or folder that is about to be created, where the grant lets
    /// it be.
    fn count_new(&mut self, fd: &Fd) -> FsResult<()> {
        let at = Arc::clone(&self.opened(fd)?.at);
        let shared = self.shared();
        let counted = shared.grant(&at).and_then(|grant| match grant.access {
            FileAccess::Read => Ok(()),
            FileAccess::Write => shared.ledger().create(grant),
        });
        counted.map_err(|why| shared.refuse(&at, why))
    }

    /// Counts what is about to be written, where the grant lets it be.
    fn count_bytes(&mut self, fd: &Fd, offset: u64, bytes: u64) -> FsResult<()> {
        let opened = self.opened(fd)?;
        let (at, size) = (Arc::clone(&opened.at), opened.size);
        let shared = self.shared();
        let counted = shared.grant(&at).and_then(|grant| match grant.access {
            FileAccess::Read => Ok(()),
            FileAccess::Write => shared.ledger().write(grant, growth(size, offset, bytes)),
        });
        counted.map_err(|why| shared.refuse(&at, why))?;
        let end = offset.saturating_add(bytes);
        if let Some(opened) = self.files.open.get_mut(&fd.rep()) {
            opened.size = opened.size.max(end);
        }
        Ok(())
    }

    fn keep(&mut self, descriptor: Descriptor, opened: Opened) -> FsResult<Fd> {
        let fd = self.table.push(descriptor)?;
        self.files.open.insert(fd.rep(), opened);
        Ok(fd)
    }

    fn writer(&mut self, fd: &Fd, to: To) -> FsResult<Resource<DynOutputStream>> {
        let opened = self.opened(fd)?;
        let (at, size) = (Arc::clone(&opened.at), opened.size);
        let descriptor = self.table.get(fd)?.clone();
        let shared = self.shared();
        match &descriptor {
            Descriptor::Dir(_) => return Err(ErrorCode::BadDescriptor.into()),
            Descriptor::File(file) if file.perms.write_not_permitted() => {
                return Err(shared.refuse(&at, FileRefusal::ReadOnly));
            }
            Descriptor::File(_) => {}
        }
        shared.granted(&at)?;
        let place = self.place(&at, streams::CHUNK)?;
        let writer = Writer::new(shared, descriptor, at, place, to, size);
        Ok(self.table.push(Box::new(writer) as DynOutputStream)?)
    }
}

impl preopens::Host for State {
    fn get_directories(&mut self) -> wasmtime::Result<Vec<(Fd, String)>> {
        let shared = self.shared();
        let mut folders = Vec::new();
        for grant in shared.broker.folders(&shared.caller.plugin) {
            let Some(dir) = lend(grant) else {
                drop(shared.refuse(&grant.at, FileRefusal::Gone));
                continue;
            };
            // A guest that asks over and over sees fewer.
            let Ok(place) = self.place(&grant.at, 0) else {
                continue;
            };
            let opened = Opened {
                at: Arc::from(grant.at.as_str()),
                depth: 0,
                size: 0,
                _place: place,
            };
            let fd = self.table.push(dir)?;
            self.files.open.insert(fd.rep(), opened);
            folders.push((fd, grant.at.clone()));
        }
        Ok(folders)
    }
}

impl types::Host for State {
    fn convert_error_code(&mut self, error: FsError) -> wasmtime::Result<ErrorCode> {
        error.downcast()
    }

    fn filesystem_error_code(
        &mut self,
        error: Resource<wasmtime::Error>,
    ) -> wasmtime::Result<Option<ErrorCode>> {
        let error = self.table.get(&error)?;
        Ok(error.downcast_ref::<Failed>().map(|failed| failed.0))
    }
}
