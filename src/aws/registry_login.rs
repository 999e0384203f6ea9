//! Logins to registries of Amazon ECR, for others to use.

use super::ecr::{Login, Repository};
use super::pull::PullRegistry;
use super::{Error, Session};

impl Session {
    /// Gets a login to a registry of Amazon ECR by its address; without one, to that of the session's account and region.
    ///
    /// # Errors
    /// ECR refuses, can't be reached, or names another registry with the password.
    pub(crate) async fn login(&self, host: Option<&str>) -> Result<Login, Error> {
        if let Some(registry) = host.and_then(PullRegistry::of) {
            return Ok(Login { password: self.pull_password(&registry).await?, host: registry.host });
        }
        let login = Repository::new(self.clone(), self.account.clone(), "").login().await?;
        match host {
            Some(asked) if asked != login.host => Err(Error::OtherRegistry { asked: asked.to_owned(), actual: login.host }),
            _ => Ok(login),
        }
    }
}
