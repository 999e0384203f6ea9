//! Whether others on the way read what is sent to an address.

use std::fmt;

use url::{Host, Url};

/// An address that is shown no credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// It is none.
    Invalid(url::ParseError),
    /// Whoever listens on the way reads what is sent there: the scheme and the host.
    Plain(String),
}

/// Whether nobody on the way reads what is sent to an address: https, or this machine by a name that is its own everywhere.
/// Clients of this room ask nobody what `localhost` is.
pub(crate) fn is_confidential(url: &Url) -> bool {
    match url.scheme() {
        "https" => true,
        "http" => is_loopback(url),
        _ => false,
    }
}

/// Whether an address is on this machine: `localhost`, 127.0.0.0/8 or `::1`. Names that a server or a file would have to say
/// are not.
fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

impl Unfit {
    /// Why `url` is shown no credentials.
    pub(crate) fn of(url: &Url) -> Self {
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        Self::Plain(format!("{}://{}{port}", url.scheme(), url.host_str().unwrap_or_default()))
    }
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(error) => error.fmt(f),
            Self::Plain(address) => write!(
                f,
                "whoever listens on the way to {address} could read the credentials; https is expected, or an address of this \
                 machine"
            ),
        }
    }
}

impl std::error::Error for Unfit {}
