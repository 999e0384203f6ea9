//! How a delivery creates a repository that is not there, by what the checkout says.
//!
//! Whoever may push a commit writes the checkout. So of it counts what is as strict as AWS's default or stricter, and only for a
//! repository that the delivery itself creates: one that is there is changed by nobody but who runs `repository ensure`. What
//! lets others in (the repository's policy, and resource tags, which conditions of IAM go by), what deletes (a lifecycle policy)
//! and what is of the whole registry is left to that.

use std::collections::BTreeMap;
use std::path::Path;

use super::state::{said_of_encryption, said_of_scan, said_of_tags};
use super::wanted::{FILE, MAX_BYTES, Said, problem};
use crate::aws::ecr::{self, Encryption, Settings};
use crate::beneath::{Links, Root};
use crate::error::Error;
use crate::inputs::Problem;
use crate::text;

/// What a repository is created as; AWS's default, where there is no checkout.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Creation {
    settings: Settings,
    /// Whether the checkout says anything.
    is_said: bool,
    /// What it says that a delivery does not do.
    left: Vec<&'static str>,
}

impl Creation {
    /// Reads what a checkout says.
    ///
    /// # Errors
    /// It can't be read, makes no sense, or wants a key of AWS KMS: that is set once, so nothing is created without it, and the
    /// key that a commit names may be anybody's, who can take it away.
    pub(crate) fn read(checkout: &Path) -> Result<Self, Error> {
        let unread = || Error::Inputs(vec![problem("file", FILE, "a file that can be read is expected")]);
        let root = Root::open(checkout).map_err(|_| unread())?;
        let Some(bytes) = root.read(Path::new(FILE), Links::Refused, MAX_BYTES).map_err(|_| unread())? else {
            return Ok(Self::default());
        };
        let text = String::from_utf8(bytes).map_err(|_| unread())?;
        Said::read(FILE, &text).and_then(|said| Self::of(&said)).map_err(Error::Inputs)
    }

    fn of(said: &Said) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let (mutability, encryption) = (said.mutability(&mut problems), said.encryption(&mut problems));
        if let (Some(Encryption::Kms(Some(_))), Some(key)) = (&encryption, &said.encryption) {
            let expected = "a delivery creates no repository with a key that the checkout names: aes256 or kms is expected, or a \
                            repository that is there (`gp-deliver repository ensure`)";
            problems.push(problem("encryption", key, expected));
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let default = Settings::default();
        let settings = Settings {
            mutability: mutability.unwrap_or(default.mutability),
            scan_on_push: said.scan_on_push.unwrap_or(default.scan_on_push),
            encryption: encryption.unwrap_or(default.encryption),
        };
        Ok(Self { settings, is_said: true, left: said.left() })
    }

    /// Creates the repository. Returns whether it is new.
    ///
    /// # Errors
    /// ECR refuses, or can't be reached.
    pub(crate) async fn create(&self, repository: &ecr::Repository) -> Result<bool, Error> {
        Ok(repository.create(&self.settings, &BTreeMap::new()).await?)
    }

    /// What the repository is created as, and what is left to do, in sentences.
    #[must_use]
    pub(crate) fn says(&self) -> String {
        if !self.is_said {
            return "with its registry's defaults.".to_owned();
        }
        let Settings { mutability, scan_on_push, encryption } = &self.settings;
        let says = format!(
            "as {FILE} says: scanned is {}; tags: {}; {}.",
            said_of_scan(*scan_on_push),
            said_of_tags(mutability),
            said_of_encryption(encryption)
        );
        if self.left.is_empty() {
            return says;
        }
        let left: Vec<_> = self.left.iter().map(|name| format!("`{name}`")).collect();
        format!(
            "{says} A delivery does not set {}, which a commit could say: `gp-deliver repository ensure` does.",
            text::list(&left)
        )
    }
}

impl Said {
    /// What lets others in, deletes, or is of the whole registry.
    fn left(&self) -> Vec<&'static str> {
        let Self {
            scan_on_push: _,
            encryption: _,
            immutable_tags: _,
            moving_tags: _,
            lifecycle_preset,
            lifecycle_policy,
            pullers,
            pushers,
            resource_tags,
            registry_scanning,
        } = self;
        let all = [
            (lifecycle_preset.is_some(), "lifecycle-preset"),
            (lifecycle_policy.is_some(), "lifecycle-policy"),
            (pullers.is_some(), "pullers"),
            (pushers.is_some(), "pushers"),
            (resource_tags.is_some(), "resource-tags"),
            (registry_scanning.is_some(), "registry-scanning"),
        ];
        all.into_iter().filter(|(is_said, _)| *is_said).map(|(_, name)| name).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::ecr::{Mutability, TagFilter};

    fn creation(text: &str) -> Result<Creation, Vec<Problem>> {
        Said::read(FILE, text).and_then(|said| Creation::of(&said))
    }

    #[test]
    fn of_a_checkout_counts_what_is_no_looser_than_the_default_and_the_rest_is_named() {
        let creation = creation(
            "scan-on-push: true\nencryption: kms\nimmutable-tags: true\nmoving-tags: [prod]\npullers: ['*']\npushers: []\n\
             resource-tags: {team: web}\nlifecycle-policy: ../../etc/passwd\n\
             registry-scanning: {type: basic, rules: []}\n",
        );
        let Creation { settings, left, .. } = creation.unwrap();
        assert_eq!(settings.mutability, Mutability::Immutable(vec![TagFilter::new("prod")]));
        assert!(settings.scan_on_push && settings.encryption == Encryption::Kms(None));
        assert_eq!(left, ["lifecycle-policy", "pullers", "pushers", "resource-tags", "registry-scanning"]);
    }

    #[test]
    fn what_makes_no_sense_or_names_a_key_creates_nothing() {
        for text in ["encryption: arn:aws:kms:eu-central-1:111122223333:key/1", "moving-tags: [a]", "scan-on-push: maybe", "x: 1"]
        {
            assert!(creation(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_file_that_is_a_link_or_no_file_is_refused_and_none_is_the_default() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Creation::read(folder.path()).unwrap().says(), "with its registry's defaults.");
        std::fs::create_dir(folder.path().join(".gp-deliver")).unwrap();
        let file = folder.path().join(FILE);
        std::fs::write(folder.path().join("other"), "scan-on-push: true\n").unwrap();
        std::os::unix::fs::symlink("../other", &file).unwrap();
        assert!(Creation::read(folder.path()).is_err());
        std::fs::remove_file(&file).unwrap();
        std::fs::create_dir(&file).unwrap();
        assert!(Creation::read(folder.path()).is_err());
    }
}
