//! Amazon Web Services: who we are there, and the repository of Amazon ECR that an image goes to.
//!
//! Nothing here knows what a delivery is. What comes out is what the rest speaks: credentials for a registry, its address,
//! and what the repository allows. Endpoints, partitions, FIPS and dual-stack addresses are the SDK's business, with its own
//! variables (AWS SDKs and Tools Reference Guide, "Settings reference").

pub mod account;
pub mod arn;
pub mod ecr;
mod error;
pub mod partition;
pub mod policy;
mod registry_host;
pub mod session;
mod web_identity;

pub use account::AccountId;
pub use arn::{RepositoryArn, RoleArn};
pub use error::{Call, Error, Failure};
pub use partition::Partition;
pub use registry_host::RegistryHost;
pub use session::{Session, Settings};
