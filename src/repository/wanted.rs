//! What a repository is to be set to. What is not said is left as it is.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::access::{Access, Principal};
use super::chosen::{Policy, preset};
use super::scanning::SaidScanning;
use crate::aws::ecr::{Encryption, Mutability, RegistryScanning, Settings, TagFilter};
use crate::beneath;
use crate::document;
use crate::document::yaml;
use crate::inputs::Problem;

/// Where it is said, unless another file is named.
pub(super) const FILE: &str = ".gp-deliver/repository.yaml";
/// The most that is read of it, in bytes.
pub(super) const MAX_BYTES: u64 = 1 << 20;
/// The most filters of a repository, and the most `*` of one (Amazon ECR user guide, "Preventing image tags from being
/// overwritten").
const MAX_FILTERS: usize = 5;
const MAX_WILDCARDS: usize = 2;
/// The most characters of a filter.
const MAX_LENGTH: usize = 128;
/// The most characters of a resource tag's key and of its value, and the most tags (Amazon ECR User Guide, "Tag basics").
const MAX_KEY: usize = 128;
const MAX_VALUE: usize = 256;
const MAX_TAGS: usize = 50;

/// What is done with a repository's settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    /// They are shown.
    Show,
    /// They are compared with what is wanted.
    Diff,
    /// They are brought to what is wanted.
    Ensure,
}

/// What is wanted of a repository of Amazon ECR, in a file or by flags. What is not said is left as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Said {
    /// Whether AWS scans each image when it is pushed.
    #[serde(default, deserialize_with = "yaml::given")]
    pub(crate) scan_on_push: Option<bool>,
    /// `aes256`, `kms`, or the ARN of a key. It is set once, when the repository is created.
    #[serde(default, deserialize_with = "yaml::given")]
    pub(crate) encryption: Option<String>,
    /// Whether a tag stays with the image that it was first given to.
    #[serde(default, deserialize_with = "yaml::given")]
    pub(crate) immutable_tags: Option<bool>,
    /// Filters of the tags that move all the same, with `*` for any characters; 5 at most.
    #[serde(default, deserialize_with = "yaml::given")]
    pub(crate) moving_tags: Option<Vec<String>>,
    /// The lifecycle policy by its name: `simple`, `environments` or `environments-safe`.
    #[serde(default, deserialize_with = "yaml::given")]
    pub(crate) lifecycle_preset: Option<String>,
    /// A file with a lifecycle policy; one that this file names is beside it.
    #[serde(default, deserialize_with = "yaml::given")]
    pub(crate) lifecycle_policy: Option<PathBuf>,
    /// Who may pull, beside the roles of the repository's account that may: ids of accounts, and ARNs of roles and users.
    #[serde(default, deserialize_with = "yaml::given")]
    pub(crate) pullers: Option<Vec<String>>,
    /// Who may push, in the same way.
    #[serde(default, deserialize_with = "yaml::given")]
    pub(crate) pushers: Option<Vec<String>>,
    /// Tags of the repository as a resource, by their keys. Others that it has stay.
    #[serde(default, deserialize_with = "yaml::given")]
    pub(crate) resource_tags: Option<BTreeMap<String, String>>,
    /// How the images of all repositories of the registry are scanned. It counts with `--registry` alone.
    #[serde(default, deserialize_with = "yaml::given")]
    pub(crate) registry_scanning: Option<SaidScanning>,
}

/// The same, made sense of.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) scan_on_push: Option<bool>,
    pub(super) encryption: Option<Encryption>,
    pub(super) mutability: Option<Mutability>,
    pub(super) lifecycle: Option<Policy>,
    pub(super) access: Access,
    pub(super) resource_tags: BTreeMap<String, String>,
    pub(super) registry_scanning: Option<RegistryScanning>,
}

impl Wanted {
    /// Reads a file, if there is one, and what flags say instead.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub(super) fn read(file: Option<&Path>, flags: &Said, verb: Verb) -> Result<Self, Vec<Problem>> {
        let said = match file {
            Some(file) => in_file(file)?,
            // What is shown is compared with nothing.
            None if verb != Verb::Show && Path::new(FILE).exists() => in_file(Path::new(FILE))?,
            None => Said::default(),
        };
        said.with(flags).wanted()
    }

    /// The settings of a repository that is created: what is not said is as AWS has it.
    pub(super) fn of_new(&self) -> Settings {
        let default = Settings::default();
        Settings {
            mutability: self.mutability.clone().unwrap_or(default.mutability),
            scan_on_push: self.scan_on_push.unwrap_or(default.scan_on_push),
            encryption: self.encryption.clone().unwrap_or(default.encryption),
        }
    }
}

fn in_file(file: &Path) -> Result<Said, Vec<Problem>> {
    let name = file.display().to_string();
    let bytes = beneath::read(file, MAX_BYTES).ok().flatten().and_then(|bytes| String::from_utf8(bytes).ok());
    let text = bytes.ok_or_else(|| vec![problem("file", &name, "a file that can be read is expected")])?;
    let mut said = Said::read(&name, &text)?;
    if let (Some(policy), Some(folder)) = (&said.lifecycle_policy, file.parent()) {
        said.lifecycle_policy = Some(folder.join(policy));
    }
    Ok(said)
}

impl Said {
    /// Reads the text of a file with a name.
    ///
    /// # Errors
    /// It is not of this form.
    pub(super) fn read(name: &str, text: &str) -> Result<Self, Vec<Problem>> {
        document::yaml::read_yaml(text).map_err(|error| vec![problem("file", name, &error.to_string())])
    }

