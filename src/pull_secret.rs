//! The login to Amazon ECR in a cluster that is not Amazon's: got by a pod's own identity at AWS, and put where kubelets look
//! for it. A password of Amazon ECR's is good for 12 hours, so a schedule has it done anew.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;

use jiff::Timestamp;

use crate::aws::ecr::Login;
use crate::aws::pull::PullRegistry;
use crate::aws::{Session, Settings};
use crate::error::Error;
use crate::kubernetes::{Contents, Kept, Namespace, Place, SecretName, Server, ServiceAccount};
use crate::text;
use crate::variables;

/// What is asked for.
#[derive(Debug)]
pub(crate) struct Request {
    /// The Secret.
    pub(crate) secret: SecretName,
    /// Its namespace; without one, the pod's.
    pub(crate) namespace: Option<Namespace>,
    /// The registries; without any, the one of the identity's account in its region.
    pub(crate) registries: Vec<String>,
    /// The folder of the service account; without one, where the kubelet puts it.
    pub(crate) service_account: Option<PathBuf>,
}

/// What was done.
#[derive(Debug)]
pub(crate) struct Report {
    place: Place,
    kept: Kept,
    /// The registries, each with the end of its login, where this machine's clock tells.
    logins: Vec<(String, Option<Timestamp>)>,
}

/// Gets a login to each registry, and has the Secret hold them.
///
/// # Errors
/// AWS gives no login, or the Secret could not be written.
pub(crate) async fn keep(request: &Request) -> Result<Report, Error> {
    // What is wrong here is known before AWS is asked.
    let account = ServiceAccount::at(request.service_account.as_deref());
    let namespace = request.namespace.clone().map_or_else(|| account.namespace(), Ok)?;
    let place = Place { namespace, name: request.secret.clone() };
    let server = Server::of_this_pod(variables::text, account)?;
    let logins = log_in(&request.registries).await.map_err(Error::NoLogin)?;
    let ends: Vec<_> = logins.iter().map(|login| (login.host.clone(), end(login))).collect();
    // The first one that ends is when the Secret is no longer good.
    let first = ends.iter().map(|(_, end)| *end).min().flatten();
    let parts = logins.iter().map(|login| (&*login.host, &*login.password.username, &login.password.password));
    let kept = server.keep(&place, &Contents::new(parts, first)).await?;
    Ok(Report { place, kept, logins: ends })
}

async fn log_in(registries: &[String]) -> Result<Vec<Login>, crate::aws::Error> {
    let region = registries.iter().find_map(|host| PullRegistry::of(host)).map(|registry| registry.region);
    let settings = Settings { region, ..Settings::of_chain("") };
    let session = Session::open(&settings, || None).await?;
    if registries.is_empty() {
        return Ok(vec![session.login(None).await?]);
    }
    let mut logins = Vec::new();
    for host in registries.iter().collect::<BTreeSet<_>>() {
        logins.push(session.login(Some(host)).await?);
    }
    Ok(logins)
}

fn end(login: &Login) -> Option<Timestamp> {
    Timestamp::now().checked_add(login.password.good_for?).ok()
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kept {
            Kept::Created => "was created",
            Kept::Replaced => "is up to date",
            Kept::AsItWas => "was up to date",
        };
        writeln!(f, "The Secret {} {what}.", self.place)?;
        for (host, end) in &self.logins {
            match end {
                Some(end) => writeln!(f, "{host}: the login is good until {}", text::time(*end))?,
                None => writeln!(f, "{host}: by this machine's clock the login has expired, so the clock is wrong, or AWS's is")?,
            }
        }
        Ok(())
    }
}
