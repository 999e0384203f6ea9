//! What can go wrong between here and a registry.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use http::{Method, StatusCode};

use super::credentials::{self, Origin};
use crate::net::{self, TransportError};
use crate::oci::manifest::Fault;
use crate::oci::{Digest, layout};
use crate::text::Line;

/// A registry could not be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The registry, or its token server, refused.
    #[error("{0}")]
    Answer(Box<Answer>),
    /// No answer came, or not the whole of it.
    #[error("{host}: {subject}: {error}")]
    Connection {
        /// The host that was contacted: `HOST[:PORT]`.
        host: String,
        /// What was asked for.
        subject: Subject,
        /// How the connection ended.
        error: TransportError,
    },
    /// The credentials for the registry can't be had.
    #[error(transparent)]
    Credentials(#[from] credentials::Error),
    /// The registry names an address where nothing may be sent: plain HTTP beyond this machine, or not a web address.
    #[error("{registry} names {url:?} as its {role}")]
    ForbiddenUrl {
        /// The registry: `HOST[:PORT]`.
        registry: String,
        /// What the URL is for.
        role: UrlRole,
        /// The address, without its query, which may hold a signature.
        url: Line,
    },
    /// The registry redirects too often.
    #[error("{host} redirects more than {limit} times for {subject}")]
    TooManyRedirects {
        /// The registry.
        host: String,
        /// What was asked for.
        subject: Subject,
        /// The redirects that are followed at most.
        limit: usize,
    },
    /// The registry asks for credentials in an unknown way.
    #[error("{host} asks for {challenge:?}")]
    UnknownChallenge {
        /// The registry.
        host: String,
        /// Its `WWW-Authenticate`, shortened.
        challenge: Line,
    },
    /// Content does not hash to the digest that names it.
    #[error("{0}")]
    DigestMismatch(Box<DigestMismatch>),
    /// Content is larger than it may be, or than its descriptor says.
    #[error("{host}: {subject} has more than {limit} bytes")]
    TooLarge {
        /// The registry.
        host: String,
        /// What was received.
        subject: Subject,
        /// The limit, in bytes.
        limit: u64,
    },
    /// An answer is not what the distribution specification says.
    #[error("{host}: {subject}: {reason}")]
    Malformed {
        /// The registry.
        host: String,
        /// What was asked for.
        subject: Subject,
        /// What is wrong with the answer.
        reason: String,
    },
    /// A manifest or an index is refused: it is none, or has two readings.
    #[error("{host}: {subject}: {fault}")]
    Document {
        /// The registry.
        host: String,
        /// What was asked for.
        subject: Subject,
        /// Why it is refused.
        fault: Box<Fault>,
    },
    /// What was pushed is not among what the registry lists for its subject.
    #[error("{host} does not list {referrer} as a referrer of {subject}")]
    NotListed {
        /// The registry.
        host: String,
        /// What it is about.
        subject: Digest,
        /// What was pushed.
        referrer: Digest,
    },
    /// What was received can't be written, or what is to be sent can't be read.
    #[error("{subject}: {source}")]
    Local {
        /// What was being moved.
        subject: Subject,
        /// The file, where one is known.
        path: Option<PathBuf>,
        /// The system's error.
        source: io::Error,
    },
    /// What is to be sent is not what its descriptor says.
    #[error(transparent)]
    Layout(#[from] layout::Error),
}

/// A refusal.
#[derive(Debug)]
pub(crate) struct Answer {
    /// Who answered: `HOST[:PORT]`.
    pub(crate) host: String,
    /// The repository that was used.
    pub(crate) repository: String,
    /// The request's method.
    pub(crate) method: Method,
    /// What was asked for.
    pub(crate) subject: Subject,
    /// The status.
    pub(crate) status: StatusCode,
    /// The registry's own code (distribution-spec, "Error Codes"): `DENIED`.
    pub(crate) code: Option<Line>,
    /// The registry's own words, shortened.
    pub(crate) message: Option<Line>,
    /// How long the registry asks to wait.
    pub(crate) retry_after: Option<Duration>,
    /// Where the credentials came from.
    pub(crate) credentials: Origin,
}

/// Content that is not what its digest says.
#[derive(Debug)]
pub(crate) struct DigestMismatch {
    /// The registry: `HOST[:PORT]`.
    pub(crate) host: String,
    /// What was received.
    pub(crate) subject: Subject,
    /// The digest that names it.
    pub(crate) expected: Digest,
    /// The digest of what came.
    pub(crate) actual: Digest,
}

/// What a request was about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    /// The registry itself: `/v2/`.
    Api,
    /// A token for it.
    Token,
    /// A manifest by tag or digest.
    Manifest(String),
    /// A blob.
    Blob(Digest),
    /// The list of tags.
    Tags,
    /// The list of what refers to a manifest.
    Referrers(Digest),
}

