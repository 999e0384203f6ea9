//! The credentials that `docker login` left: `config.json` and the helper programs that it names.
//!
//! The file's form is that of Docker's client (docs.docker.com, "docker login", "Credential stores"); the helpers' is that
//! of docker-credential-helpers: the program `docker-credential-NAME` is started with `get`, reads the host, and answers
//! with JSON.

mod auth;
mod error;
mod helper;
mod password;
mod store;

pub(crate) use auth::{Auth, Credentials, Origin};
pub(crate) use error::Error;
pub(crate) use password::{CachedPassword, Issuer, Password};
pub(crate) use store::Store;
