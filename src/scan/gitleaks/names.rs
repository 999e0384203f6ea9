//! Under which name gitleaks is shown a file.
//!
//! gitleaks' own rules pass over files by their names: pictures, lock files, what package managers unpack. A secret in one of
//! them is as public as in any other, so gitleaks gets those under a name that says nothing, and the report the real one.
//! All others keep their names, for rules may ask for them.

use std::fmt::Write as _;
use std::sync::LazyLock;

use regex::bytes::{RegexSet, RegexSetBuilder};

/// Rules that guess from the words around a value. Where nobody writes by hand they guess wrong, by the thousand: at the
/// checksums of a lock file, at the tables of a program.
pub(super) const GUESSES: [&str; 1] = ["generic-api-key"];

/// How much of a file tells whether it is text (git's `buffer_is_binary`).
const HEAD: usize = 8000;

/// What nobody writes by hand, of the paths that gitleaks' rules pass over.
static MADE: LazyLock<Option<RegexSet>> = LazyLock::new(|| {
    set(&[
        r"go\.(?:mod|sum|work(?:\.sum)?)$",
        r"(?:^|/)vendor/modules\.txt$",
        r"(?:^|/)vendor/(?:github\.com|golang\.org/x|google\.golang\.org|gopkg\.in|istio\.io|k8s\.io|sigs\.k8s\.io)(?:/.*)?$",
        r"(?:^|/)gradle\.lockfile$",
        r"(?:^|/)node_modules(?:/.*)?$",
        r"(?:^|/)(?:deno\.lock|npm-shrinkwrap\.json|package-lock\.json|pnpm-lock\.yaml|yarn\.lock)$",
        r"(?:^|/)bower_components(?:/.*)?$",
        r"(?:^|/)(?:angular|bootstrap|jquery(?:-?ui)?|plotly|swagger-?ui)[a-zA-Z0-9.-]*(?:\.min)?\.js(?:\.map)?$",
        r"(?:^|/)javascript\.json$",
        r"(?:^|/)(?:Pipfile|poetry)\.lock$",
        r"(?i)(?:^|/)(?:v?env|virtualenv)/lib(?:64)?(?:/.*)?$",
        r"(?i)(?:^|/)(?:lib(?:64)?/python[23](?:\.\d{1,2})+|python/[23](?:\.\d{1,2})+/lib(?:64)?)(?:/.*)?$",
        r"(?i)(?:^|/)[a-z0-9_.]+-[0-9.]+\.dist-info(?:/.+)?$",
        r"(?:^|/)vendor/(?:bundle|ruby)(?:/.*?)?$",
        r"verification-metadata\.xml",
        r"Database.refactorlog",
    ])
});

/// What usually is no text, of the paths that gitleaks' rules pass over.
static BINARY: LazyLock<Option<RegexSet>> = LazyLock::new(|| {
    set(&[
        r"(?i)\.(?:bmp|gif|jpe?g|png|svg|tiff?)$",
        r"(?i)\.(?:eot|[ot]tf|woff2?)$",
        r"(?i)\.(?:docx?|xlsx?|pdf|bin|socket|vsidx|v2|suo|wsuo|.dll|pdb|exe|gltf)$",
        r"\.gem$",
    ])
});

/// The rest of them.
static OTHER: LazyLock<Option<RegexSet>> = LazyLock::new(|| {
    set(&[
        r"gitleaks\.toml",
        r"(?:^|/)gradlew(?:\.bat)?$",
        r"(?:^|/)mvnw(?:\.cmd)?$",
        r"(?:^|/)\.mvn/wrapper/MavenWrapperDownloader\.java$",
        r"(?:^|/)\.git$",
        // Of the rules for GitHub's tokens alone.
        r"(?:^|/)@octokit/auth-token/README\.md$",
    ])
});

/// Patterns as gitleaks means them: of bytes, where `.` and `$` know no lines.
fn set(patterns: &[&str]) -> Option<RegexSet> {
    let patterns = patterns.iter().map(|pattern| format!("(?s-u){pattern}"));
    RegexSetBuilder::new(patterns).build().ok()
}

/// Without its patterns every path is one of them: it is looked at all the same.
fn is_one(set: &LazyLock<Option<RegexSet>>, path: &[u8]) -> bool {
    set.as_ref().is_none_or(|set| set.is_match(path))
}

/// How files of programs, archives and databases begin.
const MAGIC: [&[u8]; 25] = [
    b"\x7fELF",
    b"MZ",
    b"PK\x03\x04",
    b"\x1f\x8b",
    b"BZh",
    b"\xfd7zXZ\0",
    b"7z\xbc\xaf\x27\x1c",
    b"Rar!",
    b"%PDF",
    b"\0asm",
    b"SQLite format 3\0",
    b"\xca\xfe\xba\xbe",
    b"!<arch>\n",
    b"\x28\xb5\x2f\xfd",
    b"\xfe\xed\xfa",
    b"\xcf\xfa\xed\xfe",
    b"\xd0\xcf\x11\xe0",
    b"LZIP",
    b"dex\n",
    b"\xed\xab\xee\xdb",
    b"\x04\x22\x4d\x18",
    b"PACK",
    b"\xfftOc",
    b"DIRC",
    b"\x89PNG",
];

/// The name for gitleaks, and how much of the file it gets.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) name: String,
    /// Whether it gets the text in the file alone, since the rest is none.
    pub(super) text_alone: bool,
}

/// The names of one scan.
#[derive(Clone, Debug)]
pub(super) struct Names {
    /// No path of the project begins with this word.
    word: String,
}

