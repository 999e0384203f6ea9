//! GitHub: the event, the token, workflow commands, and the API.

mod access;
mod actions_cache;
pub(crate) mod api;
mod app;
pub(crate) mod attestations;
pub(crate) mod checks;
pub(crate) mod code_scanning;
pub(crate) mod commands;
mod demand;
pub(crate) mod environments;
pub(crate) mod event;
pub(crate) mod git_data;
pub(crate) mod issues;
mod job_result;
pub(crate) mod oidc;
pub(crate) mod pull_requests;
pub(crate) mod storage_records;

pub(crate) use access::{Access, Credential};
pub(crate) use actions_cache::ActionsCache;
pub(crate) use api::Api;
pub(crate) use app::{App, AppId, InstallationId};
pub(crate) use demand::Demand;
pub(crate) use event::Event;
pub(crate) use job_result::JobResult;
