//! Pointers of Git LFS: what a commit has in the place of a large file.
//!
//! <https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md>, "The Pointer".

use std::fs::File;
use std::io::{self, Read as _};

use crate::oci::hashed::Hashed;

/// A pointer has fewer bytes than this ("The Pointer": "less than 1024 bytes").
pub(super) const MAX_BYTES: u64 = 1023;

/// What a commit says of a large file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pointer {
    sha256: String,
    size: u64,
}

impl Pointer {
    /// Reads one. What is not a pointer in all its lines is a file like any other: `None`.
    pub(super) fn parse(content: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(content).ok()?.strip_suffix('\n')?;
        let lines: Vec<_> = text.split('\n').collect();
        // Extensions have lines of their own: what they make of a file is theirs to say.
        let [version, oid, size] = lines[..] else { return None };
        let version = version.strip_prefix("version ")?;
        let is_known = matches!(version, "https://git-lfs.github.com/spec/v1" | "https://hawser.github.com/spec/v1");
        let sha256 = oid.strip_prefix("oid sha256:")?;
        let is_hash = sha256.len() == 64 && sha256.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let size = size.strip_prefix("size ")?.parse().ok()?;
        (is_known && is_hash).then(|| Self { sha256: sha256.to_owned(), size })
    }

    /// Whether a file has the content that this points to.
    ///
    /// # Errors
    /// The file can't be read.
    pub(super) fn leads_to(&self, file: File) -> io::Result<bool> {
        if file.metadata()?.len() != self.size {
            return Ok(false);
        }
        let (digest, _) = Hashed::new(file.take(self.size)).finish()?;
        Ok(digest.hex() == self.sha256)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::Digest;

    const SPEC: &str = "version https://git-lfs.github.com/spec/v1";

    #[test]
    fn a_pointer_leads_to_the_file_with_its_hash_and_size() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "content").unwrap();
        let hash = Digest::of(b"content").hex();
        let pointer =
            |hash: &str, size: u64| Pointer::parse(format!("{SPEC}\noid sha256:{hash}\nsize {size}\n").as_bytes()).unwrap();
        assert!(pointer(&hash, 7).leads_to(File::open(file.path()).unwrap()).unwrap());
        assert!(!pointer(&hash, 8).leads_to(File::open(file.path()).unwrap()).unwrap());
        assert!(!pointer(&"0".repeat(64), 7).leads_to(File::open(file.path()).unwrap()).unwrap());
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_no_pointer() {
        let hash = "a".repeat(64);
        for text in [
            format!("{SPEC}\noid sha256:{hash}\nsize 1"),
            format!("{SPEC}\noid sha256:{hash}\noid sha256:{hash}\nsize 1\n"),
            format!("{SPEC}\noid sha256:{}\nsize 1\n", hash.to_uppercase()),
            format!("{SPEC}\nsize 1\noid sha256:{hash}\n"),
            format!("{SPEC}\next-0-x sha256:{hash}\noid sha256:{hash}\nsize 1\n"),
            format!("version 2\noid sha256:{hash}\nsize 1\n"),
            format!("{SPEC}\r\noid sha256:{hash}\r\nsize 1\r\n"),
        ] {
            assert_eq!(Pointer::parse(text.as_bytes()), None, "{text}");
        }
    }
}
