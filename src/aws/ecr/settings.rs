//! The settings of a repository (Amazon ECR API reference, `Repository`, and the calls that set them).

use aws_sdk_ecr::types::{
    self, EncryptionConfiguration, EncryptionType, ImageScanningConfiguration, ImageTagMutability,
    ImageTagMutabilityExclusionFilter, ImageTagMutabilityExclusionFilterType,
};

use super::{Mutability, Repository, TagFilter};
use crate::aws::{Call, Error};

/// The most repositories of a page (Amazon ECR API reference, `maxResults`).
const PAGE: i32 = 1000;
/// The most pages that are read: a registry has 100,000 repositories (Amazon ECR User Guide, "Amazon ECR service quotas"), and AWS
/// may raise that; a page may have fewer than were asked for.
const MAX_PAGES: usize = 1_000;

/// What a repository is set to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    /// Which tags may be set to another image.
    pub(crate) mutability: Mutability,
    /// Whether an image is scanned by AWS when it is pushed.
    pub(crate) scan_on_push: bool,
    /// By which key it is encrypted.
    pub(crate) encryption: Encryption,
}

/// By which key a repository is encrypted. It is said when the repository is created, and never again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Encryption {
    /// A key of Amazon S3.
    Aes256,
    /// A key of AWS KMS, by its ARN; AWS's own where none is named.
    Kms(Option<String>),
    /// The same, twice (DSSE).
    KmsTwice(Option<String>),
}

impl Repository {
    /// What the repository is set to (`DescribeRepositories`).
    ///
    /// # Errors
    /// There is no such repository, ECR refuses, can't be reached, or says what is not known.
    pub(crate) async fn settings(&self) -> Result<Settings, Error> {
        let call = Call::DescribeRepositories;
        let request = self.ecr.describe_repositories().registry_id(self.arn.account.as_str()).repository_names(&self.arn.name);
        let answer = request.send().await.map_err(|error| self.failed(call, &error))?;
        let described = answer.repositories.unwrap_or_default().into_iter().next();
        let described = described.ok_or_else(|| Error::NoRepository(self.arn.clone()))?;
        Settings::of(described).map_err(|missing| Error::Malformed { call, missing })
    }

    /// All repositories of its registry, each with its name and what it is set to, or else what of that is not known
    /// (`DescribeRepositories`).
    ///
    /// # Errors
    /// ECR refuses, can't be reached, or its list has no end.
    pub(crate) async fn all_of_registry(&self) -> Result<Vec<(String, Result<Settings, &'static str>)>, Error> {
        let call = Call::DescribeRepositories;
        let malformed = |missing| Error::Malformed { call, missing };
        let (mut all, mut next) = (Vec::new(), None);
        for _ in 0..MAX_PAGES {
            let request = self.ecr.describe_repositories().registry_id(self.arn.account.as_str());
            let answer = request.max_results(PAGE).set_next_token(next).send().await;
            let answer = answer.map_err(|error| self.failed(call, &error))?;
            for described in answer.repositories.unwrap_or_default() {
                let name = described.repository_name.clone().ok_or_else(|| malformed("a name"))?;
                all.push((name, Settings::of(described)));
            }
            next = answer.next_token;
            if next.is_none() {
                return Ok(all);
            }
        }
        Err(malformed("an end"))
    }

    /// Creates the repository (`CreateRepository`).
    ///
    /// # Errors
    /// ECR refuses, can't be reached, or it is there meanwhile.
    pub(crate) async fn create_with(&self, settings: &Settings) -> Result<(), Error> {
        let call = Call::CreateRepository;
        let (mutability, filters) = written(&settings.mutability).ok_or(Error::Malformed { call, missing: "a setting" })?;
        let scanning = ImageScanningConfiguration::builder().scan_on_push(settings.scan_on_push).build();
        let request = self.ecr.create_repository().registry_id(self.arn.account.as_str()).repository_name(&self.arn.name);
        let request = request.image_tag_mutability(mutability).set_image_tag_mutability_exclusion_filters(filters);
        let request = request.image_scanning_configuration(scanning).set_encryption_configuration(settings.encryption.written());
        request.send().await.map(drop).map_err(|error| self.failed(call, &error))
    }

    /// Sets whether images are scanned when they are pushed (`PutImageScanningConfiguration`).
    ///
    /// # Errors
    /// ECR refuses, or can't be reached.
    pub(crate) async fn set_scan_on_push(&self, scan_on_push: bool) -> Result<(), Error> {
        let scanning = ImageScanningConfiguration::builder().scan_on_push(scan_on_push).build();
        let request = self.ecr.put_image_scanning_configuration().registry_id(self.arn.account.as_str());
        let request = request.repository_name(&self.arn.name).image_scanning_configuration(scanning);
        let call = Call::PutImageScanningConfiguration;
        request.send().await.map(drop).map_err(|error| self.failed(call, &error))
    }

