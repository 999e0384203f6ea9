//! What can be wrong with an input.

use std::collections::BTreeSet;
use std::fmt;

/// What is wrong with one input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// The input's name.
    pub(crate) input: &'static str,
    /// The value that was given; empty if there was none.
    pub(crate) value: String,
    /// What was expected instead.
    pub(crate) expected: String,
}

impl Problem {
    /// How many inputs the problems are with.
    pub(crate) fn inputs(problems: &[Self]) -> usize {
        problems.iter().map(|problem| problem.input).collect::<BTreeSet<_>>().len()
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.value {
            "" => write!(f, "{}: {}", self.input, self.expected),
            value => write!(f, "{}: {value:?}: {}", self.input, self.expected),
        }
    }
}
