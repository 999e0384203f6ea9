//! What a repository is to be set to. What is not said is left as it is.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::chosen::{Policy, preset};
use crate::aws::ecr::{Encryption, Mutability, TagFilter};
use crate::beneath;
use crate::document;
use crate::document::yaml;
use crate::inputs::Problem;

/// Where it is said, unless another file is named.
const FILE: &str = ".gp-deliver/repository.yaml";
/// The most that is read of it, in bytes.
const MAX_BYTES: u64 = 1 << 20;
/// The most filters of a repository, and the most `*` of one (Amazon ECR user guide, "Preventing image tags from being
/// overwritten").
const MAX_FILTERS: usize = 5;
const MAX_WILDCARDS: usize = 2;
/// The most characters of a filter.
const MAX_LENGTH: usize = 128;

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

/// What a person says of it, in a file or by flags.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Said {
    /// Whether AWS scans each image when it is pushed.
    #[serde(default, deserialize_with = "yaml::given")]
    pub(crate) scan_on_push: Option<bool>,
    /// `aes256`, `kms`, or the ARN of a key.
    #[serde(default, deserialize_with = "yaml::given")]
    pub(crate) encryption: Option<String>,
    /// Whether a tag stays with the image that it was first given to.
    #[serde(default, deserialize_with = "yaml::given")]
    pub(crate) immutable_tags: Option<bool>,
    /// Filters of the tags that move all the same.
    #[serde(default, deserialize_with = "yaml::given")]
    pub(crate) moving_tags: Option<Vec<String>>,
    /// The name of a preset.
    #[serde(default, deserialize_with = "yaml::given")]
    pub(crate) lifecycle_preset: Option<String>,
    /// A file with a policy; one that the file names is beside it.
    #[serde(default, deserialize_with = "yaml::given")]
    pub(crate) lifecycle_policy: Option<PathBuf>,
}

/// The same, made sense of.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) scan_on_push: Option<bool>,
    pub(super) encryption: Option<Encryption>,
    pub(super) mutability: Option<Mutability>,
    pub(super) lifecycle: Option<Policy>,
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
}

fn in_file(file: &Path) -> Result<Said, Vec<Problem>> {
    let name = file.display().to_string();
    let bytes = beneath::read(file, MAX_BYTES).ok().flatten().and_then(|bytes| String::from_utf8(bytes).ok());
    let text = bytes.ok_or_else(|| vec![problem("file", &name, "a file that can be read is expected")])?;
    let mut said: Said = document::yaml::read_yaml(&text).map_err(|error| vec![problem("file", &name, &error.to_string())])?;
    if let (Some(policy), Some(folder)) = (&said.lifecycle_policy, file.parent()) {
        said.lifecycle_policy = Some(folder.join(policy));
    }
    Ok(said)
}

impl Said {
    /// What flags say counts; of two things that say the same in two ways, one flag puts out both.
    fn with(mut self, flags: &Self) -> Self {
        if flags.lifecycle_preset.is_some() || flags.lifecycle_policy.is_some() {
            (self.lifecycle_preset, self.lifecycle_policy) = (None, None);
        }
        let Self { scan_on_push, encryption, immutable_tags, moving_tags, lifecycle_preset, lifecycle_policy } = flags.clone();
        Self {
            scan_on_push: scan_on_push.or(self.scan_on_push),
            encryption: encryption.or(self.encryption),
            immutable_tags: immutable_tags.or(self.immutable_tags),
            moving_tags: moving_tags.or(self.moving_tags),
            lifecycle_preset: lifecycle_preset.or(self.lifecycle_preset),
            lifecycle_policy: lifecycle_policy.or(self.lifecycle_policy),
        }
    }

    fn wanted(self) -> Result<Wanted, Vec<Problem>> {
        let mut problems = Vec::new();
        let mutability = self.mutability(&mut problems);
        let encryption = self.encryption.as_deref().map(encryption).transpose().map_err(|error| problems.push(error)).ok();
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
        let lifecycle = policy.map_err(|errors| problems.extend(errors)).ok();
        match (encryption, lifecycle) {
            (Some(encryption), Some(lifecycle)) if problems.is_empty() => {
                Ok(Wanted { scan_on_push: self.scan_on_push, encryption, mutability, lifecycle })
            }
            _ => Err(problems),
        }
    }

    fn mutability(&self, problems: &mut Vec<Problem>) -> Option<Mutability> {
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

fn problem(input: &'static str, value: &str, expected: &str) -> Problem {
    Problem { input, value: value.to_owned(), expected: expected.to_owned() }
}
