//! The list of a repository's tags.

use http::header::{HeaderMap, LINK};
use http::{Method, StatusCode};
use serde::Deserialize;
use url::Url;

use super::client::{Access, Client};
use super::error::{Error, Subject, UrlRole};
use super::request::Request;
use crate::document;
use crate::net::{RetryPolicy, TransportError};
use crate::oci::Tag;

/// The most that is read of one page, in bytes.
const MAX_PAGE: u64 = 4 << 20;
/// The most pages that are asked for, and the most tags that are listed. A list that is not known to its end is none.
const MAX_PAGES: usize = 1000;
pub(crate) const MAX_TAGS: usize = 100_000;

#[derive(Deserialize)]
struct Page {
    // Some registries write null for a repository without tags.
    tags: Option<Vec<String>>,
}

impl Client {
    /// The repository's tags, in the registry's order (distribution-spec, "Listing Tags"). A repository that is not there
    /// has none.
    ///
    /// # Errors
    /// The registry does not list them.
    pub(crate) async fn tags(&self) -> Result<Vec<Tag>, Error> {
        let request = Request::new(Method::GET, self.transport.url("tags/list").await?, Subject::Tags, self.scopes(Access::Pull));
        let whole = self.transport.connection.patience.tags;
        let listed = tokio::time::timeout(whole, self.tag_pages(&request)).await;
        listed.unwrap_or_else(|_| Err(request.failed(TransportError::Overdue(whole))))
    }

    async fn tag_pages(&self, first: &Request) -> Result<Vec<Tag>, Error> {
        let mut tags = Vec::new();
        let mut url = first.url.clone();
        for _ in 0..MAX_PAGES {
            let request = Request::new(Method::GET, url, Subject::Tags, self.scopes(Access::Pull));
            let (page, following) = RetryPolicy::REGISTRY.run(|| self.tag_page(&request)).await?;
            tags.extend(page.tags.unwrap_or_default().iter().filter_map(|tag| tag.parse::<Tag>().ok()));
            match following {
                _ if tags.len() > MAX_TAGS => break,
                Some(next) => url = next,
                None => return Ok(tags),
            }
        }
        let reason = format!("more than {MAX_TAGS} tags, or than {MAX_PAGES} pages of them");
        Err(self.transport.connection.malformed(&Subject::Tags, &reason))
    }

    async fn tag_page(&self, request: &Request) -> Result<(Page, Option<Url>), Error> {
        let response = self.transport.send_once(request, &[StatusCode::OK, StatusCode::NOT_FOUND]).await?;
        if response.status() == StatusCode::NOT_FOUND {
            return Ok((Page { tags: None }, None));
        }
        let next = following(response.headers()).and_then(|link| response.url().join(&link).ok());
        let next = next.map(|url| self.transport.connection.allowed(url.as_str(), UrlRole::Redirect)).transpose()?;
        let bytes = self.transport.connection.read(response, request, MAX_PAGE).await?;
        let page = document::read(&bytes)
            .map_err(|_| self.transport.connection.malformed(&request.subject, "not the JSON of a list"))?;
        Ok((page, next))
    }
}

/// The next page's address: `<URL>; rel="next"` (RFC 8288).
pub(super) fn following(headers: &HeaderMap) -> Option<String> {
    let link = headers.get(LINK)?.to_str().ok()?;
    let (url, parameters) = link.strip_prefix('<')?.split_once('>')?;
    parameters.contains("next").then(|| url.to_owned())
}
