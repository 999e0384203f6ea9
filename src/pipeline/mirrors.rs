//! Mirrors of databases in repositories of Amazon ECR are read with the delivery's own identity at AWS.
//!
//! Who names a mirror is the workflow, not what it builds. What reads it is gp-deliver itself, so that a run of a change may do so
//! too, if whoever caused it may write to the repository; the password is that of a session that may pull from the named
//! repositories and nothing else. What is read is believed no more than from any other mirror.

use http::StatusCode;

use super::Delivery;
use super::check::Check;
use super::pull_identity::{self, PullIdentity, Wanted};
use crate::aws::pull::PullRegistry;
use crate::aws::{self, PullFailure, Pulled, Withheld};
use crate::config::Config;
use crate::diagnosis::Diagnosis;
use crate::github::Event;
use crate::oci::Reference;
use crate::oci::reference::Repository;
use crate::oci::registry::credentials::{self, Auth, Credentials, Origin, Store};
use crate::oci::registry::{self, Answer};
use crate::scan::database::{self, Identity, Keys, Kind, Mirror};
use crate::text;

/// The mirrors of a delivery in repositories of Amazon ECR.
#[derive(Debug)]
pub(super) struct Mirrors(PullIdentity);

/// Those of a delivery: whoever asks first has AWS asked, and all others go by that.
pub(super) fn of(delivery: &Delivery) -> &Mirrors {
    delivery.at_aws.mirrors.get_or_init(|| Mirrors::new(&delivery.config, delivery.event.as_ref()))
}

/// Whether they can be read, one after the other.
pub(super) async fn checks<B>(config: &Config<B>, event: Option<&Event>) -> Vec<(&'static str, Check)> {
    let (mirrors, store) = (Mirrors::new(config, event), Store::from_env());
    let databases = config.database_mirrors.iter().map(|mirror| (mirror, Kind::Vulnerabilities));
    let of_jars = config.java_database_mirrors.iter().map(|mirror| (mirror, Kind::Java));
    let mut checks = Vec::new();
    for (mirror, kind) in databases.chain(of_jars) {
        if mirror.repository().is_none_or(|repository| mirrors.0.registry(repository.registry()).is_none()) {
            continue;
        }
        let looked = database::look(mirror, kind, Keys::of(&store).or(&mirrors)).await;
        checks.push(("mirror", looked.map(|digest| format!("{mirror} has {digest}")).map_err(|why| unread(mirror, why)).into()));
    }
    checks
}

fn unread(mirror: &Mirror, why: String) -> Diagnosis {
    Diagnosis::new(
        format!("The mirror {mirror} can't be read"),
        why,
        "See to that, or name another mirror with `trivy-db-repository` or `trivy-java-db-repository`.",
    )
}

impl Mirrors {
    fn new<B>(config: &Config<B>, event: Option<&Event>) -> Self {
        let identity = if event.is_none_or(Event::may_read_as_itself) {
            config.pulls_as.clone().ok_or(Withheld::NoIdentity)
        } else {
            Err(Withheld::Event)
        };
        let wanted = config.ecr_mirrors();
        let wanted = wanted.map(|(registry, name)| Wanted { registry, name: name.to_owned(), written: false });
        Self(PullIdentity::new(identity, event, wanted.collect()))
    }

    /// As whom they were read; nothing where AWS was not asked.
    pub(super) fn line(&self) -> Option<String> {
        self.0.line("databases").filter(|_| self.0.is_signed_in())
    }

    fn reason(registry: &PullRegistry, asked: &str, repository: &Repository, message: &str, cause: PullFailure) -> String {
        let repository = Box::new(registry.repository(repository.name()));
        let (name, message) = (text::words(asked), text::words(message));
        let error = aws::Error::Pull { what: Pulled::Database, name, repository, message, cause };
        Diagnosis::from(&error).as_a_reason()
    }
}

impl Identity for Mirrors {
    fn credentials(&self, repository: &Repository) -> Result<Option<Credentials>, String> {
        let host = repository.registry();
        let Some(registry) = self.0.registry(host) else { return Ok(None) };
        match self.0.password(host) {
            Ok(password) => Ok(password.map(|password| Credentials { auth: Auth::Issued(password), origin: Origin::Given })),
            // Amazon ECR lets nobody in who shows nothing: it need not be asked.
            Err(withheld) => {
                Err(Self::reason(registry, &repository.to_string(), repository, "", PullFailure::Withheld(withheld)))
            }
        }
    }

    fn refusal(&self, asked: &Reference, error: registry::Error) -> String {
        let Some(registry) = self.0.registry(asked.repository.registry()) else { return error.to_string() };
        let message = error.to_string();
        let cause = match error {
            registry::Error::Credentials(error @ credentials::Error::Issuer(_)) => pull_identity::failed(error),
            registry::Error::Answer(answer) if is_denial(&answer, registry) => Some(self.0.refused(registry)),
            _ => None,
        };
        match cause {
            Some(cause) => Self::reason(registry, &asked.to_string(), &asked.repository, &message, cause),
            None => message,
        }
    }
}

/// Whether the registry itself, and not the place of its contents, does not let in whoever showed what came from here.
fn is_denial(answer: &Answer, registry: &PullRegistry) -> bool {
    answer.host == registry.host
        && answer.credentials == Origin::Given
        && [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&answer.status)
}
