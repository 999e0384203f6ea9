//! When one image goes by the policy that its repository has.

use jiff::Timestamp;

use super::contents::Contents;
use super::row::Row;
use crate::aws::ecr::Repository;
use crate::error::Error;
use crate::lifecycle::{self, Referrers, evaluate_with};
use crate::oci::Digest;

/// What becomes of an image by the policy `text`, in words: which rule takes it, and when. Where AWS's guide can be read in two
/// ways, it is the one that takes more.
///
/// # Errors
/// ECR does not show what is in the repository, or can't be reached.
pub(crate) async fn expiry(repository: &Repository, text: &str, image: Digest) -> Result<String, Error> {
    let Ok(policy) = lifecycle::read(text) else {
        return Ok("the repository has a policy that is not known here: the image may expire".to_owned());
    };
    let contents = Contents::read(repository).await?;
    let evaluation = evaluate_with(&policy, &contents.images(), Timestamp::now(), Referrers::Counted);
    let found = contents.details.iter().zip(evaluation.fates()).find(|(detail, _)| detail.digest == image);
    Ok(match found {
        Some((detail, fate)) => format!("by the repository's policy: {}", Row::of(detail, fate, None).says()),
        None => "the repository has a policy, and Amazon ECR does not list the image".to_owned(),
    })
}
