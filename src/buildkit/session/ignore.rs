//! Ignore patterns as Docker reads them: `.dockerignore`, and the include and exclude patterns of a file transfer.
//!
//! The behaviour is that of `github.com/moby/patternmatcher`, which every BuildKit client uses: the last pattern that
//! matches wins, a pattern that matches a folder matches all that is in it, `**` stands for any number of folders, `!`
//! takes back. See <https://docs.docker.com/build/concepts/context/#dockerignore-files>.

use regex::{Regex, RegexBuilder};

use super::expression;
use super::glob::{self, BadPattern};

/// The most bytes that a pattern may come to when it is compiled.
const MAX_COMPILED: usize = 256 << 10;

/// The characters that can make a pattern match something else than its own text.
const SPECIAL: [char; 6] = ['*', '[', ']', '?', '^', '\\'];

/// Patterns, in the order in which they count.
#[derive(Clone, Debug, Default)]
pub(crate) struct Patterns {
    patterns: Vec<Pattern>,
}

/// Which of the patterns match a folder: what has to be known of a folder to judge what is in it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Matched(Vec<bool>);

#[derive(Clone, Debug)]
struct Pattern {
    text: String,
    exclusion: bool,
    matcher: Matcher,
}

#[derive(Clone, Debug)]
enum Matcher {
    Exact,
    Prefix(String),
    Suffix(String),
    Expression(Regex),
    /// Fails when it is used, as it does for Docker: not before, since a pattern may never be used.
    Bad,
}

impl Patterns {
    /// Reads patterns, one each. Empty ones are ignored.
    ///
    /// # Errors
    /// A pattern is malformed, or is a `!` alone.
    pub(crate) fn new<T: AsRef<str>>(patterns: impl IntoIterator<Item = T>) -> Result<Self, BadPattern> {
        let read = |text: T| match text.as_ref().trim() {
            "" => None,
            text => Some(Pattern::new(text)),
        };
        Ok(Self { patterns: patterns.into_iter().filter_map(read).collect::<Result<_, _>>()? })
    }

    /// Whether there are no patterns.
    #[must_use]
    pub(crate) fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    /// Whether `path` (relative, with `/` between parts) is matched, by its own name or by that of a folder it is in. In a walk,
    /// `folder` is the result for the folder that `path` is in, and the second value is the one to pass for what is in `path`.
    ///
    /// # Errors
    /// A pattern that was needed to decide is malformed.
    pub(crate) fn matches_within(&self, path: &str, folder: &Matched) -> Result<(bool, Matched), BadPattern> {
        let mut matched = false;
        let mut each = vec![false; self.patterns.len()];
        for (index, pattern) in self.patterns.iter().enumerate() {
            let mut hit = folder.0.get(index).copied().unwrap_or(false);
            if !hit {
                if pattern.exclusion != matched {
                    continue;
                }
                hit = pattern.matches(path)?;
                if !hit && folder.0.is_empty() {
                    hit = pattern.matches_folder_of(path)?;
                }
            }
            each[index] = hit;
            if hit {
                matched = !pattern.exclusion;
            }
        }
        Ok((matched, Matched(each)))
    }

    /// Whether a pattern that is not an exception could match something inside `folder`, which itself is not matched.
    #[must_use]
    pub(crate) fn may_match_within(&self, folder: &str) -> bool {
        self.reaches_into(folder, false)
    }

    /// Whether an exception (`!`) could take back something inside `folder`, which itself is matched.
    #[must_use]
    pub(crate) fn may_except_within(&self, folder: &str) -> bool {
        self.reaches_into(folder, true)
    }

    fn reaches_into(&self, folder: &str, exclusion: bool) -> bool {
        let mut patterns = self.patterns.iter().filter(|pattern| pattern.exclusion == exclusion);
        let plain = patterns.clone().all(|pattern| !pattern.without_trailing_glob().contains(SPECIAL));
        !plain || patterns.any(|pattern| is_inside(pattern.without_trailing_glob(), folder))
    }
}

