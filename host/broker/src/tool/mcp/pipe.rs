//! A server that is a program: started with an environment of its own, heard so
//! far, and ended with the host.

use std::io;
use std::path::Path;
use std::pin::Pin;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, ReadBuf};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::ENVELOPE;

/// What a server may say without being asked, in bytes: 1 MiB.
const UNASKED: usize = 1 << 20;

/// How much more a server may say.
#[derive(Debug, Default)]
struct Allowance {
    left: AtomicUsize,
    over: AtomicBool,
}

/// A running program.
#[derive(Debug)]
pub(super) struct Pipe {
    /// Killed when this is dropped.
    _child: Child,
    allowance: Arc<Allowance>,
}

impl Pipe {
    /// Starts a program; also what it says and what it is told.
    pub(super) fn open(
        program: &Path,
        arguments: &[String],
        environment: &[(String, String)],
        folder: &Path,
        most: usize,
    ) -> io::Result<(Pipe, (Heard, ChildStdin))> {
        let mut child = Command::new(program)
            .args(arguments)
            .env_clear()
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // What is typed at the host's terminal is not for it.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let ends = child.stdout.take().zip(child.stdin.take());
        let (stdout, stdin) = ends.ok_or_else(|| io::Error::other("it has no pipes"))?;
        let allowance = Arc::new(Allowance::default());
        let heard = Heard {
            stdout,
            allowance: Arc::clone(&allowance),
        };
        let pipe = Pipe {
            _child: child,
            allowance,
        };
        pipe.allow(most);
        Ok((pipe, (heard, stdin)))
    }

    /// Lets it say one more answer.
    pub(super) fn allow(&self, answer: usize) {
        let least = answer.saturating_add(ENVELOPE).saturating_add(UNASKED);
        self.allowance.left.fetch_max(least, Ordering::Relaxed);
    }

    /// Whether it said more than it may.
    pub(super) fn is_over(&self) -> bool {
        self.allowance.over.load(Ordering::Relaxed)
    }
}

/// What a program says, up to its allowance: neither a line without end nor lines
/// without number are read on.
pub(super) struct Heard {
    stdout: ChildStdout,
    allowance: Arc<Allowance>,
}

impl AsyncRead for Heard {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stdout).poll_read(cx, buffer);
        let said = buffer.filled().len().saturating_sub(before);
        let left = self.allowance.left.load(Ordering::Relaxed);
        if said > left {
            self.allowance.over.store(true, Ordering::Relaxed);
            return Poll::Ready(Err(io::Error::other("it says too much")));
        }
        self.allowance.left.fetch_sub(said, Ordering::Relaxed);
        read
    }
}
