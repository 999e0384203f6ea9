//! Whether something goes to GitHub.

use std::str::FromStr;

/// Whether something goes to GitHub, and what it means if GitHub does not take it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Demand {
    /// Findings: where the environment asks for it; a repository that has no code scanning, by GitHub's own words, is passed
    /// over. Attestations: where there is a token; where GitHub does not take them, that is a warning.
    Auto,
    /// Everywhere, and nothing is passed over.
    Required,
    /// Nowhere.
    Off,
}

impl Demand {
    /// Whether it goes there from an environment that asks for it, or does not.
    #[must_use]
    pub(crate) fn applies(self, asked: bool) -> bool {
        match self {
            Self::Auto => asked,
            Self::Required => true,
            Self::Off => false,
        }
    }
}

impl FromStr for Demand {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "auto" => Ok(Self::Auto),
            "required" => Ok(Self::Required),
            "off" => Ok(Self::Off),
            _ => Err(()),
        }
    }
}
