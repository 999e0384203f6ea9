//! A Docker engine behind one address: its REST API, and the BuildKit in it. Both go over connections of this client's own
//! making, so that one place knows of sockets and of TLS.

use std::path::Path;
use std::time::Duration;

use bollard::errors::Error as EngineError;
use bollard::{BollardRequest, Docker};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tonic::transport::{Channel, Uri};

use super::endpoint::{Address, Stream, dial, plain_endpoint};
use super::error::Error;
use super::session::silence::ANSWER;
use super::tls::Tls;
use crate::net::chain;

/// How long an answer may still be on its way to the caller once its connection has ended.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How an engine is reached.
#[derive(Clone)]
pub(super) struct EngineClient {
    address: Address,
    tls: Option<Tls>,
}

impl EngineClient {
    /// The engine at `address`; over TCP with TLS by the files in `certificates`, if a folder is given.
    ///
    /// # Errors
    /// A certificate can't be used.
    pub(super) fn new(address: Address, certificates: Option<&Path>) -> Result<Self, Error> {
        let certificates = certificates.filter(|_| matches!(address, Address::Tcp(_)));
        Ok(Self { tls: certificates.map(Tls::read).transpose()?, address })
    }

    /// Where it is.
    pub(super) fn address(&self) -> &Address {
        &self.address
    }

    /// It does not answer.
    pub(super) fn silent(&self, error: &(dyn std::error::Error + 'static)) -> Error {
        let tls = if self.tls.is_some() { " with TLS" } else { "" };
        Error::NoEngine { tried: vec![format!("{}{tls}", self.address)], reason: chain(error).into() }
    }

    /// Its REST API.
    ///
    /// # Errors
    /// Never for a client of this kind.
    pub(super) fn rest(&self) -> Result<Docker, EngineError> {
        let engine = self.clone();
        let transport = move |request: BollardRequest| {
            let engine = engine.clone();
            async move { engine.send(request).await }
        };
        // The name is never resolved: the transport knows where to go.
        Docker::connect_with_custom_transport(transport, Some("http://docker"), ANSWER.as_secs(), bollard::API_DEFAULT_VERSION)
    }

    /// Its BuildKit: an HTTP/1 request that is upgraded to HTTP/2 (Engine API, `POST /grpc`).
    ///
    /// # Errors
    /// Nobody answers, or the engine refuses the upgrade.
    pub(super) async fn buildkit(&self) -> Result<Channel, Error> {
        let engine = self.clone();
        let connector = tower::service_fn(move |_: Uri| {
            let engine = engine.clone();
            async move { engine.upgrade().await.map(TokioIo::new) }
        });
        plain_endpoint().connect_with_connector(connector).await.map_err(|error| self.silent(&error))
    }

    async fn connect(&self) -> std::io::Result<Box<dyn Stream>> {
        dial(&self.address, self.tls.as_ref()).await
    }

    async fn send(&self, mut request: BollardRequest) -> Result<http::Response<Incoming>, EngineError> {
        let (mut sender, connection) = http1::handshake(TokioIo::new(self.connect().await?)).await?;
        let mut connection = tokio::spawn(connection);
        let path = request.uri().path_and_query().map_or("/", http::uri::PathAndQuery::as_str).to_owned();
        *request.uri_mut() = path.parse().map_err(http::Error::from)?;
        request.headers_mut().insert(http::header::HOST, http::HeaderValue::from_static("docker"));
        let answer = sender.send_request(request);
        tokio::pin!(answer);
        // A connection that ends at once says why (an alert of TLS), and its request may never hear of it.
        let (answered, ended) = tokio::select! {
            biased;
            answered = &mut answer => match answered {
                Ok(response) => return Ok(response),
                Err(error) => (Some(error), connection.await),
            },
            ended = &mut connection => match tokio::time::timeout(LAST_WORDS, answer).await {
                Ok(Ok(response)) => return Ok(response),
                Ok(Err(error)) => (Some(error), ended),
                Err(_) => (None, ended),
            },
        };
        Err(match (ended, answered) {
            (Ok(Err(cause)), _) | (_, Some(cause)) => cause.into(),
            (_, None) => std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into(),
        })
    }

    async fn upgrade(&self) -> std::io::Result<TokioIo<hyper::upgrade::Upgraded>> {
        let stream = TokioIo::new(self.connect().await?);
        let (mut sender, connection) = http1::handshake(stream).await.map_err(std::io::Error::other)?;
        tokio::spawn(connection.with_upgrades());
        let request = http::Request::post("/grpc")
            .header(http::header::HOST, "docker")
            .header(http::header::CONNECTION, "Upgrade")
            .header(http::header::UPGRADE, "h2c")
            .body(http_body_util::Empty::<bytes::Bytes>::new())
            .map_err(std::io::Error::other)?;
        let response = sender.send_request(request).await.map_err(std::io::Error::other)?;
        if response.status() != http::StatusCode::SWITCHING_PROTOCOLS {
            return Err(std::io::Error::other(format!("the engine answered {} to POST /grpc", response.status())));
        }
        hyper::upgrade::on(response).await.map(TokioIo::new).map_err(std::io::Error::other)
    }
}
