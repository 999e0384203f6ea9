//! What can be wrong with an input.

use std::collections::BTreeSet;
use std::fmt;

use super::About;

/// What is wrong with one input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// The input's name.
    pub(crate) input: &'static str,
    /// What was given; empty where nothing was.
    pub(crate) value: String,
    /// What was expected instead.
    pub(crate) expected: String,
}

impl Problem {
    /// A problem with `input`.
    pub(crate) fn new(input: &About, value: impl Into<String>, expected: impl Into<String>) -> Self {
        Self { input: input.name, value: value.into(), expected: expected.into() }
    }

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
