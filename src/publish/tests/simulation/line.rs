//! A delivery's line to the registry: what it sends goes into the [`World`], and what comes of it comes out.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::Method;
use http_body_util::BodyExt as _;
use percent_encoding::percent_decode_str;
use reqwest::ResponseBuilderExt as _;

use super::registry::{Answer, Ask, Which};
use super::world::{GOOD_FOR, Reply, World};
use crate::net::{Carrier, TransportError};
use crate::oci::Tag;
use crate::oci::registry::credentials::{self, Issuer, Password};
use crate::publish::TagRemover;
use crate::secret::Secret;

/// How often `BatchDeleteImage` is asked for, and with what pause (`RetryPolicy::AWS`).
const ATTEMPTS: u32 = 4;
const PAUSE: Duration = Duration::from_millis(700);
const ATTEMPT: Duration = Duration::from_secs(10);

#[derive(Clone)]
pub(super) struct Line {
    pub(super) world: Arc<World>,
    pub(super) run: usize,
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the line of run {}", self.run)
    }
}

impl Line {
    async fn ask(&self, ask: Ask, shown: Option<String>) -> Reply {
        match self.world.send(self.run, ask, shown).await {
            Ok(reply) => reply,
            // Nobody ever says.
            Err(_) => std::future::pending().await,
        }
    }
}

impl Carrier for Line {
    fn carry(&self, mut request: reqwest::Request) -> BoxFuture<'_, Result<reqwest::Response, TransportError>> {
        Box::pin(async move {
            let content = match request.body_mut().take() {
                Some(body) => body.collect().await?.to_bytes(),
                None => Bytes::new(),
            };
            let (ask, shown) = (asked(&request, content), shown(&request));
            let (answer, whole) = match self.ask(ask, shown).await {
                Reply::Whole(answer) => (answer, true),
                Reply::Truncated(answer) => (answer, false),
                Reply::Failed(error) => return Err(error),
            };
            Ok(response(request.url().clone(), answer, whole))
        })
    }
}

fn response(url: url::Url, answer: Answer, whole: bool) -> reqwest::Response {
    let mut builder = http::Response::builder().status(answer.status).url(url);
    for (name, value) in answer.headers {
        builder = builder.header(name, value);
    }
    let body = if whole {
        reqwest::Body::from(answer.body)
    } else {
        let half = answer.body.slice(..answer.body.len() / 2);
        let cut = std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
        reqwest::Body::wrap_stream(futures_util::stream::iter([Ok(half), Err(cut)]))
    };
    builder.body(body).unwrap().into()
}

/// What a request asks for (distribution-spec, "Endpoints").
fn asked(request: &reqwest::Request, content: Bytes) -> Ask {
    let path = percent_decode_str(request.url().path()).decode_utf8().unwrap().into_owned();
    let Some(rest) = path.strip_prefix("/v2/app/") else {
        return if path == "/token" { Ask::Token } else { Ask::Ping };
    };
    let which = |text: &str| text.parse().map_or_else(|_| Which::Tag(text.parse().unwrap()), Which::Digest);
    let header = |name: &str| request.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    match (request.method(), rest.split('/').collect::<Vec<_>>().as_slice()) {
        (&Method::GET, ["tags", "list"]) => Ask::List,
        (&Method::HEAD, ["blobs", digest]) => Ask::HasBlob(digest.parse().unwrap()),
        (&Method::POST, ["blobs", "uploads", ""]) => Ask::BeginUpload,
        (&Method::PUT, ["blobs", "uploads", session]) => {
            let digest = request.url().query_pairs().find(|(name, _)| name == "digest");
            Ask::PutBlob { session: (*session).to_owned(), digest: digest.and_then(|(_, digest)| digest.parse().ok()), content }
        }
        (method @ (&Method::GET | &Method::HEAD), ["manifests", name]) => {
            Ask::Look { which: which(name), head: method == Method::HEAD }
        }
        (&Method::PUT, ["manifests", name]) => Ask::Put {
            which: which(name),
            media_type: header("content-type").unwrap_or_default(),
            content,
            only_if_new: header("if-none-match").is_some(),
        },
        (&Method::DELETE, ["manifests", name]) => Ask::Delete(which(name)),
        other => panic!("nothing here answers {other:?}"),
    }
}

/// The token or password that a request shows.
fn shown(request: &reqwest::Request) -> Option<String> {
    use base64::Engine as _;
    let value = request.headers().get("authorization")?.to_str().unwrap();
    if let Some(token) = value.strip_prefix("Bearer ") {
        return Some(token.to_owned());
    }
    let pair = base64::engine::general_purpose::STANDARD.decode(value.strip_prefix("Basic ")?).unwrap();
    Some(String::from_utf8(pair).unwrap().split_once(':')?.1.to_owned())
}

impl TagRemover for Line {
    fn remove<'a>(&'a self, tag: &'a Tag) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            let mut said = String::new();
            for attempt in 0..ATTEMPTS {
                if attempt > 0 {
                    tokio::time::sleep(PAUSE).await;
                }
                said = match tokio::time::timeout(ATTEMPT, self.ask(Ask::Untag(tag.clone()), None)).await {
                    // That it is not there counts as removed.
                    Ok(Reply::Whole(Answer { status: 200 | 404, .. })) => return Ok(()),
                    Ok(Reply::Whole(Answer { status: status @ (401 | 403), .. })) => return Err(status.to_string()),
                    Ok(other) => format!("{other:?}"),
                    Err(_) => "no answer".to_owned(),
                };
            }
            Err(said)
        })
    }

    fn command(&self, tag: &Tag) -> String {
        format!("aws ecr batch-delete-image {tag}")
    }
}

impl Issuer for Line {
    fn issue(&self) -> BoxFuture<'_, Result<Password, credentials::Error>> {
        Box::pin(async {
            let password = Secret::new(self.world.issue());
            Ok(Password { username: "AWS".to_owned(), password, good_for: Some(Duration::from_secs(GOOD_FOR)) })
        })
    }
}
