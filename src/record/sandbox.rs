//! What the programs of a delivery were shut in.

use serde::{Deserialize, Serialize};

/// What gitleaks, trivy, syft and git were shut in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Sandbox {
    /// What was asked for: `auto`, `require` or `off`.
    pub(crate) demand: String,
    /// The version of the kernel's Landlock, which keeps them from files; absent where it was not in force.
    pub(crate) landlock: Option<u32>,
    /// Whether seccomp kept them from the network and from other processes.
    pub(crate) seccomp: bool,
    /// Whether each had a user of its own, as where gp-deliver is root.
    pub(crate) own_user: bool,
    /// What was asked for and is not there.
    pub(crate) missing: Vec<MissingPart>,
}

/// A part of the sandbox that was not in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct MissingPart {
    /// Its name.
    pub(crate) part: String,
    /// Why it was not in force.
    pub(crate) reason: String,
    /// What held all the same.
    pub(crate) still_holds: String,
}
