//! How much of a Dockerfile is followed. Whoever writes one chooses what it costs to read it.

/// The most bytes that a Dockerfile may have.
pub(crate) const MAX_BYTES: u64 = 4 << 20;

/// The most stages.
pub(crate) const MAX_STAGES: usize = 1000;

/// How many variables may stand in each other: `${A:-${B:-…}}`.
pub(crate) const MAX_DEPTH: usize = 50;

/// The most bytes that variables may bring to a Dockerfile's `ARG`s and `FROM`s, each as often as it is used.
pub(crate) const MAX_VALUES: usize = 1 << 20;

/// A limit that a Dockerfile goes beyond.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bound {
    /// [`MAX_STAGES`].
    Stages,
    /// [`MAX_DEPTH`].
    Depth,
    /// [`MAX_VALUES`].
    Values,
}

impl std::fmt::Display for Bound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Stages => write!(f, "there are more than {MAX_STAGES} stages"),
            Self::Depth => write!(f, "more than {MAX_DEPTH} variables stand in each other"),
            Self::Values => write!(f, "variables bring more than {MAX_VALUES} bytes"),
        }
    }
}
