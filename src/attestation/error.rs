//! Why a statement is refused.

use super::predicate_type::PredicateType;
use crate::document;
use crate::text::Line;

/// A statement can't be read, or not be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    /// It has two readings, or is not of the form of a statement.
    #[error("the statement is refused: {0}")]
    Document(document::Error),
    /// It is a statement of another version.
    #[error("the statement is of the type \"{0}\", not of in-toto's version 1")]
    Version(Line),
    /// It is about nothing.
    #[error("the statement names no subject")]
    NoSubject,
    /// It does not say by one SHA-256 digest what it is about.
    #[error("the statement names a subject by {0}, not by one SHA-256 digest")]
    SubjectDigest(Line),
    /// What should be an object is none.
    #[error("what the statement says is no JSON object")]
    NoObject,
    /// What it says is not of the form of its type.
    #[error("the {} is refused: {why}", of.noun())]
    Predicate {
        /// The type.
        of: PredicateType,
        /// Why: no value of it, only keys.
        why: String,
    },
    /// It can't be written down.
    #[error("the statement can't be written: {0}")]
    Unwritable(String),
}
