//! Which Sigstore: who certifies, who logs, who says the time, and by which keys that is known.

use std::path::{Path, PathBuf};

use sigstore_verify::trust_root::signing_config::{ServiceConfiguration, ServiceEndpoint, ServiceSelector};
use sigstore_verify::trust_root::{SigningConfig, SigstoreInstance};

use super::error::InvalidInstance;
use super::log::Log;
use super::root::Root;
use super::service::Service;
use super::service_name::ServiceName;
use crate::document;
use crate::text::{self, Line};

/// An instance of Sigstore.
#[derive(Clone, Debug)]
pub(crate) struct Instance {
    /// Who certifies keys.
    pub(super) authority: Service,
    /// Where signatures are written down; GitHub's own instance has no log.
    pub(super) log: Option<Log>,
    /// Who says when it was.
    pub(super) timestamps: Option<Service>,
    /// By which keys all of them are known.
    pub(super) root: Root,
    /// Whose it is.
    owner: Owner,
    /// The file that has the trusted root; `None` where it comes from elsewhere.
    root_file: Option<PathBuf>,
}

/// Whose an instance is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// Everybody's: sigstore.dev.
    Public,
    /// GitHub's.
    GitHub,
    /// Somebody's.
    Private,
}

impl Instance {
    /// The one that is there for everybody, sigstore.dev: whatever is signed by it stands in its log for good, with the names
    /// of repository, workflow and branch.
    ///
    /// # Errors
    /// What this program knows of it is outdated.
    pub(crate) fn public_good() -> Result<Self, InvalidInstance> {
        let configuration = SigstoreInstance::PublicGood.embedded_signing_config_json().unwrap_or_default();
        Self::of(configuration, Root::public_good()?, Owner::Public)
    }

    /// GitHub's own, for what is not public: no log, and times by GitHub.
    ///
    /// # Errors
    /// What this program knows of it is outdated.
    pub(crate) fn github() -> Result<Self, InvalidInstance> {
        Ok(Self {
            authority: Service::new(ServiceName::CertificateAuthority, "https://fulcio.githubapp.com")?,
            log: None,
            timestamps: Some(Service::new(ServiceName::TimestampAuthority, "https://timestamp.githubapp.com/api/v1/timestamp")?),
            root: Root::github()?,
            owner: Owner::GitHub,
            root_file: None,
        })
    }

    /// A private one, by its signing configuration and its trusted root (both as JSON, as Sigstore's protobuf specifications
    /// have them).
    ///
    /// # Errors
    /// One of them is refused, or names no service that is in use today.
    pub(crate) fn private(configuration: &str, trusted_root: &str) -> Result<Self, InvalidInstance> {
        Self::of(configuration, Root::read(trusted_root)?, Owner::Private)
    }

    fn of(configuration: &str, root: Root, owner: Owner) -> Result<Self, InvalidInstance> {
        let invalid = |words: &dyn std::fmt::Display| InvalidInstance::Configuration(words_of(words));
        document::read::<serde_json::Value>(configuration.as_bytes()).map_err(|error| invalid(&error))?;
        let configuration = SigningConfig::from_json(configuration).map_err(|error| invalid(&error))?;
        let authority = ServiceName::CertificateAuthority;
        let authority = service(authority, configuration.fulcio_url())?.ok_or(InvalidInstance::Missing(authority))?;
        one(ServiceName::Log, &configuration.rekor_tlog_config)?;
        one(ServiceName::TimestampAuthority, &configuration.tsa_config)?;
        let endpoint = configuration.rekor_url(None);
        let log = service(ServiceName::Log, endpoint)?.zip(endpoint).map(|(log, endpoint)| match endpoint.major_api_version {
            1 => Log::One(log),
            _ => Log::Two(log),
        });
        // What is expected of what is checked is expected of what is made.
        if log.is_none() && !root.0.tlogs.is_empty() {
            return Err(InvalidInstance::Missing(ServiceName::Log));
        }
        let timestamps = service(ServiceName::TimestampAuthority, configuration.tsa_url())?;
        if timestamps.is_none() && !matches!(log, Some(Log::One(_))) {
            return Err(InvalidInstance::Missing(ServiceName::TimestampAuthority));
        }
        Ok(Self { authority, log, timestamps, root, owner, root_file: None })
    }

