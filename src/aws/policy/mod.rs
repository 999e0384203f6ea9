//! IAM policies: read as people write them, compared with who asks, and written.
//!
//! Nothing here asks AWS. What a policy does is worked out from its text and a token's claims, so it can be said where AWS
//! itself says no more than "Not authorized".

pub mod document;
pub mod permission;
pub mod role;
pub mod subject;
pub mod trust;

mod condition;
mod list;
mod operator;
mod pattern;
mod principal;

pub use condition::Condition;
pub use document::Document;
pub use principal::Principals;
