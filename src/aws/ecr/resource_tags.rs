//! The resource tags of a repository, which are not those of its images (Amazon ECR API reference, `ListTagsForResource` and
//! `TagResource`).

use std::collections::BTreeMap;

use aws_sdk_ecr::types::Tag;

use super::Repository;
use crate::aws::{Call, Error};

impl Repository {
    /// All of them, by their keys (`ListTagsForResource`).
    ///
    /// # Errors
    /// ECR refuses, or can't be reached.
    pub(crate) async fn resource_tags(&self) -> Result<BTreeMap<String, String>, Error> {
        let request = self.ecr.list_tags_for_resource().resource_arn(self.arn.to_string());
        let answer = request.send().await.map_err(|error| self.failed(Call::ListTagsForResource, &error))?;
        Ok(answer.tags.unwrap_or_default().into_iter().map(|tag| (tag.key, tag.value)).collect())
    }

    /// Sets some of them, and leaves the others (`TagResource`).
    ///
    /// # Errors
    /// ECR refuses, or can't be reached.
    pub(crate) async fn set_resource_tags(&self, tags: &BTreeMap<String, String>) -> Result<(), Error> {
        let call = Call::TagResource;
        let tags = written(tags).ok_or(Error::Malformed { call, missing: "a tag" })?;
        let request = self.ecr.tag_resource().resource_arn(self.arn.to_string()).set_tags(Some(tags));
        request.send().await.map(drop).map_err(|error| self.failed(call, &error))
    }
}

/// Tags as ECR takes them.
pub(super) fn written(tags: &BTreeMap<String, String>) -> Option<Vec<Tag>> {
    tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build().ok()).collect()
}
