//! What is set for all repositories of a registry: how images are scanned, and which of them ECR signs itself (Amazon ECR API
//! reference, `GetRegistryScanningConfiguration`, `PutRegistryScanningConfiguration` and `GetSigningConfiguration`). These calls
//! name no registry: they are about that of the credentials' account.

use aws_sdk_ecr::types::{
    RegistryScanningConfiguration, RegistryScanningRule, ScanFrequency, ScanType, ScanningRepositoryFilter,
    ScanningRepositoryFilterType,
};

use super::Repository;
use crate::aws::{Call, Error};
use crate::text::{self, Line};

/// How the images of a registry are scanned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RegistryScanning {
    /// Whether Amazon Inspector scans them (enhanced scanning), and not ECR alone (basic).
    pub(crate) enhanced: bool,
    /// Which repositories, and how often. What no rule names is scanned when somebody asks for it.
    pub(crate) rules: Vec<ScanningRule>,
}

/// How often the images of some repositories are scanned.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ScanningRule {
    pub(crate) frequency: Frequency,
    /// Names of repositories, with `*` for any characters.
    pub(crate) filters: Vec<String>,
}

/// How often images are scanned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Frequency {
    /// When they are pushed.
    ScanOnPush,
    /// When they are pushed, and when an advisory is new.
    Continuous,
    /// When somebody asks for it.
    Manual,
}

/// Which images ECR signs when they are pushed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SigningRule {
    /// The ARN of a profile of AWS Signer.
    pub(crate) profile: Line,
    /// Names of repositories, with `*` for any characters; all where there is none.
    pub(crate) filters: Vec<Line>,
}

impl Repository {
    /// Whether the repository is in the registry that calls without a registry's id are about.
    #[must_use]
    pub(crate) fn is_of_own_registry(&self) -> bool {
        self.arn.account == self.session.account
    }

    /// How the images of the registry are scanned (`GetRegistryScanningConfiguration`).
    ///
    /// # Errors
    /// ECR refuses, can't be reached, or says what is not known.
    pub(crate) async fn registry_scanning(&self) -> Result<RegistryScanning, Error> {
        let call = Call::GetRegistryScanningConfiguration;
        let answer = self.ecr.get_registry_scanning_configuration().send().await.map_err(|error| call.failed(&error))?;
        let configuration = answer.scanning_configuration.ok_or(Error::Malformed { call, missing: "the configuration" })?;
        RegistryScanning::of(configuration).map_err(|missing| Error::Malformed { call, missing })
    }

    /// Sets it, for all repositories of the registry (`PutRegistryScanningConfiguration`).
    ///
    /// # Errors
    /// ECR refuses, or can't be reached.
    pub(crate) async fn set_registry_scanning(&self, scanning: &RegistryScanning) -> Result<(), Error> {
        let call = Call::PutRegistryScanningConfiguration;
        let rules = scanning.rules.iter().map(ScanningRule::written).collect::<Option<Vec<_>>>();
        let rules = rules.ok_or(Error::Malformed { call, missing: "a rule" })?;
        let kind = if scanning.enhanced { ScanType::Enhanced } else { ScanType::Basic };
        let request = self.ecr.put_registry_scanning_configuration().scan_type(kind).set_rules(Some(rules));
        request.send().await.map(drop).map_err(|error| call.failed(&error))
    }

    /// Which images ECR signs itself (`GetSigningConfiguration`).
    ///
    /// # Errors
    /// ECR refuses, or can't be reached.
    pub(crate) async fn signing_rules(&self) -> Result<Vec<SigningRule>, Error> {
        let call = Call::GetSigningConfiguration;
        let answer = match self.ecr.get_signing_configuration().send().await {
            Ok(answer) => answer,
            Err(error) => {
                return match call.failed(&error) {
                    Error::Call(failure) if failure.code.as_deref() == Some("SigningConfigurationNotFoundException") => {
                        Ok(Vec::new())
                    }
                    error => Err(error),
                };
            }
        };
        let rules = answer.signing_configuration.map(|configuration| configuration.rules).unwrap_or_default();
        let rule = |rule: aws_sdk_ecr::types::SigningRule| SigningRule {
            profile: text::words(&rule.signing_profile_arn),
            filters: rule.repository_filters.iter().flatten().map(|one| text::words(&one.filter)).collect(),
        };
        Ok(rules.into_iter().map(rule).collect())
    }
}

impl RegistryScanning {
    fn of(configuration: RegistryScanningConfiguration) -> Result<Self, &'static str> {
        let enhanced = match configuration.scan_type {
            // What was never set is basic.
            None | Some(ScanType::Basic) => false,
            Some(ScanType::Enhanced) => true,
            Some(_) => return Err("a kind of scan that is known"),
        };
        let rules = configuration.rules.unwrap_or_default();
        Ok(Self { enhanced, rules: rules.into_iter().map(ScanningRule::of).collect::<Result<_, _>>()? })
    }
}

impl ScanningRule {
    fn of(rule: RegistryScanningRule) -> Result<Self, &'static str> {
        let frequency = match rule.scan_frequency {
            ScanFrequency::ScanOnPush => Frequency::ScanOnPush,
            ScanFrequency::ContinuousScan => Frequency::Continuous,
            ScanFrequency::Manual => Frequency::Manual,
            _ => return Err("a frequency that is known"),
        };
        Ok(Self { frequency, filters: rule.repository_filters.into_iter().map(|one| one.filter).collect() })
    }

    fn written(&self) -> Option<RegistryScanningRule> {
        let frequency = match self.frequency {
            Frequency::ScanOnPush => ScanFrequency::ScanOnPush,
            Frequency::Continuous => ScanFrequency::ContinuousScan,
            Frequency::Manual => ScanFrequency::Manual,
        };
        let filter = |filter: &String| {
            ScanningRepositoryFilter::builder().filter(filter).filter_type(ScanningRepositoryFilterType::Wildcard).build().ok()
        };
        let filters = self.filters.iter().map(filter).collect::<Option<Vec<_>>>()?;
        RegistryScanningRule::builder().scan_frequency(frequency).set_repository_filters(Some(filters)).build().ok()
    }
}
