//! A text that may have the environment in it.

/// What stands for the environment.
const ENVIRONMENT: &str = "{env}";

/// What is one for all environments, or, with `{env}` in it, one for each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ByEnvironment(pub(super) String);

impl ByEnvironment {
    /// Whether each environment has its own.
    #[must_use]
    pub(super) fn is_apart(&self) -> bool {
        self.0.contains(ENVIRONMENT)
    }

    /// That of the environment of this name.
    #[must_use]
    pub(super) fn of(&self, environment: &str) -> String {
        self.0.replace(ENVIRONMENT, environment)
    }
}
