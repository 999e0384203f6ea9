//! A policy as a value. What AWS refuses in a rule can not be written down with these types; what it refuses between rules, the reader does.

use std::fmt;
use std::num::NonZeroU32;
use std::ops::RangeInclusive;

use serde::Serialize;

use super::image::Class;
use super::tag_list::TagList;

/// How many characters a policy has (Amazon ECR API reference, `PutLifecyclePolicy`).
pub(super) const LENGTH: RangeInclusive<usize> = 100..=30_720;
/// The most rules of a policy (Amazon ECR User Guide, "Amazon ECR service quotas").
pub(super) const MAX_RULES: usize = 50;
/// The fewest days in archive storage after which an image may be deleted.
pub(crate) const LEAST_DAYS_ARCHIVED: u32 = 90;

/// A rule's place in the order: the lower number acts first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub(crate) struct Priority(NonZeroU32);

/// How many images, or days; at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Number(NonZeroU32);

/// A lifecycle policy that AWS takes: at least one rule, in the order in which they act.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Policy(Vec<Rule>);

/// A rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    /// Its place in the order.
    pub(super) priority: Priority,
    /// What it is for, in its author's words.
    pub(super) description: Option<String>,
    /// The images that it selects, of the storage class that its action is for.
    pub(super) tags: Tags,
    /// What becomes of those that are over its limit.
    pub(super) action: Action,
}

/// Which images a rule selects, by their tags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Tags {
    /// All.
    Any,
    /// Those without a tag.
    Untagged,
    /// Those that have, for every entry of a list, a tag that meets it.
    Tagged(TagList),
}

/// What a rule does, and to which of the images that it selects. Its storage class follows from it: only
/// `sinceImageTransitioned` is for archived images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Images in standard storage are deleted.
    Expire(Limit),
    /// Images in standard storage go to archive storage, from where they can't be pulled.
    Archive(ArchiveLimit),
    /// Images are deleted that have been in archive storage for longer than so many days, [`LEAST_DAYS_ARCHIVED`] at least.
    ExpireArchived(Number),
}

/// Which images are over a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    /// All but the newest (`imageCountMoreThan`).
    Newest(Number),
    /// Those that were pushed longer ago than so many days (`sinceImagePushed`).
    DaysSincePush(Number),
}

/// The same, for images that are archived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ArchiveLimit {
    /// As for those that are deleted.
    Of(Limit),
    /// Those that were pulled longer ago than so many days (`sinceImagePulled`).
    DaysSincePull(Number),
}

impl Priority {
    /// The priority with a number; `None` for 0 and for what is no integer of AWS's.
    pub(super) fn new(number: u64) -> Option<Self> {
        integer(number).map(Self)
    }

    /// The number.
    #[must_use]
    pub(crate) fn get(self) -> u32 {
        self.0.get()
    }
}

impl Number {
    /// A number; `None` for 0 and for what is no integer of AWS's.
    pub(super) fn new(number: u64) -> Option<Self> {
        integer(number).map(Self)
    }

    /// The number.
    #[must_use]
    pub(crate) fn get(self) -> u32 {
        self.0.get()
    }
}

/// AWS's integers have 32 bits (Amazon ECR API reference, `appliedRulePriority`).
fn integer(number: u64) -> Option<NonZeroU32> {
    NonZeroU32::new(i32::try_from(number).ok()?.unsigned_abs())
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Policy {
    /// The policy of rules that were checked against each other.
    pub(super) fn of_checked(mut rules: Vec<Rule>) -> Self {
        rules.sort_by_key(|rule| rule.priority);
        Self(rules)
    }

    /// The rules, in the order in which they act.
    pub(super) fn rules(&self) -> &[Rule] {
        &self.0
    }

    /// The policy as AWS takes it, in the order in which the rules act.
    #[must_use]
    pub(crate) fn to_json(&self) -> String {
        let rules: Vec<_> = self.0.iter().map(Written::of).collect();
        // Texts and numbers alone are written, which does not fail.
        serde_json::to_string_pretty(&Document { rules }).unwrap_or_default()
    }
}

impl Action {
    /// The storage of the images that it is for.
    pub(super) fn class(self) -> Class {
        match self {
            Self::Expire(_) | Self::Archive(_) => Class::Standard,
            Self::ExpireArchived(_) => Class::Archive,
        }
    }

    /// Whether the images are deleted.
    #[must_use]
    pub(crate) fn deletes(self) -> bool {
        !matches!(self, Self::Archive(_))
    }
}

#[derive(Serialize)]
struct Document<'a> {
    rules: Vec<Written<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Written<'a> {
    rule_priority: Priority,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    selection: WrittenSelection<'a>,
    action: WrittenAction,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WrittenSelection<'a> {
    tag_status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    tag_pattern_list: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tag_prefix_list: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    storage_class: Option<&'static str>,
    count_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    count_unit: Option<&'static str>,
    count_number: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WrittenAction {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    target_storage_class: Option<&'static str>,
}

impl<'a> Written<'a> {
    fn of(rule: &'a Rule) -> Self {
        let (tag_status, list) = match &rule.tags {
            Tags::Any => ("any", None),
            Tags::Untagged => ("untagged", None),
            Tags::Tagged(list) => ("tagged", Some(list)),
        };
        let limit = match rule.action {
            Action::Expire(limit) | Action::Archive(ArchiveLimit::Of(limit)) => match limit {
                Limit::Newest(number) => ("imageCountMoreThan", None, number),
                Limit::DaysSincePush(number) => ("sinceImagePushed", Some("days"), number),
            },
            Action::Archive(ArchiveLimit::DaysSincePull(number)) => ("sinceImagePulled", Some("days"), number),
            Action::ExpireArchived(number) => ("sinceImageTransitioned", Some("days"), number),
        };
        let (count_type, count_unit, number) = limit;
        let archives = matches!(rule.action, Action::Archive(_));
        Self {
            rule_priority: rule.priority,
            description: rule.description.as_deref(),
            selection: WrittenSelection {
                tag_status,
                tag_pattern_list: list.and_then(TagList::patterns),
                tag_prefix_list: list.and_then(TagList::prefixes),
                storage_class: (rule.action.class() == Class::Archive).then_some("archive"),
                count_type,
                count_unit,
                count_number: number.get(),
            },
            action: WrittenAction {
                r#type: if archives { "transition" } else { "expire" },
                target_storage_class: archives.then_some("archive"),
            },
        }
    }
}
