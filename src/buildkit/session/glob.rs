//! Go's `filepath.Match` and `filepath.Clean` (<https://pkg.go.dev/path/filepath>): BuildKit's clients use them for
//! ignore patterns and for wildcards in the sources of `COPY`, quirks included.

/// A pattern that Go's `filepath.Match` or its regular expressions refuse.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a valid pattern")]
pub(crate) struct BadPattern(pub(crate) String);

/// The characters that [`matches`] does not take literally.
const SPECIAL: [char; 6] = ['*', '?', '[', ']', '^', '\\'];

/// Whether `name` as a whole matches `pattern`. Neither `*` nor `?` matches `/`.
///
/// # Errors
/// The pattern is malformed, as far as Go had to read it to decide.
pub(crate) fn matches(pattern: &str, name: &[u8]) -> Result<bool, BadPattern> {
    let bad = |Malformed| BadPattern(pattern.to_owned());
    let mut rest = pattern.as_bytes();
    let mut name = name;
    while !rest.is_empty() {
        let (star, chunk, after) = next_chunk(rest);
        rest = after;
        if star && chunk.is_empty() {
            return Ok(!name.contains(&b'/'));
        }
        match match_chunk(chunk, name).map_err(bad)? {
            Some(left) if left.is_empty() || !rest.is_empty() => name = left,
            _ if star => match match_later(chunk, name, rest.is_empty()).map_err(bad)? {
                Some(left) => name = left,
                None => return Ok(false),
            },
            _ => return Ok(false),
        }
    }
    Ok(name.is_empty())
}

/// Whether some character of `text` is a wildcard: not escaped, and one of `*`, `?`, `[`.
#[must_use]
pub(crate) fn has_wildcards(text: &str) -> bool {
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => drop(characters.next()),
            '*' | '?' | '[' => return true,
            _ => {}
        }
    }
    false
}

/// The pattern that matches `name` and nothing else.
#[must_use]
pub(crate) fn escape(name: &str) -> String {
    let mut pattern = String::with_capacity(name.len());
    for character in name.chars() {
        if SPECIAL.contains(&character) {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern
}

/// The name that a pattern without wildcards stands for.
#[must_use]
pub(crate) fn unescape(pattern: &str) -> String {
    let mut name = String::with_capacity(pattern.len());
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        name.extend(if character == '\\' { characters.next().or(Some('\\')) } else { Some(character) });
    }
    name
}

/// The shortest path that is lexically the same: no `.`, no empty part, no `..` but at the start of a relative path.
#[must_use]
pub(crate) fn clean(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => drop(parts.pop()),
            ".." if rooted => {}
            part => parts.push(part),
        }
    }
    match (rooted, parts.is_empty()) {
        (true, _) => format!("/{}", parts.join("/")),
        (false, true) => ".".to_owned(),
        (false, false) => parts.join("/"),
    }
}

struct Malformed;

/// Splits off the next run of the pattern that has no `*`, with whether a `*` stands before it.
fn next_chunk(pattern: &[u8]) -> (bool, &[u8], &[u8]) {
    let stars = pattern.iter().take_while(|byte| **byte == b'*').count();
    let pattern = &pattern[stars..];
    let mut in_class = false;
    let mut index = 0;
    while index < pattern.len() {
        match pattern[index] {
            b'\\' => index += 1,
            b'[' => in_class = true,
            b']' => in_class = false,
            b'*' if !in_class => break,
            _ => {}
        }
        index += 1;
    }
    let (chunk, rest) = pattern.split_at(index.min(pattern.len()));
    (stars > 0, chunk, rest)
}

/// Looks for the chunk after one or more bytes of `name` other than `/`.
fn match_later<'a>(chunk: &[u8], name: &'a [u8], last: bool) -> Result<Option<&'a [u8]>, Malformed> {
    for (index, byte) in name.iter().enumerate() {
        if *byte == b'/' {
            break;
        }
        match match_chunk(chunk, &name[index + 1..])? {
            Some(left) if !last || left.is_empty() => return Ok(Some(left)),
            _ => {}
        }
    }
    Ok(None)
}

/// Matches the chunk at the start of `name` and gives what is left. The chunk is read to its end in any case, so that a
/// malformed one is noticed.
fn match_chunk<'a>(mut chunk: &[u8], name: &'a [u8]) -> Result<Option<&'a [u8]>, Malformed> {
    let mut left = Some(name);
    while let Some((first, rest)) = chunk.split_first() {
        left = left.filter(|name| !name.is_empty());
        match first {
            b'[' => {
                let character = left.map(decode);
                let (inside, after) = match_class(rest, character.map(|(character, _)| character))?;
                left = left.zip(character).filter(|_| inside).map(|(name, (_, length))| &name[length..]);
                chunk = after;
            }
            b'?' => {
                left = left.filter(|name| name[0] != b'/').map(|name| &name[decode(name).1..]);
                chunk = rest;
            }
            literal => {
                let (literal, rest) = if *literal == b'\\' { rest.split_first().ok_or(Malformed)? } else { (literal, rest) };
                left = left.filter(|name| name[0] == *literal).map(|name| &name[1..]);
                chunk = rest;
            }
        }
    }
    Ok(left)
}

