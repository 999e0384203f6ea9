//! The same as lines of the Terraform module that comes with gp-deliver (`terraform/`).

use std::collections::BTreeSet;
use std::fmt::Write as _;

use iam_policy::github::Repository;

use super::{PolicyInputs, is_plain, unknown_repository};
use crate::aws::RepositoryArn;
use crate::inputs::Problem;

/// Where the module is.
const SOURCE: &str = "github.com/org/gp-deliver//terraform?ref=v1";

impl PolicyInputs<'_> {
    /// The lines that set up the role, with its trust policy and its permissions, and the repository.
    pub(super) fn terraform(&self) -> Result<String, Vec<Problem>> {
        let RepositoryArn { region, account, name } = self.permissions()?.repository;
        let role = self.role_name().unwrap_or_default();
        let repository = self.repository.as_ref().filter(|repository| is_plain(&repository.owner) && is_plain(&repository.name));
        let Repository { owner, name: project, ids } = repository.ok_or_else(unknown_repository)?;
        let ids = ids
            .as_ref()
            .map_or_else(String::new, |ids| format!(", owner_id = {}, repository_id = {}", ids.owner, ids.repository));
        let environment = self.config.environment;
        let mirrors: BTreeSet<_> = self.mirrors().iter().map(|arn| format!("\"{arn}\"")).collect();
        let mirrors: Vec<_> = mirrors.into_iter().collect();
        let mirrors = if mirrors.is_empty() { String::new() } else { format!(", database_mirrors = [{}]", mirrors.join(", ")) };
        let mut text = format!("# In the account {account}, in {region}.\nmodule \"delivery\" {{\n  source = \"{SOURCE}\"\n\n");
        // Writing to a string does not fail.
        let _ = write!(
            text,
            "  github       = {{ owner = \"{owner}\", name = \"{project}\"{ids} }}\n  repositories = {{ \"{name}\" = {{}} }}\n  \
             environments = {{\n    {environment} = {{ repository = \"{name}\", role_name = \"{role}\", read_settings = true{mirrors} \
             }}\n  }}\n}}"
        );
        Ok(text)
    }
}
