//! The body of a request, and the check that it keeps moving.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use http::header::CONTENT_LENGTH;
use tokio::io::AsyncReadExt as _;
use tokio::sync::watch;
use tokio_util::io::ReaderStream;

/// How long a transfer may stall. There is no limit on the whole: layers are large and lines are slow.
pub(super) const IDLE_TIMEOUT: Duration = Duration::from_mins(1);
/// How a blob is read from disk, in bytes at a time.
const CHUNK: usize = 1 << 20;
/// How long a registry may think after the last byte: some copy and hash the whole blob before they answer.
const COMMIT_TIMEOUT: Duration = Duration::from_mins(5);

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

impl Payload {
    /// Gives the request its body, and a future that ends when nothing has moved for too long.
    pub(super) async fn attach(
        &self,
        request: reqwest::RequestBuilder,
    ) -> io::Result<(reqwest::RequestBuilder, impl Future<Output = Duration> + use<>)> {
        let (moved, watched) = watch::channel(());
        let request = match self {
            Self::Empty => request,
            Self::Document(bytes) => request.body(bytes.clone()),
            Self::File { path, size, progress } => {
                let file = tokio::fs::File::open(path).await?.take(*size);
                let (progress, mut sent) = (progress.clone(), 0);
                let stream = ReaderStream::with_capacity(file, CHUNK).inspect_ok(move |chunk: &Bytes| {
                    sent += chunk.len() as u64;
                    progress(sent);
                    moved.send_replace(());
                });
                // The length is known, so the body need not go in chunks, which some registries refuse.
                request.header(CONTENT_LENGTH, *size).body(reqwest::Body::wrap_stream(stream))
            }
        };
        Ok((request, stalled(watched, matches!(self, Self::File { .. }))))
    }
}

/// Ends when nothing has moved for too long; the sender is gone once all is sent.
async fn stalled(mut moved: watch::Receiver<()>, large: bool) -> Duration {
    loop {
        match tokio::time::timeout(IDLE_TIMEOUT, moved.changed()).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => break,
            Err(_) => return IDLE_TIMEOUT,
        }
    }
    let patience = if large { COMMIT_TIMEOUT } else { IDLE_TIMEOUT };
    tokio::time::sleep(patience).await;
    patience
}
