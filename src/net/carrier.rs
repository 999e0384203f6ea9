//! What carries a request to a server, and brings its answer.

use futures_util::future::BoxFuture;

use super::TransportError;

/// Carries requests. The product has one, an HTTP client; the simulation of `publish` has another, whose time is virtual.
pub(crate) trait Carrier: Send + Sync {
    /// Sends the one request. Dropped before its end, it is a connection that is closed.
    fn carry(&self, request: reqwest::Request) -> BoxFuture<'_, Result<reqwest::Response, TransportError>>;
}

impl Carrier for reqwest::Client {
    fn carry(&self, request: reqwest::Request) -> BoxFuture<'_, Result<reqwest::Response, TransportError>> {
        Box::pin(async move { Ok(self.execute(request).await?) })
    }
}
