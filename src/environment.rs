//! The environments: one table of what maps to each and what each requires.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use self::Trigger::{Branch, Outside, Tags};

/// What findings do to a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub(crate) enum Gate {
    /// They are reported, and the delivery goes on.
    Advisory,
    /// They end the delivery.
    Blocking,
}

/// What an environment requires.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Requirements {
    /// Whether a leaked secret blocks a delivery or is only reported.
    pub(crate) secrets: Gate,
    /// What a vulnerability at or over the severity threshold does.
    pub(crate) vulnerabilities: Gate,
    /// Whether findings go to the Security tab.
    pub(crate) sarif_upload: bool,
}

const ADVISORY: Requirements = Requirements { secrets: Gate::Advisory, vulnerabilities: Gate::Advisory, sarif_upload: false };
const BLOCKING: Requirements = Requirements { secrets: Gate::Blocking, vulnerabilities: Gate::Blocking, sarif_upload: true };

/// The branch or tag that `auto` takes for an environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trigger {
    /// A run outside GitHub Actions.
    Outside,
    /// The branch of this name.
    Branch(&'static str),
    /// Any tag that begins so.
    Tags(&'static str),
}

/// The branch, tag or event that a run was started by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin<'a> {
    /// It is outside GitHub Actions.
    Outside,
    /// A branch.
    Branch(&'a str),
    /// A tag.
    Tag(&'a str),
}

/// Makes the type and all that is written about it from the rows of the table.
macro_rules! environments {
    ($($(#[$doc:meta])+ $variant:ident $name:literal, $triggers:expr, $requirements:expr;)+) => {
        /// Where a delivery is bound for.
        // In the order of the table: one that requires more is the greater.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(test, derive(schemars::JsonSchema))]
        pub(crate) enum Environment {
            $($(#[$doc])+ #[serde(rename = $name)] $variant,)+
        }

        impl Environment {
            /// All, the one that requires least first.
            pub(crate) const ALL: [Self; [$($name),+].len()] = [$(Self::$variant),+];

            /// The name as it is given and as `{env}` writes it.
            #[must_use]
            pub(crate) fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }

            /// What `auto` takes for it.
            pub(crate) fn triggers(self) -> &'static [Trigger] {
                match self {
                    $(Self::$variant => &$triggers,)+
                }
            }

            /// The gates of this environment.
            #[must_use]
            pub(crate) fn requirements(self) -> Requirements {
                match self {
                    $(Self::$variant => $requirements,)+
                }
            }
        }

        impl Choice {
            /// What is expected of one.
            pub(crate) const EXPECTED: &str = concat!($($name, ", ",)+ "or auto is expected");
            /// What the input that takes one is for.
            pub(crate) const HELP: &str =
                concat!("Where the image is bound for: ", $($name, ", ",)+ "or auto (from the branch or tag)");
        }
    };
}

// In the order of rank: what one requires, all below it require too.
environments! {
    /// A laptop.
    Local "local", [Outside], ADVISORY;
    /// Shared development.
    Dev "dev", [Branch("development")], ADVISORY;
    /// Test.
    Test "test", [], BLOCKING;
    /// Staging.
    Staging "staging", [], BLOCKING;
    /// Production.
    Prod "prod", [Branch("main"), Tags("v")], BLOCKING;
}

/// An environment as it is given: by its name, or by what the run is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    Auto,
    Named(Environment),
}

impl Choice {
    /// The word for [`Choice::Auto`].
    pub(crate) const AUTO: &str = "auto";
}

impl FromStr for Choice {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == Self::AUTO { Ok(Self::Auto) } else { text.parse().map(Self::Named) }
    }
}

impl Environment {
    /// What `auto` comes to.
    pub(crate) fn of(origin: Origin<'_>) -> Option<Self> {
        Self::ALL.into_iter().find(|environment| environment.triggers().iter().any(|trigger| trigger.fits(origin)))
    }

    /// The first from which on findings end a delivery; the last, should none end one.
    pub(crate) fn first_blocking() -> Self {
        Self::ALL.into_iter().find(|environment| environment.is_blocking()).unwrap_or(Self::Prod)
    }

    /// Whether findings of any kind end a delivery.
    #[must_use]
    pub(crate) fn is_blocking(self) -> bool {
        let requirements = self.requirements();
        [requirements.secrets, requirements.vulnerabilities].contains(&Gate::Blocking)
    }

    /// What in a repository `auto` knows, in words: `the branches development (dev) and main (prod) and v* tags (prod)`.
    pub(crate) fn known_triggers() -> String {
        let all = || Self::ALL.into_iter().flat_map(|environment| environment.triggers().iter().map(move |it| (it, environment)));
        let branches: Vec<_> = all()
            .filter_map(|(trigger, environment)| match trigger {
                Branch(name) => Some(format!("{name} ({environment})")),
                Outside | Tags(_) => None,
            })
            .collect();
        let tags = all().filter_map(|(trigger, environment)| match trigger {
            Tags(prefix) => Some(format!("{prefix}* tags ({environment})")),
            Outside | Branch(_) => None,
        });
        [format!("the branches {}", branches.join(" and "))].into_iter().chain(tags).collect::<Vec<_>>().join(" and ")
    }
}

impl Trigger {
    /// The pattern of GitHub's rules for an environment, and whether it is one of a `branch` or of a `tag`.
    pub(crate) fn pattern(&self) -> Option<(String, &'static str)> {
        match self {
            Outside => None,
            Branch(name) => Some(((*name).to_owned(), "branch")),
            Tags(prefix) => Some((format!("{prefix}*"), "tag")),
        }
    }

    fn fits(self, origin: Origin<'_>) -> bool {
        match (self, origin) {
            (Outside, Origin::Outside) => true,
            (Branch(name), Origin::Branch(branch)) => name == branch,
            (Tags(prefix), Origin::Tag(tag)) => tag.starts_with(prefix),
            _ => false,
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
    pub(crate) fn name(self) -> &'static str {
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
            let requirements = environment.requirements();
            assert_eq!((requirements.secrets, requirements.vulnerabilities), (Gate::Blocking, Gate::Blocking), "{environment}");
        }
        assert_eq!(Environment::first_blocking(), Environment::Test);
    }

    #[test]
    fn what_one_requires_all_below_it_require_too() {
        let weight = |requirements: Requirements| {
            let blocks = |gate| gate == Gate::Blocking;
            [blocks(requirements.secrets), blocks(requirements.vulnerabilities), requirements.sarif_upload]
        };
        for (one, next) in Environment::ALL.into_iter().zip(Environment::ALL.into_iter().skip(1)) {
            let (below, above) = (weight(one.requirements()), weight(next.requirements()));
            assert!(one < next && below.into_iter().zip(above).all(|(below, above)| below <= above), "{one}, {next}");
        }
    }

    #[test]
    fn each_branch_and_tag_maps_to_one_environment() {
        let triggers: Vec<_> = Environment::ALL.into_iter().flat_map(Environment::triggers).collect();
        for trigger in &triggers {
            assert_eq!(triggers.iter().filter(|other| *other == trigger).count(), 1, "{trigger:?}");
        }
        for (origin, environment) in [
            (Origin::Outside, Some(Environment::Local)),
            (Origin::Branch("development"), Some(Environment::Dev)),
            (Origin::Branch("main"), Some(Environment::Prod)),
            (Origin::Branch("v1"), None),
            (Origin::Tag("v1.2.3"), Some(Environment::Prod)),
            (Origin::Tag("main"), None),
        ] {
            assert_eq!(Environment::of(origin), environment, "{origin:?}");
        }
    }

    #[test]
    fn what_is_known_is_said_in_words() {
        let expected = "the branches development (dev) and main (prod) and v* tags (prod)";
        assert_eq!(Environment::known_triggers(), expected);
    }

    #[test]
    fn an_unknown_name_is_no_environment() {
        for name in ["", "PROD", "production", "dev ", "qa"] {
            assert_eq!(name.parse::<Environment>(), Err(()), "{name:?}");
        }
    }
}
