//! Which images have to stay: what an environment's moving tag names, and what somebody pulls.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::Templates;
use super::contents::Contents;
use super::named;
use super::request::Keep;
use crate::aws::ecr::ImageDetail;
use crate::environment::Environment;
use crate::inputs::Problem;
use crate::oci::Digest;
use crate::oci::Tag;
use crate::scan::database::MaxAge;
use crate::tags::{self, Values};
use crate::text;

/// How long ago an image was pulled at most that has to stay, where nobody says otherwise.
const PULLED_WITHIN: SignedDuration = SignedDuration::from_hours(7 * 24);

/// What has to stay.
#[derive(Clone, Debug)]
pub(super) struct Guard {
    /// The tags whose images have to.
    moving: BTreeSet<String>,
    /// The images that have to, by who names them.
    named: BTreeMap<By, BTreeSet<Digest>>,
    pulled_within: SignedDuration,
}

/// Who names images by their digests.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum By {
    Flag,
    /// By its name as it was given.
    File(String),
}

/// Why an image has to stay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Reason {
    /// A moving tag names it.
    Tag(String),
    /// This file, or this flag, names its digest, or that of an image of it.
    Named(String),
    /// It, or an image of it, was pulled then.
    Pulled(Timestamp),
}

impl Guard {
    /// What has to stay, by the tags that deliveries move, those that are named besides, and pulls.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn of(templates: &Templates, keep: &Keep) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let (mut moving, mut named) = (moving(templates), BTreeMap::<By, BTreeSet<Digest>>::new());
        for name in &keep.images {
            if let Some(digest) = named::digest_of(name) {
                named.entry(By::Flag).or_default().insert(digest);
            } else if let Err(error) = name.parse::<Tag>() {
                let expected = format!("a tag, or an image by its digest, is expected: {error}");
                problems.push(Problem { input: "keep", value: name.clone(), expected });
            } else {
                moving.insert(name.clone());
            }
        }
        for file in &keep.files {
            match named::digests_in(file) {
                Ok(digests) => drop(named.insert(By::File(file.display().to_string()), digests)),
                Err(problem) => problems.push(problem),
            }
        }
        let pulled_within = match keep.pulled_within.as_deref().map(|text| text.parse::<MaxAge>().map_err(|_| text)).transpose() {
            Ok(age) => age.map_or(PULLED_WITHIN, SignedDuration::from),
            Err(text) => {
                let expected = "an age such as 48h or 7d is expected".to_owned();
                problems.push(Problem { input: "pulled-within", value: text.to_owned(), expected });
                PULLED_WITHIN
            }
        };
        if problems.is_empty() { Ok(Self { moving, named, pulled_within }) } else { Err(problems) }
    }

    /// Those of the tags that images here have.
    pub(super) fn moving_in(&self, contents: &Contents) -> Vec<String> {
        let tags: BTreeSet<&String> = contents.details.iter().flat_map(|detail| &detail.tags).collect();
        self.moving.iter().filter(|tag| tags.contains(tag)).cloned().collect()
    }

    /// Finds out whether whoever names images by digest names some of this repository's: else it is of another one, or what it
    /// names is gone, and keeps nothing. In an empty repository there is nothing to keep.
    ///
    /// # Errors
    /// Somebody names none.
    pub(super) fn is_for(&self, contents: &Contents) -> Result<(), Vec<Problem>> {
        let here: BTreeSet<Digest> = contents.details.iter().map(|detail| detail.digest).collect();
        let strange = self.named.iter().filter(|(_, digests)| !here.is_empty() && digests.is_disjoint(&here));
        let problem = |(by, digests): (&By, &BTreeSet<Digest>)| {
            let (input, value) = match by {
                By::Flag => ("keep", text::list(&digests.iter().map(ToString::to_string).collect::<Vec<_>>())),
                By::File(file) => ("keep-from", file.clone()),
            };
            Problem { input, value, expected: "the digest of an image that the repository has is expected".to_owned() }
        };
        let problems: Vec<_> = strange.map(problem).collect();
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }

    /// Who names an image by its digest.
    fn namer(&self, digest: &Digest) -> Option<&By> {
        self.named.iter().find(|(_, digests)| digests.contains(digest)).map(|(by, _)| by)
    }

    /// Why each image has to stay, of those that have to.
    pub(super) fn reasons(&self, contents: &Contents, now: Timestamp) -> HashMap<Digest, Reason> {
        let pulled: HashMap<Digest, Timestamp> =
            contents.details.iter().filter_map(|detail| Some((detail.digest, detail.pulled_at?))).collect();
        let reason = |detail: &ImageDetail| {
            if let Some(tag) = detail.tags.iter().find(|tag| self.moving.contains(*tag)) {
                return Some(Reason::Tag(tag.clone()));
            }
            let children = contents.children.get(&detail.digest).into_iter().flatten();
            if let Some(by) = std::iter::once(&detail.digest).chain(children).find_map(|digest| self.namer(digest)) {
                return Some(Reason::Named(by.to_string()));
            }
            // A signature is read by whoever checks one. What is run is the image.
            let mut pulls: Vec<_> = pulled.get(&detail.digest).filter(|_| detail.subject.is_none()).into_iter().collect();
            pulls.extend(contents.children.get(&detail.digest).into_iter().flatten().filter_map(|child| pulled.get(child)));
            let last = **pulls.iter().max()?;
            (now.duration_since(last) <= self.pulled_within).then_some(Reason::Pulled(last))
        };
        contents.details.iter().filter_map(|detail| Some((detail.digest, reason(detail)?))).collect()
    }
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag => f.write_str("--keep"),
            Self::File(name) => f.write_str(name),
        }
    }
}

/// The tags that deliveries to an environment move: its name, `NAME-latest`, `latest`, `main-latest`, and what the templates
/// give that is not fixed.
fn moving(templates: &Templates) -> BTreeSet<String> {
    let mut moving: BTreeSet<String> = ["latest", "main-latest"].into_iter().map(str::to_owned).collect();
    for environment in Environment::ALL.into_iter().filter(|environment| *environment != Environment::Local) {
        moving.extend(of_environment(environment));
        let values = Values { environment, commit: None, branch: None, version: None, now: Timestamp::UNIX_EPOCH };
        // What is wrong with a template is said where it is used.
        let planned = tags::plan(templates, &values).unwrap_or_default();
        moving.extend(planned.tags.into_iter().filter(|planned| planned.moving).map(|planned| planned.tag.to_string()));
    }
    moving
}

/// The tags of production alone.
pub(super) fn moving_in_production() -> Vec<String> {
    of_environment(Environment::Prod).to_vec()
}

fn of_environment(environment: Environment) -> [String; 2] {
    [environment.name().to_owned(), format!("{environment}-latest")]
}
