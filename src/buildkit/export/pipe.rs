//! Bytes from the builder, for a reader on another thread. When the sender is gone, so is the reader soon: a cancelled
//! export leaves no thread at work.

use std::io::{self, Read};

use bytes::{Buf as _, Bytes};
use tokio::sync::mpsc;

/// How many pieces may wait.
const PIECES: usize = 4;

/// The writing end.
pub type Sender = mpsc::Sender<Option<Bytes>>;

/// The reading end.
pub struct Reader {
    receiver: mpsc::Receiver<Option<Bytes>>,
    piece: Bytes,
    ended: bool,
}

/// A pipe. The writer sends `None` at the end: a sender that is dropped before was cut off, and the reader says so.
#[must_use]
pub fn pipe() -> (Sender, Reader) {
    let (sender, receiver) = mpsc::channel(PIECES);
    (sender, Reader { receiver, piece: Bytes::new(), ended: false })
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

    #[test]
    fn what_was_sent_is_read_to_its_end() {
        let (sender, mut reader) = pipe();
        for piece in [Some("ab"), Some(""), Some("c"), None] {
            sender.blocking_send(piece.map(Bytes::from)).unwrap();
        }
        let mut all = String::new();
        reader.read_to_string(&mut all).unwrap();
        assert_eq!(all, "abc");
    }

    #[test]
    fn a_stream_that_was_cut_off_is_not_taken_for_the_whole() {
        let (sender, mut reader) = pipe();
        sender.blocking_send(Some(Bytes::from("ab"))).unwrap();
        drop(sender);
        assert!(reader.read_to_end(&mut Vec::new()).is_err());
    }
}
