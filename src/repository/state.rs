//! What a repository is set to, and what is different from what is wanted.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::access::InForce;
use super::chosen::Policy;
use super::scanning::{self, said_of_scanning};
use super::wanted::Wanted;
use crate::aws::ecr::{Encryption, Mutability, RegistryScanning, Repository, Settings, SigningRule};
use crate::aws::{self, Failure};
use crate::error::Error;
use crate::lifecycle;
use crate::text;

/// What a repository is set to, as far as it was asked for and the role may see it.
#[derive(Clone, Debug)]
pub(super) struct State {
    /// Its settings; none where there is no such repository.
    pub(super) settings: Option<Settings>,
    /// Its lifecycle policy.
    pub(super) lifecycle: Seen<Option<String>>,
    /// Who may pull and push by its own policy.
    pub(super) access: Seen<InForce>,
    /// Its tags as a resource.
    pub(super) resource_tags: Seen<BTreeMap<String, String>>,
    /// How the images of the whole registry are scanned.
    pub(super) scanning: Seen<RegistryScanning>,
    /// Which images of the registry ECR signs itself.
    pub(super) signing: Seen<Vec<SigningRule>>,
}

/// Which of it is asked for, beside what one request says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "each is a request of its own")]
pub(super) struct Asked {
    lifecycle: bool,
    access: bool,
    resource_tags: bool,
    scanning: bool,
    signing: bool,
}

/// A setting that the role may or may not see.
#[derive(Clone, Debug)]
pub(super) enum Seen<T> {
    /// It is this.
    Is(T),
    /// The role lacks this permission.
    Denied(&'static str),
    /// It is that of another account's registry, which ECR does not tell.
    Elsewhere,
    /// Nobody wants to know.
    NotAsked,
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
    /// Why it is not changed, where that is known before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) left: Option<&'static str>,
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
    /// Who may pull and push by the repository's own policy.
    Access,
    /// The repository's tags as a resource.
    ResourceTags,
    /// How the images of the whole registry are scanned.
    RegistryScanning,
    /// Which images of the registry ECR signs itself.
    ManagedSigning,
}

impl Asked {
    /// All that can be shown.
    pub(super) const ALL: Self = Self { lifecycle: true, access: true, resource_tags: true, scanning: true, signing: true };

    /// What is wanted, and no more: a role need not be allowed to see the rest.
    pub(super) fn of(wanted: &Wanted) -> Self {
        Self {
            lifecycle: wanted.lifecycle.is_some(),
            access: wanted.access.is_wanted(),
            resource_tags: !wanted.resource_tags.is_empty(),
            scanning: wanted.registry_scanning.is_some(),
            signing: false,
        }
    }
}

impl State {
    /// Asks for it: a request each.
    ///
    /// # Errors
    /// ECR refuses to show the repository, or can't be reached.
    pub(super) async fn read(repository: &Repository, asked: Asked) -> Result<Self, Error> {
        let settings = match repository.settings().await {
            Ok(settings) => Some(settings),
            Err(aws::Error::NoRepository(_)) => None,
            Err(error) => return Err(error.into()),
        };
        let (there, own) = (settings.is_some(), repository.is_of_own_registry());
        let access = async { Ok(InForce::read(repository.repository_policy().await?.as_deref())) };
        let (lifecycle, access, resource_tags, scanning, signing) = tokio::try_join!(
            seen(asked.lifecycle && there, repository.lifecycle_policy()),
            seen(asked.access && there, access),
            seen(asked.resource_tags && there, repository.resource_tags()),
            seen(asked.scanning && own, repository.registry_scanning()),
            seen(asked.signing && own, repository.signing_rules()),
        )?;
        let mut state = Self { settings, lifecycle, access, resource_tags, scanning, signing };
        if !there {
            state.lifecycle = Seen::Is(None);
            (state.access, state.resource_tags) = (Seen::Is(InForce::default()), Seen::Is(BTreeMap::new()));
        }
        if !own {
            (state.scanning, state.signing) = (Seen::Elsewhere, Seen::Elsewhere);
        }
        Ok(state)
    }

    /// What is wanted and not so. What the role may not see is not among it; what is wanted of the whole registry is where that
    /// is asked for.
    pub(super) fn changes(&self, wanted: &Wanted, registry: bool) -> Vec<Change> {
        let mut changes = match &self.settings {
            Some(settings) => wanted.changes_of(settings),
            None => vec![Change::of(Setting::Repository, "there is none".to_owned(), "one".to_owned())],
        };
        if let (Some(policy), Seen::Is(now)) = (&wanted.lifecycle, &self.lifecycle)
            && !is_policy(now.as_deref(), policy)
        {
            changes.push(Change::of(Setting::Lifecycle, said_of(now.as_deref()), policy.origin.clone()));
        }
        changes.extend(self.change_of_access(wanted));
        changes.extend(self.change_of_resource_tags(wanted));
        changes.extend(self.change_of_scanning(wanted).filter(|_| registry));
        changes
    }

    fn change_of_access(&self, wanted: &Wanted) -> Option<Change> {
        let Seen::Is(now) = &self.access else { return None };
        let access = wanted.access.over(now);
        if !wanted.access.is_wanted() || access == *now {
            return None;
        }
        let mut change = Change::of(Setting::Access, now.to_string(), access.to_string());
        if now.is_of_others() {
            change.left = Some("what else the policy says is not known here: take it away, or leave pullers and pushers out");
        }
        Some(change)
    }

