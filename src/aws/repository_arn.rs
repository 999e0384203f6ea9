//! Amazon Resource Names of repositories.

use std::fmt;
use std::str::FromStr;

use super::{AccountId, Partition};

/// The ARN of a repository of Amazon ECR: `arn:PARTITION:ecr:REGION:ACCOUNT:repository/NAME`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RepositoryArn {
    /// The AWS region of the repository.
    pub(crate) region: String,
    /// Whose it is.
    pub(crate) account: AccountId,
    /// Its name.
    pub(crate) name: String,
}

impl fmt::Display for RepositoryArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { region, account, name } = self;
        write!(f, "arn:{}:ecr:{region}:{account}:repository/{name}", Partition::of_region(region))
    }
}

/// The text is no repository's ARN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a repository's ARN is arn:aws:ecr:REGION:ACCOUNT:repository/NAME")]
pub(crate) struct InvalidRepositoryArn;

impl FromStr for RepositoryArn {
    type Err = InvalidRepositoryArn;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let ["arn", _, "ecr", region, account, resource] = parts[..] else { return Err(InvalidRepositoryArn) };
        let name = resource.strip_prefix("repository/").filter(|name| !name.is_empty()).ok_or(InvalidRepositoryArn)?;
        let account = account.parse().map_err(|_| InvalidRepositoryArn)?;
        Ok(Self { region: region.to_owned(), account, name: name.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repositorys_arn_is_in_the_partition_of_its_region() {
        let arn = RepositoryArn {
            region: "us-gov-east-1".to_owned(),
            account: "012345678901".parse().unwrap(),
            name: "team/app".to_owned(),
        };
        assert_eq!(arn.to_string(), "arn:aws-us-gov:ecr:us-gov-east-1:012345678901:repository/team/app");
        assert_eq!(arn.to_string().parse(), Ok(arn));
    }
}
