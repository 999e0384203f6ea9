//! What a policy does to the images of a repository.
//!
//! Each rule selects images and has some of them over its limit, both of the whole repository, as if no other rule were there.
//! By ascending priority a rule then acts on those over its limit that no earlier rule selects. So an earlier rule shields all
//! that it selects, also what it keeps, and what it shields still counts for later ones. So of an image the first rule that
//! selects it decides, and no other one.

use std::cmp::Reverse;
use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};

use super::image::Image;
use super::policy::{Action, ArchiveLimit, Limit, Number, Policy, Priority, Rule, Tags};
use crate::oci::Digest;

/// What becomes of each image, in the order in which they were given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Evaluation(Vec<Fate>);

/// What becomes of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// A rule takes it at AWS's next run, within 24 hours.
    Taken {
        /// The rule.
        by: Priority,
        /// What the rule does.
        action: Action,
        /// Whether an image of the same time is kept: AWS may take the one or the other.
        tied: bool,
    },
    /// The first rule that selects it keeps it for now.
    Kept {
        /// The rule.
        by: Priority,
        /// Until when.
        until: Until,
        /// Whether an image of the same time is taken: AWS may take the one or the other.
        tied: bool,
        /// The later rules that would take it, if this one did not shield it.
        shielded_from: Vec<Priority>,
    },
    /// No rule selects it.
    Unselected,
    /// Indexes of the repository refer to it: it stays as long as one of them does.
    InIndex,
    /// It is a signature, an SBOM or the like of another image, and goes with that within 24 hours.
    WithSubject {
        /// The image.
        subject: Digest,
        /// The rule that deletes that image, if one does now.
        deleted_by: Option<Priority>,
    },
}

/// How long a rule keeps an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Until {
    /// Until this time; later it is over the limit.
    Date(Timestamp),
    /// Until the rule selects so many more images that are newer.
    MoreImages(u32),
}

/// How an image stands with a rule that selects it.
#[derive(Clone, Copy)]
struct Standing {
    over: bool,
    until: Until,
    tied: bool,
}

/// What is known of an image so far.
struct Decision<'a> {
    rule: &'a Rule,
    standing: Standing,
    shielded_from: Vec<Priority>,
}

/// Whether what refers to an image (a signature, an SBOM) costs other images their place in a rule. AWS's guide does not say. It
/// goes with its image by either reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Referrers {
    /// It does not count.
    Apart,
    /// It counts as an image does that has its tags, or none.
    Counted,
}

/// What a policy does now. The order of the images does not matter.
#[must_use]
pub(crate) fn evaluate(policy: &Policy, images: &[Image], now: Timestamp) -> Evaluation {
    evaluate_with(policy, images, now, Referrers::Apart)
}

/// The same by one of the two readings of AWS's guide.
#[must_use]
pub(crate) fn evaluate_with(policy: &Policy, images: &[Image], now: Timestamp, referrers: Referrers) -> Evaluation {
    let mut decisions: Vec<Option<Decision<'_>>> = images.iter().map(|_| None).collect();
    for rule in policy.rules() {
        let selected: Vec<usize> =
            (0..images.len()).filter(|at| images.get(*at).is_some_and(|image| rule.selects(image, referrers))).collect();
        let shielded = |at: usize| decisions.get(at).is_some_and(Option::is_some);
        for (at, standing) in rule.standings(images, &selected, shielded, now) {
            let Some(decision) = decisions.get_mut(at) else { continue };
            match decision {
                None => *decision = Some(Decision { rule, standing, shielded_from: Vec::new() }),
                Some(first) if standing.over => first.shielded_from.push(rule.priority),
                Some(_) => {}
            }
        }
    }
    let fates = images.iter().zip(decisions).map(|(image, decision)| Fate::of(image, decision)).collect();
    Evaluation(with_subjects(images, fates))
}

impl Evaluation {
    /// What becomes of each image, in the order in which they were given.
    #[must_use]
    pub(crate) fn fates(&self) -> &[Fate] {
        &self.0
    }
}

impl Fate {
    fn of(image: &Image, decision: Option<Decision<'_>>) -> Self {
        if let Some(subject) = image.subject {
            return Self::WithSubject { subject, deleted_by: None };
        }
        if !image.indexes.is_empty() {
            return Self::InIndex;
        }
        let Some(Decision { rule, standing, shielded_from }) = decision else { return Self::Unselected };
        let Standing { over, until, tied } = standing;
        if over {
            Self::Taken { by: rule.priority, action: rule.action, tied }
        } else {
            Self::Kept { by: rule.priority, until, tied, shielded_from }
        }
    }

    /// The rule that deletes the image, now or with what it refers to.
    #[must_use]
    pub(crate) fn deleted_by(&self) -> Option<Priority> {
        match self {
            Self::Taken { by, action, .. } if action.deletes() => Some(*by),
            Self::WithSubject { deleted_by, .. } => *deleted_by,
            _ => None,
        }
    }

