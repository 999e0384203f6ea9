//! Amazon Resource Names of roles and repositories.

use std::fmt;
use std::str::FromStr;

use super::{AccountId, Partition};

/// The ARN of an IAM role: `arn:PARTITION:iam::ACCOUNT:role/[PATH/]NAME`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleArn {
    /// Where the account is.
    pub partition: Partition,
    /// Whose role it is.
    pub account: AccountId,
    /// The role's path and name, without a slash before it.
    pub name: String,
}

/// The text is no role's ARN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a role's ARN is arn:aws:iam::ACCOUNT:role/NAME")]
pub struct InvalidRoleArn;

impl FromStr for RoleArn {
    type Err = InvalidRoleArn;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let ["arn", partition, "iam", "", account, resource] = parts[..] else { return Err(InvalidRoleArn) };
        let partition = Partition::of_name(partition).ok_or(InvalidRoleArn)?;
        let account = account.parse().map_err(|_| InvalidRoleArn)?;
        let name = resource.strip_prefix("role/").filter(|name| is_role_name(name)).ok_or(InvalidRoleArn)?;
        Ok(Self { partition, account, name: name.to_owned() })
    }
}

impl fmt::Display for RoleArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "arn:{}:iam::{}:role/{}", self.partition, self.account, self.name)
    }
}

/// Whether IAM takes a text as a role's name, a path before it included (IAM API reference, `CreateRole`).
pub(crate) fn is_role_name(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"+=,.@-_/".contains(&b);
    !text.is_empty() && !text.starts_with('/') && !text.ends_with('/') && text.len() <= 576 && text.bytes().all(allowed)
}

/// The ARN of a repository of Amazon ECR: `arn:PARTITION:ecr:REGION:ACCOUNT:repository/NAME`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepositoryArn {
    /// Where it is.
    pub region: String,
    /// Whose it is.
    pub account: AccountId,
    /// Its name.
    pub name: String,
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
pub struct InvalidRepositoryArn;

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
    fn a_roles_arn_reads_back_as_it_was_written() {
        for text in ["arn:aws:iam::012345678901:role/deliver", "arn:aws-cn:iam::123456789012:role/teams/a/deliver"] {
            assert_eq!(text.parse::<RoleArn>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_names_no_role_is_refused() {
        for text in [
            "deliver",
            "arn:aws:iam::123456789012:user/ann",
            "arn:aws:iam::12345678901:role/deliver",
            "arn:aws:sts::123456789012:assumed-role/deliver/x",
            "arn:other:iam::123456789012:role/deliver",
            "arn:aws:iam::123456789012:role/",
            "arn:aws:iam::123456789012:role/a b",
        ] {
            assert!(text.parse::<RoleArn>().is_err(), "{text}");
        }
    }

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
