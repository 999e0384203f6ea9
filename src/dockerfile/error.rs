//! What can be wrong with a Dockerfile.

use super::bounds::Bound;

/// A Dockerfile that can't be divided into instructions, which BuildKit refuses too; or one that is beyond what is followed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    /// `# escape=` names neither `\` nor a backtick.
    #[error("line {line}: {value:?} is not an escape character")]
    Escape {
        /// The directive's line, counted from 1.
        line: u32,
        /// The value as written.
        value: String,
    },
    /// A directive stands there twice.
    #[error("line {line}: a second {name} directive")]
    Directive {
        /// The second one's line, counted from 1.
        line: u32,
        /// The directive: `syntax`, `escape` or `check`.
        name: String,
    },
    /// A here-document has no end.
    #[error("line {line}: the here-document {name} has no end")]
    Heredoc {
        /// The line of the instruction, counted from 1.
        line: u32,
        /// The word that should end it.
        name: String,
    },
    /// An instruction of which nothing is left once its lines are put together.
    #[error("line {line}: there is no instruction")]
    Empty {
        /// The line, counted from 1.
        line: u32,
    },
    /// A `FROM` that has neither one argument nor `IMAGE AS NAME`.
    #[error("line {line}: FROM takes IMAGE, or IMAGE AS NAME")]
    From {
        /// The line, counted from 1.
        line: u32,
    },
    /// It goes beyond a limit.
    #[error("line {line}: {bound}")]
    Bound {
        /// The line, counted from 1.
        line: u32,
        /// The limit.
        bound: Bound,
    },
    /// There is no `FROM`.
    #[error("there is no FROM")]
    NoStage,
}
