//! A Secret of a Kubernetes cluster, written by a pod of that cluster: as its service account, by the API server, and no other
//! object. What the Secret is for is nothing that this room knows, but that it holds logins to registries.

mod contents;
mod error;
mod name;
mod secret;
mod server;
mod service_account;

pub(crate) use contents::{Contents, MANAGED_BY, TYPE};
pub(crate) use error::{Error, Verb};
pub(crate) use name::{Namespace, Place, SecretName};
pub(crate) use secret::Kept;
pub(crate) use server::Server;
pub(crate) use service_account::ServiceAccount;
