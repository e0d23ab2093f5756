//! Reading what a provider sends, a piece at a time, within bounds of time and
//! length.

use std::pin::Pin;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt};
use tokio::time::{Instant, timeout_at};

use super::failure::{broke_off, unavailable};
use crate::llm::LlmError;

/// The longest answer as it is sent, with all that surrounds its words: 64 MiB.
const ALL: usize = 64 << 20;

/// The longest line, and the longest answer that is sent in one piece: 16 MiB.
pub(super) const LINE: usize = 16 << 20;

/// How long a provider may let us wait, within the route's whole timeout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waits {
    /// From the request to the first byte of the answer's body.
    pub first_byte: Option<Duration>,
    /// Between two pieces of it.
    pub idle: Option<Duration>,
}

/// An answer that is being read.
pub(super) struct Reading<S> {
    stream: Pin<Box<S>>,
    /// When the next piece must be there.
    by: Option<Instant>,
    idle: Option<Duration>,
    left: usize,
    /// What was read and not given out.
    rest: BytesMut,
    /// How much of it holds no line break.
    searched: usize,
}

/// Waits, if at all, until a moment.
pub(super) async fn by<T>(
    moment: Option<Instant>,
    awaited: impl Future<Output = T>,
) -> Result<T, LlmError> {
    match moment {
        Some(moment) => timeout_at(moment, awaited)
            .await
            .map_err(|_| LlmError::Timeout),
        None => Ok(awaited.await),
    }
}

impl<S, E> Reading<S>
where
    S: Stream<Item = Result<Bytes, E>>,
{
    /// Reads this stream; the first piece must be there by a moment.
    pub(super) fn new(stream: S, first: Option<Instant>, idle: Option<Duration>) -> Reading<S> {
        Reading {
            stream: Box::pin(stream),
            by: first,
            idle,
            left: ALL,
            rest: BytesMut::new(),
            searched: 0,
        }
    }

    /// Reads one more piece; false at the end.
    async fn more(&mut self) -> Result<bool, LlmError> {
        let Some(piece) = by(self.by, self.stream.next()).await? else {
            return Ok(false);
        };
        let piece = piece.map_err(|_| broke_off())?;
        self.by = self.idle.map(|idle| Instant::now() + idle);
        let left = self.left.checked_sub(piece.len());
        self.left = left.ok_or_else(|| unavailable("the answer is longer than 64 MiB"))?;
        self.rest.extend_from_slice(&piece);
        Ok(true)
    }

    /// The next line without its end. None when there is none; what stands after
    /// the last line break is a line.
    pub(super) async fn line(&mut self) -> Result<Option<BytesMut>, LlmError> {
        loop {
            let fresh = self.rest.get(self.searched..).unwrap_or_default();
            if let Some(at) = fresh.iter().position(|byte| *byte == b'\n') {
                let mut line = self.rest.split_to(self.searched.saturating_add(at));
                // The line break itself.
                drop(self.rest.split_to(1));
                self.searched = 0;
                if line.ends_with(b"\r") {
                    line.truncate(line.len().saturating_sub(1));
                }
                return Ok(Some(line));
            }
            self.searched = self.rest.len();
            if self.searched > LINE {
                return Err(unavailable("a line of the answer is longer than 16 MiB"));
            }
            if !self.more().await? {
                self.searched = 0;
                let line = self.rest.split();
                return Ok((!line.is_empty()).then_some(line));
            }
        }
    }

    /// All of it.
    pub(super) async fn all(mut self) -> Result<BytesMut, LlmError> {
        while self.more().await? {
            if self.rest.len() > LINE {
                return Err(unavailable("the answer is longer than 16 MiB"));
            }
        }
        Ok(self.rest)
    }

    /// As much as came of the beginning, for a provider's complaint.
    pub(super) async fn beginning(mut self, bytes: usize) -> BytesMut {
        while self.rest.len() < bytes && matches!(self.more().await, Ok(true)) {}
        self.rest.truncate(bytes);
        self.rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::stream;

    type Piece = Result<Bytes, ()>;

    fn reading(pieces: Vec<Piece>) -> Reading<impl Stream<Item = Piece>> {
        Reading::new(stream::iter(pieces), None, None)
    }

    fn told<T>(result: Result<T, LlmError>) -> String {
        result
            .err()
            .map(|error| error.to_string())
            .unwrap_or_default()
    }

    #[tokio::test]
    async fn lines_come_whole_however_they_were_cut() {
        let text = b"one\r\ntwo\n\nlast";
        for size in 1..=text.len() {
            let pieces = text.chunks(size).map(|it| Ok(Bytes::copy_from_slice(it)));
            let mut reading = reading(pieces.collect());
            let mut lines = Vec::new();
            while let Some(line) = reading.line().await.unwrap() {
                lines.push(String::from_utf8(line.to_vec()).unwrap());
            }
            assert_eq!(lines, ["one", "two", "", "last"], "{size}");
        }
    }

    #[tokio::test]
    async fn a_line_and_an_answer_without_end_are_ended() {
        let endless = || stream::repeat(Bytes::from(vec![b'x'; 1 << 20])).map(Ok::<_, ()>);
        let line = Reading::new(endless(), None, None).line().await;
        assert_eq!(
            told(line),
            "unavailable: a line of the answer is longer than 16 MiB"
        );
        let all = Reading::new(endless(), None, None).all().await;
        assert_eq!(told(all), "unavailable: the answer is longer than 16 MiB");
        let mut lines = vec![b'x'; 1 << 20];
        lines.push(b'\n');
        let lines = stream::repeat(Bytes::from(lines)).map(Ok::<_, ()>);
        let mut reading = Reading::new(lines, None, None);
        let last = loop {
            match reading.line().await {
                Ok(_) => {}
                Err(error) => break error.to_string(),
            }
        };
        assert_eq!(last, "unavailable: the answer is longer than 64 MiB");
        assert_eq!(
            told(self::reading(vec![Err(())]).line().await),
            told::<()>(Err(broke_off()))
        );
    }

    #[tokio::test(start_paused = true)]
    async fn silence_and_trickling_end_when_patience_does() {
        let started = Instant::now();
        let first = Some(started + Duration::from_secs(5));
        let idle = Some(Duration::from_secs(2));
        let silent = stream::pending::<Piece>();
        let line = Reading::new(silent, first, idle).line().await;
        assert_eq!(
            (told(line).as_str(), started.elapsed().as_secs()),
            ("timeout", 5)
        );

        // One token each minute: the first is in time, the second is not.
        let tokens = stream::unfold(0_u64, |at| async move {
            tokio::time::sleep(Duration::from_secs(60 * at)).await;
            Some((Piece::Ok(Bytes::from_static(b"x")), at + 1))
        });
        let started = Instant::now();
        let first = Some(started + Duration::from_secs(5));
        let line = Reading::new(tokens, first, idle).line().await;
        assert_eq!(
            (told(line).as_str(), started.elapsed().as_secs()),
            ("timeout", 2)
        );
    }
}
