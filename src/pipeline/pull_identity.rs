//! The delivery's own identity at AWS, as far as it pulls from repositories of Amazon ECR that others name: by a session that may
//! do that and nothing else.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::sync::OnceCell;

use crate::aws::pull::{PullRegistry, session_policy};
use crate::aws::{self, PullFailure, Session, Withheld};
use crate::github::Event;
use crate::github::oidc::TokenSource;
use crate::oci::registry::credentials::{self, CachedPassword, Issuer, Password};
use crate::text;
use crate::variables;

/// A repository that is pulled from.
pub(super) struct Wanted {
    pub(super) registry: PullRegistry,
    pub(super) name: String,
    /// Whether it is pushed to as well.
    pub(super) written: bool,
}

/// An identity that may pull from some repositories, push to those of them that are written, and do nothing else. Credentials that
/// the SDK finds can't be narrowed.
#[derive(Debug)]
pub(super) struct PullIdentity {
    /// By their hosts.
    registries: BTreeMap<String, PullRegistry>,
    logins: Result<Logins, Withheld>,
}

#[derive(Debug)]
struct Logins {
    puller: Arc<Puller>,
    /// By the hosts of their registries.
    passwords: BTreeMap<String, CachedPassword>,
}

/// Who pulls.
#[derive(Debug)]
struct Puller {
    settings: aws::Settings,
    event: Option<Event>,
    session: OnceCell<Session>,
}

/// The login to a registry.
#[derive(Debug)]
struct Login {
    puller: Arc<Puller>,
    registry: PullRegistry,
}

impl PullIdentity {
    /// For these repositories, in a run of this event.
    pub(super) fn new(identity: Result<aws::Settings, Withheld>, event: Option<&Event>, wanted: Vec<Wanted>) -> Self {
        let logins = identity.and_then(|identity| Logins::new(identity, event, &wanted));
        Self { registries: wanted.into_iter().map(|one| (one.registry.host.clone(), one.registry)).collect(), logins }
    }

    /// The registry at a host, where it is one that is pulled from.
    pub(super) fn registry(&self, host: &str) -> Option<&PullRegistry> {
        self.registries.get(host)
    }

    /// How `what` is pulled, for the log; nothing where nothing is, or nobody does.
    pub(super) fn line(&self, what: &str) -> Option<String> {
        let settings = &self.logins.as_ref().ok()?.puller.settings;
        let hosts: Vec<_> = self.registries.keys().cloned().collect();
        let how = match &settings.role {
            Some(role) => format!("by a session of {role} that may do nothing else"),
            None => "with the credentials that the AWS SDK finds, and all that these may do".to_owned(),
        };
        (!hosts.is_empty()).then(|| format!("{what} of {} are pulled {how}", text::list(&hosts)))
    }

    /// Whether AWS has let it in.
    pub(super) fn is_signed_in(&self) -> bool {
        self.session().is_some()
    }

    /// The password for the registry at a host, which asks AWS where it is wanted; none where there is no such registry.
    ///
    /// # Errors
    /// It is not to be had in this run.
    pub(super) fn password(&self, host: &str) -> Result<Option<CachedPassword>, Withheld> {
        if !self.registries.contains_key(host) {
            return Ok(None);
        }
        self.logins.as_ref().map(|logins| logins.passwords.get(host).cloned()).map_err(|withheld| *withheld)
    }

    /// Why a registry refused what it was shown, if that came from here, or from `docker login`.
    pub(super) fn refused(&self, registry: &PullRegistry) -> PullFailure {
        if let Err(withheld) = &self.logins {
            return PullFailure::Withheld(*withheld);
        }
        let session = self.session();
        PullFailure::Denied {
            caller: session.map_or_else(|| "the credentials of `docker login`".to_owned(), |session| session.arn.clone()),
            foreign: session.is_some_and(|session| session.account != registry.account),
        }
    }

    fn session(&self) -> Option<&Session> {
        self.logins.as_ref().ok()?.puller.session.get()
    }
}

impl Logins {
    fn new(identity: aws::Settings, event: Option<&Event>, wanted: &[Wanted]) -> Result<Self, Withheld> {
        let settings = narrowed(identity, wanted)?;
        let puller = Arc::new(Puller { settings, event: event.cloned(), session: OnceCell::new() });
        let passwords = wanted.iter().map(|Wanted { registry, .. }| {
            let login = Login { puller: Arc::clone(&puller), registry: registry.clone() };
            (registry.host.clone(), CachedPassword::of(Arc::new(login)))
        });
        Ok(Self { passwords: passwords.collect(), puller })
    }
}

impl Login {
    async fn password(&self) -> Result<Password, aws::Error> {
        let Puller { settings, event, session } = &*self.puller;
        let tokens = || event.as_ref().map(|event| TokenSource::find(variables::text, event.fork));
        let session = session.get_or_try_init(|| Session::open(settings, tokens)).await?;
        session.pull_password(&self.registry).await
    }
}

impl Issuer for Login {
    fn issue(&self) -> BoxFuture<'_, Result<Password, credentials::Error>> {
        Box::pin(async { self.password().await.map_err(|error| credentials::Error::Issuer(Box::new(error))) })
    }
}

/// What AWS said where a password was not to be had.
pub(super) fn failed(error: credentials::Error) -> Option<PullFailure> {
    let credentials::Error::Issuer(error) = error else { return None };
    Some(PullFailure::Failed(Arc::new(*error.downcast::<aws::Error>().ok()?)))
}

/// An identity that may do no more than what is wanted.
fn narrowed(identity: aws::Settings, wanted: &[Wanted]) -> Result<aws::Settings, Withheld> {
    let arn = |one: &Wanted| one.registry.repository(&one.name);
    let repositories: Vec<_> = wanted.iter().map(arn).collect();
    let written: Vec<_> = wanted.iter().filter(|one| one.written).map(arn).collect();
    let Some(first) = repositories.first() else { return Ok(identity) };
    let policy =
        session_policy(identity.session_policy.as_deref(), &repositories, &written).map_err(|_| Withheld::SessionPolicy)?;
    let region = identity.region.clone().or_else(|| Some(first.region.clone()));
    Ok(aws::Settings { region, session_policy: Some(policy), ..identity })
}
