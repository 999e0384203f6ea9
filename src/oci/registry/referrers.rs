//! What refers to a manifest: signatures, SBOMs and whatever else is said of an image and kept beside it.
//!
//! A registry lists them (distribution-spec, "Listing Referrers"). Where it does not know how, whoever pushes one adds it to an
//! index under a tag that is made of the subject's digest ("Referrers Tag Schema"). A list is not believed: what it names is
//! read, and has to say itself whom it is about.

use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use http::{Method, StatusCode};
use oci_spec::image::{Descriptor, ImageIndex, MediaType};
use reqwest::Response;
use url::Url;

use super::artifact::{Artifact, EMPTY, EMPTY_TYPE, content};
use super::client::{Access, Client};
use super::error::{Error, Subject, UrlRole};
use super::manifest::{MAX_MANIFEST, Selector};
use super::request::Request;
use super::tag_list::following;
use crate::net::RetryPolicy;
use crate::oci::layout::{self, digest_of};
use crate::oci::manifest::{self, Document};
use crate::oci::{Digest, Tag};

/// The most that is read of one page of a list, in bytes: it has the annotations of all that it lists.
const MAX_PAGE: u64 = 16 << 20;
/// The most pages that are asked for.
const MAX_PAGES: usize = 20;
/// How often the index under a tag is written again, when another delivery has written it meanwhile.
const MAX_TRIES: usize = 5;
/// How many of an index are looked for where the registry does not take it, the last first: several times what a delivery leaves.
const MAX_LOOKED_FOR: usize = 200;
/// How many at once.
const PARALLEL: usize = 6;
/// The header by which a registry says that it lists the manifest as a referrer (distribution-spec, "Pushing Manifests with
/// Subject").
const LISTED: &str = "oci-subject";
/// What is listed about a manifest, as far as it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Referrers {
    /// In the registry's order.
    pub(crate) listed: Vec<Descriptor>,
    /// Whether there is more, which is not read.
    pub(crate) more: bool,
}

/// A list of referrers, and where it is from.
struct Listing {
    descriptors: Vec<Descriptor>,
    /// Whether there is more, which is not read.
    more: bool,
    /// Whether the registry lists them itself.
    by_registry: bool,
}

impl Client {
    /// What the registry lists as referrers of `subject` that are of a media type, in its order. None of it is checked.
    ///
    /// # Errors
    /// The registry does not list them.
    pub(crate) async fn referrers(&self, subject: &Digest, media_type: &str) -> Result<Referrers, Error> {
        let Listing { mut descriptors, more, .. } = self.list(subject, media_type, Access::Pull).await?;
        // Older servers give the type of the configuration; the manifest has the last word.
        let known = |listed: &Descriptor| listed.artifact_type().as_ref().is_none_or(|found| is_it(found.as_ref(), media_type));
        descriptors.retain(|listed| known(listed) && matches!(listed.media_type(), MediaType::ImageManifest));
        Ok(Referrers { listed: descriptors, more })
    }

    /// Where the content is of what is listed as a referrer, by its own manifest, which says itself whom it is about; `None` if
    /// it is about something else, or is something else.
    ///
    /// # Errors
    /// It is not there, or is not what its descriptor says.
    pub(crate) async fn referrer(
        &self,
        listed: &Descriptor,
        subject: &Digest,
        media_type: &str,
    ) -> Result<Option<Descriptor>, Error> {
        let manifest = self.pull_listed(listed).await?;
        Ok(content(&self.manifest(&manifest)?, subject, media_type))
    }

