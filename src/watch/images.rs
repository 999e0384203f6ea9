//! Which images are looked at, where they are, and what is asked of each.

use std::sync::Arc;

use jiff::Timestamp;

use crate::aws::{RegistryHost, Session};
use crate::config::{Config, RequestedDestination};
use crate::environment::{Environment, Trigger};
use crate::error::Error;
use crate::github::Event;
use crate::github::oidc::TokenSource;
use crate::inputs::{self, Inputs, Problem};
use crate::oci::Reference;
use crate::oci::reference::Repository;
use crate::oci::registry::credentials::{Auth, CachedPassword, Origin};
use crate::oci::registry::{Credentials, Selector};
use crate::publish::Destination;
use crate::tags::{self, Values};
use crate::variables;
use crate::verify::{self, TodayRequest};

/// An image that is looked at.
#[derive(Clone, Debug)]
pub(super) struct Image {
    /// The name by which it is told of, from one look to the next.
    pub(super) name: String,
    /// Where it is.
    pub(super) reference: Reference,
}

impl From<Reference> for Image {
    fn from(reference: Reference) -> Self {
        Self { name: reference.to_string(), reference }
    }
}

/// The repository whose moving tags are looked at, and who asks.
pub(super) struct Registry {
    /// Absent where no repository of a registry is named.
    pub(super) repository: Option<Repository>,
    /// The identity at AWS, where it is one of Amazon ECR's, and what that registry is shown.
    amazon: Option<(Session, Credentials)>,
}

impl Registry {
    /// The one that the inputs name.
    ///
    /// # Errors
    /// AWS gives no identity, or no password for the registry.
    pub(super) async fn open(config: &Config<()>, event: Option<&Event>) -> Result<Self, Error> {
        let ecr = match &config.destination {
            RequestedDestination::Ecr(ecr) => ecr,
            RequestedDestination::Named(Destination::Registry(repository)) => {
                return Ok(Self { repository: Some(repository.clone()), amazon: None });
            }
            RequestedDestination::Named(Destination::Layout(_)) => return Ok(Self { repository: None, amazon: None }),
        };
        let tokens = || event.map(|event| TokenSource::find(variables::text, event.fork));
        let session = Session::open(&ecr.identity, tokens).await?;
        let repository = ecr.repository(session.clone());
        let login = repository.login().await?;
        // A password is for nobody but the registry that it was issued for.
        if let Some(asked) = ecr.host.as_ref().filter(|asked| **asked != login.host && RegistryHost::parse(asked).is_none()) {
            return Err(crate::aws::Error::OtherRegistry { asked: asked.clone(), actual: login.host }.into());
        }
        let name = format!("{}/{}", ecr.host.as_ref().unwrap_or(&login.host), ecr.name);
        let named: Repository =
            name.parse().map_err(|_| crate::aws::Error::OtherRegistry { asked: name.clone(), actual: login.host.clone() })?;
        let password = CachedPassword::new(Arc::new(repository), login.password);
        let credentials = Credentials { auth: Auth::Issued(password), origin: Origin::Given };
        Ok(Self { repository: Some(named), amazon: Some((session, credentials)) })
    }

    /// What is at hand for an image: the identity for the keys, and the password where the image is in the registry that it is
    /// for.
    pub(super) fn known_for(&self, image: &Reference) -> (Option<&Session>, Option<&Credentials>) {
        let Some((session, credentials)) = &self.amazon else { return (None, None) };
        let is_there = self.repository.as_ref().is_some_and(|own| own.registry() == image.repository.registry());
        (Some(session), is_there.then_some(credentials))
    }
}

