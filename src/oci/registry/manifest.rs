//! Manifests: read, written and removed by tag or digest.

use std::fmt;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue, IF_NONE_MATCH};
use http::{Method, StatusCode};
use oci_spec::image::{Descriptor, ImageConfiguration, ImageManifest, MediaType};
use reqwest::Response;

use super::client::{Access, Client};
use super::error::{Error, Subject};
use super::payload::Payload;
use super::request::Request;
use crate::document;
use crate::net::RetryPolicy;
use crate::oci::layout::digest_of;
use crate::oci::manifest::{self, Document, Fault};
use crate::oci::{Digest, Reference, Tag, layout};

/// Registries accept manifests of at least this size, and larger ones are refused here (distribution-spec, "Pushing
/// Manifests").
pub(crate) const MAX_MANIFEST: u64 = 4 << 20;
/// The kinds of manifests that images come in, Docker's older names included.
const ACCEPTED: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
                        application/vnd.docker.distribution.manifest.list.v2+json, \
                        application/vnd.docker.distribution.manifest.v2+json";
/// The answers to a manifest that is taken: 200 and 202 are not what the specification says, and are said.
const TAKEN: [StatusCode; 3] = [StatusCode::CREATED, StatusCode::OK, StatusCode::ACCEPTED];
/// The header with the digest of what is served.
const CONTENT_DIGEST: &str = "docker-content-digest";

/// What names a manifest in its repository: a tag or a digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Selector {
    /// The one that a tag names now.
    Tag(Tag),
    /// The one with this digest.
    Digest(Digest),
}

/// A manifest or index, byte for byte as the registry holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Manifest {
    /// Its kind, digest and size.
    pub(crate) descriptor: Descriptor,
    /// The digest of its bytes.
    pub(crate) digest: Digest,
    /// Its bytes.
    pub(crate) bytes: Bytes,
}

impl Manifest {
    /// What it says.
    ///
    /// # Errors
    /// It is refused.
    pub(crate) fn document(&self) -> Result<Document, Fault> {
        manifest::read(&self.bytes, self.descriptor.media_type())
    }
}

impl Selector {
    /// What a reference selects: by its digest where it has one, else by its tag.
    #[must_use]
    pub(crate) fn of(reference: &Reference) -> Option<Self> {
        reference.digest.map(Self::Digest).or_else(|| reference.tag.clone().map(Self::Tag))
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => tag.fmt(f),
            Self::Digest(digest) => digest.fmt(f),
        }
    }
}

impl From<&Tag> for Selector {
    fn from(tag: &Tag) -> Self {
        Self::Tag(tag.clone())
    }
}

impl From<Digest> for Selector {
    fn from(digest: Digest) -> Self {
        Self::Digest(digest)
    }
}

impl Client {
    /// Whether a manifest is there (distribution-spec, "Checking if content exists in the registry"). It asks for the right
    /// to push as well, so that a missing one shows before anything is sent.
    ///
    /// # Errors
    /// The registry can't be asked.
    pub(crate) async fn has_manifest(&self, which: &Selector) -> Result<bool, Error> {
        let request = self.manifest_request(Method::HEAD, which, Access::Push).await?;
        let response = self.transport.send(&request, &[StatusCode::OK, StatusCode::NOT_FOUND]).await?;
        Ok(response.status() == StatusCode::OK)
    }

    /// Reads a manifest, checked against its digest; `None` if the repository has none of that name. It asks for the right to
    /// push as well, as [`Client::has_manifest`] does.
    ///
    /// # Errors
    /// The registry can't be asked, or what it serves has another digest than it or the caller says.
    pub(crate) async fn find_manifest(&self, which: &Selector) -> Result<Option<Manifest>, Error> {
        self.look_for_manifest(which, Access::Push).await
    }

    /// As [`Client::find_manifest`], for `access` alone.
    pub(super) async fn look_for_manifest(&self, which: &Selector, access: Access) -> Result<Option<Manifest>, Error> {
        let request = self.manifest_request(Method::GET, which, access).await?;
        RetryPolicy::REGISTRY
            .run(|| async {
                let response = self.transport.send_once(&request, &[StatusCode::OK, StatusCode::NOT_FOUND]).await?;
                if response.status() == StatusCode::NOT_FOUND {
                    return Ok(None);
                }
                self.take_manifest(response, &request, which).await.map(Some)
            })
            .await
    }

