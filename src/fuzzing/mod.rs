//! What strangers write, handed to what reads it: a function a target, which takes any bytes and asserts what holds of
//! whatever comes of them.
//!
//! That nothing crashes, hangs or grows is the least of it. What is accepted reads back the same once it is written anew, two
//! readers of one document agree, what is told of a refusal can be shown, and what is written stays in its folder.
//!
//! `make fuzz` runs each target under libFuzzer (`fuzz/`), which looks for inputs that go where none went before. The unit
//! tests run each over its corpus and over changes of it (`smoke`), the same ones each time.

#![allow(clippy::missing_panics_doc, reason = "to panic is how each says that something does not hold")]

mod build_progress;
mod dockerfile;
mod dockerignore;
mod engine_archive;
mod event;
mod git_pack;
mod gitops_edit;
mod go;
mod input;
mod inputs;
mod json;
mod layer;
mod layout;
mod lifecycle_policy;
mod manifest;
mod record;
mod references;
mod scanners;
#[cfg(test)]
mod smoke;
mod tag_templates;
mod yaml;

pub use self::build_progress::build_progress;
pub use self::dockerfile::dockerfile;
pub use self::dockerignore::dockerignore;
pub use self::engine_archive::engine_archive;
pub use self::event::event;
pub use self::git_pack::git_pack;
pub use self::gitops_edit::gitops_edit;
pub use self::inputs::inputs;
pub use self::json::json;
pub use self::layer::layer;
pub use self::layout::layout;
pub use self::lifecycle_policy::lifecycle_policy;
pub use self::manifest::manifest;
pub use self::record::record;
pub use self::references::references;
pub use self::scanners::{gitleaks_lists, gitleaks_report, sbom, trivy_lists, trivy_report};
pub use self::tag_templates::tag_templates;
pub use self::yaml::yaml;
