//! Under which name gitleaks is shown a file.
//!
//! Rules may ask for a name, and a project's may pass over one, so that a file keeps its own wherever a patch can say it. One
//! that would have to be quoted gets a name that holds it in hexadecimal digits, with what can be said of it at the end, where
//! rules look for it.

use std::fmt::Write as _;
use std::sync::LazyLock;

use regex::bytes::{RegexSet, RegexSetBuilder};

/// Rules that guess from the words around a value. Where nobody writes by hand they guess wrong, by the thousand: at the
/// checksums of a lock file, at the tables of a program.
pub(super) const GUESSES: [&str; 1] = ["generic-api-key"];

/// How much of a file tells whether it is text (git's `buffer_is_binary`).
pub(super) const HEAD: usize = 8000;

/// What nobody writes by hand, of the paths that gitleaks' rules pass over.
const MADE: [&str; 16] = [
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
];

/// What usually is no text, of the paths that gitleaks' rules pass over.
const BINARY: [&str; 4] = [
    r"(?i)\.(?:bmp|gif|jpe?g|png|svg|tiff?)$",
    r"(?i)\.(?:eot|[ot]tf|woff2?)$",
    r"(?i)\.(?:docx?|xlsx?|pdf|bin|socket|vsidx|v2|suo|wsuo|.dll|pdb|exe|gltf)$",
    r"\.gem$",
];

static IS_BINARY: LazyLock<Option<RegexSet>> = LazyLock::new(|| set(BINARY));

/// Patterns as gitleaks means them, at names that a patch says.
pub(super) fn set<'a>(patterns: impl IntoIterator<Item = &'a str>) -> Option<RegexSet> {
    RegexSetBuilder::new(patterns.into_iter().map(|pattern| format!("(?-u:{pattern})"))).build().ok()
}

/// The patterns by which the name of a file decides, besides those of the rules.
pub(super) fn patterns<'a>() -> impl Iterator<Item = &'a str> {
    MADE.into_iter().chain(BINARY)
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

/// The names of one scan.
#[derive(Clone, Debug)]
pub(super) struct Names {
    /// No path of the project begins with this word.
    word: String,
}

/// What gitleaks was shown under a name.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Shown {
    /// The file at this path.
    File(Vec<u8>),
    /// A list of names of files, by its number.
    Listing(usize),
}

impl Names {
    /// `word` is of letters and digits, and nobody can guess it.
    pub(super) fn new(word: &str) -> Self {
        Self { word: word.chars().filter(char::is_ascii_alphanumeric).collect() }
    }

    /// The name for the file at `path` whose content begins with `head`.
    pub(super) fn of(&self, path: &[u8], head: &[u8]) -> String {
        let head = &head[..head.len().min(HEAD)];
        let is_made_of_code = || MAGIC.iter().any(|magic| head.starts_with(magic)) || is_tar(head);
        // Without its patterns every path is one of them.
        let is_binary_by_name = || IS_BINARY.as_ref().is_none_or(|set| set.is_match(said(path).as_bytes()));
        if head.contains(&0) && (is_made_of_code() || is_binary_by_name()) {
            return self.coded("sure", path);
        }
        if can_be_said(path) { said(path) } else { self.coded("any", path) }
    }

    /// The name for a list of the names of files. No rule guesses at it.
    pub(super) fn of_listing(&self, number: usize) -> String {
        format!("{}/sure/{LISTING}/{number}", self.word)
    }

    /// What gitleaks was shown under this name.
    pub(super) fn meant(&self, shown: &str) -> Shown {
        let coded = || {
            let mut parts = shown.strip_prefix(&self.word)?.splitn(4, '/').skip(2);
            let (code, rest) = (parts.next()?, parts.next()?);
            if code == LISTING {
                return rest.parse().ok().map(Shown::Listing);
            }
            if code == PLAIN {
                return Some(Shown::File(rest.as_bytes().to_vec()));
            }
            let digits = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
            code.as_bytes().chunks(2).map(digits).collect::<Option<_>>().map(Shown::File)
        };
        coded().unwrap_or_else(|| Shown::File(shown.as_bytes().to_vec()))
    }

    /// The patterns of the names of those files at which no rule may guess.
    pub(super) fn no_guesses(&self) -> Vec<String> {
        [format!("^{}/sure/", self.word)].into_iter().chain(MADE.map(str::to_owned)).collect()
    }

    /// The word by itself.
    pub(super) fn word(&self) -> &str {
        &self.word
    }

    fn coded(&self, kind: &str, path: &[u8]) -> String {
        let mut name = format!("{}/{kind}/", self.word);
        if can_be_said(path) {
            name.push_str(PLAIN);
        } else {
            for byte in path {
                // Writing to a string does not fail.
                let _ = write!(name, "{byte:02x}");
            }
        }
        name.push('/');
        name.push_str(&said(path));
        name
    }
}

/// Stands for the digits of a path in the name of a listing.
const LISTING: &str = "list";

/// Stands for the digits of a path that is said as it is.
const PLAIN: &str = "-";

/// Whether a patch says a path without quotes.
pub(super) fn can_be_said(path: &[u8]) -> bool {
    path.iter().copied().all(is_plain)
}

/// A path with what can't be said in a patch left open: how it ends is kept for the rules that ask for it.
pub(super) fn said(path: &[u8]) -> String {
    path.iter().map(|byte| if is_plain(*byte) { char::from(*byte) } else { '_' }).collect()
}

fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\')
}

fn is_tar(head: &[u8]) -> bool {
    head.get(257..262) == Some(b"ustar")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        Names::new("Nonce")
    }

    #[test]
    fn a_name_that_rules_may_ask_for_is_kept() {
        for path in
            ["a.env", "src/main.php", "x.br", "docs/a b.txt", "x.png", "a/yarn.lock", "node_modules/a/key.p12", ".gitleaks.toml"]
        {
            assert_eq!(names().of(path.as_bytes(), b"text"), path);
            assert_eq!(names().meant(path), Shown::File(path.as_bytes().to_vec()));
        }
    }

    #[test]
    fn a_name_that_a_patch_would_have_to_quote_keeps_what_rules_look_for_at_its_end() {
        for (path, end) in [
            (&b"a\nb.php"[..], "/a_b.php"),
            (b"a\tb", "/a_b"),
            (b"\xff/main.tf", "/_/main.tf"),
            (b"a\"b", "/a_b"),
            ("é/nuget.config".as_bytes(), "/__/nuget.config"),
        ] {
            let shown = names().of(path, b"text");
            assert!(shown.starts_with("Nonce/any/") && shown.ends_with(end), "{shown}");
            assert_eq!(names().meant(&shown), Shown::File(path.to_vec()));
        }
        assert_eq!(names().meant(&names().of_listing(7)), Shown::Listing(7));
    }

    #[test]
    fn nothing_is_guessed_at_programs_which_are_known_by_what_they_hold() {
        let is_sure = |path: &str, head: &[u8]| {
            let shown = names().of(path.as_bytes(), head);
            assert_eq!(names().meant(&shown), Shown::File(path.as_bytes().to_vec()));
            shown.starts_with("Nonce/sure/") && shown.ends_with(path)
        };
        assert!(is_sure("tool", b"\x7fELF\x02\0\0") && is_sure("a/x.png", b"\x89PNG\r\n\0"));
        assert!(!is_sure("notes.txt", b"%PDF-1.4\ntext") && !is_sure("settings.env", b"\0 text") && !is_sure("x.svg", b"<svg>"));
    }

    #[test]
    fn every_pattern_is_one() {
        assert!(IS_BINARY.is_some() && set(patterns()).is_some());
    }
}
