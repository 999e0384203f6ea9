//! `gp-deliver findings IMAGE`: what Amazon ECR knows of an image now.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::try_join_all;
use serde::Serialize;

use super::merge::{Judge, merged};
use super::subject::subjects;
use super::wait::wait;
use crate::aws::{self, RegistryHost, Session, ecr};
use crate::config::{Config, Ecr, RequestedDestination};
use crate::error::Error;
use crate::finding::Severity;
use crate::github::Event;
use crate::github::oidc::{self, TokenSource};
use crate::inputs::{self, Inputs, Problem};
use crate::oci::Digest;
use crate::oci::reference::Repository as Name;
use crate::oci::registry::credentials::{Auth, CachedPassword, Origin};
use crate::oci::registry::{Client, Credentials, Selector};
use crate::policy::Threshold;
use crate::registry_scan::{Demand, RegistryScan};
use crate::variables;

/// What the command line asks.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// The image as it was named.
    pub(crate) image: String,
    /// The severity that is asked about: something of it or worse is told by the exit code.
    pub(crate) severity: Option<String>,
    /// Whether JSON is wanted.
    pub(crate) json: bool,
}

/// What ECR knows.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Findings {
    /// The image by its digest.
    pub(super) image: String,
    /// The severity that was asked about.
    pub(super) severity: Option<Severity>,
    /// What the scan came to.
    #[serde(flatten)]
    pub(super) scan: RegistryScan,
}

impl Request {
    /// The name of the repository in `NAME:TAG` or `NAME@DIGEST`, where NAME may begin with a host.
    #[must_use]
    pub(crate) fn repository(&self) -> &str {
        self.parts().0
    }

    fn parts(&self) -> (&str, &str) {
        let image = self.image.trim();
        let slash = image.rfind('/').map_or(0, |at| at + 1);
        match (image.split_once('@'), image[slash..].rfind(':')) {
            (Some((name, digest)), _) => {
                // A tag before a digest says no more than that.
                let slash = name.rfind('/').map_or(0, |at| at + 1);
                (name[slash..].find(':').map_or(name, |at| &name[..slash + at]), digest)
            }
            (None, Some(colon)) => (&image[..slash + colon], &image[slash + colon + 1..]),
            (None, None) => (image, ""),
        }
    }

    /// What is asked for.
    ///
    /// # Errors
    /// All that is wrong with it.
    fn asked(&self) -> Result<(Selector, Option<Severity>), Vec<Problem>> {
        let named = self.parts().1;
        let digest = named.parse::<Digest>().ok().map(Selector::Digest);
        let selector = digest.or_else(|| named.parse().ok().map(Selector::Tag)).ok_or_else(|| {
            let expected = "an image of Amazon ECR is expected: [HOST/]NAME:TAG or [HOST/]NAME@DIGEST";
            Problem { input: IMAGE, value: self.image.clone(), expected: expected.to_owned() }
        });
        let severity = self.severity.as_deref().map(|text| {
            text.trim().parse::<Severity>().map_err(|()| {
                let expected = "CRITICAL, HIGH, MEDIUM, LOW or UNKNOWN is expected";
                Problem { input: SEVERITY, value: text.to_owned(), expected: expected.to_owned() }
            })
        });
        match (selector, severity.transpose()) {
            (Ok(selector), Ok(severity)) => Ok((selector, severity)),
            (selector, severity) => Err([selector.err(), severity.err()].into_iter().flatten().collect()),
        }
    }
}

/// The argument, and the flag.
const IMAGE: &str = "image";
const SEVERITY: &str = "severity";

impl Findings {
    /// Whether an image has no result.
    #[must_use]
    pub(crate) fn is_unknown(&self) -> bool {
        !self.scan.is_complete()
    }

    /// Whether something is as bad as was asked about.
    #[must_use]
    pub(crate) fn is_exceeded(&self) -> bool {
        self.severity.is_some() && self.scan.findings.iter().any(|finding| finding.counts)
    }
}

