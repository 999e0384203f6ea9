//! How an HTTP client is made.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use reqwest::redirect::{Attempt, Policy};

use super::Proxies;
use super::address::is_confidential;

/// The limit for connecting.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How many redirects are followed.
const MAX_REDIRECTS: usize = 10;

/// Makes HTTP clients that say who they are, don't wait for ever for a connection, and follow no redirect by themselves:
/// what may be shown at the other end differs.
pub(crate) struct ClientBuilder(reqwest::ClientBuilder);

impl ClientBuilder {
    /// A client with the machine's certificates, that honours the usual variables (`HTTPS_PROXY`, `NO_PROXY`).
    pub(crate) fn new() -> Self {
        let builder = reqwest::Client::builder()
            .user_agent(concat!("gp-deliver/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            // Nobody is asked what this name is; the port is the address's own.
            .resolve_to_addrs(
                "localhost",
                &[SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), SocketAddr::from((Ipv6Addr::LOCALHOST, 0))],
            )
            .redirect(Policy::none())
            .no_proxy();
        Self(Proxies::from_environment().of_reqwest().fold(builder, reqwest::ClientBuilder::proxy))
    }

    /// Gives a request this long, its answer included; without it, there is no limit on the whole.
    pub(crate) fn timeout(self, timeout: Option<Duration>) -> Self {
        match timeout {
            Some(timeout) => Self(self.0.timeout(timeout)),
            None => self,
        }
    }

    /// Follows redirects, but to plain http on another machine; credentials go to the first host alone.
    pub(crate) fn follow_redirects(self) -> Self {
        let confidential = |attempt: Attempt<'_>| {
            if !is_confidential(attempt.url()) {
                attempt.error("a redirect to plain http")
            } else if attempt.previous().len() > MAX_REDIRECTS {
                attempt.error("too many redirects")
            } else {
                attempt.follow()
            }
        };
        Self(self.0.redirect(Policy::custom(confidential)))
    }

    /// Sends nothing over plain http.
    pub(super) fn https_only(self) -> Self {
        Self(self.0.https_only(true))
    }

    /// Believes those alone whom the certificates of a bundle (PEM) vouch for, and none that the machine knows; `None` if there is
    /// no certificate in it.
    pub(crate) fn trust_only(self, bundle: &[u8]) -> Option<Self> {
        let certificates = reqwest::Certificate::from_pem_bundle(bundle).ok().filter(|found| !found.is_empty())?;
        Some(Self(self.0.tls_certs_only(certificates).https_only(true)))
    }

    /// Goes past any proxy: a proxy's loopback is another machine's.
    pub(crate) fn no_proxy(self) -> Self {
        Self(self.0.no_proxy())
    }

    /// The client.
    ///
    /// # Errors
    /// The machine's certificates can't be read.
    pub(crate) fn build(self) -> Result<reqwest::Client, reqwest::Error> {
        self.0.build()
    }
}
