//! What can go wrong with a builder.

use std::path::PathBuf;
use std::time::Duration;

use tonic::{Code, Status};

use super::session::{self, OpenError};
use crate::build_check::BuildCheck;
use crate::finding::Instruction;
use crate::net::TransportError;
use crate::oci::{Digest, Platform, layout};
use crate::text::span;

/// A build that did not yield an image.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// No engine answers where one was looked for.
    #[error("no engine answers at {tried:?}: {reason}")]
    NoEngine {
        /// The addresses, in the order in which they were tried.
        tried: Vec<String>,
        /// Why the last one did not answer.
        reason: String,
    },
    /// None of the builders that are named for some platforms answers.
    #[error("no builder of {platforms:?} answers: {tried:?}")]
    NoBuilder {
        /// The platforms that have none.
        platforms: Vec<Platform>,
        /// Each that was tried, and why it does not build.
        tried: Vec<Untaken>,
    },
    /// The builder of a platform died while it built, and no other took its place.
    #[error("the builder of {platform:?} died: {died:?}")]
    Died {
        /// The platform; the builder's own where none was named.
        platform: Option<Box<Platform>>,
        /// Those that died, in their order.
        died: Vec<Untaken>,
        /// Those that were to take their place.
        rest: Vec<Untaken>,
    },
    /// The image of one platform is what was asked for another.
    #[error("{builder} answers {answered} for {platform}")]
    OtherPlatform {
        /// The builder.
        builder: String,
        /// What was asked for.
        platform: Box<Platform>,
        /// What its image says that it runs on.
        answered: Box<Platform>,
    },
    /// The engine has no BuildKit, or one that can't be spoken to.
    #[error("engine {version} (API {api}) is too old")]
    EngineTooOld {
        /// The engine's version.
        version: String,
        /// Its API's version.
        api: String,
    },
    /// A file for TLS can't be used.
    #[error("{}: {reason}", path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The builder refused or broke off a call.
    #[error("{call}: {message}")]
    Call {
        /// The call, as a verb phrase: `open a session`.
        call: &'static str,
        /// The builder's message.
        message: String,
    },
    /// The connection ended in the middle.
    #[error("connection lost: {reason}")]
    Lost {
        /// The cause, as far as it is known.
        reason: String,
    },
    /// The builder answers no more, or asks no more, as it does every few seconds, whether this client is there.
    #[error("the builder has not been heard of for {}", span(*after))]
    Silent {
        /// For this long.
        after: Duration,
    },
    /// The build takes longer than any may.
    #[error("the build did not end within {}", span(*after))]
    TooLong {
        /// Its limit.
        after: Duration,
    },
    /// What a cache outside of the builder was asked for has not come.
    #[error("the cache does not answer")]
    CacheSilent,
    /// The builder writes to no such cache.
    #[error("the builder writes to no such cache")]
    NoCacheExport,
    /// A step failed.
    #[error("{}", .0.message)]
    Step(Box<StepFailure>),
    /// The Dockerfile can't be understood.
    #[error("{message}")]
    Dockerfile {
        /// The builder's message.
        message: String,
        /// Where in the Dockerfile, if the builder says so.
        at: Option<Instruction>,
    },
    /// The Dockerfile does not pass its checks, and asks to fail on that.
    #[error("the checks {rules} are not passed")]
    Checks {
        /// The rules, as the builder names them.
        rules: String,
        /// What they say, as far as the builder said it.
        checks: Vec<BuildCheck>,
    },
    /// Something that the build asked for could not be provided.
    #[error(transparent)]
    Session(#[from] session::error::Error),
    /// The builder's answer is not what its protocol says.
    #[error("{0}")]
    Protocol(String),
    /// A layer that the builder has sent to its end can't be unpacked or kept.
    #[error("a layer: {reason}")]
    Unreadable {
        /// Why.
        reason: String,
    },
    /// The engine does not have the image any more that it has just built: someone else removed it.
    #[error("the image is gone: {reason}")]
    ImageGone {
        /// The engine's message.
        reason: String,
    },
    /// The image has configuration alone.
    #[error("the image has no layers")]
    NoLayers,
    /// The builder is too old for what an input asks for.
    #[error("{builder} knows no {input}")]
    NoSuchOption {
        /// The input.
        input: &'static str,
        /// The builder.
        builder: String,
    },
    /// The Dockerfile's own reader is too old for named contexts, and would pass over them in silence.
    #[error("line {line}: the frontend {reference:?} knows no named contexts")]
    OldFrontend {
        /// The image of the reader, as it is written.
        reference: String,
        /// The line of the Dockerfile, counted from 1; 0 where the build argument `BUILDKIT_SYNTAX` says it.
        line: u32,
    },
    /// The Dockerfile asks for another reader of Dockerfiles than those that keep to a namespace.
    #[error("line {line}: the frontend {reference:?} is not known to keep cache mounts apart")]
    Frontend {
        /// The image of the reader, as it is written; the file's first line where the file is no Dockerfile.
        reference: String,
        /// The line of the Dockerfile, counted from 1; 0 where the build argument `BUILDKIT_SYNTAX` says it.
        line: u32,
    },
    /// The credentials of a proxy would be published: they are in the image's configuration.
    #[error("the image's configuration holds the credentials of a proxy")]
    ProxyInImage,
    /// A layer's content is not what the image's configuration says.
    #[error("layer {expected} has content {actual}")]
    LayerMismatch {
        /// The diff id in the configuration.
        expected: Digest,
        /// The diff id of what was received.
        actual: Digest,
    },
    /// The layout can't be written.
    #[error(transparent)]
    Layout(#[from] layout::Error),
}

/// A builder that was asked for nothing, or in vain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Untaken {
    /// Its address.
    pub(crate) address: String,
    /// Why.
    pub(crate) reason: String,
}

