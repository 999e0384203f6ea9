//! What goes wrong with signatures.

use std::time::Duration;

use http::StatusCode;

use super::service_name::ServiceName;
use crate::net::{self, TransportError, Unfit};
use crate::oci::Digest;
use crate::text::Line;

/// A statement is not signed, or a bundle does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    /// A service can't be reached.
    #[error("{service} at {host}: {error}")]
    Connection {
        /// Which.
        service: ServiceName,
        /// Where.
        host: String,
        /// How it ended.
        error: TransportError,
    },
    /// A service refuses.
    #[error("{service} at {host} answers {status}: {message}")]
    Refused {
        /// Which.
        service: ServiceName,
        /// Where.
        host: String,
        /// With what.
        status: StatusCode,
        /// Its words, shortened.
        message: Line,
        /// How long it wants to be left alone.
        retry_after: Option<Duration>,
    },
    /// A service's answer makes no sense.
    #[error("the answer of {service} at {host} has no {missing}")]
    Malformed {
        /// Which.
        service: ServiceName,
        /// Where.
        host: String,
        /// What is not in it.
        missing: &'static str,
    },
    /// No HTTP client can be made.
    #[error("no HTTP client: {0}")]
    Client(Line),
    /// The machine makes no key, or a key does not sign.
    #[error("no key: {0}")]
    Key(&'static str),
    /// The token is not one that a certificate can be had for.
    #[error("the token names no subject")]
    NoSubject,
    /// A key speaks for several environments.
    #[error("{key} speaks for {environments}")]
    SharedKey {
        /// Its fingerprint.
        key: Digest,
        /// The environments, as a list.
        environments: Line,
    },
    /// What was just made is not what others will accept.
    #[error("the bundle that was made does not hold: {0}")]
    Unsound(Line),
    /// A bundle of someone else is refused.
    #[error("{0}")]
    Rejected(Line),
}

/// An instance of Sigstore can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidInstance {
    /// Its trusted root is refused.
    #[error("the trusted root: {0}")]
    Root(Line),
    /// Its signing configuration is refused.
    #[error("the signing configuration: {0}")]
    Configuration(Line),
    /// It names no service of this kind that is in use today.
    #[error("the signing configuration names no {0} that is in use today")]
    Missing(ServiceName),
    /// It wants what is not done here.
    #[error("the signing configuration wants more than one {0}")]
    Several(ServiceName),
    /// Statements and tokens would travel in the clear.
    #[error("{service}: {error}")]
    Address {
        /// Of which service.
        service: ServiceName,
        /// What is wrong with it.
        error: Unfit,
    },
}

impl InvalidInstance {
    /// Whether it is the trusted root that is refused.
    #[must_use]
    pub(crate) fn is_of_root(&self) -> bool {
        matches!(self, Self::Root(_))
    }
}

/// A call that was cancelled, as grpc-gateway says it (`runtime.HTTPStatusFromCode`).
const CANCELLED: u16 = 499;

impl net::Failure for Error {
    fn is_temporary(&self) -> bool {
        match self {
            Self::Connection { error, .. } => error.is_temporary(),
            Self::Refused { status, .. } => net::is_temporary(*status),
            Self::Malformed { .. } => true,
            Self::Client(_) | Self::Key(_) | Self::NoSubject | Self::SharedKey { .. } | Self::Unsound(_) | Self::Rejected(_) => {
                false
            }
        }
    }

    fn is_silence(&self) -> bool {
        matches!(self, Self::Connection { error, .. } if error.is_silence())
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

impl Error {
    /// Whether a log does not take this entry, and would take another of the same statement. It has the entry already, if the
    /// answer to the request before was lost; and the second version takes entries in batches, where a client that goes away
    /// takes those of others with it, of which some are written all the same.
    pub(super) fn is_of_the_entry(&self) -> bool {
        let Self::Refused { service: ServiceName::Log, status, .. } = self else { return false };
        *status == StatusCode::CONFLICT || status.as_u16() == CANCELLED
    }
}
