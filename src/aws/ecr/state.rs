//! What Amazon ECR itself knows of an image: what its scan found, and whether it has signed it.

use std::time::SystemTime;

use aws_sdk_ecr::error::ProvideErrorMetadata as _;
use aws_sdk_ecr::types::{ImageIdentifier, ScanStatus, SigningStatus};
use jiff::Timestamp;

use super::Repository;
use crate::aws::{Call, Error};
use crate::oci::Digest;
use crate::text::{self, Line};

/// The severities that ECR counts by, the worst first.
const SEVERITIES: [&str; 7] = ["CRITICAL", "HIGH", "MEDIUM", "LOW", "INFORMATIONAL", "UNTRIAGED", "UNDEFINED"];

/// What came of ECR's scan of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ScanResult {
    /// It was scanned.
    Found {
        /// Whether Amazon Inspector has scanned it (enhanced scanning).
        enhanced: bool,
        /// How many findings there are of each severity, the worst first.
        counts: Vec<(Line, i32)>,
        /// When that was.
        at: Option<Timestamp>,
    },
    /// There is no result, and why.
    Nothing(Line),
}

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
    /// What ECR's scan of the image of a platform came to (`DescribeImageScanFindings`). No other state than that of a scan that
    /// has ended is a result.
    ///
    /// # Errors
    /// ECR refuses, or can't be reached.
    pub(crate) async fn scan_result(&self, image: Digest) -> Result<ScanResult, Error> {
        let request = self.ecr.describe_image_scan_findings().registry_id(self.arn.account.as_str());
        let request = request.repository_name(&self.arn.name).image_id(named(image));
        let answer = match request.send().await {
            Ok(answer) => answer,
            Err(error) if error.as_service_error().is_some_and(|error| error.code() == Some("ScanNotFoundException")) => {
                return Ok(ScanResult::Nothing("it was not scanned".into()));
            }
            Err(error) => return Err(Call::DescribeImageScanFindings.failed(&error)),
        };
        let state = answer.image_scan_status.as_ref();
        let status = state.and_then(|state| state.status.as_ref());
        // ACTIVE is the enhanced scan's, which goes on as long as the image is there.
        let (Some(ScanStatus::Complete | ScanStatus::Active), Some(findings)) = (status, &answer.image_scan_findings) else {
            let status = status.map_or("unknown", ScanStatus::as_str);
            let why = state.and_then(|state| state.description.as_deref()).unwrap_or_default();
            return Ok(ScanResult::Nothing(text::words(format!("its state is {status} {why}").trim())));
        };
        let counted = findings.finding_severity_counts.iter().flatten();
        let mut counts: Vec<_> =
            counted.filter(|(_, count)| **count != 0).map(|(severity, count)| (severity.as_str(), *count)).collect();
        let rank = |severity: &str| SEVERITIES.iter().position(|known| *known == severity).unwrap_or_default();
        counts.sort_by_key(|(severity, _)| (rank(severity), (*severity).to_owned()));
        let at = findings.image_scan_completed_at.and_then(|at| SystemTime::try_from(at).ok());
        Ok(ScanResult::Found {
            enhanced: status == Some(&ScanStatus::Active) || findings.enhanced_findings.is_some(),
            counts: counts.into_iter().map(|(severity, count)| (text::words(severity), count)).collect(),
            at: at.and_then(|at| Timestamp::try_from(at).ok()),
        })
    }

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
