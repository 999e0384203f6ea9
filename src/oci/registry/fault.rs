//! How connections end.

use std::fmt;
use std::io;
use std::time::Duration;

use super::error::clean;
use super::transport::CONNECT_TIMEOUT;

/// How a connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nobody listens there.
    Refused,
    /// The name of the host is not known.
    UnknownHost(String),
    /// No one is known to be who they say they are, or they don't speak TLS.
    Tls(String),
    /// It was cut.
    Cut(String),
    /// Nothing came or went for this long.
    Stalled(Duration),
    /// Something else.
    Other(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused => f.write_str("connection refused"),
            Self::UnknownHost(detail) => write!(f, "unknown host: {detail}"),
            Self::Tls(detail) => write!(f, "TLS: {detail}"),
            Self::Cut(detail) => write!(f, "connection cut: {detail}"),
            Self::Stalled(after) => write!(f, "nothing moved for {} s", after.as_secs()),
            Self::Other(detail) => f.write_str(detail),
        }
    }
}

impl From<reqwest::Error> for Fault {
    /// Classifies by the errors beneath: reqwest has no kinds for most of them.
    fn from(error: reqwest::Error) -> Self {
        let error = error.without_url();
        let chain: Vec<&(dyn std::error::Error + 'static)> =
            std::iter::successors(Some(&error as &(dyn std::error::Error + 'static)), |error| error.source()).collect();
        let detail = chain.last().map(|error| clean(&error.to_string())).unwrap_or_default();
        if chain.iter().any(|error| is_tls(*error)) {
            return Self::Tls(detail);
        }
        let kind = chain.iter().find_map(|error| error.downcast_ref::<io::Error>()).map(io::Error::kind);
        match kind {
            Some(io::ErrorKind::ConnectionRefused) => Self::Refused,
            Some(io::ErrorKind::TimedOut) => Self::Stalled(CONNECT_TIMEOUT),
            _ if error.is_timeout() => Self::Stalled(CONNECT_TIMEOUT),
            Some(
                io::ErrorKind::ConnectionReset
                | io::ErrorKind::ConnectionAborted
                | io::ErrorKind::BrokenPipe
                | io::ErrorKind::UnexpectedEof
                | io::ErrorKind::NotConnected,
            ) => Self::Cut(detail),
            _ if chain.iter().any(|error| error.to_string().contains("dns error")) => Self::UnknownHost(detail),
            _ if error.is_connect() => Self::Other(detail),
            _ if error.is_body() || error.is_decode() || error.is_request() => Self::Cut(detail),
            _ => Self::Other(detail),
        }
    }
}

fn is_tls(error: &(dyn std::error::Error + 'static)) -> bool {
    // An `io::Error` hides what it wraps from `source`, and the TLS library's errors travel in several.
    let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    error.is::<rustls::Error>() || wrapped.is_some_and(|inner| is_tls(inner))
}
