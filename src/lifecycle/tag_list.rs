//! The lists of a rule that selects tagged images.

use crate::oci::Tag;

/// The most `*` of a pattern.
pub(super) const MAX_WILDCARDS: usize = 4;

/// A list that is not empty. An image is selected by it that has, for **every** entry, a tag that meets it. AWS does not say
/// whether the case of letters counts; tags are told apart by it, so it does here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TagList {
    kind: Kind,
    entries: Vec<String>,
}

/// What the entries are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Each is what a tag begins with (`tagPrefixList`).
    Prefix,
    /// Each stands for a whole tag, with `*` for any characters or none (`tagPatternList`).
    Pattern,
}

impl TagList {
    /// The list; `None` where it is empty.
    pub(super) fn new(kind: Kind, entries: Vec<String>) -> Option<Self> {
        (!entries.is_empty()).then_some(Self { kind, entries })
    }

    /// The entries.
    pub(super) fn entries(&self) -> &[String] {
        &self.entries
    }

    /// The entries, where they are prefixes.
    pub(super) fn prefixes(&self) -> Option<&[String]> {
        (self.kind == Kind::Prefix).then_some(&*self.entries)
    }

    /// The entries, where they are patterns.
    pub(super) fn patterns(&self) -> Option<&[String]> {
        (self.kind == Kind::Pattern).then_some(&*self.entries)
    }

    /// Whether it selects an image with these tags.
    pub(super) fn selects(&self, tags: &[String]) -> bool {
        self.entries.iter().all(|entry| tags.iter().any(|tag| self.kind.meets(entry, tag)))
    }

    /// The entries that one tag alone can meet, which is a tag of one image at a time.
    pub(super) fn names(&self, tag: &str) -> bool {
        self.kind == Kind::Pattern && self.entries.iter().any(|entry| entry == tag)
    }

    /// The entries that no tag can meet, by the form that tags have (OCI distribution specification): an image that meets every
    /// entry of such a list is never there.
    pub(super) fn impossible(&self) -> impl Iterator<Item = &String> {
        self.entries.iter().filter(|entry| !self.kind.can_be_met(entry))
    }

    /// Whether the entries are what tags begin with.
    pub(super) fn is_of_prefixes(&self) -> bool {
        self.kind == Kind::Prefix
    }

    /// Whether this list selects all that another does, as far as it is plain: each of its entries is met by whatever meets
    /// some entry of the other.
    pub(super) fn covers(&self, other: &Self) -> bool {
        self.entries.iter().all(|mine| other.entries.iter().any(|theirs| self.kind.covers(mine, other.kind, theirs)))
    }
}

impl Kind {
    fn meets(self, entry: &str, tag: &str) -> bool {
        match self {
            Self::Prefix => tag.starts_with(entry),
            Self::Pattern => matches(entry, tag),
        }
    }

    /// Whether some tag meets an entry: what a wildcard stands for can be left out, unless the tag would begin with what no tag
    /// begins with.
    fn can_be_met(self, entry: &str) -> bool {
        let pattern = self == Self::Pattern;
        let mut shortest: String = entry.chars().filter(|c| !pattern || *c != '*').collect();
        if pattern && entry.starts_with('*') {
            shortest.insert(0, 'x');
        }
        // A tag of the greatest length may be met by a wildcard that stands for nothing.
        let room = usize::from(pattern && entry.starts_with('*') && shortest.len() > Tag::MAX_LENGTH);
        shortest.get(room..).is_some_and(|shortest| shortest.is_empty() || shortest.parse::<Tag>().is_ok())
    }

    fn covers(self, entry: &str, of: Self, other: &str) -> bool {
        // What each tag that meets the other begins with.
        let start = match of {
            Self::Prefix => other,
            Self::Pattern => other.split('*').next().unwrap_or_default(),
        };
        let plain = of == Self::Pattern && !other.contains('*');
        match self {
            Self::Prefix => start.starts_with(entry),
            Self::Pattern if plain => matches(entry, other),
            Self::Pattern => {
                let prefix = entry.strip_suffix('*').filter(|prefix| !prefix.contains('*'));
                prefix.is_some_and(|prefix| start.starts_with(prefix)) || (of == self && entry == other)
            }
        }
    }
}

/// Whether a pattern stands for a whole text.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((first, others)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let (between, last) = others.rsplit_once('*').unwrap_or(("", others));
    for part in between.split('*') {
        // The first place that fits leaves the most for what follows.
        let Some(at) = rest.find(part) else { return false };
        rest = rest.get(at + part.len()..).unwrap_or_default();
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same by its definition, for short texts.
    fn slowly(pattern: &[u8], text: &[u8]) -> bool {
        match (pattern.split_first(), text.split_first()) {
            (None, None) => true,
            (Some((b'*', pattern)), _) => (0..=text.len()).any(|skipped| slowly(pattern, &text[skipped..])),
            (Some((one, pattern)), Some((other, text))) => one == other && slowly(pattern, text),
            _ => false,
        }
    }

    proptest::proptest! {
        #[test]
        fn a_star_stands_for_any_characters_and_the_rest_for_itself(pattern in "[ab*]{0,8}", text in "[ab]{0,10}") {
            assert_eq!(matches(&pattern, &text), slowly(pattern.as_bytes(), text.as_bytes()), "{pattern} {text}");
        }

        #[test]
        fn a_list_that_covers_another_selects_what_that_selects(
            mine in proptest::collection::vec("[ab*]{1,4}", 1..3),
            theirs in proptest::collection::vec("[ab*]{1,4}", 1..3),
            tags in proptest::collection::vec("[ab]{1,5}", 0..4),
            kinds in [proptest::bool::ANY; 2],
        ) {
            let [mine, theirs] = [(mine, kinds[0]), (theirs, kinds[1])].map(|(entries, prefix)| {
                TagList::new(if prefix { Kind::Prefix } else { Kind::Pattern }, entries).unwrap()
            });
            if mine.covers(&theirs) && theirs.selects(&tags) {
                assert!(mine.selects(&tags), "{mine:?} {theirs:?} {tags:?}");
            }
        }
    }

    #[test]
    fn an_entry_that_no_tag_can_meet_is_known() {
        let impossible = |kind, entry: &str| TagList::new(kind, vec![entry.to_owned()]).unwrap().impossible().count() == 1;
        let long = "a".repeat(128);
        for (entry, prefix, pattern) in [
            ("prod-", false, false),
            ("feature/", true, true),
            ("-x", true, true),
            (".x", true, true),
            ("*-x", true, false),
            ("*", true, false),
            ("v1.*", true, false),
            ("caf\u{e9}", true, true),
            ("a b", true, true),
            ("feature/*", true, true),
            (&long, false, false),
            (&format!("{long}a"), true, true),
            (&format!("*{long}"), true, false),
            (&format!("*{long}a"), true, true),
        ] {
            assert_eq!((impossible(Kind::Prefix, entry), impossible(Kind::Pattern, entry)), (prefix, pattern), "{entry}");
        }
    }

    proptest::proptest! {
        #[test]
        fn an_entry_that_a_tag_meets_can_be_met(entry in "[ab/.*-]{1,6}", tag in "[ab_][ab.-]{0,8}") {
            for kind in [Kind::Prefix, Kind::Pattern] {
                proptest::prop_assert!(!kind.meets(&entry, &tag) || kind.can_be_met(&entry), "{kind:?} {entry} {tag}");
            }
        }
    }

    #[test]
    fn the_case_of_letters_counts() {
        assert!(!matches("Prod*", "prod-1") && matches("prod*", "prod") && !matches("prod", "prod-1"));
    }
}
