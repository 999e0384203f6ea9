//! The server: each request is written down, perhaps held or broken, and answered.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use hyper::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::fault::Fault;
use super::objects::Objects;
use super::refusal::{Refusal, json_answer};
use crate::aws::Times;
use crate::service::content::{Answer, collected, cut, of_another, streamed};
use crate::service::hold::Holds;

/// A request about Secrets that came.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Who asked; empty for nobody who is known.
    pub user: String,
    /// `get`, `create`, `patch`, `update`, `delete` or `list`.
    pub verb: String,
    /// Of the Secret.
    pub namespace: String,
    /// Empty where the path has none.
    pub name: String,
    /// What was sent, where it is JSON.
    pub object: Value,
}

pub struct Server {
    pub address: SocketAddr,
    pub objects: Mutex<Objects>,
    pub faults: Mutex<Vec<(String, Times, Fault)>>,
    pub holds: Holds<(String, usize)>,
    pub asked: Mutex<Vec<Asked>>,
    /// The tokens, each with its user and whether it is good.
    tokens: Mutex<BTreeMap<String, (String, bool)>>,
    connections: AtomicUsize,
}

impl Server {
    pub fn new(address: SocketAddr) -> Self {
        Self {
            address,
            objects: Mutex::default(),
            faults: Mutex::default(),
            holds: Holds::default(),
            asked: Mutex::default(),
            tokens: Mutex::default(),
            connections: AtomicUsize::default(),
        }
    }

    pub fn issue(&self, user: &str) -> String {
        let random: Vec<u8> = std::iter::repeat_with(rand::random).take(48).collect();
        let token = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(random);
        self.tokens.lock().unwrap().insert(token.clone(), (user.to_owned(), true));
        token
    }

    pub fn expire(&self) {
        self.tokens.lock().unwrap().values_mut().for_each(|(_, good)| *good = false);
    }

    pub fn tokens(&self) -> Vec<String> {
        self.tokens.lock().unwrap().keys().cloned().collect()
    }

    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// Serves until its runtime ends.
    pub async fn run(self: Arc<Self>, listener: TcpListener, tls: TlsAcceptor) {
        while let Ok((client, _)) = listener.accept().await {
            self.connections.fetch_add(1, Ordering::SeqCst);
            let (server, tls) = (self.clone(), tls.clone());
            tokio::spawn(async move {
                let Ok(client) = tls.accept(client).await else { return };
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
        if let Some(known) = discovery(head.uri.path()) {
            return Ok(json_answer(200, &known));
        }
        let user = self.user(head.headers.get("authorization").and_then(|value| value.to_str().ok()));
        let asked = asked(&head, &body, user.as_deref().unwrap_or_default());
        let verb = asked.verb.clone();
        let nth = {
            let mut all = self.asked.lock().unwrap();
            all.push(asked.clone());
            all.iter().filter(|one| one.verb == verb).count()
        };
        self.holds.wait(&(verb.clone(), nth)).await;
        let fault = self.fault(&verb);
        match fault {
            Some(Fault::Refused) => return Err(std::io::ErrorKind::ConnectionReset.into()),
            Some(Fault::Hang) => std::future::pending().await,
            Some(Fault::Wrong) => return Ok(of_another()),
            Some(Fault::Status(status)) => return Ok(Refusal::trouble(status).answer()),
            Some(Fault::Haste(seconds)) => return Ok(Refusal::haste(seconds).answer()),
            _ => {}
        }
        let answered = user.ok_or_else(Refusal::unauthorized).and_then(|user| self.answer(&user, &head, &asked, fault));
        let answer = match answered {
            Ok((status, object)) => json_answer(status, &object),
            Err(refusal) => refusal.answer(),
        };
        match fault {
            Some(Fault::Silence) => Err(std::io::ErrorKind::ConnectionReset.into()),
            Some(Fault::Cut) => cut(answer).await,
            Some(Fault::Truncated) => halved(answer).await,
            _ => Ok(answer),
        }
    }

    fn answer(
        &self,
        user: &str,
        head: &hyper::http::request::Parts,
        asked: &Asked,
        fault: Option<Fault>,
    ) -> Result<(u16, Value), Refusal> {
        let Asked { verb, namespace, name, object, .. } = asked;
        let mut objects = self.objects.lock().unwrap();
        if !objects.access.allows(user, verb, namespace, name) {
            return Err(Refusal::forbidden(user, verb, namespace, name));
        }
        let kind = head.headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let mut object = object.clone();
        if fault == Some(Fault::Spoilt) {
            object["data"][".dockerconfigjson"] = "e30=".into();
        }
        match &**verb {
            "get" => objects.get(namespace, name).map(|found| (200, found)),
            "create" if kind == "application/json" => objects.create(namespace, &object).map(|made| (201, made)),
            "patch" if kind == "application/merge-patch+json" => {
                objects.patch(namespace, name, &object).map(|changed| (200, changed))
            }
            "update" if kind == "application/json" => objects.update(namespace, name, &object).map(|changed| (200, changed)),
            "delete" => objects.delete(namespace, name).map(|gone| (200, gone)),
            _ => Err(Refusal::unsupported()),
        }
    }

    /// Whose token it is; none where it is nobody's or has expired.
    fn user(&self, authorization: Option<&str>) -> Option<String> {
        let Some(authorization) = authorization else { return Some("system:anonymous".to_owned()) };
        let token = authorization.strip_prefix("Bearer ")?;
        self.tokens.lock().unwrap().get(token).filter(|(_, good)| *good).map(|(user, _)| user.clone())
    }

    fn fault(&self, verb: &str) -> Option<Fault> {
        let mut faults = self.faults.lock().unwrap();
        let at = faults.iter().position(|(of, ..)| of == verb)?;
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

/// What a request asks for: `/api/v1/namespaces/NAMESPACE/secrets[/NAME]`.
fn asked(head: &hyper::http::request::Parts, body: &[u8], user: &str) -> Asked {
    let parts: Vec<_> = head.uri.path().split('/').skip(1).collect();
    let (namespace, name) = match parts[..] {
        ["api", "v1", "namespaces", namespace, "secrets"] => (namespace, ""),
        ["api", "v1", "namespaces", namespace, "secrets", name] => (namespace, name),
        _ => ("", ""),
    };
    let verb = match (head.method.as_str(), name.is_empty()) {
        ("GET", false) => "get",
        ("GET", true) => "list",
        ("POST", _) => "create",
        ("PATCH", _) => "patch",
        ("PUT", _) => "update",
        _ => "delete",
    };
    let [verb, namespace, name, user] = [verb, namespace, name, user].map(str::to_owned);
    Asked { user, verb, namespace, name, object: serde_json::from_slice(body).unwrap_or_default() }
}

/// What clients ask before anything else: which resources there are.
fn discovery(path: &str) -> Option<Value> {
    let verbs = ["create", "delete", "get", "patch", "update"];
    match path {
        "/api" => Some(json!({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []})),
        "/apis" => Some(json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": []})),
        "/api/v1" => Some(json!({"kind": "APIResourceList", "groupVersion": "v1", "resources": [
            {"name": "secrets", "singularName": "secret", "namespaced": true, "kind": "Secret", "verbs": verbs},
        ]})),
        _ => None,
    }
}

/// Half of an answer, which says that it is whole.
async fn halved(answer: Answer) -> std::io::Result<Answer> {
    let (mut head, content) = answer.into_parts();
    let bytes = collected(content).await?;
    head.headers.remove("content-length");
    Ok(Answer::from_parts(head, crate::service::content::full(bytes.slice(..bytes.len() / 2))))
}
