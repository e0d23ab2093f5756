//! What a cell said, kept within bounds.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use hotcell_broker::meter::Level;
use hotcell_broker::store::guard::Guard;
use hotcell_broker::text;

/// All a cell may say in one call: 256 KiB.
pub const TOTAL: usize = 256 * 1024;

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
    /// What was written to a stream since its last newline.
    open: BTreeMap<Level, Vec<u8>>,
}

impl Log {
    /// Adds a line, or counts it when the cell has said enough. A line costs at
    /// least 64 bytes of the allowance, so that empty ones end as well.
    pub(crate) fn push(&self, level: Level, text: &str) {
        self.lock().push(level, text);
    }

    /// Adds what a stream wrote: a line ends where the guest ends it, in however
    /// many pieces it came, or after [`text::LINE`] bytes. No more than that is
    /// kept of a line without an end.
    pub(crate) fn write(&self, level: Level, bytes: &[u8]) {
        let mut inner = self.lock();
        let mut open = inner.open.remove(&level).unwrap_or_default();
        let mut rest = bytes;
        while !rest.is_empty() {
            let room = text::LINE.saturating_sub(open.len());
            let end = rest.iter().take(room).position(|byte| *byte == b'\n');
            let (piece, next) = rest.split_at(end.unwrap_or(room.min(rest.len())));
            open.extend_from_slice(piece);
            rest = next;
            if end.is_some() {
                rest = rest.get(1..).unwrap_or_default();
                let line = std::mem::take(&mut open);
                inner.push_bytes(level, &line);
            } else if open.len() >= text::LINE {
                // Not in the middle of a character.
                let begun = open.utf8_chunks().last().map_or(0, |it| it.invalid().len());
                let tail = open.split_off(open.len() - begun.min(3));
                inner.push_bytes(level, &open);
                open = tail;
            }
        }
        inner.open.insert(level, open);
    }

    /// Takes what was said, with a last line that counts what was dropped, and
    /// that count.
    pub(crate) fn take(&self) -> (Vec<(Level, String)>, u64) {
        let mut inner = self.lock();
        for (level, line) in std::mem::take(&mut inner.open) {
            if !line.is_empty() {
                inner.push_bytes(level, &line);
            }
        }
        let mut lines = std::mem::take(&mut inner.lines);
        if inner.dropped > 0 {
            let text = format!("{} more lines were dropped", inner.dropped);
            lines.push((Level::Warn, text));
        }
        (lines, inner.dropped)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn push(&mut self, level: Level, text: &str) {
        if self.bytes >= TOTAL && Guard::LogBytes.on() {
            self.dropped += 1;
            return;
        }
        let text = text::line(text, text::LINE);
        self.bytes += text.len().max(64);
        self.lines.push((level, text));
    }

    fn push_bytes(&mut self, level: Level, line: &[u8]) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        self.push(level, &String::from_utf8_lossy(line));
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
        let (lines, dropped) = log.take();
        assert_eq!(lines.len(), TOTAL / 64 + 1);
        assert_eq!(lines.last().unwrap().1, "95904 more lines were dropped");
        assert_eq!(dropped, 95_904);
    }

    #[test]
    fn a_line_that_comes_in_pieces_is_one_line() {
        let log = Log::default();
        for piece in ["a", "b\r\n\nc", "\u{e9}"] {
            let (one, two) = piece.as_bytes().split_at(piece.len() / 2);
            log.write(Level::Info, one);
            log.write(Level::Warn, b"other ");
            log.write(Level::Info, two);
        }
        let info = |level: Level, text: &str| (level, text.to_owned());
        let expected = vec![
            info(Level::Info, "ab"),
            info(Level::Info, ""),
            info(Level::Info, "c\u{e9}"),
            info(Level::Warn, "other other other "),
        ];
        assert_eq!(log.take(), (expected, 0));
    }

    #[test]
    fn a_line_without_an_end_goes_on_in_the_next() {
        let log = Log::default();
        let euros = "\u{20ac}".repeat(10_000);
        for piece in euros.as_bytes().chunks(7) {
            log.write(Level::Info, piece);
        }
        let (lines, dropped) = log.take();
        assert_eq!((lines.len(), dropped), (4, 0));
        let said: String = lines.iter().map(|(_, line)| line.as_str()).collect();
        assert_eq!(said, euros);
        // All of a flood is counted, and hardly anything kept.
        for _ in 0..1_000 {
            log.write(Level::Info, &[b'x'; 100_000]);
            assert!(log.lock().open[&Level::Info].len() < text::LINE);
        }
        let (lines, dropped) = log.take();
        let kept: usize = lines.iter().map(|(_, line)| line.len()).sum();
        assert!(kept < TOTAL + 2 * text::LINE, "{kept}");
        assert!(dropped > 12_000, "{dropped}");
    }
}
