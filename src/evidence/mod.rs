//! What is signed about an image: read beside it, checked, and told by whom.
//!
//! Whoever may push to the repository may put anything beside an image. So each statement is checked by itself, what does not
//! hold is put aside with the reason, and no more is read than a delivery leaves behind several times over. Whether a signer's
//! word counts is a question of [`Rule`]s.

mod accepted;
mod gather;
mod key_rule;
mod manifests;
mod pattern;
mod place;
mod proven_source;
mod rule;
mod unproven;

pub(crate) use accepted::Accepted;
pub(crate) use gather::{Evidence, PREDICATE_TYPE, SignedStatement, gather};
pub(crate) use key_rule::KeyRule;
pub(crate) use manifests::listed_manifests;
pub(crate) use pattern::Pattern;
pub(crate) use place::Place;
pub(crate) use proven_source::ProvenSource;
pub(crate) use rule::Rule;
pub(crate) use unproven::Unproven;
