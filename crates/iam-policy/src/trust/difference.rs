//! Differences between a policy and a caller.

use super::MismatchReason;
use crate::{Effect, Statement};

/// One thing that keeps a caller out of a role, or that may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The statement; none where the document has no statement that allows anything.
    pub statement: Option<Label>,
    /// The element of the statement that does not fit.
    pub element: Element,
    /// What the policy has there, the nearest value first.
    pub expected: Vec<String>,
    /// What the caller has, if anything.
    pub actual: Option<String>,
    /// Why the two do not match.
    pub reason: MismatchReason,
}

/// The name and place of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// Its `Sid`.
    pub sid: Option<String>,
    /// Its place in the document, from 1.
    pub number: usize,
    /// Whether it allows or denies.
    pub effect: Effect,
}

/// An element of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Element {
    /// The list of statements itself.
    Statement,
    /// `Principal` or `NotPrincipal`.
    Principal,
    /// `Action` or `NotAction`.
    Action,
    /// A condition.
    Condition {
        /// As it is written: `StringEquals`, `ForAnyValue:StringLike`, …
        operator: String,
        /// As it is written: `token.actions.githubusercontent.com:sub`, …
        key: String,
    },
}

impl Label {
    pub(super) fn of(statement: &Statement, index: usize) -> Self {
        Self { sid: statement.sid.clone(), number: index + 1, effect: statement.effect }
    }
}
