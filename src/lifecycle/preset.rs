//! Policies to begin with.

use super::policy::Policy;
use super::{Problem, read};

/// A policy that gp-deliver brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Preset {
    /// Images for a scan go after a day, and ten images stay.
    Simple,
    /// A rule for the images of each environment, as teams have written them. Not all of it does what it says.
    Environments,
    /// The same intent, so that it holds.
    EnvironmentsSafe,
}

impl Preset {
    /// All of them.
    pub(crate) const ALL: [Self; 3] = [Self::Simple, Self::Environments, Self::EnvironmentsSafe];

    /// Its name.
    #[must_use]
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Simple => "simple",
            Self::Environments => "environments",
            Self::EnvironmentsSafe => "environments-safe",
        }
    }

    /// What it is for.
    #[must_use]
    pub(crate) fn what(self) -> &'static str {
        match self {
            Self::Simple => "images tagged `scan…` for a day, and ten images of any kind",
            Self::Environments => "three images of prod, five of staging and main, a week of branches, and twenty of any kind",
            Self::EnvironmentsSafe => {
                "the same with one rule for each kind, and the image that a moving tag of an environment names stays"
            }
        }
    }

    /// Its text, as AWS takes it.
    #[must_use]
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Simple => include_str!("presets/simple.json"),
            Self::Environments => include_str!("presets/environments.json"),
            Self::EnvironmentsSafe => include_str!("presets/environments-safe.json"),
        }
    }

    /// The policy.
    ///
    /// # Errors
    /// None that a test would not find.
    pub(crate) fn policy(self) -> Result<Policy, Vec<Problem>> {
        read(self.text())
    }
}
