//! Where an image is kept, with what is said of it beside it: a repository, or a layout folder.

use oci_spec::image::{Descriptor, ImageConfiguration};

use crate::oci::layout::digest_of;
use crate::oci::manifest::Document;
use crate::oci::registry::{self, Client, Manifest, Referrers};
use crate::oci::{Digest, Layout, layout};

/// Where an image is kept.
#[derive(Clone, Copy)]
pub(crate) enum Place<'a> {
    /// In a registry.
    Repository(&'a Client),
    /// In a folder, whose index lists what is about the image, too.
    Folder(&'a Layout),
}

impl<'a> From<&'a Client> for Place<'a> {
    fn from(client: &'a Client) -> Self {
        Self::Repository(client)
    }
}

impl Place<'_> {
    /// What a manifest or an index says.
    ///
    /// # Errors
    /// It is of a kind that is not known here.
    pub(crate) fn document(self, manifest: &Manifest) -> Result<Document, registry::Error> {
        match self {
            Self::Repository(client) => client.document(manifest),
            Self::Folder(layout) => Ok(layout.read_manifest(&manifest.descriptor)?),
        }
    }

    /// Reads the configuration of the image that an index lists.
    ///
    /// # Errors
    /// It can't be read, or is not what its descriptor says.
    pub(crate) async fn config(self, listed: &Descriptor) -> Result<ImageConfiguration, registry::Error> {
        match self {
            Self::Repository(client) => {
                let manifest = client.manifest(&client.pull_listed(listed).await?)?;
                client.pull_config(manifest.config()).await
            }
            Self::Folder(layout) => {
                let manifest = layout.read_manifest(listed)?.manifest();
                let manifest = manifest.map_err(|fault| layout::Error::invalid(layout.root(), fault))?;
                Ok(layout.read_config(manifest.config())?)
            }
        }
    }

    /// What is listed as a referrer of `subject` and may be of a media type. None of it is checked.
    ///
    /// # Errors
    /// There is no list.
    pub(super) async fn referrers(self, subject: &Digest, media_type: &str) -> Result<Referrers, registry::Error> {
        match self {
            Self::Repository(client) => client.referrers(subject, media_type).await,
            Self::Folder(layout) => {
                let index = layout.index()?;
                let may_be = |listed: &&Descriptor| {
                    listed.artifact_type().as_ref().is_none_or(|found| found.as_ref() == media_type)
                        && digest_of(listed).is_ok_and(|digest| digest != *subject)
                        // What is about another image says nothing of this one.
                        && layout.read_manifest(listed).and_then(|document| {
                            document.manifest().map_err(|fault| layout::Error::invalid(layout.root(), fault))
                        }).is_ok_and(|manifest| registry::content(&manifest, subject, media_type).is_some())
                };
                Ok(Referrers { listed: index.manifests().iter().filter(may_be).cloned().collect(), more: false })
            }
        }
    }

    /// Where the content is of what is listed as a referrer; `None` if it is about something else, or is something else.
    ///
    /// # Errors
    /// It is not there, or is not what its descriptor says.
    pub(super) async fn referrer(
        self,
        listed: &Descriptor,
        subject: &Digest,
        media_type: &str,
    ) -> Result<Option<Descriptor>, registry::Error> {
        match self {
            Self::Repository(client) => client.referrer(listed, subject, media_type).await,
            Self::Folder(layout) => {
                let manifest = layout.read_manifest(listed)?.manifest();
                let manifest = manifest.map_err(|fault| layout::Error::invalid(layout.root(), fault))?;
                Ok(registry::content(&manifest, subject, media_type))
            }
        }
    }

    /// Reads a blob, checked against its descriptor. How large it may be is for the caller to have looked at.
    ///
    /// # Errors
    /// It is not there, or is not what its descriptor says.
    pub(super) async fn read_blob(self, blob: &Descriptor, into: &mut Vec<u8>) -> Result<(), registry::Error> {
        match self {
            Self::Repository(client) => client.pull_blob(blob, into, &|_| ()).await,
            Self::Folder(layout) => {
                *into = layout.read_whole(blob)?;
                Ok(())
            }
        }
    }
}