    /// A new repository gets them when it is created.
    fn change_of_resource_tags(&self, wanted: &Wanted) -> Option<Change> {
        let Seen::Is(now) = &self.resource_tags else { return None };
        let missing = wanted.resource_tags.iter().any(|(key, value)| now.get(key) != Some(value));
        let there: BTreeMap<_, _> = now.iter().filter(|(key, _)| wanted.resource_tags.contains_key(*key)).collect();
        let wanted: BTreeMap<_, _> = wanted.resource_tags.iter().collect();
        let change = || Change::of(Setting::ResourceTags, said_of_resource_tags(&there), said_of_resource_tags(&wanted));
        (missing && self.settings.is_some()).then(change)
    }

    /// What is different of the whole registry.
    pub(super) fn change_of_scanning(&self, wanted: &Wanted) -> Option<Change> {
        let (Some(wanted), Seen::Is(now)) = (&wanted.registry_scanning, &self.scanning) else { return None };
        let change = || Change::of(Setting::RegistryScanning, said_of_scanning(now), said_of_scanning(wanted));
        (!scanning::is_same(wanted, now)).then(change)
    }

    /// What was wanted, and can't be told, since the role lacks a permission.
    pub(super) fn unseen(&self, wanted: &Wanted, registry: bool) -> Vec<&'static str> {
        let asked = Asked::of(wanted);
        let all = [
            (asked.lifecycle, self.lifecycle.denied()),
            (asked.access, self.access.denied()),
            (asked.resource_tags, self.resource_tags.denied()),
            (asked.scanning && registry, self.scanning.denied()),
        ];
        all.into_iter().filter(|(asked, _)| *asked).filter_map(|(_, denied)| denied).collect()
    }
}

/// Makes a call that is asked for. One that the role may not make is no error.
async fn seen<T>(asked: bool, call: impl Future<Output = Result<T, aws::Error>>) -> Result<Seen<T>, Error> {
    if !asked {
        return Ok(Seen::NotAsked);
    }
    match call.await {
        Ok(is) => Ok(Seen::Is(is)),
        Err(aws::Error::Call(failure)) if Failure::is_denied(&failure) => Ok(Seen::Denied(failure.call.permission())),
        Err(error) => Err(error.into()),
    }
}

impl<T> Seen<T> {
    fn denied(&self) -> Option<&'static str> {
        match self {
            Self::Denied(permission) => Some(permission),
            _ => None,
        }
    }

    /// It, in words; nothing where nobody wants to know.
    pub(super) fn says(&self, says: impl Fn(&T) -> String) -> Option<String> {
        match self {
            Self::Is(is) => Some(says(is)),
            Self::Denied(permission) => Some(format!("not known: the role lacks {permission}")),
            Self::Elsewhere => Some("not known: the registry is another account's".to_owned()),
            Self::NotAsked => None,
        }
    }
}

impl Change {
    fn of(setting: Setting, now: String, wanted: String) -> Self {
        Self { setting, now, wanted, left: None }
    }
}

impl Wanted {
    /// What of a repository's settings is not as it is wanted.
    fn changes_of(&self, settings: &Settings) -> Vec<Change> {
        let mut changes = Vec::new();
        if let Some(scan) = self.scan_on_push.filter(|scan| *scan != settings.scan_on_push) {
            changes.push(Change::of(Setting::ScanOnPush, said_of_scan(settings.scan_on_push), said_of_scan(scan)));
        }
        if let Some(encryption) = self.encryption.as_ref().filter(|one| !is_met(one, &settings.encryption)) {
            let (now, wanted) = (said_of_encryption(&settings.encryption), said_of_encryption(encryption));
            changes.push(Change { left: Some("it is set once, at creation"), ..Change::of(Setting::Encryption, now, wanted) });
        }
        if let Some(mutability) = self.mutability.as_ref().filter(|one| !is_same(one, &settings.mutability)) {
            changes.push(Change::of(Setting::Tags, said_of_tags(&settings.mutability), said_of_tags(mutability)));
        }
        changes
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

/// Tags as a resource, by their keys.
pub(super) fn said_of_resource_tags<K: AsRef<str>, V: AsRef<str>>(tags: &BTreeMap<K, V>) -> String {
    let tags: Vec<_> =
        tags.iter().map(|(key, value)| text::words(&format!("{}={}", key.as_ref(), value.as_ref())).to_string()).collect();
    if tags.is_empty() { "none".to_owned() } else { text::list(&tags) }
}

/// How wide the name of a setting is shown.
pub(super) const WIDTH: usize = 17;

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Repository => "repository",
            Self::ScanOnPush => "scan on push",
            Self::Encryption => "encryption",
            Self::Tags => "tags",
            Self::Lifecycle => "lifecycle",
            Self::Access => "access",
            Self::ResourceTags => "resource tags",
            Self::RegistryScanning => "registry scanning",
            Self::ManagedSigning => "managed signing",
        })
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<WIDTH$}  {}; wanted: {}", self.setting, self.now, self.wanted)?;
        self.left.map_or(Ok(()), |why| write!(f, " ({why})"))
    }
}