/// Whether `path` is `folder` or lies in it.
fn is_inside(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

impl Pattern {
    fn new(text: &str) -> Result<Self, BadPattern> {
        let cleaned = glob::clean(text);
        let (exclusion, cleaned) = cleaned.strip_prefix('!').map_or((false, cleaned.as_str()), |cleaned| (true, cleaned));
        if cleaned.is_empty() {
            return Err(BadPattern(text.to_owned()));
        }
        // Docker's own check, which finds most malformed patterns at once.
        glob::matches(cleaned, b".").map_err(|_| BadPattern(text.to_owned()))?;
        Ok(Self { text: cleaned.to_owned(), exclusion, matcher: Matcher::new(cleaned) })
    }

    fn matches(&self, path: &str) -> Result<bool, BadPattern> {
        Ok(match &self.matcher {
            Matcher::Exact => path == self.text,
            Matcher::Prefix(prefix) => path.starts_with(prefix),
            // `**/foo` matches `foo` too.
            Matcher::Suffix(suffix) => path.ends_with(suffix) || suffix.strip_prefix('/') == Some(path),
            Matcher::Expression(expression) => expression.is_match(path),
            Matcher::Bad => return Err(BadPattern(self.text.clone())),
        })
    }

    fn matches_folder_of(&self, path: &str) -> Result<bool, BadPattern> {
        for (end, _) in path.match_indices('/') {
            if self.matches(&path[..end])? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn without_trailing_glob(&self) -> &str {
        let text = self.text.strip_suffix("/**").unwrap_or(&self.text);
        text.strip_suffix("/*").unwrap_or(text)
    }
}

impl Matcher {
    /// What `Pattern.compile` of moby/patternmatcher makes of a pattern, step by step.
    fn new(pattern: &str) -> Self {
        let mut matcher = Self::Exact;
        let mut go = "^".to_owned();
        let mut characters = pattern.chars().peekable();
        let mut expression = false;
        let mut at_start = true;
        while let Some(character) = characters.next() {
            match character {
                '*' if characters.next_if_eq(&'*').is_some() => {
                    let _ = characters.next_if_eq(&'/');
                    if characters.peek().is_some() {
                        go.push_str("(.*/)?");
                        expression = true;
                    } else if matches!(matcher, Self::Exact) && !expression {
                        matcher = Self::Prefix(pattern[..pattern.len() - 2].to_owned());
                    } else {
                        go.push_str(".*");
                        expression = true;
                    }
                    if at_start {
                        matcher = Self::Suffix(pattern[2..].to_owned());
                        expression = false;
                    }
                }
                '*' => {
                    go.push_str("[^/]*");
                    expression = true;
                }
                '?' => {
                    go.push_str("[^/]");
                    expression = true;
                }
                // moby means to escape `|`, `{` and `}` too; its table of bits has no room for them, so they keep Go's meaning.
                '.' | '+' | '(' | ')' | '$' => go.extend(['\\', character]),
                '\\' => {
                    go.push('\\');
                    expression |= characters.peek().is_some();
                    go.extend(characters.next());
                }
                '[' | ']' => {
                    go.push(character);
                    expression = true;
                }
                literal => go.push(literal),
            }
            at_start = false;
        }
        if !expression {
            return matcher;
        }
        go.push('$');
        let compiled = expression::from_go(&go);
        let compiled = compiled.and_then(|expression| RegexBuilder::new(&expression).size_limit(MAX_COMPILED).build().ok());
        compiled.map_or(Self::Bad, Self::Expression)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    impl Patterns {
        /// Whether `path` is matched by itself, without a walk.
        fn matches(&self, path: &str) -> Result<bool, BadPattern> {
            self.matches_within(path, &Matched::default()).map(|(matched, _)| matched)
        }
    }

    #[test]
    fn patterns_match_what_they_match_in_docker() {
        // Patterns, what they match, what they do not: each row is what moby/patternmatcher v0.6.1 answers.
        let rows: &[(&[&str], &[&str], &[&str])] = &[
            (&["foo"], &["foo", "foo/bar"], &["a/foo", "foobar"]),
            (&["foo", "!foo/bar"], &["foo", "foo/other"], &["foo/bar", "foo/bar/baz"]),
            (&["!foo", "foo"], &["foo"], &[]),
            (&["*", "!README*.md", "README-secret.md"], &["a", "README-secret.md"], &["README.md"]),
            (&["*"], &["a", "a/b", ".git"], &[]),
            (&["*/temp*"], &["a/temporary.txt", "a/temp"], &["temp", "a/b/temp"]),
            (&["*/*/temp*"], &["a/b/temporary.txt"], &["a/temp"]),
            (&["temp?"], &["tempa"], &["temp", "tempab"]),
            (&["**/*.go"], &["a.go", "a/b/c.go"], &["a.gox"]),
            (&["**/foo"], &["foo", "a/foo", "a/b/foo/c"], &["afoo"]),
            (&["**foo"], &["foo", "afoo", "a/bfoo"], &[]),
            (&["**"], &["a", "a/b"], &[]),
            (&["a/**"], &["a/b", "a/b/c"], &["a", "ab"]),
            (&["a**"], &["a", "ab", "a/b"], &[]),
            (&["a/**/b"], &["a/b", "a/x/b", "a/x/y/b"], &["a/xb"]),
            (&["**/a/**"], &["a/b", "x/a/b"], &["a"]),
            (&["/foo", "./bar", "baz/", "a/../b"], &["bar", "baz/x", "b"], &["foo", "a"]),
            (&["[a-c]x"], &["ax"], &["dx"]),
            (&["[^a-c]x"], &["dx"], &["ax"]),
            (&[r"\*"], &["*"], &["a"]),
            (&[r"a\?"], &["a?"], &["ab"]),
            (&["a.b", "a+c"], &["a.b", "a+c"], &["axb", "aac"]),
            (&["a.*"], &["a.b"], &["axb"]),
            (&["é*"], &["éa"], &["e"]),
            (&["?"], &["é"], &["ab"]),
            (&["  foo  ", "", " "], &["foo"], &[]),
            (&["!foo/../bar"], &["bar"], &[]),
            (&["**", "!a/b"], &["a", "a/c"], &["a/b", "a/b/d"]),
            (&[".git"], &[".git/config"], &[".github"]),
            (&["a/*", "!a/b", "a/b/c"], &["a/b/c", "a/x"], &["a/b", "a/b/d"]),
            // Surprises that are Docker's.
            (&[r"\d"], &["7"], &["d"]),
            (&["[[]"], &["["], &["a"]),
            (&["[*]"], &["[]", "^]"], &["*", "a"]),
            (&["a|*"], &["a", "ab", "xb"], &[]),
            (&["a{2}*"], &["aax"], &["a{2}x"]),
            (&["{*"], &["{a"], &[]),
            (&["^a"], &["^a"], &[]),
            (&["^a*"], &["a"], &["^a"]),
            (&["a^*"], &[], &["a^b"]),
        ];
        for (patterns, matched, unmatched) in rows {
            let read = Patterns::new(*patterns).unwrap();
            for path in *matched {
                assert!(read.matches(path).unwrap(), "{patterns:?} does not match {path}");
            }
            for path in *unmatched {
                assert!(!read.matches(path).unwrap(), "{patterns:?} matches {path}");
            }
        }
    }

    #[test]
    fn a_malformed_pattern_is_named() {
        for pattern in ["a[", "a[]b", "!", "[b-", r"a\"] {
            assert_eq!(Patterns::new(["fine", pattern]).unwrap_err(), BadPattern(pattern.to_owned()));
        }
        let late = Patterns::new([r"a\y*"]).unwrap();
        assert_eq!(late.matches("ayb"), Err(BadPattern(r"a\y*".to_owned())));
    }

    #[test]
    fn a_folder_is_entered_only_where_a_pattern_can_reach() {
        let includes = Patterns::new(["src/app/main.rs", "docs/**"]).unwrap();
        assert!(includes.may_match_within("src") && includes.may_match_within("src/app") && includes.may_match_within("docs"));
        assert!(!includes.may_match_within("src/application") && !includes.may_match_within("target"));
        assert!(Patterns::new(["src/*.rs/x"]).unwrap().may_match_within("target"));
        let excludes = Patterns::new(["*", "!src/app"]).unwrap();
        assert!(excludes.may_except_within("src") && !excludes.may_except_within("target"));
        assert!(!Patterns::new(["*"]).unwrap().may_except_within("src"));
    }

    #[test]
    fn patterns_that_would_take_much_to_try_take_little() {
        let patterns: Vec<_> =
            ["**/", "*a", "?{1000}", "[a-z]", "a|", "?{500}*"].map(|part| part.repeat(4096 / part.len())).into();
        let many = patterns.iter().cycle().take(50);
        if let Ok(patterns) = Patterns::new(many) {
            let _ = patterns.matches(&"a".repeat(4000));
            let _ = patterns.matches(&"a/".repeat(2000));
        }
    }

    fn path() -> impl Strategy<Value = String> {
        prop::collection::vec("[a-c.]{1,3}", 1..5).prop_map(|parts| parts.join("/"))
    }

    proptest! {
        #[test]
        fn a_plain_path_matches_itself_and_all_that_is_in_it(folder in "[a-c]{1,3}(/[a-c]{1,3}){0,2}", inside in path()) {
            let patterns = Patterns::new([&folder]).unwrap();
            prop_assert!(patterns.matches(&folder).unwrap());
            let inside = format!("{folder}/{inside}");
            prop_assert!(patterns.matches(&inside).unwrap());
            let longer = format!("{folder}z");
            prop_assert!(!patterns.matches(&longer).unwrap());
        }

        #[test]
        fn the_last_pattern_that_matches_wins(patterns in prop::collection::vec("!?[a-c*?][a-c*?/]{0,4}", 0..4), path in path()) {
            prop_assert!(Patterns::new(patterns.iter().map(String::as_str).chain(["**"])).is_ok_and(|all| all.matches(&path).unwrap()));
            prop_assert!(Patterns::new(patterns.iter().map(String::as_str).chain(["!**"])).is_ok_and(|all| !all.matches(&path).unwrap()));
        }

        #[test]
        fn a_walk_from_folder_to_folder_judges_as_a_whole_path_does(patterns in prop::collection::vec("[a-c*?/]{1,5}", 0..4), path in path()) {
            let patterns = Patterns::new(&patterns).unwrap();
            let mut walked = (false, Matched::default());
            for (end, _) in path.match_indices('/').chain([(path.len(), "")]) {
                walked = patterns.matches_within(&path[..end], &walked.1).unwrap();
            }
            prop_assert_eq!(walked.0, patterns.matches(&path).unwrap());
        }

        #[test]
        fn what_may_not_be_reached_is_not_matched(patterns in prop::collection::vec("[a-c*/]{1,5}", 1..4), folder in "[a-c]{1,2}", inside in path()) {
            let patterns = Patterns::new(&patterns).unwrap();
            let matched = patterns.matches(&folder).unwrap();
            if !matched && !patterns.may_match_within(&folder) {
                let path = format!("{folder}/{inside}");
                prop_assert!(!patterns.matches(&path).unwrap());
            }
        }

        #[test]
        fn no_pattern_stops_the_matcher(pattern in r"[!\[\]*?^\\a-c{}()|1,:/é-]{0,10}", path in path()) {
            if let Ok(patterns) = Patterns::new([pattern]) {
                let _ = patterns.matches(&path);
            }
        }
    }
}
