//! Where a builder is, and how to reach it.

use std::fmt;
use std::path::{Path, PathBuf};

use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint as TonicEndpoint, Identity, Uri};

use super::error::Error;
use super::session::STREAM_WINDOW;
use super::session::attachables::{CONNECTION_WINDOW, MAX_HEADERS};
use super::tls::Tls;
use crate::net::{CONNECT_TIMEOUT, chain, is_confidential};

/// The address of a builder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    /// `unix:///path/to/socket`.
    Unix(PathBuf),
    /// `tcp://HOST:PORT`.
    Tcp(String),
}

/// The text is not an address. What is shown of it has no credentials: see [`shown`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not unix:///PATH or tcp://HOST:PORT")]
pub(crate) struct InvalidAddress(pub(crate) String);

impl std::str::FromStr for Address {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidAddress(shown(text));
        if let Some(path) = text.strip_prefix("unix://") {
            return if path.starts_with('/') { Ok(Self::Unix(path.into())) } else { Err(invalid()) };
        }
        let authority = text.strip_prefix("tcp://").ok_or_else(invalid)?;
        let (host, port) = authority.rsplit_once(':').ok_or_else(invalid)?;
        let is_port = port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok();
        if host.is_empty() || !is_port || authority.contains(['/', '@']) {
            return Err(invalid());
        }
        Ok(Self::Tcp(authority.to_owned()))
    }
}

/// A text that is no address, without what may be a credential in it: what stands before an `@`, and what comes after a host.
pub(crate) fn shown(text: &str) -> String {
    let (scheme, rest) = text.split_once("://").map_or(("", text), |(scheme, rest)| (scheme, rest));
    let scheme = if scheme.is_empty() || scheme.contains('@') { String::new() } else { format!("{scheme}://") };
    let (hidden, rest) = rest.rsplit_once('@').map_or(("", rest), |(_, rest)| ("…@", rest));
    let is_path = scheme == "unix://" && hidden.is_empty();
    match rest.find(['/', '?', '#']).filter(|_| !is_path) {
        Some(at) => format!("{scheme}{hidden}{}/…", &rest[..at]),
        None => format!("{scheme}{hidden}{rest}"),
    }
}

impl Address {
    /// The one spelling of an address: letter case is nothing to a host, and zeros before a port are nothing to a port.
    #[must_use]
    pub(crate) fn canonical(&self) -> String {
        let Self::Tcp(authority) = self else { return self.to_string() };
        let (host, port) = authority.rsplit_once(':').unwrap_or((authority, ""));
        format!("tcp://{}:{}", host.to_lowercase(), port.trim_start_matches('0'))
    }

    /// Whether both are the same builder, as far as their spelling goes.
    #[must_use]
    pub(crate) fn is_same_as(&self, other: &Self) -> bool {
        self.canonical() == other.canonical()
    }

    /// Whether what goes there without TLS passes no other machine.
    pub(crate) fn is_on_this_machine(&self) -> bool {
        match self {
            Self::Unix(_) => true,
            Self::Tcp(authority) => format!("http://{authority}").parse().is_ok_and(|url| is_confidential(&url)),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Tcp(authority) => write!(f, "tcp://{authority}"),
        }
    }
}

/// A byte stream to a builder, of whichever kind.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Opens a connection, over TCP with TLS where that is asked for.
///
/// # Errors
/// Nobody answers, or the other side is not believed.
pub(super) async fn dial(address: &Address, tls: Option<&Tls>) -> std::io::Result<Box<dyn Stream>> {
    Ok(match (address, tls) {
        (Address::Unix(path), _) => Box::new(UnixStream::connect(path).await?),
        (Address::Tcp(authority), None) => Box::new(TcpStream::connect(authority).await?),
        (Address::Tcp(authority), Some(tls)) => Box::new(tls.connect(authority, TcpStream::connect(authority).await?).await?),
    })
}

/// Connects to a standalone `buildkitd`. `certificates` is a folder with `ca.pem`, and `cert.pem` and `key.pem` for a
/// client certificate (the names that `buildctl --tlsdir` reads); without it TCP is not encrypted.
///
/// # Errors
/// A certificate can't be used, or nobody answers.
pub(crate) async fn connect_buildkitd(address: &Address, certificates: Option<&Path>) -> Result<Channel, Error> {
    let no_engine = |error: &(dyn std::error::Error + 'static)| no_engine(address, error);
    if let (Address::Tcp(authority), Some(folder)) = (address, certificates) {
        let endpoint = TonicEndpoint::from_shared(format!("https://{authority}")).map_err(|error| no_engine(&error))?;
        let endpoint = endpoint.tls_config(tls(folder)?).map_err(|error| no_engine(&error))?;
        return configure(endpoint).connect().await.map_err(|error| no_engine(&error));
    }
    let target = address.clone();
    let connector = tower::service_fn(move |_: Uri| {
        let target = target.clone();
        async move { dial(&target, None).await.map(TokioIo::new) }
    });
    plain_endpoint().connect_with_connector(connector).await.map_err(|error| no_engine(&error))
}

/// Nobody answers at `address`.
fn no_engine(address: &Address, error: &(dyn std::error::Error + 'static)) -> Error {
    Error::NoEngine { tried: vec![address.to_string()], reason: chain(error).into() }
}

/// A connection without TLS of its own, which a connector makes.
pub(super) fn plain_endpoint() -> TonicEndpoint {
    // The authority is never resolved: the connector knows where to go.
    configure(TonicEndpoint::from_static("http://buildkit"))
}

fn configure(endpoint: TonicEndpoint) -> TonicEndpoint {
    endpoint
        .http2_max_header_list_size(MAX_HEADERS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .connect_timeout(CONNECT_TIMEOUT)
}

fn tls(folder: &Path) -> Result<ClientTlsConfig, Error> {
    let read = |name: &str| {
        let path = folder.join(name);
        std::fs::read(&path).map_err(|error| Error::Certificate { path, reason: error.to_string() })
    };
    let config = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(read("ca.pem")?));
    let identity = folder.join("cert.pem").exists() || folder.join("key.pem").exists();
    Ok(if identity { config.identity(Identity::from_pem(read("cert.pem")?, read("key.pem")?)) } else { config })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_unix_socket_or_a_host_and_port() {
        for text in ["unix:///run/buildkit/buildkitd.sock", "tcp://127.0.0.1:1234", "tcp://[::1]:1234"] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "unix://relative",
            "tcp://host",
            "tcp://:1",
            "tcp://host:99999",
            "ssh://host",
            "tcp://user@host:1",
            "host:1",
            "tcp://host:+1",
        ] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
    }
}
