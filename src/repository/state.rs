//! What a repository is set to, and what is different from what is wanted.

use std::fmt;

use serde::Serialize;

use super::chosen::Policy;
use super::wanted::Wanted;
use crate::aws::ecr::{Encryption, Mutability, Repository, Settings};
use crate::aws::{self, Failure};
use crate::error::Error;
use crate::lifecycle;
use crate::text;

/// What a repository is set to, as far as the role may see it.
#[derive(Clone, Debug)]
pub(super) struct State {
    /// Its settings; none where there is no such repository.
    pub(super) settings: Option<Settings>,
    /// Its lifecycle policy.
    pub(super) lifecycle: Seen<Option<String>>,
}

/// A setting that the role may or may not see.
#[derive(Clone, Debug)]
pub(super) enum Seen<T> {
    /// It is this.
    Is(T),
    /// The role lacks this permission.
    Denied(&'static str),
}

/// Something that is not as it is wanted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Change {
    /// The setting: a fixed word.
    pub(super) setting: Setting,
    /// What it is, in words.
    pub(super) now: String,
    /// What is wanted, in words.
    pub(super) wanted: String,
}

/// A setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Setting {
    /// Whether there is a repository.
    Repository,
    /// Whether AWS scans images when they are pushed.
    ScanOnPush,
    /// By which key it is encrypted.
    Encryption,
    /// Which tags may move.
    Tags,
    /// The lifecycle policy.
    Lifecycle,
}

impl State {
    /// Asks for it: two requests.
    ///
    /// # Errors
    /// ECR refuses to show the repository, or can't be reached.
    pub(super) async fn read(repository: &Repository) -> Result<Self, Error> {
        let settings = match repository.settings().await {
            Ok(settings) => settings,
            Err(aws::Error::NoRepository(_)) => return Ok(Self { settings: None, lifecycle: Seen::Is(None) }),
            Err(error) => return Err(error.into()),
        };
        let lifecycle = match repository.lifecycle_policy().await {
            Ok(policy) => Seen::Is(policy),
            Err(aws::Error::Call(failure)) if Failure::is_denied(&failure) => Seen::Denied(failure.call.permission()),
            Err(error) => return Err(error.into()),
        };
        Ok(Self { settings: Some(settings), lifecycle })
    }

    /// What is wanted and not so. What the role may not see is not among it.
    pub(super) fn changes(&self, wanted: &Wanted) -> Vec<Change> {
        let mut changes = Vec::new();
        let mut note = |setting, now: String, wanted: String| changes.push(Change { setting, now, wanted });
        let Some(settings) = &self.settings else {
            note(Setting::Repository, "there is none".to_owned(), "one".to_owned());
            let wanted = wanted.lifecycle.iter();
            wanted.for_each(|policy| note(Setting::Lifecycle, said_of(None), policy.origin.clone()));
            return changes;
        };
        if let Some(scan) = wanted.scan_on_push.filter(|scan| *scan != settings.scan_on_push) {
            note(Setting::ScanOnPush, said_of_scan(settings.scan_on_push), said_of_scan(scan));
        }
        if let Some(encryption) = wanted.encryption.as_ref().filter(|one| !is_met(one, &settings.encryption)) {
            note(Setting::Encryption, said_of_encryption(&settings.encryption), said_of_encryption(encryption));
        }
        if let Some(mutability) = wanted.mutability.as_ref().filter(|one| !is_same(one, &settings.mutability)) {
            note(Setting::Tags, said_of_tags(&settings.mutability), said_of_tags(mutability));
        }
        if let (Some(policy), Seen::Is(now)) = (&wanted.lifecycle, &self.lifecycle)
            && !is_policy(now.as_deref(), policy)
        {
            note(Setting::Lifecycle, said_of(now.as_deref()), policy.origin.clone());
        }
        changes
    }

    /// What was wanted, and can't be told, since the role lacks a permission.
    pub(super) fn unseen(&self, wanted: &Wanted) -> Vec<&'static str> {
        match (&wanted.lifecycle, &self.lifecycle) {
            (Some(_), Seen::Denied(permission)) => vec![permission],
            _ => Vec::new(),
        }
    }
}

/// A key is told by its ARN; where none is wanted, any of the kind will do.
fn is_met(wanted: &Encryption, now: &Encryption) -> bool {
    match (wanted, now) {
        (Encryption::Kms(None), Encryption::Kms(_)) => true,
        (wanted, now) => wanted == now,
    }
}

/// AWS need not keep the order of filters.
fn is_same(wanted: &Mutability, now: &Mutability) -> bool {
    let sorted = |filters: &[crate::aws::ecr::TagFilter]| {
        let mut filters: Vec<_> = filters.iter().map(ToString::to_string).collect();
        filters.sort();
        filters
    };
    match (wanted, now) {
        (Mutability::Immutable(wanted), Mutability::Immutable(now)) | (Mutability::Mutable(wanted), Mutability::Mutable(now)) => {
            sorted(wanted) == sorted(now)
        }
        _ => false,
    }
}

fn is_policy(now: Option<&str>, wanted: &Policy) -> bool {
    now.is_some_and(|now| lifecycle::read(now).as_ref() == Ok(&wanted.value))
}

pub(super) fn said_of_scan(on: bool) -> String {
    if on { "each image when it is pushed" } else { "no image by itself" }.to_owned()
}

pub(super) fn said_of_encryption(encryption: &Encryption) -> String {
    let key =
        |key: &Option<String>| key.as_deref().map_or_else(|| "AWS's own key".to_owned(), |key| text::words(key).to_string());
    match encryption {
        Encryption::Aes256 => "AES-256".to_owned(),
        Encryption::Kms(of) => format!("AWS KMS, {}", key(of)),
        Encryption::KmsTwice(of) => format!("AWS KMS twice (DSSE), {}", key(of)),
    }
}

pub(super) fn said_of_tags(mutability: &Mutability) -> String {
    let (word, filters) = match mutability {
        Mutability::Mutable(filters) => ("move", filters),
        Mutability::Immutable(filters) => ("stay", filters),
        Mutability::Unknown => return "not known".to_owned(),
    };
    let filters: Vec<_> = filters.iter().map(|filter| text::words(&filter.to_string()).to_string()).collect();
    if filters.is_empty() { format!("all {word}") } else { format!("all {word} but {}", text::list(&filters)) }
}

/// A policy, by the preset that it is, else by the number of its rules.
pub(super) fn said_of(policy: Option<&str>) -> String {
    let Some(text) = policy else { return "there is none".to_owned() };
    let Ok(policy) = lifecycle::read(text) else { return "one that is not known here".to_owned() };
    let preset = lifecycle::Preset::ALL.into_iter().find(|preset| preset.policy().as_ref() == Ok(&policy));
    preset.map_or_else(|| "another one".to_owned(), |preset| format!("the preset {}", preset.name()))
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Repository => "repository",
            Self::ScanOnPush => "scan on push",
            Self::Encryption => "encryption",
            Self::Tags => "tags",
            Self::Lifecycle => "lifecycle",
        })
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<12}  {}; wanted: {}", self.setting, self.now, self.wanted)?;
        if self.setting == Setting::Encryption { f.write_str(" (it is set once, at creation)") } else { Ok(()) }
    }
}