    /// Whether the registry knows the repository: one that is created by a push is not known before it, and others say
    /// `NAME_UNKNOWN` (distribution-spec, "Error Codes").
    ///
    /// # Errors
    /// The registry can't be asked.
    pub(crate) async fn knows_repository(&self) -> Result<bool, Error> {
        let absent = Selector::Digest(Digest::of(b""));
        let request = self.manifest_request(Method::GET, &absent, Access::Push).await?;
        match self.transport.send(&request, &[StatusCode::OK]).await {
            Ok(_) => Ok(true),
            Err(Error::Answer(answer)) if answer.status == StatusCode::NOT_FOUND => {
                Ok(answer.code.as_deref() != Some("NAME_UNKNOWN"))
            }
            Err(error) => Err(error),
        }
    }

    /// Reads a manifest that has to be there.
    ///
    /// # Errors
    /// As [`Client::find_manifest`]; a missing one is the registry's 404.
    pub(crate) async fn pull_manifest(&self, which: &Selector) -> Result<Manifest, Error> {
        let request = self.manifest_request(Method::GET, which, Access::Pull).await?;
        RetryPolicy::REGISTRY
            .run(|| async {
                let response = self.transport.send_once(&request, &[StatusCode::OK]).await?;
                self.take_manifest(response, &request, which).await
            })
            .await
    }

    /// Reads a manifest that an index lists, and that is what the index says.
    ///
    /// # Errors
    /// As [`Client::pull_manifest`], or it is of another media type or size than `listed` says.
    pub(crate) async fn pull_listed(&self, listed: &Descriptor) -> Result<Manifest, Error> {
        let manifest = self.pull_manifest(&digest_of(listed)?.into()).await?;
        let (digest, actual) = (manifest.digest, manifest.descriptor.size());
        if actual != listed.size() {
            return Err(layout::Error::SizeMismatch { digest, expected: listed.size(), actual }.into());
        }
        let media_type = manifest::media_type(&manifest.bytes, Some(listed.media_type().as_ref()));
        media_type.map(|_| manifest).map_err(|fault| self.refused(Subject::Manifest(digest.to_string()), fault))
    }

    /// What a manifest or an index says.
    ///
    /// # Errors
    /// It is of a kind that is not known here.
    pub(crate) fn document(&self, manifest: &Manifest) -> Result<Document, Error> {
        manifest.document().map_err(|fault| self.refused(Subject::Manifest(manifest.digest.to_string()), fault))
    }

    /// What the manifest of one image says.
    ///
    /// # Errors
    /// It is something else.
    pub(crate) fn manifest(&self, manifest: &Manifest) -> Result<ImageManifest, Error> {
        let document = manifest.document().and_then(Document::manifest);
        document.map_err(|fault| self.refused(Subject::Manifest(manifest.digest.to_string()), fault))
    }

    /// Reads the configuration of an image, which has at most the size that `descriptor` says.
    ///
    /// # Errors
    /// As [`Client::pull_blob`], or it is refused.
    pub(crate) async fn pull_config(&self, descriptor: &Descriptor) -> Result<ImageConfiguration, Error> {
        let mut bytes = Vec::new();
        self.pull_blob(descriptor, &mut bytes, &|_| ()).await?;
        let subject = Subject::Blob(digest_of(descriptor)?);
        document::read_shared(&bytes).map_err(|error| self.refused(subject, error.into()))
    }

    pub(super) fn refused(&self, subject: Subject, fault: Fault) -> Error {
        Error::Document { host: self.repository().registry().to_owned(), subject, fault: Box::new(fault) }
    }

