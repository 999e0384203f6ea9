//! Why a repository of a git server can't be read or written.

use reqwest::StatusCode;

use crate::net::{self, TransportError};
use crate::text::Line;

/// A git server does not do what it is asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    /// There is no answer, or not the whole of it.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The token is none: a line end is in it, say.
    #[error("no token has such characters")]
    Token,
    /// It refuses.
    #[error("{status}: {message}")]
    Refused {
        /// The status.
        status: StatusCode,
        /// Its words, shortened.
        message: Line,
    },
    /// It names another address.
    #[error("it is at {to}")]
    Elsewhere {
        /// The address.
        to: Line,
    },
    /// It says within the protocol that it does not.
    #[error("{0}")]
    Said(Line),
    /// It speaks no second version of the protocol, or not of objects by SHA-1.
    #[error("it does not speak {0}")]
    Unspoken(&'static str),
    /// The answer is not as the protocol has it.
    #[error("{0}")]
    Malformed(&'static str),
    /// The answer is longer than this many bytes, or comes to more.
    #[error("it comes to more than {0} bytes")]
    TooLong(usize),
    /// It does not move the branch.
    #[error("{reason}")]
    Rejected {
        /// Why, and what was said besides.
        reason: Line,
    },
}

impl net::Failure for Error {
    fn is_temporary(&self) -> bool {
        match self {
            Self::Transport(error) => error.is_temporary(),
            Self::Refused { status, .. } => net::is_temporary(*status),
            _ => false,
        }
    }

    fn is_silence(&self) -> bool {
        matches!(self, Self::Transport(error) if error.is_silence())
    }
}