    /// Keeps artifacts beside the manifest that they are about, and makes sure that whoever asks for its referrers is told of
    /// them. Gives the digests of their manifests.
    ///
    /// # Errors
    /// The registry does not take one, or does not list it then.
    pub(crate) async fn push_referrers(&self, subject: &Descriptor, artifacts: &[Artifact]) -> Result<Vec<Digest>, Error> {
        if artifacts.is_empty() {
            return Ok(Vec::new());
        }
        self.push_bytes(&Bytes::from_static(EMPTY), false).await?;
        let pushed = artifacts.iter().map(|artifact| self.push_artifact(subject, artifact));
        let pushed: Vec<(Descriptor, bool)> = futures_util::future::try_join_all(pushed).await?;
        let subject = digest_of(subject)?;
        let listed_all = pushed.iter().all(|(_, listed)| *listed);
        let pushed: Vec<Descriptor> = pushed.into_iter().map(|(descriptor, _)| descriptor).collect();
        let media_type = artifacts.first().map_or("", |artifact| artifact.media_type);
        // Not every registry that lists them says so.
        if !listed_all && !self.list(&subject, media_type, Access::Push).await?.by_registry {
            self.add_to_index(&subject, &pushed).await?;
        }
        self.confirm(&subject, &pushed, media_type).await?;
        pushed.iter().map(|descriptor| digest_of(descriptor).map_err(Error::from)).collect()
    }

    /// Looks whether all of `pushed` are listed as referrers. A registry may take its time. Where others have put more there than
    /// is read, it has to do that it has taken them.
    async fn confirm(&self, subject: &Digest, pushed: &[Descriptor], media_type: &str) -> Result<(), Error> {
        let look = || async {
            let Listing { descriptors: listed, more, .. } = self.list(subject, media_type, Access::Push).await?;
            match pushed.iter().find(|ours| !listed.iter().any(|listed| listed.digest() == ours.digest())) {
                None => Ok(()),
                Some(_) if more => Ok(()),
                Some(absent) => {
                    let host = self.repository().registry().to_owned();
                    Err(Error::NotListed { host, subject: *subject, referrer: digest_of(absent)? })
                }
            }
        };
        RetryPolicy::REGISTRY.run_when(look, |error| matches!(error, Error::NotListed { .. })).await
    }

    /// Sends one; gives its descriptor as a list has it, and whether the registry says that it lists it.
    async fn push_artifact(&self, subject: &Descriptor, artifact: &Artifact) -> Result<(Descriptor, bool), Error> {
        self.push_bytes(&artifact.content, true).await?;
        let (bytes, listed) = artifact.manifest(subject)?;
        let digest = digest_of(&listed)?;
        let answer = self.put(&digest.into(), &MediaType::ImageManifest, &bytes).await?;
        Ok((listed, answer.headers().contains_key(LISTED)))
    }

    /// Adds referrers to the index under the subject's tag, beside what others have added.
    async fn add_to_index(&self, subject: &Digest, pushed: &[Descriptor]) -> Result<(), Error> {
        let tag = Selector::Tag(Tag::of_referrers(subject));
        for _ in 0..MAX_TRIES {
            let mut manifests = self.tagged(subject, Access::Push).await?;
            let is_there = |ours: &&Descriptor| !manifests.iter().any(|listed| listed.digest() == ours.digest());
            let missing: Vec<Descriptor> = pushed.iter().filter(is_there).cloned().collect();
            // Another delivery that writes it at the same moment may have taken ours out again: it is looked at until it stays.
            if missing.is_empty() {
                return Ok(());
            }
            let taken = self.write_index(&tag, [&manifests[..], &missing].concat(), pushed.len()).await;
            if let Err(error) = taken {
                if !names_what_is_gone(&error) {
                    return Err(error);
                }
                manifests = self.still_there(manifests).await?;
                self.write_index(&tag, [manifests, missing].concat(), pushed.len()).await?;
            }
        }
        Ok(())
    }

    /// Writes an index whose last `ours` manifests have to be in it.
    async fn write_index(&self, tag: &Selector, mut manifests: Vec<Descriptor>, ours: usize) -> Result<(), Error> {
        let mut bytes = Bytes::from(layout::document(&layout::index_of(manifests.clone())?)?);
        // Whoever has filled it up has not been the last to write.
        while bytes.len() as u64 > MAX_MANIFEST && manifests.len() > ours {
            manifests.drain(..manifests.len().div_ceil(2).min(manifests.len() - ours));
            bytes = Bytes::from(layout::document(&layout::index_of(manifests.clone())?)?);
        }
        self.put_manifest(tag, &MediaType::ImageIndex, &bytes).await
    }

