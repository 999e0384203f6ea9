//! Amazon Resource Names of keys.

use std::fmt;
use std::str::FromStr;

use super::{AccountId, Partition};

/// The ARN of a key of AWS KMS, or of an alias of one: `arn:PARTITION:kms:REGION:ACCOUNT:key/ID` or `…:alias/NAME` (AWS KMS
/// Developer Guide, "Key identifiers").
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyArn {
    partition: Partition,
    region: String,
    account: AccountId,
    /// `key/ID` or `alias/NAME`.
    resource: String,
}

/// The text is no such ARN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a key's ARN is arn:aws:kms:REGION:ACCOUNT:key/ID or arn:aws:kms:REGION:ACCOUNT:alias/NAME")]
pub(crate) struct InvalidKeyArn;

impl KeyArn {
    /// The region that the key is in.
    #[must_use]
    pub(crate) fn region(&self) -> &str {
        &self.region
    }

    /// `alias/NAME`, where it is the ARN of an alias.
    #[must_use]
    pub(crate) fn alias(&self) -> Option<&str> {
        Some(&*self.resource).filter(|resource| resource.starts_with("alias/"))
    }

    /// All keys of the account and region that it is in, for a policy: IAM takes no alias for a resource.
    #[must_use]
    pub(crate) fn keys_beside(&self) -> String {
        Self { resource: "key/*".to_owned(), ..self.clone() }.to_string()
    }
}

impl fmt::Display for KeyArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { partition, region, account, resource } = self;
        write!(f, "arn:{partition}:kms:{region}:{account}:{resource}")
    }
}

impl FromStr for KeyArn {
    type Err = InvalidKeyArn;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let ["arn", partition, "kms", region, account, resource] = parts[..] else { return Err(InvalidKeyArn) };
        let is_region = region.contains('-') && region.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        let named = |prefix: &str, also: &[u8]| {
            let name = resource.strip_prefix(prefix).unwrap_or_default();
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || also.contains(&b))
        };
        if !is_region || !(named("key/", b"-") || named("alias/", b"/_-")) {
            return Err(InvalidKeyArn);
        }
        Ok(Self {
            partition: Partition::of_name(partition).ok_or(InvalidKeyArn)?,
            region: region.to_owned(),
            account: account.parse().map_err(|_| InvalidKeyArn)?,
            resource: resource.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arn_of_a_key_or_an_alias_names_its_region() {
        for text in [
            "arn:aws:kms:eu-central-1:012345678901:key/1234abcd-12ab-34cd-56ef-1234567890ab",
            "arn:aws:kms:eu-central-1:012345678901:key/mrk-1234abcd12ab34cd56ef1234567890ab",
            "arn:aws-cn:kms:cn-north-1:012345678901:alias/teams/deliver-prod",
        ] {
            let arn: KeyArn = text.parse().unwrap();
            assert_eq!((arn.to_string(), arn.alias().is_some()), (text.to_owned(), text.contains("alias/")));
            assert!(arn.keys_beside().ends_with(":012345678901:key/*"));
        }
    }

    #[test]
    fn nothing_else_is_one() {
        for text in [
            "",
            "alias/deliver",
            "1234abcd-12ab-34cd-56ef-1234567890ab",
            "arn:aws:kms:eu-central-1:012345678901:key/",
            "arn:aws:kms:eu-central-1:012345678901:key/*",
            "arn:aws:kms:eu-central-1:012345678901:key/a b",
            "arn:aws:kms:eu-central-1:012345678901:alias/a?b",
            "arn:aws:kms:eu-central-1:1:key/a",
            "arn:aws:kms::012345678901:key/a",
            "arn:aws:iam:eu-central-1:012345678901:key/a",
            "arn:x:kms:eu-central-1:012345678901:key/a",
        ] {
            assert_eq!(text.parse::<KeyArn>(), Err(InvalidKeyArn), "{text}");
        }
    }
}
