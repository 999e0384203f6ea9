//! Blobs: looked for, fetched, mounted, sent.

use std::io::{ErrorKind, Write};
use std::path::Path;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue, RANGE};
use http::{Method, StatusCode};
use oci_spec::image::Descriptor;
use reqwest::Response;
use url::Url;

use super::client::{Access, Client, scope};
use super::error::{Error, Subject, UrlRole};
use super::payload::{Payload, Progress};
use super::request::Request;
use crate::net::{Failure as _, RetryPolicy, Watch};
use crate::oci::Digest;
use crate::oci::digest::Hasher;
use crate::oci::layout::{self, digest_of};
use crate::oci::reference::Repository;

/// How often an interrupted fetch is resumed, as long as it makes progress.
const MAX_RESUMES: usize = 8;

/// How a blob came to be in the repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Upload {
    /// It was there.
    Present,
    /// The registry had it in another repository.
    Mounted,
    /// It was sent.
    Sent,
}

/// A fetch on its way.
struct Fetch<'a, W> {
    into: &'a mut W,
    hasher: Hasher,
    received: u64,
    limit: u64,
    progress: &'a (dyn Fn(u64) + Sync),
    /// How slow it may be, over all connections that it takes.
    watch: Watch,
}

impl Client {
    /// Whether a blob is there (distribution-spec, "Checking if content exists in the registry"). The question is not repeated.
    async fn has_blob(&self, digest: Digest) -> Result<bool, Error> {
        // With the token of the upload that follows, instead of one more.
        let request = self.blob_request(Method::HEAD, digest, Access::Push).await?;
        let response = self.transport.send_once(&request, &[StatusCode::OK, StatusCode::NOT_FOUND]).await?;
        Ok(response.status() == StatusCode::OK)
    }

