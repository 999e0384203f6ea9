//! How connections end.

use std::error::Error;
use std::fmt;
use std::io;
use std::time::Duration;

use super::client::CONNECT_TIMEOUT;
use crate::text::{self, Line};

/// No answer came, or not the whole of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TransportError {
    /// Nobody listens there.
    Refused,
    /// The name of the host is not known.
    UnknownHost(Line),
    /// The other side is not known to be who it says it is, or does not speak TLS.
    Tls(Line),
    /// The connection was cut.
    Cut(Line),
    /// Nothing came or went for this long.
    Stalled(Duration),
    /// Too little came or went.
    TooSlow {
        /// How much that was.
        bytes: u64,
        /// In this time of waiting.
        within: Duration,
    },
    /// It moved all the time, and was not done after this time of waiting.
    Overdue(Duration),
    /// Something else.
    Other(Line),
}

impl TransportError {
    /// Whether the same request may fare better later.
    #[must_use]
    pub(crate) fn is_temporary(&self) -> bool {
        matches!(self, Self::Refused | Self::Cut(_) | Self::Stalled(_))
    }

    /// Whether it was waited for in vain.
    #[must_use]
    pub(crate) fn is_silence(&self) -> bool {
        matches!(self, Self::Stalled(_))
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused => f.write_str("connection refused"),
            Self::UnknownHost(detail) => write!(f, "unknown host: {detail}"),
            Self::Tls(detail) => write!(f, "TLS: {detail}"),
            Self::Cut(detail) => write!(f, "connection cut: {detail}"),
            Self::Stalled(after) => write!(f, "nothing moved for {}", text::span(*after)),
            Self::TooSlow { bytes, within } => {
                write!(f, "only {} moved in {}", text::count(*bytes, "byte"), text::span(*within))
            }
            Self::Overdue(after) => write!(f, "not done after {}", text::span(*after)),
            Self::Other(detail) => f.write_str(detail),
        }
    }
}

impl Error for TransportError {}

impl From<reqwest::Error> for TransportError {
    /// Classifies by the errors beneath: reqwest has no kinds for most of them.
    fn from(error: reqwest::Error) -> Self {
        let error = error.without_url();
        let chain: Vec<&(dyn Error + 'static)> = causes(&error).collect();
        let detail = chain.last().map(|error| text::words(&error.to_string())).unwrap_or_default();
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

fn is_tls(error: &(dyn Error + 'static)) -> bool {
    // An `io::Error` hides what it wraps from `source`, and the TLS library's errors travel in several.
    let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    error.is::<rustls::Error>() || wrapped.is_some_and(|inner| is_tls(inner))
}

/// An error and what is beneath it, the outermost first.
pub(crate) fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| (**error).source())
}

/// An error with its causes, each once: the errors of transports hide what happened in their sources. Of each the first
/// line, since some carry a trace.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> Line {
    let mut parts: Vec<String> = Vec::new();
    for cause in causes(error) {
        let cause = cause.to_string();
        let cause = cause.lines().next().unwrap_or_default();
        if !parts.iter().any(|part| part.contains(cause)) {
            parts.push(cause.to_owned());
        }
    }
    text::words(&parts.join(": "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{words}")]
    struct Outer {
        words: String,
        source: io::Error,
    }

    #[test]
    fn a_chain_has_each_cause_once_and_no_traces() {
        let error = |words: &str| Outer { words: words.to_owned(), source: io::Error::other("cause\n  at line 1") };
        assert_eq!(chain(&error("dispatch failure")), "dispatch failure: cause");
        assert_eq!(chain(&error("it failed: cause")), "it failed: cause");
        assert_eq!(chain(&error("::stop-commands::x\u{1b}[2J")), ": :stop-commands::x: cause");
    }

    #[test]
    fn what_judges_the_other_side_does_not_pass() {
        for (error, temporary) in [
            (TransportError::Refused, true),
            (TransportError::Cut("x".into()), true),
            (TransportError::Stalled(CONNECT_TIMEOUT), true),
            (TransportError::TooSlow { bytes: 2, within: CONNECT_TIMEOUT }, false),
            (TransportError::Overdue(CONNECT_TIMEOUT), false),
            (TransportError::UnknownHost("x".into()), false),
            (TransportError::Tls("x".into()), false),
            (TransportError::Other("x".into()), false),
        ] {
            assert_eq!(error.is_temporary(), temporary, "{error}");
        }
    }
}
