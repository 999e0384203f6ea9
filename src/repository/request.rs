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
    /// What has to stay.
    pub(crate) keep: Keep,
    /// Images that the lifecycle policy may take all the same, by tag or digest.
    pub(crate) force: Vec<String>,
    /// Whether JSON is wanted.
    pub(crate) json: bool,
}

/// What has to stay, beside what the moving tags of the environments name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Keep {
    /// Images, by tag or by digest.
    pub(crate) images: Vec<String>,
    /// Files that name images by digest.
    pub(crate) files: Vec<PathBuf>,
    /// How long ago an image that has to stay was pulled at most.
    pub(crate) pulled_within: Option<String>,
}

/// What the command line asks about a repository's images.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ImagesRequest {
    /// How many images, the newest first, Amazon ECR is asked of: what its scan found, and whether it has signed them.
    pub(crate) details: usize,
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
    /// What has to stay.
    pub(crate) keep: Keep,
    /// Images that may go all the same, by tag or digest.
    pub(crate) force: Vec<String>,
    /// Whether JSON is wanted.
    pub(crate) json: bool,
}
