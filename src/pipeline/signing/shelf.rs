//! Where what is signed about an image is kept: beside it in a repository, or in the folder that it goes to.

use oci_spec::image::Descriptor;

use crate::attestation::PredicateType;
use crate::error::Error;
use crate::evidence::{self, Evidence};
use crate::oci::layout::digest_of;
use crate::oci::registry::{self, Artifact, Client};
use crate::oci::{Digest, Layout};
use crate::publish::{self, Uploaded};
use crate::sigstore::Verifier;

/// Where statements are kept.
pub(super) enum Shelf<'a> {
    /// In a repository, which lists them.
    Repository(&'a Client),
    /// In a folder.
    Folder {
        /// The image's own layout, with which they go there.
        image: &'a Layout,
        /// What the folder holds already.
        there: Option<Layout>,
        /// What the image is called.
        name: String,
    },
}

impl<'a> Shelf<'a> {
    /// The one of an image that is uploaded, and is called `name` where it goes to a folder.
    pub(super) fn of(uploaded: &'a Uploaded, image: &'a Layout, name: Option<String>) -> Self {
        match uploaded.target().repository() {
            Some(client) => Self::Repository(client),
            None => Self::Folder { image, there: uploaded.target().layout(), name: name.unwrap_or_else(|| "image".to_owned()) },
        }
    }

    /// What statements call the image, for people.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Repository(client) => client.repository().to_string(),
            Self::Folder { name, .. } => name.clone(),
        }
    }

    /// What is signed about `subject` already.
    pub(super) async fn gather(&self, subject: &Digest, verifier: &Verifier) -> Result<Evidence, Error> {
        Ok(match self {
            Self::Repository(client) => evidence::gather(*client, subject, verifier, &PredicateType::ALL).await?,
            Self::Folder { there: Some(there), .. } => {
                evidence::gather(evidence::Place::Folder(there), subject, verifier, &PredicateType::ALL).await?
            }
            Self::Folder { there: None, .. } => Evidence::default(),
        })
    }

    /// The entries of the folder's index for what is relied on there: another delivery may take them out meanwhile.
    pub(super) fn entries(&self, relied: &[Digest]) -> Result<Vec<Descriptor>, Error> {
        let Self::Folder { there: Some(there), .. } = self else { return Ok(Vec::new()) };
        let index = there.index().map_err(publish::Error::from)?;
        let is_relied_on = |entry: &&Descriptor| digest_of(entry).is_ok_and(|digest| relied.contains(&digest));
        Ok(index.manifests().iter().filter(is_relied_on).cloned().collect())
    }

    /// Keeps artifacts beside the manifest that they are about. Gives the digests of their manifests, and adds to `listed` what a
    /// folder has to list.
    pub(super) async fn keep(
        &self,
        beside: &Descriptor,
        artifacts: &[Artifact],
    ) -> Result<(Vec<Digest>, Vec<Descriptor>), Error> {
        match self {
            Self::Repository(client) => Ok((client.push_referrers(beside, artifacts).await?, Vec::new())),
            Self::Folder { image, .. } => {
                let written = artifacts.iter().map(|artifact| artifact.write(image, beside));
                let written: Vec<Descriptor> = written.collect::<Result<_, _>>().map_err(registry::Error::from)?;
                let digests = written.iter().map(digest_of).collect::<Result<_, _>>().map_err(registry::Error::from)?;
                Ok((digests, written))
            }
        }
    }
}
