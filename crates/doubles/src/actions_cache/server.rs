//! The server: each request is written down, perhaps broken, and answered.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use hyper::body::{Bytes, Incoming};
use hyper::http::request::Parts;
use hyper::service::service_fn;
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::ActionsCache;
use super::blobs::{self, Blocks, Signatures};
use super::entries::Entries;
use super::refusal::{Refusal, twirp};
use super::token::Tokens;
use crate::aws::Times;
use crate::service::content::{Answer, collected, cut, streamed};

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The connection ends.
    Refused,
    /// Nothing comes.
    Hang,
    /// This status.
    Status(u16),
    /// Too many requests.
    Haste,
    /// The answer ends in its middle.
    Cut,
}

const SERVICE: &str = "/twirp/github.actions.results.api.v1.CacheService/";

pub struct Server {
    pub address: SocketAddr,
    pub tokens: Tokens,
    pub entries: Mutex<Entries>,
    pub faults: Mutex<Vec<(String, Times, Fault)>>,
    pub seen: Mutex<Vec<String>>,
    signatures: Signatures,
    blocks: Blocks,
}

impl Server {
    pub fn new(address: SocketAddr) -> Self {
        Self {
            address,
            tokens: Tokens::default(),
            entries: Mutex::new(Entries::new(ActionsCache::LIMIT)),
            faults: Mutex::default(),
            seen: Mutex::default(),
            signatures: Signatures::default(),
            blocks: Blocks::default(),
        }
    }

    /// Serves until its runtime ends.
    pub async fn run(self: Arc<Self>, listener: TcpListener) {
        while let Ok((client, _)) = listener.accept().await {
            let server = self.clone();
            tokio::spawn(async move {
                let service = service_fn(move |request| {
                    let server = server.clone();
                    async move { server.serve(request).await }
                });
                // What becomes of a connection that someone cuts is nobody's concern.
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(client), service).await.ok();
            });
        }
    }

    async fn serve(&self, request: Request<Incoming>) -> std::io::Result<Answer> {
        let (head, content) = request.into_parts();
        let body = collected(streamed(content)).await?;
        let path = format!("{} {}", head.method, head.uri);
        self.seen.lock().unwrap().push(path.clone());
        let fault = self.fault(&path);
        match fault {
            Some(Fault::Refused) => return Err(std::io::ErrorKind::ConnectionReset.into()),
            Some(Fault::Hang) => std::future::pending().await,
            Some(Fault::Status(status)) => return Ok(Refusal::trouble(status).answer()),
            Some(Fault::Haste) => return Ok(Refusal::haste().answer()),
            Some(Fault::Cut) | None => {}
        }
        let answered = match head.uri.path().strip_prefix(SERVICE) {
            Some(call) => self.call(call, &head, &body),
            None => self.blob(&head, body),
        };
        let answer = answered.unwrap_or_else(|refusal| refusal.answer());
        if fault == Some(Fault::Cut) { cut(answer).await } else { Ok(answer) }
    }

    fn call(&self, call: &str, head: &Parts, body: &[u8]) -> Result<Answer, Refusal> {
        let authorization = head.headers.get("authorization").and_then(|value| value.to_str().ok());
        let scopes = self.tokens.scopes(authorization).ok_or_else(Refusal::unauthenticated)?;
        let asked: Value = serde_json::from_slice(body).map_err(|_| Refusal::invalid("the request is no JSON"))?;
        let text = |name: &str| asked[name].as_str().unwrap_or_default().to_owned();
        let (key, version) = (text("key"), text("version"));
        let mut entries = self.entries.lock().unwrap();
        let address = |number, writes| format!("http://{}/{}", self.address, self.signatures.sign(number, writes));
        Ok(twirp(&match call {
            "CreateCacheEntry" => {
                let number = entries.create(&scopes, &key, &version)?;
                json!({"ok": true, "signed_upload_url": address(number, true)})
            }
            "FinalizeCacheEntryUpload" => {
                let size = asked["size_bytes"].as_u64().or_else(|| asked["size_bytes"].as_str()?.parse().ok());
                let size = size.and_then(|size| usize::try_from(size).ok()).ok_or_else(|| Refusal::invalid("size_bytes"))?;
                json!({"ok": true, "entry_id": entries.finish(&scopes, &key, &version, size)?.to_string()})
            }
            "GetCacheEntryDownloadURL" => {
                let others = asked["restore_keys"].as_array().into_iter().flatten();
                let others: Vec<_> = others.filter_map(|key| Some(key.as_str()?.to_owned())).collect();
                match entries.find(&scopes, &key, &others, &version) {
                    Some((number, matched)) => {
                        json!({"ok": true, "signed_download_url": address(number, false), "matched_key": matched})
                    }
                    None => json!({"ok": false, "signed_download_url": "", "matched_key": ""}),
                }
            }
            _ => return Err(Refusal::Twirp(404, "bad_route", format!("no handler for {call}"))),
        }))
    }

    fn blob(&self, head: &Parts, body: Bytes) -> Result<Answer, Refusal> {
        match head.method {
            Method::PUT => {
                let number = self.signatures.entry(head, true)?;
                if let Some(content) = blobs::put(&self.blocks, number, head, body)? {
                    self.entries.lock().unwrap().put(number, content)?;
                }
                Ok(blobs::created())
            }
            Method::GET => {
                let number = self.signatures.entry(head, false)?;
                let content = self.entries.lock().unwrap().content(number);
                blobs::get(head, &content.ok_or(Refusal::Azure(404, "BlobNotFound"))?)
            }
            _ => Err(Refusal::Azure(405, "UnsupportedHttpVerb")),
        }
    }

    fn fault(&self, path: &str) -> Option<Fault> {
        let mut faults = self.faults.lock().unwrap();
        let at = faults.iter().position(|(holds, ..)| path.contains(holds.as_str()))?;
        let (_, times, fault) = &mut faults[at];
        let fault = *fault;
        match times {
            Times::Always => {}
            Times::Exactly(more) if *more > 1 => *more -= 1,
            _ => {
                faults.remove(at);
            }
        }
        Some(fault)
    }
}
