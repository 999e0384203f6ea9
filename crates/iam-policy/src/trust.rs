//! Trust policies: who may assume a role with the token of an identity provider.

mod caller;
mod comparison;
mod difference;
mod evaluation;
mod key;
mod mismatch;
mod provider;

pub use caller::Caller;
pub use comparison::compare;
pub use difference::{Difference, Element, Label};
pub use mismatch::MismatchReason;
pub use provider::provider_arn;

/// The action that a trust policy has to allow for a token (AWS STS API Reference, `AssumeRoleWithWebIdentity`).
pub const ACTION: &str = "sts:AssumeRoleWithWebIdentity";
