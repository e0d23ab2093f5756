//! Reading and writing a file as a stream. The library has such streams, but
//! theirs wait for the disk on any thread and know of no quota.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use hotcell_broker::files::FileRefusal;
use wasmtime::component::Resource;
use wasmtime_wasi::filesystem::{Descriptor, WasiFilesystemCtxView};
use wasmtime_wasi::p2::bindings::filesystem::types::{ErrorCode, HostDescriptor};
use wasmtime_wasi::p2::{FsError, FsResult};
use wasmtime_wasi_io::bytes::Bytes;
use wasmtime_wasi_io::poll::Pollable;
use wasmtime_wasi_io::streams::{InputStream, OutputStream, StreamError, StreamResult};

use super::{Place, Shared, on_disk};

/// The most that is read or written at once.
pub(super) const CHUNK: usize = 64 * 1024;

/// An operation under way. Nothing is done until somebody waits for it.
type Working<T> = Pin<Box<dyn Future<Output = Result<T, FsError>> + Send>>;

/// What went wrong, kept so that `filesystem-error-code` can tell.
#[derive(Debug, thiserror::Error)]
#[error("{0:?}")]
pub(crate) struct Failed(pub(crate) ErrorCode);

fn failed(error: FsError) -> StreamError {
    match error.downcast() {
        Ok(code) => StreamError::LastOperationFailed(Failed(code).into()),
        Err(trap) => StreamError::Trap(trap),
    }
}

/// An open file, from the side of a stream.
struct Open {
    shared: Arc<Shared>,
    descriptor: Descriptor,
    /// Where the guest sees the folder that the file is in.
    at: Arc<str>,
    _place: Place,
}

impl Open {
    fn on_disk<R: Send + 'static>(
        &self,
        work: impl AsyncFnOnce(&mut WasiFilesystemCtxView<'_>, Resource<Descriptor>) -> FsResult<R>
        + Send
        + 'static,
    ) -> Working<R> {
        let (shared, descriptor) = (Arc::clone(&self.shared), self.descriptor.clone());
        Box::pin(async move { on_disk(&shared, descriptor, work).await })
    }
}

/// `read-via-stream`.
pub(crate) struct Reader {
    open: Open,
    position: u64,
    state: Reading,
}

enum Reading {
    Idle,
    Working(Working<(Vec<u8>, bool)>),
    There(Bytes),
    Failed(StreamError),
    End,
}

impl Reader {
    pub(crate) fn new(
        shared: Arc<Shared>,
        descriptor: Descriptor,
        at: Arc<str>,
        place: Place,
        position: u64,
    ) -> Reader {
        Reader {
            open: Open {
                shared,
                descriptor,
                at,
                _place: place,
            },
            position,
            state: Reading::Idle,
        }
    }

    fn start(&mut self, size: usize) {
        let (position, size) = (self.position, size.clamp(1, CHUNK) as u64);
        let work = self
            .open
            .on_disk(async move |view, fd| view.read(fd, size, position).await);
        self.state = Reading::Working(work);
    }

    async fn finish(&mut self) {
        if let Reading::Working(work) = &mut self.state {
            self.state = match work.await {
                Ok((bytes, _)) if bytes.is_empty() => Reading::End,
                Ok((bytes, _)) => Reading::There(bytes.into()),
                Err(error) => Reading::Failed(failed(error)),
            };
        }
    }
}

#[async_trait]
impl Pollable for Reader {
    async fn ready(&mut self) {
        if let Reading::Idle = self.state {
            self.start(CHUNK);
        }
        self.finish().await;
    }
}

#[async_trait]
impl InputStream for Reader {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        match &mut self.state {
            Reading::Idle if size > 0 => {
                self.start(size);
                Ok(Bytes::new())
            }
            Reading::Idle | Reading::Working(_) => Ok(Bytes::new()),
            Reading::There(bytes) => {
                let piece = bytes.split_to(bytes.len().min(size));
                if bytes.is_empty() {
                    self.state = Reading::Idle;
                }
                self.position = self.position.saturating_add(piece.len() as u64);
                Ok(piece)
            }
            Reading::End => Err(StreamError::Closed),
            Reading::Failed(_) => match std::mem::replace(&mut self.state, Reading::End) {
                Reading::Failed(error) => Err(error),
                _ => Err(StreamError::Closed),
            },
        }
    }

    async fn blocking_read(&mut self, size: usize) -> StreamResult<Bytes> {
        if let (Reading::Idle, true) = (&self.state, size > 0) {
            self.start(size);
        }
        self.finish().await;
        self.read(size)
    }
}