/// Reads a class after its `[`; says whether `character` is in it, and what follows the `]`.
fn match_class(class: &[u8], character: Option<u32>) -> Result<(bool, &[u8]), Malformed> {
    let (negated, mut rest) = class.strip_prefix(b"^").map_or((false, class), |rest| (true, rest));
    let mut inside = false;
    let mut ranges = 0;
    loop {
        if let Some(after) = rest.strip_prefix(b"]")
            && ranges > 0
        {
            return Ok((inside != negated, after));
        }
        let (low, after) = class_character(rest)?;
        let (high, after) = match after.strip_prefix(b"-") {
            Some(after) => class_character(after)?,
            None => (low, after),
        };
        inside |= character.is_some_and(|character| (low..=high).contains(&character));
        rest = after;
        ranges += 1;
    }
}

fn class_character(rest: &[u8]) -> Result<(u32, &[u8]), Malformed> {
    let rest = match rest.first() {
        None | Some(b'-' | b']') => return Err(Malformed),
        Some(b'\\') => &rest[1..],
        Some(_) => rest,
    };
    if rest.is_empty() {
        return Err(Malformed);
    }
    let (character, length) = decode(rest);
    let after = &rest[length..];
    // A class is closed by a `]`, so that a character in it is never the last of a pattern.
    if after.is_empty() || (character == u32::from(char::REPLACEMENT_CHARACTER) && length == 1) {
        return Err(Malformed);
    }
    Ok((character, after))
}

/// The first character and its length; a byte that is not UTF-8 counts as U+FFFD, as in Go's `utf8.DecodeRune`.
fn decode(bytes: &[u8]) -> (u32, usize) {
    let head = &bytes[..bytes.len().min(4)];
    let first = head.utf8_chunks().next().and_then(|chunk| chunk.valid().chars().next());
    first.map_or((u32::from(char::REPLACEMENT_CHARACTER), 1), |first| (u32::from(first), first.len_utf8()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_match_as_in_gos_own_table() {
        // The rows are those of Go's path/filepath/match_test.go.
        let rows = [
            ("abc", "abc", true),
            ("*", "abc", true),
            ("*c", "abc", true),
            ("a*", "a", true),
            ("a*", "ab/c", false),
            ("a*/b", "abc/b", true),
            ("a*/b", "a/c/b", false),
            ("a*b*c*d*e*/f", "axbxcxdxe/f", true),
            ("a*b*c*d*e*/f", "axbxcxdxexxx/fff", false),
            ("a*b?c*x", "abxbbxdbxebxczzx", true),
            ("a*b?c*x", "abxbbxdbxebxczzy", false),
            ("ab[c]", "abc", true),
            ("ab[b-d]", "abc", true),
            ("ab[e-g]", "abc", false),
            ("ab[^c]", "abc", false),
            ("ab[^e-g]", "abc", true),
            (r"a\*b", "a*b", true),
            (r"a\*b", "ab", false),
            ("a?b", "a☺b", true),
            ("a[^a]b", "a☺b", true),
            ("a???b", "a☺b", false),
            ("[a-ζ]*", "α", true),
            ("*[a-ζ]", "A", false),
            ("a?b", "a/b", false),
            ("a*b", "a/b", false),
            (r"[\]a]", "]", true),
            (r"[\-]", "-", true),
            (r"[x\-]", "z", false),
            ("*x", "xxx", true),
        ];
        for (pattern, name, expected) in rows {
            assert_eq!(matches(pattern, name.as_bytes()), Ok(expected), "{pattern} against {name}");
        }
    }

    #[test]
    fn a_malformed_pattern_is_refused_with_its_text() {
        for pattern in ["[]a]", "[-]", "[x-]", "[-x]", r"[\-x-]", "[a-b-c]", "[", "[^", "[^bc", "a[", r"a\"] {
            assert_eq!(matches(pattern, b"ab"), Err(BadPattern(pattern.to_owned())), "{pattern}");
        }
    }

    #[test]
    fn paths_are_cleaned_as_in_gos_own_table() {
        let rows = [
            ("", "."),
            ("abc/", "abc"),
            ("//abc//", "/abc"),
            ("abc/./def", "abc/def"),
            ("abc/def/../../..", ".."),
            ("/abc/def/../../..", "/"),
            ("../../abc", "../../abc"),
            ("abc/../../././../def", "../../def"),
            ("./", "."),
        ];
        for (path, expected) in rows {
            assert_eq!(clean(path), expected, "{path}");
        }
    }

    proptest! {
        #[test]
        fn an_escaped_name_matches_itself_and_unescapes_to_itself(name in "[^/]{0,12}") {
            prop_assert_eq!(matches(&escape(&name), name.as_bytes()), Ok(true));
            prop_assert!(!has_wildcards(&escape(&name)));
            prop_assert_eq!(unescape(&escape(&name)), name);
        }

        #[test]
        fn no_pattern_and_no_name_stop_the_matcher(pattern in r"[\[\]*?^\\a\-é]{0,10}", name in prop::collection::vec(any::<u8>(), 0..8)) {
            let _ = matches(&pattern, &name);
        }

        #[test]
        fn a_clean_path_stays_as_it_is(path in "[./a]{0,12}") {
            prop_assert_eq!(clean(&clean(&path)), clean(&path));
        }
    }
}
