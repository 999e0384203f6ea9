//! gp-deliver: scan, build, list, decide and publish a container image.

mod annotation;
#[cfg(test)]
mod architecture;
mod attestation;
mod aws;
mod beneath;
mod build_check;
mod buildkit;
mod cache_writers;
#[allow(dead_code, reason = "the delivery that compares an image with the one before it comes next")]
mod changes;
mod cli;
mod compare;
mod config;
mod coverage;
mod diagnosis;
mod dockerfile;
mod document;
#[cfg(test)]
mod documentation;
mod environment;
mod error;
mod evidence;
#[cfg(test)]
mod faults;
mod finding;
mod findings;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod git;
mod git_server;
mod github;
mod gitops;
mod inputs;
mod keeper;
mod kubernetes;
mod layer_store;
mod lifecycle;
mod machine;
mod materials;
mod matrix;
mod metrics;
mod net;
mod oci;
mod ownership;
mod pipeline;
mod plan;
mod policy;
mod process;
mod provenance;
mod publish;
mod pull_secret;
mod record;
mod redaction;
mod registry_scan;
mod report;
mod repository;
mod rollback;
pub mod run;
mod scan;
mod scanner;
mod secret;
mod setup;
mod sigstore;
mod sink;
mod source;
mod stage_name;
mod staging;
mod stamp;
mod tags;
mod text;
mod user_cache;
mod variables;
mod verify;
mod watch;