    async fn take_manifest(&self, response: Response, request: &Request, which: &Selector) -> Result<Manifest, Error> {
        let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let (media_type, announced) = (header(CONTENT_TYPE.as_str()), header(CONTENT_DIGEST));
        let bytes = Bytes::from(self.transport.connection.read(response, request, MAX_MANIFEST).await?);
        let actual = Digest::of(&bytes);
        let asked = match which {
            Selector::Digest(digest) => Some(*digest),
            Selector::Tag(_) => None,
        };
        // A digest of another algorithm says nothing that could be compared.
        let announced = announced.and_then(|digest| digest.parse().ok());
        for expected in asked.into_iter().chain(announced) {
            if expected != actual {
                return Err(self.transport.connection.mismatch(&request.subject, expected, actual));
            }
        }
        let refused = |fault| self.refused(request.subject.clone(), fault);
        let declared = media_type.as_deref().map(|value| value.split(';').next().unwrap_or(value).trim());
        let media_type = manifest::media_type(&bytes, declared).map_err(&refused)?;
        let descriptor = layout::descriptor(media_type, actual, bytes.len() as u64);
        let manifest = Manifest { descriptor, digest: actual, bytes };
        match manifest.document() {
            // A tag may name anything; what is no image fails where an image is needed.
            Ok(_) | Err(Fault::Unknown(_)) => Ok(manifest),
            Err(fault) => Err(refused(fault)),
        }
    }

    /// Writes a manifest (distribution-spec, "Pushing Manifests").
    ///
    /// # Errors
    /// The registry does not take it.
    pub(crate) async fn put_manifest(&self, which: &Selector, media_type: &MediaType, bytes: &Bytes) -> Result<(), Error> {
        self.put(which, media_type, bytes).await.map(|_| ())
    }

    /// As [`Client::put_manifest`], with the answer.
    pub(super) async fn put(&self, which: &Selector, media_type: &MediaType, bytes: &Bytes) -> Result<Response, Error> {
        let request = self.put_request(which, media_type, bytes).await?;
        self.transport.send(&request, &TAKEN).await
    }

    /// Gives a manifest a tag, in one request that is not repeated: whoever repeats it should know what may have become of the
    /// one before. With `only_if_new`, a registry that knows conditional requests takes it only while the tag names nothing,
    /// and answers 412 otherwise (RFC 9110, section 13.1.2). The distribution specification does not ask for that, and many
    /// registries pass over it.
    ///
    /// # Errors
    /// The registry does not take it.
    pub(crate) async fn tag_once(&self, tag: &Tag, manifest: &Manifest, only_if_new: bool) -> Result<(), Error> {
        let mut request = self.put_request(&tag.into(), manifest.descriptor.media_type(), &manifest.bytes).await?;
        if only_if_new {
            request.headers.insert(IF_NONE_MATCH, HeaderValue::from_static("*"));
        }
        self.transport.send_once(&request, &TAKEN).await.map(|_| ())
    }

    async fn put_request(&self, which: &Selector, media_type: &MediaType, bytes: &Bytes) -> Result<Request, Error> {
        let mut request = self.manifest_request(Method::PUT, which, Access::Push).await?;
        let value = HeaderValue::from_str(media_type.as_ref());
        let value = value.map_err(|_| self.transport.connection.malformed(&request.subject, "its media type makes no header"))?;
        request.headers = HeaderMap::from_iter([(CONTENT_TYPE, value)]);
        request.body = Payload::Document(bytes.clone());
        Ok(request)
    }

    /// Removes a tag, or a manifest with all its tags (distribution-spec, "Content Management"), in one request that is not
    /// repeated: by then it may be another delivery's. What is not there counts as removed.
    ///
    /// # Errors
    /// The registry does not do it: many answer 405, or 400 for a tag.
    pub(crate) async fn delete_once(&self, which: &Selector) -> Result<(), Error> {
        let request = self.manifest_request(Method::DELETE, which, Access::Delete).await?;
        let wanted = [StatusCode::ACCEPTED, StatusCode::OK, StatusCode::NO_CONTENT, StatusCode::NOT_FOUND];
        self.transport.send_once(&request, &wanted).await.map(|_| ())
    }

    async fn manifest_request(&self, method: Method, which: &Selector, access: Access) -> Result<Request, Error> {
        let url = self.transport.url(&format!("manifests/{which}")).await?;
        let mut request = Request::new(method, url, Subject::Manifest(which.to_string()), self.scopes(access));
        request.headers.insert(ACCEPT, HeaderValue::from_static(ACCEPTED));
        Ok(request)
    }
}
