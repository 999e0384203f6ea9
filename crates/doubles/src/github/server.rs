//! The one server of a test process. Clients come to its front, which writes down, holds and breaks what it is told to; behind
//! that is Prism, and behind Prism the server answers. Requests to an enterprise server's address are answered at the front.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};

use hyper::Request;
use hyper::body::{Bytes, Incoming};
use hyper::http::HeaderValue;
use hyper::http::request::Parts;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use super::call::{Call, Place};
use super::checks::Base;
use super::content::{Answer, collected, full, streamed};
use super::fault::Fault;
use super::journal::Moment;
use super::prism::{LARGEST, Prism};
use super::refusal::{Refusal, nameless};
use super::repository::Repository;

/// What tells the server behind Prism to answer in a way that GitHub does not.
const MALFORMED: &str = "x-malformed";
/// Where an enterprise server's API is.
pub const ENTERPRISE: &str = "/api/v3";

/// The server.
pub struct Server {
    /// The front: `127.0.0.1:PORT`.
    pub host: String,
    prism: Prism,
    repositories: Mutex<HashMap<String, Arc<Repository>>>,
    /// What Prism found wrong with requests to no repository.
    pub violations: Mutex<Vec<String>>,
    runtime: Runtime,
}

impl Server {
    /// The process's own, which never ends.
    pub fn get() -> &'static Self {
        static SERVER: OnceLock<&'static Server> = OnceLock::new();
        SERVER.get_or_init(|| {
            let [front, behind] = [(), ()].map(|()| std::net::TcpListener::bind("127.0.0.1:0").unwrap());
            let server: &'static Self = Box::leak(Box::new(Self {
                host: front.local_addr().unwrap().to_string(),
                prism: Prism::start(&behind.local_addr().unwrap().to_string()),
                repositories: Mutex::default(),
                violations: Mutex::default(),
                runtime: tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap(),
            }));
            for (listener, is_behind) in [(front, false), (behind, true)] {
                listener.set_nonblocking(true).unwrap();
                server.runtime.spawn(async move { server.run(TcpListener::from_std(listener).unwrap(), is_behind).await });
            }
            server
        })
    }

    /// Takes a repository in.
    pub fn add(&self, repository: &Arc<Repository>) {
        self.repositories.lock().unwrap().insert(repository.slug.to_lowercase(), repository.clone());
    }

    async fn run(&'static self, listener: TcpListener, behind: bool) {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(async move {
                let service = service_fn(move |request| self.serve(request, behind));
                // What becomes of a connection that someone cuts is nobody's concern.
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(client), service).await.ok();
            });
        }
    }

    async fn serve(&'static self, request: Request<Incoming>, behind: bool) -> std::io::Result<Answer> {
        let (mut head, content) = request.into_parts();
        let document = collected(streamed(content)).await?;
        if behind {
            let malformed = head.headers.contains_key(MALFORMED);
            let answer = self.answer(&head, &document, &self.base(false));
            return if malformed { falsified(answer).await } else { Ok(answer) };
        }
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        let enterprise = path.strip_prefix(ENTERPRISE).filter(|rest| rest.starts_with('/')).map(str::to_owned);
        let path = enterprise.clone().unwrap_or(path);
        head.uri = path.parse().map_err(std::io::Error::other)?;
        let Some((place, repository)) = self.find(&head, &document) else {
            return self.ask(head, document, enterprise.is_some(), None).await;
        };
        let (call, journal) = (place.call, &repository.journal);
        let (number, nth) = journal.arrive(call, &head, &path, &document);
        journal.wait(call, nth, Moment::Before).await;
        let fault = repository.faults.of(call, nth);
        if fault == Some(Fault::Hang) {
            return std::future::pending().await;
        }
        if fault == Some(Fault::Malformed) {
            head.headers.insert(MALFORMED, "1".parse().unwrap());
        }
        let answer = match fault.and_then(|fault| fault.instead(call)) {
            Some(answer) => answer?,
            None => self.ask(head, document, enterprise.is_some(), Some(repository.clone())).await?,
        };
        journal.wait(call, nth, Moment::After).await;
        if !repository.options.delay.is_zero() {
            tokio::time::sleep(repository.options.delay).await;
        }
        let status = answer.status().as_u16();
        let answer = match fault {
            Some(fault) => fault.spoil(answer).await?,
            None => answer,
        };
        if fault != Some(Fault::Cut) {
            journal.answered(number, status);
        }
        Ok(answer)
    }

    /// Asks, whether or not whoever wants to know is still there at the end: what has arrived is done.
    async fn ask(
        &'static self,
        head: Parts,
        document: Bytes,
        enterprise: bool,
        repository: Option<Arc<Repository>>,
    ) -> std::io::Result<Answer> {
        if head.headers.get("user-agent").is_none_or(HeaderValue::is_empty) {
            return Ok(nameless());
        }
        if enterprise || document.len() > LARGEST {
            return Ok(self.answer(&head, &document, &self.base(enterprise)));
        }
        let asking = tokio::spawn(async move {
            let (answer, found) = self.prism.ask(Request::from_parts(head, full(document))).await;
            repository.as_ref().map_or(&self.violations, |repository| &repository.violations).lock().unwrap().extend(found);
            answer
        });
        asking.await.map_err(std::io::Error::other)
    }

    fn answer(&self, head: &Parts, document: &[u8], base: &Base) -> Answer {
        match self.find(head, document) {
            Some((place, repository)) => {
                repository.answer(head, &place, document, base).unwrap_or_else(|refusal| refusal.answer(place.call))
            }
            // A token that no App was given.
            None if head.uri.path() == "/installation/token" => Refusal::new(401, "Bad credentials").answer(Call::RevokeAppToken),
            None => Refusal::new(404, "Not Found").answer(Call::Other),
        }
    }

    fn find<'a>(&self, head: &'a Parts, document: &[u8]) -> Option<(Place<'a>, Arc<Repository>)> {
        let place = Place::of(&head.method, head.uri.path())?;
        let repositories = self.repositories.lock().unwrap();
        let authorization = || head.headers.get("authorization").and_then(|value| value.to_str().ok());
        let repository = if place.slug.contains('/') {
            repositories.get(&place.slug.to_lowercase()).cloned()?
        } else if place.call == Call::RevokeAppToken {
            let shown = authorization()?.split_once(' ')?.1;
            repositories.values().find(|repository| repository.has_given(shown)).cloned()?
        } else if place.call == Call::CreateAppToken {
            // An App may be installed in several, and asks for one of them by its name.
            let asked: Value = serde_json::from_slice(document).unwrap_or_default();
            let names: Vec<_> = asked["repositories"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            let installed = || repositories.values().filter(|repository| repository.is_installation(place.id));
            let is_named =
                |repository: &&Arc<Repository>| names.iter().any(|name| repository.slug.ends_with(&format!("/{name}")));
            installed().find(is_named).or_else(|| installed().next()).cloned()?
        } else {
            // Of an organisation, it is asked by the token of one of its repositories.
            let authorization = authorization()?;
            let owner = format!("{}/", place.slug);
            let asks = |repository: &&Arc<Repository>| {
                repository.slug.starts_with(&owner) && authorization.ends_with(&format!(" {}", repository.token))
            };
            repositories.values().find(asks).cloned()?
        };
        drop(repositories);
        Some((place, repository))
    }

    /// Where addresses begin: github.com's API is played by the front.
    pub fn base(&self, enterprise: bool) -> Base {
        let front = format!("http://{}", self.host);
        if enterprise {
            Base { api: format!("{front}{ENTERPRISE}"), server: front }
        } else {
            Base { api: front, server: "https://github.com".into() }
        }
    }
}

/// The answer with texts for numbers and numbers for texts.
async fn falsified(answer: Answer) -> std::io::Result<Answer> {
    let (mut head, content) = answer.into_parts();
    let mut document: Value = serde_json::from_slice(&collected(content).await?).unwrap_or_default();
    for (_, value) in document.as_object_mut().into_iter().flatten() {
        *value = match value {
            Value::Number(number) => number.to_string().into(),
            Value::String(_) => 1.into(),
            _ => continue,
        };
    }
    head.headers.remove("content-length");
    Ok(Answer::from_parts(head, full(document.to_string())))
}
