//! The one server of a world: each request is written down, perhaps held or broken, and answered by its service.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use http_body_util::BodyExt as _;
use hyper::Request;
use hyper::body::Incoming;
use hyper::http::request::Parts;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;

use super::account::{Account, Session};
use super::call::{Call, Service};
use super::content::{Answer, Content, collected, cut, full, of_another, streamed};
use super::fault::{Fault, Faults, corrupted, truncated};
use super::issuer::Issuer;
use super::journal::Journal;
use super::moto::Moto;
use super::refusal::{of_denial, of_ecr, of_expiry, of_github, of_haste, of_trouble};
use super::secrets::Secrets;

/// Everything that the services know.
pub struct Server {
    /// `127.0.0.1:PORT`.
    pub host: String,
    pub account: Account,
    pub issuer: Issuer,
    pub moto: Moto,
    /// The address of the registry behind, and its folder.
    pub registry: String,
    pub registry_folder: PathBuf,
    /// Where the content of blobs is: `127.0.0.1:PORT`.
    pub storage: String,
    /// The links to content that were given out, by their signature.
    pub links: Mutex<HashMap<String, String>>,
    /// How many seconds the first password of the registry is valid, where that is less than ECR's have.
    pub first_password_lifetime: Option<u64>,
    /// How many seconds the first session lasts, where that is less than was asked for.
    pub first_session_lifetime: Option<u64>,
    /// Whether blobs are mounted from other repositories.
    pub mounts: bool,
    pub passwords: Mutex<HashMap<String, Password>>,
    /// The uploads that have a part already.
    pub uploads: Mutex<BTreeSet<String>>,
    /// Tags are read and written by one at a time.
    pub tagging: tokio::sync::Mutex<()>,
    pub faults: Faults,
    /// What ECR answers to calls that moto does not know, by their names.
    pub answers: Mutex<HashMap<String, serde_json::Value>>,
    pub scans: Mutex<super::scan::Scans>,
    pub journal: Journal,
    pub secrets: Secrets,
}

/// What `GetAuthorizationToken` gave.
pub struct Password {
    pub session: Session,
    pub expires: SystemTime,
}

/// Why a signed request is nobody's.
pub enum Unknown {
    Unsigned,
    Stranger,
    Expired,
}

/// A call of AWS's JSON protocol by somebody who is known.
pub struct Asked {
    /// Who asks.
    pub session: Session,
    /// What for.
    pub operation: String,
    /// With what.
    pub parameters: Value,
}

