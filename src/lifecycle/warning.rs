//! What AWS takes and does not do what its author most likely means.

use std::fmt;

use super::image::Class;
use super::policy::{Action, ArchiveLimit, Limit, Policy, Priority, Rule, Tags};
use super::tag_list::TagList;
use crate::text;

/// Something of a policy to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Warning {
    /// A list has several entries, and an image needs a tag for each.
    EveryEntry {
        /// The rule.
        rule: Priority,
        /// The entries.
        entries: Vec<String>,
    },
    /// An entry is one that no tag can meet, so the rule never acts.
    Impossible {
        /// The rule.
        rule: Priority,
        /// The entry.
        entry: String,
        /// Whether it is what tags begin with.
        prefix: bool,
    },
    /// A rule never acts.
    Covered {
        /// The rule.
        rule: Priority,
        /// The earlier rule that selects all that it selects.
        by: Priority,
    },
    /// Two rules have prefixes that meet the same tags.
    Overlap {
        /// The rule.
        rule: Priority,
        /// The earlier one, to which the images of both are left.
        with: Priority,
    },
    /// The image that a moving tag names is not safe from a rule.
    Unshielded {
        /// The tag.
        tag: String,
        /// The rule.
        rule: Priority,
        /// When the rule takes it.
        when: String,
    },
}

/// What is to be looked at, where the images that the moving tags name have to stay.
#[must_use]
pub(crate) fn warnings(policy: &Policy, moving: &[String]) -> Vec<Warning> {
    let mut warnings = Vec::new();
    for (at, rule) in policy.rules().iter().enumerate() {
        if let Tags::Tagged(list) = &rule.tags {
            let prefix = list.is_of_prefixes();
            let entries = list.impossible().cloned();
            warnings.extend(entries.map(|entry| Warning::Impossible { rule: rule.priority, entry, prefix }));
        }
        if let Tags::Tagged(list) = &rule.tags
            && list.entries().len() > 1
        {
            warnings.push(Warning::EveryEntry { rule: rule.priority, entries: list.entries().to_vec() });
        }
        let earlier = policy.rules().iter().take(at).filter(|other| other.action.class() == rule.action.class());
        let mut earlier = earlier.filter_map(|other| match (&other.tags, &rule.tags) {
            (Tags::Tagged(first), Tags::Tagged(list)) if first.covers(list) => {
                Some(Warning::Covered { rule: rule.priority, by: other.priority })
            }
            (Tags::Tagged(first), Tags::Tagged(list)) if overlap(first, list) => {
                Some(Warning::Overlap { rule: rule.priority, with: other.priority })
            }
            _ => None,
        });
        warnings.extend(earlier.next());
    }
    let unshielded = moving.iter().filter_map(|tag| {
        let rule = takes(policy, tag)?;
        Some(Warning::Unshielded { tag: tag.clone(), rule: rule.priority, when: rule.when() })
    });
    warnings.extend(unshielded);
    warnings
}

fn overlap(first: &TagList, second: &TagList) -> bool {
    let (Some(first), Some(second)) = (first.prefixes(), second.prefixes()) else { return false };
    first.iter().any(|one| second.iter().any(|other| one.starts_with(&**other) || other.starts_with(&**one)))
}

/// The rule that will take the image that a tag names, if it has no other tag.
fn takes<'a>(policy: &'a Policy, tag: &str) -> Option<&'a Rule> {
    let tags = [tag.to_owned()];
    let mut rules = policy.rules().iter().filter(|rule| rule.action.class() == Class::Standard);
    let first = rules.find(|rule| match &rule.tags {
        Tags::Any => true,
        Tags::Untagged => false,
        Tags::Tagged(list) => list.selects(&tags),
    })?;
    // One image at a time has the tag, so a rule for it that keeps one image or more takes none.
    let shields = match &first.tags {
        Tags::Tagged(list) => list.names(tag) && first.counts(),
        Tags::Any | Tags::Untagged => false,
    };
    (!shields).then_some(first)
}

impl Rule {
    fn counts(&self) -> bool {
        matches!(self.action, Action::Expire(Limit::Newest(_)) | Action::Archive(ArchiveLimit::Of(Limit::Newest(_))))
    }

    fn when(&self) -> String {
        match self.action {
            Action::Expire(Limit::Newest(number)) | Action::Archive(ArchiveLimit::Of(Limit::Newest(number))) => {
                format!("once it selects {} that were pushed later", text::count(number.get(), "image"))
            }
            Action::Expire(Limit::DaysSincePush(days)) | Action::Archive(ArchiveLimit::Of(Limit::DaysSincePush(days))) => {
                format!("{} after its push", text::count(days.get(), "day"))
            }
            Action::Archive(ArchiveLimit::DaysSincePull(days)) => {
                format!("{} after its last pull", text::count(days.get(), "day"))
            }
            Action::ExpireArchived(days) => format!("after {} in archive storage", text::count(days.get(), "day")),
        }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EveryEntry { rule, entries } => {
                let entries: Vec<_> = entries.iter().map(|entry| format!("\"{}\"", text::words(entry))).collect();
                let entries = text::list(&entries);
                write!(f, "Rule {rule} takes only images that have a tag for each of {entries}, not for one of them.")
            }
            Self::Impossible { rule, entry, prefix } => {
                let meets = if *prefix { "begins with" } else { "is met by" };
                let entry = text::words(entry);
                write!(
                    f,
                    "Rule {rule} never acts: no tag {meets} \"{entry}\", for tags have letters, digits, _ . and - alone, 128 at most, \
                     and begin with none of the last two."
                )
            }
            Self::Covered { rule, by } => write!(f, "Rule {rule} never acts: rule {by} selects all that it selects."),
            Self::Overlap { rule, with } => write!(f, "Rule {rule} leaves the images that rule {with} selects too to that."),
            Self::Unshielded { tag, rule, when } => {
                let tag = text::words(tag);
                write!(f, "The image that the tag {tag} names is not safe: rule {rule} takes it {when}.")
            }
        }
    }
}
