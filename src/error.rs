//! What can go wrong in a delivery: one enum over the rooms' own errors, and the exit codes.

use crate::aws;
use crate::buildkit;
use crate::coverage::Gap;
use crate::evidence::Unproven;
use crate::github::{api, attestations, code_scanning, oidc};
use crate::gitops;
use crate::inputs::Problem;
use crate::kubernetes;
use crate::oci::{Digest, layer};
use crate::publish;
use crate::record::{RunResult, StageName};
use crate::report;
use crate::scan;
use crate::scanner::Tool;
use crate::sigstore;
use crate::source;
use crate::tags::ForbiddenTag;
use crate::text::Line;

/// Why a delivery did not complete.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Inputs are wrong.
    #[error("{} inputs are wrong", Problem::inputs(.0))]
    Inputs(Vec<Problem>),
    /// Templates make invalid tags.
    #[error("{} tags are forbidden", .0.len())]
    Tags(Vec<ForbiddenTag>),
    /// A registry is the destination, and no tag is left to publish under: each template with the reason.
    #[error("no tag is left")]
    NoTag(Vec<(String, String)>),
    /// The source could not be read.
    #[error(transparent)]
    Source(#[from] source::Error),
    /// AWS refuses, or can't be reached.
    #[error(transparent)]
    Aws(#[from] aws::Error),
    /// There is no login to a registry that could be put into a pull secret.
    #[error("no login: {0}")]
    NoLogin(aws::Error),
    /// A Secret of the cluster could not be written.
    #[error(transparent)]
    Kubernetes(#[from] kubernetes::Error),
    /// The build failed.
    #[error(transparent)]
    Build(#[from] buildkit::Error),
    /// A scan did not happen.
    #[error(transparent)]
    Scan(#[from] scan::Error),
    /// A layer of an image that is compared could not be read.
    #[error(transparent)]
    NotCompared(layer::Error),
    /// A gate is blocking and its scan did not happen.
    #[error("no decision without {0}")]
    NotScanned(Tool),
    /// The gate waits for the registry's own scan, and an image has no result: each image with the reason.
    #[error("the registry's scan has no result")]
    NotScannedThere {
        /// The images, each with the reason.
        images: Vec<(String, Line)>,
        /// Whether one of them can't be scanned there at all.
        unsupported: bool,
    },
    /// A gate is blocking, nothing was found that shuts it, and this was not judged.
    #[error("{} parts of the image were not judged", .0.len())]
    NotJudged(Vec<Gap>),
    /// The image is not the one that another builder has come to.
    #[error("the image is {digest}, and {expected} was expected")]
    Unexpected {
        /// What it is.
        digest: Digest,
        /// What it was to be.
        expected: Digest,
    },
    /// The findings could not be shown to the team.
    #[error(transparent)]
    CodeScanning(#[from] code_scanning::Error),
    /// GitHub does not keep what is signed.
    #[error(transparent)]
    Attestations(#[from] attestations::Error),
    /// A call to GitHub failed.
    #[error(transparent)]
    GitHub(#[from] api::Error),
    /// The repository that a cluster is brought to does not name the image.
    #[error(transparent)]
    GitOps(#[from] gitops::Error),
    /// There is no report to show here, or nobody to show it to.
    #[error("nothing is shown: {0}")]
    NotShown(&'static str),
    /// Publishing failed.
    #[error(transparent)]
    Publish(#[from] publish::Error),
    /// What is signed about the image to promote does not suffice.
    #[error(transparent)]
    Unproven(#[from] Unproven),
    /// What is known of the image makes no statement.
    #[error("no statement: {0}")]
    Statement(String),
    /// What is known of the image could not be signed.
    #[error(transparent)]
    Signing(#[from] sigstore::Error),
    /// The instance of Sigstore can't be used.
    #[error(transparent)]
    Sigstore(#[from] sigstore::InvalidInstance),
    /// There is no token to be certified by.
    #[error(transparent)]
    Token(#[from] oidc::Error),
    /// The report can't be written.
    #[error(transparent)]
    Report(#[from] report::Error),
    /// A file of our own can't be written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: std::path::PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// A signal ended it.
    #[error("cancelled")]
    Cancelled,
    /// The process that did the work is no more, or not as it should be.
    #[error("{}", .0.cause)]
    Died(Death),
}

/// An end that nobody had in mind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Death {
    /// What ended it.
    pub(crate) cause: Cause,
    /// The stages that were running, as far as that is known.
    pub(crate) during: Vec<StageName>,
}

/// What ends a process that does not end by itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Cause {
    /// A signal (signal(7)), by its number: a crash, an abort, the kernel out of memory.
    #[error("signal {}", signal_name(*.0))]
    Signal(i32),
    /// It ended by itself with this code, and without a word.
    #[error("an exit with code {0}")]
    Code(i32),
    /// A panic, in its own words.
    #[error("a panic: {0}")]
    Panic(String),
}

/// A signal as people know it, `11 (SIGSEGV)`: those that end a process without anyone's wish have the same number everywhere.
fn signal_name(number: i32) -> String {
    let known = [(4, "SIGILL"), (5, "SIGTRAP"), (6, "SIGABRT"), (8, "SIGFPE"), (9, "SIGKILL"), (11, "SIGSEGV"), (15, "SIGTERM")];
    match known.iter().find(|(known, _)| *known == number) {
        Some((_, name)) => format!("{number} ({name})"),
        None => number.to_string(),
    }
}

/// The program's exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Delivered, or all passed where publishing was not asked for.
    Done = 0,
    /// Something failed.
    Failed = 1,
    /// Inputs are wrong.
    Inputs = 2,
    /// The policy held the image back.
    Blocked = 3,
    /// The image is out, and the repository that a cluster is brought to does not name it.
    GitOps = 4,
    /// SIGHUP ended it: 128 and the signal's number, as shells have it.
    HungUp = 129,
    /// SIGINT ended it: 128 and the signal's number, as shells have it.
    Interrupted = 130,
    /// SIGTERM ended it.
    Terminated = 143,
}

impl From<RunResult> for Exit {
    fn from(result: RunResult) -> Self {
        match result {
            RunResult::Delivered | RunResult::Skipped => Self::Done,
            RunResult::Blocked => Self::Blocked,
            RunResult::Failed => Self::Failed,
            RunResult::Cancelled => Self::Terminated,
        }
    }
}

impl From<&Error> for Exit {
    fn from(error: &Error) -> Self {
        match error {
            Error::Inputs(_) | Error::Tags(_) | Error::NoTag(_) => Self::Inputs,
            Error::Report(error) => error.into(),
            Error::GitOps(_) => Self::GitOps,
            Error::Cancelled => Self::Terminated,
            _ => Self::Failed,
        }
    }
}

impl From<&report::Error> for Exit {
    fn from(error: &report::Error) -> Self {
        match error {
            // The input names a folder that is the project's.
            report::Error::Foreign { .. } => Self::Inputs,
            report::Error::Folder { .. } | report::Error::File { .. } | report::Error::Claim { .. } => Self::Failed,
        }
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
