//! Amazon Resource Names of roles.

use std::fmt;
use std::str::FromStr;

use crate::{AccountId, Partition};

/// The longest name of a role with the path before it: 512 characters of path and 64 of name (IAM API Reference,
/// `CreateRole`).
const MAX_NAME: usize = 576;

/// The ARN of an IAM role: `arn:PARTITION:iam::ACCOUNT:role/[PATH/]NAME` (IAM User Guide, "IAM identifiers").
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleArn {
    partition: Partition,
    account: AccountId,
    name: String,
}

/// The text is not the ARN of a role, or the name is not one that IAM gives to roles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a role's ARN is arn:aws:iam::ACCOUNT:role/NAME")]
pub struct InvalidRoleArn;

impl RoleArn {
    /// The ARN of the role `name` in an account. The name may have a path before it, without a slash at its beginning.
    ///
    /// # Errors
    /// IAM does not take the name for a role.
    pub fn new(partition: Partition, account: AccountId, name: impl Into<String>) -> Result<Self, InvalidRoleArn> {
        let name = name.into();
        if is_role_name(&name) { Ok(Self { partition, account, name }) } else { Err(InvalidRoleArn) }
    }

    /// The partition that the account is in.
    #[must_use]
    pub fn partition(&self) -> Partition {
        self.partition
    }

    /// The account that owns the role.
    #[must_use]
    pub fn account(&self) -> &AccountId {
        &self.account
    }

    /// The role's path and name: `deliver`, `teams/a/deliver`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl FromStr for RoleArn {
    type Err = InvalidRoleArn;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let ["arn", partition, "iam", "", account, resource] = parts[..] else { return Err(InvalidRoleArn) };
        let partition = Partition::of_name(partition).ok_or(InvalidRoleArn)?;
        let account = account.parse().map_err(|_| InvalidRoleArn)?;
        Self::new(partition, account, resource.strip_prefix("role/").ok_or(InvalidRoleArn)?)
    }
}

impl fmt::Display for RoleArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "arn:{}:iam::{}:role/{}", self.partition, self.account, self.name)
    }
}

/// Whether IAM takes a text as a role's name, with or without a path before it (IAM API Reference, `CreateRole`).
fn is_role_name(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"+=,.@-_/".contains(&b);
    !text.is_empty() && !text.starts_with('/') && !text.ends_with('/') && text.len() <= MAX_NAME && text.bytes().all(allowed)
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
}
