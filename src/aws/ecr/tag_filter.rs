//! Filters that except tags from a repository's rule.

use std::fmt;

use crate::oci::Tag;

/// A filter of type `WILDCARD`: a text in which each `*` matches any number of characters, or none (Amazon ECR user guide,
/// "Preventing image tags from being overwritten"; at most two `*`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TagFilter(String);

impl fmt::Display for TagFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TagFilter {
    /// Makes a filter from its text.
    #[must_use]
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Whether the filter matches a tag.
    #[must_use]
    pub(crate) fn matches(&self, tag: &Tag) -> bool {
        let mut parts = self.0.split('*');
        let Some(mut rest) = parts.next().and_then(|first| tag.as_str().strip_prefix(first)) else { return false };
        let mut last = None;
        for part in parts {
            // Any part but the last may match anywhere; the last has to match at the end.
            if let Some(part) = last.replace(part) {
                let Some(at) = rest.find::<&str>(part) else { return false };
                rest = &rest[at + part.len()..];
            }
        }
        match last {
            Some(last) => rest.ends_with::<&str>(last),
            None => rest.is_empty(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_characters_and_the_rest_for_itself() {
        for (filter, tag, expected) in [
            ("latest", "latest", true),
            ("latest", "latest2", false),
            ("dev-*", "dev-a1b2c3d", true),
            ("dev-*", "dev-", true),
            ("dev-*", "test-dev-1", false),
            ("*-latest", "main-latest", true),
            ("*-latest", "main-latest-1", false),
            ("a*b*c", "a1b2c", true),
            ("a*b*c", "abc", true),
            ("a*b*c", "acb", false),
            ("*", "x", true),
            ("v1.*", "v1x2", false),
        ] {
            assert_eq!(TagFilter::new(filter).matches(&tag.parse().unwrap()), expected, "{filter} {tag}");
        }
    }
}
