//! What can go wrong with a program.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::Part;
use crate::text::span;

/// A program could not be started, or did not end as programs should.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// It is in none of the folders where programs are looked for.
    #[error("{program} is not in any of {searched:?}")]
    Missing {
        /// The program's name.
        program: String,
        /// The folders, in order.
        searched: Vec<PathBuf>,
    },
    /// The system refused to start it.
    #[error("{} does not start: {reason}", path.display())]
    Spawn {
        /// The program's name.
        program: String,
        /// The file.
        path: PathBuf,
        /// The system's words.
        reason: String,
    },
    /// It is a script that could not start another program: the sandbox lets in what runs the script alone.
    #[error("{} is a script, and ended with {code}", path.display())]
    Script {
        /// The program's name.
        program: String,
        /// The file.
        path: PathBuf,
        /// What runs it, by its first line.
        interpreter: PathBuf,
        /// Its exit code.
        code: i32,
        /// The last lines of its standard error.
        last: Vec<String>,
    },
    /// Parts of the sandbox that are required are missing, so that nothing is started.
    #[error("the sandbox lacks {}", missing.iter().map(|(part, _)| part.name()).collect::<Vec<_>>().join(", "))]
    Sandbox {
        /// What is missing, and why.
        missing: Vec<(Part, String)>,
    },
    /// It took more than it may, and was stopped.
    #[error("{program}: {reason}")]
    Breach {
        /// The program's name.
        program: String,
        /// What it took.
        reason: String,
        /// The last lines of its standard error.
        last: Vec<String>,
    },
    /// It took too long, and was stopped.
    #[error("{program} did not end within {}", span(*after))]
    Deadline {
        /// The program's name.
        program: String,
        /// The time it had.
        after: Duration,
        /// The last lines of its standard error.
        last: Vec<String>,
    },
    /// It wrote more than it may, and was stopped.
    #[error("{program} wrote more than {limit} bytes to {}", stream.name())]
    OutputTooLarge {
        /// The program's name.
        program: String,
        /// The output that grew too large.
        stream: Stream,
        /// The limit, in bytes.
        limit: u64,
        /// The last lines of its standard error.
        last: Vec<String>,
    },
    /// A signal ended it: a crash, or the kernel out of memory.
    #[error("signal {signal} ended {program}")]
    Signal {
        /// The program's name.
        program: String,
        /// The signal's number (signal(7)).
        signal: i32,
        /// The last lines of its standard error.
        last: Vec<String>,
    },
    /// Its output could not be read.
    #[error("{program}: {source}")]
    Io {
        /// The program's name.
        program: String,
        /// The system's error.
        source: io::Error,
    },
}

/// One of a program's two outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl Stream {
    /// The name in words.
    #[must_use]
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Stdout => "standard output",
            Self::Stderr => "standard error",
        }
    }
}
