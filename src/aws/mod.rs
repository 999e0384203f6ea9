//! Amazon Web Services: who we are there, and the repository of Amazon ECR that an image goes to.
//!
//! Nothing here knows what a delivery is. What comes out is what the rest speaks: credentials for a registry, its address,
//! and what the repository allows.

pub mod account;
pub mod arn;
pub mod partition;
pub mod policy;

pub use account::AccountId;
pub use arn::{RepositoryArn, RoleArn};
pub use partition::Partition;