    /// Sets which tags may move (`PutImageTagMutability`).
    ///
    /// # Errors
    /// ECR refuses, or can't be reached.
    pub(crate) async fn set_mutability(&self, mutability: &Mutability) -> Result<(), Error> {
        let call = Call::PutImageTagMutability;
        let (mutability, filters) = written(mutability).ok_or(Error::Malformed { call, missing: "a setting" })?;
        let request = self.ecr.put_image_tag_mutability().registry_id(self.arn.account.as_str());
        let request = request.repository_name(&self.arn.name).image_tag_mutability(mutability);
        let request = request.set_image_tag_mutability_exclusion_filters(filters);
        request.send().await.map(drop).map_err(|error| self.failed(call, &error))
    }

    /// Puts a lifecycle policy in force (`PutLifecyclePolicy`).
    ///
    /// # Errors
    /// ECR refuses, or can't be reached.
    pub(crate) async fn set_lifecycle_policy(&self, policy: &str) -> Result<(), Error> {
        let request = self.ecr.put_lifecycle_policy().registry_id(self.arn.account.as_str());
        let request = request.repository_name(&self.arn.name).lifecycle_policy_text(policy);
        request.send().await.map(drop).map_err(|error| self.failed(Call::PutLifecyclePolicy, &error))
    }
}

impl Settings {
    /// Reads what ECR says; the error is what is missing.
    fn of(described: types::Repository) -> Result<Self, &'static str> {
        let scanning = described.image_scanning_configuration;
        let encryption = match described.encryption_configuration {
            // What was created before there was a choice.
            None | Some(EncryptionConfiguration { encryption_type: EncryptionType::Aes256, .. }) => Encryption::Aes256,
            Some(EncryptionConfiguration { encryption_type: EncryptionType::Kms, kms_key, .. }) => Encryption::Kms(kms_key),
            Some(EncryptionConfiguration { encryption_type: EncryptionType::KmsDsse, kms_key, .. }) => {
                Encryption::KmsTwice(kms_key)
            }
            Some(_) => return Err("an encryption that is known"),
        };
        let filters = described.image_tag_mutability_exclusion_filters.unwrap_or_default();
        let filters = filters.into_iter().map(|filter| TagFilter::new(filter.filter)).collect();
        let mutability = match described.image_tag_mutability {
            Some(ImageTagMutability::Mutable) => Mutability::Mutable(Vec::new()),
            Some(ImageTagMutability::MutableWithExclusion) => Mutability::Mutable(filters),
            Some(ImageTagMutability::Immutable) => Mutability::Immutable(Vec::new()),
            Some(ImageTagMutability::ImmutableWithExclusion) => Mutability::Immutable(filters),
            _ => return Err("a mutability that is known"),
        };
        Ok(Self { mutability, scan_on_push: scanning.is_some_and(|scanning| scanning.scan_on_push), encryption })
    }
}

impl Encryption {
    fn written(&self) -> Option<EncryptionConfiguration> {
        let (kind, key) = match self {
            Self::Aes256 => (EncryptionType::Aes256, None),
            Self::Kms(key) => (EncryptionType::Kms, key.clone()),
            Self::KmsTwice(key) => (EncryptionType::KmsDsse, key.clone()),
        };
        EncryptionConfiguration::builder().encryption_type(kind).set_kms_key(key).build().ok()
    }
}

/// A mutability as ECR takes it.
fn written(mutability: &Mutability) -> Option<(ImageTagMutability, Option<Vec<ImageTagMutabilityExclusionFilter>>)> {
    let (kind, filters) = match mutability {
        Mutability::Mutable(filters) if filters.is_empty() => (ImageTagMutability::Mutable, filters),
        Mutability::Mutable(filters) => (ImageTagMutability::MutableWithExclusion, filters),
        Mutability::Immutable(filters) if filters.is_empty() => (ImageTagMutability::Immutable, filters),
        Mutability::Immutable(filters) => (ImageTagMutability::ImmutableWithExclusion, filters),
        Mutability::Unknown => return None,
    };
    let filter = |filter: &TagFilter| {
        let builder = ImageTagMutabilityExclusionFilter::builder().filter(filter.to_string());
        builder.filter_type(ImageTagMutabilityExclusionFilterType::Wildcard).build().ok()
    };
    let filters = filters.iter().map(filter).collect::<Option<Vec<_>>>()?;
    Some((kind, (!filters.is_empty()).then_some(filters)))
}