    /// Those of the last [`MAX_LOOKED_FOR`] manifests of an index that the repository still has.
    async fn still_there(&self, mut manifests: Vec<Descriptor>) -> Result<Vec<Descriptor>, Error> {
        manifests.drain(..manifests.len().saturating_sub(MAX_LOOKED_FOR));
        let looks = stream::iter(manifests).map(|listed| async move {
            // What is no digest names nothing.
            let Ok(digest) = digest_of(&listed) else { return Ok::<_, Error>(None) };
            Ok(self.has_manifest(&digest.into()).await?.then_some(listed))
        });
        let found: Vec<_> = looks.buffered(PARALLEL).try_collect().await?;
        Ok(found.into_iter().flatten().collect())
    }

    /// All pages of a list, or the index under the subject's tag where the registry lists nothing.
    async fn list(&self, subject: &Digest, media_type: &str, access: Access) -> Result<Listing, Error> {
        let mut url = self.transport.url(&format!("referrers/{subject}")).await?;
        url.query_pairs_mut().append_pair("artifactType", media_type);
        let mut descriptors = Vec::new();
        for _ in 0..MAX_PAGES {
            let request = Request::new(Method::GET, url, Subject::Referrers(*subject), self.scopes(access));
            let page = match RetryPolicy::REGISTRY.run(|| self.page(&request)).await {
                // What is listed is of others' making.
                Err(Error::Document { .. } | Error::TooLarge { .. }) => break,
                page => page?,
            };
            let Some((page, following)) = page else {
                return Ok(Listing { descriptors: self.tagged(subject, access).await?, more: false, by_registry: false });
            };
            descriptors.extend(page.manifests().iter().cloned());
            match following {
                Some(next) => url = next,
                None => return Ok(Listing { descriptors, more: false, by_registry: true }),
            }
        }
        // Whoever may push can make it as long as they like, which is no reason to end.
        Ok(Listing { descriptors, more: true, by_registry: true })
    }

    /// One page; `None` if the registry does not list referrers.
    async fn page(&self, request: &Request) -> Result<Option<(ImageIndex, Option<Url>)>, Error> {
        let unknown = [StatusCode::NOT_FOUND, StatusCode::METHOD_NOT_ALLOWED, StatusCode::NOT_IMPLEMENTED];
        let wanted = [&[StatusCode::OK], &unknown[..]].concat();
        let response = self.transport.send_once(request, &wanted).await?;
        if unknown.contains(&response.status()) {
            return Ok(None);
        }
        let next = self.next_page(&response)?;
        let bytes = self.transport.connection.read(response, request, MAX_PAGE).await?;
        let index = manifest::read(&bytes, &MediaType::ImageIndex).and_then(Document::index);
        index.map(|index| Some((index, next))).map_err(|fault| self.refused(request.subject.clone(), fault))
    }

    fn next_page(&self, response: &Response) -> Result<Option<Url>, Error> {
        let next = following(response.headers()).and_then(|link| response.url().join(&link).ok());
        next.map(|url| self.transport.connection.allowed(url.as_str(), UrlRole::Redirect)).transpose()
    }

    /// What the index under the subject's tag has. Whoever may push can give the tag to something else, which lists nothing and
    /// has no right to it.
    async fn tagged(&self, subject: &Digest, access: Access) -> Result<Vec<Descriptor>, Error> {
        let tag = Selector::Tag(Tag::of_referrers(subject));
        let found = match self.look_for_manifest(&tag, access).await {
            Ok(Some(found)) => found,
            Ok(None) | Err(Error::Document { .. } | Error::TooLarge { .. }) => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let index = found.document().and_then(Document::index);
        Ok(index.map(|index| index.manifests().clone()).unwrap_or_default())
    }
}

/// Whether a registry may have refused an index since it lists what is not there. Whoever may push may delete.
fn names_what_is_gone(error: &Error) -> bool {
    let statuses = [StatusCode::BAD_REQUEST, StatusCode::NOT_FOUND, StatusCode::UNPROCESSABLE_ENTITY];
    error.status().is_some_and(|status| statuses.contains(&status))
}

/// Whether a type that a list has may be the one that is looked for.
fn is_it(found: &str, media_type: &str) -> bool {
    found == media_type || found == EMPTY_TYPE
}