impl Server {
    /// Serves one of its two addresses until its runtime ends.
    pub async fn run(self: Arc<Self>, listener: TcpListener, storage: bool) {
        while let Ok((client, _)) = listener.accept().await {
            let server = self.clone();
            tokio::spawn(async move {
                let service = service_fn(move |request| {
                    let server = server.clone();
                    async move { server.serve(request, storage).await }
                });
                // What becomes of a connection that someone cuts is nobody's concern.
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(client), service).await.ok();
            });
        }
    }

    async fn serve(&self, request: Request<Incoming>, storage: bool) -> std::io::Result<Answer> {
        let (head, content) = request.into_parts();
        let mut content = streamed(content);
        let mut document = Vec::new();
        if head.uri.path() == "/" {
            document = collected(std::mem::replace(&mut content, full(""))).await?.to_vec();
        }
        let call = if storage { Call::BlobContent } else { Call::of(&head, &document) };
        let number = self.journal.arrive(call, &head, &document).await;
        let fault = self.faults.take(call, self.journal.length(number));
        if let Some(Fault::CutRequest(after)) = fault {
            return Err(read(content, after).await);
        }
        let answer = match fault {
            Some(Fault::Refused) => Err(std::io::ErrorKind::ConnectionReset.into()),
            Some(Fault::Hang) => std::future::pending().await,
            Some(Fault::Wrong) => refuse(content, of_another()).await,
            Some(Fault::Expired) => refuse(content, of_expiry(call.service())).await,
            Some(Fault::ThrottleFor(seconds)) => {
                let mut answer = of_haste(call.service());
                answer.headers_mut().insert("retry-after", seconds.into());
                refuse(content, answer).await
            }
            Some(Fault::Status(status)) => refuse(content, of_trouble(call.service(), status)).await,
            Some(Fault::Denial(message)) => refuse(content, of_denial(call.service(), message)).await,
            Some(Fault::Throttle) => refuse(content, of_haste(call.service())).await,
            other => {
                match other {
                    Some(Fault::Delay(milliseconds)) => tokio::time::sleep(Duration::from_millis(milliseconds)).await,
                    Some(Fault::SessionEnds) => self.account.end_sessions(),
                    _ => {}
                }
                self.answer(call, head, content, &document).await
            }
        }?;
        let status = answer.status().as_u16();
        let answer = match fault {
            Some(Fault::Silence) => Err(std::io::ErrorKind::ConnectionReset.into()),
            Some(Fault::Cut) => cut(answer).await,
            Some(Fault::Truncated) => truncated(answer).await,
            Some(Fault::Corrupt) => corrupted(answer).await,
            _ => Ok(answer),
        }?;
        self.journal.answered(number, status);
        Ok(answer)
    }

    async fn answer(&self, call: Call, head: Parts, content: Content, document: &[u8]) -> std::io::Result<Answer> {
        match (call, call.service()) {
            (Call::IdToken, _) => Ok(self.issuer.id_token(&head, &self.secrets)),
            (Call::Discovery, _) => Ok(self.issuer.discovery(head.uri.path(), &self.host)),
            (Call::Unknown, _) if !head.uri.path().starts_with("/v2/") => Ok(of_github(404, "Not found.")),
            (Call::BlobContent, _) => self.content(&head).await,
            (_, Service::Sts) => self.sts(call, head, document).await,
            (_, Service::Ecr) => self.ecr(call, head, document).await,
            (_, Service::Kms) => self.kms(head, document).await,
            _ => self.distribution(call, head, content).await,
        }
    }

    /// Who asks for what, by a call of AWS's JSON protocol; the error is the refusal.
    pub fn asked(&self, head: &Parts, document: &[u8]) -> Result<Asked, Answer> {
        let session = self.session(head).map_err(|unknown| match unknown {
            Unknown::Unsigned => of_ecr(400, "MissingAuthenticationTokenException", "Missing Authentication Token"),
            Unknown::Stranger => {
                of_ecr(400, "UnrecognizedClientException", "The security token included in the request is invalid.")
            }
            Unknown::Expired => of_ecr(400, "ExpiredTokenException", "The security token included in the request is expired"),
        })?;
        let target = head.headers["x-amz-target"].to_str().unwrap_or_default();
        let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
        let parameters =
            serde_json::from_slice(document).map_err(|_| of_ecr(400, "SerializationException", "Unexpected content"))?;
        Ok(Asked { session, operation, parameters })
    }

    /// Whose request this is, by the access key in its signature. Moto checks the signature itself.
    pub fn session(&self, head: &Parts) -> Result<Session, Unknown> {
        let authorization = head.headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let (_, credential) = authorization.split_once("Credential=").ok_or(Unknown::Unsigned)?;
        let id = credential.split('/').next().unwrap_or_default();
        let session = self.account.content().sessions.get(id).cloned().ok_or(Unknown::Stranger)?;
        if session.expires <= SystemTime::now() { Err(Unknown::Expired) } else { Ok(session) }
    }
}

/// An answer that needs nothing of the request; a client that still sends would not read it.
async fn refuse(content: Content, answer: Answer) -> std::io::Result<Answer> {
    collected(content).await.map(|_| answer)
}

/// Reads so many bytes; then nothing more comes of it.
async fn read(mut content: Content, bytes: u64) -> std::io::Error {
    let mut seen = 0;
    while seen < bytes {
        match content.frame().await {
            Some(Ok(frame)) => seen += frame.data_ref().map_or(0, |data| data.len() as u64),
            _ => break,
        }
    }
    std::io::ErrorKind::ConnectionReset.into()
}
