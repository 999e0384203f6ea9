//! What Amazon ECR says of the images of a repository (Amazon ECR API reference, `DescribeImages` and `BatchGetImage`).

use aws_sdk_ecr::primitives::DateTime;
use aws_sdk_ecr::types::{self, DescribeImagesFilter, ImageIdentifier, ImageStatus, ImageStatusFilter};
use jiff::Timestamp;

use super::Repository;
use crate::aws::{Call, Error};
use crate::oci::Digest;

/// The most images of a page (Amazon ECR API reference, `maxResults`).
const PAGE: i32 = 1000;
/// The most pages that are read: a repository has 100,000 images (Amazon ECR User Guide, "Amazon ECR service quotas"), and
/// AWS may raise that.
const MAX_PAGES: usize = 400;
/// The most images that are asked for at once.
const AT_ONCE: usize = 100;
/// What an index is served as: never as an image of it.
const INDEXES: [&str; 2] =
    ["application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json"];

/// An image, an index, or what refers to one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ImageDetail {
    /// Its digest.
    pub(crate) digest: Digest,
    /// Its tags.
    pub(crate) tags: Vec<String>,
    /// Its size in bytes, compressed.
    pub(crate) size: u64,
    /// When it was pushed.
    pub(crate) pushed_at: Timestamp,
    /// When it was last pulled; AWS renews it once a day at most.
    pub(crate) pulled_at: Option<Timestamp>,
    /// Since when it is in archive storage, where it is.
    pub(crate) archived_since: Option<Timestamp>,
    /// When it was last brought back from there.
    pub(crate) restored_at: Option<Timestamp>,
    /// Whether it is an index.
    pub(crate) is_index: bool,
    /// What it refers to.
    pub(crate) subject: Option<Digest>,
    /// What it says it is, where it is no image: a media type, in the words of whoever pushed it.
    pub(crate) artifact_type: Option<String>,
}

impl Repository {
    /// All images of the repository, those in archive storage too (`DescribeImages`).
    ///
    /// # Errors
    /// ECR refuses, can't be reached, or says of an image what can't be.
    pub(crate) async fn images(&self) -> Result<Vec<ImageDetail>, Error> {
        let call = Call::DescribeImages;
        let (mut images, mut next) = (Vec::new(), None);
        for _ in 0..MAX_PAGES {
            let request = self.ecr.describe_images().registry_id(self.arn.account.as_str()).repository_name(&self.arn.name);
            // Without it, AWS leaves out what is archived.
            let filter = DescribeImagesFilter::builder().image_status(ImageStatusFilter::Any).build();
            let answer = request.filter(filter).max_results(PAGE).set_next_token(next).send().await;
            let answer = answer.map_err(|error| self.failed(call, &error))?;
            for detail in answer.image_details.unwrap_or_default() {
                images.push(ImageDetail::of(detail).map_err(|missing| Error::Malformed { call, missing })?);
            }
            next = answer.next_token;
            if next.is_none() {
                return Ok(images);
            }
        }
        Err(Error::Malformed { call, missing: "an end" })
    }

    /// The manifests of indexes as they are stored, each with its digest (`BatchGetImage`). What was deleted meanwhile is left
    /// out.
    ///
    /// # Errors
    /// ECR refuses, can't be reached, or serves another manifest.
    pub(crate) async fn indexes(&self, digests: &[Digest]) -> Result<Vec<(Digest, String)>, Error> {
        let call = Call::BatchGetImage;
        let mut manifests = Vec::new();
        for digests in digests.chunks(AT_ONCE) {
            let ids = digests.iter().map(|digest| ImageIdentifier::builder().image_digest(digest.to_string()).build());
            let request = self.ecr.batch_get_image().registry_id(self.arn.account.as_str()).repository_name(&self.arn.name);
            let types = INDEXES.map(str::to_owned).to_vec();
            let request = request.set_image_ids(Some(ids.collect())).set_accepted_media_types(Some(types));
            let answer = request.send().await.map_err(|error| self.failed(call, &error))?;
            for image in answer.images.unwrap_or_default() {
                let manifest = image.image_manifest.ok_or(Error::Malformed { call, missing: "a manifest" })?;
                let digest = Digest::of(manifest.as_bytes());
                if !digests.contains(&digest) {
                    return Err(Error::Malformed { call, missing: "the manifest that was asked for" });
                }
                manifests.push((digest, manifest));
            }
            let other = |failure: &types::ImageFailure| {
                failure.failure_code.as_ref().map(types::ImageFailureCode::as_str) != Some(NOT_FOUND)
            };
            if answer.failures.unwrap_or_default().iter().any(other) {
                return Err(Error::Malformed { call, missing: "an image that DescribeImages lists" });
            }
        }
        Ok(manifests)
    }
}

/// What ECR says of an image that is not there.
const NOT_FOUND: &str = "ImageNotFound";

impl ImageDetail {
    /// Reads what ECR says; the error is what is missing.
    fn of(detail: types::ImageDetail) -> Result<Self, &'static str> {
        let digest = |text: Option<String>| text.map(|text| text.parse::<Digest>().map_err(|_| "a digest")).transpose();
        let time = |at: Option<DateTime>| at.map(|at| timestamp(at).ok_or("a time")).transpose();
        let archived_at = time(detail.last_archived_at)?;
        let archived_since = match detail.image_status {
            Some(ImageStatus::Active) | None => None,
            // It can't be pulled before it is back.
            Some(ImageStatus::Archived | ImageStatus::Activating) => Some(archived_at.ok_or("the time of archiving")?),
            Some(_) => return Err("a status that is known"),
        };
        let media_type = detail.image_manifest_media_type.unwrap_or_default();
        Ok(Self {
            digest: digest(detail.image_digest)?.ok_or("a digest")?,
            tags: detail.image_tags.unwrap_or_default(),
            size: detail.image_size_in_bytes.and_then(|size| u64::try_from(size).ok()).unwrap_or_default(),
            pushed_at: time(detail.image_pushed_at)?.ok_or("the time of the push")?,
            pulled_at: time(detail.last_recorded_pull_time)?,
            archived_since,
            restored_at: time(detail.last_activated_at)?,
            is_index: INDEXES.contains(&&*media_type),
            subject: digest(detail.subject_manifest_digest)?,
            artifact_type: detail.artifact_media_type,
        })
    }
}

pub(super) fn timestamp(at: DateTime) -> Option<Timestamp> {
    let nanoseconds = i32::try_from(at.subsec_nanos()).ok()?;
    Timestamp::new(at.secs(), nanoseconds).ok()
}