    /// The rule by which the image can't be pulled any more, surely or perhaps.
    #[must_use]
    pub(crate) fn may_be_taken_by(&self) -> Option<Priority> {
        match self {
            Self::Taken { by, .. } | Self::Kept { by, tied: true, .. } => Some(*by),
            _ => self.deleted_by(),
        }
    }
}

impl Rule {
    /// Whether an image is among those that the rule selects and counts.
    pub(super) fn selects(&self, image: &Image, referrers: Referrers) -> bool {
        let counts = match referrers {
            Referrers::Counted => image.indexes.is_empty(),
            Referrers::Apart => image.counts(),
        };
        counts && image.class() == self.action.class() && self.tags.select(&image.tags)
    }

    /// How the selected images stand with the rule.
    fn standings(
        &self,
        images: &[Image],
        selected: &[usize],
        shielded: impl Fn(usize) -> bool,
        now: Timestamp,
    ) -> Vec<(usize, Standing)> {
        let selected = selected.iter().filter_map(|at| Some((*at, images.get(*at)?)));
        let by_age = |days: Number, since: fn(&Image) -> Timestamp| {
            selected.clone().map(|(at, image)| (at, Standing::by_age(since(image), days, now))).collect()
        };
        match self.action {
            Action::Expire(Limit::Newest(number)) | Action::Archive(ArchiveLimit::Of(Limit::Newest(number))) => {
                let mut order: Vec<_> = selected
                    // AWS does not say which of two of the same time is the newer one. That is the one that is shielded
                    // anyway: it costs another image its place.
                    .map(|(at, image)| (Reverse(image.renewed_at()), !shielded(at), image.digest.bytes(), at))
                    .collect();
                order.sort_unstable();
                let order: Vec<_> = order.into_iter().map(|(Reverse(time), _, _, at)| (at, time)).collect();
                Standing::by_count(&order, number)
            }
            Action::Expire(Limit::DaysSincePush(days)) | Action::Archive(ArchiveLimit::Of(Limit::DaysSincePush(days))) => {
                by_age(days, Image::renewed_at)
            }
            Action::Archive(ArchiveLimit::DaysSincePull(days)) => by_age(days, Image::used_at),
            Action::ExpireArchived(days) => by_age(days, Image::archived_at),
        }
    }
}

impl Tags {
    fn select(&self, tags: &[String]) -> bool {
        match self {
            Self::Any => true,
            Self::Untagged => tags.is_empty(),
            Self::Tagged(list) => list.selects(tags),
        }
    }
}

impl Standing {
    /// Exactly so many days old is not older.
    fn by_age(since: Timestamp, days: Number, now: Timestamp) -> Self {
        // A time that no calendar has is never reached.
        let until = since.checked_add(SignedDuration::from_hours(24 * i64::from(days.get()))).unwrap_or(Timestamp::MAX);
        Self { over: now > until, until: Until::Date(until), tied: false }
    }

    /// The standings of images in their order, the newest first.
    fn by_count(order: &[(usize, Timestamp)], number: Number) -> Vec<(usize, Self)> {
        let keeps = usize::try_from(number.get()).unwrap_or(usize::MAX);
        let time = |at: usize| order.get(at).map(|(_, time)| *time);
        // The time of the last that stays, where one of the same time goes.
        let last_kept = keeps.checked_sub(1).and_then(time).filter(|last| time(keeps) == Some(*last));
        let standing = |(place, (at, time)): (usize, &(usize, Timestamp))| {
            let more = keeps.saturating_sub(place);
            let until = Until::MoreImages(u32::try_from(more).unwrap_or(u32::MAX));
            (*at, Self { over: place >= keeps, until, tied: last_kept == Some(*time) })
        };
        order.iter().enumerate().map(standing).collect()
    }
}

/// How many steps what refers to an image may be away from it: a signature of an SBOM is two.
const MAX_STEPS: usize = 8;

/// Finds out what goes with the image that it refers to, over several steps too.
fn with_subjects(images: &[Image], mut fates: Vec<Fate>) -> Vec<Fate> {
    let places: HashMap<Digest, usize> = images.iter().enumerate().map(|(at, image)| (image.digest, at)).collect();
    let deleted_by: Vec<_> = images
        .iter()
        .map(|image| {
            let mut subject = image.subject;
            for _ in 0..MAX_STEPS {
                let at = places.get(&subject?)?;
                match images.get(*at)?.subject {
                    Some(next) => subject = Some(next),
                    None => return fates.get(*at)?.deleted_by(),
                }
            }
            None
        })
        .collect();
    for (fate, rule) in fates.iter_mut().zip(deleted_by) {
        if let Fate::WithSubject { deleted_by, .. } = fate {
            *deleted_by = rule;
        }
    }
    fates
}