/// The images: what the environment's moving tags name, and those that are named besides. What a cluster's files name comes
/// apart. With them, what is to be said of
/// templates that could not be filled in.
///
/// # Errors
/// There is none, or one is not named by a tag or a digest.
pub(super) fn of(config: &Config<()>, inputs: &Inputs, registry: &Registry) -> Result<(Vec<Image>, Vec<String>), Error> {
    let mut problems = Vec::new();
    let (mut images, mut warnings) = (Vec::new(), Vec::new());
    if let Some(repository) = &registry.repository {
        let branch = branch_of(config.environment);
        let environment = config.environment;
        let values = Values { environment, commit: None, branch, version: config.version.as_ref(), now: Timestamp::now() };
        let planned = tags::plan(&config.tags, &values).map_err(Error::Tags)?;
        let moving = planned.tags.into_iter().filter(|planned| planned.moving);
        let named = |tag| Reference { repository: repository.clone(), tag: Some(tag), digest: None };
        images.extend(moving.map(|planned| named(planned.tag)));
        let moving = |text: &str| config.tags.iter().any(|template| template.is_moving() && template.to_string() == text);
        let skipped = planned.skipped.into_iter().filter(|(template, _)| moving(template));
        warnings.extend(
            skipped.map(|(template, why)| format!("What {template} names is not looked at: {why}. Name it with `image`.")),
        );
    }
    for text in inputs.get(&inputs::IMAGE).map_err(Error::Inputs)? {
        let expected = "an image in a registry is expected: HOST[:PORT]/NAME:TAG or NAME@DIGEST";
        match text.parse::<Reference>().ok().filter(|image| Selector::of(image).is_some()) {
            Some(image) => images.push(image),
            None => problems.push(inputs::IMAGE.problem(text, expected)),
        }
    }
    let mut known: Vec<Reference> = Vec::new();
    images.retain(|image| {
        let is_new = !known.contains(image);
        known.extend(is_new.then(|| image.clone()));
        is_new
    });
    let is_read_elsewhere = config.gitops.is_some() && registry.repository.is_some();
    if images.is_empty() && !is_read_elsewhere && problems.is_empty() {
        problems.push(nothing(config, registry));
    }
    if problems.is_empty() { Ok((images.into_iter().map(Image::from).collect(), warnings)) } else { Err(Error::Inputs(problems)) }
}

/// There is nothing to look at, which is not to look and find nothing.
fn nothing(config: &Config<()>, registry: &Registry) -> Problem {
    if registry.repository.is_none() {
        let expected = "a repository of a registry is expected, or ecr-repository, or images by name";
        return inputs::DESTINATION.problem(config.destination.to_string(), expected);
    }
    let templates: Vec<_> = config.tags.iter().map(ToString::to_string).collect();
    let expected = "a tag is expected that moves from image to image, such as {env} or latest, or images by name, or gitops-repository: \
                    there is nothing to look at";
    inputs::TAGS.problem(templates.join(","), expected)
}

/// The branch that goes to an environment, where there is one.
fn branch_of(environment: Environment) -> Option<&'static str> {
    environment.triggers().iter().find_map(|trigger| match trigger {
        Trigger::Branch(branch) => Some(*branch),
        Trigger::Outside | Trigger::Tags(_) => None,
    })
}

/// The inputs that say here who may have signed, and elsewhere by what an image is signed.
pub(super) const OF_SIGNERS: [&str; 5] = [
    inputs::SIGN.about.name,
    inputs::KMS_KEY.about.name,
    inputs::TRUSTED_KEYS.about.name,
    inputs::SIGSTORE_SIGNING_CONFIG.about.name,
    inputs::SIGSTORE_TRUSTED_ROOT.about.name,
];

/// What is asked of an image.
///
/// # Errors
/// It makes no sense by what it is signed.
pub(super) fn asked(
    config: &Config<()>,
    inputs: &Inputs,
    image: &Reference,
    given: &verify::Request,
) -> Result<verify::Request, Error> {
    let given = given.clone().with_inputs(inputs, config.environment).map_err(Error::Inputs)?;
    let is_about_somebody = !given.identities.is_empty() || !given.keys.is_empty();
    let repository = given.repository.clone().or_else(|| own_repository(config).filter(|_| is_about_somebody));
    Ok(verify::Request {
        image: image.to_string(),
        environment: Some(config.environment.to_string()),
        repository,
        today: TodayRequest {
            asked: true,
            severity_threshold: Some(config.threshold.severity.name().to_owned()),
            ignore_unfixed: config.threshold.ignore_unfixed,
            mirrors: inputs.given(&inputs::TRIVY_DB_REPOSITORY).map(str::to_owned),
            database_max_age: inputs.given(&inputs::DATABASE_MAX_AGE).map(str::to_owned),
            sandbox: Some(config.sandbox),
            ..given.today.clone()
        },
        ..given
    })
}

/// The address of the run's own repository: what somebody else's run has signed by the same workflow says nothing here.
fn own_repository(config: &Config<()>) -> Option<String> {
    let access = config.github.as_ref()?;
    let server = variables::text(variables::GITHUB_SERVER_URL)
        .filter(|server| !server.is_empty())
        .unwrap_or_else(|| "https://github.com".to_owned());
    Some(format!("{}/{}/{}", server.trim_end_matches('/'), access.owner, access.repository))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_branch_of_an_environment_is_the_one_that_auto_takes_for_it() {
        assert_eq!(branch_of(Environment::Prod), Some("main"));
        assert_eq!(branch_of(Environment::Dev), Some("development"));
        assert_eq!([Environment::Test, Environment::Local].map(branch_of), [None, None]);
    }
}
