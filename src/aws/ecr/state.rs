//! What Amazon ECR itself knows of an image: whether it has signed it.

use aws_sdk_ecr::types::{ImageIdentifier, SigningStatus};

use super::Repository;
use crate::aws::{Call, Error};
use crate::oci::Digest;
use crate::text::{self, Line};

/// What came of ECR's own signing by one profile of AWS Signer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ManagedSigning {
    /// The profile's ARN.
    pub(crate) profile: Line,
    /// `COMPLETE`, `IN_PROGRESS`, `FAILED`.
    pub(crate) status: Line,
    /// Whether it is signed.
    pub(crate) is_complete: bool,
    /// Why it failed, in ECR's words.
    pub(crate) failure: Option<Line>,
}

impl Repository {
    /// What came of ECR's own signing of an image (`DescribeImageSigningStatus`): one a profile whose rule fits the repository.
    ///
    /// # Errors
    /// ECR refuses, or can't be reached.
    pub(crate) async fn managed_signing(&self, image: Digest) -> Result<Vec<ManagedSigning>, Error> {
        let request = self.ecr.describe_image_signing_status().registry_id(self.arn.account.as_str());
        let request = request.repository_name(&self.arn.name).image_id(named(image));
        let answer = request.send().await.map_err(|error| Call::DescribeImageSigningStatus.failed(&error))?;
        let statuses = answer.signing_statuses.unwrap_or_default().into_iter().map(|one| {
            let failure = [one.failure_code, one.failure_reason].into_iter().flatten().collect::<Vec<_>>().join(": ");
            ManagedSigning {
                profile: text::words(&one.signing_profile_arn.unwrap_or_default()),
                status: text::words(one.status.as_ref().map_or("unknown", SigningStatus::as_str)),
                is_complete: one.status == Some(SigningStatus::Complete),
                failure: (!failure.is_empty()).then(|| text::words(&failure)),
            }
        });
        Ok(statuses.collect())
    }
}

pub(super) fn named(image: Digest) -> ImageIdentifier {
    ImageIdentifier::builder().image_digest(image.to_string()).build()
}
