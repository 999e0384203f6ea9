//! A pattern for what a certificate says.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A text, or a family of texts: `*` stands for any characters but `/` and `@`, and `**` for any but `@`. All else stands for
/// itself, and the whole text has to match.
///
/// In the name of a workflow, `@` divides its path from its ref. Whoever may push a branch chooses the branch's name, so no
/// wildcard reaches over an `@`: `team/**@refs/heads/main` is not `team/x.yml@refs/heads/mine@refs/heads/main`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Pattern {
    text: String,
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Literal(String),
    /// `*`
    Segment,
    /// `**`
    Segments,
}

/// The text is not a pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a text with * (no / and no @) or ** (no @) in it is expected")]
pub(crate) struct InvalidPattern;

impl Pattern {
    /// The pattern that is this text alone, whatever is in it.
    pub(crate) fn exactly(text: impl Into<String>) -> Self {
        let text = text.into();
        Self { parts: vec![Part::Literal(text.clone())], text }
    }

    /// Whether a text matches.
    #[must_use]
    pub(crate) fn matches(&self, text: &str) -> bool {
        matches(&self.parts, text)
    }
}

fn matches(parts: &[Part], text: &str) -> bool {
    // Where a wildcard may end: each place is looked at once, so that no pattern takes long.
    let mut places = vec![0];
    for part in parts {
        places = match part {
            Part::Literal(literal) => {
                let after = places.iter().filter(|place| text[**place..].starts_with(literal.as_str()));
                after.map(|place| place + literal.len()).collect()
            }
            Part::Segment => reached(text, &places, |c| c != '/' && c != '@'),
            Part::Segments => reached(text, &places, |c| c != '@'),
        };
        if places.is_empty() {
            return false;
        }
    }
    places.contains(&text.len())
}

/// The places that are reached from others over characters that `passes`, in their order.
fn reached(text: &str, from: &[usize], passes: impl Fn(char) -> bool) -> Vec<usize> {
    let (mut places, mut open) = (Vec::new(), false);
    for (place, c) in text.char_indices().map(|(place, c)| (place, Some(c))).chain([(text.len(), None)]) {
        open |= from.binary_search(&place).is_ok();
        if open {
            places.push(place);
        }
        open &= c.is_some_and(&passes);
    }
    places
}

impl FromStr for Pattern {
    type Err = InvalidPattern;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() || text.contains("***") {
            return Err(InvalidPattern);
        }
        let (mut parts, mut rest) = (Vec::new(), text);
        while let Some((before, after)) = rest.split_once('*') {
            if !before.is_empty() {
                parts.push(Part::Literal(before.to_owned()));
            }
            let (part, after) = after.strip_prefix('*').map_or((Part::Segment, after), |after| (Part::Segments, after));
            parts.push(part);
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(Part::Literal(rest.to_owned()));
        }
        Ok(Self { text: text.to_owned(), parts })
    }
}

impl TryFrom<String> for Pattern {
    type Error = InvalidPattern;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> Self {
        pattern.text
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matches(pattern: &str, text: &str) -> bool {
        pattern.parse::<Pattern>().unwrap().matches(text)
    }

    #[test]
    fn a_pattern_is_of_the_whole_text() {
        assert!(matches("refs/heads/main", "refs/heads/main"));
        for text in ["refs/heads/main2", "xrefs/heads/main", "refs/heads/mai", "", "REFS/heads/main"] {
            assert!(!matches("refs/heads/main", text), "{text}");
        }
    }

    #[test]
    fn nothing_but_stars_is_more_than_it_is() {
        for (pattern, text) in
            [("a.c", "abc"), ("a?c", "abc"), ("[a-z]", "b"), ("(a|b)", "a"), ("a+", "aa"), ("^a$", "a"), ("a\\", "a")]
        {
            assert!(!matches(pattern, text), "{pattern}");
            assert!(matches(pattern, pattern), "{pattern}");
        }
    }

    #[test]
    fn one_star_stays_in_a_segment_and_two_do_not() {
        assert!(matches("https://github.com/team/*", "https://github.com/team/app"));
        assert!(!matches("https://github.com/team/*", "https://github.com/team/app/more"));
        assert!(!matches("https://github.com/*/app", "https://github.com/team/x/app"));
        assert!(matches("refs/tags/v*", "refs/tags/v1.2.3") && matches("refs/tags/v*", "refs/tags/v"));
        assert!(matches("https://github.com/**", "https://github.com/team/app/more"));
        assert!(matches("**/main", "refs/heads/main") && matches("*a*a*", "xaya") && !matches("*a*a*", "xay"));
    }

    #[test]
    fn no_star_reaches_over_the_mark_before_a_ref() {
        let workflow = "https://github.com/team/app/.github/workflows/x.yml";
        for (pattern, reference, fits) in [
            ("https://github.com/team/**@refs/heads/main", "refs/heads/main", true),
            ("https://github.com/team/**@refs/heads/main", "refs/heads/mine@refs/heads/main", false),
            ("https://github.com/team/**", "refs/heads/main", false),
            ("https://github.com/team/**@**", "refs/heads/main", true),
            ("https://github.com/team/**@**", "refs/heads/mine@refs/heads/main", false),
            ("https://github.com/team/**@refs/tags/*", "refs/tags/v1@refs/heads/x", false),
        ] {
            assert_eq!(matches(pattern, &format!("{workflow}@{reference}")), fits, "{pattern} {reference}");
        }
    }

    #[test]
    fn what_is_taken_exactly_has_no_wildcards() {
        let exact = Pattern::exactly("refs/heads/*");
        assert!(exact.matches("refs/heads/*") && !exact.matches("refs/heads/main"));
        for text in ["", "a***b"] {
            assert_eq!(text.parse::<Pattern>(), Err(InvalidPattern), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_pattern_fits_what_a_plain_reading_of_it_fits(pattern in "[ab/@*é]{1,7}", text in "[ab/@é]{0,9}") {
            let Ok(read) = pattern.parse::<Pattern>() else { return Ok(()) };
            let mut regex = String::from("^");
            regex.extend(read.parts.iter().map(|part| match part {
                Part::Literal(literal) => regex::escape(literal),
                Part::Segment => "[^/@]*".to_owned(),
                Part::Segments => "[^@]*".to_owned(),
            }));
            let regex = regex::Regex::new(&(regex + "$")).unwrap();
            prop_assert_eq!(read.matches(&text), regex.is_match(&text), "{} {}", pattern, text);
        }
    }
}
