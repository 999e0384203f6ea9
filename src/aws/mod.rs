//! Amazon Web Services: who we are there, and the repository of Amazon ECR that an image goes to.
//!
//! Nothing here knows what a delivery is. What comes out is what the rest speaks: credentials for a registry, its address,
//! and what the repository allows. Endpoints, partitions, FIPS and dual-stack addresses are the SDK's business, with its own
//! variables (AWS SDKs and Tools Reference Guide, "Settings reference"). IAM's documents and ARNs are those of the crate
//! `iam_policy`.

pub mod ecr;
mod error;
mod registry_host;
mod repository_arn;
mod secret_sink;
pub mod session;
mod settings;
mod web_identity;

pub use error::{Call, Error, Failure};
pub use iam_policy::{AccountId, Partition, RoleArn};
pub use registry_host::RegistryHost;
pub use repository_arn::RepositoryArn;
pub use secret_sink::SecretSink;
pub use session::Session;
pub use settings::Settings;
