//! What is wrong with a policy, in words of ours and, where they are known, in AWS's.

use std::fmt;

use super::policy::{LEAST_DAYS_ARCHIVED, LENGTH, MAX_RULES, Priority};
use super::tag_list::MAX_WILDCARDS;
use crate::document;
use crate::text::{self, Line};

/// Something that is wrong with a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// Where: `rules[0].selection`; empty for the whole document.
    pub(super) place: String,
    /// What.
    pub(super) fault: Fault,
}

/// What can be wrong with a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The text has too few or too many characters.
    Length(usize),
    /// It is not JSON, or JSON with two readings.
    Document(document::Error),
    /// A member is not known.
    Unknown(Line),
    /// A member is missing.
    Missing,
    /// A member is null.
    Null,
    /// A member is not what is expected.
    Expected(&'static str),
    /// There is no rule.
    NoRule,
    /// There are too many rules.
    TooManyRules(usize),
    /// Another rule has the same priority.
    SamePriority(Priority),
    /// A rule for any image is not the last of its storage class.
    AnyBefore(Priority),
    /// Another rule of the storage class selects untagged images.
    UntaggedTwice,
    /// A rule for tagged images has no list, or an empty one.
    NoList,
    /// A rule has both lists.
    BothLists,
    /// A rule for other images has a list.
    ListOfNoTagged,
    /// An entry of a list is empty.
    EmptyEntry,
    /// A pattern has too many wildcards.
    Wildcards(usize),
    /// Another rule of the storage class has the same prefixes.
    SamePrefixes(Priority),
    /// A count of images has a unit.
    UnitOfCount,
    /// Images are deleted by when they were pulled.
    PulledAndDeleted,
    /// Images are selected by when they were archived, but not in archive storage.
    NotArchived,
    /// Archived images are selected by something else.
    ArchivedBySomethingElse,
    /// Archived images are archived.
    ArchivedAgain,
    /// Archived images are deleted too early.
    DeletedTooEarly,
    /// A rule that deletes has a storage class to move to.
    TargetOfExpire,
}

impl Problem {
    /// What AWS says in its place, where users have quoted it.
    #[must_use]
    pub(crate) fn in_words_of_aws(&self) -> Option<&'static str> {
        match &self.fault {
            Fault::AnyBefore(_) => Some("Rule for tagStatus=ANY must have the lowest priority per storage class"),
            Fault::UntaggedTwice => Some("Only one rule can select Untagged images per storage class"),
            Fault::NoList => Some("Must specify tagPrefixList or tagPatternList when tagStatus=TAGGED."),
            Fault::Null | Fault::UnitOfCount => Some(NO_SCHEMA),
            Fault::Missing | Fault::Expected(_) if self.place.ends_with("countUnit") || self.place.ends_with("countNumber") => {
                Some(NO_SCHEMA)
            }
            _ => None,
        }
    }
}

const NO_SCHEMA: &str = "instance failed to match exactly one schema (matched 0 out of 2)";

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.place.is_empty() {
            write!(f, "{}: ", self.place)?;
        }
        write!(f, "{}", self.fault)?;
        match self.in_words_of_aws() {
            Some(words) => write!(f, " (AWS: \"{words}\")"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length(characters) => {
                let (least, most) = (LENGTH.start(), LENGTH.end());
                write!(f, "it has {}, and {least} to {most} are expected", text::count(*characters, "character"))
            }
            Self::Document(error) => write!(f, "{error}"),
            Self::Unknown(name) => write!(f, "\"{name}\" is not known to Amazon ECR"),
            Self::Missing => f.write_str("it is missing"),
            Self::Null => f.write_str("null is not the same as leaving it out"),
            Self::Expected(what) => write!(f, "{what} is expected"),
            Self::NoRule => f.write_str("at least one rule is expected"),
            Self::TooManyRules(rules) => write!(f, "it has {rules}, and at most {MAX_RULES} are expected"),
            Self::SamePriority(priority) => write!(f, "another rule has the priority {priority} too"),
            Self::AnyBefore(other) => {
                write!(f, "a rule for any image acts last, so it has the highest number; the rule {other} comes after it")
            }
            Self::UntaggedTwice => f.write_str("another rule selects untagged images of the same storage class"),
            Self::NoList => f.write_str("a rule for tagged images has tagPatternList or tagPrefixList, with at least one entry"),
            Self::BothLists => f.write_str("one of tagPatternList and tagPrefixList is expected, not both"),
            Self::ListOfNoTagged => f.write_str("a list goes with tagStatus \"tagged\" alone, an empty one too"),
            Self::EmptyEntry => f.write_str("an entry is empty"),
            Self::Wildcards(wildcards) => write!(f, "it has {wildcards} *, and at most {MAX_WILDCARDS} are expected"),
            Self::SamePrefixes(other) => write!(f, "the rule {other} of the same storage class has the same prefixes"),
            Self::UnitOfCount => f.write_str("a unit goes with days alone, and imageCountMoreThan counts images"),
            Self::PulledAndDeleted => {
                f.write_str("sinceImagePulled goes with the action \"transition\" alone: images are archived by it, not deleted")
            }
            Self::NotArchived => f.write_str("sinceImageTransitioned is for images with storageClass \"archive\""),
            Self::ArchivedBySomethingElse => {
                f.write_str("images with storageClass \"archive\" are selected by sinceImageTransitioned alone")
            }
            Self::ArchivedAgain => f.write_str("sinceImageTransitioned goes with the action \"expire\" alone"),
            Self::DeletedTooEarly => write!(f, "archived images stay for {LEAST_DAYS_ARCHIVED} days at least"),
            Self::TargetOfExpire => f.write_str("targetStorageClass goes with the action \"transition\" alone"),
        }
    }
}