    /// What flags say counts; of two things that say the same in two ways, one flag puts out both.
    fn with(mut self, flags: &Self) -> Self {
        if flags.lifecycle_preset.is_some() || flags.lifecycle_policy.is_some() {
            (self.lifecycle_preset, self.lifecycle_policy) = (None, None);
        }
        let flags = flags.clone();
        Self {
            scan_on_push: flags.scan_on_push.or(self.scan_on_push),
            encryption: flags.encryption.or(self.encryption),
            immutable_tags: flags.immutable_tags.or(self.immutable_tags),
            moving_tags: flags.moving_tags.or(self.moving_tags),
            lifecycle_preset: flags.lifecycle_preset.or(self.lifecycle_preset),
            lifecycle_policy: flags.lifecycle_policy.or(self.lifecycle_policy),
            pullers: flags.pullers.or(self.pullers),
            pushers: flags.pushers.or(self.pushers),
            resource_tags: flags.resource_tags.or(self.resource_tags),
            registry_scanning: flags.registry_scanning.or(self.registry_scanning),
        }
    }

    fn wanted(self) -> Result<Wanted, Vec<Problem>> {
        let mut problems = Vec::new();
        let mutability = self.mutability(&mut problems);
        let encryption = self.encryption(&mut problems);
        let access = self.access(&mut problems);
        let resource_tags = self.resource_tags(&mut problems);
        let registry_scanning = self.registry_scanning.as_ref().map(SaidScanning::wanted).transpose();
        let registry_scanning = registry_scanning.unwrap_or_else(|errors| {
            problems.extend(errors);
            None
        });
        let policy = match (&self.lifecycle_policy, &self.lifecycle_preset) {
            (Some(_), Some(preset)) => {
                Err(vec![problem("lifecycle-preset", preset, "lifecycle-policy is given too, and a repository has one policy")])
            }
            (Some(file), None) => Policy::of_file(file).map(Some),
            (None, Some(name)) => {
                preset("lifecycle-preset", name).map_err(|error| vec![error]).and_then(Policy::of_preset).map(Some)
            }
            (None, None) => Ok(None),
        };
        let lifecycle = policy.unwrap_or_else(|errors| {
            problems.extend(errors);
            None
        });
        let scan_on_push = self.scan_on_push;
        let wanted = Wanted { scan_on_push, encryption, mutability, lifecycle, access, resource_tags, registry_scanning };
        if problems.is_empty() { Ok(wanted) } else { Err(problems) }
    }

    fn access(&self, problems: &mut Vec<Problem>) -> Access {
        let mut all = |input, names: &Option<Vec<String>>| {
            let all = Principal::all(input, names.as_deref()?);
            all.map_err(|errors| problems.extend(errors)).ok()
        };
        Access { pullers: all("pullers", &self.pullers), pushers: all("pushers", &self.pushers) }
    }

    fn resource_tags(&self, problems: &mut Vec<Problem>) -> BTreeMap<String, String> {
        let tags = self.resource_tags.clone().unwrap_or_default();
        if tags.len() > MAX_TAGS {
            problems.push(problem("resource-tags", &tags.len().to_string(), "at most 50 tags are expected"));
        }
        let known = |text: &str| text.chars().all(|c| c.is_alphanumeric() || " _.:/=+@-".contains(c));
        for (key, value) in &tags {
            let lengths = (1..=MAX_KEY).contains(&key.chars().count()) && value.chars().count() <= MAX_VALUE;
            if !lengths || !known(key) || !known(value) || key.to_lowercase().starts_with("aws:") {
                let expected = "a key of at most 128 characters, not AWS's own (aws:), and a value of at most 256 are expected: \
                                letters, digits, spaces and _ . : / = + @ -";
                problems.push(problem("resource-tags", &format!("{key}={value}"), expected));
            }
        }
        tags
    }

    pub(super) fn encryption(&self, problems: &mut Vec<Problem>) -> Option<Encryption> {
        let read = self.encryption.as_deref().map(encryption).transpose();
        read.unwrap_or_else(|error| {
            problems.push(error);
            None
        })
    }

    pub(super) fn mutability(&self, problems: &mut Vec<Problem>) -> Option<Mutability> {
        let filters = self.moving_tags.clone().unwrap_or_default();
        if filters.len() > MAX_FILTERS {
            problems.push(problem("moving-tags", &filters.join(" "), "at most 5 filters are expected"));
        }
        for filter in &filters {
            let known = |c: char| c.is_ascii_alphanumeric() || "._*-".contains(c);
            let sound = (1..=MAX_LENGTH).contains(&filter.len()) && filter.chars().all(known);
            if !sound || filter.matches('*').count() > MAX_WILDCARDS {
                let expected = "letters, digits, . _ - and at most two * are expected, 128 at most";
                problems.push(problem("moving-tags", filter, expected));
            }
        }
        match (self.immutable_tags, filters) {
            (Some(true), filters) => Some(Mutability::Immutable(filters.into_iter().map(TagFilter::new).collect())),
            (Some(false), filters) if filters.is_empty() => Some(Mutability::Mutable(Vec::new())),
            (None, filters) if filters.is_empty() => None,
            (_, filters) => {
                let expected = "immutable-tags: true is expected beside it: all other tags move anyway";
                problems.push(problem("moving-tags", &filters.join(" "), expected));
                None
            }
        }
    }
}

fn encryption(text: &str) -> Result<Encryption, Problem> {
    match text {
        "aes256" => Ok(Encryption::Aes256),
        "kms" => Ok(Encryption::Kms(None)),
        key if key.starts_with("arn:") && key.contains(":kms:") => Ok(Encryption::Kms(Some(key.to_owned()))),
        other => Err(problem("encryption", other, "aes256, kms or the ARN of a key of AWS KMS is expected")),
    }
}

pub(super) fn problem(input: &'static str, value: &str, expected: &str) -> Problem {
    Problem { input, value: value.to_owned(), expected: expected.to_owned() }
}
