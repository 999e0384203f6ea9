//! What the command line asks about a repository's lifecycle policy.

use std::path::PathBuf;

use super::wanted::{Said, Verb};
use crate::inputs::Inputs;

/// A subcommand of `lifecycle`.
#[derive(Clone, Debug)]
pub(crate) enum LifecycleRequest {
    /// What a policy would do to a repository.
    Preview(Inputs, PreviewRequest),
    /// Whether AWS would take a file as a policy.
    Check {
        /// The file.
        file: PathBuf,
        /// Whether it is printed as AWS takes it, in the order in which the rules act.
        ordered: bool,
    },
    /// The presets: all of them, or one to print.
    Presets(Option<String>),
}

/// A subcommand of `repository`.
#[derive(Clone, Debug)]
pub(crate) struct SettingsRequest {
    /// What is done.
    pub(crate) verb: Verb,
    /// The file that says what is wanted.
    pub(crate) file: Option<PathBuf>,
    /// What flags say of it.
    pub(crate) said: Said,
    /// Images that the lifecycle policy may take all the same, by tag or digest.
    pub(crate) force: Vec<String>,
    /// Whether JSON is wanted.
    pub(crate) json: bool,
}

/// Which policy, and what has to stay.
#[derive(Clone, Debug, Default)]
pub(crate) struct PreviewRequest {
    /// A file with the policy.
    pub(crate) policy: Option<PathBuf>,
    /// A preset in its place. Without either it is the policy that the repository has.
    pub(crate) preset: Option<String>,
    /// Tags whose images have to stay besides.
    pub(crate) keep: Vec<String>,
    /// How long ago an image that has to stay was pulled at most.
    pub(crate) pulled_within: Option<String>,
    /// Images that may go all the same, by tag or digest.
    pub(crate) force: Vec<String>,
    /// Whether JSON is wanted.
    pub(crate) json: bool,
}
