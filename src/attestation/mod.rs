//! What a delivered image carries: in-toto statements about it, and what they say.
//!
//! A [`Statement`] names its subjects by their digests and has one [`Predicate`]. Here it is values and bytes: whoever signs,
//! sends or fetches the bytes is elsewhere, and nothing here says whose they are. What is read is a claim until its signature
//! was checked.
//!
//! Statements are in-toto's version 1 (`spec/v1/statement.md`). What two readers may take for two things is refused, as in
//! every document of others; keys that are not known are passed over where the specifications ask for that, which is
//! everywhere but in a verdict: that is read by its own version alone.
//!
//! An SBOM is embedded as its file has it, byte for byte. It is looked through once and not made a tree of values, but both it
//! and the statement are in memory as a whole, since a signature is over the statement as a whole.

mod build;
mod error;
#[cfg(test)]
mod examples;
mod predicate;
mod predicate_type;
mod provenance;
mod statement;
mod verdict;
mod vulnerabilities;
#[cfg(test)]
mod with_parts;
mod written;

pub(crate) use predicate::Predicate;
pub(crate) use predicate_type::PredicateType;
pub(crate) use provenance::{Facts as ProvenanceFacts, Provenance, Run, sources};
pub(crate) use statement::{Statement, Subject};
pub(crate) use verdict::{Database, Decision, Facts as VerdictFacts, LetThrough, Lists, ListsOf, Origin, Program, Verdict};
pub(crate) use vulnerabilities::{Scan, Vulnerabilities};
pub(crate) use written::Written;