/// Where a stream writes.
#[derive(Clone, Copy)]
pub(crate) enum To {
    /// From here on.
    Offset(u64),
    /// At the end, wherever that is then.
    End,
}

/// `write-via-stream` and `append-via-stream`.
pub(crate) struct Writer {
    open: Open,
    to: To,
    /// The least that the file is long.
    size: u64,
    state: Writing,
}

enum Writing {
    Ready,
    Working(Working<()>),
    Failed(StreamError),
    Closed,
}

impl Writer {
    pub(crate) fn new(
        shared: Arc<Shared>,
        descriptor: Descriptor,
        at: Arc<str>,
        place: Place,
        to: To,
        size: u64,
    ) -> Writer {
        Writer {
            open: Open {
                shared,
                descriptor,
                at,
                _place: place,
            },
            to,
            size,
            state: Writing::Ready,
        }
    }

    /// Whether the last operation failed; asked once, it is closed.
    fn told(&mut self) -> StreamResult<()> {
        match &self.state {
            Writing::Ready | Writing::Working(_) => Ok(()),
            Writing::Closed => Err(StreamError::Closed),
            Writing::Failed(_) => match std::mem::replace(&mut self.state, Writing::Closed) {
                Writing::Failed(error) => Err(error),
                _ => Err(StreamError::Closed),
            },
        }
    }

    fn charge(&mut self, bytes: usize) -> Result<(), FileRefusal> {
        let bytes = bytes as u64;
        let (offset, end) = match self.to {
            To::Offset(offset) => (offset, offset.saturating_add(bytes)),
            To::End => (self.size, self.size.saturating_add(bytes)),
        };
        self.open
            .shared
            .charge(&self.open.at, self.size, offset, bytes)?;
        self.size = self.size.max(end);
        if let To::Offset(_) = self.to {
            self.to = To::Offset(end);
        }
        Ok(())
    }
}

/// Writes all of it, on a thread that may block.
async fn write_all(
    view: &mut WasiFilesystemCtxView<'_>,
    fd: Resource<Descriptor>,
    bytes: Bytes,
    to: To,
) -> FsResult<()> {
    let stream = match to {
        To::Offset(offset) => view.write_via_stream(fd, offset)?,
        To::End => view.append_via_stream(fd)?,
    };
    let stream = view.table.get_mut(&stream)?;
    match stream.blocking_write_and_flush(bytes).await {
        Ok(()) => Ok(()),
        Err(StreamError::LastOperationFailed(error)) => {
            let code = error.downcast_ref::<std::io::Error>();
            Err(code.map_or(ErrorCode::Io, ErrorCode::from).into())
        }
        Err(StreamError::Closed) => Err(ErrorCode::Io.into()),
        Err(StreamError::Trap(error)) => Err(FsError::trap(error)),
    }
}

#[async_trait]
impl Pollable for Writer {
    async fn ready(&mut self) {
        if let Writing::Working(work) = &mut self.state {
            self.state = match work.await {
                Ok(()) => Writing::Ready,
                Err(error) => Writing::Failed(failed(error)),
            };
        }
    }
}

#[async_trait]
impl OutputStream for Writer {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        match &self.state {
            Writing::Ready => {}
            Writing::Closed => return Err(StreamError::Closed),
            Writing::Working(_) | Writing::Failed(_) => {
                return Err(StreamError::trap("a write without asking `check-write`"));
            }
        }
        let to = self.to;
        if let Err(why) = self.charge(bytes.len()) {
            let error = self.open.shared.refuse(&self.open.at, why);
            self.state = Writing::Closed;
            return Err(failed(error));
        }
        let work = self
            .open
            .on_disk(async move |view, fd| write_all(view, fd, bytes, to).await);
        self.state = Writing::Working(work);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        self.told()
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        self.told()?;
        Ok(match self.state {
            Writing::Ready => CHUNK,
            _ => 0,
        })
    }

    async fn cancel(&mut self) {
        // What the guest has handed over is written, although it did not wait.
        self.ready().await;
    }
}
