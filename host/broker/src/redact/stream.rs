//! Bytes that come in pieces: what could be the beginning of a secret is held back
//! until it is known not to be one.

use std::sync::Arc;

use super::Redactor;

/// Takes secrets out of bytes on their way. What is taken out becomes as many
/// stars, so that no length that was promised changes.
pub struct Stream {
    all: Arc<Redactor>,
    held: Vec<u8>,
    /// So many of the first held bytes belong to a secret that has been seen.
    covered: usize,
    found: bool,
}

impl Stream {
    pub(super) fn new(all: Arc<Redactor>) -> Stream {
        Stream {
            all,
            held: Vec::new(),
            covered: 0,
            found: false,
        }
    }

    /// What may go on when this has come; the rest is held back.
    pub fn push(&mut self, piece: &[u8]) -> Vec<u8> {
        self.held.extend_from_slice(piece);
        let open = self.all.open(&self.held);
        self.release(open)
    }

    /// What was held back, when nothing more comes.
    pub fn finish(&mut self) -> Vec<u8> {
        self.release(self.held.len())
    }

    /// Whether a secret was there.
    pub fn found(&self) -> bool {
        self.found
    }

    /// Lets the first bytes go. No secret that is not complete begins in them.
    fn release(&mut self, up_to: usize) -> Vec<u8> {
        let hits = self.all.hits(&self.held);
        self.found |= !hits.is_empty();
        let covered = std::iter::once(0..self.covered);
        let pieces: Vec<_> = covered.chain(hits.into_iter().map(|hit| hit.at)).collect();
        let rest = self.held.split_off(up_to);
        let mut out = std::mem::replace(&mut self.held, rest);
        self.covered = 0;
        for piece in pieces {
            let end = piece.end.min(out.len());
            if let Some(secret) = out.get_mut(piece.start.min(end)..end) {
                secret.fill(b'*');
            }
            self.covered = self.covered.max(piece.end.saturating_sub(up_to));
        }
        out
    }
}
