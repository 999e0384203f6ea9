//! Amazon Web Services: who we are there, the repository of Amazon ECR that an image goes to, and a key of AWS KMS.
//!
//! Nothing here knows what a delivery is. The results are general: credentials for a registry, its address, and what the
//! repository allows. Endpoints, partitions, FIPS and dual-stack addresses are left to the SDK and its own variables (AWS
//! SDKs and Tools Reference Guide, "Settings reference"). IAM's documents and ARNs are those of the crate
//! `iam_policy`.

mod chain;
pub(crate) mod cloudwatch;
mod confidential;
mod config;
pub(crate) mod ecr;
mod error;
mod expiry;
mod http;
mod key_arn;
pub(crate) mod kms;
pub(crate) mod pull;
mod pulled;
mod registry_host;
mod registry_login;
mod repository_arn;
pub(crate) mod session;
mod settings;
mod web_identity;
mod withheld;

pub(crate) use error::{Call, Error, Failure, PullFailure};
pub(crate) use iam_policy::{AccountId, Partition, RoleArn};
pub(crate) use key_arn::KeyArn;
pub(crate) use pulled::Pulled;
pub(crate) use registry_host::RegistryHost;
pub(crate) use repository_arn::RepositoryArn;
pub(crate) use session::Session;
pub(crate) use settings::Settings;
pub(crate) use withheld::Withheld;
