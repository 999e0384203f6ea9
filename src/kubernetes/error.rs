//! What can go wrong between a pod and its API server.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use http::StatusCode;

use super::name::Place;
use crate::net::{self, TransportError};
use crate::text::Line;

/// A Secret could not be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A variable is not set that is set in every pod.
    #[error("{0} is not set")]
    NoCluster(&'static str),
    /// The variables name no address.
    #[error("{0:?} is no address")]
    Address(String),
    /// A file of the service account can't be read.
    #[error("{}: {source}", path.display())]
    File {
        /// Its path.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// A file of the service account has nothing of what it is there for.
    #[error("{}: there is not {missing} in it", path.display())]
    Unfit {
        /// Its path.
        path: PathBuf,
        /// What is not in it.
        missing: &'static str,
    },
    /// No HTTP client can be made.
    #[error("no HTTP client: {0}")]
    Client(Line),
    /// The API server can't be reached, or is not the cluster's.
    #[error("{host}: {error}")]
    Connection {
        /// Its address.
        host: String,
        /// How it ended.
        error: TransportError,
    },
    /// The API server refuses.
    #[error("{verb} {place}: {status}: {message}")]
    Refused {
        /// What was asked.
        verb: Verb,
        /// Of which Secret.
        place: Place,
        /// The status.
        status: StatusCode,
        /// Its own words, shortened.
        message: Line,
        /// How long it wants to be left alone.
        retry_after: Option<Duration>,
    },
    /// The API server's answer makes no sense.
    #[error("{verb} {place}: the answer is not the Secret")]
    Malformed {
        /// What was asked.
        verb: Verb,
        /// Of which Secret.
        place: Place,
    },
    /// The Secret is there and is of another type, which can't be changed.
    #[error("{place} is of the type {found}")]
    OtherType {
        /// The Secret.
        place: Place,
        /// Its type.
        found: Line,
    },
    /// The Secret is there and can't be changed.
    #[error("{0} is immutable")]
    Immutable(Place),
    /// The Secret has logins that gp-deliver did not write, and would lose them.
    #[error("{place} has other logins")]
    Foreign {
        /// The Secret.
        place: Place,
        /// The registries that they are for.
        hosts: Vec<Line>,
    },
    /// The Secret was written, and holds something else.
    #[error("{0} holds something else")]
    NotKept(Place),
}

/// What is asked of a Secret, as a role has it (Kubernetes documentation, "Authorization", "Request verbs").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    /// Read it.
    Get,
    /// Change it.
    Patch,
    /// Make it.
    Create,
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Get => "get",
            Self::Patch => "patch",
            Self::Create => "create",
        })
    }
}

impl Error {
    /// Whether the Secret is to be looked at again: somebody else has written it meanwhile, or it is not known what is in it.
    pub(super) fn is_undecided(&self) -> bool {
        matches!(self, Self::Refused { status: StatusCode::CONFLICT, .. } | Self::Malformed { .. })
    }

    /// Whether the API server does not know who asks.
    pub(super) fn is_of_identity(&self) -> bool {
        matches!(self, Self::Refused { status: StatusCode::UNAUTHORIZED, .. })
    }

    /// Whether there is no such Secret.
    pub(super) fn is_absence(&self) -> bool {
        matches!(self, Self::Refused { verb: Verb::Get, status: StatusCode::NOT_FOUND, .. })
    }
}

impl net::Failure for Error {
    fn is_temporary(&self) -> bool {
        match self {
            Self::Connection { error, .. } => error.is_temporary(),
            Self::Refused { status, .. } => net::is_temporary(*status),
            _ => false,
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
