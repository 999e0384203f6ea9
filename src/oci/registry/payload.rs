//! The body of a request, and the check that it keeps moving.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::stream;
use http::header::CONTENT_LENGTH;
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, Take};
use tokio::sync::watch;

use super::patience::Patience;
use crate::net::{TransportError, Watch};

/// How a blob is read from disk, in bytes at a time.
const CHUNK: usize = 1 << 20;
/// How it is handed on, in bytes at a time. A piece counts as moved once the next one is asked for, so that a slow line moves
/// one within `Pace::idle`.
const PIECE: usize = 64 << 10;

/// Receives the number of bytes of a blob transferred so far. It falls when a transfer starts again.
pub(crate) type Progress = Arc<dyn Fn(u64) + Send + Sync>;

/// A request's body.
pub(super) enum Payload {
    /// Nothing.
    Empty,
    /// A document.
    Document(Bytes),
    /// A file, streamed.
    File { path: PathBuf, size: u64, progress: Progress },
}

/// How far a body is.
#[derive(Clone, Copy, Debug, Default)]
struct Sent {
    /// What the connection has taken, in bytes.
    taken: u64,
    /// Whether the disk is what is waited for.
    reading: bool,
}

impl Payload {
    /// Gives the request its body, and a future that ends when it has been waited for too long; `answer` is how long an answer
    /// may take where there is nothing to send.
    pub(super) async fn attach(
        &self,
        request: reqwest::RequestBuilder,
        patience: &Patience,
        answer: Duration,
    ) -> io::Result<(reqwest::RequestBuilder, impl Future<Output = TransportError> + use<>)> {
        let (moved, watched) = watch::channel(Sent::default());
        let (request, watch, answer) = match self {
            Self::Empty => (request, None, answer),
            Self::Document(bytes) => (request.body(bytes.clone()), None, patience.pace.whole(bytes.len() as u64)),
            Self::File { path, size, progress } => {
                let body = Body {
                    file: File::open(path).await?.take(*size),
                    read: Bytes::new(),
                    taken: 0,
                    moved,
                    progress: progress.clone(),
                };
                let stream = stream::try_unfold(body, Body::next);
                // The length is known, so the body need not go in chunks, which some registries refuse.
                let request = request.header(CONTENT_LENGTH, *size).body(reqwest::Body::wrap_stream(stream));
                (request, Some(patience.pace.watch(*size)), patience.commit(*size))
            }
        };
        Ok((request, given_up(watched, watch, answer)))
    }
}

/// A file on its way.
struct Body {
    file: Take<File>,
    read: Bytes,
    taken: u64,
    moved: watch::Sender<Sent>,
    progress: Progress,
}

impl Body {
    /// The next piece, for which the connection has room.
    async fn next(mut self) -> io::Result<Option<(Bytes, Self)>> {
        if self.read.is_empty() {
            self.moved.send_modify(|sent| sent.reading = true);
            let mut chunk = BytesMut::with_capacity(CHUNK);
            self.file.read_buf(&mut chunk).await?;
            self.read = chunk.freeze();
        }
        if self.read.is_empty() {
            return Ok(None);
        }
        let piece = self.read.split_to(self.read.len().min(PIECE));
        self.taken += piece.len() as u64;
        (self.progress)(self.taken);
        let now = Sent { taken: self.taken, reading: false };
        self.moved.send_replace(now);
        Ok(Some((piece, self)))
    }
}

/// Ends when the other side takes too little of a body that is watched, or when it does not answer for so long after the end of
/// it; the sender is gone once all is sent.
async fn given_up(mut moved: watch::Receiver<Sent>, watch: Option<Watch>, answer: Duration) -> TransportError {
    if let Some(mut watch) = watch {
        let mut taken = 0;
        loop {
            let now = *moved.borrow_and_update();
            watch.moved(now.taken - taken);
            taken = now.taken;
            let changed = if now.reading { Ok(moved.changed().await) } else { watch.next(moved.changed(), |_| 0).await };
            match changed {
                Ok(Ok(())) => {}
                Ok(Err(_)) => break,
                Err(error) => return error,
            }
        }
    }
    tokio::time::sleep(answer).await;
    TransportError::Stalled(answer)
}

#[cfg(test)]
mod tests {
    use std::task::Poll;

    use super::*;
    use crate::net::Pace;

    #[tokio::test]
    async fn while_the_disk_is_read_nobody_is_given_up() {
        let (moved, watched) = watch::channel(Sent { taken: 0, reading: true });
        let mut given_up = Box::pin(given_up(watched, Some(Pace::REMOTE.watch(1 << 20)), Duration::ZERO));
        // It waits for the file alone: there is no time after which it would end.
        assert_eq!(futures_util::poll!(&mut given_up), Poll::Pending);
        moved.send_replace(Sent { taken: 64 << 10, reading: false });
        assert_eq!(futures_util::poll!(&mut given_up), Poll::Pending);
    }

    #[tokio::test]
    async fn a_file_is_handed_on_whole_and_in_pieces_that_a_slow_line_moves() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let content: Vec<u8> = (0..3_000_001_u32).map(|byte| byte.to_le_bytes()[0]).collect();
        std::fs::write(file.path(), &content).unwrap();
        let (moved, watched) = watch::channel(Sent::default());
        let file = File::open(file.path()).await.unwrap().take(content.len() as u64);
        let mut body = Some(Body { file, read: Bytes::new(), taken: 0, moved, progress: Arc::new(|_| ()) });
        let mut sent = Vec::new();
        while let Some((piece, rest)) = body.take().unwrap().next().await.unwrap() {
            assert!(piece.len() <= PIECE);
            sent.extend_from_slice(&piece);
            assert_eq!(watched.borrow().taken, sent.len() as u64);
            body = Some(rest);
        }
        assert!(sent == content && watched.has_changed().is_err(), "all is sent, and the sender is gone");
    }
}
