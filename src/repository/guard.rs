//! Which images have to stay: what an environment's moving tag names, and what somebody pulls.

use std::collections::{BTreeSet, HashMap};

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::Templates;
use super::contents::Contents;
use crate::aws::ecr::ImageDetail;
use crate::environment::Environment;
use crate::inputs::Problem;
use crate::oci::Digest;
use crate::oci::Tag;
use crate::scan::database::MaxAge;
use crate::tags::{self, Values};

/// How long ago an image was pulled at most that has to stay, where nobody says otherwise.
const PULLED_WITHIN: SignedDuration = SignedDuration::from_hours(7 * 24);

/// What has to stay.
#[derive(Clone, Debug)]
pub(super) struct Guard {
    /// The tags whose images have to.
    moving: BTreeSet<String>,
    pulled_within: SignedDuration,
}

/// Why an image has to stay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Reason {
    /// A moving tag names it.
    Tag(String),
    /// It, or an image of it, was pulled then.
    Pulled(Timestamp),
}

impl Guard {
    /// What has to stay, by the tags that deliveries move, those that are named besides, and pulls.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn of(templates: &Templates, keep: &[String], pulled_within: Option<&str>) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        for tag in keep {
            if let Err(error) = tag.parse::<Tag>() {
                problems.push(Problem { input: "keep", value: tag.clone(), expected: error.to_string() });
            }
        }
        let pulled_within = match pulled_within.map(|text| text.parse::<MaxAge>().map_err(|_| text)).transpose() {
            Ok(age) => age.map_or(PULLED_WITHIN, SignedDuration::from),
            Err(text) => {
                let expected = "an age such as 48h or 7d is expected".to_owned();
                problems.push(Problem { input: "pulled-within", value: text.to_owned(), expected });
                PULLED_WITHIN
            }
        };
        let mut moving = moving(templates);
        moving.extend(keep.iter().cloned());
        if problems.is_empty() { Ok(Self { moving, pulled_within }) } else { Err(problems) }
    }

    /// Those of the tags that images here have.
    pub(super) fn moving_in(&self, contents: &Contents) -> Vec<String> {
        let tags: BTreeSet<&String> = contents.details.iter().flat_map(|detail| &detail.tags).collect();
        self.moving.iter().filter(|tag| tags.contains(tag)).cloned().collect()
    }

    /// Why each image has to stay, of those that have to.
    pub(super) fn reasons(&self, contents: &Contents, now: Timestamp) -> HashMap<Digest, Reason> {
        let pulled: HashMap<Digest, Timestamp> =
            contents.details.iter().filter_map(|detail| Some((detail.digest, detail.pulled_at?))).collect();
        let reason = |detail: &ImageDetail| {
            if let Some(tag) = detail.tags.iter().find(|tag| self.moving.contains(*tag)) {
                return Some(Reason::Tag(tag.clone()));
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
