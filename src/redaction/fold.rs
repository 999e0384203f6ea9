//! What of a text counts when secrets are looked for: its visible ASCII characters. Blanks, line breaks, combining marks,
//! joiners and all else that can be put between the letters of a secret so that a reader still reads it is passed over. Of a
//! secret the same counts, so one with other letters is found by what is left of it.

/// The characters of `text` that count.
pub(super) fn fold(text: &[u8]) -> Vec<u8> {
    let mut folded = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        match gap(&text[at..]) {
            0 => {
                folded.push(*byte);
                at += 1;
            }
            gap => at += gap,
        }
    }
    folded
}

/// Where the characters of `text` stand that count.
pub(super) fn places(text: &[u8]) -> Vec<usize> {
    let mut places = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        match gap(&text[at..]) {
            0 => {
                places.push(at);
                at += 1;
            }
            gap => at += gap,
        }
    }
    places
}

/// The length of what begins here and does not count; 0 where a character counts.
fn gap(text: &[u8]) -> usize {
    match text.first() {
        Some(b'<') => number(text),
        Some(byte) if byte.is_ascii_graphic() => 0,
        _ => 1,
    }
}

/// The length of the number that `text` begins with and that a hidden character is shown by, `<U+200B>`; 0 where it begins
/// with none.
fn number(text: &[u8]) -> usize {
    let Some(rest) = text.strip_prefix(b"<U+") else { return 0 };
    let digits = rest.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    if (4..=6).contains(&digits) && rest.get(digits) == Some(&b'>') { digits + 4 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_between_letters_does_not_count() {
        for text in [
            "secret",
            "s e\tc\nr\r\ne t",
            "s\u{301}e\u{fe0f}c\u{200d}r\u{1}et",
            "s<U+200B>e<U+E0041>cret",
            "sécret·e".trim_end_matches("·e"),
        ] {
            let folded = fold(text.as_bytes());
            assert!(folded == b"secret" || folded == b"scret", "{text:?}");
            let places = places(text.as_bytes());
            assert_eq!(places.iter().map(|at| text.as_bytes()[*at]).collect::<Vec<_>>(), folded);
        }
        assert_eq!(fold(b"a<U+20>b<U+>c<"), b"a<U+20>b<U+>c<");
    }
}
