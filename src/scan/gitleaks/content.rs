//! What is looked at of a file's content: all of it where it is text, and the text in it where it is not.
//!
//! It is told block by block, whatever the file is called and however it begins, so that neither a name nor a few bytes decide
//! about what comes after them.

/// How much is told apart at once.
const BLOCK: usize = 4 << 10;
/// A block is no text when more than one in so many of its bytes is not.
const SHARE: usize = 3;
/// Shorter than what any rule looks for.
const RUN: usize = 8;

/// The content of a file on its way. Lines keep their numbers.
#[derive(Debug, Default)]
pub(super) struct Content {
    block: Vec<u8>,
    within: TextWithin,
    /// Whether anything was in it, and whether anything came of it.
    filled: bool,
    said: bool,
}

impl Content {
    /// Takes the next bytes, and hands on what is to be looked at.
    pub(super) fn read(&mut self, bytes: &[u8], mut take: impl FnMut(&[u8])) {
        self.filled |= !bytes.is_empty();
        let mut rest = bytes;
        while !rest.is_empty() {
            let room = BLOCK - self.block.len();
            let (now, later) = rest.split_at(room.min(rest.len()));
            self.block.extend_from_slice(now);
            rest = later;
            if self.block.len() == BLOCK {
                self.hand_on(&mut take);
            }
        }
    }

    /// There is no more.
    pub(super) fn finish(&mut self, mut take: impl FnMut(&[u8])) {
        self.hand_on(&mut take);
        // A rule may ask for nothing but a name.
        if self.filled && !self.said {
            take(b"\n");
        }
        *self = Self::default();
    }

    fn hand_on(&mut self, take: &mut impl FnMut(&[u8])) {
        let mut text = Vec::with_capacity(self.block.len());
        if is_text(&self.block) {
            self.within.all(&self.block, &mut text);
        } else {
            self.within.read(&self.block, &mut text);
        }
        self.block.clear();
        if !text.is_empty() {
            self.said = true;
            take(&text);
        }
    }
}

fn is_text(block: &[u8]) -> bool {
    let invalid: usize = block.utf8_chunks().map(|chunk| chunk.invalid().len()).sum();
    let controls = block.iter().filter(|byte| byte.is_ascii_control() && !byte.is_ascii_whitespace()).count();
    (invalid + controls) * SHARE <= block.len()
}

/// The text in bytes that are none: each run of printable characters that is long enough for a secret.
#[derive(Debug, Default)]
struct TextWithin {
    run: Vec<u8>,
    open: bool,
    gap: bool,
}

impl TextWithin {
    /// Adds to `text` what is text in the next bytes.
    fn read(&mut self, bytes: &[u8], text: &mut Vec<u8>) {
        for byte in bytes {
            match byte {
                b'\n' => {
                    self.run.clear();
                    (self.open, self.gap) = (false, false);
                    text.push(b'\n');
                }
                b'\t' | b'\r' | 0x20..=0x7e if self.open => text.push(*byte),
                b'\t' | b'\r' | 0x20..=0x7e => {
                    self.run.push(*byte);
                    if self.run.len() == RUN {
                        self.begin(text);
                    }
                }
                _ => {
                    self.run.clear();
                    (self.open, self.gap) = (false, true);
                }
            }
        }
    }

    /// Adds all of the next bytes, and the run that they may go on with.
    fn all(&mut self, bytes: &[u8], text: &mut Vec<u8>) {
        if !self.run.is_empty() {
            self.begin(text);
        }
        text.extend_from_slice(bytes);
        if let Some(last) = bytes.last() {
            (self.open, self.gap) = (matches!(last, b'\t' | b'\r' | 0x20..=0x7e), false);
        }
    }

    fn begin(&mut self, text: &mut Vec<u8>) {
        if self.gap {
            text.push(b' ');
        }
        text.append(&mut self.run);
        self.open = true;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn looked_at(bytes: &[u8], step: usize) -> Vec<u8> {
        let (mut content, mut text) = (Content::default(), Vec::new());
        for part in bytes.chunks(step) {
            content.read(part, |bytes| text.extend_from_slice(bytes));
        }
        content.finish(|bytes| text.extend_from_slice(bytes));
        text
    }

    /// Bytes of which none is text.
    fn noise(count: usize) -> Vec<u8> {
        (0..count).map(|n| [0, 1, 0xff, 0x80][n * 7 / 3 % 4]).collect()
    }

    #[test]
    fn text_is_looked_at_as_it_is() {
        for text in ["", "one\n\ntwo", "\u{7f}ELF \0 text", "\u{4f60}\u{597d}\n".repeat(3000).as_str()] {
            assert_eq!(looked_at(text.as_bytes(), 1000), text.as_bytes());
        }
    }

    #[test]
    fn the_text_in_what_is_none_keeps_its_lines() {
        let mut within = TextWithin::default();
        let mut text = Vec::new();
        for part in [&b"\x7fELF\0\0some"[..], b"thing long\0\x01short\0\n\xffanother text\n", b"abc\n"] {
            within.read(part, &mut text);
        }
        assert_eq!(String::from_utf8(text).unwrap(), " something long\n another text\n\n");
    }

    #[test]
    fn a_file_without_text_is_looked_at_for_its_name() {
        assert_eq!(looked_at(&noise(10_000), 1000), b"\n");
        assert_eq!(looked_at(b"", 1), b"");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        #[test]
        fn no_word_is_lost_wherever_it_stands_in_whatever(
            before in 0..9000_usize, after in 0..9000_usize, is_text in any::<(bool, bool)>(), step in 1..5000_usize,
        ) {
            let filler = |count, is_text| if is_text { b"text ".repeat(count / 5) } else { noise(count) };
            let all = [&filler(before, is_text.0)[..], b"\0\none whole line of text\n", &filler(after, is_text.1)].concat();
            let seen = looked_at(&all, step);
            let lines = |bytes: &[u8]| bytes.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect::<Vec<_>>();
            let at = lines(&all).iter().position(|line| line == b"one whole line of text").unwrap();
            prop_assert_eq!(&lines(&seen)[at], &b"one whole line of text");
        }
    }
}