impl Names {
    /// `word` is of letters and digits, and nobody can guess it.
    pub(super) fn new(word: &str) -> Self {
        Self { word: word.chars().filter(char::is_ascii_alphanumeric).collect() }
    }

    /// The name for the file at `path`, where it is known with how its content begins.
    pub(super) fn of(&self, path: &[u8], head: Option<&[u8]>) -> Shown {
        let head = head.map(|head| &head[..head.len().min(HEAD)]);
        let binary = head.is_some_and(|head| head.contains(&0));
        let program = binary && head.is_some_and(|head| MAGIC.iter().any(|magic| head.starts_with(magic)) || is_tar(head));
        let by_name = is_one(&BINARY, path);
        if is_one(&MADE, path) || program || by_name && binary {
            return Shown { name: self.neutral("sure", path), text_alone: program || by_name && binary };
        }
        // gitleaks' patterns fold more letters than ASCII's (U+017F is an s to them): what is not ASCII says nothing either.
        let plain = std::str::from_utf8(path)
            .ok()
            .filter(|path| path.is_ascii() && !path.chars().any(|c| c.is_control() || c == '"' || c == '\\'));
        let name = match plain.filter(|_| !by_name && !is_one(&OTHER, path)) {
            Some(path) => path.to_owned(),
            None => self.neutral("any", path),
        };
        Shown { name, text_alone: false }
    }

    /// The path of the file that gitleaks was shown under this name.
    pub(super) fn path(&self, shown: &str) -> String {
        let hex = shown.strip_prefix(&self.word).and_then(|rest| rest.rsplit_once('/')).map(|(_, hex)| hex);
        let digits = |pair: &[u8]| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok());
        let bytes = hex.and_then(|hex| hex.as_bytes().chunks(2).map(digits).collect::<Option<Vec<_>>>());
        bytes.map_or_else(|| shown.to_owned(), |bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The pattern of the names of those files at which no rule may guess.
    pub(super) fn no_guesses(&self) -> String {
        format!("^{}/sure/", self.word)
    }

    fn neutral(&self, kind: &str, path: &[u8]) -> String {
        path.iter().fold(format!("{}/{kind}/", self.word), |mut name, byte| {
            // Writing to a string does not fail.
            let _ = write!(name, "{byte:02x}");
            name
        })
    }
}

fn is_tar(head: &[u8]) -> bool {
    head.get(257..262) == Some(b"ustar")
}

/// The text in a file that is none: each run of printable characters that is long enough for a secret. Lines keep their
/// numbers.
#[derive(Debug, Default)]
pub(super) struct TextWithin {
    run: Vec<u8>,
    open: bool,
    gap: bool,
}

/// Shorter than what any rule looks for.
const RUN: usize = 8;

impl TextWithin {
    /// Adds to `text` what is text in the next bytes.
    pub(super) fn read(&mut self, bytes: &[u8], text: &mut Vec<u8>) {
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
                        if self.gap {
                            text.push(b' ');
                        }
                        text.append(&mut self.run);
                        self.open = true;
                    }
                }
                _ => {
                    self.run.clear();
                    (self.open, self.gap) = (false, true);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        Names::new("Nonce")
    }

    #[test]
    fn a_name_that_rules_may_ask_for_is_kept_and_one_that_hides_is_not() {
        for path in ["a.env", "src/main.php", "x.br", "docs/a b.txt", "vendor/own/a.go", "node_modules.txt"] {
            assert_eq!(names().of(path.as_bytes(), Some(b"text")).name, path);
        }
        for path in [
            "x.png",
            "a/yarn.lock",
            "node_modules/a/.env",
            ".gitleaks.toml",
            "x.SVG",
            "vendor/k8s.io/a",
            "gradlew",
            "go.sum",
            "é",
            "x.\u{17f}vg",
        ] {
            let shown = names().of(path.as_bytes(), Some(b"text"));
            assert!(shown.name.starts_with("Nonce/") && !shown.text_alone, "{path}: {shown:?}");
            assert_eq!(names().path(&shown.name), path);
        }
    }

    #[test]
    fn every_pattern_is_one() {
        assert!(MADE.is_some() && BINARY.is_some() && OTHER.is_some());
    }

    #[test]
    fn a_name_that_a_patch_would_have_to_quote_says_nothing_instead() {
        for path in [&b"a\nb"[..], b"a\tb", b"\xff", b"a\"b", b"a\\"] {
            let shown = names().of(path, None);
            assert_eq!(names().path(&shown.name), String::from_utf8_lossy(path), "{shown:?}");
            assert!(shown.name.starts_with("Nonce/any/"));
        }
    }

    #[test]
    fn a_program_is_known_by_what_it_holds_and_not_by_its_first_bytes_alone() {
        assert!(!names().of(b"notes.txt", Some(b"%PDF-1.4\ntext")).text_alone);
        assert!(names().of(b"tool", Some(b"\x7fELF\x02\0\0")).text_alone);
        assert!(names().of(b"x.png", Some(b"\x89PNG\r\n\0")).text_alone);
        assert!(!names().of(b"settings.env", Some(b"\0 text")).text_alone);
    }

    #[test]
    fn the_text_in_a_program_keeps_its_lines() {
        let mut text = Vec::new();
        let mut within = TextWithin::default();
        for part in [&b"\x7fELF\0\0some"[..], b"thing long\0\x01short\0\n\xffanother text\n", b"abc\n"] {
            within.read(part, &mut text);
        }
        assert_eq!(String::from_utf8(text).unwrap(), "something long\n another text\n\n".replacen("something", " something", 1));
    }
}