/// A step of the Dockerfile that failed.
#[derive(Debug)]
pub(crate) struct StepFailure {
    /// The step's name as the builder shows it: `[build 2/3] RUN make`.
    pub(crate) step: String,
    /// The builder's message.
    pub(crate) message: String,
    /// The instruction in the Dockerfile.
    pub(crate) at: Option<Instruction>,
    /// The last lines that it printed.
    pub(crate) lines: Vec<String>,
}

impl Error {
    /// The error, as [`Error::ImageGone`] where it says that: an engine with a graph driver has no better words for it.
    #[must_use]
    pub(super) fn or_gone(self) -> Self {
        const WORDS: [&str; 3] = ["failed to get digest sha256:", "No such image", "layer does not exist"];
        let reason = match &self {
            // A step of the Dockerfile has a place there, and the export has none.
            Self::Step(step) if step.at.is_none() && step.step.starts_with("exporting") => &step.message,
            Self::Call { message, .. } => message,
            _ => return self,
        };
        if WORDS.iter().any(|words| reason.contains(words)) { Self::ImageGone { reason: reason.clone() } } else { self }
    }

    /// Whether a build that takes steps from a cache outside of the builder may have failed for that: not where a program of a
    /// step says that it failed, the Dockerfile can't be read, or the builder or what it asks for is gone.
    #[must_use]
    pub(super) fn may_come_of_a_cache(&self) -> bool {
        const PROGRAMS: [&str; 2] = ["exit code", "exit status"];
        match self {
            Self::CacheSilent
            | Self::Call { .. }
            | Self::Protocol(_)
            | Self::ImageGone { .. }
            | Self::LayerMismatch { .. }
            | Self::Layout(_) => true,
            Self::Step(step) => !PROGRAMS.iter().any(|words| step.message.contains(words)),
            _ => false,
        }
    }

    /// Whether the builder is gone, whatever it was doing: it was there, and another one may do its work. A step that fails, a
    /// build that takes too long and an answer that is none are answers.
    #[must_use]
    pub(crate) fn is_of_a_dead_builder(&self) -> bool {
        matches!(self, Self::Lost { .. } | Self::Silent { .. })
    }

    /// Why a builder is not taken, in its words; the error itself where it is none of the builder: what this machine shows to one
    /// it shows to all.
    ///
    /// # Errors
    /// It is of this machine.
    pub(crate) fn into_reason(self) -> Result<String, Self> {
        match self {
            Self::Certificate { .. } => Err(self),
            Self::NoEngine { reason, .. } | Self::Lost { reason } => Ok(reason),
            other => Ok(other.to_string()),
        }
    }

    /// Whether what is in the builder is not what it should be, so that its own cache is not to be taken either.
    #[must_use]
    pub(super) fn is_of_content(&self) -> bool {
        matches!(self, Self::LayerMismatch { .. } | Self::Layout(_))
    }

    /// The error, as [`Error::NoCacheExport`] where it says that.
    #[must_use]
    pub(super) fn or_no_cache_export(self) -> Self {
        const WORDS: [&str; 2] = ["unknown cache exporter", "cache export is not supported"];
        match &self {
            Self::Call { message, .. } if WORDS.iter().any(|words| message.to_lowercase().contains(words)) => Self::NoCacheExport,
            _ => self,
        }
    }

    /// The builder gives next to nothing, or nothing at all.
    pub(super) fn slow(what: &str, error: &TransportError) -> Self {
        Self::Lost { reason: format!("the builder was waited for in vain: {what}: {error}") }
    }

    /// A refused call.
    pub(super) fn call(call: &'static str, status: &Status) -> Self {
        if is_lost(status) {
            return Self::Lost { reason: status.message().to_owned() };
        }
        Self::Call { call, message: status.message().to_owned() }
    }
}

/// Whether a call ended without an answer: what ends a connection is the cause of an error of this side, and no error that came
/// over it has a cause.
pub(super) fn is_lost(status: &Status) -> bool {
    let transport = status.code() == Code::Unknown && status.message().contains("transport error");
    status.code() == Code::Unavailable || transport || std::error::Error::source(status).is_some()
}

impl From<OpenError> for Error {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Refused(status) => Self::call("open a session", &status),
            OpenError::Silent => Self::Silent { after: session::silence::ANSWER },
            error @ OpenError::Header { .. } => Self::Protocol(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(name: &str, message: &str, at: Option<Instruction>) -> Error {
        Error::Step(Box::new(StepFailure { step: name.to_owned(), message: message.to_owned(), at, lines: vec![] }))
    }

    #[test]
    fn an_image_that_someone_removed_is_told_from_a_step_that_says_the_same() {
        let gone = "failed to get digest sha256:9f2c: open /var/lib/docker/image/overlay2/imagedb/content/sha256/9f2c: no such file or directory";
        assert!(matches!(step("exporting to image", gone, None).or_gone(), Error::ImageGone { .. }));
        let call = Error::Call { call: "save the image", message: "layer does not exist".to_owned() };
        assert!(matches!(call.or_gone(), Error::ImageGone { .. }));
        let at = Instruction { file: String::new(), line: 2, end_line: 2, text: "RUN x".to_owned() };
        for other in [
            step("[2/2] RUN x", gone, Some(at)),
            step("[internal] load metadata for a:1", "No such image: a:1", None),
            step("exporting to image", "no space left on device", None),
        ] {
            assert!(matches!(other.or_gone(), Error::Step(_)));
        }
    }
}
