//! Bytes from the builder, for a reader on another thread. Once the sender is dropped, the reader ends: a cancelled export
//! leaves no thread behind.

use std::io::{self, Read};

use bytes::{Buf as _, Bytes, BytesMut};
use tokio::sync::mpsc;

/// How many pieces are buffered.
const PIECES: usize = 8;

/// Small pieces are gathered up to this size in bytes: each that is handed over wakes a thread.
const PIECE_BYTES: usize = 256 << 10;

/// The writing end. Dropped before [`Sender::end`], the stream counts as cut off.
pub(crate) struct Sender {
    pieces: mpsc::Sender<Option<Bytes>>,
    gathered: BytesMut,
}

/// The reader is gone, and reports its own error.
#[derive(Debug)]
pub(crate) struct Gone;

impl Sender {
    /// Sends what comes next.
    ///
    /// # Errors
    /// The reader is gone.
    pub(crate) async fn send(&mut self, piece: Bytes) -> Result<(), Gone> {
        if self.gathered.is_empty() && piece.len() >= PIECE_BYTES {
            return self.pieces.send(Some(piece)).await.map_err(|_| Gone);
        }
        self.gathered.extend_from_slice(&piece);
        if self.gathered.len() < PIECE_BYTES {
            return Ok(());
        }
        self.flush().await
    }

    /// Sends what is still buffered, and marks the end.
    ///
    /// # Errors
    /// The reader is gone.
    pub(crate) async fn end(mut self) -> Result<(), Gone> {
        self.flush().await?;
        self.pieces.send(None).await.map_err(|_| Gone)
    }

    async fn flush(&mut self) -> Result<(), Gone> {
        let piece = std::mem::replace(&mut self.gathered, BytesMut::with_capacity(PIECE_BYTES * 2)).freeze();
        self.pieces.send(Some(piece)).await.map_err(|_| Gone)
    }
}

/// The reading end.
pub(crate) struct Reader {
    receiver: mpsc::Receiver<Option<Bytes>>,
    piece: Bytes,
    ended: bool,
}

/// Makes a pipe.
#[must_use]
pub(crate) fn pipe() -> (Sender, Reader) {
    let (sender, receiver) = mpsc::channel(PIECES);
    (Sender { pieces: sender, gathered: BytesMut::new() }, Reader { receiver, piece: Bytes::new(), ended: false })
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() && !self.ended {
            match self.receiver.blocking_recv() {
                Some(Some(piece)) => self.piece = piece,
                Some(None) => self.ended = true,
                None => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the builder's stream was cut off")),
            }
        }
        let count = self.piece.len().min(buffer.len());
        self.piece.copy_to_slice(&mut buffer[..count]);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_was_sent_is_read_to_its_end() {
        let (mut sender, mut reader) = pipe();
        let reading = tokio::task::spawn_blocking(move || {
            let mut all = Vec::new();
            reader.read_to_end(&mut all).map(|_| all)
        });
        let pieces: Vec<Bytes> =
            [1, 0, PIECE_BYTES - 1, PIECE_BYTES, 7, 3 * PIECE_BYTES].map(|size| vec![b'x'; size].into()).into();
        for piece in &pieces {
            sender.send(piece.clone()).await.unwrap();
        }
        sender.end().await.unwrap();
        assert_eq!(reading.await.unwrap().unwrap().len(), pieces.iter().map(Bytes::len).sum::<usize>());
    }

    #[tokio::test]
    async fn a_stream_that_was_cut_off_is_not_taken_for_the_whole() {
        let (mut sender, mut reader) = pipe();
        sender.send(Bytes::from("ab")).await.unwrap();
        drop(sender);
        let reading = tokio::task::spawn_blocking(move || reader.read_to_end(&mut Vec::new()));
        assert!(reading.await.unwrap().is_err());
    }
}