    /// Streams a blob into `into`; `progress` receives the number of bytes so far. An interrupted fetch is resumed. What was
    /// written is valid only if this succeeds.
    ///
    /// # Errors
    /// The registry does not serve it, what it serves is not what `descriptor` says, or `into` does not take it.
    pub(crate) async fn pull_blob(
        &self,
        descriptor: &Descriptor,
        into: &mut (impl Write + Send),
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<(), Error> {
        let digest = digest_of(descriptor)?;
        let mut request = self.blob_request(Method::GET, digest, Access::Pull).await?;
        let (limit, watch) = (descriptor.size(), self.transport.connection.patience.pace.watch(descriptor.size()));
        let mut fetch = Fetch { into, hasher: Hasher::new(), received: 0, limit, progress, watch };
        let mut resumes = 0;
        loop {
            let before = fetch.received;
            if before > 0
                && let Ok(range) = HeaderValue::from_str(&format!("bytes={before}-"))
            {
                request.headers.insert(RANGE, range);
            }
            let response = self.transport.send(&request, &[StatusCode::OK, StatusCode::PARTIAL_CONTENT]).await?;
            match self.receive(response, &request, &mut fetch).await {
                // Who has sent all and does not end has sent all.
                Ok(()) | Err(Error::Connection { .. }) if fetch.received == fetch.limit => break,
                // A connection that ends early without saying so.
                Ok(()) if fetch.received == before => {
                    return Err(self.transport.connection.malformed(&request.subject, "it ends too early"));
                }
                Err(error) if !error.is_temporary() || resumes >= MAX_RESUMES => return Err(error),
                _ => resumes += 1,
            }
        }
        let actual = fetch.hasher.finish();
        if actual == digest { Ok(()) } else { Err(self.transport.connection.mismatch(&request.subject, digest, actual)) }
    }

    async fn receive(&self, mut response: Response, request: &Request, fetch: &mut Fetch<'_, impl Write>) -> Result<(), Error> {
        // A server that does not know ranges begins anew.
        let mut known = if response.status() == StatusCode::OK { fetch.received } else { 0 };
        // What is known already buys no time for what is not.
        let mut again = self.transport.connection.patience.pace.watch(known);
        loop {
            let watch = if known > 0 { &mut again } else { &mut fetch.watch };
            let Some(chunk) = self.transport.connection.chunk(&mut response, request, watch).await? else { break };
            let skipped = usize::try_from(known).unwrap_or(usize::MAX).min(chunk.len());
            known -= skipped as u64;
            let new = &chunk[skipped..];
            if skipped > 0 {
                fetch.watch.moved(new.len() as u64);
            }
            if fetch.received + new.len() as u64 > fetch.limit {
                let host = self.repository().registry().to_owned();
                return Err(Error::TooLarge { host, subject: request.subject.clone(), limit: fetch.limit });
            }
            let written = fetch.into.write_all(new);
            written.map_err(|source| Error::Local { subject: request.subject.clone(), path: None, source })?;
            fetch.hasher.update(new);
            fetch.received += new.len() as u64;
            (fetch.progress)(fetch.received);
        }
        Ok(())
    }

    /// Makes sure that a blob is in the repository: looks for it, has it mounted from `from` (a repository of the same
    /// registry), or sends `file`, with one POST and one PUT of the whole, since some registries lose all but the first PATCH
    /// (distribution-spec, "POST then PUT"; containers-roadmap#2831).
    ///
    /// # Errors
    /// The file is not what `descriptor` says, or the registry does not take it.
    pub(crate) async fn push_blob(
        &self,
        descriptor: &Descriptor,
        file: &Path,
        from: Option<&Repository>,
        progress: &Progress,
    ) -> Result<Upload, Error> {
        let digest = digest_of(descriptor)?;
        let size = descriptor.size();
        let unread = |source| Error::Local { subject: Subject::Blob(digest), path: Some(file.to_owned()), source };
        let is_here = match size_of(file) {
            Ok(actual) if actual != size => {
                return Err(layout::Error::SizeMismatch { digest, expected: size, actual }.into());
            }
            Ok(_) => true,
            // What is there already is not sent.
            Err(error) if error.kind() == ErrorKind::NotFound => false,
            Err(error) => return Err(unread(error)),
        };
        RetryPolicy::REGISTRY
            .run(|| async {
                // Asked on each attempt: a registry may have kept the blob and lost the connection before it said so.
                if self.has_blob(digest).await? {
                    return Ok(Upload::Present);
                }
                let location = match self.try_mount(digest, from).await? {
                    Start::Mounted => return Ok(Upload::Mounted),
                    Start::At(location) if is_here => location,
                    Start::Nowhere if is_here => self.start_upload(digest).await?,
                    Start::At(_) | Start::Nowhere => return Err(unread(ErrorKind::NotFound.into())),
                };
                let body = Payload::File { path: file.to_owned(), size, progress: progress.clone() };
                self.upload(digest, location, body).await.map(|()| Upload::Sent)
            })
            .await
    }

    /// Whether a blob is in the repository, or is now, mounted from `from`, a repository of the same registry.
    ///
    /// # Errors
    /// The registry can't be asked.
    pub(crate) async fn mount_blob(&self, descriptor: &Descriptor, from: &Repository) -> Result<bool, Error> {
        let digest = digest_of(descriptor)?;
        let mounted =
            async || Ok(self.has_blob(digest).await? || matches!(self.try_mount(digest, Some(from)).await?, Start::Mounted));
        RetryPolicy::REGISTRY.run(mounted).await
    }

    /// Makes sure that a small blob is in the repository, which is in memory. What is `new` is not looked for first.
    ///
    /// # Errors
    /// The registry does not take it.
    pub(super) async fn push_bytes(&self, bytes: &Bytes, new: bool) -> Result<(), Error> {
        let digest = Digest::of(bytes);
        RetryPolicy::REGISTRY
            .run(|| async {
                if !new && self.has_blob(digest).await? {
                    return Ok(());
                }
                let location = self.start_upload(digest).await?;
                self.upload(digest, location, Payload::Document(bytes.clone())).await
            })
            .await
    }

    /// distribution-spec, "Mounting a blob from another repository".
    async fn try_mount(&self, digest: Digest, from: Option<&Repository>) -> Result<Start, Error> {
        let Some(from) = from.filter(|from| from.registry() == self.repository().registry() && *from != self.repository()) else {
            return Ok(Start::Nowhere);
        };
        let mut url = self.transport.url("blobs/uploads/").await?;
        url.query_pairs_mut().append_pair("mount", &digest.to_string()).append_pair("from", from.name());
        let mut scopes = self.scopes(Access::Push);
        scopes.push(scope(from, Access::Pull));
        let request = Request::new(Method::POST, url, Subject::Blob(digest), scopes);
        match self.transport.send_once(&request, &[StatusCode::CREATED, StatusCode::ACCEPTED]).await {
            Ok(response) if response.status() == StatusCode::CREATED => Ok(Start::Mounted),
            Ok(response) => {
                self.transport.connection.location(&response, UrlRole::Upload).map(|url| url.map_or(Start::Nowhere, Start::At))
            }
            Err(error) if error.is_temporary() => Err(error),
            // Without the right to read the other repository, the blob is sent.
            Err(Error::Answer(_)) => Ok(Start::Nowhere),
            Err(error) => Err(error),
        }
    }

    async fn start_upload(&self, digest: Digest) -> Result<Url, Error> {
        let url = self.transport.url("blobs/uploads/").await?;
        let request = Request::new(Method::POST, url, Subject::Blob(digest), self.scopes(Access::Push));
        let response = self.transport.send_once(&request, &[StatusCode::ACCEPTED]).await?;
        let location = self.transport.connection.location(&response, UrlRole::Upload)?;
        location.ok_or_else(|| self.transport.connection.malformed(&request.subject, "no place to send it to"))
    }

    async fn upload(&self, digest: Digest, mut location: Url, body: Payload) -> Result<(), Error> {
        // The location may have a query of its own, which is the registry's and stays as it is.
        location.query_pairs_mut().append_pair("digest", &digest.to_string());
        let mut request = Request::new(Method::PUT, location, Subject::Blob(digest), self.scopes(Access::Push));
        request.headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"))]);
        request.body = body;
        self.transport.send_once(&request, &[StatusCode::CREATED, StatusCode::NO_CONTENT]).await.map(|_| ())
    }

    async fn blob_request(&self, method: Method, digest: Digest, access: Access) -> Result<Request, Error> {
        let url = self.transport.url(&format!("blobs/{digest}")).await?;
        Ok(Request::new(method, url, Subject::Blob(digest), self.scopes(access)))
    }
}

/// Where an upload begins.
enum Start {
    Mounted,
    At(Url),
    Nowhere,
}

fn size_of(file: &Path) -> std::io::Result<u64> {
    std::fs::metadata(file).map(|metadata| metadata.len())
}