    /// Whether what is signed can be read by anyone.
    #[must_use]
    pub(crate) fn is_public(&self) -> bool {
        self.owner == Owner::Public
    }

    /// Whose it is.
    #[must_use]
    pub(crate) fn owner(&self) -> Owner {
        self.owner
    }

    /// The same, whose trusted root is in a file.
    #[must_use]
    pub(crate) fn with_root_file(self, root_file: Option<PathBuf>) -> Self {
        Self { root_file, ..self }
    }

    /// The file that has its trusted root.
    #[must_use]
    pub(crate) fn root_file(&self) -> Option<&Path> {
        self.root_file.as_deref()
    }

    /// Whether its certificates are in a log.
    #[must_use]
    pub(crate) fn logs_certificates(&self) -> bool {
        !self.root.0.ctlogs.is_empty()
    }

    /// The keys by which it is known.
    #[must_use]
    pub(crate) fn root(&self) -> &Root {
        &self.root
    }

    /// Its log's host, for people.
    #[must_use]
    pub(crate) fn log_host(&self) -> Option<String> {
        self.log.as_ref().map(|(Log::One(log) | Log::Two(log))| log.host())
    }
}

pub(super) fn service(name: ServiceName, endpoint: Option<&ServiceEndpoint>) -> Result<Option<Service>, InvalidInstance> {
    endpoint.map(|endpoint| Service::new(name, &endpoint.url)).transpose()
}

/// One of each kind is used here.
pub(super) fn one(name: ServiceName, wanted: &ServiceConfiguration) -> Result<(), InvalidInstance> {
    match wanted.selector {
        ServiceSelector::Any => Ok(()),
        ServiceSelector::Exact if wanted.count == Some(1) => Ok(()),
        _ => Err(InvalidInstance::Several(name)),
    }
}

fn words_of(error: &dyn std::fmt::Display) -> Line {
    text::words(&error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_instances_that_are_known_can_be_used() {
        assert!(Instance::public_good().unwrap().is_public());
        assert!(matches!(Instance::public_good().unwrap().log, Some(Log::One(_))));
        let github = Instance::github().unwrap();
        assert!(!github.is_public() && github.log.is_none());
    }

    fn configuration() -> &'static str {
        SigstoreInstance::PublicGood.embedded_signing_config_json().unwrap()
    }

    fn private(configuration: &str) -> Result<Instance, InvalidInstance> {
        Instance::private(configuration, SigstoreInstance::PublicGood.embedded_trusted_root_json())
    }

    #[test]
    fn a_signing_configuration_says_which_version_of_the_log_is_used() {
        assert!(!private(configuration()).unwrap().is_public());
        let two = configuration().replace(
            "\"https://rekor.sigstore.dev\",\n      \"majorApiVersion\": 1",
            "\"https://two.example\", \"majorApiVersion\": 2",
        );
        assert!(matches!(private(&two).unwrap().log, Some(Log::Two(_))));
    }

    #[test]
    fn a_signing_configuration_that_lacks_or_wants_too_much_is_refused() {
        let without = |from: &str, to: &str| private(&configuration().replace(from, to)).err();
        assert_eq!(without("caUrls", "others"), Some(InvalidInstance::Missing(ServiceName::CertificateAuthority)));
        assert_eq!(without("rekorTlogUrls", "others"), Some(InvalidInstance::Missing(ServiceName::Log)));
        assert_eq!(without("\"ANY\"", "\"ALL\""), Some(InvalidInstance::Several(ServiceName::Log)));
        let clear = without("https://fulcio.sigstore.dev", "http://fulcio.example");
        assert!(matches!(clear, Some(InvalidInstance::Address { service: ServiceName::CertificateAuthority, .. })));
        let twice = without("\"caUrls\"", "\"caUrls\": [], \"caUrls\"");
        assert!(matches!(twice, Some(InvalidInstance::Configuration(_))), "{twice:?}");
    }
}
