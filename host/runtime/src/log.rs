//! What a cell said, kept within bounds.

use std::sync::{Arc, Mutex, PoisonError};

use hotcell_broker::meter::Level;
use hotcell_broker::text;

/// All a cell may say in one call: 256 KiB.
const TOTAL: usize = 256 * 1024;

/// Collects lines; shared with the WASI streams of the same cell.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    lines: Vec<(Level, String)>,
    bytes: usize,
    dropped: u64,
}

impl Log {
    /// Adds a line, or counts it when the cell has said enough. A line costs at
    /// least 64 bytes of the allowance, so that empty ones end as well.
    pub(crate) fn push(&self, level: Level, text: &str) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.bytes >= TOTAL {
            inner.dropped += 1;
            return;
        }
        let text = text::line(text, text::LINE);
        inner.bytes += text.len().max(64);
        inner.lines.push((level, text));
    }

    /// Takes what was said, with a last line that counts what was dropped.
    pub(crate) fn take(&self) -> Vec<(Level, String)> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let mut lines = std::mem::take(&mut inner.lines);
        if inner.dropped > 0 {
            let text = format!("{} more lines were dropped", inner.dropped);
            lines.push((Level::Warn, text));
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_ends_in_a_count() {
        let log = Log::default();
        for _ in 0..100_000 {
            log.push(Level::Info, "");
        }
        let lines = log.take();
        assert_eq!(lines.len(), TOTAL / 64 + 1);
        assert_eq!(lines.last().unwrap().1, "95904 more lines were dropped");
    }
}
