//! What is in a repository.

use std::collections::HashMap;

use serde::Deserialize;

use crate::aws::ecr::{ImageDetail, Repository};
use crate::aws::{self, Call};
use crate::document;
use crate::error::Error;
use crate::lifecycle::{Image, Storage};
use crate::oci::Digest;

/// The images of a repository, and which index refers to which.
#[derive(Clone, Debug)]
pub(super) struct Contents {
    /// What ECR says of each.
    pub(super) details: Vec<ImageDetail>,
    /// What each index refers to.
    pub(super) children: HashMap<Digest, Vec<Digest>>,
    /// Indexes that ECR lists and does not serve: what they refer to is not known.
    pub(super) unread: Vec<Digest>,
}

/// An index, as far as it is looked at.
#[derive(Deserialize)]
struct Index {
    manifests: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    digest: Digest,
}

impl Contents {
    /// Reads what is there.
    ///
    /// # Errors
    /// ECR refuses, can't be reached, or has an index that can't be read.
    pub(super) async fn read(repository: &Repository) -> Result<Self, Error> {
        let details = repository.images().await?;
        let indexes: Vec<Digest> = details.iter().filter(|detail| detail.is_index).map(|detail| detail.digest).collect();
        let mut children = HashMap::new();
        for (digest, manifest) in repository.indexes(&indexes).await? {
            let index: Index = document::read_shared(manifest.as_bytes())
                .map_err(|_| aws::Error::Malformed { call: Call::BatchGetImage, missing: "an index that can be read" })?;
            children.insert(digest, index.manifests.into_iter().map(|entry| entry.digest).collect());
        }
        let unread = indexes.into_iter().filter(|digest| !children.contains_key(digest)).collect();
        Ok(Self { details, children, unread })
    }

    /// The images as a policy looks at them, in the order of the details.
    pub(super) fn images(&self) -> Vec<Image> {
        let mut indexes: HashMap<Digest, Vec<Digest>> = HashMap::new();
        for (index, children) in &self.children {
            for child in children {
                indexes.entry(*child).or_default().push(*index);
            }
        }
        let image = |detail: &ImageDetail| Image {
            digest: detail.digest,
            tags: detail.tags.clone(),
            pushed_at: detail.pushed_at,
            pulled_at: detail.pulled_at,
            storage: match detail.archived_since {
                Some(since) => Storage::Archive { since },
                None => Storage::Standard { restored_at: detail.restored_at },
            },
            indexes: indexes.get(&detail.digest).cloned().unwrap_or_default(),
            subject: detail.subject,
        };
        self.details.iter().map(image).collect()
    }
}
