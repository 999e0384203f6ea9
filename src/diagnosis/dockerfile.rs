//! What is wrong with a Dockerfile as text.

use super::Diagnosis;
use crate::dockerfile::Error;

impl From<&Error> for Diagnosis {
    fn from(error: &Error) -> Self {
        match error {
            Error::Escape { line, value } => Self::new(
                format!("The Dockerfile's line {line} names an escape character that there is not: {value}"),
                "The escape character is \\ or `.",
                "Write # escape=\\ or # escape=`, or leave the line out.",
            ),
            Error::Directive { line, name } => Self::new(
                format!("The Dockerfile's line {line} is a second {name} directive"),
                "A directive counts for the whole file.",
                "Keep one of the two.",
            ),
            Error::Heredoc { line, name } => Self::new(
                format!("The Dockerfile's here-document that begins in line {line} has no end"),
                format!("There is no line that is {name} and nothing else."),
                format!("End it with a line {name}; only after <<- may tabs stand before it."),
            ),
            Error::From { line } => Self::new(
                format!("The Dockerfile's FROM in line {line} can't be read"),
                "FROM takes an image, or an image, AS and a name.",
                "Write FROM IMAGE, or FROM IMAGE AS NAME.",
            ),
            Error::NoStage => Self::new(
                "The Dockerfile has no FROM",
                "An image is built from a base, if only from scratch.",
                "Begin it with FROM, after any ARG that FROM needs.",
            ),
        }
    }
}
