//! What `repository show`, `diff` and `ensure` come to.

use std::fmt;

use serde::Serialize;

use super::preview::Preview;
use super::scanning::{said_of_scanning, said_of_signing};
use super::state::{
    Change, Setting, State, WIDTH, said_of, said_of_encryption, said_of_resource_tags, said_of_scan, said_of_tags,
};

/// A repository, what it is set to, and what was to be changed.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Report {
    /// The repository's ARN.
    pub(super) repository: String,
    /// What it is set to, in words; empty where there is none.
    pub(super) settings: Vec<Shown>,
    /// What is not as it is wanted, and was not changed.
    pub(super) different: Vec<Change>,
    /// What was changed.
    pub(super) changed: Vec<Change>,
    /// Permissions that the role lacks to see what was wanted.
    pub(super) unseen: Vec<&'static str>,
    /// What is not as it is wanted of the whole registry, where that does not count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) of_registry: Option<Change>,
    /// What the wanted lifecycle policy would take and may not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) refused: Option<Preview>,
    /// What is to be looked at in the lifecycle policy that was put in force.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) warnings: Vec<String>,
}

/// A setting and what it is, in words.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Shown {
    setting: Setting,
    is: String,
}

impl Report {
    pub(super) fn of(repository: String, state: &State) -> Self {
        let mut settings = Vec::new();
        if let Some(known) = &state.settings {
            let shown = [
                (Setting::ScanOnPush, Some(said_of_scan(known.scan_on_push))),
                (Setting::Encryption, Some(said_of_encryption(&known.encryption))),
                (Setting::Tags, Some(said_of_tags(&known.mutability))),
                (Setting::Lifecycle, state.lifecycle.says(|policy| said_of(policy.as_deref()))),
                (Setting::Access, state.access.says(ToString::to_string)),
                (Setting::ResourceTags, state.resource_tags.says(said_of_resource_tags)),
                (Setting::RegistryScanning, state.scanning.says(said_of_scanning)),
                (Setting::ManagedSigning, state.signing.says(|rules| said_of_signing(rules))),
            ];
            settings.extend(shown.into_iter().filter_map(|(setting, is)| Some(Shown { setting, is: is? })));
        }
        Self {
            repository,
            settings,
            different: Vec::new(),
            changed: Vec::new(),
            unseen: Vec::new(),
            of_registry: None,
            refused: None,
            warnings: Vec::new(),
        }
    }

    /// Whether something is not as it is wanted.
    #[must_use]
    pub(crate) fn is_different(&self) -> bool {
        !self.different.is_empty()
    }

    /// Whether something that was wanted could not be seen.
    #[must_use]
    pub(crate) fn is_unseen(&self) -> bool {
        !self.unseen.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.repository)?;
        for Shown { setting, is } in &self.settings {
            writeln!(f, "  {setting:<WIDTH$}  {is}")?;
        }
        for (mark, changes) in [("changed:", &self.changed), ("different:", &self.different)] {
            for change in changes {
                writeln!(f, "{mark:<10} {change}")?;
            }
        }
        if let Some(change) = &self.of_registry {
            writeln!(f, "registry:   {change} (of the whole registry: it counts with --registry)")?;
        }
        for permission in &self.unseen {
            writeln!(f, "not known:  the role lacks {permission}")?;
        }
        for warning in &self.warnings {
            writeln!(f, "{warning}")?;
        }
        if let Some(preview) = &self.refused {
            write!(f, "\nThe lifecycle policy is not put in force:\n{preview}")?;
        }
        Ok(())
    }
}