/// What a URL that a registry names is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UrlRole {
    /// The server that gives tokens.
    Realm,
    /// The place of content.
    Redirect,
    /// The place for uploads.
    Upload,
}

impl Error {
    /// Whether the credentials have expired. Amazon ECR says so by 403 and its message, where others answer 401: "Your
    /// authorization token has expired. Reauthenticate and try again."
    #[must_use]
    pub(crate) fn is_expired(&self) -> bool {
        match self {
            Self::Answer(answer) if answer.status == StatusCode::FORBIDDEN => {
                answer.message.as_ref().is_some_and(|message| message.to_ascii_lowercase().contains("token has expired"))
            }
            _ => false,
        }
    }

    /// The status that the registry answered with, where it answered.
    #[must_use]
    pub(crate) fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Answer(answer) => Some(answer.status),
            _ => None,
        }
    }

    /// Whether the request may have been obeyed, or may yet be: it went out, and whoever would know has not answered.
    #[must_use]
    pub(crate) fn leaves_doubt(&self) -> bool {
        match self {
            Self::Answer(answer) => {
                matches!(answer.status, StatusCode::REQUEST_TIMEOUT | StatusCode::BAD_GATEWAY | StatusCode::GATEWAY_TIMEOUT)
            }
            Self::Connection { subject: Subject::Manifest(_), error, .. } => {
                !matches!(error, TransportError::Refused | TransportError::UnknownHost(_) | TransportError::Tls(_))
            }
            _ => false,
        }
    }

    /// Whether nobody listens at the registry's address.
    #[must_use]
    pub(crate) fn is_refused(&self) -> bool {
        matches!(self, Self::Connection { error: TransportError::Refused, .. })
    }

    /// Whether the registry speaks TLS with a certificate that is not trusted.
    #[must_use]
    pub(crate) fn is_untrusted(&self) -> bool {
        matches!(self, Self::Connection { error: TransportError::Tls(_), .. })
    }
}

impl net::Failure for Error {
    /// Never so for an answer that judges the request: 401, 403, 404.
    fn is_temporary(&self) -> bool {
        match self {
            Self::Answer(answer) => net::is_temporary(answer.status),
            Self::Connection { error, .. } => error.is_temporary(),
            _ => false,
        }
    }

    fn is_silence(&self) -> bool {
        matches!(self, Self::Connection { error, .. } if error.is_silence())
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Answer(answer) => answer.retry_after,
            _ => None,
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} {} of {}: {}", self.host, self.method, self.subject, self.repository, self.status)?;
        self.code.iter().try_for_each(|code| write!(f, " {code}"))?;
        self.message.iter().try_for_each(|message| write!(f, " ({message})"))
    }
}

impl std::error::Error for Answer {}

impl fmt::Display for DigestMismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} hashes to {}, not {}", self.host, self.subject, self.actual, self.expected)
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Api => f.write_str("the registry"),
            Self::Token => f.write_str("a token"),
            Self::Manifest(which) => write!(f, "manifest {which}"),
            Self::Blob(digest) => write!(f, "blob {digest}"),
            Self::Tags => f.write_str("the list of tags"),
            Self::Referrers(subject) => write!(f, "the list of referrers of {subject}"),
        }
    }
}

impl fmt::Display for UrlRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Realm => "token server",
            Self::Redirect => "place of content",
            Self::Upload => "place for uploads",
        })
    }
}
