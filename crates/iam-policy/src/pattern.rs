//! Values of a policy as patterns for texts (IAM User Guide, "IAM JSON policy elements: Condition operators", `StringLike`).

use crate::Version;

/// A value of a policy: literal text with wildcards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern(Vec<Token>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    Character(char),
    /// `?`: any one character.
    One,
    /// `*`: any characters, or none.
    Any,
}

impl Pattern {
    /// A value of `StringLike`: `*` and `?` are wildcards. `None` if it holds a policy variable, whose value is not known
    /// here.
    pub(crate) fn like(value: &str, version: Version) -> Option<Self> {
        let mut tokens = Vec::new();
        let mut rest = value;
        while let Some(character) = rest.chars().next() {
            if version == Version::V2012 && rest.starts_with("${") {
                let (literal, after) = literal_at(rest)?;
                tokens.push(Token::Character(literal));
                rest = after;
                continue;
            }
            tokens.push(match character {
                '*' => Token::Any,
                '?' => Token::One,
                other => Token::Character(other),
            });
            rest = &rest[character.len_utf8()..];
        }
        Some(Self(tokens))
    }

    /// A value of `StringEquals`: `*` and `?` are ordinary characters. `None` as in [`Pattern::like`].
    pub(crate) fn exact(value: &str, version: Version) -> Option<Self> {
        let mut pattern = Self::like(value, version)?;
        for token in &mut pattern.0 {
            *token = match *token {
                Token::One => Token::Character('?'),
                Token::Any => Token::Character('*'),
                character @ Token::Character(_) => character,
            };
        }
        Some(pattern)
    }

    /// The same pattern in lower case (ASCII only).
    pub(crate) fn lowercase(&self) -> Self {
        let lower = |token: &Token| match token {
            Token::Character(character) => Token::Character(character.to_ascii_lowercase()),
            other => *other,
        };
        Self(self.0.iter().map(lower).collect())
    }

    /// Whether it matches the whole of a text.
    pub(crate) fn matches(&self, text: &str) -> bool {
        let text: Vec<char> = text.chars().collect();
        let (mut token, mut at) = (0, 0);
        // Going back to the last `*` is enough.
        let mut retry: Option<(usize, usize)> = None;
        while at < text.len() {
            match self.0.get(token) {
                Some(Token::Any) => {
                    retry = Some((token, at));
                    token += 1;
                    continue;
                }
                Some(Token::One) => {}
                Some(Token::Character(character)) if *character == text[at] => {}
                _ => {
                    let Some((star, end)) = retry else { return false };
                    retry = Some((star, end + 1));
                    (token, at) = (star + 1, end + 1);
                    continue;
                }
            }
            token += 1;
            at += 1;
        }
        self.0[token..].iter().all(|token| *token == Token::Any)
    }

    /// How many tokens of a pattern that does not match do match, from its start.
    pub(crate) fn matching_prefix(&self, text: &str) -> usize {
        let matches = |length: usize| Self(self.0[..length].iter().copied().chain([Token::Any]).collect()).matches(text);
        let (mut fits, mut too_long) = (0, self.0.len() + 1);
        while too_long - fits > 1 {
            let middle = usize::midpoint(fits, too_long);
            if matches(middle) { fits = middle } else { too_long = middle }
        }
        fits
    }
}

/// The character that a text begins with, where it is written as one of the three variables that stand for themselves (IAM
/// User Guide, "IAM policy elements: Variables and tags", "Specifying special characters"), and what follows.
fn literal_at(text: &str) -> Option<(char, &str)> {
    [("${*}", '*'), ("${?}", '?'), ("${$}", '$')].into_iter().find_map(|(variable, literal)| {
        let after = text.strip_prefix(variable)?;
        Some((literal, after))
    })
}

/// A text as a value of `StringEquals` that matches it alone, in a document of the current version.
pub(crate) fn literal(text: &str) -> String {
    text.replace("${", "${$}{")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn like(pattern: &str, text: &str) -> bool {
        Pattern::like(pattern, Version::V2012).unwrap().matches(text)
    }

    /// What `StringLike` means, in the fewest words.
    fn oracle(pattern: &[char], text: &[char]) -> bool {
        match (pattern, text) {
            ([], []) => true,
            (['*', rest @ ..], _) => (0..=text.len()).any(|skipped| oracle(rest, &text[skipped..])),
            (['?', rest @ ..], [_, after @ ..]) => oracle(rest, after),
            ([character, rest @ ..], [first, after @ ..]) => character == first && oracle(rest, after),
            _ => false,
        }
    }

    #[test]
    fn a_variable_is_not_known_and_a_literal_stands_for_itself() {
        assert_eq!(Pattern::like("repo:${aws:PrincipalTag/x}:*", Version::V2012), None);
        for value in ["${", "${}", "${*", "a${aws:username}"] {
            assert_eq!(Pattern::exact(value, Version::V2012), None, "{value}");
        }
        assert!(Pattern::exact("${a}", Version::V2008).unwrap().matches("${a}"));
        assert!(like("a${*}b${?}${$}{x}", "a*b?${x}"));
        assert!(!like("a${*}b", "axb"));
    }

    #[test]
    fn many_stars_take_no_longer_than_one() {
        assert!(!like(&"*a".repeat(1000), &"a".repeat(999)));
        assert!(!like(&format!("{}b", "*".repeat(10_000)), &"a".repeat(10_000)));
    }

    #[test]
    fn the_first_character_that_differs_is_found_behind_wildcards_too() {
        let prefix = |pattern: &str, text: &str| Pattern::like(pattern, Version::V2012).unwrap().matching_prefix(text);
        assert_eq!(prefix("repo:Org/x", "repo:org/x"), 5);
        assert_eq!(prefix("repo:*/App:x", "repo:org/app:x"), 7);
        assert_eq!(prefix("abc", "abcd"), 3);
    }

    proptest! {
        #[test]
        fn no_value_is_too_much(value in "[a*?${}é]{0,8}", text in any::<String>()) {
            if let Some(pattern) = Pattern::like(&value, Version::V2012) {
                let _ = pattern.matching_prefix(&text);
            }
            prop_assert!(Pattern::like(&value, Version::V2008).is_some());
        }

        #[test]
        fn wildcards_match_as_the_oracle_says(pattern in "[ab*?]{0,8}", text in "[ab*?]{0,8}") {
            let (p, t): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
            prop_assert_eq!(like(&pattern, &text), oracle(&p, &t));
        }

        #[test]
        fn a_literal_matches_its_text_and_no_other(text in "[a*?${}]{0,8}", other in "[a*?${}]{0,8}") {
            let pattern = Pattern::exact(&literal(&text), Version::V2012).unwrap();
            prop_assert_eq!(pattern.matches(&other), text == other);
            prop_assert!(pattern.matches(&text));
        }
    }
}
