//! The contents of git's objects, as it gives many of them one after the other.

use super::Error;

/// Longer than the line before any object.
const MAX_LINE: usize = 256;
/// More than stands before the message of a commit or a tag, with signatures.
const MAX_HEAD: usize = 4 << 20;

/// A part of what git gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part<'a> {
    /// The object begins that was asked for as the one of this number.
    Begin(usize),
    /// The next bytes of it, in the order of its lines: of a file as they are; of a commit or a tag the message first, and
    /// then what stands before it.
    Bytes(&'a [u8]),
    /// It ends.
    End(usize),
}

/// Reads the output of `git cat-file --batch` (git-cat-file(1), "Batch output"), in pieces of any size: `ID TYPE SIZE`, a line
/// end, the content, a line end. It has to be of the objects that were asked for, in their order.
#[derive(Debug)]
pub(super) struct Objects<'a> {
    wanted: Vec<&'a str>,
    /// How many have begun.
    begun: usize,
    line: Vec<u8>,
    /// How much is left of the content, and of the line end after it; none between two.
    left: Option<u64>,
    /// What stands before a message that has not begun; none in a file.
    head: Option<Vec<u8>>,
    in_message: bool,
    ends_line: bool,
}

impl<'a> Objects<'a> {
    /// Those of these ids.
    pub(super) fn new(wanted: Vec<&'a str>) -> Self {
        let line = Vec::new();
        Self { wanted, begun: 0, line, left: None, head: None, in_message: false, ends_line: true }
    }

    /// The question for git.
    pub(super) fn question(&self) -> Vec<u8> {
        self.wanted.iter().flat_map(|id| id.bytes().chain([b'\n'])).collect()
    }

    /// Takes the next piece, and hands on what is in it.
    pub(super) fn read(&mut self, bytes: &[u8], take: &mut impl FnMut(Part<'_>) -> Result<(), Error>) -> Result<(), Error> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let Some(left) = self.left else {
                let end = rest.iter().position(|byte| *byte == b'\n');
                let (line, later) = end.map_or((rest, &rest[rest.len()..]), |end| (&rest[..end], &rest[end + 1..]));
                if self.line.len() + line.len() > MAX_LINE {
                    return Err(nonsense("an object is not told of as it should be"));
                }
                self.line.extend_from_slice(line);
                rest = later;
                if end.is_some() {
                    self.begin(take)?;
                }
                continue;
            };
            // The line end is one byte more.
            let (now, later) = rest.split_at(usize::try_from(left).unwrap_or(usize::MAX).min(rest.len()));
            rest = later;
            let left = left - now.len() as u64;
            let content = if left == 0 { now.strip_suffix(b"\n").ok_or_else(|| nonsense("an object has no end"))? } else { now };
            self.left = Some(left).filter(|left| *left > 0);
            self.content(content, take)?;
            if left == 0 {
                self.end(take)?;
            }
        }
        Ok(())
    }

    /// There is no more.
    pub(super) fn finish(&self) -> Result<(), Error> {
        if self.begun < self.wanted.len() || self.left.is_some() || !self.line.is_empty() {
            return Err(nonsense(&format!("it gives {} of {} objects, or not all of one", self.begun, self.wanted.len())));
        }
        Ok(())
    }

    fn begin(&mut self, take: &mut impl FnMut(Part<'_>) -> Result<(), Error>) -> Result<(), Error> {
        let line = std::mem::take(&mut self.line);
        let line = String::from_utf8_lossy(&line);
        let [id, kind, size] = line.split(' ').collect::<Vec<_>>()[..] else {
            // In git's words and with its code: it says so and goes on.
            return Err(Error::Git { code: 128, last: vec![format!("fatal: object {line}")] });
        };
        let size: u64 = size.parse().map_err(|_| nonsense("an object has no size"))?;
        let wanted = self.wanted.get(self.begun).is_some_and(|wanted| *wanted == id);
        if !wanted || !matches!(kind, "blob" | "commit" | "tag") {
            return Err(nonsense(&format!("it gives another object than it was asked for: {line}")));
        }
        self.head = (kind != "blob").then(Vec::new);
        (self.in_message, self.ends_line) = (false, true);
        self.left = Some(size + 1);
        self.begun += 1;
        take(Part::Begin(self.begun - 1))
    }

    fn content(&mut self, bytes: &[u8], take: &mut impl FnMut(Part<'_>) -> Result<(), Error>) -> Result<(), Error> {
        let mut bytes = bytes;
        if let Some(head) = self.head.as_mut().filter(|_| !self.in_message) {
            for byte in bytes {
                bytes = &bytes[1..];
                head.push(*byte);
                if head.ends_with(b"\n\n") {
                    self.in_message = true;
                    break;
                }
            }
            if head.len() > MAX_HEAD {
                return Err(nonsense("what stands before a message is too long"));
            }
        }
        if let Some(last) = bytes.last() {
            self.ends_line = *last == b'\n';
            take(Part::Bytes(bytes))?;
        }
        Ok(())
    }

    fn end(&mut self, take: &mut impl FnMut(Part<'_>) -> Result<(), Error>) -> Result<(), Error> {
        if let Some(head) = self.head.take() {
            if !self.ends_line {
                take(Part::Bytes(b"\n"))?;
            }
            take(Part::Bytes(&head))?;
        }
        take(Part::End(self.begun - 1))
    }
}

fn nonsense(reason: &str) -> Error {
    Error::GitAnswer { reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GIVEN: &[u8] =
        b"a blob 4\nb 3\n\nb blob 0\n\nc commit 24\nauthor x\nsigned\n\none\ntwo\nd tag 7\ntag v1\n\ne blob 1\n\n\n";

    fn read(given: &[u8], size: usize) -> Result<Vec<String>, Error> {
        let mut objects = Objects::new(vec!["a", "b", "c", "d", "e"]);
        let mut contents = Vec::new();
        for piece in given.chunks(size) {
            objects.read(piece, &mut |part| {
                match part {
                    Part::Begin(number) => contents.push(format!("{number} ")),
                    Part::Bytes(bytes) => contents.last_mut().unwrap().push_str(&String::from_utf8_lossy(bytes)),
                    Part::End(number) => contents.last_mut().unwrap().extend([" ", &number.to_string()]),
                }
                Ok(())
            })?;
        }
        objects.finish().map(|()| contents)
    }

    #[test]
    fn contents_may_look_like_anything_and_a_message_comes_first() {
        let expected = ["0 b 3\n 0", "1  1", "2 one\ntwo\nauthor x\nsigned\n\n 2", "3 tag v1\n 3", "4 \n 4"];
        assert_eq!(read(GIVEN, 1 << 20).unwrap(), expected);
    }

    #[test]
    fn what_is_cut_short_or_is_something_else_is_an_error() {
        for end in 0..GIVEN.len() {
            assert!(read(&GIVEN[..end], 1 << 20).is_err(), "{end}");
        }
        assert!(matches!(read(b"a missing\n", 3), Err(Error::Git { .. })));
        for given in ["b blob 0\n\n", "a tree 0\n\n", "a blob x\n\n", "a blob 1\nxy", &"a".repeat(1000)] {
            assert!(matches!(read(given.as_bytes(), 3), Err(Error::GitAnswer { .. })), "{given}");
        }
    }

    proptest! {
        #[test]
        fn pieces_read_as_the_whole_does(size in 1..60_usize) {
            prop_assert_eq!(read(GIVEN, size).unwrap(), read(GIVEN, 1 << 20).unwrap());
        }
    }
}
