//! The words for programs that do not start or do not end as they should.

use super::{Diagnosis, sentences};
use crate::process::Error;
use crate::text::{self, span};

impl From<&Error> for Diagnosis {
    fn from(error: &Error) -> Self {
        match error {
            Error::Missing { program, searched } => {
                let folders: Vec<_> = searched.iter().map(|folder| folder.display().to_string()).collect();
                Self::new(
                    format!("{program} is missing"),
                    format!("No folder of PATH has it: {}", folders.join(", ")),
                    format!("Install {program}, or add its folder to PATH. In a clone of gp-deliver, `make tools` builds it."),
                )
            }
            Error::Spawn { program, path, reason } => Self::new(
                format!("{program} does not start"),
                format!("The system refuses to run {}: {reason}", path.display()),
                format!("Check that the file is a program for this machine, or install {program} again."),
            ),
            Error::Script { program, path, interpreter, code, last } => Self::new(
                format!("{program} is a script that starts another program, which the sandbox does not let in"),
                format!(
                    "{} ended with {code}, as one does that may not start a program. Beside it, only {} may run: what it would start is \
                     not known before.",
                    path.display(),
                    interpreter.display()
                ),
                format!("Have PATH name the program itself instead of a script that starts it, or set `sandbox: off` if {program} and all that it starts may read what gp-deliver may."),
            )
            .with_excerpt(last),
            Error::Sandbox { missing } => {
                let causes: Vec<_> = missing.iter().map(|(part, reason)| format!("{}: {reason}", part.name())).collect();
                let names: Vec<_> = missing.iter().map(|(part, _)| part.name()).collect();
                Self::new(
                    format!("The sandbox that is required lacks {}", text::list(&names)),
                    sentences(&causes),
                    "Use a kernel with Landlock (5.13 or later, switched on) and an engine whose default profile allows it (Docker 23 \
                     or later), or set `sandbox: auto` to run with what there is.",
                )
            }
            Error::Breach { program, reason, last } => Self::new(
                format!("{program} took more than it may"),
                format!("gp-deliver ended it: {reason}"),
                format!(
                    "Check that {program} is the genuine program, in the pinned version, and that there is room on the disk."
                ),
            )
            .with_excerpt(last),
            Error::Deadline { program, after, last } => Self::new(
                format!("{program} took too long"),
                format!("It had not ended after {}, so it was stopped.", span(*after)),
                "Try again on a machine with less to do. If it happens again, look at its last lines.",
            )
            .with_excerpt(last),
            Error::OutputTooLarge { program, stream, limit, last } => Self::new(
                format!("{program} wrote far more than it should"),
                format!("It wrote more than {limit} bytes to {}, so it was stopped.", stream.name()),
                format!("Check that {program} is the genuine program, in the pinned version."),
            )
            .with_excerpt(last),
            Error::Signal { program, signal, last } => Self::new(
                format!("{program} crashed"),
                killed_by(*signal),
                "Try again. If it happens again, give the machine more memory, or report it to the program's authors.",
            )
            .with_excerpt(last),
            Error::Io { program, source } => Self::new(
                format!("{program}'s output can't be read"),
                source.to_string(),
                "Try again. If it happens again, look for a limit on open files or processes.",
            ),
        }
    }
}

fn killed_by(signal: i32) -> String {
    match signal {
        9 => "The system killed it (signal 9), as it does when memory runs out.".to_owned(),
        other => format!("Signal {other} ended it."),
    }
}
