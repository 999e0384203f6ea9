//! Doubles of the services that a delivery meets: AWS (STS and ECR with its registry), GitHub (tokens, code scanning, check
//! runs) and registries. They refuse and fail as the real ones do, and remember what they were asked. Clients that know
//! nothing of us check them (`tests/it`).
//!
//! They need programs that the project's scripts install: `scripts/test-parts env` says where those are, and otherwise they
//! are looked for below the workspace's `target/tools`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    clippy::return_self_not_must_use,
    clippy::result_large_err,
    reason = "a test that can't go on has failed"
)]

pub mod actions_cache;
pub mod aws;

pub mod clock;
pub mod git_server;
pub mod github;
pub mod hostile;
pub mod kubernetes;
pub mod program;
pub mod proxy;
pub mod registry;
mod service;
