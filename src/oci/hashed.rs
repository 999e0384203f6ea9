//! Content that is hashed while it is read.

use std::io::{self, Read};

use super::Digest;
use super::digest::Hasher;

/// How much is read at once of what nobody else wants, in bytes.
const BLOCK: usize = 1 << 20;

/// A reader that knows the digest and the number of the bytes that it has given.
#[derive(Debug)]
pub(crate) struct Hashed<R> {
    content: R,
    hasher: Hasher,
    size: u64,
}

impl<R> Hashed<R> {
    /// Begins with the content's next byte.
    #[must_use]
    pub(crate) fn new(content: R) -> Self {
        Self { content, hasher: Hasher::new(), size: 0 }
    }

    /// The digest of what has been read, and how many bytes that is.
    #[must_use]
    pub(crate) fn so_far(self) -> (Digest, u64) {
        (self.hasher.finish(), self.size)
    }
}

impl<R: Read> Hashed<R> {
    /// Reads the rest. The digest of all, and how many bytes that is.
    ///
    /// # Errors
    /// The content can't be read.
    pub(crate) fn finish(mut self) -> io::Result<(Digest, u64)> {
        let mut block = vec![0; BLOCK];
        while self.read(&mut block)? > 0 {}
        Ok(self.so_far())
    }
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.content.read(buffer)?;
        self.hasher.update(&buffer[..count]);
        self.size += count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_is_hashed_and_nothing_else() {
        let mut content = Hashed::new(&b"12345"[..]);
        content.read_exact(&mut [0; 3]).unwrap();
        assert_eq!(content.so_far(), (Digest::of(b"123"), 3));
        let mut content = Hashed::new(&b"12345"[..]);
        content.read_exact(&mut [0; 3]).unwrap();
        assert_eq!(content.finish().unwrap(), (Digest::of(b"12345"), 5));
    }
}
