//! A tag, as the distribution specification allows it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Digest;

/// A tag that every registry accepts: `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}` (distribution-spec, "Pulling manifests").
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Tag(String);

/// The text is not a tag.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a tag: letters, digits, '_', '.' and '-', at most 128, and no '.' or '-' first")]
pub(crate) struct InvalidTag(pub(crate) String);

impl Tag {
    /// The most characters a tag may have.
    pub(crate) const MAX_LENGTH: usize = 128;

    /// The tag of the index that has the referrers of `subject`, where the registry does not list them itself
    /// (distribution-spec, "Referrers Tag Schema").
    #[must_use]
    pub(crate) fn of_referrers(subject: &Digest) -> Self {
        Self(format!("sha256-{}", subject.hex()))
    }

    /// The tag as text.
    #[must_use]
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Tag {
    type Err = InvalidTag;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let valid = text.len() <= Self::MAX_LENGTH
            && text.bytes().next().is_some_and(word)
            && text.bytes().all(|byte| word(byte) || byte == b'.' || byte == b'-');
        if valid { Ok(Self(text.to_owned())) } else { Err(InvalidTag(text.to_owned())) }
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Tag {
    type Error = InvalidTag;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Tag> for String {
    fn from(tag: Tag) -> Self {
        tag.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_the_specification_allows_is_a_tag(text in "[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}") {
            prop_assert_eq!(text.parse::<Tag>().unwrap().to_string(), text);
        }

        #[test]
        fn a_tag_never_holds_another_character(text in ".*") {
            let allowed = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
            if text.parse::<Tag>().is_ok() {
                prop_assert!(text.chars().all(allowed) && !text.starts_with(['.', '-']) && !text.is_empty());
            }
        }
    }

    #[test]
    fn the_129th_character_is_too_many() {
        assert!("a".repeat(128).parse::<Tag>().is_ok());
        assert!("a".repeat(129).parse::<Tag>().is_err());
    }
}
