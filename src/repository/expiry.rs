//! Whether one image goes by the policy that its repository has, for whoever looks at that image alone.

use jiff::Timestamp;

use super::contents::Contents;
use super::row::Row;
use crate::aws::ecr::Repository;
use crate::error::Error;
use crate::lifecycle::{self, Fate, Image, Referrers, evaluate, evaluate_with};
use crate::oci::Digest;

/// What a policy does to an image, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Expiry {
    /// It does not take it now; until when, where that is known.
    Stays(String),
    /// It takes it within a day or two, or may.
    Goes(String),
    /// That can't be told.
    Unknown(String),
}

/// What the policy `text`, as AWS has it, does to an image: which rule takes it, and when.
///
/// # Errors
/// ECR does not show what is in the repository, or can't be reached.
pub(crate) async fn expiry(repository: &Repository, text: &str, image: Digest) -> Result<Expiry, Error> {
    let Ok(policy) = lifecycle::read(text) else {
        return Ok(Expiry::Unknown("the repository has a policy that can't be read here".to_owned()));
    };
    let contents = Contents::read(repository).await?;
    let (images, now) = (contents.images(), Timestamp::now());
    let fates = evaluate(&policy, &images, now);
    let counted = evaluate_with(&policy, &images, now, Referrers::Counted);
    let at = images.iter().position(|one| one.digest == image);
    let known = at.and_then(|at| Some((contents.details.get(at)?, fates.fates().get(at)?, counted.fates().get(at)?)));
    let Some((detail, fate, if_counted)) = known else {
        return Ok(Expiry::Unknown("the repository has a policy, and Amazon ECR does not list the image".to_owned()));
    };
    let says = Row::of(detail, fate, None).says();
    if fate.may_be_taken_by().is_some() {
        return Ok(Expiry::Goes(says));
    }
    if let Some(rule) = if_counted.may_be_taken_by() {
        return Ok(Expiry::Goes(format!("{says}; but rule {rule} takes it if what refers to an image counts")));
    }
    let indexes = at.and_then(|at| images.get(at)).map(|image| image.indexes.as_slice()).unwrap_or_default();
    // By the reading that takes more; it goes with the run after the one that takes the last index.
    let all_go = indexes.iter().all(|index| goes(&images, counted.fates(), *index));
    Ok(if *fate == Fate::InIndex && all_go { Expiry::Goes(format!("{says}, and those all go")) } else { Expiry::Stays(says) })
}

fn goes(images: &[Image], fates: &[Fate], digest: Digest) -> bool {
    let mut all = images.iter().zip(fates);
    all.any(|(image, fate)| image.digest == digest && fate.may_be_taken_by().is_some())
}
