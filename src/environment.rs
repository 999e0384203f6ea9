//! The environments and what each demands.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Where a delivery is bound for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Environment {
    /// A laptop.
    Local,
    /// Shared development.
    Dev,
    /// Test.
    Test,
    /// Staging.
    Staging,
    /// Production.
    Prod,
}

/// What findings do to a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Gate {
    /// They are reported, and the delivery goes on.
    Advisory,
    /// They end the delivery.
    Blocking,
}

/// One row of the table: what an environment demands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Demands {
    /// What a leaked secret does.
    pub secrets: Gate,
    /// What a vulnerability at or over the severity threshold does.
    pub vulnerabilities: Gate,
    /// Whether findings go to the Security tab.
    pub sarif_upload: bool,
}

impl Environment {
    /// All, the least demanding first.
    pub const ALL: [Self; 5] = [Self::Local, Self::Dev, Self::Test, Self::Staging, Self::Prod];

    /// The table.
    #[must_use]
    pub fn demands(self) -> Demands {
        match self {
            Self::Local | Self::Dev => Demands { secrets: Gate::Advisory, vulnerabilities: Gate::Advisory, sarif_upload: false },
            Self::Test | Self::Staging | Self::Prod => {
                Demands { secrets: Gate::Blocking, vulnerabilities: Gate::Blocking, sarif_upload: true }
            }
        }
    }

    /// The name as it is given and as `{env}` writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Dev => "dev",
            Self::Test => "test",
            Self::Staging => "staging",
            Self::Prod => "prod",
        }
    }
}

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Environment {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|environment| environment.name() == text).ok_or(())
    }
}

impl Gate {
    /// `advisory` or `blocking`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Advisory => "advisory",
            Self::Blocking => "blocking",
        }
    }
}

impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_from_test_up_is_blocking() {
        for environment in [Environment::Test, Environment::Staging, Environment::Prod] {
            let demands = environment.demands();
            assert_eq!((demands.secrets, demands.vulnerabilities), (Gate::Blocking, Gate::Blocking), "{environment}");
        }
    }

    #[test]
    fn an_unknown_name_is_no_environment() {
        for name in ["", "PROD", "production", "dev ", "qa"] {
            assert_eq!(name.parse::<Environment>(), Err(()), "{name:?}");
        }
    }
}
