//! The policy of a repository, by which others than its account's own roles are allowed (Amazon ECR API reference,
//! `GetRepositoryPolicy`, `SetRepositoryPolicy` and `DeleteRepositoryPolicy`).

use super::Repository;
use crate::aws::{Call, Error};

impl Repository {
    /// The policy that the repository has (`GetRepositoryPolicy`), if it has one.
    ///
    /// # Errors
    /// ECR refuses, or can't be reached.
    pub(crate) async fn repository_policy(&self) -> Result<Option<String>, Error> {
        let call = Call::GetRepositoryPolicy;
        let request = self.ecr.get_repository_policy().registry_id(self.arn.account.as_str()).repository_name(&self.arn.name);
        match request.send().await {
            Ok(answer) => Ok(Some(answer.policy_text.ok_or(Error::Malformed { call, missing: "the policy" })?)),
            Err(error) => match self.failed(call, &error) {
                Error::Call(failure) if failure.code.as_deref() == Some("RepositoryPolicyNotFoundException") => Ok(None),
                error => Err(error),
            },
        }
    }

    /// Puts a policy in force (`SetRepositoryPolicy`). One that would keep its author from setting another is refused by ECR.
    ///
    /// # Errors
    /// ECR refuses, or can't be reached.
    pub(crate) async fn set_repository_policy(&self, policy: &str) -> Result<(), Error> {
        let request = self.ecr.set_repository_policy().registry_id(self.arn.account.as_str());
        let request = request.repository_name(&self.arn.name).policy_text(policy);
        request.send().await.map(drop).map_err(|error| self.failed(Call::SetRepositoryPolicy, &error))
    }

    /// Takes the policy away (`DeleteRepositoryPolicy`).
    ///
    /// # Errors
    /// ECR refuses, or can't be reached.
    pub(crate) async fn delete_repository_policy(&self) -> Result<(), Error> {
        let request = self.ecr.delete_repository_policy().registry_id(self.arn.account.as_str());
        let request = request.repository_name(&self.arn.name);
        request.send().await.map(drop).map_err(|error| self.failed(Call::DeleteRepositoryPolicy, &error))
    }
}
