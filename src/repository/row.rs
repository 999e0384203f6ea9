//! An image of a preview.

use jiff::Timestamp;
use serde::Serialize;

use super::guard::Reason;
use crate::aws::ecr::ImageDetail;
use crate::lifecycle::{Fate, Priority, Until};
use crate::oci::Digest;
use crate::text;

/// An image, and what becomes of it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Row {
    /// Its digest.
    pub(super) digest: Digest,
    /// Its tags.
    pub(super) tags: Vec<String>,
    /// When it was pushed.
    pub(super) pushed: Timestamp,
    /// When it was last pulled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) pulled: Option<Timestamp>,
    /// Its size in bytes.
    pub(super) size: u64,
    /// What becomes of it: a fixed word.
    pub(super) outcome: Outcome,
    /// The rule that decides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) rule: Option<Priority>,
    /// From when on it is over the rule's limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) after: Option<Timestamp>,
    /// How many more images the rule has to select before it is over the limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) after_images: Option<u32>,
    /// The rules that would take it, if an earlier one did not select it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) shielded_from: Vec<Priority>,
    /// Whether AWS may take it in place of another of the same time, or that one in its place.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) tied: bool,
    /// What it refers to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) subject: Option<Digest>,
    /// Why it has to stay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) must_stay: Option<Reason>,
}

/// What becomes of an image at AWS's next run, within 24 hours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Outcome {
    /// It is deleted.
    Deleted,
    /// It goes with the image that it refers to.
    DeletedWithSubject,
    /// It goes to archive storage.
    Archived,
    /// A rule keeps it for now.
    Kept,
    /// It stays as long as what it refers to.
    WithSubject,
    /// It stays as long as an index that refers to it.
    InIndex,
    /// No rule selects it.
    Unselected,
}

impl Row {
    pub(super) fn of(detail: &ImageDetail, fate: &Fate, must_stay: Option<Reason>) -> Self {
        let mut row = Self {
            digest: detail.digest,
            tags: detail.tags.clone(),
            pushed: detail.pushed_at,
            pulled: detail.pulled_at,
            size: detail.size,
            outcome: Outcome::Unselected,
            rule: None,
            after: None,
            after_images: None,
            shielded_from: Vec::new(),
            tied: false,
            subject: detail.subject,
            must_stay,
        };
        match fate {
            Fate::Taken { by, action, tied } => {
                row.outcome = if action.deletes() { Outcome::Deleted } else { Outcome::Archived };
                (row.rule, row.tied) = (Some(*by), *tied);
            }
            Fate::Kept { by, until, tied, shielded_from } => {
                (row.outcome, row.rule, row.tied) = (Outcome::Kept, Some(*by), *tied);
                row.shielded_from.clone_from(shielded_from);
                match until {
                    Until::Date(date) => row.after = Some(*date),
                    Until::MoreImages(images) => row.after_images = Some(*images),
                }
            }
            Fate::Unselected => {}
            Fate::InIndex => row.outcome = Outcome::InIndex,
            Fate::WithSubject { deleted_by, .. } => {
                row.outcome = if deleted_by.is_some() { Outcome::DeletedWithSubject } else { Outcome::WithSubject };
                row.rule = *deleted_by;
            }
        }
        row
    }

    /// Whether its bytes are freed.
    pub(super) fn is_deleted(&self) -> bool {
        matches!(self.outcome, Outcome::Deleted | Outcome::DeletedWithSubject)
    }

    /// What becomes of it, in words.
    pub(super) fn says(&self) -> String {
        let rule = self.rule.map(|rule| rule.to_string()).unwrap_or_default();
        let subject = self.subject.map(|subject| subject.short()).unwrap_or_default();
        let mut says = match self.outcome {
            Outcome::Deleted => format!("deleted by rule {rule}"),
            Outcome::Archived => format!("archived by rule {rule}"),
            Outcome::DeletedWithSubject => format!("deleted with {subject}, which it refers to, by rule {rule}"),
            Outcome::WithSubject => format!("stays as long as {subject}, which it refers to; no rule counts it"),
            Outcome::InIndex => "stays as long as an index that refers to it; no rule counts it".to_owned(),
            Outcome::Unselected => "stays: no rule selects it".to_owned(),
            Outcome::Kept => match (self.after, self.after_images) {
                (Some(date), _) => format!("kept by rule {rule} until {}", text::time(date)),
                (None, images) => {
                    let images = text::count(images.unwrap_or_default(), "more image");
                    format!("kept by rule {rule}; goes after {images} that it selects")
                }
            },
        };
        if !self.shielded_from.is_empty() {
            let rules: Vec<_> = self.shielded_from.iter().map(ToString::to_string).collect();
            says = format!("{says}; so rule {} leaves it", text::list(&rules));
        }
        if self.tied {
            says.push_str("; another one was pushed at the same time, and AWS may take either");
        }
        says
    }
}
