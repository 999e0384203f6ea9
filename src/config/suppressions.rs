//! Whose lists of what is let through count, and which commits are looked through for secrets: what a change says of itself is
//! no evidence.

use serde::Serialize;

use super::reader::Reader;
use crate::environment::{Environment, Gate};
use crate::inputs::{self, History};

/// Which commits are scanned for secrets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SecretsHistory {
    /// Those after the given commit, up to the delivered one: what a push brought.
    Push(String),
    /// The delivered one and all before it.
    Full,
    /// The same, but for those in whose history an earlier delivery on this machine has found nothing.
    Uncleared,
    /// None: the working tree alone.
    None,
}

/// Whose lists of what is let through count (`.gitleaksignore`, `.gitleaks.toml`, `gitleaks:allow`, `.trivyignore`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Suppressions {
    /// The change's own. What the given commit does not have of them is new.
    Head(Option<String>),
    /// Those of the given commit.
    Base(String),
    /// None: of no commit is it known that this environment was delivered from it.
    Unproven,
}

impl Reader<'_> {
    pub(super) fn secrets_history(&mut self, environment: Option<Environment>) -> Option<SecretsHistory> {
        let before = self.env.event.and_then(|event| event.before.clone());
        let push = || before.map_or(SecretsHistory::Full, SecretsHistory::Push);
        Some(match self.get(&inputs::SECRETS_HISTORY)? {
            // A push that was held back is delivered by the next one, so what one push brought is not enough.
            History::Auto if environment.is_none_or(blocks_leaks) => SecretsHistory::Full,
            // On a laptop, what is kept in the user's folders is as good as the working tree.
            History::Auto if self.env.event.is_none() => SecretsHistory::Uncleared,
            // A push without a commit before is a new branch or tag: what it brought can't be told, so all is scanned.
            History::Auto | History::Push => push(),
            History::Full => SecretsHistory::Full,
            History::None => SecretsHistory::None,
        })
    }

    pub(super) fn suppressions(&mut self, environment: Option<Environment>) -> Option<Suppressions> {
        let before = self.env.event.and_then(|event| event.before.clone());
        // A proposal's base is the branch that it is for, which others guard. What a push comes after may be a push that was
        // held back: what that one brought is as new as it was.
        let base = match self.env.event {
            Some(event) if event.is_proposal() => before.clone().map_or(Suppressions::Unproven, Suppressions::Base),
            _ => Suppressions::Unproven,
        };
        let blocks = environment.is_none_or(Environment::is_blocking);
        // On a laptop and in a run that somebody started by hand, the one who delivers sees what is let through.
        let unattended = self.env.event.is_some_and(|event| event.name != "workflow_dispatch");
        Some(match self.get(&inputs::SUPPRESSIONS)? {
            inputs::Suppressions::Auto if blocks && unattended => base,
            inputs::Suppressions::Base => base,
            inputs::Suppressions::Auto | inputs::Suppressions::Head => Suppressions::Head(before),
            inputs::Suppressions::Commit(commit) => Suppressions::Base(commit),
        })
    }
}

fn blocks_leaks(environment: Environment) -> bool {
    environment.requirements().secrets == Gate::Blocking
}