/// Reads what ECR knows of an image.
///
/// # Errors
/// The request makes no sense, there is no such image, or ECR refuses or can't be reached.
pub(crate) async fn find(inputs: &Inputs, event: Option<&Event>, request: &Request) -> Result<Findings, Error> {
    let env = crate::config::Env { variable: &variables::text, event };
    let (selector, severity) = request.asked().map_err(Error::Inputs)?;
    let config = Config::without_build(inputs, &env).map_err(Error::Inputs)?;
    let RequestedDestination::Ecr(ecr) = &config.destination else {
        return Err(Error::Inputs(vec![inputs::ECR_REPOSITORY.problem("", "a repository of Amazon ECR is expected")]));
    };
    let tokens = || event.map(|event| TokenSource::find(variables::text, event.fork));
    let session = Session::open(&ecr.identity, tokens).await?;
    let repository = ecr.repository(session);
    let client = client(&repository, ecr.host.as_deref()).await?;
    let manifest = client.pull_manifest(&selector).await?;
    let subjects = subjects(&client, &manifest)?;
    let looked = subjects.into_iter().map(async |subject| {
        let looked = wait(&repository, subject.digest, Duration::ZERO, None, |_| ()).await?;
        Ok::<_, aws::Error>((subject, looked))
    });
    let looked = try_join_all(looked).await?;
    // Where nothing is asked about, nothing counts: not even what nobody has rated.
    let threshold = Threshold { severity: severity.unwrap_or(Severity::Critical), ignore_unfixed: false };
    let judge = Judge { trivy: None, threshold, lets_through: &|_| None, accepted: None };
    let mut scan = merged(Demand::Report, looked, &judge);
    if severity.is_none() {
        scan.findings.iter_mut().for_each(|finding| finding.counts = false);
    }
    Ok(Findings { image: format!("{}@{}", client.repository(), manifest.digest), severity, scan })
}

/// A client of the registry of a repository of Amazon ECR, by the identity that the inputs name.
///
/// # Errors
/// AWS does not let it in.
pub(crate) async fn client_of(
    ecr: &Ecr,
    tokens: impl FnOnce() -> Option<Result<TokenSource, oidc::Error>>,
) -> Result<(Client, Session), Error> {
    let session = Session::open(&ecr.identity, tokens).await?;
    let client = client(&ecr.repository(session.clone()), ecr.host.as_deref()).await?;
    Ok((client, session))
}

/// A client of the registry that the password is for.
async fn client(repository: &ecr::Repository, asked: Option<&str>) -> Result<Client, Error> {
    let login = repository.login().await?;
    if let Some(asked) = asked.filter(|asked| *asked != login.host && RegistryHost::parse(asked).is_none()) {
        return Err(aws::Error::OtherRegistry { asked: asked.to_owned(), actual: login.host }.into());
    }
    let name = format!("{}/{}", asked.unwrap_or(&login.host), repository.arn.name);
    let address: Name =
        name.parse().map_err(|_| aws::Error::OtherRegistry { asked: name.clone(), actual: login.host.clone() })?;
    let password = CachedPassword::new(Arc::new(repository.clone()), login.password);
    let credentials = Credentials { auth: Auth::Issued(password), origin: Origin::Given };
    Ok(Client::new(address, credentials)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(image: &str) -> Request {
        Request { image: image.to_owned(), severity: None, json: false }
    }

    #[test]
    fn an_image_is_a_repository_and_a_tag_or_a_digest() {
        let digest = Digest::of(b"x").to_string();
        for (image, repository) in [
            ("team/app:v1", "team/app"),
            ("app:v1", "app"),
            ("127.0.0.1:4566/team/app:v1", "127.0.0.1:4566/team/app"),
            (&*format!("h.example/team/app@{digest}"), "h.example/team/app"),
            (&*format!("team/app:v1@{digest}"), "team/app"),
        ] {
            assert_eq!(request(image).repository(), repository, "{image}");
            assert!(request(image).asked().is_ok(), "{image}");
        }
        for image in ["", "team/app", "127.0.0.1:4566/team/app", "team/app:", "team/app@sha256:1", "team/app:a b"] {
            assert!(request(image).asked().is_err(), "{image}");
        }
        let both = Request { severity: Some("BAD".to_owned()), ..request("x") };
        assert_eq!(both.asked().unwrap_err().len(), 2);
    }
}
